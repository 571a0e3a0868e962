//! Files that secure the ways between clients, gateway, KMS and backend, replaced while these run: over real TLS.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use aws_sdk_s3::types::ServerSideEncryption;
use gateway::config::Config;
use gateway::keys::kms::KeyService as _;
use gateway::keys::kms::KeyServiceError;
use gateway::keys::kms::Requester;
use gateway::keys::kms::RetryPolicy;
use gateway::keys::kms::endpoint::GrpcEndpoint;
use gateway::keys::kms::endpoint::TlsFiles;
use gateway::keys::kms::grpc::GrpcKeyService;
use gateway::sse::context::EncryptionContext;
use http::Method;
use proto::identity::Secret;
use proto::time::SystemClock;
use tests::signed::Draft;
use tests::tls_front::Front;
use tests::tls_front::pair;
use tests::tls_front::server;
use tests::tls_front::write;
use tests::world::SERVICE_SECRET;
use tests::world::World;

/// The address in a URL.
fn address(url: &str) -> SocketAddr {
    url.split("//").nth(1).unwrap().parse().unwrap()
}

/// A world whose gateway is changed, and what the change returns; with the gateway's configuration.
async fn world<T: Send + 'static>(
    change: impl FnOnce(&mut Config) -> T + Send + 'static,
) -> (World, T, Config) {
    let (tell, told) = std::sync::mpsc::channel();
    let world = World::setup().gateway(move |config| {
        let returned = change(config);
        tell.send((returned, config.clone())).unwrap();
    });
    let world = world.start().await;
    let (returned, config) = told.recv().unwrap();
    (world, returned, config)
}

/// The status of a request that is sent on to the backend.
async fn status(world: &World) -> u16 {
    let request = Draft::new(Method::GET, "demo", "").query("list-type", "2");
    world.send(request).await.status().as_u16()
}

#[tokio::test]
async fn a_backend_is_trusted_by_the_authorities_that_were_read_last() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (pair(), pair());
    let (authorities, _) = write(folder.path(), "backend", &first);
    let (shown, ca_file) = (server(&first, &[], b"http/1.1"), authorities.clone());
    let (world, front, config) = world(move |config| {
        let front = Front::start(address(&config.backend.url), shown);
        config.backend.url = format!("https://localhost:{}", front.port);
        config.backend.ca_file = Some(ca_file);
        front
    })
    .await;
    world.create_bucket("demo").await;
    assert_eq!(status(&world).await, 200);

    // The open connections are of an authority that vouches for nothing more.
    std::fs::write(&authorities, second.cert.pem()).unwrap();
    world.gateway.reload(&config).unwrap();
    assert_eq!(status(&world).await, 503);
    front.replace(server(&second, &[], b"http/1.1"));
    assert_eq!(status(&world).await, 200);
    front.replace(server(&first, &[], b"http/1.1"));
    assert_eq!(status(&world).await, 503);

    // Both, as while certificates are changed.
    let both = first.cert.pem() + &second.cert.pem();
    std::fs::write(&authorities, both).unwrap();
    world.gateway.reload(&config).unwrap();
    assert_eq!(status(&world).await, 200);
}

#[tokio::test]
async fn files_that_cannot_be_used_leave_the_earlier_ones_in_use_and_show() {
    let folder = tempfile::tempdir().unwrap();
    let shown = pair();
    let (authorities, _) = write(folder.path(), "backend", &shown);
    let (config, ca_file) = (server(&shown, &[], b"http/1.1"), authorities.clone());
    let (world, front, config) = world(move |gateway| {
        let front = Front::start(address(&gateway.backend.url), config);
        gateway.backend.url = format!("https://localhost:{}", front.port);
        gateway.backend.ca_file = Some(ca_file);
        front
    })
    .await;
    world.create_bucket("demo").await;
    for broken in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n"] {
        std::fs::write(&authorities, broken).unwrap();
        let refusal = world.gateway.reload(&config).unwrap_err().to_string();
        let expected = format!(
            "the authorities of the backend: {}: ",
            authorities.display()
        );
        assert!(refusal.starts_with(&expected), "{refusal}");
        assert_eq!(refusal.lines().count(), 1, "{refusal}");
    }
    // Also for a new connection.
    front.replace(server(&shown, &[], b"http/1.1"));
    assert_eq!(status(&world).await, 200);
    let metrics = world.metrics.render();
    assert!(
        metrics.contains("\nsealgate_config_reload_failed 1\n"),
        "{metrics}"
    );
    assert!(!metrics.contains("\nsealgate_config_reload_time_seconds "));

    std::fs::write(&authorities, shown.cert.pem()).unwrap();
    world.gateway.reload(&config).unwrap();
    let metrics = world.metrics.render();
    assert!(metrics.contains("\nsealgate_config_reload_time_seconds "));
    assert!(metrics.contains("\nsealgate_config_reload_failed 0\n"));
}

#[tokio::test]
async fn the_backend_sees_the_client_certificate_that_was_read_last() {
    let folder = tempfile::tempdir().unwrap();
    let (of_backend, first, second) = (pair(), pair(), pair());
    let (ca_file, _) = write(folder.path(), "backend", &of_backend);
    let (certificate, key) = write(folder.path(), "client", &first);
    let shown = server(&of_backend, &[&first], b"http/1.1");
    let (world, front, config) = world(move |config| {
        let front = Front::start(address(&config.backend.url), shown);
        config.backend.url = format!("https://localhost:{}", front.port);
        config.backend.ca_file = Some(ca_file);
        config.backend.client_cert_file = Some(certificate);
        config.backend.client_key_file = Some(key);
        front
    })
    .await;
    world.create_bucket("demo").await;
    assert_eq!(status(&world).await, 200);
    let [of_first, of_second] = [&first, &second].map(|pair| pair.cert.der().clone());
    assert!(front.clients().iter().all(|shown| *shown == of_first));

    // The backend takes both, as while certificates are changed: no request goes over a connection of the first.
    front.replace(server(&of_backend, &[&first, &second], b"http/1.1"));
    assert_eq!(status(&world).await, 200);
    let before = front.clients().len();
    write(folder.path(), "client", &second);
    world.gateway.reload(&config).unwrap();
    assert_eq!(status(&world).await, 200);
    let since = front.clients().split_off(before);
    assert!(!since.is_empty() && since.iter().all(|shown| *shown == of_second));

    // Half of a pair leaves the other one in use.
    std::fs::write(folder.path().join("client.pem"), first.cert.pem()).unwrap();
    let refusal = world.gateway.reload(&config).unwrap_err().to_string();
    assert!(refusal.ends_with("client.key is another's"), "{refusal}");
    front.replace(server(&of_backend, &[&second], b"http/1.1"));
    assert_eq!(status(&world).await, 200);
}

#[tokio::test]
async fn the_kms_sees_the_client_certificate_that_was_read_last() {
    let folder = tempfile::tempdir().unwrap();
    let (of_kms, first, second) = (pair(), pair(), pair());
    let (ca_file, _) = write(folder.path(), "kms", &of_kms);
    let (certificate, key) = write(folder.path(), "client", &first);
    let shown = server(&of_kms, &[&first, &second], b"h2");
    let (world, front, config) = world(move |config| {
        let front = Front::start(address(&config.kms.url), shown);
        config.kms.url = format!("grpcs://localhost:{}", front.port);
        config.kms.ca_file = Some(ca_file);
        config.kms.client_cert_file = Some(certificate);
        config.kms.client_key_file = Some(key);
        front
    })
    .await;
    world.create_key("alias/blue").await;
    world.create_bucket("demo").await;
    let put = async || {
        let put = world.s3().put_object().bucket("demo").key("k");
        let put = put.server_side_encryption(ServerSideEncryption::AwsKms);
        put.ssekms_key_id("alias/blue").send().await.unwrap();
    };
    put().await;
    put().await;
    let [of_first, of_second] = [&first, &second].map(|pair| pair.cert.der().clone());
    assert_eq!(
        front.clients(),
        std::slice::from_ref(&of_first),
        "one connection"
    );

    write(folder.path(), "client", &second);
    world.gateway.reload(&config).unwrap();
    put().await;
    assert_eq!(front.clients(), [of_first, of_second]);
}

#[tokio::test]
async fn the_gateway_reads_the_authorities_of_the_backend_and_its_own_certificate_each_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (of_backend, other, first, second) = (pair(), pair(), pair(), pair());
    let (authorities, _) = write(folder, "backend", &of_backend);
    let (certificate, key) = write(folder, "client", &first);
    let shown = server(&of_backend, &[&first], b"http/1.1");
    let ca_file = authorities.clone();
    let (client_cert, client_key) = (certificate.clone(), key);
    let (world, front, config) = world(move |config| {
        let front = Front::start(address(&config.backend.url), shown);
        config.backend.url = format!("https://localhost:{}", front.port);
        config.backend.ca_file = Some(ca_file);
        config.backend.client_cert_file = Some(client_cert);
        config.backend.client_key_file = Some(client_key);
        front
    })
    .await;
    world.create_bucket("demo").await;
    assert_eq!(status(&world).await, 200);

    // The authority is removed while the certificate is another's than the key.
    std::fs::write(&certificate, second.cert.pem()).unwrap();
    std::fs::write(&authorities, other.cert.pem()).unwrap();
    let refusal = world.gateway.reload(&config).unwrap_err().to_string();
    let expected = "the gateway's certificate at the backend: ";
    assert!(refusal.starts_with(expected), "{refusal}");
    assert!(!refusal.contains("authorities"), "{refusal}");
    assert_eq!(status(&world).await, 503);
    front.replace(server(&other, &[&first], b"http/1.1"));
    assert_eq!(status(&world).await, 200);

    // The certificate is renewed while there are no authorities.
    std::fs::write(&authorities, "").unwrap();
    write(folder, "client", &second);
    let refusal = world.gateway.reload(&config).unwrap_err().to_string();
    let expected = "the authorities of the backend: ";
    assert!(refusal.starts_with(expected), "{refusal}");
    assert!(!refusal.contains("certificate at"), "{refusal}");
    front.replace(server(&other, &[&second], b"http/1.1"));
    assert_eq!(status(&world).await, 200);
    let of_second = second.cert.der().clone();
    assert_eq!(front.clients().last(), Some(&of_second));
    front.replace(server(&of_backend, &[&second], b"http/1.1"));
    assert_eq!(status(&world).await, 503);
}

#[tokio::test]
async fn the_gateway_reads_the_authorities_of_the_kms_while_its_own_certificate_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (of_kms, other, first) = (pair(), pair(), pair());
    let (authorities, _) = write(folder, "kms", &of_kms);
    let (certificate, key) = write(folder, "client", &first);
    let shown = server(&of_kms, &[&first], b"h2");
    let (ca_file, client_cert) = (authorities.clone(), certificate.clone());
    let (world, front, config) = world(move |config| {
        let front = Front::start(address(&config.kms.url), shown);
        config.kms.url = format!("grpcs://localhost:{}", front.port);
        config.kms.ca_file = Some(ca_file);
        config.kms.client_cert_file = Some(client_cert);
        config.kms.client_key_file = Some(key);
        config.kms.total_timeout_ms = 100;
        front
    })
    .await;
    world.create_key("alias/blue").await;
    world.create_bucket("demo").await;
    let put = async || {
        let put = Draft::new(Method::PUT, "demo", "k").body("x");
        let put = put.header("x-amz-server-side-encryption", "aws:kms");
        let put = put.header("x-amz-server-side-encryption-aws-kms-key-id", "alias/blue");
        world.send_tls(put).await.status().as_u16()
    };
    assert_eq!(put().await, 200);

    std::fs::write(&certificate, "").unwrap();
    std::fs::write(&authorities, other.cert.pem()).unwrap();
    let refusal = world.gateway.reload(&config).unwrap_err().to_string();
    let expected = "the gateway's certificate at the KMS: ";
    assert!(refusal.starts_with(expected), "{refusal}");
    assert_eq!(put().await, 503);
    front.replace(server(&other, &[&first], b"h2"));
    assert_eq!(put().await, 200);
}

#[tokio::test]
async fn the_kms_takes_clients_of_the_authorities_that_were_read_last() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (shown, other) = (pair(), pair());
    let (certificate_file, key_file) = write(folder, "kms", &shown);
    let (first, second) = (
        write(folder, "first", &pair()),
        write(folder, "second", &pair()),
    );
    let (authorities, trusted) = (folder.join("clients.pem"), folder.join("trusted.pem"));
    std::fs::copy(&first.0, &authorities).unwrap();
    std::fs::copy(&certificate_file, &trusted).unwrap();
    let kms = secured_kms(certificate_file, key_file, authorities.clone()).await;
    let is_answered = async |(certificate, key): &(PathBuf, PathBuf)| {
        let files = TlsFiles {
            ca: Some(&trusted),
            client_certificate: Some(certificate),
            client_key: Some(key),
        };
        is_answered(kms.address.port(), files).await
    };
    assert!(is_answered(&first).await && !is_answered(&second).await);

    std::fs::copy(&second.0, &authorities).unwrap();
    kms.reload().unwrap();
    assert!(is_answered(&second).await && !is_answered(&first).await);

    std::fs::write(&authorities, "").unwrap();
    let refusal = kms.reload().unwrap_err();
    assert!(refusal.contains("clients.pem"), "{refusal}");
    assert!(is_answered(&second).await && !is_answered(&first).await);
    let metrics = kms.metrics.render(&kms.quotas, 0);
    assert!(
        metrics.contains("\nsealgate_config_reload_failed 1\n"),
        "{metrics}"
    );

    // Its own certificate.
    std::fs::copy(&second.0, &authorities).unwrap();
    write(folder, "kms", &other);
    kms.reload().unwrap();
    assert!(!is_answered(&second).await);
    std::fs::write(&trusted, other.cert.pem()).unwrap();
    assert!(is_answered(&second).await);
}

#[tokio::test]
async fn the_kms_reads_its_certificate_and_the_authorities_of_clients_each_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (shown, other) = (pair(), pair());
    let (certificate_file, key_file) = write(folder, "kms", &shown);
    let [first, second] = ["first", "second"].map(|name| write(folder, name, &pair()));
    let [authorities, of_shown, of_other] =
        ["clients", "shown", "other"].map(|name| folder.join(name));
    std::fs::write(&of_shown, shown.cert.pem()).unwrap();
    std::fs::write(&of_other, other.cert.pem()).unwrap();
    std::fs::copy(&first.0, &authorities).unwrap();
    let kms = secured_kms(certificate_file.clone(), key_file, authorities.clone()).await;
    let is_answered = async |trusted: &PathBuf, (certificate, key): &(PathBuf, PathBuf)| {
        let files = TlsFiles {
            ca: Some(trusted),
            client_certificate: Some(certificate),
            client_key: Some(key),
        };
        is_answered(kms.address.port(), files).await
    };
    assert!(is_answered(&of_shown, &first).await);

    // An authority is removed while the certificate is another's than the key.
    std::fs::write(&certificate_file, other.cert.pem()).unwrap();
    std::fs::copy(&second.0, &authorities).unwrap();
    let refusal = kms.reload().unwrap_err();
    assert!(
        refusal.starts_with("the certificate of the KMS: "),
        "{refusal}"
    );
    assert!(!refusal.contains("authorities"), "{refusal}");
    assert!(!is_answered(&of_shown, &first).await);
    assert!(is_answered(&of_shown, &second).await);

    // The certificate is renewed while there are no authorities.
    std::fs::write(&authorities, "").unwrap();
    write(folder, "kms", &other);
    let refusal = kms.reload().unwrap_err();
    assert!(
        refusal.starts_with("the authorities of clients: "),
        "{refusal}"
    );
    assert!(!is_answered(&of_shown, &second).await);
    assert!(is_answered(&of_other, &second).await && !is_answered(&of_other, &first).await);
}

/// A KMS of TLS, for clients of those authorities.
async fn secured_kms(
    certificate_file: PathBuf,
    key_file: PathBuf,
    authorities: PathBuf,
) -> kms::server::Running {
    let mut config = kms::config::Config::fixture();
    config.authenticate.service_secret = Some(Secret::new(SERVICE_SECRET));
    config.tls = Some(kms::config::Tls {
        certificate_file,
        key_file,
        client_ca_file: Some(authorities),
    });
    let kms = kms::server::start(config, Arc::new(SystemClock)).await;
    kms.unwrap()
}

/// Whether a KMS answers a gateway with these files, on a connection of its own.
async fn is_answered(port: u16, files: TlsFiles<'_>) -> bool {
    let endpoint = GrpcEndpoint::parse(&format!("grpcs://localhost:{port}")).unwrap();
    let retry = RetryPolicy {
        total: std::time::Duration::from_millis(100),
        ..RetryPolicy::default()
    };
    let (secret, region) = (Secret::new(SERVICE_SECRET), "us-east-1".parse().unwrap());
    let kms = GrpcKeyService::new(&endpoint, files, &secret, &region, retry).unwrap();
    let gateway = Requester::Gateway(sealgate::credentials::MAIN_ACCOUNT.parse().ok());
    let context: EncryptionContext = [("aws:s3:arn", "arn:aws:s3:::b/k")].into_iter().collect();
    let key = "alias/sealgate/sse-s3";
    match kms.encrypt(&gateway, key, &[7; 32], &context).await {
        Ok(_) => true,
        Err(KeyServiceError::Unreachable(_)) => false,
        Err(error) => panic!("{error}"),
    }
}
