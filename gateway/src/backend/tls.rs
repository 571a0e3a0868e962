//! TLS to the servers that the gateway calls. Their certificates are always verified; what can be chosen is
//! by whom they may be vouched for.

use std::fmt::Display;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use hyper_rustls::ConfigBuilderExt as _;
use proto::renewal::Renew;
use proto::renewal::Renewable;
use rustls::ClientConfig;
use rustls::ConfigBuilder;
use rustls::RootCertStore;
use rustls::WantsVerifier;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls::sign::SingleCertAndKey;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;

use crate::backend::SetupError;

/// Files for TLS to a server, all PEM.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClientFiles<'a> {
    /// The authorities that may vouch for the server; the public ones if absent.
    pub(crate) authorities: Option<&'a Path>,
    /// The client's own certificate chain, if the server may demand one.
    pub(crate) certificate: Option<&'a Path>,
    /// The private key of that.
    pub(crate) key: Option<&'a Path>,
}

/// What secures the way to a server, in sentences.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names {
    /// The authorities that vouch for the server.
    pub(crate) authorities: &'static str,
    /// The client's certificate.
    pub(crate) certificate: &'static str,
}

/// How TLS 1.2 or 1.3 is spoken to a server: with the authorities, and the client's certificate, that are in use.
///
/// Each is read again by itself, so that an authority that is removed vouches for no server more, also while the
/// certificate cannot be used.
pub(crate) struct ClientTls {
    /// None trusts the public ones.
    authorities: Option<Arc<Renewable<RootCertStore, SetupError>>>,
    /// None shows no certificate.
    certificate: Option<Arc<Renewable<CertifiedKey, SetupError>>>,
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
    /// The version of HTTP.
    protocol: &'static [u8],
    made: Mutex<Made>,
}

/// What new connections are made with, and what it is made of.
struct Made {
    authorities: Option<Arc<RootCertStore>>,
    certificate: Option<Arc<CertifiedKey>>,
    config: Arc<ClientConfig>,
}

impl ClientTls {
    /// TLS by these files, for HTTP's version `protocol`.
    ///
    /// # Errors
    ///
    /// [`SetupError`] for a file that cannot be used, and for a certificate without a key or the other way round.
    pub(crate) fn new(
        files: ClientFiles<'_>,
        names: Names,
        protocol: &'static [u8],
    ) -> Result<Arc<Self>, SetupError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| SetupError::Tls(error.to_string()))?;
        let authorities = files.authorities.map(Path::to_owned).map(|file| {
            let read = vec![file.clone()];
            Renewable::new(names.authorities, read, move || roots(&file)).map(Arc::new)
        });
        let authorities = authorities.transpose()?;
        let certificate = match (files.certificate, files.key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => {
                let files = [certificate.to_owned(), key.to_owned()];
                let read = files.to_vec();
                let make = move || certified_key(&files, &provider);
                Some(Arc::new(Renewable::new(names.certificate, read, make)?))
            }
            _ => return Err(SetupError::Tls(HALF_AN_IDENTITY.to_owned())),
        };
        let made = Made::new(
            &builder,
            authorities.as_deref().map(Renewable::current),
            certificate.as_deref().map(Renewable::current),
            protocol,
        );
        Ok(Arc::new(Self {
            authorities,
            certificate,
            builder,
            protocol,
            made: Mutex::new(made),
        }))
    }

    /// What is read again.
    pub(crate) fn renewed(&self) -> Vec<Arc<dyn Renew>> {
        let authorities = self.authorities.clone().map(|it| it as Arc<dyn Renew>);
        let certificate = self.certificate.clone().map(|it| it as Arc<dyn Renew>);
        authorities.into_iter().chain(certificate).collect()
    }

    /// What a new connection is made with: another one when anything of it is another, so that no session is resumed
    /// that an authority vouched for which was removed.
    pub(crate) fn current(&self) -> Arc<ClientConfig> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_current(self.authorities.as_deref(), made.authorities.as_ref())
            || !is_current(self.certificate.as_deref(), made.certificate.as_ref())
        {
            *made = Made::new(
                &self.builder,
                self.authorities.as_deref().map(Renewable::current),
                self.certificate.as_deref().map(Renewable::current),
                self.protocol,
            );
        }
        Arc::clone(&made.config)
    }

    /// Whether a new connection is made with this.
    pub(crate) fn is_current(&self, config: &Arc<ClientConfig>) -> bool {
        Arc::ptr_eq(&self.current(), config)
    }
}

impl Made {
    fn new(
        builder: &ConfigBuilder<ClientConfig, WantsVerifier>,
        authorities: Option<Arc<RootCertStore>>,
        certificate: Option<Arc<CertifiedKey>>,
        protocol: &[u8],
    ) -> Self {
        let builder = match &authorities {
            None => builder.clone().with_webpki_roots(),
            Some(roots) => builder.clone().with_root_certificates(Arc::clone(roots)),
        };
        let mut config = match &certificate {
            None => builder.with_no_client_auth(),
            Some(certified) => {
                let shown = SingleCertAndKey::from(Arc::clone(certified));
                builder.with_client_cert_resolver(Arc::new(shown))
            }
        };
        config.alpn_protocols = vec![protocol.to_vec()];
        Self {
            authorities,
            certificate,
            config: Arc::new(config),
        }
    }
}

/// Whether a value is still the one in use; always if there is none.
fn is_current<T>(now: Option<&Renewable<T, SetupError>>, then: Option<&Arc<T>>) -> bool {
    now.zip(then).is_none_or(|(now, then)| now.is_current(then))
}

/// The certificate chain and its key in two PEM files.
fn certified_key(
    [certificate, key]: &[PathBuf; 2],
    provider: &CryptoProvider,
) -> Result<CertifiedKey, SetupError> {
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| refusal(key, &error))?;
    let certified = CertifiedKey::from_der(certificates(certificate)?, private, provider);
    certified.map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            let why = format!("the key in {} is another's", key.display());
            refusal(certificate, &why)
        }
        error => refusal(certificate, &error),
    })
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

fn refusal(file: &Path, why: &dyn Display) -> SetupError {
    SetupError::TlsFile {
        file: file.display().to_string(),
        why: why.to_string(),
    }
}
