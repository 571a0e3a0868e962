//! What is stored about vaults: sealed records in the state bucket.

use std::collections::BTreeMap;

use proto::time::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::vault::lock::VaultLock;
use crate::vault::place::Contents;
use crate::vault::policy::VaultPolicy;
use crate::vault::tree_hash::TreeHash;

/// A vault.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VaultRecord {
    /// Tells it from others of its name, before and after.
    pub(crate) incarnation: String,
    /// When it was created, in milliseconds since 1970.
    pub(crate) created_ms: i64,
    pub(crate) phase: Phase,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) access_policy: Option<VaultPolicy>,
    #[serde(default)]
    pub(crate) lock: Option<VaultLock>,
}

/// How far a vault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// It can be used.
    Live,
    /// The same, while a request looks whether it is empty. An upload that ends meanwhile makes it live
    /// again, so that the request does not delete it.
    Deleting,
    /// There is none. The record stays: it could not be removed without removing that of the next vault.
    Deleted,
}

impl VaultRecord {
    /// A new vault.
    pub(crate) fn new(incarnation: String, now: Timestamp) -> Self {
        Self {
            incarnation,
            created_ms: now.unix_millis(),
            phase: Phase::Live,
            tags: BTreeMap::new(),
            access_policy: None,
            lock: None,
        }
    }

    /// Whether there is such a vault.
    pub(crate) fn is_there(&self) -> bool {
        self.phase != Phase::Deleted
    }

    /// What belongs to it.
    pub(crate) fn contents(&self) -> Contents<'_> {
        Contents(&self.incarnation)
    }
}

/// Bytes at the backend: of an archive, or of the output of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredContent {
    /// Where its segments are.
    pub(crate) folder: String,
    /// In their order.
    pub(crate) segments: Vec<StoredSegment>,
}

/// A sealed object with a run of the bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredSegment {
    pub(crate) name: String,
    pub(crate) bytes: u64,
}

impl StoredContent {
    /// Its length, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }
}

/// An archive. It never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArchiveRecord {
    pub(crate) description: String,
    /// When it was complete, in milliseconds since 1970: its age counts from then.
    pub(crate) uploaded_ms: i64,
    pub(crate) tree_hash: TreeHash,
    pub(crate) content: StoredContent,
}

impl ArchiveRecord {
    /// When it was complete.
    pub(crate) fn uploaded(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.uploaded_ms)
    }
}

/// A multipart upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadRecord {
    pub(crate) description: String,
    /// Bytes of every part except the last.
    pub(crate) part_bytes: u64,
    /// When it was initiated, in milliseconds since 1970.
    pub(crate) created_ms: i64,
    /// When a part of it was last seen, in milliseconds since 1970.
    pub(crate) used_ms: i64,
    /// The archive that it becomes.
    pub(crate) archive_id: String,
    pub(crate) phase: UploadPhase,
}

/// How far an upload is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UploadPhase {
    /// It takes parts.
    Open,
    /// It becomes this archive, whose record may still have to be written.
    Completed(ArchiveRecord),
    /// It became this archive, which may have been deleted since.
    Stored(ArchiveRecord),
    /// It was given up.
    Aborted,
}

/// A part of an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartRecord {
    /// Place of its first byte.
    pub(crate) first: u64,
    pub(crate) tree_hash: TreeHash,
    /// When it was complete, in milliseconds since 1970.
    pub(crate) uploaded_ms: i64,
    pub(crate) segment: StoredSegment,
}

/// A job.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobRecord {
    pub(crate) description: Option<String>,
    /// When it was initiated, in milliseconds since 1970.
    pub(crate) created_ms: i64,
    /// When it is done, in milliseconds since 1970.
    pub(crate) completes_ms: i64,
    pub(crate) task: JobTask,
    /// All bytes that the output is a range of.
    pub(crate) content: StoredContent,
    /// The output: first byte and the byte after the last.
    pub(crate) range: (u64, u64),
    /// Of the output, where it can be compared with that of the whole.
    pub(crate) tree_hash: Option<TreeHash>,
}

/// What a job does.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum JobTask {
    /// Retrieves an archive, or a range of it.
    Archive {
        /// Its id.
        id: String,
        /// Its description.
        description: String,
        /// Its tree hash.
        tree_hash: TreeHash,
        /// How fast, by AWS's word.
        tier: String,
    },
    /// Lists the archives.
    Inventory {
        /// `JSON` or `CSV`.
        format: String,
        /// What was requested, as it was sent.
        parameters: Option<serde_json::Value>,
        /// The marker of the next page, where there is one.
        next: Option<String>,
    },
}

impl JobRecord {
    /// Whether it is done.
    pub(crate) fn is_complete(&self, now: Timestamp) -> bool {
        now.unix_millis() >= self.completes_ms
    }

    /// Whether its output is not there any more.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        now.unix_millis() >= self.completes_ms.saturating_add(OUTPUT_KEPT_MS)
    }
}

/// How long the output of a job stays, in milliseconds: AWS has it for at least a day.
const OUTPUT_KEPT_MS: i64 = 24 * 3_600 * 1_000;
