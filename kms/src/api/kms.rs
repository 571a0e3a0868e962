//! A KMS: its keys, and the rules that hold for all calls to it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use proto::audit::Audit;
use proto::time::Clock;

use crate::api::call_counts::CallCounts;
use crate::authorize::Enforcement;
use crate::compat::Compat;
use crate::crypto::root_key::RootKey;
use crate::error::KmsError;
use crate::keys::Image;
use crate::keys::Keys;
use crate::keys::key::Key;
use crate::keys::key_sealer::OpenError;
use crate::keys::state::KeyState;
use crate::keys::store::NoStore;
use crate::keys::store::Store;
use crate::keys::upkeep;
use crate::quota::Quotas;
use crate::regions::Regions;

/// A KMS: all accounts and Regions of it.
pub struct Kms {
    pub(crate) keys: Keys,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) quotas: Arc<Quotas>,
    pub(crate) audit: Arc<Audit>,
    enforcement: ArcSwap<Enforcement>,
    compat: Compat,
    regions: Arc<Regions>,
    counts: CallCounts,
}

impl Kms {
    /// The KMS whose keys are in that store, sealed under that root key.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when the store does not open under the root key.
    pub fn open(
        store: Box<dyn Store>,
        root_key: &RootKey,
        clock: Arc<dyn Clock>,
        quotas: Arc<Quotas>,
        audit: Arc<Audit>,
    ) -> Result<Self, OpenError> {
        let keys = Keys::open(store, root_key)?;
        let kms = Self {
            keys,
            clock,
            quotas,
            audit,
            enforcement: ArcSwap::from_pointee(Enforcement::default()),
            compat: Compat::Aws,
            regions: Arc::default(),
            counts: CallCounts::default(),
        };
        if let Err(error) = upkeep::sweep(&kms.keys, kms.clock.now()) {
            tracing::warn!(%error, "keys whose waiting period is over are still in the store");
        }
        Ok(kms)
    }

    /// A KMS without keys, which stores nothing.
    #[must_use]
    pub fn ephemeral(clock: Arc<dyn Clock>, quotas: Arc<Quotas>, audit: Arc<Audit>) -> Self {
        Self::open(
            Box::new(NoStore),
            &RootKey::generate(),
            clock,
            quotas,
            audit,
        )
        .expect("a store of nothing opens under any root key")
    }

    /// The same KMS in the place of another emulator.
    #[must_use]
    pub fn compatible(mut self, compat: Compat) -> Self {
        self.compat = compat;
        self
    }

    /// The same KMS in those Regions.
    #[must_use]
    pub fn in_regions(mut self, regions: Regions) -> Self {
        self.regions = Arc::new(regions);
        self
    }

    /// The Regions that are served.
    #[must_use]
    pub const fn regions(&self) -> &Arc<Regions> {
        &self.regions
    }

    /// How often it was called.
    #[must_use]
    pub const fn counts(&self) -> &CallCounts {
        &self.counts
    }

    /// The ARNs of the keys that go by this id, ARN, alias or ARN of an alias now, in any account and Region.
    #[must_use]
    pub fn arns_of_keys_named(&self, name: &str) -> Vec<Arc<str>> {
        self.keys.arns_named(name)
    }

    /// The keys of all accounts and Regions that are not deleted, except those that AWS owns, with the names of
    /// their aliases.
    #[must_use]
    pub fn keys_with_aliases(&self) -> Vec<(Arc<Key>, Vec<String>)> {
        self.keys.all_with_aliases(self.clock.now())
    }

    /// The state of a key now.
    #[must_use]
    pub fn state_of(&self, key: &Key) -> KeyState {
        self.keys.state(key, self.clock.now())
    }

    /// Whether the keys are stored, and not in memory only.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.keys.is_durable()
    }

    /// Which emulator this one takes the place of.
    pub(crate) const fn compat(&self) -> Compat {
        self.compat
    }

    /// Changes how strictly key policies are followed, from the next call on.
    pub fn enforce(&self, enforcement: Enforcement) {
        self.enforcement.store(Arc::new(enforcement));
    }

    /// How strictly key policies are followed.
    #[must_use]
    pub fn enforcement(&self) -> Enforcement {
        **self.enforcement.load()
    }

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
            counts: CallCounts::default(),
        }
    }
}
