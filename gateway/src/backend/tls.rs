//! TLS to the backend. Its certificate is always verified; what can be chosen is by whom it may be
//! vouched for.

use std::path::Path;
use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt as _;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::ServerName;
use rustls_pki_types::pem::PemObject as _;
use tokio_rustls::TlsConnector;

use crate::backend::Config;
use crate::backend::SetupError;
use crate::backend::address::Address;
use crate::backend::pool::Target;

/// Where connections to `address` go, and over which TLS.
pub(crate) fn target(address: &Address, config: &Config) -> Result<Target, SetupError> {
    let host = address.bare_host().to_owned();
    let tls = match address.is_https() {
        false => None,
        true => {
            let name = ServerName::try_from(host.clone())
                .map_err(|error| SetupError::Tls(error.to_string()))?;
            let connector = TlsConnector::from(Arc::new(client(config.ca_file.as_deref())?));
            Some((connector, name))
        }
    };
    Ok(Target {
        host,
        port: address.port(),
        tls,
    })
}

fn client(ca_file: Option<&Path>) -> Result<ClientConfig, SetupError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SetupError::Tls(error.to_string()))?;
    let builder = match ca_file {
        None => builder.with_webpki_roots(),
        Some(file) => builder.with_root_certificates(roots(file)?),
    };
    let mut client = builder.with_no_client_auth();
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(client)
}

/// The authorities in a PEM file.
pub(crate) fn roots(file: &Path) -> Result<RootCertStore, SetupError> {
    let refuse = |why: String| SetupError::CaFile {
        file: file.display().to_string(),
        why,
    };
    let mut roots = RootCertStore::empty();
    let certificates =
        CertificateDer::pem_file_iter(file).map_err(|error| refuse(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| refuse(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| refuse(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(refuse("it holds no certificate".to_owned()));
    }
    Ok(roots)
}
