//! Records about buckets, remembered for a while.
//!
//! A record that was read is used until it is no longer fresh, and then read again by its ETag;
//! a change that was made through another gateway may take that long to be followed. That there is none
//! is remembered alike.

use std::sync::Arc;
use std::time::Duration;

use proto::time::Clock;
use proto::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::S3Error;
use crate::protocol::etag::ETag;
use crate::records::record::RecordReading;
use crate::records::record::Records;

/// The records about one subject, of all buckets.
pub struct CachedRecords<T> {
    records: Records,
    subject: &'static str,
    clock: Arc<dyn Clock>,
    fresh: Duration,
    cached: moka::sync::Cache<String, CachedRecord<T>>,
}

/// What is cached of one bucket's record.
struct CachedRecord<T> {
    value: Option<Arc<T>>,
    etag: Option<ETag>,
    read: Timestamp,
}

impl<T> Clone for CachedRecord<T> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            etag: self.etag.clone(),
            read: self.read,
        }
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> CachedRecords<T> {
    /// The records about `subject`, used for `fresh` before they are read again; at most `max`
    /// are held.
    #[must_use]
    pub fn new(
        records: Records,
        subject: &'static str,
        clock: Arc<dyn Clock>,
        fresh: Duration,
        max: u64,
    ) -> Self {
        let cached = moka::sync::Cache::new(max);
        Self {
            records,
            subject,
            clock,
            fresh,
            cached,
        }
    }

    /// The record of `bucket`, if there is one.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read, `InternalError` when the record is not as
    /// it was written. It is unknown then whether there is one.
    pub async fn get(&self, bucket: &str) -> Result<Option<Arc<T>>, S3Error> {
        let cached = self.cached.get(bucket);
        match &cached {
            Some(cached) if self.is_fresh(cached) => Ok(cached.value.clone()),
            _ => self.read(bucket, cached).await,
        }
    }

    /// Whether there is a record of `bucket` at this moment. That there is none may have been found a
    /// while ago.
    ///
    /// # Errors
    ///
    /// As [`CachedRecords::get`].
    pub async fn confirm(&self, bucket: &str) -> Result<bool, S3Error> {
        let cached = self.cached.get(bucket);
        match &cached {
            Some(cached) if cached.value.is_none() && self.is_fresh(cached) => Ok(false),
            _ => Ok(self.read(bucket, cached).await?.is_some()),
        }
    }

    fn is_fresh(&self, cached: &CachedRecord<T>) -> bool {
        self.clock.now().since(cached.read) < self.fresh
    }

    /// Reads a record, unless it is still the one that is cached.
    async fn read(
        &self,
        bucket: &str,
        cached: Option<CachedRecord<T>>,
    ) -> Result<Option<Arc<T>>, S3Error> {
        let now = self.clock.now();
        let etag = cached.as_ref().and_then(|cached| cached.etag.as_ref());
        let found = self.records.read::<T>(bucket, self.subject, etag).await?;
        let (value, etag) = match found {
            RecordReading::Unchanged => {
                cached.map_or((None, None), |cached| (cached.value, cached.etag))
            }
            RecordReading::Absent => (None, None),
            RecordReading::Value(value, etag) => (Some(Arc::new(value)), etag),
        };
        let cached = CachedRecord {
            value: value.clone(),
            etag,
            read: now,
        };
        self.cached.insert(bucket.to_owned(), cached);
        Ok(value)
    }

    /// Gives `bucket` this record.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be written.
    pub async fn put(&self, bucket: &str, value: T) -> Result<(), S3Error> {
        let etag = self.records.write(bucket, self.subject, &value).await;
        // Whatever came of it, what was cached may be wrong now.
        self.forget(bucket);
        let cached = CachedRecord {
            value: Some(Arc::new(value)),
            etag: etag?,
            read: self.clock.now(),
        };
        self.cached.insert(bucket.to_owned(), cached);
        Ok(())
    }

    /// Removes the record of `bucket`, if there is one.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be written.
    pub async fn remove(&self, bucket: &str) -> Result<(), S3Error> {
        let removed = self.records.remove(bucket, self.subject).await;
        self.forget(bucket);
        removed
    }

    /// Forgets what is cached of the record of `bucket`, so that it is read again.
    pub fn forget(&self, bucket: &str) {
        self.cached.invalidate(bucket);
    }
}
