//! The core that both protocols share: one call for each operation, with AWS's order of checks.
//!
//! 1. The request fits the service model (`ValidationException`).
//! 2. The key is there (`NotFoundException`).
//! 3. The request quota is not used up (`ThrottlingException`); a key that is not there counts as
//!    symmetric.
//! 4. The caller may use the key (`AccessDeniedException`).
//! 5. The key's state and usage fit (`DisabledException`, `KMSInvalidStateException`,
//!    `InvalidKeyUsageException`).
//! 6. A dry run ends here (`DryRunOperationException`).
//! 7. The operation is done.
//!
//! Whatever the outcome, the audit trail records it.

mod alias;
mod call;
mod conditions;
mod constraints;
mod data_key;
mod data_key_pair;
mod encrypt;
mod grant;
mod image;
mod import;
mod key;
mod key_policy;
mod key_store;
mod localstack;
mod multi_region;
mod names;
mod operation;
mod page;
mod recipient;
mod rotation;
pub mod seed;
mod shared_secret;
mod sign;
mod table;
mod tag;
mod violations;

use std::sync::Arc;

use arc_swap::ArcSwap;
use proto::time::Clock;

pub(crate) use crate::api::call::Call;
pub use crate::api::operation::Answer;
pub use crate::api::operation::Operation;
pub use crate::api::operation::OperationName;
#[allow(unused_imports, reason = "for the modules above")]
pub(crate) use crate::api::table::operations;
use crate::audit::Audit;
use crate::authorize::Enforcement;
use crate::caller::Caller;
use crate::compat::Compat;
use crate::crypto::root_key::RootKey;
use crate::error::KmsError;
use crate::keys::Keys;
use crate::keys::key_sealer::OpenError;
use crate::keys::store::NoStore;
use crate::keys::store::Store;
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
        };
        if let Err(error) = kms.keys.sweep(kms.clock.now()) {
            tracing::warn!(%error, "keys whose waiting period is over are still in the store");
        }
        Ok(kms)
    }

    /// A KMS without keys that forgets everything when dropped.
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

    /// Does one operation for an authenticated caller.
    ///
    /// Operations that are [slow](OperationName::is_slow) block the thread.
    ///
    /// # Errors
    ///
    /// AWS's exception for the situation.
    pub fn call(&self, caller: &Caller, operation: Operation) -> Result<Answer, KmsError> {
        let mut call = Call::new(self, caller, operation.name());
        call.conditions = conditions::from_operation(&operation, caller);
        let mut answer = operation.run(&mut call);
        if self.compat == Compat::LocalStack {
            answer = localstack::as_recorded(answer);
        }
        call.record(answer.as_ref().err());
        answer
    }
}

#[cfg(test)]
mod tests;
