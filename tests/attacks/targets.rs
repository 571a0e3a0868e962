//! One reading of path, query and host, for the signature and for the backend.

use http::HeaderValue;
use http::Method;
use proto::sigv4;
use tests::signed::Draft;

use crate::gate::BUCKET;
use crate::gate::Gate;
use crate::gate::put;

/// The path of the request that the backend received for a request that passes through.
async fn backend_path(gate: &Gate, path: &str) -> String {
    gate.backend.forget();
    let request = gate.sign(Draft::raw(Method::GET, path).query("tagging", ""));
    gate.send(&request).await;
    let requests = gate.backend_requests();
    assert_eq!(requests.len(), 1, "{path}");
    requests[0].path.clone()
}

#[tokio::test]
async fn the_backend_is_asked_for_the_key_that_was_verified() {
    let gate = Gate::open().await;
    for key in [
        "a",
        "a/b",
        "/a",
        "a//b",
        "a/",
        "//",
        ".",
        "a/..",
        "b/../a",
        "./a/../b",
        "%2e%2e",
        "a%2Fb",
        "a+b",
        "a b",
        "a*b~c",
        "é",
        "e\u{301}",
        "日本",
        "a?b#c;d",
        "a&b=c",
        "\\",
        "a\tb",
        "a\nb",
        "'\"<>",
        "?versionId=1",
        ".sealgate",
    ] {
        let encoded = sigv4::encode_path(key.as_bytes());
        let path = format!("/{BUCKET}/{encoded}");
        assert_eq!(backend_path(&gate, &path).await, path, "{key:?}");
    }
}

#[tokio::test]
async fn other_spellings_of_a_path_are_the_same_key() {
    let gate = Gate::open().await;
    for (sent, canonical) in [
        ("/bucket/a%2fb", "/bucket/a/b"),
        ("/bucket/%61", "/bucket/a"),
        ("/bucket/a+b", "/bucket/a%2Bb"),
        ("/bucket/%c3%a9", "/bucket/%C3%A9"),
        ("/bucket/a*b", "/bucket/a%2Ab"),
        ("/bucket/%7E", "/bucket/~"),
        ("/bucket%2Fa", "/bucket/a"),
    ] {
        assert_eq!(backend_path(&gate, sent).await, canonical, "{sent}");
    }
}

#[tokio::test]
async fn a_path_changed_after_signing_is_refused() {
    let gate = Gate::open().await;
    for (signed, sent) in [
        ("/bucket/a%252Fb", "/bucket/a%2Fb"),
        ("/bucket/a%20b", "/bucket/a+b"),
        ("/bucket/a", "/bucket/./a"),
        ("/bucket/a", "/bucket//a"),
        ("/bucket/b/../a", "/bucket/a"),
        ("/bucket/a/", "/bucket/a"),
        ("/bucket/a", "/bucket/A"),
        ("/bucket/%C3%A9", "/bucket/e%CC%81"),
    ] {
        let mut request = gate.sign(Draft::raw(Method::GET, signed));
        request.path = sent.to_owned();
        gate.refuses(&request, "SignatureDoesNotMatch", 403).await;
    }
}

#[tokio::test]
async fn a_query_changed_after_signing_is_refused() {
    let gate = Gate::open().await;
    for (name, value, sent) in [
        ("prefix", "a+b", "prefix=a+b"),
        ("prefix", "a", "prefix=a&delimiter=b"),
        ("prefix", "a", "prefix=A"),
        ("prefix", "a", ""),
        ("acl", "", "policy="),
    ] {
        let mut request = gate.sign(Draft::new(Method::GET, BUCKET, "").query(name, value));
        request.query = sent.to_owned();
        gate.refuses(&request, "SignatureDoesNotMatch", 403).await;
    }
}

#[tokio::test]
async fn headers_are_signed_as_they_are_read() {
    let gate = Gate::open().await;
    let draft = || Draft::new(Method::GET, BUCKET, "key").query("tagging", "");
    for value in ["a", "a b", "a  b", "  a", "a\t b  ", "a,b", "\"a  b\""] {
        let request = gate.sign(draft().header("x-amz-meta-a", value));
        let response = gate.send(&request).await;
        assert_ne!(response.status().as_u16(), 403, "{value:?}");
    }
    let twice = gate.sign(
        draft()
            .header("x-amz-meta-a", "1")
            .header("x-amz-meta-a", "2"),
    );
    assert_ne!(gate.send(&twice).await.status().as_u16(), 403);

    gate.backend.forget();
    let mut joined = twice.clone();
    joined.headers.remove("x-amz-meta-a");
    joined
        .headers
        .append("x-amz-meta-a", HeaderValue::from_static("2"));
    joined
        .headers
        .append("x-amz-meta-a", HeaderValue::from_static("1"));
    gate.refuses(&joined, "SignatureDoesNotMatch", 403).await;
}

#[tokio::test]
async fn the_host_is_signed_as_it_is_sent() {
    let gate = Gate::open().await;
    let sign = |host: &str| {
        let draft = Draft::new(Method::GET, BUCKET, "key").query("tagging", "");
        draft.sign(&gate.access, gate.now(), host)
    };
    for host in [
        "s3.localhost",
        "S3.LocalHost:9070",
        "127.0.0.1",
        "anything.example",
    ] {
        let response = gate.send(&sign(host)).await;
        assert_ne!(response.status().as_u16(), 403, "{host}");
    }
    gate.backend.forget();
    let mut request = sign("s3.localhost");
    for host in ["s3.localhost:80", "bucket.s3.localhost", "localhost"] {
        request.headers.insert("host", host.parse().unwrap());
        gate.refuses(&request, "SignatureDoesNotMatch", 403).await;
    }
}

#[tokio::test]
async fn forwarded_headers_of_a_client_change_nothing() {
    let gate = Gate::with(|_| ()).await;
    let forwarded = [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "other.example"),
        ("x-forwarded-port", "443"),
        ("x-forwarded-for", "10.0.0.1"),
        ("forwarded", "for=10.0.0.1;proto=https;host=other.example"),
        ("x-real-ip", "10.0.0.1"),
    ];
    // A customer's key over plain HTTP stays one, whatever the client says of itself.
    let mut request = gate.sign(put("key", "hello"));
    for (name, value) in forwarded {
        request
            .headers
            .insert(name, HeaderValue::from_static(value));
    }
    gate.refuses(&request, "InvalidRequest", 400).await;

    let mut request = gate.sign(Draft::new(Method::GET, BUCKET, "key"));
    let host = request.headers["host"].clone();
    request.headers.insert("x-forwarded-host", host);
    request
        .headers
        .insert("host", HeaderValue::from_static("other.example"));
    gate.refuses(&request, "SignatureDoesNotMatch", 403).await;
}

#[tokio::test]
async fn a_listed_proxy_is_believed_about_its_client() {
    let gate = Gate::with(|config| {
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let mut request = gate.sign(put("key", "hello"));
    gate.refuses(&request, "InvalidRequest", 400).await;
    request
        .headers
        .insert("x-forwarded-proto", HeaderValue::from_static("https"));
    gate.accepts(&request).await;
}

#[tokio::test]
async fn a_signature_is_good_for_its_own_request_only() {
    let gate = Gate::open().await;
    gate.backend.create_bucket("other-bucket");
    for presigned in [false, true] {
        let draft = put("key", "hello");
        let request = if presigned {
            gate.presign(draft)
        } else {
            gate.sign(draft)
        };
        for method in [Method::GET, Method::DELETE, Method::POST] {
            let mut replayed = request.clone();
            replayed.method = method;
            gate.refuses(&replayed, "SignatureDoesNotMatch", 403).await;
        }
        for path in ["/other-bucket/key", "/bucket/other", "/bucket", "/"] {
            let mut replayed = request.clone();
            replayed.path = path.to_owned();
            gate.refuses(&replayed, "SignatureDoesNotMatch", 403).await;
        }
        let mut replayed = request.clone();
        replayed.query = format!("{}&acl=", replayed.query)
            .trim_start_matches('&')
            .to_owned();
        gate.refuses(&replayed, "SignatureDoesNotMatch", 403).await;
        let mut replayed = request;
        replayed
            .headers
            .insert("host", HeaderValue::from_static("other-bucket.localhost"));
        gate.refuses(&replayed, "SignatureDoesNotMatch", 403).await;
    }
}

#[tokio::test]
async fn the_same_request_may_come_again_as_s3_allows() {
    let gate = Gate::open().await;
    let request = gate.sign(put("key", "hello"));
    gate.accepts(&request).await;
    gate.accepts(&request).await;
    assert_eq!(gate.backend.keys(BUCKET), ["key"]);
}
