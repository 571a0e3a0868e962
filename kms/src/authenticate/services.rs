//! The secrets by which services prove themselves, as they were read last.

use std::sync::Arc;

use proto::identity::Secret;
use proto::renewal::Renewable;
use proto::service_secret;
use proto::service_secret::FileError;
use proto::sigv4::sha256_hex;
use subtle::Choice;
use subtle::ConstantTimeEq as _;
use tokio_util::sync::CancellationToken;
use tokio_util::sync::DropGuard;

use crate::authenticate::Config;

/// The secrets in use, which a file that changes replaces.
pub type ServiceSecrets = Renewable<AcceptedSecrets, FileError>;

/// Secrets that were read together.
pub struct AcceptedSecrets {
    /// SHA-256 of each, so that comparing takes the same time for every length.
    digests: Vec<String>,
    replaced: CancellationToken,
    _cancels_replaced: DropGuard,
}

impl AcceptedSecrets {
    fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let digest = |secret: &Secret| sha256_hex(secret.expose().as_bytes());
        let replaced = CancellationToken::new();
        Self {
            digests: secrets.into_iter().map(digest).collect(),
            _cancels_replaced: replaced.clone().drop_guard(),
            replaced,
        }
    }

    /// Whether a service proves itself by `token`. Takes as long for every wrong one.
    pub(crate) fn has(&self, token: &[u8]) -> bool {
        let offered = sha256_hex(token);
        let digests = self.digests.iter();
        let found = digests.fold(Choice::from(0), |found, digest| {
            found | digest.as_bytes().ct_eq(offered.as_bytes())
        });
        found.into()
    }

    /// Cancelled when others are in use.
    pub(crate) fn replaced(&self) -> CancellationToken {
        self.replaced.clone()
    }
}

/// The secrets that `config` has, or those in the file that it names: none, if it does neither.
///
/// # Errors
///
/// [`FileError`] for a file that cannot be used.
pub fn service_secrets(config: &Config) -> Result<Arc<ServiceSecrets>, FileError> {
    let secrets = match config.service_secret_file.clone() {
        None => Renewable::fixed(NAME, AcceptedSecrets::new(&config.service_secret)),
        Some(file) => Renewable::new(NAME, vec![file.clone()], move || {
            let secrets = service_secret::ServiceSecrets::read(&file)?;
            Ok(AcceptedSecrets::new(secrets.accepted()))
        })?,
    };
    Ok(Arc::new(secrets))
}

/// What they are in sentences.
const NAME: &str = "the secret of services";
