//! Access control lists: in documents, by a name, and in headers that grant.
//!
//! Whether a list is public is judged by what the request says, before it is known what is stored: both say the
//! same. What is stored, written as a document, is read as the same list, and it lets nobody do anything who is not
//! granted it.

#![no_main]

use gateway::fuzzing::acl::Level;
use gateway::fuzzing::acl::Permission;
use gateway::fuzzing::acl::RequestedAcl;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for level in [Level::Bucket, Level::Object] {
        check(RequestedAcl::read(&HeaderMap::new(), Some(bytes), level).ok());
        check(RequestedAcl::read(&headers(bytes), None, level).ok());
    }
});

fn check(requested: Option<RequestedAcl>) {
    let Some(requested) = requested else {
        return;
    };
    let owner = match &requested {
        RequestedAcl::Document(acl) => acl.owner.clone(),
        _ => OWNER.to_owned(),
    };
    let acl = requested.resolve(&owner, OTHER).expect("its own owner's");
    assert_eq!(acl.is_public(), requested.is_public());
    let document = acl.to_xml().to_document();
    let again = RequestedAcl::read(&HeaderMap::new(), Some(&document), Level::Object);
    assert_eq!(
        again.expect("a document"),
        RequestedAcl::Document(acl.clone())
    );
    for permission in [Permission::Read, Permission::Write, Permission::FullControl] {
        assert!(!acl.permits(None, permission, true), "{acl:?}");
        assert!(
            acl.is_public() || !acl.permits(None, permission, false),
            "{acl:?}"
        );
    }
}

/// The headers of a request: a name of the list below by its place, and a value, on each line.
fn headers(bytes: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some((at, value)) = line.split_first() else {
            continue;
        };
        let name = NAMES[usize::from(*at) % NAMES.len()];
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    headers
}

const NAMES: [&str; 6] = [
    "x-amz-acl",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
];

const OWNER: &str = "8a6925ce4adf588a4532aa379004fef8a6925ce4adf588a4532aa379004fef00";
const OTHER: &str = "5ce4adf588a4532aa379004fef8a69255ce4adf588a4532aa379004fef8a6925";
