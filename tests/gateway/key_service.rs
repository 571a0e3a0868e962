//! The gateway's two ways to a KMS, against the KMS itself.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use gateway::keys::kms::KeyService;
use gateway::keys::kms::KeyServiceError;
use gateway::keys::kms::Requester;
use gateway::keys::kms::RetryPolicy;
use gateway::keys::kms::aws_json::AwsKeyService;
use gateway::keys::kms::endpoint::GrpcEndpoint;
use gateway::keys::kms::endpoint::TlsFiles;
use gateway::keys::kms::grpc::GrpcKeyService;
use gateway::request::Caller;
use gateway::sse::context::EncryptionContext;
use proto::identity::Region;
use proto::identity::Secret;
use proto::sigv4::Credentials;
use proto::time::SystemClock;
use tests::world::SERVICE_SECRET;
use tests::world::World;

const ACCOUNT: &str = sealgate::credentials::MAIN_ACCOUNT;

fn alice() -> Requester {
    user("user/alice")
}

fn user(name: &str) -> Requester {
    let arn = format!("arn:aws:iam::{ACCOUNT}:{name}").parse().unwrap();
    Requester::Caller(Caller::unlimited(arn), None)
}

fn grpc_endpoint(address: &str) -> GrpcEndpoint {
    GrpcEndpoint::parse(&format!("grpc://{address}")).unwrap()
}

fn region() -> Region {
    "us-east-1".parse().unwrap()
}

fn grpc_service(
    endpoint: &GrpcEndpoint,
    files: TlsFiles<'_>,
    secret: &str,
    retry: RetryPolicy,
) -> GrpcKeyService {
    GrpcKeyService::new(endpoint, files, &Secret::new(secret), &region(), retry).unwrap()
}

/// Both ways: gRPC, and AWS JSON.
fn services(world: &World) -> [(&'static str, Box<dyn KeyService>); 2] {
    let address = world.kms.address;
    let grpc = GrpcKeyService::new(
        &grpc_endpoint(&address.to_string()),
        TlsFiles::default(),
        &Secret::new(SERVICE_SECRET),
        &region(),
        RetryPolicy::default(),
    );
    let aws = AwsKeyService::new(
        &format!("aws+http://{address}"),
        Credentials::new(&world.main.access_key_id, &world.main.secret_access_key),
        region(),
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
async fn a_data_key_is_found_again_by_its_blob_and_its_context_over_both_protocols() {
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
async fn what_the_kms_refuses_comes_back_by_its_name_and_text_over_both_protocols() {
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
async fn a_kms_that_is_not_there_is_unreachable_over_both_protocols() {
    let world = World::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let retry = RetryPolicy {
        total: std::time::Duration::from_millis(100),
        ..RetryPolicy::default()
    };
    let endpoint = grpc_endpoint(&address.to_string());
    let files = TlsFiles::default();
    let grpc = grpc_service(&endpoint, files, "s", retry);
    let aws = AwsKeyService::new(
        &format!("aws+http://{address}"),
        Credentials::new("A", "s"),
        region(),
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
async fn a_gateway_with_the_wrong_secret_receives_nothing() {
    let world = World::start().await;
    let arn = world.create_key("alias/blue").await;
    let endpoint = grpc_endpoint(&world.kms.address.to_string());
    let files = TlsFiles::default();
    let retry = RetryPolicy::default();
    let wrong = grpc_service(&endpoint, files, "wrong", retry);
    let outcome = wrong
        .generate_data_key(&alice(), &arn, &EncryptionContext::default())
        .await;
    let error = gateway::error::S3Error::from(outcome.err().unwrap());
    assert!(matches!(error.status().as_u16(), 403 | 500), "{error}");
}

/// A certificate for localhost and its key, in two PEM files of that name.
fn certificate(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let [pem, key] = ["pem", "key"].map(|kind| folder.join(format!("{name}.{kind}")));
    std::fs::write(&pem, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (pem, key)
}

#[tokio::test]
async fn a_kms_is_reached_by_tls_with_its_authority_and_a_client_certificate_only() {
    let folder = tempfile::tempdir().unwrap();
    let (server, server_key) = certificate(folder.path(), "server");
    let (client, client_key) = certificate(folder.path(), "client");
    let (other, other_key) = certificate(folder.path(), "other");
    let mut config = kms::config::Config::fixture();
    config.authenticate.service_secret = Some(Secret::new(SERVICE_SECRET));
    config.tls = Some(kms::config::Tls {
        certificate_file: server.clone(),
        key_file: server_key,
        client_ca_file: Some(client.clone()),
    });
    let kms = kms::server::start(config, Arc::new(SystemClock))
        .await
        .unwrap();
    let port = kms.address.port();
    let encrypt = async |url: String, files: TlsFiles<'_>| {
        let endpoint = GrpcEndpoint::parse(&url).unwrap();
        let retry = RetryPolicy {
            total: std::time::Duration::from_millis(100),
            ..RetryPolicy::default()
        };
        let kms = grpc_service(&endpoint, files, SERVICE_SECRET, retry);
        let (key, context) = ("alias/sealgate/sse-s3", context("arn:aws:s3:::b/k"));
        let gateway = Requester::Gateway(ACCOUNT.parse().ok());
        kms.encrypt(&gateway, key, &[7; 32], &context).await
    };
    let secured = format!("grpcs://localhost:{port}");
    let files = TlsFiles {
        ca: Some(&server),
        client_certificate: Some(&client),
        client_key: Some(&client_key),
    };
    encrypt(secured.clone(), files).await.unwrap();

    let unverified = TlsFiles {
        ca: Some(&other),
        ..files
    };
    let unnamed = TlsFiles {
        client_certificate: None,
        client_key: None,
        ..files
    };
    let unknown = TlsFiles {
        client_certificate: Some(&other),
        client_key: Some(&other_key),
        ..files
    };
    for (url, files) in [
        (secured.clone(), unverified),
        (secured.clone(), unnamed),
        (secured, unknown),
        (format!("grpc://localhost:{port}"), files),
    ] {
        let error = encrypt(url.clone(), files).await.unwrap_err();
        let unreachable = matches!(error, KeyServiceError::Unreachable(_));
        assert!(unreachable, "{url} {files:?}: {error}");
    }
}

#[tokio::test]
async fn the_gateways_own_kms_key_works_for_the_gateway_and_for_no_user() {
    let world = World::start().await;
    let endpoint = grpc_endpoint(&world.kms.address.to_string());
    let files = TlsFiles::default();
    let retry = RetryPolicy::default();
    let kms = grpc_service(&endpoint, files, SERVICE_SECRET, retry);
    let here = context("arn:aws:s3:::b/k");
    let alias = "alias/sealgate/sse-s3";
    let gateway = Requester::Gateway(ACCOUNT.parse().ok());
    let wrapped = kms.encrypt(&gateway, alias, &[7; 32], &here).await.unwrap();
    let arn = &*wrapped.key_arn;
    let unwrapped = kms.decrypt(&gateway, alias, &wrapped.blob, &here).await;
    assert_eq!(unwrapped.unwrap().as_slice(), &[7; 32]);

    for user in [alice(), user("root")] {
        for key in [alias, arn, arn.rsplit('/').next().unwrap()] {
            let refused = kms.generate_data_key(&user, key, &here).await;
            assert_eq!(refusal(refused).0, "AccessDeniedException", "{key}");
            let refused = kms.decrypt(&user, key, &wrapped.blob, &here).await;
            assert_eq!(refusal(refused).0, "AccessDeniedException", "{key}");
        }
    }
}

#[tokio::test]
async fn a_kms_beyond_the_machine_is_not_reached_in_clear_unless_that_is_allowed() {
    let start = async |allow_plain: bool| {
        let mut config = gateway::config::Config::default();
        config.users.push(gateway::authenticate::User {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "secret-access-key".to_owned().into(),
            account: ACCOUNT.parse().unwrap(),
            principal_arn: None,
        });
        let free = Some(std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
        (config.listen.http, config.listen.admin) = (free, free);
        config.kms.url = "grpc://kms.internal:9080".to_owned();
        config.kms.allow_plain = allow_plain;
        let parts = gateway::server::Parts {
            kms_secret: Some(SERVICE_SECRET.to_owned().into()),
            ..gateway::server::Parts::default()
        };
        gateway::server::start(config, parts).await
    };
    let error = start(false).await.err().unwrap().to_string();
    assert!(error.contains("kms.allow_plain"), "{error}");
    assert!(start(true).await.is_ok());
}
