//! TLS from a certificate and its key, with certificates of clients if they are demanded.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use proto::audit::TlsSession;
use proto::audit::openssl_name;
use proto::certificate::not_after;
use proto::renewal::Renew;
use proto::renewal::Renewable;
use rustls::ConfigBuilder;
use rustls::ProtocolVersion;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::WantsVerifier;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls::sign::SingleCertAndKey;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::Tls;
use crate::metrics::Metrics;
use crate::server::start_error::StartError;

/// How TLS is served: with the certificate, and the authorities of clients, that are in use.
///
/// Each is read again by itself, so that an authority that is removed vouches for nobody more, also while the
/// certificate cannot be used.
pub(crate) struct Certificates {
    certificate: Arc<Renewable<CertifiedKey, StartError>>,
    /// None demands no certificate of clients.
    clients: Option<Arc<Renewable<Verifier, StartError>>>,
    builder: ConfigBuilder<ServerConfig, WantsVerifier>,
    made: Mutex<Made>,
}

/// Checks the certificates of clients.
type Verifier = Arc<dyn ClientCertVerifier>;

/// What new connections are served with, and what it is made of.
struct Made {
    certificate: Arc<CertifiedKey>,
    clients: Option<Arc<Verifier>>,
    config: Arc<ServerConfig>,
}

impl Certificates {
    /// Those that a configuration names. `metrics` show the end of the certificate.
    pub(crate) fn new(tls: &Tls, metrics: &Arc<Metrics>) -> Result<Self, StartError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| StartError::tls(&tls.certificate_file, error))?;
        let certificate = {
            let files = vec![tls.certificate_file.clone(), tls.key_file.clone()];
            let (tls, metrics, provider) =
                (tls.clone(), Arc::clone(metrics), Arc::clone(&provider));
            Renewable::new(CERTIFICATE, files, move || {
                certified_key(&tls, &provider, &metrics)
            })?
        };
        let certificate = Arc::new(certificate);
        let clients = tls.client_ca_file.clone().map(|file| {
            let verifier = Renewable::new(CLIENTS, vec![file.clone()], move || {
                client_verifier(&file, Arc::clone(&provider))
            });
            verifier.map(Arc::new)
        });
        let clients = clients.transpose()?;
        let made = Made::new(&builder, certificate.current(), current(clients.as_ref()));
        Ok(Self {
            certificate,
            clients,
            builder,
            made: Mutex::new(made),
        })
    }

    /// What is read again.
    pub(crate) fn renewed(&self) -> impl Iterator<Item = Arc<dyn Renew>> {
        let clients = self
            .clients
            .clone()
            .map(|clients| clients as Arc<dyn Renew>);
        let certificate = Arc::clone(&self.certificate) as Arc<dyn Renew>;
        std::iter::once(certificate).chain(clients)
    }

    /// What a new connection is served with.
    ///
    /// It is another one when the authorities of clients are others: a client may resume a session without showing its
    /// certificate again, and sessions are the configuration's.
    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let clients = self.clients.iter().zip(&made.clients);
        let is_current = self.certificate.is_current(&made.certificate)
            && clients.fold(true, |is, (now, then)| is && now.is_current(then));
        if !is_current {
            let clients = current(self.clients.as_ref());
            *made = Made::new(&self.builder, self.certificate.current(), clients);
        }
        Arc::clone(&made.config)
    }
}

impl Made {
    /// TLS 1.2 and 1.3 for HTTP/2 and HTTP/1.1.
    fn new(
        builder: &ConfigBuilder<ServerConfig, WantsVerifier>,
        certificate: Arc<CertifiedKey>,
        clients: Option<Arc<Verifier>>,
    ) -> Self {
        let builder = match &clients {
            None => builder.clone().with_no_client_auth(),
            Some(verifier) => builder
                .clone()
                .with_client_cert_verifier(Verifier::clone(verifier)),
        };
        let shown = SingleCertAndKey::from(Arc::clone(&certificate));
        let mut config = builder.with_cert_resolver(Arc::new(shown));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self {
            certificate,
            clients,
            config: Arc::new(config),
        }
    }
}

/// What checks the certificates of clients now, if anything does.
fn current(clients: Option<&Arc<Renewable<Verifier, StartError>>>) -> Option<Arc<Verifier>> {
    clients.map(|clients| clients.current())
}

/// The certificate with its key, whose end `metrics` show from then on.
fn certified_key(
    tls: &Tls,
    provider: &CryptoProvider,
    metrics: &Metrics,
) -> Result<CertifiedKey, StartError> {
    let chain = certificates(&tls.certificate_file)?;
    let end = chain.first().and_then(|leaf| not_after(leaf));
    let key = PrivateKeyDer::from_pem_file(&tls.key_file)
        .map_err(|error| StartError::tls(&tls.key_file, error))?;
    let certified = CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            let key = tls.key_file.display();
            StartError::tls(
                &tls.certificate_file,
                format!("the key in {key} is another's"),
            )
        }
        error => StartError::tls(&tls.certificate_file, error),
    })?;
    if let Some(end) = end {
        metrics.show_certificate_end(end);
    }
    Ok(certified)
}

/// Does the handshake of a connection. One that speaks plain HTTP gets an answer that says so, and then
/// there is none.
///
/// # Errors
///
/// When the handshake fails or the connection breaks.
pub(crate) async fn accept(
    acceptor: &TlsAcceptor,
    mut stream: TcpStream,
) -> io::Result<Option<TlsStream<TcpStream>>> {
    let mut first = [0];
    // Methods of HTTP are letters; the first byte of TLS is the number of a record type.
    if stream.peek(&mut first).await? == 1 && first.iter().all(u8::is_ascii_uppercase) {
        stream.write_all(PLAIN_HTTP).await?;
        stream.shutdown().await?;
        // Closing before the request is read would reset the connection, and the answer with it.
        let mut unread = [0; 1024];
        while stream.read(&mut unread).await? > 0 {}
        return Ok(None);
    }
    acceptor.accept(stream).await.map(Some)
}

/// The certificates of a PEM file, at least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, StartError> {
    let failed = |error| StartError::tls(file, error);
    let certificates = CertificateDer::pem_file_iter(file)
        .map_err(failed)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    if certificates.is_empty() {
        return Err(StartError::tls(file, "the file has no certificate"));
    }
    Ok(certificates)
}

/// Demands of every client a certificate that an authority in `file` signed.
fn client_verifier(
    file: &Path,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, StartError> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(file)? {
        roots
            .add(authority)
            .map_err(|error| StartError::tls(file, error))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| StartError::tls(file, error))
}

/// What a connection whose handshake is over has agreed upon.
pub(crate) fn session(connection: &ServerConnection) -> TlsSession {
    let suite = connection
        .negotiated_cipher_suite()
        .and_then(|suite| suite.suite().as_str());
    TlsSession {
        version: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => UNKNOWN,
        },
        cipher_suite: suite.map_or(UNKNOWN, openssl_name),
    }
}

/// What it is in sentences.
const CERTIFICATE: &str = "the certificate of the KMS";
/// The same.
const CLIENTS: &str = "the authorities of clients";

/// The answer to plain HTTP.
const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\
    content-type: text/plain\r\ncontent-length: 40\r\n\r\nThis port speaks TLS: use https:// here.";

/// What stands for a version or suite that has no name here.
const UNKNOWN: &str = "unknown";
