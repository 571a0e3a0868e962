//! The headers that decide what an operation does, and the operations that take them.
//!
//! As with the query: what an operation does not take goes no further, so no backend can do by it
//! what nobody authorised. S3 ignores such headers, too.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>

use http::HeaderMap;
use http::HeaderName;

use crate::route::Operation;

/// Removes the deciding headers that an operation does not take.
pub fn keep_headers(operation: Operation, headers: &mut HeaderMap) {
    let is_taken = |name: &HeaderName| {
        let name = name.as_str();
        let row = DECIDING.iter().find(|(start, _)| name.starts_with(start));
        row.is_none_or(|(_, operations)| operations.contains(&operation))
    };
    let others: Vec<_> = headers.keys().filter(|it| !is_taken(it)).cloned().collect();
    for name in others {
        headers.remove(name);
    }
}

/// Starts of names, and the operations that take headers of such a name.
const DECIDING: [(&str, &[Operation]); 9] = [
    ("x-amz-acl", WITH_ACL),
    ("x-amz-grant-", WITH_ACL),
    (
        "x-amz-bypass-governance-retention",
        &[
            Operation::DeleteObject,
            Operation::DeleteObjects,
            Operation::PutObjectRetention,
        ],
    ),
    ("x-amz-tagging", NEW_OBJECTS),
    ("x-amz-object-lock-", NEW_OBJECTS),
    ("x-amz-object-ownership", &[Operation::CreateBucket]),
    (
        "x-amz-bucket-object-lock-enabled",
        &[Operation::CreateBucket],
    ),
    (
        "x-amz-bucket-object-lock-token",
        &[Operation::PutObjectLockConfiguration],
    ),
    (
        "x-amz-confirm-remove-self-bucket-access",
        &[Operation::PutBucketPolicy],
    ),
];

/// Operations that make an object; a form has such headers once its fields are read.
const NEW_OBJECTS: &[Operation] = &[
    Operation::CopyObject,
    Operation::CreateMultipartUpload,
    Operation::PostObject,
    Operation::PutObject,
];

/// Operations that set an access control list.
const WITH_ACL: &[Operation] = &[
    Operation::CopyObject,
    Operation::CreateBucket,
    Operation::CreateMultipartUpload,
    Operation::PostObject,
    Operation::PutBucketAcl,
    Operation::PutObject,
    Operation::PutObjectAcl,
];

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn kept(operation: Operation, names: &[&'static str]) -> Vec<String> {
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
        assert_eq!(kept(Operation::CopyObject, &names), names);
        assert_eq!(kept(Operation::PutObjectAcl, &names), names[..3]);
        assert_eq!(kept(Operation::PutObjectTagging, &names), names[..2]);
    }

    #[test]
    fn a_header_that_is_given_twice_is_removed_twice() {
        let mut headers = HeaderMap::new();
        headers.append("x-amz-acl", HeaderValue::from_static("private"));
        headers.append("x-amz-acl", HeaderValue::from_static("public-read"));
        keep_headers(Operation::PutBucketTagging, &mut headers);
        assert!(headers.is_empty());
    }
}
