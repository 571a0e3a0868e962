//! TLS from a certificate and its key, with certificates of clients if they are demanded.

use std::io;
use std::path::Path;
use std::sync::Arc;

use proto::audit::TlsSession;
use proto::audit::openssl_name;
use proto::certificate::not_after;
use proto::renewal::Renewable;
use rustls::ProtocolVersion;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
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
pub(crate) type Certificates = Renewable<ServerConfig, StartError>;

/// The certificate that a configuration names, whose end `metrics` show.
pub(crate) fn certificates_of(
    tls: &Tls,
    metrics: &Arc<Metrics>,
) -> Result<Certificates, StartError> {
    let (tls, metrics) = (tls.clone(), Arc::clone(metrics));
    let files = [&tls.certificate_file, &tls.key_file];
    let files = files.into_iter().chain(&tls.client_ca_file);
    let files = files.cloned().collect();
    Renewable::new(NAME, files, move || server_config(&tls, &metrics))
}

/// TLS 1.2 and 1.3 for HTTP/2 and HTTP/1.1.
fn server_config(tls: &Tls, metrics: &Metrics) -> Result<ServerConfig, StartError> {
    let chain = certificates(&tls.certificate_file)?;
    let end = chain.first().and_then(|leaf| not_after(leaf));
    let key = PrivateKeyDer::from_pem_file(&tls.key_file)
        .map_err(|error| StartError::tls(&tls.key_file, error))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| StartError::tls(&tls.certificate_file, error))?;
    let builder = match &tls.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(file) => builder.with_client_cert_verifier(client_verifier(file, provider)?),
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                let key = tls.key_file.display();
                StartError::tls(
                    &tls.certificate_file,
                    format!("the key in {key} is another's"),
                )
            }
            error => StartError::tls(&tls.certificate_file, error),
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if let Some(end) = end {
        metrics.show_certificate_end(end);
    }
    Ok(config)
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
const NAME: &str = "the certificate and the authorities of clients";

/// The answer to plain HTTP.
const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\
    content-type: text/plain\r\ncontent-length: 40\r\n\r\nThis port speaks TLS: use https:// here.";

/// What stands for a version or suite that has no name here.
const UNKNOWN: &str = "unknown";
