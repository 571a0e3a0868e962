//! The records of buckets, cached, and changed one at a time.

use std::sync::Arc;

use crate::bucket::installation::Installation;
use crate::bucket::record::BucketRecord;
use crate::bucket::record::Incarnation;
use crate::bucket::record::RecordedDocument;
use crate::bucket::record_cache::RecordCache;
use crate::bucket::record_cache::Verdict;
use crate::bucket::record_store::RecordStore;
use crate::bucket::record_store::StoredReading;
use crate::bucket::record_store::StoredRecord;
use crate::error::S3Code;
use crate::error::S3Error;

/// The records of all buckets.
pub struct BucketRecords {
    installation: Arc<Installation>,
    store: Arc<RecordStore>,
    cache: RecordCache,
}

/// What becomes of a record.
#[derive(Clone, Debug)]
pub enum Edit {
    /// It stays as it is.
    Keep,
    /// This takes its place.
    Replace(Box<BucketRecord>),
}

impl Edit {
    /// Replaces the record.
    #[must_use]
    pub fn replace(record: BucketRecord) -> Self {
        Self::Replace(Box::new(record))
    }
}

impl BucketRecords {
    /// The records in `store`, once `installation` is confirmed.
    #[must_use]
    pub fn new(
        installation: Arc<Installation>,
        store: Arc<RecordStore>,
        cache: RecordCache,
    ) -> Self {
        Self {
            installation,
            store,
            cache,
        }
    }

    /// The record of a bucket, whatever its phase.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read or was set back, `InternalError` when the
    /// record is not as it was written. It is unknown then whether there is one.
    pub async fn find(&self, bucket: &str) -> Result<Option<Arc<BucketRecord>>, S3Error> {
        match self.cache.fresh(bucket) {
            Some(record) => Ok(Some(record)),
            None if self.cache.is_absent(bucket) => Ok(None),
            None => self.find_stored(bucket).await,
        }
    }

    /// The same; that there is none is not taken from the cache.
    ///
    /// # Errors
    ///
    /// As [`BucketRecords::find`].
    pub async fn find_present(&self, bucket: &str) -> Result<Option<Arc<BucketRecord>>, S3Error> {
        match self.cache.fresh(bucket) {
            Some(record) => Ok(Some(record)),
            None => self.find_stored(bucket).await,
        }
    }

    /// The record of a bucket that is in use, as it is stored now: nothing is taken from the cache.
    ///
    /// # Errors
    ///
    /// As [`BucketRecords::find`].
    pub async fn find_now(&self, bucket: &str) -> Result<Option<Arc<BucketRecord>>, S3Error> {
        let record = self.find_stored(bucket).await?;
        Ok(record.filter(|record| record.is_in_use()))
    }

    async fn find_stored(&self, bucket: &str) -> Result<Option<Arc<BucketRecord>>, S3Error> {
        // In a box: nearly every request finds the record cached, and would have space for this.
        let stored = Box::pin(self.read(bucket)).await?;
        Ok(stored.map(|stored| stored.record))
    }

    /// A configuration of a bucket, if it has one.
    ///
    /// # Errors
    ///
    /// As [`BucketRecords::find`].
    pub async fn configuration<T: RecordedDocument>(
        &self,
        bucket: &str,
    ) -> Result<Option<Arc<T>>, S3Error> {
        let record = self.find(bucket).await?.filter(|record| record.is_in_use());
        Ok(record.and_then(|record| T::find(&record.configurations).cloned()))
    }

    /// The record of a bucket that was read last, however long ago, as far as it is cached.
    #[must_use]
    pub fn cached(&self, bucket: &str) -> Option<Arc<BucketRecord>> {
        Some(self.cache.get(bucket)?.stored.record)
    }

    /// The incarnation that requests about a bucket are judged by now.
    #[must_use]
    pub fn incarnation(&self, bucket: &str) -> Option<Incarnation> {
        let cached = self.cache.get(bucket)?;
        Some(cached.stored.record.incarnation.clone())
    }

    /// Changes the record of a bucket. `edit` is given what is stored, and again if somebody else was
    /// faster.
    ///
    /// # Errors
    ///
    /// What `edit` refuses; `OperationAborted` if somebody else was faster each time; as
    /// [`BucketRecords::find`], and it is unknown then whether the change was made.
    pub async fn change<F>(
        &self,
        bucket: &str,
        edit: F,
    ) -> Result<Option<Arc<BucketRecord>>, S3Error>
    where
        F: Fn(Option<&BucketRecord>) -> Result<Edit, S3Error> + Send,
    {
        self.installation.serve().await?;
        let _turn = self.store.turn(bucket).await;
        for _ in 0..CHANGES_MAX {
            let current = self.read(bucket).await?;
            let record = match edit(current.as_ref().map(|current| &*current.record))? {
                Edit::Keep => return Ok(current.map(|current| current.record)),
                Edit::Replace(record) => *record,
            };
            let began = self.cache.now();
            match self.store.replace(bucket, current.as_ref(), record).await {
                Ok(Some(stored)) => {
                    let verdict = self.cache.offer(bucket, stored, began);
                    return Ok(self.judge(bucket, verdict)?.map(|stored| stored.record));
                }
                Ok(None) => {}
                Err(error) => {
                    self.cache.doubt(bucket);
                    return Err(error);
                }
            }
        }
        Err(S3Error::new(S3Code::OperationAborted).detail("BucketName", bucket))
    }

    /// Reads the record of a bucket, unless it still is the one that is cached.
    ///
    /// # Errors
    ///
    /// As [`BucketRecords::find`].
    pub(super) async fn read(&self, bucket: &str) -> Result<Option<StoredRecord>, S3Error> {
        self.installation.serve().await?;
        let cached = self.cache.get(bucket);
        let began = self.cache.now();
        let known = cached.as_ref().and_then(|it| it.stored.etag.as_ref());
        let verdict = match self.store.read(bucket, known).await? {
            StoredReading::Found(stored) => self.cache.offer(bucket, stored, began),
            StoredReading::Unchanged => match cached {
                Some(cached) => self.cache.offer(bucket, cached.stored, began),
                None => return Err(S3Error::internal()),
            },
            StoredReading::Absent => match self.cache.offer_absence(bucket, began) {
                Some(verdict) => verdict,
                None => return Ok(None),
            },
        };
        self.judge(bucket, verdict)
    }

    /// The record that counts, unless the backend shows an older one than before.
    fn judge(&self, bucket: &str, verdict: Verdict) -> Result<Option<StoredRecord>, S3Error> {
        match verdict {
            Verdict::Current(stored) => Ok(Some(stored)),
            Verdict::SetBack => {
                tracing::error!(
                    bucket,
                    "the record of a bucket was removed or set back at the backend"
                );
                Err(S3Error::new(S3Code::ServiceUnavailable))
            }
        }
    }
}

/// How often a change is tried again after somebody else was faster.
const CHANGES_MAX: usize = 8;
