//! A key that is to be made, and its making.

use std::sync::Arc;

use proto::identity::AccountId;
use proto::identity::Region;
use proto::time::Timestamp;

use crate::crypto;
use crate::crypto::material::Material;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::Keys;
use crate::keys::key::Key;
use crate::keys::key::default_policy;
use crate::keys::metadata::KeySpec;
use crate::keys::metadata::KeyUsage;
use crate::keys::metadata::Manager;
use crate::keys::metadata::Origin;
use crate::keys::record::Import;
use crate::keys::record::KeyStoreLink;
use crate::keys::record::MaterialRecord;
use crate::keys::record::MultiRegion;
use crate::keys::record::Record;

/// A key that is to be made, whose parts go together.
pub(crate) struct Draft {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) key_id: String,
    pub(crate) spec: KeySpec,
    pub(crate) usage: KeyUsage,
    pub(crate) origin: Origin,
    pub(crate) multi_region: bool,
    pub(crate) key_store: Option<KeyStoreLink>,
    pub(crate) manager: Manager,
    pub(crate) description: String,
    pub(crate) policy: String,
    pub(crate) tags: Vec<(String, String)>,
}

impl Draft {
    /// A symmetric encryption key of the account's own, under the default policy.
    pub(crate) fn new(account: &AccountId, region: &Region, key_id: String) -> Self {
        Self {
            account: account.clone(),
            region: region.clone(),
            key_id,
            spec: KeySpec::SymmetricDefault,
            usage: KeyUsage::EncryptDecrypt,
            origin: Origin::AwsKms,
            multi_region: false,
            key_store: None,
            manager: Manager::Customer,
            description: String::new(),
            policy: default_policy(account, region),
            tags: Vec::new(),
        }
    }

    /// Makes the key, with fresh material unless its material is to be imported.
    pub(crate) fn make(self, keys: &Keys, now: Timestamp) -> Result<Arc<Key>, KmsError> {
        if self.origin == Origin::External {
            return self.make_of(keys, now, None);
        }
        let material = Material::generate(self.spec, &self.key_id).ok_or_else(not_offered)?;
        self.make_of(keys, now, Some(material))
    }

    /// Makes the key of that material, or one that waits for its import.
    pub(crate) fn make_of(
        self,
        keys: &Keys,
        now: Timestamp,
        material: Option<Material>,
    ) -> Result<Arc<Key>, KmsError> {
        let now_ms = now.unix_millis();
        let of = |material: &Material| MaterialRecord {
            import: (self.origin == Origin::External).then_some(Import {
                present: true,
                pending_rotation: false,
                valid_to_ms: None,
                description: None,
            }),
            ..MaterialRecord::new(material, now_ms, None)
        };
        let record = Record {
            spec: self.spec,
            usage: self.usage,
            origin: self.origin,
            manager: self.manager,
            description: self.description,
            created_ms: now_ms,
            enabled: true,
            deletion_ms: None,
            tags: self.tags,
            policy: self.policy,
            materials: material.iter().map(of).collect(),
            rotation: None,
            multi_region: self.multi_region.then(|| MultiRegion::new(&self.region)),
            deletion_window_days: None,
            key_store: self.key_store,
            grants: Vec::new(),
            last_use: None,
        };
        let materials = material.into_iter().map(Arc::new).collect();
        keys.create(&self.account, &self.region, &self.key_id, record, materials)
    }
}

/// An id that no other key has: a UUID, or for multi-Region keys `mrk-` and 32 hex digits.
pub(crate) fn fresh_id(multi_region: bool) -> String {
    if multi_region {
        return format!("mrk-{}", hex::encode(crypto::random_array::<16>()));
    }
    uuid::Builder::from_random_bytes(crypto::random_array())
        .into_uuid()
        .to_string()
}

/// Keys of SM2 exist in AWS's China Regions only.
pub(crate) fn not_offered() -> KmsError {
    KmsError::new(
        Code::UnsupportedOperationException,
        "Keys of this kind are not available in this Region.",
    )
}
