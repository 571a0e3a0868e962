//! The HTTPS listener: clients that stall, and certificates that are renewed under open connections.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use proto::time::Clock as _;
use proto::time::SystemClock;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use sealgate::certificate::LOCAL_NAMES;
use sealgate::certificate::LocalAuthority;
use tests::signed::Draft;
use tests::world::World;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Longer than anything here should take.
const SOON: Duration = Duration::from_secs(8);

#[tokio::test]
async fn a_tls_handshake_that_stalls_is_cut_off_while_others_are_served() {
    let world = World::setup()
        .gateway(|config| config.limits.handshake_timeout_ms = 100)
        .start()
        .await;
    let address = world.gateway.tls_addr.unwrap();
    // The head of a record that announces 512 bytes, and nothing after it.
    let starts: [&[u8]; 2] = [b"", &[0x16, 3, 1, 2, 0]];
    for start in starts {
        let mut stalled = TcpStream::connect(address).await.unwrap();
        stalled.write_all(start).await.unwrap();
        let served = world.send_tls(Draft::raw(Method::GET, "/")).await;
        assert_eq!(served.status(), 200);
        let mut rest = Vec::new();
        // Closed or reset, whichever: it ends.
        let _ = timeout(SOON, stalled.read_to_end(&mut rest)).await.unwrap();
    }
}

#[tokio::test]
async fn a_renewed_certificate_serves_new_connections_and_open_ones_go_on() {
    let files = Files::new();
    let first = files.renew();
    let (world, config) = files.world().await;
    let mut open = files.connect(&world).await;
    assert_eq!(presented(&open), first);
    ask(&mut open).await;

    let second = files.renew();
    world.gateway.reload(&config).unwrap();
    assert_ne!(first, second);
    assert_eq!(presented(&files.connect(&world).await), second);
    ask(&mut open).await;
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_leaves_the_old_one_in_use() {
    let files = Files::new();
    let first = files.renew();
    let (world, config) = files.world().await;
    for broken in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n"] {
        std::fs::write(files.chain(), broken).unwrap();
        assert!(world.gateway.reload(&config).is_err(), "{broken}");
        assert_eq!(presented(&files.connect(&world).await), first);
    }
}

/// A certificate authority, and the files of the certificate that it issued last.
struct Files {
    folder: tempfile::TempDir,
    authority: LocalAuthority,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = LocalAuthority::open_or_create(folder.path(), SystemClock.now()).unwrap();
        Self { folder, authority }
    }

    fn chain(&self) -> PathBuf {
        self.folder.path().join("chain.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// Writes a new certificate; gives its leaf.
    fn renew(&self) -> CertificateDer<'static> {
        let issued = self.authority.issue(&LOCAL_NAMES, SystemClock.now());
        let issued = issued.unwrap();
        let leaf = issued.chain.first().unwrap().clone();
        write_pem(&self.chain(), "CERTIFICATE", &leaf);
        write_pem(&self.key(), "PRIVATE KEY", issued.key.secret_der());
        leaf
    }

    /// A gateway that serves with the files, and its configuration.
    async fn world(&self) -> (World, gateway::config::Config) {
        let (chain, key) = (self.chain(), self.key());
        let (tell, seen) = std::sync::mpsc::channel();
        let world = World::setup().gateway(move |config| {
            config.listen.certificate_file = Some(chain);
            config.listen.private_key_file = Some(key);
            tell.send(config.clone()).unwrap();
        });
        let world = world.start().await;
        (world, seen.recv().unwrap())
    }

    /// A connection of a client that trusts the authority.
    async fn connect(&self, world: &World) -> TlsStream<TcpStream> {
        let ca_pem = std::fs::read_to_string(self.authority.certificate_file()).unwrap();
        let connector = TlsConnector::from(tests::world::trusting(&ca_pem));
        let address = world.gateway.tls_addr.unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        connector.connect(name, stream).await.unwrap()
    }
}

fn write_pem(file: &Path, label: &str, der: &[u8]) {
    let text = STANDARD.encode(der);
    let pem = format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n");
    std::fs::write(file, pem).unwrap();
}

/// The certificate that the other end has shown.
fn presented(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    let chain = stream.get_ref().1.peer_certificates().unwrap();
    chain.first().unwrap().clone().into_owned()
}

/// Sends a request on a connection that stays open, and reads its answer: nobody may do that.
async fn ask(stream: &mut TlsStream<TcpStream>) {
    let request = b"HEAD /bucket HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 403"));
}
