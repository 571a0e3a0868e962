//! What is kept of a key besides its material.

use crate::keys::metadata::KeySpec;
use crate::keys::metadata::KeyUsage;
use crate::keys::metadata::Manager;
use crate::keys::metadata::Origin;
use crate::keys::state::KeyState;
use proto::time::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use std::borrow::Cow;

/// What is kept of a key besides its material. Times are milliseconds since 1970.
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
    /// Its owner's words.
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
    /// Its latest cryptographic use that was written down.
    #[serde(default)]
    pub last_use: Option<LastUse>,
}

/// What is kept of one key material besides the material.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MaterialRecord {
    /// Its id: 64 hex digits.
    pub id: String,
    /// When it became the key's material.
    pub since_ms: i64,
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
    pub fn state(&self, _now: Timestamp) -> KeyState {
        if self.deletion_ms.is_some() {
            KeyState::PendingDeletion
        } else if self.materials.is_empty() {
            KeyState::PendingImport
        } else if self.enabled {
            KeyState::Enabled
        } else {
            KeyState::Disabled
        }
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

    /// Whether the key's waiting period is over, so that it is no more.
    #[must_use]
    pub fn is_deleted(&self, now: Timestamp) -> bool {
        self.deletion_ms.is_some_and(|at| at <= now.unix_millis())
    }
}
