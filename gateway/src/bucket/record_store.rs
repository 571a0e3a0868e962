//! The records of buckets in the state bucket: read, and replaced by compare-and-swap.
//!
//! Where the backend's conditional writes are atomic it compares. Elsewhere a lock in this process is
//! all there is, so there can be one gateway only ([`crate::state::presence`]).

use std::hash::BuildHasher as _;
use std::hash::RandomState;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::sync::MutexGuard;

use crate::backend::capabilities::Capabilities;
use crate::backend::capabilities::Capability;
use crate::bucket::record::BucketRecord;
use crate::error::S3Error;
use crate::protocol::etag::ETag;
use crate::records::record::RecordReading;
use crate::records::record::Records;
use crate::state::Expected;
use crate::state::Gateways;
use crate::state::Swap;
use crate::state::unavailable;

/// Reads and replaces records.
pub struct RecordStore {
    records: Records,
    capabilities: Arc<Capabilities>,
    gateways: Gateways,
    /// A change of a bucket's record holds the lock that its name hashes to.
    locks: Vec<Mutex<()>>,
    hasher: RandomState,
}

/// A record as it is stored.
#[derive(Clone, Debug)]
pub struct StoredRecord {
    /// The record.
    pub record: Arc<BucketRecord>,
    /// The ETag of its document.
    pub etag: Option<ETag>,
}

/// What reading a record showed.
#[derive(Clone, Debug)]
pub enum StoredReading {
    /// It still has the known ETag.
    Unchanged,
    /// There is none.
    Absent,
    /// It is this.
    Found(StoredRecord),
}

impl RecordStore {
    /// The store in `records`, at a backend with these capabilities, for so many gateways.
    #[must_use]
    pub fn new(records: Records, capabilities: Arc<Capabilities>, gateways: Gateways) -> Self {
        Self {
            records,
            capabilities,
            gateways,
            locks: (0..LOCKS).map(|_| Mutex::new(())).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Waits for the turn to change the record of `bucket` in this process.
    pub async fn turn(&self, bucket: &str) -> Option<MutexGuard<'_, ()>> {
        let number = usize::try_from(self.hasher.hash_one(bucket) % LOCKS).unwrap_or_default();
        match self.locks.get(number) {
            Some(lock) => Some(lock.lock().await),
            None => None,
        }
    }

    /// Reads the record of `bucket`, unless it has the ETag `known`.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read, `InternalError` when the record is not as
    /// it was written.
    pub async fn read(&self, bucket: &str, known: Option<&ETag>) -> Result<StoredReading, S3Error> {
        let reading = self.records.read_document(&name(bucket), known).await?;
        Ok(match reading {
            RecordReading::Unchanged => StoredReading::Unchanged,
            RecordReading::Absent => StoredReading::Absent,
            RecordReading::Value(record, etag) => StoredReading::Found(StoredRecord {
                record: Arc::new(record),
                etag,
            }),
        })
    }

    /// Stores `record` in the place of `current`, if that is still what is stored; `None` if it is not.
    /// Needs the turn ([`RecordStore::turn`]) where somebody else could change it.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read or written. It is unknown then whether the
    /// record was stored.
    pub async fn replace(
        &self,
        bucket: &str,
        current: Option<&StoredRecord>,
        mut record: BucketRecord,
    ) -> Result<Option<StoredRecord>, S3Error> {
        record.revision = current.map_or(0, |current| current.record.revision) + 1;
        let name = name(bucket);
        let expected = match current {
            None => Some(Expected::Absent),
            Some(current) => current.etag.clone().map(Expected::Version),
        };
        let compares = self.capabilities.has(Capability::AtomicWrites).await;
        let compares = compares.map_err(|cause| unavailable(&name, &cause))?;
        if !compares && self.gateways == Gateways::Many {
            return Err(S3Error::not_implemented(NOT_ATOMIC));
        }
        let etag = match expected.filter(|_| compares) {
            Some(expected) => match self.records.swap(&name, &record, &expected).await? {
                Swap::Done(etag) => etag,
                Swap::Changed => return Ok(None),
            },
            None => self.records.write_document(&name, &record).await?,
        };
        let record = Arc::new(record);
        Ok(Some(StoredRecord { record, etag }))
    }
}

fn name(bucket: &str) -> String {
    format!("buckets/{bucket}/record")
}

const NOT_ATOMIC: &str = "The conditional writes of this backend are not atomic, so several gateways \
    cannot change the same bucket: set state.gateways = \"one\".";

/// Buckets that share a lock wait for one another, which costs nothing but time.
const LOCKS: u64 = 256;
