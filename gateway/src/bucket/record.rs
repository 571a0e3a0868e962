//! All that is stored about one bucket: one sealed document, `buckets/<bucket>/record`.
//!
//! The document is only ever replaced, and only where it is still in the state that was read
//! ([`crate::bucket::record_store`]). Each change has a [`BucketRecord::revision`] of its own, one
//! higher than the one before. The document is never removed: a bucket that is deleted leaves a record
//! of phase [`Phase::Gone`]. So an older record can be told from a newer one, and a bucket that never
//! had a record from one whose record was removed at the backend. Each bucket of a name has another
//! [`Incarnation`]; what was read of one is never used for another.
//!
//! An unknown field, phase or version is an error: a gateway must not act on half of what was decided.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

use crate::bucket::document::Document;
use crate::bucket::document::cors::Rules;
use crate::bucket::document::encryption::Rule;
use crate::bucket::document::logging::LoggingStatus;
use crate::bucket::document::ownership::StoredOwnership;
use crate::bucket::document::policy::BucketPolicy;
use crate::bucket::document::public_access::StoredBlock;
use crate::bucket::document::versioning::MfaDelete;
use crate::chunks::random::Random;
use crate::protocol::acl::Acl;

/// What is stored about a bucket.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketRecord {
    version: Version,
    /// How many changes led to this, over all buckets of the name. The first record has 1.
    pub revision: u64,
    /// Which of the buckets of the name it is about.
    pub incarnation: Incarnation,
    /// How far the bucket is created or deleted.
    pub phase: Phase,
    /// The account that the bucket belongs to.
    pub owner: String,
    /// Whether the backend lists the ETags that clients see ([`crate::records::listed_etags`]).
    pub listed_etags: bool,
    /// The `LocationConstraint` that it was created with, where that is not the gateway's own Region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The access points that are attached to it: the account of each, by its alias. An access point that is not
    /// among them does not exist.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub access_points: BTreeMap<String, String>,
    /// What its owner configured.
    pub configurations: Configurations,
}

/// The configurations of a bucket that the gateway stores itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configurations {
    /// Its policy.
    #[serde(default, with = "shared", skip_serializing_if = "Option::is_none")]
    pub policy: Option<Arc<BucketPolicy>>,
    /// Its cross-origin rules.
    #[serde(default, with = "shared", skip_serializing_if = "Option::is_none")]
    pub cors: Option<Arc<Rules>>,
    /// Its default encryption.
    #[serde(default, with = "shared", skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Arc<Rule>>,
    /// What it blocks of public access.
    #[serde(default, with = "shared", skip_serializing_if = "Option::is_none")]
    pub public_access_block: Option<Arc<StoredBlock>>,
    /// Where its access log goes.
    #[serde(default, with = "shared", skip_serializing_if = "Option::is_none")]
    pub logging: Option<Arc<LoggingStatus>>,
    /// Its MFA Delete, once that was configured. A gateway that does not support it refuses the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa_delete: Option<MfaDelete>,
    /// Who owns its objects, where that is or was not the owner of the bucket alone.
    #[serde(default, with = "shared", skip_serializing_if = "Option::is_none")]
    pub ownership: Option<Arc<StoredOwnership>>,
    /// Its access control list, once one was set. It counts where `ownership` lets it.
    #[serde(default, with = "shared", skip_serializing_if = "Option::is_none")]
    pub acl: Option<Arc<Acl>>,
}

/// How far a bucket is created or deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Its name is reserved for its owner. If the backend has the bucket it counts as live.
    Creating,
    /// It is in use.
    Live,
    /// The backend received the request to delete it, or is about to.
    Deleting,
    /// It was deleted, or never came to be.
    Gone,
}

/// Which of the buckets of one name: 16 random bytes, in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Incarnation(String);

impl Incarnation {
    /// A new one.
    #[must_use]
    pub fn new(random: &dyn Random) -> Self {
        let mut bytes = [0; 16];
        random.fill(&mut bytes);
        Self(hex::encode(bytes))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The version of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
struct Version;

impl TryFrom<u32> for Version {
    type Error = &'static str;

    fn try_from(version: u32) -> Result<Self, Self::Error> {
        match version {
            VERSION => Ok(Self),
            _ => Err("a record of a later version"),
        }
    }
}

impl From<Version> for u32 {
    fn from(_: Version) -> Self {
        VERSION
    }
}

const VERSION: u32 = 1;

impl BucketRecord {
    /// The first record of a bucket of `owner` without any configuration, before it is stored.
    #[must_use]
    pub fn new(owner: &str, phase: Phase, random: &dyn Random) -> Self {
        Self {
            version: Version,
            revision: 0,
            incarnation: Incarnation::new(random),
            phase,
            owner: owner.to_owned(),
            listed_etags: false,
            location: None,
            access_points: BTreeMap::new(),
            configurations: Configurations::default(),
        }
    }

    /// Whether the bucket can be used, as far as its record goes.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        matches!(self.phase, Phase::Creating | Phase::Live)
    }

    /// The same bucket in another phase.
    #[must_use]
    pub fn in_phase(&self, phase: Phase) -> Self {
        Self {
            phase,
            ..self.clone()
        }
    }

    /// What is left of a bucket that was deleted.
    #[must_use]
    pub fn tombstone(&self) -> Self {
        Self {
            phase: Phase::Gone,
            listed_etags: false,
            location: None,
            access_points: BTreeMap::new(),
            configurations: Configurations::default(),
            ..self.clone()
        }
    }
}

/// A document that has a place in the record of a bucket.
pub trait RecordedDocument: Document {
    /// Its place.
    fn find(configurations: &Configurations) -> Option<&Arc<Self>>;

    /// Puts one there, or removes it.
    fn set(configurations: &mut Configurations, document: Option<Arc<Self>>);
}

/// Gives documents their places.
macro_rules! places {
    ($($document:ty: $place:ident;)*) => {
        $(impl RecordedDocument for $document {
            fn find(configurations: &Configurations) -> Option<&Arc<Self>> {
                configurations.$place.as_ref()
            }

            fn set(configurations: &mut Configurations, document: Option<Arc<Self>>) {
                configurations.$place = document;
            }
        })*
    };
}

places! {
    BucketPolicy: policy;
    Rules: cors;
    Rule: encryption;
    StoredBlock: public_access_block;
    LoggingStatus: logging;
    StoredOwnership: ownership;
}

/// Documents that are shared with the requests that use them, in JSON.
mod shared {
    use std::sync::Arc;

    use serde::Deserialize;
    use serde::Deserializer;
    use serde::Serialize;
    use serde::Serializer;

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        document: &Option<Arc<T>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        document.as_deref().serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Arc<T>>, D::Error> {
        Ok(Option::<T>::deserialize(deserializer)?.map(Arc::new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunks::random::SystemRandom;

    const STORED: &str = r#"{"version":1,"revision":7,"incarnation":"00112233445566778899aabbccddeeff",
        "phase":"live","owner":"111122223333","listed_etags":true,"configurations":{}}"#;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut record = BucketRecord::new("111122223333", Phase::Live, &SystemRandom);
        let block = StoredBlock { block: None };
        record.configurations.public_access_block = Some(Arc::new(block));
        let written = serde_json::to_vec(&record).unwrap();
        let read: BucketRecord = serde_json::from_slice(&written).unwrap();
        assert_eq!(format!("{read:?}"), format!("{record:?}"));
    }

    #[test]
    fn the_form_of_the_first_version_is_read() {
        let record: BucketRecord = serde_json::from_str(STORED).unwrap();
        assert_eq!((record.revision, record.phase), (7, Phase::Live));
        assert!(record.listed_etags && record.configurations.policy.is_none());
    }

    #[test]
    fn a_record_that_says_more_than_this_gateway_understands_is_refused() {
        for (from, to) in [
            ("\"version\":1", "\"version\":2"),
            ("\"live\"", "\"archived\""),
            ("\"configurations\":{}", "\"configurations\":{\"legal\":1}"),
            ("\"revision\":7", "\"revision\":7,\"more\":1"),
        ] {
            let text = STORED.replace(from, to);
            assert!(serde_json::from_str::<BucketRecord>(&text).is_err(), "{to}");
        }
    }

    #[test]
    fn nothing_of_a_deleted_buckets_configuration_is_left() {
        let mut record = BucketRecord::new("111122223333", Phase::Live, &SystemRandom);
        record.listed_etags = true;
        let block = StoredBlock { block: None };
        record.configurations.public_access_block = Some(Arc::new(block));
        let left = serde_json::to_string(&record.tombstone()).unwrap();
        assert!(left.contains(r#""phase":"gone""#) && left.contains(r#""configurations":{}"#));
    }
}
