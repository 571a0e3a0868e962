//! Clients that hold on to what they got, and the end of a gateway with requests in flight.

use std::net::SocketAddr;
use std::time::Duration;

use http::Method;
use tests::signed::Draft;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::framing::talk_to;
use crate::gate::BUCKET;
use crate::gate::Gate;
use crate::gate::put;
use crate::gate::put_as;

/// Longer than anything here should take.
const SOON: Duration = Duration::from_secs(4);

/// Waits until so many requests are being answered.
async fn in_flight(gate: &Gate, count: usize) {
    let reached = async {
        while gate.running.requests_in_flight() != count {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, reached).await.unwrap();
}

async fn admin(address: SocketAddr, path: &str) -> String {
    admin_under(address, "localhost", path).await
}

async fn admin_under(address: SocketAddr, host: &str, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    talk_to(address, request.as_bytes()).await
}

#[tokio::test]
async fn a_connection_that_lies_idle_is_closed() {
    let gate = Gate::with(|config| config.limits.idle_timeout_ms = 100).await;
    let mut silent = TcpStream::connect(gate.target.address).await.unwrap();
    let mut rest = Vec::new();
    timeout(SOON, silent.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert!(rest.is_empty());

    let mut kept = TcpStream::connect(gate.target.address).await.unwrap();
    kept.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    timeout(SOON, kept.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert!(rest.starts_with(b"HTTP/1.1 403"));
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answer_is_cut_off() {
    let gate = Gate::with(|config| {
        config.objects.allow_insecure_sse = true;
        config.limits.write_stall_timeout_ms = 100;
    })
    .await;
    gate.accepts(&gate.sign(put("key", vec![b'x'; 32 << 20])))
        .await;
    let read = put_as(Method::GET, "key", "");
    let mut stalled = TcpStream::connect(gate.target.address).await.unwrap();
    stalled
        .write_all(&gate.sign(read).to_bytes())
        .await
        .unwrap();
    in_flight(&gate, 1).await;
    in_flight(&gate, 0).await;
}

#[tokio::test]
async fn a_client_that_goes_away_is_noticed_and_nothing_is_committed() {
    let gate = Gate::open().await;
    let bytes = gate.sign(put("key", vec![b'x'; 1 << 20])).to_bytes();
    let mut stream = TcpStream::connect(gate.target.address).await.unwrap();
    stream.write_all(&bytes[..bytes.len() - 1]).await.unwrap();
    in_flight(&gate, 1).await;
    drop(stream);
    in_flight(&gate, 0).await;
    gate.expect_nothing_stored();
}

#[tokio::test]
async fn connections_above_the_limit_wait_for_their_turn() {
    let gate = Gate::with(|config| config.limits.connections_max = 1).await;
    let mut first = TcpStream::connect(gate.target.address).await.unwrap();
    first
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 12];
    first.read_exact(&mut answer).await.unwrap();
    let mut second = TcpStream::connect(gate.target.address).await.unwrap();
    second
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let early = timeout(Duration::from_millis(200), second.read_exact(&mut answer)).await;
    assert!(
        early.is_err(),
        "the second connection was served beside the first"
    );
    drop(first);
    timeout(SOON, second.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 403");
}

#[tokio::test]
async fn a_stopping_gateway_says_so_and_finishes_what_it_began() {
    let gate = Gate::with(|config| {
        config.objects.allow_insecure_sse = true;
        config.limits.drain_delay_ms = 300;
    })
    .await;
    let admin_address = gate.running.admin_addr.unwrap();
    assert!(
        admin(admin_address, "/livez")
            .await
            .starts_with("HTTP/1.1 200")
    );
    // This gateway has no KMS, so it is not ready before either, but for another reason.
    let before = admin(admin_address, "/readyz").await;
    assert!(!before.contains("stopping"), "{before}");

    let bytes = gate.sign(put("key", vec![b'x'; 1000])).to_bytes();
    let (start, rest) = bytes.split_at(bytes.len() - 10);
    let mut stream = TcpStream::connect(gate.target.address).await.unwrap();
    stream.write_all(start).await.unwrap();
    in_flight(&gate, 1).await;

    let Gate {
        running,
        backend,
        target,
        ..
    } = gate;
    let stopped = tokio::spawn(running.stop());
    let says_so = async { while !admin(admin_address, "/readyz").await.contains("stopping") {} };
    timeout(SOON, says_so).await.unwrap();
    let closes = async { while TcpStream::connect(target.address).await.is_ok() {} };
    timeout(SOON, closes).await.unwrap();

    stream.write_all(rest).await.unwrap();
    let mut answer = Vec::new();
    timeout(SOON, stream.read_to_end(&mut answer))
        .await
        .unwrap()
        .unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.to_lowercase().contains("connection: close"),
        "{answer}"
    );
    timeout(SOON, stopped).await.unwrap().unwrap();
    assert_eq!(backend.keys(BUCKET), ["key"]);
}

#[tokio::test]
async fn requests_that_do_not_finish_are_given_up_at_the_end() {
    let gate = Gate::with(|config| {
        config.objects.allow_insecure_sse = true;
        config.limits.drain_timeout_ms = 100;
    })
    .await;
    let bytes = gate.sign(put("key", vec![b'x'; 1000])).to_bytes();
    let mut stream = TcpStream::connect(gate.target.address).await.unwrap();
    stream.write_all(&bytes[..bytes.len() - 10]).await.unwrap();
    in_flight(&gate, 1).await;
    let Gate {
        running, backend, ..
    } = gate;
    timeout(SOON, running.stop()).await.unwrap();
    let mut answer = Vec::new();
    timeout(SOON, stream.read_to_end(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(answer.is_empty());
    assert_eq!(backend.keys(BUCKET), Vec::<String>::new());
}

#[tokio::test]
async fn a_gateway_whose_backend_is_gone_is_alive_and_not_ready() {
    let gate = Gate::with(|config| config.backend.url = "http://127.0.0.1:9".to_owned()).await;
    let address = gate.running.admin_addr.unwrap();
    assert!(admin(address, "/livez").await.starts_with("HTTP/1.1 200"));
    assert!(admin(address, "/readyz").await.starts_with("HTTP/1.1 503"));
    for path in [
        "/",
        "/livez/",
        "/livez?a",
        "//livez",
        "/bucket/key",
        "/metricsx",
    ] {
        let answer = admin(address, path).await;
        let expected = if path == "/livez?a" {
            "HTTP/1.1 200"
        } else {
            "HTTP/1.1 404"
        };
        assert!(answer.starts_with(expected), "{path}: {answer}");
    }
}

#[tokio::test]
async fn the_admin_port_on_loopback_answers_only_to_its_own_names() {
    let gate = Gate::with(|config| config.listen.admin_hosts = vec!["Admin.test".into()]).await;
    let address = gate.running.admin_addr.unwrap();
    for (host, status) in [
        ("localhost:9090", "200"),
        ("127.0.0.1", "200"),
        ("admin.test", "200"),
        ("evil.example", "421"),
        ("evil.example\r\nhost: localhost", "400"),
        ("localhost\r\nhost: evil.example", "400"),
    ] {
        for path in ["/livez", "/metrics"] {
            let answer = admin_under(address, host, path).await;
            let begin = format!("HTTP/1.1 {status}");
            let other = path == "/metrics" && status == "200";
            assert!(
                other || answer.starts_with(&begin),
                "{host} {path}: {answer}"
            );
        }
    }
}

#[tokio::test]
async fn health_is_not_served_where_clients_are() {
    let gate = Gate::open().await;
    for path in ["/livez", "/readyz", "/metrics"] {
        let request = Draft::raw(Method::GET, path).anonymous(&gate.host);
        gate.refuses(&request, "AccessDenied", 403).await;
    }
}

#[tokio::test]
async fn every_answer_has_a_request_id_of_its_own() {
    let gate = Gate::open().await;
    let mut seen = std::collections::HashSet::new();
    for draft in [
        put("key", "hello"),
        Draft::new(Method::GET, BUCKET, "").query("location", ""),
        Draft::new(Method::HEAD, BUCKET, "missing"),
        Draft::new(Method::GET, BUCKET, "missing"),
        Draft::raw(Method::GET, "/%ff"),
        Draft::new(Method::OPTIONS, BUCKET, "key"),
    ] {
        let response = gate.send(&gate.sign(draft)).await;
        let id = response.headers()["x-amz-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(response.headers().contains_key("x-amz-id-2"));
        assert!(seen.insert(id), "an id was given twice");
    }
}
