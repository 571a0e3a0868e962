//! What events have of requests and answers: headers and parameters by lists, so that nothing else gets into them.
//!
//! Not in the lists, because they are secrets or are made of them: customer keys and their digests, session tokens,
//! signatures, credentials of presigned URLs, and MFA codes. Metadata and tags of users are not in AWS's events.
//!
//! Source: events of AWS, such as those of
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-understanding-s3-entries.html>

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use proto::audit::Fields;

use crate::request::Query;
use crate::route::Row;

/// Headers that events have, by their names, in the order of the list.
pub type TakenHeaders = Vec<(&'static str, String)>;

/// The headers of a request that its event has.
#[must_use]
pub fn of_request(headers: &HeaderMap) -> TakenHeaders {
    taken(&OF_REQUESTS, headers)
}

/// The value of `responseElements`: of what was written, and how it is encrypted.
#[must_use]
pub fn of_answer(headers: &HeaderMap) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in taken(&OF_ANSWERS, headers) {
        fields.push(name, &value);
    }
    fields
}

/// What the event of a request for the operation of a row has of its query.
#[must_use]
pub fn of_query<'a>(row: &Row, query: &'a Query) -> Vec<(&'static str, &'a str)> {
    let pairs = query.iter().filter_map(|(name, value)| {
        let taken = row.parameters.iter().chain([&row.subresource]);
        let mut known = taken.chain(&OF_QUERIES);
        let known = known.find(|known| **known == name)?;
        Some((*known, value))
    });
    pairs.collect()
}

/// The headers that `names`, which are in order, has. A request has few of them, so that its headers are looked
/// up in the list and not the other way: a fortieth part of a small GET's instructions.
fn taken(names: &[&'static str], headers: &HeaderMap) -> TakenHeaders {
    let place = |name: &HeaderName| match name.as_str().starts_with(OF_AWS) {
        true => names.binary_search(&name.as_str()).ok(),
        false => None,
    };
    let mut found: Vec<_> = headers
        .iter()
        .filter_map(|(name, value)| Some((place(name)?, value)))
        .collect();
    found.sort_by_key(|(place, _)| *place);
    // Of a header that is there twice, the first.
    found.dedup_by_key(|(place, _)| *place);
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let found = found.into_iter();
    found
        .filter_map(|(place, value)| Some((*names.get(place)?, text(value))))
        .collect()
}

/// What the names in both lists begin with.
const OF_AWS: &str = "x-amz-";

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
    use super::*;
    use crate::route::Operation;

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
        let pairs = query.map(|(n, v)| (n.to_owned(), v.to_owned()));
        let query = Query::from_pairs(pairs.to_vec());
        assert_eq!(
            of_query(Operation::GetObject.row(), &query),
            [
                ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
                ("X-Amz-Date", "20250101T000000Z"),
                ("X-Amz-Expires", "300"),
                ("X-Amz-SignedHeaders", "host"),
                ("versionId", "v"),
                ("x-id", "GetObject"),
            ]
        );
    }

    #[test]
    fn headers_are_recorded_in_the_order_of_the_list_and_the_first_of_two() {
        for list in [&OF_REQUESTS[..], &OF_ANSWERS] {
            assert!(list.is_sorted(), "{list:?}");
            assert!(list.iter().all(|name| name.starts_with(OF_AWS)), "{list:?}");
        }
        let mut headers = HeaderMap::new();
        let storage_class = HeaderName::from_static("x-amz-storage-class");
        headers.append(&storage_class, HeaderValue::from_static("STANDARD"));
        headers.append(&storage_class, HeaderValue::from_static("GLACIER"));
        headers.append("x-amz-acl", HeaderValue::from_static("private"));
        let taken = of_request(&headers);
        let taken: Vec<_> = taken.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let expected = [
            ("x-amz-acl", "private"),
            ("x-amz-storage-class", "STANDARD"),
        ];
        assert_eq!(taken, expected);
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
        let headers = secret.map(|name| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static("CANARY"))
        });
        assert_eq!(of_request(&HeaderMap::from_iter(headers)), []);
    }
}
