//! A key in the working set.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;

use arc_swap::ArcSwap;
use arc_swap::Guard;
use proto::identity::AccountId;
use proto::identity::Region;
use proto::policy::Policy;
use proto::policy::PolicyKind;
use uuid::Uuid;

use crate::crypto::ciphertext::KeyName;
use crate::crypto::material::Material;
use crate::crypto::material_id::MaterialId;
use crate::keys::place::Place;
use crate::keys::place::key_arn;
use crate::keys::record::LastUse;
use crate::keys::record::Record;

/// A key. Its names never change; what changes is read as one [`Snapshot`].
pub struct Key {
    account: AccountId,
    region: Region,
    id: Arc<str>,
    arn: Arc<str>,
    snapshot: ArcSwap<Snapshot>,
    last_use: Mutex<Latest>,
}

/// The latest use of a key.
enum Latest {
    /// As it was stored; none if there was none.
    Stored(Option<LastUse>),
    /// Since the key was read from the store.
    Noted(Use),
}

/// A cryptographic use of a key, in the form that costs a call the least.
pub(crate) struct Use {
    pub(crate) operation: &'static str,
    pub(crate) at_ms: i64,
    pub(crate) request_id: Arc<str>,
    pub(crate) event_id: Uuid,
}

/// A key at one moment.
pub struct Snapshot {
    /// What is stored of the key.
    pub record: Record,
    /// Its materials that are here, oldest first.
    pub materials: Vec<Arc<Material>>,
    current: Option<Arc<Material>>,
    /// Parsed when it is first needed: most keys have the default one, which is never parsed.
    policy: OnceLock<Option<Policy>>,
    open_to_its_account: bool,
}

impl Snapshot {
    fn new(
        account: &AccountId,
        region: &Region,
        record: Record,
        materials: Vec<Arc<Material>>,
    ) -> Self {
        let current = record.current().and_then(|current| {
            materials
                .iter()
                .find(|material| material.id_text() == current.id)
                .map(Arc::clone)
        });
        // Keys of partitions that were once taken for `aws` have its default policy.
        let open_to_its_account = [region.partition(), "aws"]
            .iter()
            .any(|partition| record.policy == default_policy_in(partition, account));
        Self {
            record,
            materials,
            current,
            policy: OnceLock::new(),
            open_to_its_account,
        }
    }

    /// The material that seals; none while the key waits for import.
    #[must_use]
    pub fn current(&self) -> Option<&Material> {
        self.current.as_deref()
    }

    /// Whether the policy is the default one, under which callers of the key's account may do
    /// everything.
    #[must_use]
    pub const fn is_open_to_its_account(&self) -> bool {
        self.open_to_its_account
    }

    /// The key's policy, parsed.
    #[must_use]
    pub fn policy(&self) -> Option<&Policy> {
        self.policy
            .get_or_init(|| Policy::parse(&self.record.policy, PolicyKind::Resource).ok())
            .as_ref()
    }

    /// The material of that id.
    #[must_use]
    pub fn material(&self, id: MaterialId) -> Option<&Material> {
        self.materials
            .iter()
            .map(Arc::as_ref)
            .find(|material| material.id() == id)
    }
}

impl Key {
    pub(crate) fn new(place: &Place<'_>, record: Record, materials: Vec<Arc<Material>>) -> Self {
        let Place {
            account,
            region,
            name,
        } = place;
        let last_use = Mutex::new(Latest::Stored(record.last_use.clone()));
        let snapshot = Snapshot::new(account, region, record, materials);
        Self {
            account: account.clone(),
            region: region.clone(),
            id: (*name).into(),
            arn: key_arn(account, region, name).into(),
            snapshot: ArcSwap::from_pointee(snapshot),
            last_use,
        }
    }

    /// The account that owns the key.
    #[must_use]
    pub const fn account(&self) -> &AccountId {
        &self.account
    }

    /// The Region the key is in.
    #[must_use]
    pub const fn region(&self) -> &Region {
        &self.region
    }

    /// The key's id.
    #[must_use]
    pub const fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The key's ARN.
    #[must_use]
    pub const fn arn(&self) -> &Arc<str> {
        &self.arn
    }

    /// The key's name in its blobs.
    #[must_use]
    pub fn name(&self) -> KeyName<'_> {
        KeyName {
            account: self.account.as_str(),
            region: self.region.as_str(),
            key_id: &self.id,
        }
    }

    /// Where the key is.
    pub(crate) fn place(&self) -> Place<'_> {
        Place::new(&self.account, &self.region, &self.id)
    }

    /// The key as it is now.
    #[must_use]
    pub fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// The same key for another working set: as it is now, and changed by itself from now on.
    pub(crate) fn twin(&self) -> Self {
        Self {
            account: self.account.clone(),
            region: self.region.clone(),
            id: Arc::clone(&self.id),
            arn: Arc::clone(&self.arn),
            snapshot: ArcSwap::new(self.snapshot.load_full()),
            last_use: Mutex::new(Latest::Stored(self.last_use())),
        }
    }

    pub(crate) fn replace(&self, record: Record, materials: Vec<Arc<Material>>) {
        let snapshot = Snapshot::new(&self.account, &self.region, record, materials);
        self.snapshot.store(Arc::new(snapshot));
    }

    /// The latest cryptographic use of the key.
    #[must_use]
    pub fn last_use(&self) -> Option<LastUse> {
        let latest = self.last_use.lock();
        match &*latest.unwrap_or_else(PoisonError::into_inner) {
            Latest::Stored(last_use) => last_use.clone(),
            Latest::Noted(noted) => Some(LastUse {
                operation: noted.operation.into(),
                at_ms: noted.at_ms,
                request_id: noted.request_id.to_string(),
                event_id: noted.event_id.to_string(),
            }),
        }
    }

    /// Notes a cryptographic use. It is written down with the key's next change.
    pub(crate) fn note_use(&self, noted: Use) {
        *self.last_use.lock().unwrap_or_else(PoisonError::into_inner) = Latest::Noted(noted);
    }
}

/// The policy of a key that was made without one: its account may do everything.
#[must_use]
pub fn default_policy(account: &AccountId, region: &Region) -> String {
    default_policy_in(region.partition(), account)
}

fn default_policy_in(partition: &str, account: &AccountId) -> String {
    format!(
        r#"{{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {{
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "arn:{partition}:iam::{account}:root"
    }},
    "Action" : "kms:*",
    "Resource" : "*"
  }} ]
}}"#
    )
}
