//! Reset, restore and fork of a whole KMS.

use std::sync::Arc;

use arc_swap::ArcSwap;
use proto::time::Clock;

use crate::api::Kms;
use crate::audit::Audit;
use crate::error::KmsError;
use crate::keys::Image;
use crate::quota::Quotas;

impl Kms {
    /// All keys, aliases and custom key stores as they are now.
    #[must_use]
    pub fn image(&self) -> Image {
        self.keys.image()
    }

    /// Puts an image in the place of all keys. Request quotas forget what was used.
    ///
    /// # Errors
    ///
    /// `KMSInternalException` when it could not be made durable; then nothing has changed.
    pub fn restore(&self, image: &Image) -> Result<(), KmsError> {
        self.keys.restore(image)?;
        self.quotas.restart();
        Ok(())
    }

    /// Forgets all keys, the audit events in memory, and the quotas' usage.
    ///
    /// # Errors
    ///
    /// As [`Kms::restore`].
    pub fn reset(&self) -> Result<(), KmsError> {
        self.restore(&Image::default())?;
        self.audit.clear();
        Ok(())
    }

    /// Another KMS with the keys of an image, and this one's rules. It stores nothing.
    #[must_use]
    pub fn fork(
        &self,
        image: &Image,
        clock: Arc<dyn Clock>,
        quotas: Arc<Quotas>,
        audit: Arc<Audit>,
    ) -> Self {
        Self {
            keys: self.keys.fork(image),
            clock,
            quotas,
            audit,
            enforcement: ArcSwap::from_pointee(self.enforcement()),
            compat: self.compat,
            regions: Arc::clone(&self.regions),
        }
    }
}
