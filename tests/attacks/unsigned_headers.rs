//! Headers that act on a request but are not covered by its signature.

use http::HeaderName;
use http::HeaderValue;
use http::Method;
use tests::signed::Draft;
use tests::signed::Signed;

use crate::gate::BUCKET;
use crate::gate::Gate;
use crate::gate::put;

/// Headers that S3 acts on.
const ACTING: &[(&str, &str)] = &[
    ("x-amz-copy-source", "/bucket/other"),
    ("x-amz-acl", "public-read"),
    (
        "x-amz-grant-read",
        "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\"",
    ),
    ("x-amz-grant-full-control", "id=\"1\""),
    ("x-amz-tagging", "a=b"),
    ("x-amz-storage-class", "GLACIER"),
    ("x-amz-website-redirect-location", "http://example.com/"),
    ("x-amz-object-lock-mode", "COMPLIANCE"),
    (
        "x-amz-object-lock-retain-until-date",
        "2099-01-01T00:00:00Z",
    ),
    ("x-amz-object-lock-legal-hold", "ON"),
    ("x-amz-meta-a", "b"),
    ("x-amz-server-side-encryption", "AES256"),
    ("x-amz-server-side-encryption-aws-kms-key-id", "alias/a"),
    ("x-amz-server-side-encryption-context", "e30="),
    ("x-amz-server-side-encryption-bucket-key-enabled", "true"),
    ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
    ("x-amz-server-side-encryption-customer-key", "a2V5"),
    ("x-amz-server-side-encryption-customer-key-md5", "bWQ1"),
    (
        "x-amz-copy-source-server-side-encryption-customer-key",
        "a2V5",
    ),
    ("x-amz-bypass-governance-retention", "true"),
    ("x-amz-mfa", "serial 000000"),
    ("x-amz-metadata-directive", "REPLACE"),
    ("x-amz-checksum-crc32", "AAAAAA=="),
    ("x-amz-trailer", "x-amz-checksum-crc32"),
    ("x-amz-decoded-content-length", "5"),
    ("x-amz-expected-bucket-owner", "111122223333"),
    ("x-amz-request-payer", "requester"),
    ("x-amz-write-offset-bytes", "0"),
    ("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="),
];

fn with(mut request: Signed, name: &'static str, value: &'static str) -> Signed {
    let name = HeaderName::from_static(name);
    request
        .headers
        .insert(name, HeaderValue::from_static(value));
    request
}

/// Sends requests signed by `sign`, each with one header added afterwards.
async fn refuse_each(sign: impl Fn(&Gate, Draft) -> Signed) {
    let gate = Gate::open().await;
    for &(name, value) in ACTING {
        for draft in [
            Draft::new(Method::PUT, BUCKET, "key").body("hello"),
            Draft::new(Method::GET, BUCKET, "key"),
            Draft::new(Method::DELETE, BUCKET, "key"),
            Draft::new(Method::PUT, BUCKET, "key")
                .query("tagging", "")
                .body("<a/>"),
        ] {
            let request = with(sign(&gate, draft), name, value);
            let body = gate.refuses(&request, "AccessDenied", 403).await;
            let expected = format!("<HeadersNotSigned>{name}</HeadersNotSigned>");
            assert!(body.contains(&expected), "{body}");
        }
    }
}

#[tokio::test]
async fn an_unsigned_header_added_to_a_presigned_url_is_refused() {
    refuse_each(Gate::presign).await;
}

#[tokio::test]
async fn an_unsigned_header_added_to_a_signed_request_is_refused() {
    refuse_each(Gate::sign).await;
}

#[tokio::test]
async fn all_unsigned_headers_are_named() {
    let gate = Gate::open().await;
    let request = gate.presign(Draft::new(Method::GET, BUCKET, "key"));
    let request = with(request, "x-amz-meta-b", "1");
    let request = with(request, "x-amz-acl", "private");
    let body = gate.refuses(&request, "AccessDenied", 403).await;
    let named = "<HeadersNotSigned>x-amz-acl, x-amz-meta-b</HeadersNotSigned>";
    assert!(body.contains(named), "{body}");
}

#[tokio::test]
async fn a_signature_that_leaves_out_the_host_is_refused() {
    let gate = Gate::open().await;
    let mut request = gate.sign(Draft::new(Method::GET, BUCKET, "key"));
    let header = request.headers["authorization"].to_str().unwrap();
    let without = header.replace("SignedHeaders=host;", "SignedHeaders=");
    assert_ne!(header, without);
    request
        .headers
        .insert("authorization", without.parse().unwrap());
    gate.refuses(&request, "AccessDenied", 403).await;
}

#[tokio::test]
async fn signed_headers_of_a_presigned_url_are_let_in_and_cannot_be_changed() {
    let gate = Gate::open().await;
    let request = gate.presign(put("key", "hello").header("x-amz-meta-a", "b"));
    let changed = with(request.clone(), "x-amz-meta-a", "c");
    gate.refuses(&changed, "SignatureDoesNotMatch", 403).await;
    let mut missing = request.clone();
    missing.headers.remove("x-amz-meta-a");
    gate.refuses(&missing, "SignatureDoesNotMatch", 403).await;
    gate.accepts(&request).await;
    assert_eq!(gate.backend.keys(BUCKET), ["key"]);
}

#[tokio::test]
async fn headers_in_the_query_of_a_presigned_url_count_as_headers() {
    let gate = Gate::open().await;
    let draft = Draft::new(Method::PUT, BUCKET, "key").body("hello");
    let copy = gate.presign(draft.clone().query("x-amz-write-offset-bytes", "0"));
    gate.refuses(&copy, "NotImplemented", 501).await;
    let key = draft
        .clone()
        .query("x-amz-server-side-encryption-customer-key", "a2V5");
    gate.refuses(&gate.presign(key), "InvalidArgument", 400)
        .await;
    let twice = draft
        .header("x-amz-acl", "private")
        .query("x-amz-acl", "public-read");
    gate.refuses(&gate.presign(twice), "InvalidArgument", 400)
        .await;
}

#[tokio::test]
async fn a_signed_header_sent_twice_is_refused() {
    let gate = Gate::open().await;
    let mut request = gate.sign(put("key", "hello").header("x-amz-acl", "private"));
    request
        .headers
        .append("x-amz-acl", HeaderValue::from_static("public-read"));
    gate.refuses(&request, "InvalidArgument", 400).await;
    let twice = put("key", "hello")
        .header("x-amz-acl", "private")
        .header("x-amz-acl", "private");
    gate.refuses(&gate.sign(twice), "InvalidArgument", 400)
        .await;
}
