//! The marks of buckets whose listings show the ETags that clients see, in their records.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::bucket::bucket_records::BucketRecords;
use crate::bucket::bucket_records::Edit;
use crate::bucket::record::BucketRecord;
use crate::error::S3Error;
use crate::records::listed_etags::ListedETags;
use crate::state::Gateways;

/// The marks of all buckets.
pub struct ListingMarks {
    records: Arc<BucketRecords>,
    gateways: Gateways,
}

impl ListingMarks {
    /// The marks in `records`, which so many gateways change.
    #[must_use]
    pub fn new(records: Arc<BucketRecords>, gateways: Gateways) -> Self {
        Self { records, gateways }
    }

    /// Whether a bucket is marked that is about to be created, in the place of `former`.
    ///
    /// Another gateway may still have the record of a former bucket cached, and believe for a while that
    /// the mark was removed. So where there may be one, only the first bucket of a name is marked.
    pub(super) fn of_new_bucket(&self, former: Option<&BucketRecord>) -> bool {
        self.gateways == Gateways::One || former.is_none()
    }

    async fn remove(&self, bucket: &str) -> Result<(), S3Error> {
        let record = match self.gateways {
            Gateways::One => self.records.find(bucket).await?,
            Gateways::Many => self.records.find_present(bucket).await?,
        };
        if !record.is_some_and(|record| record.listed_etags) {
            return Ok(());
        }
        let removed = self.records.change(bucket, |current| {
            Ok(match current {
                Some(record) if record.listed_etags => {
                    let mut record = record.clone();
                    record.listed_etags = false;
                    Edit::replace(record)
                }
                _ => Edit::Keep,
            })
        });
        removed.await?;
        Ok(())
    }

    async fn is_there(&self, bucket: &str) -> Result<bool, S3Error> {
        let record = self.records.find(bucket).await?;
        if !record.is_some_and(|record| record.listed_etags) {
            return Ok(false);
        }
        let stored = self.records.read(bucket).await?;
        Ok(stored.is_some_and(|stored| stored.record.listed_etags))
    }
}

impl ListedETags for ListingMarks {
    fn unmark<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<(), S3Error>> {
        self.remove(bucket).boxed()
    }

    fn is_marked<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, bool> {
        async { self.is_there(bucket).await.unwrap_or(false) }.boxed()
    }
}
