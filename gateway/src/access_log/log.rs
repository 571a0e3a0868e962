//! Taking records of requests, without waiting for anything.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use http::HeaderMap;
use proto::time::Clock;
use tokio::sync::Notify;

use crate::access_log::config::Config;
use crate::access_log::pending::Added;
use crate::access_log::pending::Batch;
use crate::access_log::pending::LoggedBucket;
use crate::access_log::pending::Moment;
use crate::access_log::pending::PendingLogs;
use crate::access_log::record::RecordWriter;
use crate::access_log::request::AnsweredRequest;
use crate::bucket::bucket_records::BucketRecords;
use crate::bucket::owner::BucketOwners;
use crate::bucket::record::BucketRecord;
use crate::error::S3Error;
use crate::protocol::acl::canonical_user_id;
use crate::protocol::copy_source;
use crate::protocol::copy_source::CopySource;
use crate::request::Regions;

/// The access logs of all buckets.
pub struct AccessLog {
    records: Arc<BucketRecords>,
    owners: Arc<BucketOwners>,
    regions: Regions,
    clock: Arc<dyn Clock>,
    config: Config,
    pending: Mutex<PendingLogs>,
    due: Notify,
}

impl AccessLog {
    /// The logs of buckets with these records and owners.
    #[must_use]
    pub fn new(
        records: Arc<BucketRecords>,
        owners: Arc<BucketOwners>,
        regions: Regions,
        clock: Arc<dyn Clock>,
        config: Config,
    ) -> Self {
        Self {
            records,
            owners,
            regions,
            clock,
            config,
            pending: Mutex::default(),
            due: Notify::new(),
        }
    }

    /// The record of a bucket that is in use, as far as it is cached: every request that was judged has read it, and
    /// one that was refused before causes no request to the backend.
    #[must_use]
    pub fn cached(&self, name: &str) -> Option<Arc<BucketRecord>> {
        let record = self.records.cached(name);
        record.filter(|record| record.is_in_use())
    }

    /// The bucket with this record, if its owner switched logging on.
    #[must_use]
    pub fn logged_in(
        &self,
        name: &str,
        record: &BucketRecord,
        is_judged: bool,
    ) -> Option<LoggedBucket> {
        let status = record.configurations.logging.as_deref()?;
        let logging = status.enabled.clone()?;
        let region = self.regions.of_location(record.location.as_deref());
        Some(LoggedBucket {
            name: name.to_owned(),
            incarnation: record.incarnation.clone(),
            account: self.owners.owner_in(record),
            region: region.to_owned(),
            logging,
            is_judged,
        })
    }

    /// Takes the records of a request in the log of `bucket`, which it is about, and in that of the bucket that it
    /// copied from.
    pub fn add(&self, bucket: Option<LoggedBucket>, request: &AnsweredRequest<'_>) {
        if let Some(bucket) = bucket {
            let owner = canonical_user_id(&bucket.account);
            let writer = self.writer(request, &owner, &bucket.name);
            let mut lines = writer.of_request();
            for deleted in &request.objects.deletions {
                lines.push_str(&writer.of_deletion(deleted));
            }
            self.push(bucket, request, &lines);
        }
        let (Some(copied), Some(header)) = (request.objects.source, &request.head.copy_source)
        else {
            return;
        };
        let headers = HeaderMap::from_iter([(copy_source::HEADER, header.clone())]);
        let Ok(source) = CopySource::read(&headers) else {
            return;
        };
        let record = self.cached(&source.bucket);
        let bucket = record.and_then(|record| self.logged_in(&source.bucket, &record, true));
        if let Some(bucket) = bucket {
            let owner = canonical_user_id(&bucket.account);
            let writer = self.writer(request, &owner, &bucket.name);
            let line = writer.of_source(&source, copied);
            self.push(bucket, request, &line);
        }
    }

    /// Whether a bucket still is the one that its records are about.
    ///
    /// # Errors
    ///
    /// As [`BucketRecords::find`].
    pub(super) async fn is_current(&self, bucket: &LoggedBucket) -> Result<bool, S3Error> {
        if bucket.is_judged {
            return Ok(true);
        }
        let record = self.records.find(&bucket.name).await?;
        Ok(record
            .is_some_and(|record| record.is_in_use() && record.incarnation == bucket.incarnation))
    }

    /// How records are delivered.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Takes what is due to be delivered; everything if `all`.
    pub(super) fn take(&self, all: bool) -> Vec<Batch> {
        let now = self.now();
        self.pending().take(all, now, &self.config)
    }

    /// Ends a delivery, see [`PendingLogs::end`].
    pub(super) fn end(&self, batch: &Batch) {
        self.pending().end(batch);
    }

    /// Puts back what could not be delivered.
    pub(super) fn put_back(&self, batch: Batch) {
        let now = self.now();
        self.pending().put_back(batch, now);
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.pending().is_empty()
    }

    /// Waits until there may be something to deliver.
    pub(super) async fn due(&self) {
        self.due.notified().await;
    }

    fn writer<'a>(
        &self,
        request: &'a AnsweredRequest<'a>,
        owner: &'a str,
        bucket: &'a str,
    ) -> RecordWriter<'a> {
        RecordWriter {
            request,
            owner,
            bucket,
            source_region: self.config.source_region,
        }
    }

    fn push(&self, bucket: LoggedBucket, request: &AnsweredRequest<'_>, lines: &str) {
        let (received, now) = (request.head.received, self.now());
        let added = self
            .pending()
            .add(bucket, received, lines, now, &self.config);
        match added {
            Added::Waiting => {}
            Added::Due => self.due.notify_one(),
            Added::Dropped => {
                metrics::counter!("sealgate_access_log_dropped_total").increment(1);
            }
        }
    }

    fn now(&self) -> Moment {
        Moment {
            monotonic: self.clock.monotonic(),
            time: self.clock.now(),
        }
    }

    fn pending(&self) -> MutexGuard<'_, PendingLogs> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
