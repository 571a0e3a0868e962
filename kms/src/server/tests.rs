//! Both protocols and the admin port, over real connections on loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::Response;
use http::StatusCode;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use proto::identity::Secret;
use proto::kms::v1::GenerateRandomRequest;
use proto::kms::v1::key_management_client::KeyManagementClient;
use proto::sigv4::Credentials;
use proto::sigv4::OutboundRequest;
use proto::sigv4::sha256_hex;
use proto::sigv4::sign_request;
use proto::time::Clock;
use proto::time::ManualClock;
use proto::time::Timestamp;
use proto::token::issue_token;
use serde_json::Value;
use tonic::transport::Channel;

use super::Running;
use super::start;
use crate::config::Config;
use crate::config::Credential;
use crate::config::Signatures;
use crate::quota::Shape;

mod admin_state;
mod both_protocols;
mod calls;
mod controls;
mod grpc_calls;
mod grpc_services;
mod hostile;
mod limits;
mod logs;
mod renewal;
mod secured;

const SECRET: &str = "a secret between the services";
const JSON: &str = "application/x-amz-json-1.1";

/// When everything happens: the start of a second.
fn now() -> Timestamp {
    Timestamp::parse_basic("20260102T030405Z").unwrap()
}

/// A server on free ports whose clock stands still.
async fn serve(signatures: Signatures) -> Running {
    let mut config = Config::fixture();
    config.authenticate.signatures = signatures;
    config.authenticate.service_secret = Some(Secret::new(SECRET));
    config.authenticate.credentials.push(Credential {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: Secret::new("secret"),
        account: "111122223333".parse().unwrap(),
        principal_arn: None,
    });
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(now()));
    start(config, clock).await.unwrap()
}

/// An answer with its body read.
type Answer = Response<Bytes>;

/// Sends a request over HTTP/1.1, or over HTTP/2 if it is gRPC.
async fn send(request: Request<Full<Bytes>>) -> Answer {
    let mut builder = Client::builder(TokioExecutor::new());
    let grpc = request
        .headers()
        .get("content-type")
        .is_some_and(|t| t == "application/grpc");
    let client: Client<HttpConnector, Full<Bytes>> = builder.http2_only(grpc).build_http();
    let (parts, body) = client.request(request).await.unwrap().into_parts();
    let collected = body.collect().await.unwrap();
    let mut parts = parts;
    if let Some(trailers) = collected.trailers() {
        parts.headers.extend(trailers.clone());
    }

    Response::from_parts(parts, collected.to_bytes())
}

/// A JSON request, unsigned.
fn json_request(address: SocketAddr, target: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(format!("http://{address}/"))
        .header("content-type", JSON)
        .header("x-amz-target", target)
        .body(Full::new(body.into()))
        .unwrap()
}

/// The same, signed as the one known access key.
fn signed_request(
    address: SocketAddr,
    service: &str,
    kind: &str,
    headers: &[(&str, &[u8])],
    body: &'static str,
) -> Request<Full<Bytes>> {
    let host = address.to_string();
    let mut all = vec![("content-type", kind.as_bytes())];
    all.extend_from_slice(headers);
    let outbound = OutboundRequest {
        method: "POST",
        host: &host,
        path: "/",
        query: &[],
        headers: &all,
        payload_hash: &sha256_hex(body.as_bytes()),
    };
    let credentials = Credentials::new("AKIDEXAMPLE", "secret");
    let mut request = Request::post(format!("http://{host}/"));
    for (name, value) in &all {
        request = request.header(*name, *value);
    }

    for (name, value) in sign_request(&outbound, &credentials, "us-east-1", service, now()) {
        request = request.header(name, value);
    }

    request
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .unwrap()
}

/// The error of a JSON answer: status, type, message.
fn error(answer: &Answer) -> (u16, String, Option<String>) {
    let body: Value = serde_json::from_slice(answer.body()).unwrap();
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    (
        answer.status().as_u16(),
        text("__type").unwrap(),
        text("message"),
    )
}

/// A gRPC connection.
async fn channel(address: SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{address}"))
        .unwrap()
        .connect()
        .await
        .unwrap()
}

/// A gRPC client.
async fn grpc(address: SocketAddr) -> KeyManagementClient<Channel> {
    KeyManagementClient::new(channel(address).await)
}

/// A token of the one user, for a minute.
fn token() -> String {
    let (secret, expires) = (Secret::new("secret"), now().plus(Duration::from_secs(60)));
    let token = issue_token("AKIDEXAMPLE", &secret, expires, None);
    token.unwrap().expose().to_owned()
}

/// A GenerateRandom call with that token.
fn random(token: Option<&str>) -> tonic::Request<GenerateRandomRequest> {
    let message = GenerateRandomRequest {
        number_of_bytes: Some(16),
        ..GenerateRandomRequest::default()
    };
    let mut request = tonic::Request::new(message);
    if let Some(token) = token {
        request
            .metadata_mut()
            .insert("authorization", format!("Bearer {token}").parse().unwrap());
    }

    request
}

#[tokio::test]
async fn both_protocols_answer_on_one_port() {
    let running = serve(Signatures::Checked).await;
    let request = signed_request(
        running.address,
        "kms",
        JSON,
        &[("x-amz-target", b"TrentService.GenerateRandom")],
        r#"{"NumberOfBytes":16}"#,
    );
    let answer = send(request).await;
    assert_eq!(answer.status(), StatusCode::OK, "{:?}", answer.body());
    assert_eq!(answer.headers()["content-type"], JSON);
    assert_eq!(answer.headers()["x-amzn-requestid"].len(), 36);
    assert!(!answer.headers().contains_key("access-control-allow-origin"));

    let mut client = grpc(running.address).await;
    let answer = client
        .generate_random(random(Some(&token())))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.plaintext.unwrap().len(), 16);
    running.stop().await;
}

#[tokio::test]
async fn json_refusals_have_awss_words() {
    let running = serve(Signatures::Checked).await;
    let address = running.address;
    let unsigned = send(json_request(address, "TrentService.GenerateRandom", "{}")).await;
    let missing = "Request is missing Authentication Token".to_owned();
    assert_eq!(
        error(&unsigned),
        (
            400,
            "MissingAuthenticationTokenException".to_owned(),
            Some(missing)
        )
    );
    for target in [
        "TrentService.NoSuch",
        "NoService.GenerateRandom",
        "TrentService.generaterandom",
    ] {
        let unknown = send(json_request(address, target, "{}")).await;
        assert_eq!(
            error(&unknown),
            (400, "UnknownOperationException".to_owned(), None),
            "{target}"
        );
    }

    let plain = Request::post(format!("http://{address}/"))
        .header("content-type", "text/plain")
        .header("x-amz-target", "TrentService.GenerateRandom")
        .body(Full::new(Bytes::from_static(b"{}")))
        .unwrap();
    let answer = send(plain).await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert_eq!(answer.body(), "<UnknownOperationException/>\n");
}

#[tokio::test]
async fn sts_returns_who_signed() {
    let running = serve(Signatures::Checked).await;
    let form = "application/x-www-form-urlencoded";
    let body = "Action=GetCallerIdentity&Version=2011-06-15";
    let answer = send(signed_request(running.address, "sts", form, &[], body)).await;
    let text = String::from_utf8(answer.body().to_vec()).unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{text}");
    assert!(text.contains("<Account>111122223333</Account>"), "{text}");
    assert!(
        text.contains("<Arn>arn:aws:iam::111122223333:root</Arn>"),
        "{text}"
    );

    let wrong = send(signed_request(running.address, "kms", form, &[], body)).await;
    assert_eq!(wrong.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn over_quota_is_a_throttling_exception_of_status_400_on_json_and_resource_exhausted_on_grpc()
{
    let running = serve(Signatures::Accepted).await;
    let mut config = running.quotas.config();
    (config.shape, config.scale) = (Shape::Window, 0.000_02);
    running.quotas.configure(config).unwrap();

    let request = || {
        send(json_request(
            running.address,
            "TrentService.GenerateRandom",
            r#"{"NumberOfBytes":1}"#,
        ))
    };
    assert_eq!(request().await.status(), StatusCode::OK);
    assert_eq!(request().await.status(), StatusCode::OK);
    let throttled = request().await;
    assert_eq!(
        throttled.body(),
        r#"{"__type":"ThrottlingException","message":"You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."}"#
    );
    assert_eq!(throttled.status(), StatusCode::BAD_REQUEST);
    assert!(!throttled.headers().contains_key("retry-after"));

    let mut client = grpc(running.address).await;
    let refused = client.generate_random(random(None)).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
    let details = tonic_types::StatusExt::get_error_details(&refused);
    assert_eq!(details.error_info().unwrap().reason, "ThrottlingException");
    assert!(details.retry_info().unwrap().retry_delay.is_some());
}

#[tokio::test]
async fn a_server_that_stops_lets_go_of_its_ports() {
    let running = serve(Signatures::Accepted).await;
    let address = running.address;
    running.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
