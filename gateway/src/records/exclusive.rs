//! Sealed records that are replaced by compare-and-swap, whatever they contain.
//!
//! Where the backend's conditional writes are atomic it compares. Elsewhere a lock in this process is
//! all there is, so there can be one gateway only ([`crate::state::presence`]).

use std::hash::BuildHasher as _;
use std::hash::RandomState;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use crate::backend::capabilities::Capabilities;
use crate::backend::capabilities::Capability;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::records::record::RecordReading;
use crate::records::record::Records;
use crate::state::Expected;
use crate::state::Gateways;
use crate::state::Swap;
use crate::state::unavailable;

/// Reads and replaces records.
pub struct ExclusiveRecords {
    records: Records,
    capabilities: Arc<Capabilities>,
    gateways: Gateways,
    /// A change of a record holds the lock that its name hashes to.
    locks: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl ExclusiveRecords {
    /// Those in `records`, at a backend with these capabilities, for so many gateways.
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

    /// The record of this name as it is stored now, if there is one.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read, `InternalError` when the record is not as it
    /// was written.
    pub(crate) async fn find<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, S3Error> {
        match self.records.read_document(name, None).await? {
            RecordReading::Value(value, _) => Ok(Some(value)),
            RecordReading::Absent => Ok(None),
            RecordReading::Unchanged => Err(S3Error::internal()),
        }
    }

    /// Changes the record of this name; what is stored then. `edit` is given what is stored, and returns
    /// what is to take its place, if anything is. It is called again if somebody else was faster.
    ///
    /// # Errors
    ///
    /// What `edit` refuses; `OperationAborted` if somebody else was faster each time; as
    /// [`ExclusiveRecords::find`], and it is unknown then whether the change was made.
    pub(crate) async fn change<T, E>(
        &self,
        name: &str,
        mut edit: impl FnMut(Option<&T>) -> Result<Option<T>, E> + Send,
    ) -> Result<Option<T>, E>
    where
        T: Serialize + DeserializeOwned + Send + Sync,
        E: From<S3Error> + Send,
    {
        let number = usize::try_from(self.hasher.hash_one(name) % LOCKS).unwrap_or_default();
        let _turn = match self.locks.get(number) {
            Some(lock) => Some(lock.lock().await),
            None => None,
        };
        for _ in 0..CHANGES_MAX {
            let (current, expected) = match self.records.read_document::<T>(name, None).await? {
                RecordReading::Value(value, etag) => (Some(value), etag.map(Expected::Version)),
                RecordReading::Absent => (None, Some(Expected::Absent)),
                RecordReading::Unchanged => return Err(S3Error::internal().into()),
            };
            let Some(value) = edit(current.as_ref())? else {
                return Ok(current);
            };
            if self.replace(name, &value, expected).await? {
                return Ok(Some(value));
            }
        }
        Err(S3Error::new(S3Code::OperationAborted).into())
    }

    /// Stores a record in the place of what is expected; whether that still was what is stored.
    async fn replace<T: Serialize + Sync>(
        &self,
        name: &str,
        value: &T,
        expected: Option<Expected>,
    ) -> Result<bool, S3Error> {
        let compares = self.capabilities.has(Capability::AtomicWrites).await;
        let compares = compares.map_err(|cause| unavailable(name, &cause))?;
        if !compares && self.gateways == Gateways::Many {
            return Err(S3Error::not_implemented(NOT_ATOMIC));
        }
        match expected.filter(|_| compares) {
            Some(expected) => {
                let swap = self.records.swap(name, value, &expected).await?;
                Ok(matches!(swap, Swap::Done(_)))
            }
            None => {
                self.records.write_document(name, value).await?;
                Ok(true)
            }
        }
    }
}

const NOT_ATOMIC: &str = "The conditional writes of this backend are not atomic, so several gateways \
    cannot change the same record: set state.gateways = \"one\".";

/// Records that share a lock wait for one another, which costs nothing but time.
const LOCKS: u64 = 64;

/// How often a change is tried again after somebody else was faster.
const CHANGES_MAX: usize = 16;
