//! The gateway's two ways to a KMS, against the KMS itself.

use std::sync::Arc;

use gateway::keys::kms::KeyService;
use gateway::keys::kms::KeyServiceError;
use gateway::keys::kms::Requester;
use gateway::keys::kms::RetryPolicy;
use gateway::keys::kms::aws_json::AwsKeyService;
use gateway::keys::kms::grpc::GrpcKeyService;
use gateway::sse::context::EncryptionContext;
use proto::sigv4::Credentials;
use proto::time::SystemClock;
use tests::world::SERVICE_SECRET;
use tests::world::World;

const ACCOUNT: &str = sealgate::credentials::MAIN_ACCOUNT;

fn alice() -> Requester {
    Requester {
        principal_arn: format!("arn:aws:iam::{ACCOUNT}:user/alice").into(),
        account: ACCOUNT.into(),
        source_ip: None,
    }
}

/// Both ways: gRPC, and AWS JSON.
fn services(world: &World) -> [(&'static str, Box<dyn KeyService>); 2] {
    let address = world.kms.address;
    let grpc = GrpcKeyService::new(
        &format!("grpc://{address}"),
        SERVICE_SECRET,
        "us-east-1",
        RetryPolicy::default(),
    );
    let aws = AwsKeyService::new(
        &format!("aws+http://{address}"),
        Credentials::new(&world.main.access_key_id, &world.main.secret_access_key),
        "us-east-1",
        Arc::new(SystemClock),
        RetryPolicy::default(),
    );
    [
        ("gRPC", Box::new(grpc.unwrap())),
        ("AWS JSON", Box::new(aws.unwrap())),
    ]
}

fn context(value: &str) -> EncryptionContext {
    [("aws:s3:arn", value)].into_iter().collect()
}

#[track_caller]
fn refusal<T>(outcome: Result<T, KeyServiceError>) -> (String, String) {
    match outcome.err().expect("the KMS refuses") {
        KeyServiceError::Refused { code, message } => (code, message),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_data_key_is_found_again_by_its_blob_and_its_context_over_both_doors() {
    let world = World::start().await;
    let arn = world.create_key("alias/blue").await;
    let (alice, here) = (alice(), context("arn:aws:s3:::b/k"));
    for (name, service) in services(&world) {
        let made = service
            .generate_data_key(&alice, "alias/blue", &here)
            .await
            .unwrap();
        assert_eq!(made.key_arn, arn, "{name}");
        let again = service.decrypt(&alice, &arn, &made.blob, &here).await;
        assert_eq!(again.unwrap().as_slice(), made.plaintext.as_slice());
        let elsewhere = context("arn:aws:s3:::b/other");
        let moved = service.decrypt(&alice, &arn, &made.blob, &elsewhere).await;
        assert_eq!(refusal(moved).0, "InvalidCiphertextException", "{name}");

        let wrapped = service.encrypt(&alice, &arn, &[7; 32], &here).await;
        let wrapped = wrapped.unwrap();
        assert_eq!(wrapped.key_arn, arn);
        let unwrapped = service.decrypt(&alice, &arn, &wrapped.blob, &here).await;
        assert_eq!(unwrapped.unwrap().as_slice(), &[7; 32]);
    }
}

#[tokio::test]
async fn what_the_kms_refuses_comes_back_by_its_name_and_text_over_both_doors() {
    let world = World::start().await;
    let (alice, here) = (alice(), EncryptionContext::default());
    let arn = world.create_key("alias/blue").await;
    world.kms().disable_key().key_id(&arn).send().await.unwrap();
    for (name, service) in services(&world) {
        let disabled = service.generate_data_key(&alice, "alias/blue", &here).await;
        let expected = (
            "DisabledException".to_owned(),
            format!("{arn} is disabled."),
        );
        assert_eq!(refusal(disabled), expected, "{name}");
        let unknown = service.generate_data_key(&alice, "none", &here).await;
        let expected = (
            "NotFoundException".to_owned(),
            "Invalid keyId 'none'".to_owned(),
        );
        assert_eq!(refusal(unknown), expected, "{name}");
    }
}

#[tokio::test]
async fn a_kms_that_is_not_there_is_unreachable_over_both_doors() {
    let world = World::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let retry = RetryPolicy {
        total: std::time::Duration::from_millis(100),
        ..RetryPolicy::default()
    };
    let grpc = GrpcKeyService::new(&format!("grpc://{address}"), "s", "us-east-1", retry).unwrap();
    let aws = AwsKeyService::new(
        &format!("aws+http://{address}"),
        Credentials::new("A", "s"),
        "us-east-1",
        Arc::new(SystemClock),
        retry,
    );
    let services: [Box<dyn KeyService>; 2] = [Box::new(grpc), Box::new(aws.unwrap())];
    for service in services {
        let outcome = service
            .generate_data_key(&alice(), "k", &EncryptionContext::default())
            .await;
        let error = outcome.err().unwrap();
        assert!(matches!(error, KeyServiceError::Unreachable(_)), "{error}");
    }
    drop(world);
}

#[tokio::test]
async fn a_gateway_with_the_wrong_secret_is_told_nothing() {
    let world = World::start().await;
    let arn = world.create_key("alias/blue").await;
    let address = format!("grpc://{}", world.kms.address);
    let wrong =
        GrpcKeyService::new(&address, "wrong", "us-east-1", RetryPolicy::default()).unwrap();
    let outcome = wrong
        .generate_data_key(&alice(), &arn, &EncryptionContext::default())
        .await;
    let error = gateway::error::S3Error::from(outcome.err().unwrap());
    assert!(matches!(error.status().as_u16(), 403 | 500), "{error}");
}
