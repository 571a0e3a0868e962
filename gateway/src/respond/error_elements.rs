//! What an error names of its request, whoever found the fault: the gateway or the backend.
//!
//! Source: the errors that AWS answered with in LocalStack's recordings
//! (`tests/suites/README.md`). The documentation lists codes, and the elements of few.

use http::HeaderName;
use http::Method;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::request::Target;

/// `error` with the elements that AWS adds to its code, where it does not have them yet.
pub(super) fn complete(mut error: S3Error, method: &Method, target: &Target) -> S3Error {
    if error.code() == S3Code::MethodNotAllowed && error.has_header(&DELETE_MARKER) {
        error = add(error, "Method", Some(method.as_str()));
        return add(error, "ResourceType", Some("DeleteMarker"));
    }
    let query = |name| target.query.get(name);
    let (bucket, key) = (target.bucket.as_deref(), target.key.as_deref());
    match error.code_text() {
        "NoSuchKey" => add(error, "Key", key),
        "NoSuchVersion" => {
            let error = add(error, "Key", key);
            add(error, "VersionId", query("versionId"))
        }
        "InvalidPartOrder" | "NoSuchUpload" => add(error, "UploadId", query("uploadId")),
        code if ABOUT_A_BUCKET.contains(&code) && key.is_none() => add(error, "BucketName", bucket),
        "NoSuchBucket" => add(error, "BucketName", bucket),
        _ => error,
    }
}

/// The error with one more element, if it has none of this name and there is a value.
fn add(error: S3Error, element: &'static str, value: Option<&str>) -> S3Error {
    let has_element = error.details().iter().any(|(name, _)| *name == element);
    match value {
        Some(value) if !has_element => error.detail(element, value),
        _ => error,
    }
}

/// Codes of requests to a bucket whose errors name it.
const ABOUT_A_BUCKET: [&str; 14] = [
    "BucketAlreadyExists",
    "BucketAlreadyOwnedByYou",
    "BucketNotEmpty",
    "NoSuchBucketPolicy",
    "NoSuchCORSConfiguration",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "NoSuchTagSet",
    "NoSuchWebsiteConfiguration",
    "ObjectLockConfigurationNotFoundError",
    "OperationAborted",
    "OwnershipControlsNotFoundError",
    "ReplicationConfigurationNotFoundError",
    "ServerSideEncryptionConfigurationNotFoundError",
];

/// What an answer about a delete marker has.
const DELETE_MARKER: HeaderName = HeaderName::from_static("x-amz-delete-marker");

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::StatusCode;

    use super::*;
    use crate::request::Query;

    fn elements(error: S3Error, key: Option<&str>) -> Vec<(&'static str, String)> {
        let pairs = [("versionId", "v"), ("uploadId", "u")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let target = Target {
            bucket: Some("b".to_owned()),
            key: key.map(str::to_owned),
            query: Query::from_pairs(pairs.to_vec()),
            ..Target::default()
        };
        complete(error, &Method::PUT, &target).details().to_vec()
    }

    #[test]
    fn an_error_names_what_the_request_was_about() {
        for (code, key, expected) in [
            (S3Code::NoSuchBucket, None, vec![("BucketName", "b")]),
            (S3Code::NoSuchBucket, Some("k"), vec![("BucketName", "b")]),
            (S3Code::NoSuchTagSet, None, vec![("BucketName", "b")]),
            (S3Code::NoSuchKey, Some("k"), vec![("Key", "k")]),
            (
                S3Code::NoSuchVersion,
                Some("k"),
                vec![("Key", "k"), ("VersionId", "v")],
            ),
            (S3Code::NoSuchUpload, Some("k"), vec![("UploadId", "u")]),
            (S3Code::AccessDenied, Some("k"), vec![]),
        ] {
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(n, v)| (n, v.to_owned()))
                .collect();
            assert_eq!(elements(S3Error::new(code), key), expected, "{code:?}");
        }
        let foreign = "OwnershipControlsNotFoundError";
        let foreign = S3Error::foreign(foreign, StatusCode::NOT_FOUND, "none");
        assert_eq!(elements(foreign, None), [("BucketName", "b".to_owned())]);
    }

    #[test]
    fn an_element_that_is_there_is_not_replaced() {
        let error = S3Error::new(S3Code::NoSuchKey).detail("Key", "source");
        assert_eq!(elements(error, Some("k")), [("Key", "source".to_owned())]);
    }

    #[test]
    fn a_method_that_a_delete_marker_does_not_take_is_named() {
        let error = S3Error::new(S3Code::MethodNotAllowed);
        let error = error.header(DELETE_MARKER, HeaderValue::from_static("true"));
        let expected = [("Method", "PUT"), ("ResourceType", "DeleteMarker")];
        let expected = expected.map(|(name, value)| (name, value.to_owned()));
        assert_eq!(elements(error, Some("k")), expected);
    }
}
