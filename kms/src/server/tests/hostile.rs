//! What must not get in: in either protocol, past the tokens, or from a web page.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;
use http::StatusCode;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::error;
use super::json_request;
use super::send;
use super::serve;
use super::signed_request;
use crate::config::Signatures;

#[tokio::test]
async fn no_spelling_of_a_grpc_path_goes_around_the_token() {
    let running = serve(Signatures::Checked).await;
    for path in [
        "/sealgate.kms.v1.KeyManagement/GenerateRandom",
        "//sealgate.kms.v1.KeyManagement/GenerateRandom",
        "/sealgate.kms.v1.KeyManagement//GenerateRandom",
        "/sealgate.kms.v1.KeyManagement/GenerateRandom/",
        "/sealgate.kms.v1.KeyManagement/GenerateRando%6d",
        "/sealgate%2ekms.v1.KeyManagement/GenerateRandom",
        "/SEALGATE.KMS.V1.KEYMANAGEMENT/GenerateRandom",
        "/sealgate.kms.v1.KeyManagement/generaterandom",
        "/x/../sealgate.kms.v1.KeyManagement/GenerateRandom",
        "/grpc.health.v1.Health/../sealgate.kms.v1.KeyManagement/GenerateRandom",
    ] {
        let request = Request::post(format!("http://{}{path}", running.address))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::new(Bytes::from_static(&[0, 0, 0, 0, 2, 8, 16])))
            .unwrap();
        let answer = send(request).await;
        let status = answer.headers()["grpc-status"].to_str().unwrap();
        assert!(matches!(status, "12" | "16"), "{path}: {status}");
    }
}

#[tokio::test]
async fn what_is_signed_for_json_is_worth_nothing_over_grpc() {
    let running = serve(Signatures::Checked).await;
    let mut request = signed_request(
        running.address,
        "kms",
        "application/grpc",
        &[("x-amz-target", b"TrentService.GenerateRandom")],
        "\0\0\0\0\u{2}\u{8}\u{10}",
    );
    let path = "/sealgate.kms.v1.KeyManagement/GenerateRandom";
    *request.uri_mut() = format!("http://{}{path}", running.address).parse().unwrap();
    let answer = send(request).await;
    assert_eq!(answer.headers()["grpc-status"], "16");
}

#[tokio::test]
async fn malformed_requests_are_errors_and_the_server_goes_on() {
    let running = serve(Signatures::Accepted).await;
    let address = running.address;
    let target = "TrentService.GenerateRandom";
    let deep = format!(
        "{}{}",
        r#"{"X":"#.repeat(10_000),
        "1".to_owned() + &"}".repeat(10_000)
    );
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\"x\"",
        "{\"NumberOfBytes\":\"x\"}",
        "\u{feff}{}",
        &deep,
    ] {
        let answer = send(json_request(address, target, body.to_owned())).await;
        let (status, kind, _) = error(&answer);
        assert_eq!(status, 400, "{:.40}", body);
        assert!(
            matches!(&*kind, "SerializationException" | "ValidationException"),
            "{kind}"
        );
    }

    let large = send(json_request(address, target, vec![b' '; (4 << 20) + 1])).await;
    assert_eq!(error(&large).1, "RequestEntityTooLargeException");

    for message in [
        &[0, 0, 0, 0, 9, 1][..],
        &[0, 0, 0, 0, 2, 0xff, 0xff],
        &[9],
        &[1, 0, 0, 0, 1, 0],
    ] {
        let request = Request::post(format!(
            "http://{address}/sealgate.kms.v1.KeyManagement/GenerateRandom"
        ))
        .header("content-type", "application/grpc")
        .body(Full::new(Bytes::from_static(message)))
        .unwrap();
        assert_ne!(send(request).await.headers()["grpc-status"], "0");
    }

    let answer = send(json_request(address, target, r#"{"NumberOfBytes":4}"#)).await;
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_claims_to_be_grpc_and_is_not_is_refused_by_http() {
    let running = serve(Signatures::Accepted).await;
    let path = "/sealgate.kms.v1.KeyManagement/GenerateRandom";
    let url = format!("http://{}{path}", running.address);
    let connect = |is_http2: bool| {
        let mut builder = Client::builder(TokioExecutor::new());
        builder.http2_only(is_http2).build_http::<Full<Bytes>>()
    };
    let (one, two) = (connect(false), connect(true));
    for (client, method, kind, expected) in [
        (&one, "POST", "application/grpc", 505),
        (&two, "GET", "application/grpc", 405),
        (&two, "PUT", "application/grpc+proto", 405),
        (&two, "POST", "application/grpc+json", 415),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(&url)
            .header("content-type", kind)
            .body(Full::new(Bytes::from_static(&[0; 5])))
            .unwrap();
        let answer = client.request(request).await.unwrap();
        assert_eq!(answer.status(), expected, "{method} {kind}");
        assert!(
            !answer.headers().contains_key("grpc-status"),
            "{method} {kind}"
        );
    }
    // gRPC-Web is another protocol, for which nothing is here.
    let request = Request::post(&url).header("content-type", "application/grpc-web");
    let request = request
        .body(Full::new(Bytes::from_static(&[0; 5])))
        .unwrap();
    let answer = two.request(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_web_page_reaches_neither_protocols_nor_controls() {
    let running = serve(Signatures::Accepted).await;
    let mut rebound = json_request(running.address, "TrentService.GenerateRandom", "{}");
    rebound
        .headers_mut()
        .insert("host", "evil.example:9080".parse().unwrap());
    assert_eq!(
        send(rebound).await.status(),
        StatusCode::MISDIRECTED_REQUEST
    );

    let preflight = Request::options(format!("http://{}/", running.address))
        .header("origin", "https://evil.example")
        .header("access-control-request-method", "POST")
        .body(Full::default())
        .unwrap();
    let answer = send(preflight).await;
    assert!(!answer.status().is_success());
    assert!(!answer.headers().contains_key("access-control-allow-origin"));

    let admin = |origin: Option<&str>, kind: &str, host: Option<&str>| {
        let mut request = Request::post(format!(
            "http://{}/admin/quotas/restart",
            running.admin_address
        ))
        .header("content-type", kind);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }

        if let Some(host) = host {
            request = request.header("host", host);
        }

        send(request.body(Full::default()).unwrap())
    };
    let json = "application/json";
    assert_eq!(
        admin(Some("https://evil.example"), json, None)
            .await
            .status(),
        403
    );
    assert_eq!(admin(None, "text/plain", None).await.status(), 415);
    assert_eq!(admin(None, json, Some("evil.example")).await.status(), 421);
    assert_eq!(admin(None, json, None).await.status(), 200);
}

/// The status line that a server answers a raw HTTP/1.1 head with.
async fn raw(address: SocketAddr, head: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = head.replace("ADDRESS", &address.to_string());
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_request_that_names_no_host_or_two_is_refused_on_both_ports() {
    let running = serve(Signatures::Accepted).await;
    for address in [running.address, running.admin_address] {
        for head in [
            "GET /livez HTTP/1.1\r\n\r\n",
            "GET http://ADDRESS/livez HTTP/1.1\r\n\r\n",
            "GET /livez HTTP/1.1\r\nhost: ADDRESS\r\nhost: ADDRESS\r\n\r\n",
            "GET /livez HTTP/1.1\r\nhost: ADDRESS\r\nhost: evil.example\r\n\r\n",
            "GET http://evil.example/livez HTTP/1.1\r\nhost: ADDRESS\r\n\r\n",
            "GET /livez HTTP/1.1\r\nhost: \r\n\r\n",
        ] {
            assert_eq!(raw(address, head).await, "HTTP/1.1 400", "{head}");
        }
        let rebound = "GET /metrics HTTP/1.1\r\nhost: evil.example\r\n\r\n";
        assert_eq!(raw(address, rebound).await, "HTTP/1.1 421");
    }
    let head = "GET http://ADDRESS/livez HTTP/1.1\r\nhost: ADDRESS\r\n\r\n";
    assert_eq!(raw(running.admin_address, head).await, "HTTP/1.1 200");
}
