//! Which requests are which operations.

use http::HeaderName;
use http::HeaderValue;

use super::*;
use crate::route::BaseDomains;
use crate::route::control_target;
use crate::route::target;

fn route(line: &str, headers: &[(&'static str, &'static str)]) -> Result<Operation, S3Error> {
    let (method, uri) = line.split_once(' ').unwrap();
    let mut target = target(&uri.parse().unwrap(), None, &BaseDomains::default()).unwrap();
    let headers = headers.iter().map(|(name, value)| {
        let name = HeaderName::from_static(name);
        (name, HeaderValue::from_static(value))
    });
    operation(&method.parse().unwrap(), &mut target, &headers.collect())
}

fn name(line: &str) -> &'static str {
    route(line, &[]).unwrap().name()
}

fn refusal(line: &str) -> S3Code {
    route(line, &[]).unwrap_err().code()
}

#[test]
fn the_operations_done_here_are_recognised() {
    for (line, expected) in [
        ("GET /", "ListBuckets"),
        ("GET /demo", "ListObjects"),
        ("GET /demo?prefix=a&delimiter=%2F", "ListObjects"),
        ("GET /demo?list-type=2&prefix=a", "ListObjectsV2"),
        ("GET /demo?versions&prefix=a", "ListObjectVersions"),
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
        let row = route(line, &[]).unwrap().row();
        assert_eq!(row.handling, Handling::Own, "{line}");
    }
}

#[test]
fn the_operations_without_bytes_of_objects_pass_through() {
    for (line, expected) in [
        ("PUT /demo?tagging", "PutBucketTagging"),
        ("GET /demo/k?tagging", "GetObjectTagging"),
        ("GET /demo?inventory", "ListBucketInventoryConfigurations"),
        (
            "GET /demo?inventory&id=i",
            "GetBucketInventoryConfiguration",
        ),
    ] {
        let operation = route(line, &[]).unwrap();
        assert_eq!(operation.name(), expected, "{line}");
        assert_eq!(operation.row().handling, Handling::Pass, "{line}");
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
    ] {
        assert_eq!(refusal(line), S3Code::NotImplemented, "{line}");
    }
}

#[test]
fn the_configurations_that_are_the_gateways_own_have_three_rows_each() {
    for configuration in [
        Configuration::Cors,
        Configuration::Encryption,
        Configuration::Policy,
        Configuration::PublicAccessBlock,
    ] {
        for verb in [Verb::Get, Verb::Put, Verb::Delete] {
            let handling = Handling::Configure(configuration, verb);
            let rows = rows().filter(|(_, row)| row.handling == handling);
            assert_eq!(rows.count(), 1, "{handling:?}");
        }
    }
}

#[test]
fn a_write_with_a_subresource_that_nobody_knows_is_not_implemented() {
    for method in ["PUT", "POST", "DELETE"] {
        for path in [
            "/demo?novelty",
            "/demo/k?novelty",
            "/demo/k?lifecycle",
            "/demo?Tagging",
            "/demo/k?novelty=1&versionId=v",
        ] {
            let line = format!("{method} {path}");
            let code = refusal(&line);
            let expected = matches!(code, S3Code::NotImplemented | S3Code::InvalidArgument);
            assert!(expected, "{line}: {code:?}");
        }
        let unknown = format!("{method} /demo?novelty");
        assert_eq!(refusal(&unknown), S3Code::NotImplemented);
    }
}

#[test]
fn two_subresources_are_a_conflict_whatever_they_are() {
    for line in [
        "POST /demo?metadataConfiguration&delete",
        "PUT /demo?tagging&lifecycle",
        "PUT /demo?lifecycle=&tagging=1",
        "PUT /demo/k?tagging&partNumber=1&uploadId=U",
        "PUT /demo/k?uploadId=U&acl",
        "PUT /demo/k?tagging&lifecycle",
        "GET /demo?uploads&versioning",
        "GET /demo/k?acl&tagging",
        "DELETE /demo/k?uploadId=U&tagging",
        "HEAD /demo?acl&policy",
    ] {
        let error = route(line, &[]).unwrap_err();
        assert_eq!(error.code(), S3Code::InvalidArgument, "{line}");
        assert!(error.message().starts_with("Conflicting"), "{line}");
    }
    let error = route("GET /demo?versioning&acl", &[]).unwrap_err();
    let message = "Conflicting query string parameters: acl, versioning";
    assert_eq!(error.message(), message);
    let details = [
        ("ArgumentName", "ResourceType".to_owned()),
        ("ArgumentValue", "acl".to_owned()),
    ];
    assert_eq!(error.details(), details);
}

#[test]
fn a_subresource_under_a_method_that_it_does_not_have_is_not_allowed() {
    for line in [
        "PUT /demo?location",
        "DELETE /demo?acl",
        "POST /demo?tagging",
        "HEAD /demo/k?tagging",
        "GET /demo/k?uploads",
        "GET /demo?delete",
    ] {
        assert_eq!(refusal(line), S3Code::MethodNotAllowed, "{line}");
    }
}

#[test]
fn nothing_of_a_query_is_left_but_what_the_operation_takes() {
    for (line, left) in [
        ("GET /demo?tagging&foo=1&x-id=GetBucketTagging", "tagging="),
        ("GET /demo?prefix=a&versionId=v&list-type=1", "prefix=a"),
        ("GET /demo/k?policy&partNumber=1", "partNumber=1"),
        ("PUT /demo/k?x-id=PutObject&X-Own=1", ""),
        (
            "PUT /demo/k?tagging=&versionId=v&x-id=a",
            "tagging=,versionId=v",
        ),
        ("GET /?prefix=a&foo=1", "prefix=a"),
    ] {
        let (method, uri) = line.split_once(' ').unwrap();
        let mut target = target(&uri.parse().unwrap(), None, &BaseDomains::default()).unwrap();
        operation(&method.parse().unwrap(), &mut target, &HeaderMap::new()).unwrap();
        let pairs = target.query.iter();
        let pairs: Vec<_> = pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(pairs.join(","), left, "{line}");
    }
}

#[test]
fn a_write_refuses_the_parameters_of_other_operations() {
    for line in [
        "PUT /demo/k?partNumber=1",
        "PUT /demo/k?tagging&partNumber=1",
        "PUT /demo/k?uploadId=U&partNumber=1&versionId=v",
        "PUT /demo?policy&id=1",
        "DELETE /demo?prefix=a",
        "DELETE /demo?versionId=v",
        "POST /demo?delete&prefix=a",
    ] {
        assert_eq!(refusal(line), S3Code::InvalidArgument, "{line}");
    }
}

#[test]
fn a_version_that_names_none_is_refused() {
    for line in [
        "GET /demo/k?versionId=",
        "GET /demo/k?versionId",
        "HEAD /demo/k?versionId=%20",
        "DELETE /demo/k?versionId=",
        "DELETE /demo/k?versionId=%09",
        "PUT /demo/k?tagging&versionId=",
        "GET /demo/k?acl&versionId=+",
    ] {
        assert_eq!(refusal(line), S3Code::InvalidArgument, "{line}");
    }
}

#[test]
fn every_operation_is_found_by_its_own_row() {
    for operation in Operation::ALL
        .iter()
        .filter(|it| **it != Operation::Preflight)
    {
        let row = operation.row();
        let path = match row.level {
            Level::Service => "/",
            Level::Bucket => "/demo",
            Level::Object => "/demo/k",
            Level::AccessPoints => "/v20180820/accesspoint",
            Level::AccessPoint => "/v20180820/accesspoint/abc",
            Level::AccessPointPolicy => "/v20180820/accesspoint/abc/policy",
            Level::AccessPointPolicyStatus => "/v20180820/accesspoint/abc/policyStatus",
            Level::AccessPointScope => "/v20180820/accesspoint/abc/scope",
            Level::AccountPublicAccessBlock => "/v20180820/configuration/publicAccessBlock",
            Level::ResourceTags => "/v20180820/tags/arn",
            Level::LambdaAccessPoints => "/v20180820/accesspointforobjectlambda",
            Level::LambdaAccessPoint => "/v20180820/accesspointforobjectlambda/abc",
            Level::LambdaConfiguration => "/v20180820/accesspointforobjectlambda/abc/configuration",
            Level::LambdaPolicy => "/v20180820/accesspointforobjectlambda/abc/policy",
            Level::LambdaPolicyStatus => "/v20180820/accesspointforobjectlambda/abc/policyStatus",
            Level::FunctionAnswer => "/WriteGetObjectResponse",
            Level::OtherControl => "/v20180820/jobs",
        };
        let mut query = vec![row.subresource.to_owned()];
        let mut headers = HeaderMap::new();
        for selector in row.selectors {
            match selector {
                Selector::Header(name) => {
                    drop(headers.insert(*name, HeaderValue::from_static("v")))
                }
                Selector::Query(name, value) => query.push(format!("{name}={value}")),
                Selector::Present(name) => query.push(format!("{name}=v")),
                Selector::Form => {
                    let form = HeaderValue::from_static("multipart/form-data");
                    drop(headers.insert(CONTENT_TYPE, form));
                }
            }
        }
        if row.level == Level::FunctionAnswer {
            headers.insert("x-amz-request-route", HeaderValue::from_static("v"));
        }
        query.retain(|pair| !pair.is_empty());
        let uri = format!("{path}?{}", query.join("&")).parse().unwrap();
        let bases = BaseDomains::default();
        let control = control_target(&uri, None, &headers, &bases).unwrap();
        let mut target = control.unwrap_or_else(|| target(&uri, None, &bases).unwrap());
        let found = super::operation(&row.method.parse().unwrap(), &mut target, &headers);
        match row.handling {
            Handling::Refuse(reason) => {
                let error = found.unwrap_err();
                assert!(error.message().contains(operation.name()), "{error}");
                assert!(error.message().contains(reason), "{error}");
            }
            _ => assert_eq!(found.unwrap(), *operation),
        }
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
        assert_eq!(route(line, &[]).unwrap(), operation, "{line}");
    }
}

#[test]
fn a_form_is_a_form_and_nothing_that_its_query_says() {
    let form = [("content-type", "Multipart/Form-Data; boundary=b")];
    assert_eq!(route("POST /demo", &form).unwrap(), Operation::PostObject);
    assert_eq!(route("POST /demo/", &form).unwrap(), Operation::PostObject);
    for line in ["POST /demo?delete", "POST /demo?policy"] {
        let refused = route(line, &form).unwrap_err();
        assert_eq!(refused.code(), S3Code::NotImplemented, "{line}");
    }
    assert_eq!(refusal("POST /demo"), S3Code::PreconditionFailed);
}

#[test]
fn a_copy_source_makes_a_put_a_copy() {
    let source = [("x-amz-copy-source", "/demo/other")];
    assert_eq!(
        route("PUT /demo/k", &source).unwrap(),
        Operation::CopyObject
    );
    let part = route("PUT /demo/k?partNumber=1&uploadId=u", &source);
    assert_eq!(part.unwrap(), Operation::UploadPartCopy);
    let append = [("x-amz-write-offset-bytes", "5")];
    assert_eq!(
        route("PUT /demo/k", &append).unwrap_err().code(),
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
