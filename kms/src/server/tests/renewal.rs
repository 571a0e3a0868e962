//! Files that are replaced while a KMS runs: the secret of services, and what secures connections.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::Request;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use proto::kms::v1::key_management_client::KeyManagementClient;
use proto::time::ManualClock;
use rustls::ClientConfig;
use rustls::HandshakeKind;
use rustls::RootCertStore;
use rustls::SupportedProtocolVersion;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::Code;
use tonic::Status;
use tonic::Streaming;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::HealthCheckResponse;
use tonic_health::pb::health_client::HealthClient;

use super::channel;
use super::grpc;
use super::now;
use super::random;
use crate::config::Config;
use crate::config::Signatures;
use crate::config::Tls;
use crate::server::Running;
use crate::server::start;

const OLD: &str = "the old secret of the services";
const NEW: &str = "the new secret of the services";

/// A KMS whose secret of services is in that file.
async fn serve(secret: &Path) -> Running {
    let mut config = Config::fixture();
    config.authenticate.signatures = Signatures::Checked;
    config.authenticate.service_secret_file = Some(secret.to_owned());
    let running = start(config, Arc::new(ManualClock::new(now()))).await;
    running.unwrap()
}

/// What becomes of the call of a service, by an open connection.
async fn call(client: &mut KeyManagementClient<Channel>, secret: &str) -> Result<(), Code> {
    let mut request = random(Some(secret));
    let via = "s3.us-east-1.amazonaws.com".parse().unwrap();
    request.metadata_mut().insert("sealgate-via-service", via);
    let answer = client.generate_random(request).await;
    answer.map(drop).map_err(|status| status.code())
}

#[tokio::test]
async fn a_secret_that_is_taken_out_of_the_file_is_refused_at_once_on_open_connections_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("service.secret");
    std::fs::write(&file, OLD).unwrap();
    let kms = serve(&file).await;
    let mut client = grpc(kms.address).await;
    let (accepted, refused) = (Ok(()), Err(Code::Unauthenticated));
    for (text, of_old, of_new) in [
        (OLD.to_owned(), accepted, refused),
        (format!("{OLD}\n{NEW}\n"), accepted, accepted),
        (format!("{NEW}\n{OLD}\n"), accepted, accepted),
        (format!("{NEW}\n"), refused, accepted),
    ] {
        std::fs::write(&file, &text).unwrap();
        kms.reload().unwrap();
        assert_eq!(call(&mut client, OLD).await, of_old, "{text}");
        assert_eq!(call(&mut client, NEW).await, of_new, "{text}");
        for guess in ["the old secret", "the new secret of the service", "guess"] {
            let refused = call(&mut client, guess).await;
            assert_eq!(refused, Err(Code::Unauthenticated), "{guess}");
        }
    }
}

#[tokio::test]
async fn a_file_of_secrets_that_cannot_be_used_leaves_those_before_in_use_and_shows() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("service.secret");
    std::fs::write(&file, format!("{OLD}\n{NEW}")).unwrap();
    let kms = serve(&file).await;
    let mut client = grpc(kms.address).await;
    let third = format!("{NEW}\n{NEW}\n{NEW}");
    for (broken, why) in [
        (Some(""), "is empty"),
        (Some(third.as_str()), "more than two lines"),
        (Some("short"), "line 1 is too short"),
        (None, "No such file"),
    ] {
        match broken {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let refusal = kms.reload().unwrap_err();
        let named = format!("the secret of services: {}: ", file.display());
        assert!(
            refusal.starts_with(&named) && refusal.contains(why),
            "{refusal}"
        );
        assert!(!refusal.contains(NEW), "{refusal}");
        for secret in [OLD, NEW] {
            assert_eq!(call(&mut client, secret).await, Ok(()), "{why}");
        }
    }
    let metrics = kms.metrics.render(&kms.quotas, 0);
    assert!(
        metrics.contains("\nsealgate_config_reload_failed 1\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_kms_does_not_start_with_a_file_of_secrets_that_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("service.secret");
    std::fs::write(&file, "short").unwrap();
    let mut config = Config::fixture();
    config.authenticate.service_secret_file = Some(file.clone());
    let refused = start(config, Arc::new(ManualClock::new(now()))).await;
    let error = refused.err().unwrap();
    assert_eq!(error.field(), "authenticate.service_secret_file");
    let error = error.to_string();
    assert!(error.contains(&*file.to_string_lossy()), "{error}");
    assert!(error.contains("line 1 is too short"), "{error}");
}

/// A watch of health, and its first message.
async fn watch(channel: Channel, secret: Option<&str>) -> Streaming<HealthCheckResponse> {
    let mut request = tonic::Request::new(HealthCheckRequest::default());
    if let Some(secret) = secret {
        let metadata = request.metadata_mut();
        let bearer = format!("Bearer {secret}").parse().unwrap();
        metadata.insert("authorization", bearer);
        let via = "s3.us-east-1.amazonaws.com".parse().unwrap();
        metadata.insert("sealgate-via-service", via);
    }
    let watch = HealthClient::new(channel).watch(request).await;
    let mut watch = watch.unwrap().into_inner();
    watch.message().await.unwrap().unwrap();
    watch
}

#[tokio::test]
async fn a_stream_of_a_service_ends_when_the_secrets_are_read_again_and_those_of_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("service.secret");
    std::fs::write(&file, OLD).unwrap();
    let kms = serve(&file).await;
    let channel = channel(kms.address).await;
    let mut of_service = watch(channel.clone(), Some(OLD)).await;
    let mut of_nobody = watch(channel.clone(), None).await;
    let next = of_service.message().now_or_never();
    assert!(next.is_none(), "it ended before");

    std::fs::write(&file, NEW).unwrap();
    kms.reload().unwrap();
    let end: Status = of_service.message().await.unwrap_err();
    assert_eq!(end.code(), Code::Unavailable);
    assert!(end.message().contains("read again"), "{end}");
    // What came before this answer has arrived.
    let mut client = KeyManagementClient::new(channel);
    assert_eq!(call(&mut client, NEW).await, Ok(()));
    let next = of_nobody.message().now_or_never();
    assert!(next.is_none(), "it ended, too");
}

/// A client of TLS that trusts `server`, shows `client`, and resumes sessions.
fn client(
    server: &rcgen::Certificate,
    client: &rcgen::CertifiedKey<rcgen::KeyPair>,
    version: &'static SupportedProtocolVersion,
) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(server.der().clone()).unwrap();
    let key = PrivatePkcs8KeyDer::from(client.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![client.cert.der().clone()], key.into());
    TlsConnector::from(Arc::new(config.unwrap()))
}

/// How a new connection was secured, if it is answered.
async fn connect(kms: &Running, connector: &TlsConnector) -> Option<HandshakeKind> {
    let stream = TcpStream::connect(kms.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = connector.connect(name, stream).await.ok()?;
    let kind = stream.get_ref().1.handshake_kind();
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.ok()?;
    let connection = tokio::spawn(connection);
    let request = Request::get("/").header("host", "localhost");
    let request = request.body(Full::<Bytes>::default()).unwrap();
    let answer = sender.send_request(request).await.ok()?;
    answer.into_body().collect().await.ok()?;
    connection.abort();
    kind
}

#[tokio::test]
async fn a_client_of_an_authority_that_was_removed_resumes_no_session() {
    let made = || rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (shown, first, second) = (made(), made(), made());
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let folder = tempfile::tempdir().unwrap();
        let files = ["kms.pem", "kms.key", "clients.pem"].map(|name| folder.path().join(name));
        let [certificate_file, key_file, clients] = files;
        std::fs::write(&certificate_file, shown.cert.pem()).unwrap();
        std::fs::write(&key_file, shown.signing_key.serialize_pem()).unwrap();
        std::fs::write(&clients, first.cert.pem() + &second.cert.pem()).unwrap();
        let mut config = Config::fixture();
        config.tls = Some(Tls {
            certificate_file: certificate_file.clone(),
            key_file,
            client_ca_file: Some(clients.clone()),
        });
        let kms = start(config, Arc::new(ManualClock::new(now()))).await;
        let kms = kms.unwrap();
        let client = client(&shown.cert, &first, version);
        assert_eq!(connect(&kms, &client).await, Some(HandshakeKind::Full));
        assert_eq!(connect(&kms, &client).await, Some(HandshakeKind::Resumed));

        // Also while the certificate cannot be used.
        std::fs::write(&certificate_file, "no certificate").unwrap();
        std::fs::write(&clients, second.cert.pem()).unwrap();
        let refusal = kms.reload().unwrap_err();
        assert!(
            refusal.starts_with("the certificate of the KMS: "),
            "{refusal}"
        );
        assert_eq!(connect(&kms, &client).await, None);
    }
}
