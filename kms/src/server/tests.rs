//! Both doors and the admin port, over real connections on loopback.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::Response;
use http::StatusCode;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use proto::kms::v1::GenerateRandomRequest;
use proto::kms::v1::key_management_client::KeyManagementClient;
use proto::sigv4::Credentials;
use proto::sigv4::OutboundRequest;
use proto::sigv4::sha256_hex;
use proto::sigv4::sign_request;
use proto::time::Clock;
use proto::time::ManualClock;
use proto::time::Timestamp;
use serde_json::Value;
use serde_json::json;
use tonic::transport::Channel;

use super::Running;
use super::start;
use crate::config::Config;
use crate::config::Credential;
use crate::config::Secret;
use crate::config::Signatures;
use crate::quota::Shape;

mod admin_state;
mod both_doors;

const SECRET: &str = "a secret between the houses";
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
        account: "111122223333".to_owned(),
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

/// A JSON request to the doors, unsigned.
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

/// The error a JSON answer tells: status, type, message.
fn error(answer: &Answer) -> (u16, String, Option<String>) {
    let body: Value = serde_json::from_slice(answer.body()).unwrap();
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    (
        answer.status().as_u16(),
        text("__type").unwrap(),
        text("message"),
    )
}

/// A gRPC connection to the doors.
async fn channel(address: SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{address}"))
        .unwrap()
        .connect()
        .await
        .unwrap()
}

/// A gRPC client of the doors.
async fn grpc(address: SocketAddr) -> KeyManagementClient<Channel> {
    KeyManagementClient::new(channel(address).await)
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
async fn both_doors_answer_on_one_port() {
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
        .generate_random(random(Some(SECRET)))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.plaintext.unwrap().len(), 16);
    running.stop().await;
}

#[tokio::test]
async fn the_json_door_refuses_in_awss_words() {
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
async fn g1_no_spelling_of_a_grpc_path_goes_around_the_secret() {
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
async fn g2_what_is_signed_for_json_is_nothing_at_the_grpc_door() {
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
async fn g3_malformed_requests_are_errors_and_the_server_goes_on() {
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
async fn g10_a_web_page_reaches_neither_doors_nor_controls() {
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

#[tokio::test]
async fn sts_tells_who_signed() {
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
async fn the_grpc_door_wants_the_secret_and_offers_health_and_reflection() {
    let running = serve(Signatures::Checked).await;
    let mut client = grpc(running.address).await;
    let code = client
        .generate_random(random(None))
        .await
        .unwrap_err()
        .code();
    assert_eq!(code, tonic::Code::Unauthenticated);
    let code = client
        .generate_random(random(Some("guess")))
        .await
        .unwrap_err()
        .code();
    assert_eq!(code, tonic::Code::Unauthenticated);

    let channel = channel(running.address).await;
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel.clone());
    let asked = tonic_health::pb::HealthCheckRequest {
        service: String::new(),
    };
    let answer = health.check(asked).await.unwrap().into_inner();
    assert_eq!(
        answer.status(),
        tonic_health::pb::health_check_response::ServingStatus::Serving
    );

    use tonic_reflection::pb::v1 as reflection;
    let mut client = reflection::server_reflection_client::ServerReflectionClient::new(channel);
    let asked = reflection::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(
            reflection::server_reflection_request::MessageRequest::ListServices(String::new()),
        ),
    };
    let asked = futures_util::stream::iter([asked]);
    let mut answers = client
        .server_reflection_info(asked)
        .await
        .unwrap()
        .into_inner();
    let answer = format!("{:?}", answers.message().await.unwrap());
    assert!(answer.contains("sealgate.kms.v1.KeyManagement"), "{answer}");
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
async fn the_admin_port_tells_health_metrics_quotas_clock_and_events() {
    let running = serve(Signatures::Accepted).await;
    let base = format!("http://{}", running.admin_address);
    let get = |path: &str| {
        send(
            Request::get(format!("{base}{path}"))
                .body(Full::default())
                .unwrap(),
        )
    };
    let post = |method: &str, path: &str, body: Value| {
        let request = Request::builder()
            .method(method)
            .uri(format!("{base}{path}"))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .unwrap();
        send(request)
    };
    let value = |answer: Answer| serde_json::from_slice::<Value>(answer.body()).unwrap();
    assert_eq!(get("/livez").await.status(), StatusCode::OK);
    assert_eq!(get("/readyz").await.status(), StatusCode::OK);
    assert_eq!(get("/nothing").await.status(), StatusCode::NOT_FOUND);

    let body = r#"{"NumberOfBytes":1}"#;
    send(json_request(
        running.address,
        "TrentService.GenerateRandom",
        body,
    ))
    .await;
    let metrics = String::from_utf8(get("/metrics").await.body().to_vec()).unwrap();
    assert!(metrics.contains("kms_requests_total{"), "{metrics}");
    assert!(
        metrics.contains(r#"operation="GenerateRandom""#),
        "{metrics}"
    );
    assert!(
        metrics.contains(r#"resource="CryptographicOperationsSymmetric""#),
        "{metrics}"
    );

    let adjusted = json!({ "class": "CreateKey", "rate": 0.1 });
    assert_eq!(
        post("POST", "/admin/quotas/adjust", adjusted)
            .await
            .status(),
        StatusCode::OK
    );
    let quotas = value(get("/admin/quotas").await);
    assert_eq!(quotas["config"]["rates"][0]["rate"], 0.1);
    let bad = json!({ "class": "NoSuch", "rate": 1 });
    assert_eq!(
        post("POST", "/admin/quotas/adjust", bad).await.status(),
        StatusCode::BAD_REQUEST
    );

    let moved = json!({ "frozen": true, "advance_seconds": 60 });
    let clock = value(post("POST", "/admin/clock", moved).await);
    assert_eq!(clock["now"], "2026-01-02T03:05:05.000Z");
    assert_eq!(clock["frozen"], true);

    let events = value(get("/admin/events?name=GenerateRandom").await);
    assert_eq!(
        events["events"][0]["eventName"], "GenerateRandom",
        "{events}"
    );
}

#[tokio::test]
async fn service_quotas_reads_and_raises_quotas_of_the_callers_account_and_region() {
    let running = serve(Signatures::Accepted).await;
    let ask = async |operation: &str, body: Value| {
        let target = format!("ServiceQuotasV20190624.{operation}");
        send(json_request(running.address, &target, body.to_string())).await
    };
    let value = |answer: &Answer| serde_json::from_slice::<Value>(answer.body()).unwrap();
    let listed = value(&ask("ListServiceQuotas", json!({ "ServiceCode": "kms" })).await);
    let quotas = listed["Quotas"].as_array().unwrap();
    let symmetric = &quotas[0];
    assert_eq!(symmetric["QuotaCode"], "L-6E3AF000");
    assert_eq!(symmetric["Value"], 100_000.0);
    assert_eq!(
        symmetric["QuotaArn"],
        "arn:aws:servicequotas:us-east-1:000000000000:kms/L-6E3AF000"
    );

    let key = json!({ "ServiceCode": "kms", "QuotaCode": "L-32B67F4A", "DesiredValue": 9.0 });
    let raised = value(&ask("RequestServiceQuotaIncrease", key.clone()).await);
    assert_eq!(raised["RequestedQuota"]["Status"], "APPROVED");
    assert_eq!(
        value(&ask("GetServiceQuota", key.clone()).await)["Quota"]["Value"],
        9.0
    );
    assert_eq!(
        value(&ask("GetAWSDefaultServiceQuota", key.clone()).await)["Quota"]["Value"],
        5.0
    );
    let rate = |account| {
        running
            .quotas
            .rate(account, "us-east-1", crate::quota::Class::CreateKey)
            .requests
    };
    assert_eq!((rate("000000000000"), rate("111122223333")), (9, 5));

    let again = ask("RequestServiceQuotaIncrease", key).await;
    assert_eq!(error(&again).1, "IllegalArgumentException");
    let none = json!({ "ServiceCode": "kms", "QuotaCode": "L-00000000" });
    assert_eq!(
        error(&ask("GetServiceQuota", none).await).1,
        "NoSuchResourceException"
    );
    let other = json!({ "ServiceCode": "s3" });
    assert_eq!(
        error(&ask("ListServiceQuotas", other).await).1,
        "NoSuchResourceException"
    );
}

#[tokio::test]
async fn a_fault_plan_fails_calls_on_both_doors_and_can_cut_the_connection() {
    let running = serve(Signatures::Accepted).await;
    let plan = |body: Value| {
        let request = Request::put(format!("http://{}/admin/faults", running.admin_address))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .unwrap();
        send(request)
    };
    let call = || {
        json_request(
            running.address,
            "TrentService.GenerateRandom",
            r#"{"NumberOfBytes":1}"#,
        )
    };
    let unavailable = json!({
        "faults": [{ "operation": "GenerateRandom", "first": 2, "error": "KeyUnavailableException" }]
    });
    assert_eq!(plan(unavailable).await.status(), StatusCode::OK);
    assert_eq!(send(call()).await.status(), StatusCode::OK);
    assert_eq!(
        error(&send(call()).await),
        (500, "KeyUnavailableException".to_owned(), None)
    );
    let refused = grpc(running.address)
        .await
        .generate_random(random(None))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unavailable);

    assert_eq!(
        plan(json!({ "faults": [{ "drop_connection": true }] }))
            .await
            .status(),
        200
    );
    let client: Client<HttpConnector, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).build_http();
    assert!(
        client.request(call()).await.is_err(),
        "the connection is closed without an answer"
    );
    let cut = grpc(running.address)
        .await
        .generate_random(random(None))
        .await;
    assert!(cut.is_err());

    assert_eq!(plan(json!({})).await.status(), StatusCode::OK);
    assert_eq!(send(call()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_server_that_stops_lets_go_of_its_ports() {
    let running = serve(Signatures::Accepted).await;
    let address = running.address;
    running.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
