//! The headers that decide what an operation does, by the starts of their names.
//!
//! As with the query: what an operation's row does not list goes no further, so no backend can do by it
//! what nobody authorised. S3 ignores such headers, too.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>

use http::HeaderMap;
use http::HeaderName;

use super::Operation;

/// Of operations that set an access control list.
pub(super) const ACL: &[&str] = &["x-amz-acl", "x-amz-grant-"];

/// Of operations that make an object; a form has such headers once its fields are read.
pub(super) const NEW_OBJECT: &[&str] = &[
    "x-amz-acl",
    "x-amz-grant-",
    "x-amz-object-lock-",
    "x-amz-tagging",
];

/// Of the operation that makes a bucket.
pub(super) const NEW_BUCKET: &[&str] = &[
    "x-amz-acl",
    "x-amz-bucket-object-lock-enabled",
    "x-amz-grant-",
    "x-amz-object-ownership",
];

/// Of operations that a lock in governance mode may refuse.
pub(super) const BYPASS: &[&str] = &["x-amz-bypass-governance-retention"];

/// Of operations that such a lock or MFA Delete may refuse.
pub(super) const DELETION: &[&str] = &["x-amz-bypass-governance-retention", "x-amz-mfa"];

/// Of the operation that MFA Delete may refuse and no lock.
pub(super) const MFA: &[&str] = &["x-amz-mfa"];

/// Of the operation that locks a bucket that is there already.
pub(super) const LOCK_TOKEN: &[&str] = &["x-amz-bucket-object-lock-token"];

/// Of the operation by which a caller can shut itself out.
pub(super) const REMOVE_SELF: &[&str] = &["x-amz-confirm-remove-self-bucket-access"];

/// All of them.
pub(super) const DECIDING: [&[&str]; 8] = [
    ACL,
    NEW_OBJECT,
    NEW_BUCKET,
    BYPASS,
    DELETION,
    MFA,
    LOCK_TOKEN,
    REMOVE_SELF,
];

/// How the names of all of them begin.
const PREFIX: &str = "x-amz-";

/// Removes the deciding headers that an operation does not take.
pub fn keep_headers(operation: Operation, headers: &mut HeaderMap) {
    let begins = |lists: &[&[&str]], name: &HeaderName| {
        let mut starts = lists.iter().copied().flatten();
        starts.any(|start| name.as_str().starts_with(start))
    };
    let taken = operation.row().headers;
    // Nearly all others are known by their first characters.
    let may_decide = |name: &HeaderName| name.as_str().starts_with(PREFIX);
    let is_other =
        |name: &&HeaderName| may_decide(name) && begins(&DECIDING, name) && !begins(taken, name);
    let others: Vec<_> = headers.keys().filter(is_other).cloned().collect();
    for name in others {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn remaining(operation: Operation, names: &[&'static str]) -> Vec<String> {
        let value = HeaderValue::from_static("v");
        let pairs = names
            .iter()
            .map(|name| (HeaderName::from_static(name), value.clone()));
        let mut headers = pairs.collect();
        keep_headers(operation, &mut headers);
        let mut names: Vec<_> = headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    }

    #[test]
    fn an_operation_keeps_the_deciding_headers_that_it_takes_and_all_others() {
        let names = [
            "if-match",
            "x-amz-date",
            "x-amz-grant-read",
            "x-amz-tagging-directive",
        ];
        assert_eq!(remaining(Operation::CopyObject, &names), names);
        assert_eq!(remaining(Operation::PutObjectAcl, &names), names[..3]);
        assert_eq!(remaining(Operation::PutObjectTagging, &names), names[..2]);
    }

    #[test]
    fn a_header_that_is_given_twice_is_removed_twice() {
        let mut headers = HeaderMap::new();
        headers.append("x-amz-acl", HeaderValue::from_static("private"));
        headers.append("x-amz-acl", HeaderValue::from_static("public-read"));
        keep_headers(Operation::PutBucketTagging, &mut headers);
        assert!(headers.is_empty());
    }

    #[test]
    fn what_a_row_lists_is_a_deciding_header() {
        for operation in Operation::ALL {
            for list in operation.row().headers {
                assert!(DECIDING.contains(list), "{operation:?}");
            }
        }
        let mut starts = DECIDING.iter().copied().flatten();
        assert!(starts.all(|start| start.starts_with(PREFIX)));
    }
}
