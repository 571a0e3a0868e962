//! Calls over TLS, and what the audit trail and the key policies receive of it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use proto::identity::Secret;
use proto::kms::v1::key_management_client::KeyManagementClient;
use proto::time::ManualClock;
use rustls::ClientConfig;
use rustls::SupportedProtocolVersion;
use rustls_pki_types::ServerName;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::JSON;
use super::SECRET;
use super::json_request;
use super::now;
use super::random;
use super::send;
use crate::config::Config;
use crate::config::Tls;
use crate::server::Running;
use crate::server::start;

/// A server with a certificate of its own, and the certificate.
async fn serve(folder: &tempfile::TempDir) -> (Running, rcgen::Certificate) {
    serve_clients(folder, None).await
}

/// What a raw connection receives before it is closed.
async fn answer_to(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn plain_http_on_the_port_of_tls_is_answered_that_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (running, _) = serve(&folder).await;
    let answer = answer_to(
        running.address,
        b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(body.contains("https://"), "{answer}");
    assert!(answer.contains(&format!("content-length: {}\r\n", body.len())));
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused_with_both_files() {
    let folder = tempfile::tempdir().unwrap();
    let made = || rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let tls = Tls {
        certificate_file: folder.path().join("one.pem"),
        key_file: folder.path().join("another.key"),
        client_ca_file: None,
    };
    std::fs::write(&tls.certificate_file, made().cert.pem()).unwrap();
    std::fs::write(&tls.key_file, made().signing_key.serialize_pem()).unwrap();
    let mut config = Config::fixture();
    config.tls = Some(tls);
    let refusal = start(config, Arc::new(ManualClock::new(now()))).await;
    let refusal = refusal.err().unwrap().to_string();
    assert!(refusal.contains("one.pem"), "{refusal}");
    assert!(refusal.contains("another.key"), "{refusal}");
}

/// The end waits for requests; there are none here, so it would hang if it waited for connections.
#[tokio::test]
async fn a_connection_without_a_request_does_not_delay_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let (running, _) = serve(&folder).await;
    let silent = TcpStream::connect(running.address).await.unwrap();
    let in_http = TcpStream::connect(running.admin_address).await.unwrap();
    let mut half = TcpStream::connect(running.admin_address).await.unwrap();
    half.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
    running.stop().await;
    drop((silent, in_http, half));
}

/// The same, for clients with a certificate that an authority in `client_ca_file` signed.
async fn serve_clients(
    folder: &tempfile::TempDir,
    client_ca_file: Option<PathBuf>,
) -> (Running, rcgen::Certificate) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let tls = Tls {
        certificate_file: folder.path().join("kms.pem"),
        key_file: folder.path().join("kms.key"),
        client_ca_file,
    };
    std::fs::write(&tls.certificate_file, made.cert.pem()).unwrap();
    std::fs::write(&tls.key_file, made.signing_key.serialize_pem()).unwrap();
    let mut config = Config::fixture();
    config.authenticate.service_secret = Some(Secret::new(SECRET));
    config.tls = Some(tls);
    let running = start(config, Arc::new(ManualClock::new(now()))).await;
    (running.unwrap(), made.cert)
}

/// A connection of one version of TLS that speaks one protocol.
async fn connect(
    address: SocketAddr,
    certificate: &rcgen::Certificate,
    version: &'static SupportedProtocolVersion,
    protocol: &[u8],
) -> TokioIo<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    TokioIo::new(connector.connect(name, stream).await.unwrap())
}

/// One operation over HTTP/1.1 on a connection of its own: the status and the answer.
async fn call(stream: TokioIo<TlsStream<TcpStream>>, name: &str, body: &Value) -> (u16, Value) {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::post("/")
        .header("host", "localhost:9999")
        .header("content-type", JSON)
        .header("x-amz-target", format!("TrentService.{name}"))
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    connection.abort();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

/// What the audit trail records of the newest call's connection.
fn recorded_tls(running: &Running) -> Value {
    let newest = running.audit.lookup(1, |_| true);
    serde_json::to_value(&*newest[0]).unwrap()["tlsDetails"].clone()
}

#[tokio::test]
async fn the_audit_trail_records_how_a_call_was_secured() {
    let folder = tempfile::tempdir().unwrap();
    let (running, certificate) = serve(&folder).await;
    let suites = [
        (&rustls::version::TLS13, "TLSv1.3", "TLS_AES_256_GCM_SHA384"),
        (
            &rustls::version::TLS12,
            "TLSv1.2",
            "ECDHE-ECDSA-AES256-GCM-SHA384",
        ),
    ];
    for (version, named, suite) in suites {
        let stream = connect(running.address, &certificate, version, b"http/1.1").await;
        let request = json!({"NumberOfBytes": 1});
        assert_eq!(call(stream, "GenerateRandom", &request).await.0, 200);
        let expected = json!({
            "tlsVersion": named, "cipherSuite": suite, "clientProvidedHostHeader": "localhost:9999",
        });
        assert_eq!(recorded_tls(&running), expected);
    }
}

#[tokio::test]
async fn the_session_of_a_service_over_tls_is_recorded_unless_it_calls_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let (running, certificate) = serve(&folder).await;
    let version = &rustls::version::TLS13;
    let stream = connect(running.address, &certificate, version, b"h2").await;
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await;
    let (sender, connection) = handshake.unwrap();
    tokio::spawn(connection);
    let sender = tower::service_fn(move |request| {
        let mut sender = sender.clone();
        async move { sender.send_request(request).await }
    });
    let origin = "https://localhost:9999".parse().unwrap();
    let mut client = KeyManagementClient::with_origin(sender, origin);

    client.generate_random(random(None)).await.unwrap();
    assert_eq!(
        recorded_tls(&running)["clientProvidedHostHeader"],
        "localhost:9999"
    );
    let mut request = random(Some(SECRET));
    let via = "s3.us-east-1.amazonaws.com".parse().unwrap();
    request.metadata_mut().insert("sealgate-via-service", via);
    client.generate_random(request).await.unwrap();
    assert_eq!(recorded_tls(&running), Value::Null);
}

#[tokio::test]
async fn a_policy_may_demand_tls() {
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {
            "Effect": "Allow", "Action": "kms:*", "Resource": "*",
            "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
        },
        {
            "Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*", "Principal": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]});
    let with_policy = json!({"Policy": policy.to_string()});

    let folder = tempfile::tempdir().unwrap();
    let (running, certificate) = serve(&folder).await;
    let version = &rustls::version::TLS13;
    let open = || connect(running.address, &certificate, version, b"http/1.1");
    let (_, made) = call(open().await, "CreateKey", &with_policy).await;
    let request = json!({"KeyId": made["KeyMetadata"]["KeyId"], "Plaintext": "AAAA"});
    assert_eq!(call(open().await, "Encrypt", &request).await.0, 200);

    let plain = start(Config::fixture(), Arc::new(ManualClock::new(now()))).await;
    let address = plain.as_ref().unwrap().address;
    let post = |name: &str, body: &Value| {
        send(json_request(
            address,
            &format!("TrentService.{name}"),
            body.to_string(),
        ))
    };
    let made: Value = serde_json::from_slice(post("CreateKey", &with_policy).await.body()).unwrap();
    let request = json!({"KeyId": made["KeyMetadata"]["KeyId"], "Plaintext": "AAAA"});
    let refused = post("Encrypt", &request).await;
    let (status, code, _) = super::error(&refused);
    assert_eq!((status, &*code), (400, "AccessDeniedException"));
}

#[tokio::test]
async fn with_an_authority_of_clients_only_those_it_signed_for_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let client = rcgen::generate_simple_self_signed(vec!["gateway".to_owned()]).unwrap();
    let authority = folder.path().join("clients.pem");
    std::fs::write(&authority, client.cert.pem()).unwrap();
    let (running, certificate) = serve_clients(&folder, Some(authority)).await;

    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let unsigned = rcgen::generate_simple_self_signed(vec!["gateway".to_owned()]).unwrap();
    let answered = async |identity: Option<&rcgen::CertifiedKey<rcgen::KeyPair>>| {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone());
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let key = identity.signing_key.serialize_der();
                let key = rustls_pki_types::PrivatePkcs8KeyDer::from(key).into();
                let chain = vec![identity.cert.der().clone()];
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        let connector = TlsConnector::from(Arc::new(config));
        let stream = TcpStream::connect(running.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = connector.connect(name, stream).await.ok()?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.ok()?;
        tokio::spawn(connection);
        let request = Request::get("/").header("host", "localhost");
        let request = request.body(Full::<Bytes>::default()).unwrap();
        sender.send_request(request).await.ok()
    };
    assert!(answered(Some(&client)).await.is_some());
    assert!(answered(None).await.is_none());
    assert!(answered(Some(&unsigned)).await.is_none());
}

#[tokio::test]
async fn a_file_that_cannot_be_used_for_tls_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let [certificate, key, empty] =
        ["kms.pem", "kms.key", "empty.pem"].map(|name| folder.path().join(name));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    std::fs::write(&empty, "").unwrap();
    let missing = folder.path().join("missing.pem");
    for (certificate_file, key_file, client_ca_file, named) in [
        (&empty, &key, None, &empty),
        (&missing, &key, None, &missing),
        (&certificate, &empty, None, &empty),
        (&certificate, &key, Some(empty.clone()), &empty),
    ] {
        let mut config = Config::fixture();
        config.tls = Some(Tls {
            certificate_file: certificate_file.clone(),
            key_file: key_file.clone(),
            client_ca_file,
        });
        let refused = start(config, Arc::new(ManualClock::new(now()))).await;
        let error = refused.err().unwrap().to_string();
        assert!(error.contains(&*named.to_string_lossy()), "{error}");
    }
}
