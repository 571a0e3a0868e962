//! The `Authorization` header of Signature Version 4, and that of Version 2.
//!
//! What was read is what a second, naive reader finds, and writing it again reads the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::sigv2;
use proto::sigv4;
use proto::sigv4::Authorization;
use proto::sigv4::Expected;

fuzz_target!(|header: &str| {
    if let Ok(read) = sigv2::Authorization::parse(header) {
        assert_eq!(sigv4::mechanism(header), Ok(sigv4::Mechanism::V2));
        let again = format!("AWS {}:{}", read.access_key_id, read.signature);
        assert_eq!(again, header);
    }
    let expected = Expected {
        region: Some("us-east-1"),
        others: &[],
        service: "s3",
    };
    let Ok(read) = Authorization::parse(header, &expected) else {
        return;
    };
    assert_eq!(sigv4::mechanism(header), Ok(sigv4::Mechanism::V4));
    assert_eq!(read.scope.region, "us-east-1");
    assert_eq!(read.scope.service, "s3");

    let (_, components) = header
        .split_once(' ')
        .expect("components follow the mechanism");
    let value = |name: &str| {
        let mut named = components
            .split(',')
            .filter_map(|part| part.trim_matches(' ').strip_prefix(name));
        named.next().expect("the component is there")
    };
    assert_eq!(value("Signature="), read.signature);
    assert!(value("Credential=").starts_with(&read.access_key_id));

    let names: Vec<_> = read.signed_headers.names().collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), names.len(), "a name is listed twice");
    assert!(
        names
            .iter()
            .all(|name| !name.is_empty() && *name == name.to_ascii_lowercase())
    );

    let scope = &read.scope;
    let again = format!(
        "AWS4-HMAC-SHA256 Credential={}/{}/{}/{}/aws4_request, SignedHeaders={}, Signature={}",
        read.access_key_id,
        scope.date,
        scope.region,
        scope.service,
        read.signed_headers.as_str(),
        read.signature,
    );
    assert_eq!(Authorization::parse(&again, &expected).as_ref(), Ok(&read));
});
