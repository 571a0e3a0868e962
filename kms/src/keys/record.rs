//! What is stored of a key besides its material.

use std::borrow::Cow;
use std::sync::Arc;

use proto::identity::Region;
use proto::time::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::crypto::material::Material;
use crate::error::KmsError;
use crate::keys::grant::Grant;
use crate::keys::metadata::KeySpec;
use crate::keys::metadata::KeyUsage;
use crate::keys::metadata::Manager;
use crate::keys::metadata::Origin;
use crate::keys::state::KeyState;

/// What is stored of a key besides its material. Times are milliseconds since 1970.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// What the key is made of.
    pub spec: KeySpec,
    /// What it may be used for.
    pub usage: KeyUsage,
    /// Where its material comes from.
    pub origin: Origin,
    /// Who manages it.
    pub manager: Manager,
    /// The owner's description.
    pub description: String,
    /// When it was made.
    pub created_ms: i64,
    /// Whether its owner lets it be used.
    pub enabled: bool,
    /// When it will be deleted, if it is scheduled to be.
    pub deletion_ms: Option<i64>,
    /// Its tags, in the order they were given.
    pub tags: Vec<(String, String)>,
    /// Its key policy, as it was given.
    pub policy: String,
    /// Its materials, oldest first.
    pub materials: Vec<MaterialRecord>,
    /// How it rotates automatically, if it does.
    #[serde(default)]
    pub rotation: Option<Rotation>,
    /// The Regions it is in, if it is a multi-Region key.
    #[serde(default)]
    pub multi_region: Option<MultiRegion>,
    /// Days it will wait for its deletion once its last replica is deleted.
    #[serde(default)]
    pub deletion_window_days: Option<i32>,
    /// The custom key store it is in, if it is in one.
    #[serde(default)]
    pub key_store: Option<KeyStoreLink>,
    /// Its grants, oldest first.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// Its latest cryptographic use that was written down.
    #[serde(default)]
    pub last_use: Option<LastUse>,
}

/// What is stored of one key material besides the material.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MaterialRecord {
    /// Its id: 64 hex digits.
    pub id: String,
    /// When it became the key's material, or was imported to become it.
    pub since_ms: i64,
    /// The rotation that made it the key's material; none for the first.
    #[serde(default)]
    pub rotation: Option<RotationType>,
    /// What is special about imported material; none for material made here.
    #[serde(default)]
    pub import: Option<Import>,
}

impl MaterialRecord {
    /// The record of a material that is not imported.
    #[must_use]
    pub fn new(material: &Material, since_ms: i64, rotation: Option<RotationType>) -> Self {
        Self {
            id: material.id_text().to_owned(),
            since_ms,
            rotation,
            import: None,
        }
    }
}

/// How a material came to replace the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RotationType {
    /// When the period was over.
    #[serde(rename = "AUTOMATIC")]
    Automatic,
    /// By RotateKeyOnDemand.
    #[serde(rename = "ON_DEMAND")]
    OnDemand,
}

impl RotationType {
    /// AWS's spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Automatic => "AUTOMATIC",
            Self::OnDemand => "ON_DEMAND",
        }
    }
}

/// What is special about imported key material.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// Whether the material is here; it can be deleted and imported again.
    pub present: bool,
    /// Whether it waits for a rotation on demand to become the key's material.
    pub pending_rotation: bool,
    /// When it expires, if it does.
    pub valid_to_ms: Option<i64>,
    /// The owner's description.
    pub description: Option<String>,
}

/// The Regions of a multi-Region key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MultiRegion {
    /// Region of the primary key.
    pub primary: Region,
    /// All Regions, the primary's among them, in their order.
    pub regions: Vec<Region>,
}

/// Where a key of a custom key store really is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyStoreLink {
    /// Id of the custom key store.
    pub id: String,
    /// Id of the external key, in an external key store.
    pub external_key: Option<String>,
    /// Id of the cluster, in an AWS CloudHSM key store.
    pub cluster: Option<String>,
}

impl MultiRegion {
    /// A key that is in one Region so far.
    #[must_use]
    pub fn new(primary: &Region) -> Self {
        Self {
            primary: primary.clone(),
            regions: vec![primary.clone()],
        }
    }
}

/// Automatic rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// From one rotation to the next.
    pub period_days: i32,
    /// When the next is due.
    pub next_ms: i64,
}

/// A cryptographic use of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUse {
    /// The operation.
    pub operation: Cow<'static, str>,
    /// When.
    pub at_ms: i64,
    /// The request.
    pub request_id: String,
    /// The event of it in the audit trail.
    pub event_id: String,
}

impl Record {
    /// The state of the key at that time.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> KeyState {
        let missing = |material: &MaterialRecord| {
            material
                .import
                .as_ref()
                .is_some_and(|import| !import.pending_rotation && !import.is_here(now))
        };
        if self.deletion_ms.is_some() {
            KeyState::PendingDeletion
        } else if self.deletion_window_days.is_some() {
            KeyState::PendingReplicaDeletion
        } else if self.current().is_none() || self.materials.iter().any(missing) {
            KeyState::PendingImport
        } else if self.enabled {
            KeyState::Enabled
        } else {
            KeyState::Disabled
        }
    }

    /// The material that seals, here or not; none before the first import.
    #[must_use]
    pub fn current(&self) -> Option<&MaterialRecord> {
        self.materials
            .iter()
            .rev()
            .find(|material| !material.import.as_ref().is_some_and(|i| i.pending_rotation))
    }

    /// Whether it is the primary of a multi-Region key, seen from its own Region.
    #[must_use]
    pub fn is_primary(&self, region: &Region) -> bool {
        self.multi_region
            .as_ref()
            .is_some_and(|multi_region| multi_region.primary == *region)
    }

    /// Whether it is a replica of a multi-Region key, seen from its own Region.
    #[must_use]
    pub fn is_replica(&self, region: &Region) -> bool {
        self.multi_region
            .as_ref()
            .is_some_and(|multi_region| multi_region.primary != *region)
    }

    /// Whether the material of that id is here, expired or not.
    #[must_use]
    pub fn holds(&self, material_id: &str) -> bool {
        let is_here = |known: &MaterialRecord| known.import.as_ref().is_none_or(|it| it.present);
        let mut known = self.materials.iter();
        known.any(|known| known.id == material_id && is_here(known))
    }

    /// Rotates the key to fresh material, which goes to `materials`.
    ///
    /// # Errors
    ///
    /// `KMSInternalException` for a spec whose keys are not made here.
    pub fn rotate(
        &mut self,
        materials: &mut Vec<Arc<Material>>,
        key_id: &str,
        since_ms: i64,
        rotation: RotationType,
    ) -> Result<(), KmsError> {
        let material = Material::generate(self.spec, key_id).ok_or_else(KmsError::internal)?;
        let record = MaterialRecord::new(&material, since_ms, Some(rotation));
        self.materials.push(record);
        materials.push(Arc::new(material));
        Ok(())
    }

    /// Whether a rotation is due.
    #[must_use]
    pub fn rotation_due(&self, now: Timestamp) -> bool {
        self.rotation.is_some_and(|rotation| {
            rotation.next_ms <= now.unix_millis() && self.deletion_ms.is_none() && self.enabled
        })
    }

    /// The key's algorithms for `usage`; none if the key is for another usage.
    #[must_use]
    pub fn algorithms(&self, usage: KeyUsage) -> Vec<String> {
        let own = if self.usage == usage {
            self.spec.algorithms(usage)
        } else {
            &[]
        };
        own.iter().map(|name| (*name).to_owned()).collect()
    }

    /// Whether the key's waiting period is over, so that it is deleted.
    #[must_use]
    pub fn is_deleted(&self, now: Timestamp) -> bool {
        self.deletion_ms.is_some_and(|at| at <= now.unix_millis())
    }
}

impl Import {
    /// Whether the material expires, in AWS's words.
    #[must_use]
    pub const fn expiration_model(&self) -> &'static str {
        match self.valid_to_ms {
            Some(_) => "KEY_MATERIAL_EXPIRES",
            None => "KEY_MATERIAL_DOES_NOT_EXPIRE",
        }
    }

    /// Whether the material is here and has not expired.
    #[must_use]
    pub fn is_here(&self, now: Timestamp) -> bool {
        self.present && self.valid_to_ms.is_none_or(|at| at > now.unix_millis())
    }
}
