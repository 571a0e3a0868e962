//! What callers may hold before they have proved anything, and what all of them may hold together.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::Request;
use http::StatusCode;
use http_body::Frame;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use http_body_util::StreamBody;
use http_body_util::combinators::BoxBody;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use proto::identity::Secret;
use proto::time::ManualClock;
use tokio::net::TcpStream;

use super::JSON;
use super::grpc;
use super::json_request;
use super::now;
use super::random;
use super::send;
use super::token;
use crate::config::Config;
use crate::config::Credential;
use crate::config::Limits;
use crate::config::Signatures;
use crate::server::Running;
use crate::server::start;

/// A body that may never end.
type Body = BoxBody<Bytes, Infallible>;

const GENERATE_RANDOM: &str = "/sealgate.kms.v1.KeyManagement/GenerateRandom";

async fn serve(signatures: Signatures, limits: Limits) -> Running {
    let mut config = Config::fixture();
    config.authenticate.signatures = signatures;
    config.authenticate.credentials.push(Credential {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: Secret::new("secret"),
        account: "111122223333".parse().unwrap(),
        principal_arn: None,
    });
    config.limits = limits;
    start(config, Arc::new(ManualClock::new(now())))
        .await
        .unwrap()
}

/// An HTTP/2 connection that sends bodies as they come.
async fn connect(running: &Running) -> SendRequest<Body> {
    let stream = TcpStream::connect(running.address).await.unwrap();
    let handshake =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    sender
}

/// A body of `bytes` that never ends.
fn endless(bytes: &'static [u8]) -> Body {
    let first = stream::iter([Ok(Frame::data(Bytes::from_static(bytes)))]);
    let body = futures_util::StreamExt::chain(first, stream::pending());
    StreamBody::new(body).boxed()
}

fn grpc_request(running: &Running, token: Option<&str>, body: Body) -> Request<Body> {
    let mut request = Request::post(format!("http://{}{GENERATE_RANDOM}", running.address))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(body).unwrap()
}

fn endless_json(running: &Running, bytes: &'static [u8]) -> Request<Body> {
    Request::post(format!("http://{}/", running.address))
        .header("content-type", JSON)
        .header("x-amz-target", "TrentService.GenerateRandom")
        .body(endless(bytes))
        .unwrap()
}

/// The code of a gRPC answer whose error stands in its head or in its trailers.
async fn grpc_status(answer: http::Response<hyper::body::Incoming>) -> String {
    let (parts, body) = answer.into_parts();
    let trailers = body.collect().await.unwrap().trailers().cloned();
    let status = parts.headers.get("grpc-status").cloned();
    let status = status.or_else(|| trailers?.get("grpc-status").cloned());
    status.unwrap().to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_caller_without_a_token_is_refused_before_its_message_is_read() {
    let running = serve(Signatures::Checked, Limits::default()).await;
    let mut sender = connect(&running).await;
    for token in [None, Some("guess")] {
        let request = grpc_request(&running, token, endless(b"\0\0\x10\0\0"));
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(grpc_status(answer).await, "16", "{token:?}");
    }
}

#[tokio::test]
async fn a_request_without_a_known_access_key_is_refused_before_its_body_is_read() {
    let running = serve(Signatures::Checked, Limits::default()).await;
    let mut sender = connect(&running).await;
    let answer = sender.send_request(endless_json(&running, b"{")).await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body);
    assert!(
        text.contains("MissingAuthenticationTokenException"),
        "{text}"
    );
}

#[tokio::test]
async fn a_body_that_does_not_end_is_given_up_in_either_protocol() {
    let limits = Limits {
        body_timeout_ms: 20,
        ..Limits::default()
    };
    let running = serve(Signatures::Accepted, limits).await;
    let mut sender = connect(&running).await;
    let answer = sender.send_request(endless_json(&running, b"{")).await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body);
    assert!(text.contains("did not arrive in time"), "{text}");

    let request = grpc_request(&running, Some(&token()), endless(b"\0\0\x10\0\0"));
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(grpc_status(answer).await, "3");
}

#[tokio::test]
async fn all_bodies_that_are_being_read_hold_no_more_than_their_budget() {
    let limits = Limits {
        bodies_bytes_max: 3_000,
        ..Limits::default()
    };
    let running = serve(Signatures::Accepted, limits).await;
    let whole = br#"{"NumberOfBytes": 8}"#;
    let padded: &'static [u8] = Box::leak([whole.as_slice(), &[b' '; 980]].concat().into());
    let target = "TrentService.GenerateRandom";
    let complete = || send(json_request(running.address, target, padded));
    for _ in 0..10 {
        assert_eq!(complete().await.status(), StatusCode::OK);
    }

    let mut sender = connect(&running).await;
    let unfinished = tokio::spawn(sender.send_request(endless_json(&running, padded)));
    // The unfinished body takes its part of the budget when its bytes arrive.
    while complete().await.status() == StatusCode::OK {}
    let refused = complete().await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    let mut client = grpc(running.address).await;
    let authenticated = client.generate_random(random(Some(&token()))).await;
    authenticated.expect("others do not use up what authenticated callers have");
    let message: &'static [u8] = Box::leak([&[0, 0, 0, 8, 0][..], &[0; 2_000]].concat().into());
    let request = grpc_request(&running, Some(&token()), endless(message));
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(grpc_status(answer).await, "14");

    unfinished.abort();
    drop(unfinished.await);
    drop(sender);
    while complete().await.status() != StatusCode::OK {}
}

#[tokio::test]
async fn only_authenticated_callers_have_many_requests_open_on_one_connection() {
    let limits = Limits {
        unauthenticated_requests_per_connection_max: 2,
        ..Limits::default()
    };
    let running = serve(Signatures::Accepted, limits).await;
    let mut sender = connect(&running).await;
    let open = [(); 2].map(|()| tokio::spawn(sender.send_request(endless_json(&running, b"{"))));
    let answer = sender.send_request(endless_json(&running, b"{")).await;
    assert_eq!(answer.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    let request = grpc_request(&running, Some(&token()), endless(b""));
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(grpc_status(answer).await, "14");
    open.iter().for_each(tokio::task::JoinHandle::abort);

    let client = grpc(running.address).await;
    let calls = (0..50).map(|_| {
        let mut client = client.clone();
        async move { client.generate_random(random(Some(&token()))).await }
    });
    for answer in futures_util::future::join_all(calls).await {
        assert!(answer.is_ok(), "{answer:?}");
    }
}

#[tokio::test]
async fn whole_requests_are_answered_whoever_sends_them() {
    let running = serve(Signatures::Accepted, Limits::default()).await;
    let body = Full::new(Bytes::from_static(b"\0\0\0\0\x02\x08\x10")).boxed();
    let request = grpc_request(&running, None, body);
    let answer = connect(&running).await.send_request(request).await.unwrap();
    assert_eq!(grpc_status(answer).await, "0");
}
