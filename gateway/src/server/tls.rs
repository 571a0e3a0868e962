//! The certificate of the HTTPS listener, which can be renewed while connections live on.

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use proto::audit::openssl_name;
use proto::certificate::not_after;
use proto::renewal::Renewable;
use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::measured::CERTIFICATE_EXPIRY;
use crate::request::TlsParameters;

/// A certificate chain, the leaf first, and the leaf's key.
pub struct Certificate {
    /// The chain.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's private key.
    pub key: PrivateKeyDer<'static>,
}

/// How TLS is served: with the certificate in use.
pub(super) type Certificates = Renewable<ServerConfig, TlsError>;

/// A certificate from memory, which is never renewed.
pub(super) fn fixed(certificate: Certificate) -> Result<Certificates, TlsError> {
    let config = server_config(certificate).map_err(|cause| TlsError(cause.to_string()))?;
    Ok(Renewable::fixed(NAME, config))
}

/// A certificate from PEM files: the chain and the key.
pub(super) fn from_files(chain: PathBuf, key: PathBuf) -> Result<Certificates, TlsError> {
    let files = vec![chain.clone(), key.clone()];
    Renewable::new(NAME, files, move || read(&chain, &key))
}

/// Reads a chain and its key, and uses them.
fn read(chain: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let failed = |path: &Path, cause: String| TlsError(format!("{}: {cause}", path.display()));
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|cause| failed(chain, cause.to_string()))?;
    if certificates.is_empty() {
        return Err(failed(chain, "the file has no certificate".to_owned()));
    }
    let private = PrivateKeyDer::from_pem_file(key);
    let private = private.map_err(|cause| failed(key, cause.to_string()))?;
    let certificate = Certificate {
        chain: certificates,
        key: private,
    };
    server_config(certificate).map_err(|cause| match cause {
        rustls::Error::InconsistentKeys(_) => {
            let key = key.display();
            failed(chain, format!("the key in {key} is another's"))
        }
        cause => failed(chain, cause.to_string()),
    })
}

/// TLS 1.2 and 1.3 with a certificate, for HTTP/1.1.
fn server_config(certificate: Certificate) -> Result<ServerConfig, rustls::Error> {
    let end = certificate.chain.first().and_then(|leaf| not_after(leaf));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificate.chain, certificate.key)?;
    if let Some(end) = end {
        metrics::gauge!(CERTIFICATE_EXPIRY).set(end.unix_seconds_f64());
    }
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Does the handshake of a connection. One that speaks plain HTTP gets an answer that says so, and then
/// there is none.
pub(super) async fn accept(
    acceptor: &TlsAcceptor,
    mut stream: TcpStream,
) -> io::Result<Option<TlsStream<TcpStream>>> {
    let mut first = [0];
    // Methods of HTTP are letters; the first byte of TLS is the number of a record type.
    if stream.peek(&mut first).await? == 1 && first.iter().all(u8::is_ascii_uppercase) {
        let head = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/xml";
        let length = PLAIN_HTTP.len();
        let answer = format!("{head}\r\nContent-Length: {length}\r\n\r\n{PLAIN_HTTP}");
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        // Closing before the request is read would reset the connection, and the answer with it.
        let mut unread = [0; 1024];
        while stream.read(&mut unread).await? > 0 {}
        return Ok(None);
    }
    acceptor.accept(stream).await.map(Some)
}

/// What a handshake agreed on.
pub(super) fn parameters(connection: &rustls::ServerConnection) -> TlsParameters {
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        _ => "TLSv1.2",
    };
    let suite = connection.negotiated_cipher_suite();
    let cipher_suite = suite
        .and_then(|suite| suite.suite().as_str())
        .map_or("-", openssl_name);
    TlsParameters {
        version,
        cipher_suite,
    }
}

/// A certificate or key that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the certificate cannot be used: {0}")]
pub struct TlsError(String);

/// What it is in sentences.
const NAME: &str = "the certificate of the HTTPS port";

/// The answer to plain HTTP.
const PLAIN_HTTP: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>InvalidRequest</Code>\
    <Message>This is the port of HTTPS: use https:// in the endpoint's URL.</Message></Error>";
