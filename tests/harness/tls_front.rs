//! A server of TLS before a server in clear, which can change the certificate that it shows while it runs.

use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;

use rcgen::CertifiedKey;
use rcgen::KeyPair;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

/// A certificate that vouches for itself, and its key.
pub type Pair = CertifiedKey<KeyPair>;

/// A new one for localhost.
///
/// # Panics
///
/// When it cannot be made.
#[must_use]
pub fn pair() -> Pair {
    rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap()
}

/// Puts a certificate and its key into two files of that name.
///
/// # Panics
///
/// When they cannot be written.
pub fn write(folder: &Path, name: &str, pair: &Pair) -> (PathBuf, PathBuf) {
    let [certificate, key] = ["pem", "key"].map(|kind| folder.join(format!("{name}.{kind}")));
    std::fs::write(&certificate, pair.cert.pem()).unwrap();
    std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    (certificate, key)
}

/// How a server shows a certificate, to clients with a certificate of one of these if there are any.
///
/// # Panics
///
/// When TLS cannot be set up.
#[must_use]
pub fn server(shown: &Pair, clients: &[&Pair], protocol: &[u8]) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        [] => builder.with_no_client_auth(),
        clients => {
            let mut roots = RootCertStore::empty();
            for client in clients {
                roots.add(client.cert.der().clone()).unwrap();
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = PrivatePkcs8KeyDer::from(shown.signing_key.serialize_der());
    let chain = vec![shown.cert.der().clone()];
    let mut config = builder.with_single_cert(chain, key.into()).unwrap();
    config.alpn_protocols = vec![protocol.to_vec()];
    Arc::new(config)
}

/// A server of TLS before a server in clear.
#[derive(Clone)]
pub struct Front {
    /// Its port, at localhost.
    pub port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    config: Arc<ServerConfig>,
    open: Vec<AbortHandle>,
    /// What clients have shown, one of each connection.
    clients: Vec<CertificateDer<'static>>,
}

impl Front {
    /// One before the server at `target`.
    ///
    /// # Panics
    ///
    /// When no port can be opened.
    #[must_use]
    pub fn start(target: SocketAddr, config: Arc<ServerConfig>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let listener = TcpListener::from_std(listener).unwrap();
        let state = Arc::new(Mutex::new(State {
            config,
            open: Vec::new(),
            clients: Vec::new(),
        }));
        let front = Self { port, state };
        let accepting = front.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = tokio::spawn(accepting.clone().serve(stream, target));
                let mut state = accepting.state.lock().unwrap();
                state.open.push(serving.abort_handle());
            }
        });
        front
    }

    async fn serve(self, stream: TcpStream, target: SocketAddr) {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.state.lock().unwrap().config));
        let Ok(mut stream) = acceptor.accept(stream).await else {
            return;
        };
        let shown = stream.get_ref().1.peer_certificates();
        let shown = shown.and_then(|chain| chain.first()).cloned();
        let shown = shown.map(CertificateDer::into_owned);
        self.state.lock().unwrap().clients.extend(shown);
        let mut onward = TcpStream::connect(target).await.unwrap();
        drop(tokio::io::copy_bidirectional(&mut stream, &mut onward).await);
    }

    /// Shows another certificate from now on. Open connections end.
    ///
    /// # Panics
    ///
    /// When a task of it panicked.
    pub fn replace(&self, config: Arc<ServerConfig>) {
        let mut state = self.state.lock().unwrap();
        state.config = config;
        state.open.drain(..).for_each(|open| open.abort());
    }

    /// The certificates that clients have shown, one of each connection.
    ///
    /// # Panics
    ///
    /// When a task of it panicked.
    #[must_use]
    pub fn clients(&self) -> Vec<CertificateDer<'static>> {
        self.state.lock().unwrap().clients.clone()
    }
}
