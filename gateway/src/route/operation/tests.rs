//! Which requests are which operations.

use http::HeaderName;
use http::HeaderValue;

use super::*;
use crate::route::BaseDomains;
use crate::route::target;

fn ask(line: &str, headers: &[(&'static str, &'static str)]) -> Result<Operation, S3Error> {
    let (method, uri) = line.split_once(' ').unwrap();
    let target = target(&uri.parse().unwrap(), None, &BaseDomains::default()).unwrap();
    let headers = headers.iter().map(|(name, value)| {
        let name = HeaderName::from_static(name);
        (name, HeaderValue::from_static(value))
    });
    operation(&method.parse().unwrap(), &target, &headers.collect())
}

fn name(line: &str) -> &'static str {
    ask(line, &[]).unwrap().name()
}

fn refusal(line: &str) -> S3Code {
    ask(line, &[]).unwrap_err().code()
}

#[test]
fn the_operations_done_here_are_recognised() {
    for (line, expected) in [
        ("GET /", "ListBuckets"),
        ("GET /demo", "ListObjects"),
        ("GET /demo?prefix=a&delimiter=%2F", "ListObjects"),
        ("GET /demo?list-type=2&prefix=a", "ListObjectsV2"),
        ("GET /demo?versions&prefix=a", "ListObjectVersions"),
        ("GET /demo?encryption", "GetBucketEncryption"),
        ("POST /demo?delete", "DeleteObjects"),
        ("GET /demo/k", "GetObject"),
        ("GET /demo/k?partNumber=1&x-id=GetObject", "GetObject"),
        ("GET /demo/k?attributes", "GetObjectAttributes"),
        ("HEAD /demo/k", "HeadObject"),
        ("PUT /demo/k?x-id=PutObject", "PutObject"),
        (
            "PUT /demo/k?encryption&versionId=v",
            "UpdateObjectEncryption",
        ),
        ("DELETE /demo/k?versionId=v", "DeleteObject"),
    ] {
        assert_eq!(name(line), expected, "{line}");
        assert!(
            !matches!(ask(line, &[]), Ok(Operation::PassThrough(_))),
            "{line}"
        );
    }
}

#[test]
fn the_operations_without_bytes_of_objects_pass_through() {
    for (line, expected) in [
        ("PUT /demo", "CreateBucket"),
        ("DELETE /demo", "DeleteBucket"),
        ("HEAD /demo", "HeadBucket"),
        ("GET /demo?location", "GetBucketLocation"),
        ("PUT /demo?tagging", "PutBucketTagging"),
        ("PUT /demo/k?acl&versionId=v", "PutObjectAcl"),
        ("GET /demo/k?tagging", "GetObjectTagging"),
        ("PUT /demo?novelty", "UnknownBucketOperation"),
    ] {
        assert_eq!(
            ask(line, &[]).unwrap(),
            Operation::PassThrough(expected),
            "{line}"
        );
    }
}

#[test]
fn the_operations_that_would_bypass_sealing_are_refused() {
    for line in [
        "GET /demo?session",
        "GET /demo/k?torrent",
        "POST /demo/k?select&select-type=2",
        "PUT /demo/k?renameObject",
        "PUT /demo?replication",
        "PUT /demo/k?novelty",
        "DELETE /demo/k?novelty",
        "POST /demo/k?novelty",
    ] {
        assert_eq!(refusal(line), S3Code::NotImplemented, "{line}");
    }
}

#[test]
fn the_operations_of_multipart_uploads_are_known_by_method_and_query() {
    for (line, operation) in [
        ("POST /demo/k?uploads", Operation::CreateMultipartUpload),
        ("PUT /demo/k?partNumber=1&uploadId=u", Operation::UploadPart),
        (
            "POST /demo/k?uploadId=u",
            Operation::CompleteMultipartUpload,
        ),
        ("GET /demo/k?uploadId=u", Operation::ListParts),
        ("DELETE /demo/k?uploadId=u", Operation::AbortMultipartUpload),
        ("GET /demo?uploads", Operation::ListMultipartUploads),
    ] {
        assert_eq!(ask(line, &[]).unwrap(), operation, "{line}");
    }
}

#[test]
fn a_form_is_a_form_and_nothing_that_its_query_says() {
    let form = [("content-type", "Multipart/Form-Data; boundary=b")];
    assert_eq!(ask("POST /demo", &form).unwrap(), Operation::PostObject);
    assert_eq!(ask("POST /demo/", &form).unwrap(), Operation::PostObject);
    for line in ["POST /demo?delete", "POST /demo?policy"] {
        let refused = ask(line, &form).unwrap_err();
        assert_eq!(refused.code(), S3Code::NotImplemented, "{line}");
    }
    assert_eq!(refusal("POST /demo"), S3Code::PreconditionFailed);
}

#[test]
fn a_copy_source_makes_a_put_a_copy() {
    let source = [("x-amz-copy-source", "/demo/other")];
    assert_eq!(ask("PUT /demo/k", &source).unwrap(), Operation::CopyObject);
    let part = ask("PUT /demo/k?partNumber=1&uploadId=u", &source);
    assert_eq!(part.unwrap(), Operation::UploadPartCopy);
    let append = [("x-amz-write-offset-bytes", "5")];
    assert_eq!(
        ask("PUT /demo/k", &append).unwrap_err().code(),
        S3Code::NotImplemented
    );
}

#[test]
fn a_write_of_a_named_version_is_refused() {
    assert_eq!(refusal("PUT /demo/k?versionId=v"), S3Code::InvalidArgument);
}

#[test]
fn methods_that_s3_does_not_have_are_not_allowed() {
    for line in [
        "PATCH /demo/k",
        "TRACE /demo",
        "DELETE /",
        "POST /demo/k",
        "CONNECT /demo",
    ] {
        assert_eq!(refusal(line), S3Code::MethodNotAllowed, "{line}");
    }
}
