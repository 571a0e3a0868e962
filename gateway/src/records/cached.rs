//! Records about buckets, remembered for a while.
//!
//! A record that was read is used until it is no longer fresh, and then asked for again by its ETag;
//! so long a change that was made through another gateway may take to be followed. That there is none
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
    known: moka::sync::Cache<String, Known<T>>,
}

/// What is known of one bucket's record.
struct Known<T> {
    value: Option<Arc<T>>,
    etag: Option<ETag>,
    read: Timestamp,
}

impl<T> Clone for Known<T> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            etag: self.etag.clone(),
            read: self.read,
        }
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> CachedRecords<T> {
    /// The records about `subject`, used for `fresh` before they are asked for again; at most `max`
    /// are held.
    #[must_use]
    pub fn new(
        records: Records,
        subject: &'static str,
        clock: Arc<dyn Clock>,
        fresh: Duration,
        max: u64,
    ) -> Self {
        let known = moka::sync::Cache::new(max);
        Self {
            records,
            subject,
            clock,
            fresh,
            known,
        }
    }

    /// The record of `bucket`, if there is one.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read, `InternalError` when the record is not as
    /// it was written. It is unknown then whether there is one.
    pub async fn get(&self, bucket: &str) -> Result<Option<Arc<T>>, S3Error> {
        let known = self.known.get(bucket);
        match &known {
            Some(known) if self.is_fresh(known) => Ok(known.value.clone()),
            _ => self.read(bucket, known).await,
        }
    }

    /// Whether there is a record of `bucket` at this moment. That there is none may have been found a
    /// while ago.
    ///
    /// # Errors
    ///
    /// As [`CachedRecords::get`].
    pub async fn confirm(&self, bucket: &str) -> Result<bool, S3Error> {
        let known = self.known.get(bucket);
        match &known {
            Some(known) if known.value.is_none() && self.is_fresh(known) => Ok(false),
            _ => Ok(self.read(bucket, known).await?.is_some()),
        }
    }

    fn is_fresh(&self, known: &Known<T>) -> bool {
        self.clock.now().since(known.read) < self.fresh
    }

    /// Asks for a record, unless it is still the one that is known.
    async fn read(&self, bucket: &str, known: Option<Known<T>>) -> Result<Option<Arc<T>>, S3Error> {
        let now = self.clock.now();
        let etag = known.as_ref().and_then(|known| known.etag.as_ref());
        let found = self.records.read::<T>(bucket, self.subject, etag).await?;
        let (value, etag) = match found {
            RecordReading::Unchanged => {
                known.map_or((None, None), |known| (known.value, known.etag))
            }
            RecordReading::Absent => (None, None),
            RecordReading::Value(value, etag) => (Some(Arc::new(value)), etag),
        };
        let known = Known {
            value: value.clone(),
            etag,
            read: now,
        };
        self.known.insert(bucket.to_owned(), known);
        Ok(value)
    }

    /// Gives `bucket` this record.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be written.
    pub async fn put(&self, bucket: &str, value: T) -> Result<(), S3Error> {
        let etag = self.records.write(bucket, self.subject, &value).await;
        // Whatever came of it, what was known may be wrong now.
        self.forget(bucket);
        let known = Known {
            value: Some(Arc::new(value)),
            etag: etag?,
            read: self.clock.now(),
        };
        self.known.insert(bucket.to_owned(), known);
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

    /// Forgets what is known of the record of `bucket`, so that it is read again.
    pub fn forget(&self, bucket: &str) {
        self.known.invalidate(bucket);
    }
}
