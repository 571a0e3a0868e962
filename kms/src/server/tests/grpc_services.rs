//! What gRPC offers besides the operations: health and reflection.

use std::sync::Arc;

use proto::time::ManualClock;
use tonic::Code;
use tonic::Status;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1 as reflection;
use tonic_reflection::pb::v1alpha;

use super::channel;
use super::now;
use super::serve;
use super::token;
use crate::config::Config;
use crate::config::Signatures;
use crate::server::start;

/// The names of the services, by version 1 of reflection.
async fn services(channel: Channel, token: Option<&str>) -> Result<String, Status> {
    let request = reflection::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(
            reflection::server_reflection_request::MessageRequest::ListServices(String::new()),
        ),
    };
    let mut request = tonic::Request::new(futures_util::stream::iter([request]));
    if let Some(token) = token {
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", bearer);
    }
    let mut client = reflection::server_reflection_client::ServerReflectionClient::new(channel);
    let mut answers = client.server_reflection_info(request).await?.into_inner();
    Ok(format!("{:?}", answers.message().await?))
}

#[tokio::test]
async fn health_needs_no_token_and_covers_the_key_management_service() {
    let running = serve(Signatures::Checked).await;
    let mut client = HealthClient::new(channel(running.address).await);
    for service in ["", "sealgate.kms.v1.KeyManagement"] {
        let service = service.to_owned();
        let answer = client.check(HealthCheckRequest { service }).await.unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving);
    }
    let service = "no.such.Service".to_owned();
    let unknown = client.check(HealthCheckRequest { service }).await;
    assert_eq!(unknown.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn reflection_needs_a_token_unless_it_is_open() {
    let mut config = Config::fixture();
    config.authenticate.signatures = Signatures::Checked;
    config.authenticate.open_reflection = false;
    let closed = start(config.clone(), Arc::new(ManualClock::new(now()))).await;
    let closed = closed.unwrap();
    let refused = services(channel(closed.address).await, None).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
    let mut older = v1alpha::server_reflection_client::ServerReflectionClient::new(
        channel(closed.address).await,
    );
    let nothing = futures_util::stream::iter([v1alpha::ServerReflectionRequest::default()]);
    let refused = older.server_reflection_info(nothing).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);

    let open = serve(Signatures::Checked).await;
    let channel = channel(open.address).await;
    for token in [None, Some(&*token())] {
        let names = services(channel.clone(), token).await.unwrap();
        assert!(names.contains("sealgate.kms.v1.KeyManagement"), "{names}");
    }
    let refused = services(channel, Some("guess")).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn an_open_watch_of_health_ends_with_the_service_and_does_not_hold_it_up() {
    let mut config = Config::fixture();
    // So long would it be waited for.
    config.limits.drain_ms = u64::MAX;
    let running = start(config, Arc::new(ManualClock::new(now())))
        .await
        .unwrap();
    let mut client = HealthClient::new(channel(running.address).await);
    let watch = client.watch(HealthCheckRequest::default()).await.unwrap();
    let mut watch = watch.into_inner();
    let first = watch.message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    let (ended, ()) = tokio::join!(watch.message(), running.stop());
    assert_eq!(ended.unwrap_err().code(), Code::Unavailable);
}
