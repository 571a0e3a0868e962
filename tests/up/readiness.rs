//! `/readyz`: 503 and why, until what is wrong is repaired.

use http::Method;
use proto::identity::Secret;
use tests::backend::Action;
use tests::backend::Fault;
use tests::world::World;

/// Whether a gateway is ready, once its last answer is not used any more.
async fn reason(world: &World) -> String {
    let gateway = world.another_gateway().await;
    gateway.readiness().await.err().unwrap_or_default()
}

#[tokio::test]
async fn a_gateway_whose_backend_and_kms_accept_it_is_ready() {
    let world = World::start().await;
    assert_eq!(reason(&world).await, "");
    let of_state = |name: &str| name == "Encrypt" || name == "Decrypt";
    let events = world.kms.audit.lookup(100, |event| !of_state(event.name));
    assert!(events.is_empty(), "a probe is no call of the KMS");
}

#[tokio::test]
async fn a_wrong_secret_of_the_kms_is_a_reason() {
    let setup = World::setup().kms(|config| {
        config.authenticate.service_secret = Some(Secret::new("another secret of 16 bytes"));
    });
    let reason = reason(&setup.start().await).await;
    assert!(reason.contains("the KMS refused"), "{reason}");
}

#[tokio::test]
async fn a_kms_that_is_not_there_is_a_reason() {
    let setup = World::setup().gateway(|config| {
        config.kms.url = "grpc://127.0.0.1:1".to_owned();
    });
    let reason = reason(&setup.start().await).await;
    assert!(reason.contains("the KMS"), "{reason}");
    assert!(!reason.contains("backend"), "{reason}");
}

#[tokio::test]
async fn a_backend_that_refuses_the_gateway_is_a_reason_until_it_does_not() {
    let world = World::start().await;
    let refuse = Action::Refuse(403, "SignatureDoesNotMatch");
    world
        .backend
        .inject(Fault::on_path(Method::GET, "/sealgate-state", refuse));
    let text = reason(&world).await;
    assert!(
        text.contains("the backend refuses the gateway's credentials"),
        "{text}"
    );
    assert!(text.contains("403"), "{text}");
    world.backend.heal();
    assert_eq!(reason(&world).await, "");
}

#[tokio::test]
async fn a_backend_that_is_gone_is_a_reason() {
    let world = World::start().await;
    world.backend.kill();
    let reason = reason(&world).await;
    assert!(reason.contains("the backend cannot be used"), "{reason}");
}
