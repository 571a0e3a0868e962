//! What events have of requests and answers: headers and parameters by lists, so that nothing else gets into them.
//!
//! Not in the lists, because they are secrets or are made of them: customer keys and their digests, session tokens,
//! signatures, credentials of presigned URLs, and MFA codes. Metadata and tags of users are not in AWS's events.
//!
//! Source: events of AWS, such as those of
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-understanding-s3-entries.html>

use http::HeaderMap;
use http::HeaderName;
use proto::audit::Fields;

use crate::request::Query;
use crate::request::Target;
use crate::route::Row;

/// The value of `requestParameters`.
#[must_use]
pub fn of_request(row: &Row, target: &Target, host: Option<&str>, headers: &HeaderMap) -> Fields {
    let mut fields = Fields::default();
    if let Some(bucket) = &target.bucket {
        fields.push("bucketName", bucket);
    }
    if let Some(host) = host {
        fields.push("Host", &host);
    }
    if let Some(key) = &target.key {
        fields.push("key", key);
    }
    add_query(&mut fields, row, &target.query);
    add_headers(&mut fields, &OF_REQUESTS, headers);
    fields
}

/// The value of `responseElements`: of what was written, and how it is encrypted.
#[must_use]
pub fn of_answer(headers: &HeaderMap) -> Fields {
    let mut fields = Fields::default();
    add_headers(&mut fields, &OF_ANSWERS, headers);
    fields
}

fn add_query(fields: &mut Fields, row: &Row, query: &Query) {
    for (name, value) in query.iter() {
        let taken = row.parameters.iter().chain([&row.subresource]);
        let mut known = taken.chain(&OF_QUERIES);
        if let Some(known) = known.find(|known| **known == name) {
            fields.push(known, &value);
        }
    }
}

/// Adds the headers that `names`, which are in order, has. A request has few of them, so that its headers are looked
/// up in the list and not the other way: a fortieth part of a small GET's instructions.
fn add_headers(fields: &mut Fields, names: &[&'static str], headers: &HeaderMap) {
    let place = |name: &HeaderName| names.binary_search(&name.as_str()).ok();
    let mut found: Vec<_> = headers
        .iter()
        .filter_map(|(name, value)| Some((place(name)?, value)))
        .collect();
    found.sort_by_key(|(place, _)| *place);
    // Of a header that is there twice, the first.
    found.dedup_by_key(|(place, _)| *place);
    for (place, value) in found {
        if let Some(name) = names.get(place) {
            fields.push(name, &String::from_utf8_lossy(value.as_bytes()));
        }
    }
}

/// Parameters beside those that operations take: what SDKs name the operation with, and what of a presigned URL is
/// no secret.
const OF_QUERIES: [&str; 5] = [
    "x-id",
    "X-Amz-Algorithm",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
];

/// Headers of requests, in order.
const OF_REQUESTS: [&str; 26] = [
    "x-amz-acl",
    "x-amz-bucket-object-lock-enabled",
    "x-amz-bypass-governance-retention",
    "x-amz-copy-source",
    "x-amz-copy-source-range",
    "x-amz-copy-source-server-side-encryption-customer-algorithm",
    "x-amz-expected-bucket-owner",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-metadata-directive",
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-object-ownership",
    "x-amz-request-payer",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-source-expected-bucket-owner",
    "x-amz-storage-class",
    "x-amz-tagging-directive",
];

/// Headers of answers, in order.
const OF_ANSWERS: [&str; 8] = [
    "x-amz-copy-source-version-id",
    "x-amz-delete-marker",
    "x-amz-expiration",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-version-id",
];

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use http::HeaderValue;

    use super::*;
    use crate::route::Operation;

    fn shown(operation: Operation, query: &[(&str, &str)], headers: &[&'static str]) -> String {
        let pairs = query
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let target = Target {
            bucket: Some("b".to_owned()),
            key: Some("k".to_owned()),
            query: Query::from_pairs(pairs.collect()),
            ..Target::default()
        };
        let headers = headers.iter().map(|name| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static("CANARY"))
        });
        let fields = of_request(operation.row(), &target, Some("h"), &headers.collect());
        serde_json::to_string(&fields).unwrap()
    }

    #[test]
    fn a_presigned_url_is_recorded_without_what_it_is_signed_with() {
        let query = [
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", "CANARY"),
            ("X-Amz-Date", "20250101T000000Z"),
            ("X-Amz-Expires", "300"),
            ("X-Amz-Security-Token", "CANARY"),
            ("X-Amz-Signature", "CANARY"),
            ("X-Amz-SignedHeaders", "host"),
            ("Signature", "CANARY"),
            ("AWSAccessKeyId", "CANARY"),
            ("x-amz-server-side-encryption-customer-key", "CANARY"),
            ("X-Amz-Mfa", "CANARY"),
            ("x-anything", "CANARY"),
            ("versionId", "v"),
            ("x-id", "GetObject"),
        ];
        let shown = shown(Operation::GetObject, &query, &[]);
        let expected = serde_json::json!({
            "bucketName": "b",
            "Host": "h",
            "key": "k",
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Date": "20250101T000000Z",
            "X-Amz-Expires": "300",
            "X-Amz-SignedHeaders": "host",
            "versionId": "v",
            "x-id": "GetObject",
        });
        assert_eq!(shown, expected.to_string());
    }

    #[test]
    fn headers_are_recorded_in_the_order_of_the_list_and_the_first_of_two() {
        for list in [&OF_REQUESTS[..], &OF_ANSWERS] {
            assert!(list.is_sorted(), "{list:?}");
        }
        let mut headers = HeaderMap::new();
        let storage_class = HeaderName::from_static("x-amz-storage-class");
        headers.append(&storage_class, HeaderValue::from_static("STANDARD"));
        headers.append(&storage_class, HeaderValue::from_static("GLACIER"));
        headers.append("x-amz-acl", HeaderValue::from_static("private"));
        let fields = of_request(
            Operation::PutObject.row(),
            &Target::default(),
            None,
            &headers,
        );
        assert_eq!(
            serde_json::to_string(&fields).unwrap(),
            r#"{"x-amz-acl":"private","x-amz-storage-class":"STANDARD"}"#
        );
    }

    #[test]
    fn headers_with_secrets_or_the_users_data_are_not_recorded() {
        let secret = [
            "authorization",
            "cookie",
            "x-amz-content-sha256",
            "x-amz-copy-source-server-side-encryption-customer-key",
            "x-amz-copy-source-server-side-encryption-customer-key-md5",
            "x-amz-meta-a",
            "x-amz-mfa",
            "x-amz-security-token",
            "x-amz-server-side-encryption-context",
            "x-amz-server-side-encryption-customer-key",
            "x-amz-server-side-encryption-customer-key-md5",
            "x-amz-tagging",
        ];
        let shown = shown(Operation::PutObject, &[], &secret);
        assert!(!shown.contains("CANARY"), "{shown}");
    }
}
