//! Bodies that are not what was signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderValue;
use http::Method;
use proto::sigv4;
use tests::signed::Cover;
use tests::signed::Draft;

use crate::gate::BUCKET;
use crate::gate::Gate;
use crate::gate::put;

/// Above what a gateway holds in memory, so that the backend is called before the end is seen.
const LARGE: usize = 1 << 20;

#[tokio::test]
async fn a_body_of_another_hash_is_not_committed() {
    let gate = Gate::open().await;
    for length in [5, LARGE] {
        let mut request = gate.sign(put("key", vec![b'x'; length]));
        request.body = Bytes::from(vec![b'y'; length]);
        gate.refuses_body(&request, "XAmzContentSHA256Mismatch", 400)
            .await;
    }
    for operation in ["tagging", "acl"] {
        let draft = Draft::new(Method::PUT, BUCKET, "key")
            .query(operation, "")
            .body("<a/>");
        let mut request = gate.sign(draft);
        request.body = Bytes::from_static(b"<b/>");
        let response = gate.send(&request).await;
        tests::expect::expect_s3_error(&response, "XAmzContentSHA256Mismatch", 400);
        let seen = gate.backend_requests();
        assert!(
            seen.iter().all(|request| !request.whole),
            "a whole request arrived"
        );
    }
    gate.expect_nothing_stored();
}

#[tokio::test]
async fn a_body_under_the_hash_of_nothing_is_not_committed() {
    let gate = Gate::open().await;
    let mut request = gate.sign(put("key", ""));
    request.body = Bytes::from_static(b"hello");
    gate.refuses_body(&request, "XAmzContentSHA256Mismatch", 400)
        .await;

    let mut emptied = gate.sign(put("key", "hello"));
    emptied.body = Bytes::new();
    gate.refuses(&emptied, "XAmzContentSHA256Mismatch", 400)
        .await;
}

#[tokio::test]
async fn a_hash_in_another_form_is_refused() {
    let gate = Gate::open().await;
    let whole = gate.sign(put("key", "hello"));
    let digest = hex::decode(sigv4::sha256_hex(b"hello")).unwrap();
    for value in [
        STANDARD.encode(digest),
        sigv4::sha256_hex(b"hello")[..63].to_owned(),
        "unsigned-payload".to_owned(),
        "UNSIGNED".to_owned(),
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD ,x".to_owned(),
        String::new(),
    ] {
        let mut request = whole.clone();
        request
            .headers
            .insert("x-amz-content-sha256", value.parse().unwrap());
        gate.refuses(&request, "InvalidArgument", 400).await;
    }
    let mut without = whole;
    without.headers.remove("x-amz-content-sha256");
    gate.refuses(&without, "InvalidRequest", 400).await;
}

#[tokio::test]
async fn the_covering_cannot_be_taken_off_a_signed_request() {
    let gate = Gate::open().await;
    for mode in ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"] {
        let mut request = gate.sign(put("key", "hello"));
        request
            .headers
            .insert("x-amz-content-sha256", HeaderValue::from_static(mode));
        gate.refuses(&request, "SignatureDoesNotMatch", 403).await;
    }
}

#[tokio::test]
async fn a_presigned_body_is_held_to_the_hash_that_comes_with_it() {
    let gate = Gate::open().await;
    let mut request = gate.presign(put("key", "hello"));
    let other = sigv4::sha256_hex(b"hallo");
    request
        .headers
        .insert("x-amz-content-sha256", other.parse().unwrap());
    gate.refuses_body(&request, "XAmzContentSHA256Mismatch", 400)
        .await;

    let own = sigv4::sha256_hex(b"hello");
    request
        .headers
        .insert("x-amz-content-sha256", own.parse().unwrap());
    gate.accepts(&request).await;
}

#[tokio::test]
async fn an_unsigned_payload_is_let_in_when_the_signature_says_so() {
    let gate = Gate::open().await;
    gate.accepts(&gate.sign(put("key", "hello").cover(Cover::Unsigned)))
        .await;
}

#[tokio::test]
async fn chunked_payloads_are_for_the_bytes_of_objects_only() {
    let gate = Gate::open().await;
    let trailers = vec![("x-amz-checksum-crc32".to_owned(), "NhCmhg==".to_owned())];
    for cover in [
        Cover::SignedChunks(8192, Vec::new()),
        Cover::SignedChunks(8192, trailers.clone()),
        Cover::UnsignedChunks(8192, trailers.clone()),
    ] {
        for draft in [
            Draft::new(Method::PUT, BUCKET, "key").query("tagging", ""),
            Draft::new(Method::POST, BUCKET, "").query("delete", ""),
            Draft::new(Method::PUT, BUCKET, "").query("encryption", ""),
            Draft::new(Method::PUT, "other-bucket", ""),
            Draft::new(Method::GET, BUCKET, "key"),
            Draft::new(Method::DELETE, BUCKET, "key"),
            Draft::new(Method::PUT, BUCKET, "key").header("x-amz-copy-source", "/bucket/other"),
        ] {
            let request = gate.sign(draft.body("<a/>").cover(cover.clone()));
            gate.refuses(&request, "NotImplemented", 501).await;
        }
    }
}

#[tokio::test]
async fn a_presigned_url_does_not_take_a_chunked_payload() {
    let gate = Gate::open().await;
    for mode in [
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    ] {
        let mut request = gate.presign(put("key", "5\r\nhello\r\n0\r\n\r\n"));
        request
            .headers
            .insert("x-amz-content-sha256", HeaderValue::from_static(mode));
        gate.refuses(&request, "NotImplemented", 501).await;
    }
}
