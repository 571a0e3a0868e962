//! Sealed documents of one kind, cached for a while and changed one at a time.
//!
//! A document is only ever replaced, by compare-and-swap, and never removed: what was deleted leaves one
//! without a value. Each change has a revision of its own, one higher than the one before, so an older
//! document never takes the place of a newer one.

use std::sync::Arc;
use std::time::Duration;

use moka::ops::compute::Op;
use proto::time::Clock;
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use crate::backend::capabilities::Capabilities;
use crate::backend::capabilities::Capability;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::records::record::RecordReading;
use crate::records::record::Records;
use crate::state::Config;
use crate::state::Expected;
use crate::state::Gateways;
use crate::state::Swap;

/// The documents of one kind.
pub struct Documents<T: Send + Sync + 'static> {
    store: DocumentStore,
    cache: moka::sync::Cache<String, CachedDocument<T>>,
    /// Whose turn it is in this process: all there is where the backend's writes are not atomic.
    turn: Mutex<()>,
}

/// What documents are stored with.
#[derive(Clone)]
pub struct DocumentStore {
    records: Records,
    capabilities: Arc<Capabilities>,
    clock: Arc<dyn Clock>,
    gateways: Gateways,
    fresh: Duration,
    cached_max: u64,
}

/// A document as it is stored.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredDocument<T> {
    version: u32,
    revision: u64,
    /// None after it was deleted.
    value: Option<T>,
}

/// A document that was read or written.
#[derive(Debug)]
struct CachedDocument<T> {
    revision: u64,
    value: Option<Arc<T>>,
    /// What a change must find; none where the backend named none.
    expected: Option<Expected>,
    /// When the reading or the write began that showed it last.
    confirmed: Duration,
    /// When that ended. A reading that begins later shows this document or a newer one.
    seen: Duration,
}

impl<T> Clone for CachedDocument<T> {
    fn clone(&self) -> Self {
        Self {
            revision: self.revision,
            value: self.value.clone(),
            expected: self.expected.clone(),
            confirmed: self.confirmed,
            seen: self.seen,
        }
    }
}

impl DocumentStore {
    /// Documents in `records`, at a backend with these capabilities, as `config` has them cached.
    #[must_use]
    pub fn new(
        records: Records,
        capabilities: Arc<Capabilities>,
        clock: Arc<dyn Clock>,
        config: &Config,
    ) -> Self {
        Self {
            records,
            capabilities,
            clock,
            gateways: config.gateways,
            fresh: Duration::from_millis(config.fresh_ms),
            cached_max: config.cached_max,
        }
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync> Documents<T> {
    /// Those in `store`.
    #[must_use]
    pub fn new(store: DocumentStore) -> Self {
        Self {
            cache: moka::sync::Cache::new(store.cached_max),
            store,
            turn: Mutex::new(()),
        }
    }

    /// The document of this name, if there is one; as it was a moment ago.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read, or is not as it was written, or was set back. It is
    /// unknown then whether there is one.
    pub async fn find(&self, name: &str) -> Result<Option<Arc<T>>, S3Error> {
        let now = self.store.clock.monotonic();
        if let Some(cached) = self.cache.get(name)
            && now.saturating_sub(cached.confirmed) < self.store.fresh
        {
            return Ok(cached.value);
        }
        Ok(Box::pin(self.read(name)).await?.and_then(|it| it.value))
    }

    /// The same, as it is stored now.
    ///
    /// # Errors
    ///
    /// As [`Documents::find`].
    pub async fn find_now(&self, name: &str) -> Result<Option<Arc<T>>, S3Error> {
        Ok(Box::pin(self.read(name)).await?.and_then(|it| it.value))
    }

    /// The names of all documents that begin so, in order; also of those that were deleted.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read.
    pub async fn names(&self, prefix: &str) -> Result<Vec<String>, S3Error> {
        self.store.records.names(prefix).await
    }

    /// Replaces the document of this name. `edit` receives the current one and returns the next; it is called
    /// again if somebody else was faster.
    ///
    /// # Errors
    ///
    /// What `edit` refuses; `OperationAborted` if somebody else was faster each time; as [`Documents::find`],
    /// and it is unknown then whether it was replaced.
    pub async fn change(
        &self,
        name: &str,
        edit: impl Fn(Option<&T>) -> Result<Option<T>, S3Error> + Send,
    ) -> Result<Option<Arc<T>>, S3Error> {
        let _turn = self.turn.lock().await;
        for _ in 0..CHANGES_MAX {
            let current = self.read(name).await?;
            let value = edit(current.as_ref().and_then(|it| it.value.as_deref()))?;
            let revision = current.as_ref().map_or(0, |it| it.revision) + 1;
            let stored = StoredDocument {
                version: VERSION,
                revision,
                value,
            };
            let expected = match &current {
                None => Some(Expected::Absent),
                Some(current) => current.expected.clone(),
            };
            let began = self.store.clock.monotonic();
            let etag = match self.replace(name, &stored, expected).await {
                Ok(Swap::Done(etag)) => etag,
                Ok(Swap::Changed) => continue,
                Err(error) => {
                    // It may have been replaced: the next reader looks.
                    self.cache.invalidate(name);
                    return Err(error);
                }
            };
            let value = stored.value.map(Arc::new);
            let document = CachedDocument {
                revision,
                value: value.clone(),
                expected: etag.map(Expected::Version),
                confirmed: began,
                seen: self.store.clock.monotonic(),
            };
            self.offer(name, document);
            return Ok(value);
        }
        Err(S3Error::new(S3Code::OperationAborted))
    }

    async fn replace(
        &self,
        name: &str,
        stored: &StoredDocument<T>,
        expected: Option<Expected>,
    ) -> Result<Swap, S3Error> {
        let store = &self.store;
        let compares = store.capabilities.has(Capability::AtomicWrites).await?;
        match expected.filter(|_| compares) {
            Some(expected) => store.records.swap(name, stored, &expected).await,
            None if store.gateways == Gateways::Many => Err(S3Error::not_implemented(NOT_ATOMIC)),
            None => Ok(Swap::Done(
                store.records.write_document(name, stored).await?,
            )),
        }
    }

    /// Reads a document, and caches it.
    async fn read(&self, name: &str) -> Result<Option<CachedDocument<T>>, S3Error> {
        let began = self.store.clock.monotonic();
        let reading = self.store.records.read_document(name, None).await;
        let reading = reading.map_err(|_| S3Error::new(S3Code::ServiceUnavailable))?;
        let read = match reading {
            RecordReading::Value(StoredDocument { version, .. }, _) if version != VERSION => {
                tracing::error!(name, version, "a document is of another version");
                return Err(S3Error::new(S3Code::ServiceUnavailable));
            }
            RecordReading::Value(stored, etag) => CachedDocument {
                revision: stored.revision,
                value: stored.value.map(Arc::new),
                expected: etag.map(Expected::Version),
                confirmed: began,
                seen: self.store.clock.monotonic(),
            },
            RecordReading::Absent => match self.cache.get(name) {
                Some(cached) => return self.judge_older(name, cached, began).map(Some),
                None => return Ok(None),
            },
            RecordReading::Unchanged => return Err(S3Error::internal()),
        };
        let revision = read.revision;
        let current = self.offer(name, read);
        match current.revision > revision {
            true => self.judge_older(name, current, began).map(Some),
            false => Ok(Some(current)),
        }
    }

    /// What counts after a reading that began at `began` showed an older document than is cached.
    fn judge_older(
        &self,
        name: &str,
        cached: CachedDocument<T>,
        began: Duration,
    ) -> Result<CachedDocument<T>, S3Error> {
        if began > cached.seen {
            tracing::error!(name, "a document was removed or set back at the backend");
            return Err(S3Error::new(S3Code::ServiceUnavailable));
        }
        Ok(cached)
    }

    /// Caches a document, unless a newer one is there; the one that counts.
    fn offer(&self, name: &str, document: CachedDocument<T>) -> CachedDocument<T> {
        let mut current = document.clone();
        self.cache.entry_by_ref(name).and_compute_with(|cached| {
            let cached = cached.map(moka::Entry::into_value);
            match cached.filter(|cached| cached.revision > document.revision) {
                Some(cached) => {
                    current = cached;
                    Op::Nop
                }
                None => Op::Put(document),
            }
        });
        current
    }
}

/// The version of the form.
const VERSION: u32 = 1;

/// How often a change is tried again after somebody else was faster.
const CHANGES_MAX: usize = 8;

const NOT_ATOMIC: &str = "The conditional writes of this backend are not atomic, so several gateways \
    cannot change the same document: set state.gateways = \"one\".";
