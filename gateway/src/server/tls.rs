//! The certificate of the HTTPS listener, which can be renewed while connections live on.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;

use crate::request::TlsParameters;

/// A certificate chain, the leaf first, and the leaf's key.
pub struct Certificate {
    /// The chain.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's private key.
    pub key: PrivateKeyDer<'static>,
}

/// The certificate in use.
pub(super) struct Certificates {
    files: Option<(PathBuf, PathBuf)>,
    current: ArcSwap<ServerConfig>,
}

impl Certificates {
    /// A certificate from memory, which is never renewed.
    pub(super) fn fixed(certificate: Certificate) -> Result<Self, TlsError> {
        let current = ArcSwap::new(server_config(certificate)?);
        Ok(Self {
            files: None,
            current,
        })
    }

    /// A certificate from PEM files: the chain and the key.
    pub(super) fn from_files(chain: PathBuf, key: PathBuf) -> Result<Self, TlsError> {
        let current = ArcSwap::new(server_config(read(&chain, &key)?)?);
        Ok(Self {
            files: Some((chain, key)),
            current,
        })
    }

    /// What the next connection is served with.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        self.current.load_full()
    }

    /// Reads the files again. A certificate that cannot be used leaves the old one in use.
    pub(super) fn reload(&self) -> Result<(), TlsError> {
        if let Some((chain, key)) = &self.files {
            self.current.store(server_config(read(chain, key)?)?);
        }
        Ok(())
    }

    /// When the files were last changed, where the file system has that.
    pub(super) fn modified(&self) -> Option<std::time::SystemTime> {
        let (chain, key) = self.files.as_ref()?;
        let time = |path| std::fs::metadata(path).and_then(|metadata| metadata.modified());
        time(chain).ok().max(time(key).ok())
    }
}

/// Reads a chain and its key.
fn read(chain: &PathBuf, key: &PathBuf) -> Result<Certificate, TlsError> {
    let failed = |path: &PathBuf, cause: String| TlsError(format!("{}: {cause}", path.display()));
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|cause| failed(chain, cause.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|cause| failed(key, cause.to_string()))?;
    Ok(Certificate {
        chain: certificates,
        key,
    })
}

/// TLS 1.2 and 1.3 with a certificate, for HTTP/1.1.
fn server_config(certificate: Certificate) -> Result<Arc<ServerConfig>, TlsError> {
    let failed = |cause: rustls::Error| TlsError(cause.to_string());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_no_client_auth()
        .with_single_cert(certificate.chain, certificate.key)
        .map_err(failed)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
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
        .unwrap_or("-");
    TlsParameters {
        version,
        cipher_suite,
    }
}

/// A certificate or key that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the certificate cannot be used: {0}")]
pub struct TlsError(String);
