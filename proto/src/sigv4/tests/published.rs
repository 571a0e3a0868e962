//! The examples AWS published, with their signatures.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>.

use std::time::Duration;

use crate::sigv4::CanonicalRequest;
use crate::sigv4::CredentialScope;
use crate::sigv4::Credentials;
use crate::sigv4::EMPTY_SHA256;
use crate::sigv4::OutboundRequest;
use crate::sigv4::PathEncoding;
use crate::sigv4::SignedHeaders;
use crate::sigv4::SigningKey;
use crate::sigv4::canonical_trailers;
use crate::sigv4::chunk_string_to_sign;
use crate::sigv4::presign_request;
use crate::sigv4::sha256_hex;
use crate::sigv4::sign_request;
use crate::sigv4::string_to_sign;
use crate::sigv4::trailer_string_to_sign;
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_369_353_600);
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const HOST: &str = "examplebucket.s3.amazonaws.com";

fn scope() -> CredentialScope {
    CredentialScope::new(NOW, "us-east-1", "s3")
}

fn key() -> SigningKey {
    SigningKey::derive(SECRET, &scope())
}

fn credentials() -> Credentials {
    Credentials::new("AKIAIOSFODNN7EXAMPLE", SECRET)
}

fn authorization(request: &OutboundRequest<'_>) -> String {
    let added = sign_request(request, &credentials(), "us-east-1", "s3", NOW);
    added
        .into_iter()
        .find(|(name, _)| *name == "authorization")
        .unwrap()
        .1
}

fn get<'a>(path: &'a str, query: &'a [(&'a str, &'a str)]) -> OutboundRequest<'a> {
    let (method, host, payload_hash) = ("GET", HOST, EMPTY_SHA256);
    OutboundRequest {
        method,
        host,
        path,
        query,
        headers: &[],
        payload_hash,
    }
}

#[test]
fn get_object() {
    let headers: [(&str, &[u8]); 1] = [("Range", b"bytes=0-9")];
    assert_eq!(
        authorization(&OutboundRequest {
            headers: &headers,
            ..get("/test.txt", &[])
        }),
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
         SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, \
         Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    );
}

#[test]
fn put_object() {
    let payload_hash = sha256_hex(b"Welcome to Amazon S3.");
    assert_eq!(
        payload_hash,
        "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
    );
    let headers: [(&str, &[u8]); 2] = [
        ("date", b"Fri, 24 May 2013 00:00:00 GMT"),
        ("x-amz-storage-class", b"REDUCED_REDUNDANCY"),
    ];
    let request = OutboundRequest {
        method: "PUT",
        headers: &headers,
        payload_hash: &payload_hash,
        ..get("/test%24file.text", &[])
    };
    assert_eq!(
        authorization(&request),
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
         SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, \
         Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    );
    // The same key, sent with its dollar sign bare, is the same canonical path.
    let bare = OutboundRequest {
        path: "/test$file.text",
        ..request
    };
    assert_eq!(authorization(&bare), authorization(&request));
}

#[test]
fn get_bucket_lifecycle() {
    let signature = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543";
    assert!(authorization(&get("/", &[("lifecycle", "")])).ends_with(signature));
}

#[test]
fn list_objects() {
    let signature = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
    let query = [("prefix", "J"), ("max-keys", "2")];
    assert!(authorization(&get("/", &query)).ends_with(signature));
}

#[test]
fn presigned_get_object() {
    let request = OutboundRequest {
        payload_hash: "UNSIGNED-PAYLOAD",
        ..get("/test.txt", &[])
    };
    let day = Duration::from_secs(86_400);
    assert_eq!(
        presign_request(&request, &credentials(), "us-east-1", "s3", NOW, day),
        "X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
         &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
}

/// The upload of 65 KiB in chunks, with these headers besides the host and the date.
fn seed(headers: &[(&str, &str)], payload_hash: &str) -> String {
    let mut all: Vec<(&str, &[u8])> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    all.push(("host", b"s3.amazonaws.com"));
    all.push(("x-amz-date", b"20130524T000000Z"));
    all.push(("x-amz-content-sha256", payload_hash.as_bytes()));
    let signed_headers = SignedHeaders::from_names(all.iter().map(|(name, _)| *name));
    let canonical = CanonicalRequest {
        method: "PUT",
        path: "/examplebucket/chunkObject.txt",
        path_encoding: PathEncoding::Once,
        query: &[],
        headers: &all,
        signed_headers: &signed_headers,
        payload_hash,
    };
    key().sign(&string_to_sign(NOW, &scope(), &canonical.sha256_hex()))
}

fn chunk(previous: &str, data: &[u8]) -> String {
    key().sign(&chunk_string_to_sign(
        NOW,
        &scope(),
        previous,
        &sha256_hex(data),
    ))
}

#[test]
fn upload_in_signed_chunks() {
    let seed = seed(
        &[
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ("content-encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", "66560"),
            ("content-length", "66824"),
        ],
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    );
    assert_eq!(
        seed,
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    );
    let first = chunk(&seed, &[b'a'; 65_536]);
    assert_eq!(
        first,
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"
    );
    let second = chunk(&first, &[b'a'; 1_024]);
    assert_eq!(
        second,
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"
    );
    let last = chunk(&second, b"");
    assert_eq!(
        last,
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"
    );
}

#[test]
fn upload_in_signed_chunks_with_a_trailer() {
    let seed = seed(
        &[
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ("content-encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", "66560"),
            ("x-amz-trailer", "x-amz-checksum-crc32c"),
        ],
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    );
    assert_eq!(
        seed,
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
    );
    let first = chunk(&seed, &[b'a'; 65_536]);
    assert_eq!(
        first,
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"
    );
    let second = chunk(&first, &[b'a'; 1_024]);
    assert_eq!(
        second,
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"
    );
    let last = chunk(&second, b"");
    assert_eq!(
        last,
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"
    );

    let trailers = canonical_trailers(&[("x-amz-checksum-crc32c", "sOO8/Q==")]);
    let text = trailer_string_to_sign(NOW, &scope(), &last, &sha256_hex(trailers.as_bytes()));
    assert_eq!(
        key().sign(&text),
        "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
    );
}
