//! Calls over gRPC as its clients make them: by a user's token, compressed, with a deadline, cancelled.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use proto::identity::Secret;
use proto::kms::v1::CreateKeyRequest;
use proto::kms::v1::GenerateRandomRequest;
use proto::kms::v1::ListKeysRequest;
use proto::time::ManualClock;
use serde_json::Value;
use tonic::Code;
use tonic::codec::CompressionEncoding;
use tonic_types::StatusExt as _;

use super::Answer;
use super::JSON;
use super::SECRET;
use super::grpc;
use super::now;
use super::random;
use super::send;
use super::serve;
use super::signed_request;
use super::token;
use crate::api::OperationName;
use crate::config::Config;
use crate::config::Signatures;
use crate::faults::Fault;
use crate::quota::Shape;
use crate::server::Running;
use crate::server::start;

/// A call with those headers whose message is `message`, with its prefix.
async fn call(
    address: SocketAddr,
    method: &str,
    headers: &[(&str, &str)],
    message: &'static [u8],
) -> Answer {
    let path = format!("http://{address}/sealgate.kms.v1.KeyManagement/{method}");
    let mut request = Request::post(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = Full::new(Bytes::from_static(message));
    send(request.body(body).unwrap()).await
}

/// A GenerateRandom call for 16 bytes.
async fn random_bytes(address: SocketAddr, headers: &[(&str, &str)]) -> Answer {
    call(address, "GenerateRandom", headers, &[0, 0, 0, 0, 2, 8, 16]).await
}

/// A server whose GenerateRandom waits longer than any test, and that works on one request at once.
async fn with_a_call_that_waits() -> Running {
    let mut config = Config::fixture();
    config.limits.requests_in_flight_max = 1;
    config.faults.faults = vec![Fault {
        operation: Some(OperationName::GenerateRandom),
        delay_ms: 600_000,
        ..Fault::default()
    }];
    let started = start(config, Arc::new(ManualClock::new(now()))).await;
    started.unwrap()
}

#[tokio::test]
async fn a_call_by_token_is_recorded_and_counted_as_a_signed_one() {
    let running = serve(Signatures::Checked).await;
    let mut config = running.quotas.config();
    (config.shape, config.scale) = (Shape::Window, 0.000_02);
    running.quotas.configure(config).unwrap();

    let target = [("x-amz-target", &b"TrentService.GenerateRandom"[..])];
    let body = r#"{"NumberOfBytes":16}"#;
    let signed = || signed_request(running.address, "kms", JSON, &target, body);
    assert_eq!(send(signed()).await.status(), 200);
    let mut client = grpc(running.address).await;
    client
        .generate_random(random(Some(&token())))
        .await
        .unwrap();
    let refused = client.generate_random(random(Some(&token()))).await;
    assert_eq!(refused.unwrap_err().code(), Code::ResourceExhausted);
    assert_eq!(send(signed()).await.status(), 400);

    let events = running.audit.lookup(4, |_| true);
    let event = |index: usize| serde_json::to_value(&*events[index]).unwrap();
    for name in [
        "userIdentity",
        "awsRegion",
        "sourceIPAddress",
        "recipientAccountId",
    ] {
        assert_eq!(event(2)[name], event(3)[name], "{name}");
        assert_eq!(event(0)[name], event(1)[name], "{name} of a throttled call");
    }
    assert_eq!(event(2)["userIdentity"]["accessKeyId"], "AKIDEXAMPLE");
}

#[tokio::test]
async fn an_answer_names_the_request_that_the_trail_names() {
    let running = serve(Signatures::Checked).await;
    let bearer = format!("Bearer {}", token());
    let answer = random_bytes(running.address, &[("authorization", &bearer)]).await;
    let newest = running.audit.lookup(1, |_| true);
    let recorded = serde_json::to_value(&*newest[0]).unwrap();
    let id = answer.headers()["x-amzn-requestid"].to_str().unwrap();
    assert_eq!(recorded["requestID"], id);
    let refused = random_bytes(running.address, &[]).await;
    assert_eq!(refused.headers()["x-amzn-requestid"].len(), 36);
}

#[tokio::test]
async fn the_secret_of_services_does_not_do_a_users_work() {
    let running = serve(Signatures::Checked).await;
    let mut client = grpc(running.address).await;
    let refused = client.generate_random(random(Some(SECRET))).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
    let mut request = random(Some(SECRET));
    let via = "s3.us-east-1.amazonaws.com".parse().unwrap();
    request.metadata_mut().insert("sealgate-via-service", via);
    client.generate_random(request).await.unwrap();
}

#[tokio::test]
async fn a_throttled_call_reports_when_to_try_again_to_programs_and_to_grpc_itself() {
    let running = serve(Signatures::Accepted).await;
    let mut config = running.quotas.config();
    (config.shape, config.scale) = (Shape::Window, 0.000_01);
    running.quotas.configure(config).unwrap();
    let mut client = grpc(running.address).await;
    client.generate_random(random(None)).await.unwrap();
    let refused = client.generate_random(random(None)).await.unwrap_err();
    let delay = refused.get_details_retry_info().unwrap().retry_delay;
    let pushback = refused.metadata().get("grpc-retry-pushback-ms").unwrap();
    let pushback: u128 = pushback.to_str().unwrap().parse().unwrap();
    assert_eq!(delay.unwrap().as_millis(), pushback);
    running.clock.advance(delay.unwrap());
    client.generate_random(random(None)).await.unwrap();
}

#[tokio::test]
async fn compressed_requests_are_read_and_answers_without_secrets_are_compressed() {
    let running = serve(Signatures::Accepted).await;
    let client = grpc(running.address).await;
    let mut client = client
        .send_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Gzip);
    let description = "the same words again and again ".repeat(100);
    let request = CreateKeyRequest {
        description: Some(description.clone()),
        ..CreateKeyRequest::default()
    };
    let made = client.create_key(request).await.unwrap().into_inner();
    assert_eq!(made.key_metadata.unwrap().description, Some(description));
    for _ in 0..20 {
        client
            .create_key(CreateKeyRequest::default())
            .await
            .unwrap();
    }
    let plain = client.list_keys(ListKeysRequest::default()).await.unwrap();
    assert_eq!(plain.into_inner().keys.len(), 21);

    let accepting = [("grpc-accept-encoding", "identity, deflate, gzip")];
    let list = call(running.address, "ListKeys", &accepting, &[0; 5]).await;
    assert_eq!(list.headers()["grpc-encoding"], "gzip");
    assert_eq!(list.body()[..1], [1], "the flag of a compressed message");
    let secret = random_bytes(running.address, &accepting).await;
    assert_eq!(secret.body()[..1], [0], "the flag of one that is not");
    let other = call(running.address, "ListKeys", &[], &[0; 5]).await;
    assert!(!other.headers().contains_key("grpc-encoding"));
}

#[tokio::test]
async fn a_small_message_that_grows_large_is_refused() {
    let running = serve(Signatures::Accepted).await;
    let client = grpc(running.address).await;
    let mut client = client.send_compressed(CompressionEncoding::Gzip);
    let request = CreateKeyRequest {
        description: Some(" ".repeat(64 << 20)),
        ..CreateKeyRequest::default()
    };
    let refused = client.create_key(request).await.unwrap_err();
    let reason = refused.get_details_error_info().unwrap().reason;
    assert_eq!(reason, "RequestEntityTooLargeException", "{refused}");
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_message_that_is_none_is_an_exception_of_aws() {
    let running = serve(Signatures::Accepted).await;
    let malformed: &[&[u8]] = &[&[0, 0, 0, 0, 2, 0xff, 0xff], &[9, 0, 0, 0, 0]];
    for message in malformed {
        let answer = call(running.address, "GenerateRandom", &[], message).await;
        assert_eq!(answer.headers()["grpc-status"], "3", "{message:?}");
        let text = answer.headers()["grpc-message"].to_str().unwrap();
        assert!(
            text.contains("no%20message") || text.contains("no message"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_call_whose_deadline_passes_is_not_done_and_not_counted() {
    let running = with_a_call_that_waits().await;
    let late = random_bytes(running.address, &[("grpc-timeout", "20m")]).await;
    assert_eq!(late.headers()["grpc-status"], "4");
    assert_eq!(running.quotas.usage(), []);
    assert_eq!(running.audit.lookup(1, |_| true).len(), 0);
    let never = random_bytes(running.address, &[("grpc-timeout", "0m")]).await;
    assert_eq!(never.headers()["grpc-status"], "4");
    assert_eq!(running.quotas.usage(), []);
    let malformed = random_bytes(running.address, &[("grpc-timeout", "soon")]).await;
    assert_eq!(malformed.headers()["grpc-status"], "3");
    let hour = [("grpc-timeout", "1H")];
    let in_time = call(running.address, "ListKeys", &hour, &[0; 5]).await;
    assert_eq!(in_time.headers()["grpc-status"], "0");
}

#[tokio::test]
async fn a_call_that_is_cancelled_is_not_done_and_not_counted() {
    let running = with_a_call_that_waits().await;
    let address = running.address;
    let waiting = tokio::spawn(async move { random_bytes(address, &[]).await });
    let probe = async || {
        let answer = call(address, "ListKeys", &[], &[0; 5]).await;
        answer.headers()["grpc-status"].clone()
    };
    // The waiting call has the one place when another finds none, and leaves it when it is cancelled.
    while probe().await == "0" {}
    waiting.abort();
    drop(waiting.await);
    while probe().await != "0" {}
    let usage = running.quotas.usage();
    let counted = |name| usage.iter().filter(|row| row.class.name() == name).count();
    assert_eq!(counted("CryptographicOperationsSymmetric"), 0);
}

#[tokio::test]
async fn a_token_is_good_in_every_region_and_calls_the_named_one() {
    let running = serve(Signatures::Checked).await;
    let mut client = grpc(running.address).await;
    for region in ["us-east-1", "eu-west-1"] {
        let mut request = random(Some(&token()));
        let name = region.parse().unwrap();
        request.metadata_mut().insert("sealgate-region", name);
        client.generate_random(request).await.unwrap();
        let newest = running.audit.lookup(1, |_| true);
        let recorded: Value = serde_json::to_value(&*newest[0]).unwrap();
        assert_eq!(recorded["awsRegion"], region);
    }
}

#[tokio::test]
async fn a_token_ends_with_its_secret_and_with_its_user() {
    let mut config = Config::fixture();
    config.authenticate.signatures = Signatures::Checked;
    for secret in [None, Some("rotated")] {
        config.authenticate.credentials = secret
            .map(|secret| crate::config::Credential {
                access_key_id: "AKIDEXAMPLE".to_owned(),
                secret_access_key: Secret::new(secret),
                account: "111122223333".parse().unwrap(),
                principal_arn: None,
            })
            .into_iter()
            .collect();
        let running = start(config.clone(), Arc::new(ManualClock::new(now()))).await;
        let running = running.unwrap();
        let mut client = grpc(running.address).await;
        let request: tonic::Request<GenerateRandomRequest> = random(Some(&token()));
        let refused = client.generate_random(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{secret:?}");
    }
}
