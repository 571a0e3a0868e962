//! Requests that two servers could take for different ones, sent as raw bytes.

use std::net::SocketAddr;
use std::time::Duration;

use http::HeaderValue;
use http::Method;
use tests::signed::Draft;
use tests::signed::Signed;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::gate::BUCKET;
use crate::gate::Gate;
use crate::gate::put;

/// A request that passes through, with a body.
fn tagging(gate: &Gate) -> Signed {
    gate.sign(
        Draft::new(Method::PUT, BUCKET, "key")
            .query("tagging", "")
            .body("<Tagging/>"),
    )
}

/// Sends a head made of the request's and these lines, then `body`; gives the status lines that
/// came back.
async fn exchange(gate: &Gate, request: &Signed, lines: &str, body: &str) -> Vec<String> {
    let mut bare = request.clone();
    bare.body = bytes::Bytes::new();
    let text = String::from_utf8(bare.to_bytes()).unwrap();
    let text = text.replace("content-length: 0\r\n", lines);
    let bytes = [text, body.to_owned()].concat();
    let answer = talk(gate, bytes.as_bytes()).await;
    answer
        .lines()
        .filter(|line| line.starts_with("HTTP/1.1 "))
        .map(str::to_owned)
        .collect()
}

/// Sends bytes on a new connection, leaves it open, and reads until the gateway closes it or falls
/// silent.
pub async fn talk(gate: &Gate, bytes: &[u8]) -> String {
    talk_to(gate.target.address, bytes).await
}

/// [`talk`] with whoever listens at `address`.
pub async fn talk_to(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let silence = Duration::from_millis(500);
    while let Ok(Ok(1..)) = timeout(silence, stream.read_buf(&mut answer)).await {}
    String::from_utf8_lossy(&answer).into_owned()
}

/// A second request, hidden in the body of the first.
const HIDDEN: &str = "DELETE /bucket/victim HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn a_body_framed_twice_is_one_request_at_most() {
    let gate = Gate::open().await;
    for lines in [
        "content-length: 10\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 10\r\n",
        "content-length: 10\r\ncontent-length: 10\r\n",
        "content-length: 10\r\ncontent-length: 11\r\n",
        "content-length: 10, 10\r\n",
        "content-length: +10\r\n",
        "content-length: 0x0a\r\n",
        "content-length: -1\r\n",
        "content-length: 99999999999999999999\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: identity\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding : chunked\r\n",
        "transfer-encoding:\tchunked\r\n x: y\r\n",
        "content-length : 10\r\n",
    ] {
        gate.backend.forget();
        let body = format!("a\r\n<Tagging/>\r\n0\r\n\r\n{HIDDEN}");
        let statuses = exchange(&gate, &tagging(&gate), lines, &body).await;
        let seen = gate.backend_requests();
        let whole: Vec<_> = seen.iter().filter(|request| request.whole).collect();
        assert!(whole.len() <= 1, "{lines:?}: {whole:?}");
        assert!(
            seen.iter().all(|r| r.method != Method::DELETE),
            "{lines:?} {statuses:?}"
        );
        assert!(!statuses.is_empty(), "{lines:?}: no answer");
    }
}

#[tokio::test]
async fn transfer_encodings_other_than_chunked_are_refused() {
    let gate = Gate::open().await;
    for lines in [
        "content-length: 10\r\ncontent-length: 11\r\n",
        "content-length: +10\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: identity\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: xchunked\r\n",
    ] {
        let statuses = exchange(
            &gate,
            &tagging(&gate),
            lines,
            "a\r\n<Tagging/>\r\n0\r\n\r\n",
        )
        .await;
        let refused = statuses.len() == 1 && statuses[0].starts_with("HTTP/1.1 400");
        assert!(refused, "{lines:?}: {statuses:?}");
        assert!(gate.backend_requests().is_empty(), "{lines:?}");
    }
}

#[tokio::test]
async fn trailers_of_the_framing_are_not_headers() {
    let gate = Gate::open().await;
    let hash = Draft::new(Method::PUT, BUCKET, "key").query("tagging", "");
    let request = gate.sign(hash.cover(tests::signed::Cover::Unsigned));
    let body = "a\r\n<Tagging/>\r\n0\r\nx-amz-acl: public-read\r\ncontent-length: 5\r\n\r\n";
    exchange(&gate, &request, "transfer-encoding: chunked\r\n", body).await;
    for seen in gate.backend_requests() {
        assert!(!seen.headers.contains_key("x-amz-acl"));
        assert!(seen.trailers.is_empty());
    }
}

#[tokio::test]
async fn broken_chunks_of_the_framing_are_refused() {
    let gate = Gate::open().await;
    for body in [
        "fffffffffffffffff\r\n<Tagging/>\r\n0\r\n\r\n",
        "-1\r\n<Tagging/>\r\n0\r\n\r\n",
        "a\r\n<Tagging/>0\r\n\r\n",
        "a\n<Tagging/>\r\n0\r\n\r\n",
        "a\r\n<Tagging/>\r\n",
        "g\r\n",
    ] {
        gate.backend.forget();
        let draft = put("key", "<Tagging/>");
        exchange(
            &gate,
            &gate.sign(draft),
            "transfer-encoding: chunked\r\n",
            body,
        )
        .await;
        gate.expect_nothing_stored();
    }
}

#[tokio::test]
async fn what_follows_a_refused_body_is_not_a_request() {
    let gate = Gate::open().await;
    let mut refused = tagging(&gate);
    refused
        .headers
        .insert("x-amz-acl", HeaderValue::from_static("private"));
    // The hidden request stands in the body as far as its length goes, and after it.
    let body = format!("<Tagging/>{HIDDEN}");
    let inside = format!("content-length: {}\r\n", body.len());
    let statuses = exchange(&gate, &refused, &inside, &body).await;
    assert_eq!(statuses.len(), 1, "{statuses:?}");
    assert!(gate.backend_requests().is_empty());
}

#[tokio::test]
async fn a_refused_client_gets_no_100_continue() {
    let gate = Gate::open().await;
    let mut request = put("key", vec![b'x'; 100]).anonymous(&gate.host);
    request
        .headers
        .insert("expect", HeaderValue::from_static("100-continue"));
    let statuses = exchange(&gate, &request, "content-length: 100\r\n", "").await;
    assert_eq!(statuses.len(), 1, "{statuses:?}");
    assert!(statuses[0].starts_with("HTTP/1.1 403"), "{statuses:?}");
}

#[tokio::test]
async fn a_client_that_may_send_its_body_gets_100_continue() {
    let gate = Gate::open().await;
    let mut request = gate.sign(put("key", "hello"));
    request
        .headers
        .insert("expect", HeaderValue::from_static("100-continue"));
    let statuses = exchange(&gate, &request, "content-length: 5\r\n", "hello").await;
    let codes: Vec<_> = statuses.iter().map(|line| &line[9..12]).collect();
    assert_eq!(codes, ["100", "200"]);
}

#[tokio::test]
async fn connections_are_not_upgraded() {
    let gate = Gate::open().await;
    for (name, value) in [
        ("upgrade", "h2c"),
        ("upgrade", "websocket"),
        ("connection", "upgrade"),
    ] {
        let mut request = gate.sign(Draft::new(Method::GET, BUCKET, "key"));
        request
            .headers
            .insert(name, HeaderValue::from_static(value));
        let statuses = exchange(&gate, &request, "", "").await;
        assert!(statuses[0].starts_with("HTTP/1.1 400"), "{statuses:?}");
    }
    for line in [
        "CONNECT bucket:80 HTTP/1.1\r\nhost: a\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let answer = talk(&gate, line.as_bytes()).await;
        assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    }
    assert!(gate.backend_requests().is_empty());
}

#[tokio::test]
async fn signed_headers_cannot_be_named_hop_by_hop() {
    let gate = Gate::open().await;
    let draft = || put("key", "hello").header("content-type", "text/plain");
    for value in [
        "x-amz-server-side-encryption-customer-key",
        "x-amz-meta-a",
        "authorization",
        "host",
        "close, x-amz-date",
        "keep-alive, Host",
        "content-type",
    ] {
        let mut request = gate.sign(draft());
        request.headers.insert("connection", value.parse().unwrap());
        gate.refuses(&request, "InvalidArgument", 400).await;
    }
    let mut request = gate.sign(draft());
    request
        .headers
        .insert("connection", HeaderValue::from_static("close"));
    gate.accepts(&request).await;
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_head_is_cut_off() {
    let gate = Gate::with(|config| config.limits.head_timeout_ms = 200).await;
    let start = std::time::Instant::now();
    let answer = gate
        .target
        .exchange(b"GET / HTTP/1.1\r\nhost: a\r\nx-", false)
        .await
        .unwrap();
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "cut off by the test, not the gateway"
    );
}

#[tokio::test]
async fn requests_above_the_limit_get_slow_down() {
    let gate = Gate::with(|config| {
        config.limits.requests_in_flight_max = 1;
        config.objects.allow_insecure_sse = true;
    })
    .await;
    // A write whose body does not come holds the only place.
    let mut stalled = gate.sign(put("key", vec![b'x'; 1000])).to_bytes();
    stalled.truncate(stalled.len() - 10);
    let target = gate.target.clone();
    let held = tokio::spawn(async move { target.exchange(&stalled, false).await });
    let has_begun = async {
        while gate.running.requests_in_flight() == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(4), has_begun).await.unwrap();
    let request = gate.sign(Draft::new(Method::GET, BUCKET, "").query("location", ""));
    let response = gate.send(&request).await;
    tests::expect::expect_s3_error(&response, "SlowDown", 503);
    assert!(response.headers().contains_key("retry-after"));
    held.abort();
}

#[tokio::test]
async fn heads_above_the_limits_are_refused() {
    let gate = Gate::open().await;
    let long = "v".repeat(17 * 1024);
    let request = gate.sign(put("key", "hello").header("x-amz-meta-a", &long));
    gate.refuses(&request, "RequestHeaderSectionTooLarge", 400)
        .await;
    let query = "p".repeat(9 * 1024);
    let request = gate.sign(Draft::new(Method::GET, BUCKET, "").query("prefix", &query));
    gate.refuses(&request, "InvalidURI", 400).await;

    let mut request = gate.sign(put("key", "hello"));
    for number in 0..620 {
        let name: http::HeaderName = format!("a-{number}").parse().unwrap();
        request.headers.insert(name, HeaderValue::from_static("v"));
    }
    let statuses = exchange(&gate, &request, "", "").await;
    assert!(statuses[0].starts_with("HTTP/1.1 431"), "{statuses:?}");
    assert!(gate.backend_requests().is_empty());
}
