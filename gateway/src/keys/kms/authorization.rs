//! What the gateway proves itself by to a KMS that speaks gRPC: the secret that both share, as it was read last.

use std::path::Path;
use std::sync::Arc;

use proto::identity::Secret;
use proto::renewal::Renew;
use proto::renewal::Renewable;
use proto::service_secret::FileError;
use proto::service_secret::ServiceSecrets;
use tonic::metadata::Ascii;
use tonic::metadata::MetadataValue;
use zeroize::Zeroizing;

/// The `authorization` of each call.
pub(crate) struct Authorization(Arc<Renewable<MetadataValue<Ascii>, AuthorizationError>>);

impl Authorization {
    /// By one secret, always.
    ///
    /// # Errors
    ///
    /// [`AuthorizationError::Unsendable`].
    pub(crate) fn by(secret: &Secret) -> Result<Self, AuthorizationError> {
        let value = Renewable::fixed(NAME, bearer(secret)?);
        Ok(Self(Arc::new(value)))
    }

    /// By the first secret of a file, which is read again when it changes.
    ///
    /// # Errors
    ///
    /// [`AuthorizationError`] for a file that cannot be used.
    pub(crate) fn by_file(file: &Path) -> Result<Self, AuthorizationError> {
        let read = file.to_owned();
        let value = Renewable::new(NAME, vec![file.to_owned()], move || {
            bearer(ServiceSecrets::read(&read)?.sent())
        });
        Ok(Self(Arc::new(value?)))
    }

    /// What a call carries that is made now.
    pub(crate) fn current(&self) -> MetadataValue<Ascii> {
        (*self.0.current()).clone()
    }

    /// What is read again.
    pub(crate) fn renewed(&self) -> Arc<dyn Renew> {
        Arc::clone(&self.0) as Arc<dyn Renew>
    }
}

fn bearer(secret: &Secret) -> Result<MetadataValue<Ascii>, AuthorizationError> {
    let text = Zeroizing::new(format!("Bearer {}", secret.expose()));
    let value = MetadataValue::try_from(text.as_str());
    let mut value = value.map_err(|_| AuthorizationError::Unsendable)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Why the gateway cannot prove itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorizationError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// No header can carry the secret.
    #[error("the shared secret is not visible ASCII")]
    Unsendable,
}

/// What it is in sentences.
const NAME: &str = "the secret for the KMS";
