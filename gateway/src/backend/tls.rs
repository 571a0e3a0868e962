//! TLS to the servers that the gateway calls. Their certificates are always verified; what can be chosen is
//! by whom they may be vouched for.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt as _;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::ServerName;
use rustls_pki_types::pem::PemObject as _;

use crate::backend::Config;
use crate::backend::SetupError;
use crate::backend::address::Address;
use crate::backend::pool::Client;
use crate::backend::pool::Target;
use crate::backend::resolver::Resolver;
use crate::backend::resolver::without_root;

/// Where connections to `address` go, and over which TLS.
pub(crate) fn target(address: &Address, config: &Config) -> Result<Target, SetupError> {
    let host = address.bare_host().to_owned();
    let tls = match address.is_https() {
        false => None,
        true => {
            let name = ServerName::try_from(without_root(&host).to_owned())
                .map_err(|error| SetupError::Tls(error.to_string()))?;
            let files = [
                config.ca_file.clone(),
                config.client_cert_file.clone(),
                config.client_key_file.clone(),
            ];
            let paths = files.iter().flatten().cloned().collect();
            let make = move || {
                let [ca, certificate, key] = files.each_ref().map(Option::as_deref);
                client(ca, (certificate, key), b"http/1.1")
            };
            Some((Arc::new(Client::new(NAME, paths, make)?), name))
        }
    };
    Ok(Target {
        resolver: Resolver::system(),
        host,
        port: address.port(),
        tls,
    })
}

/// A client of HTTP's version `protocol` over TLS 1.2 or 1.3. `ca_file` has the authorities that may vouch for
/// the server, the public ones if absent; `identity` the client's own certificate chain and its private key, if
/// the server may demand one. All files are PEM.
///
/// # Errors
///
/// [`SetupError`] for a file that cannot be used, and for a certificate without a key or the other way round.
pub(crate) fn client(
    ca_file: Option<&Path>,
    identity: (Option<&Path>, Option<&Path>),
    protocol: &[u8],
) -> Result<ClientConfig, SetupError> {
    let tls = |error: rustls::Error| SetupError::Tls(error.to_string());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(tls)?;
    let builder = match ca_file {
        None => builder.with_webpki_roots(),
        Some(file) => builder.with_root_certificates(roots(file)?),
    };
    let mut client = match identity {
        (None, None) => builder.with_no_client_auth(),
        (Some(certificate), Some(key)) => {
            let private = PrivateKeyDer::from_pem_file(key);
            let private = private.map_err(|error| refusal(key, &error))?;
            let certified = builder.with_client_auth_cert(certificates(certificate)?, private);
            certified.map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => {
                    let why = format!("the key in {} is another's", key.display());
                    refusal(certificate, &why)
                }
                error => refusal(certificate, &error),
            })?
        }
        _ => return Err(SetupError::Tls(HALF_AN_IDENTITY.to_owned())),
    };
    client.alpn_protocols = vec![protocol.to_vec()];
    Ok(client)
}

/// The authorities in a PEM file.
fn roots(file: &Path) -> Result<RootCertStore, SetupError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        let added = roots.add(certificate);
        added.map_err(|error| refusal(file, &error))?;
    }
    Ok(roots)
}

/// The certificates of a PEM file, at least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let certificates = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    let certificates: Vec<_> = certificates.map_err(|error| refusal(file, &error))?;
    match certificates.is_empty() {
        true => Err(refusal(file, &"it holds no certificate")),
        false => Ok(certificates),
    }
}

/// What is wrong with a certificate without a key, or the other way round.
const HALF_AN_IDENTITY: &str = "a client certificate needs client_cert_file and client_key_file";

/// What secures the way to the backend, in sentences.
const NAME: &str = "authorities and certificate for the backend";

fn refusal(file: &Path, why: &dyn Display) -> SetupError {
    SetupError::TlsFile {
        file: file.display().to_string(),
        why: why.to_string(),
    }
}
