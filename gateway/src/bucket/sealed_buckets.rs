//! Which buckets are written to through gateways alone.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::bucket::bucket_records::BucketRecords;
use crate::error::S3Error;
use crate::records::unknown_uploads::SealedBuckets;

/// The buckets that have a record and are in use, except those whose objects may lie unsealed at the backend: other
/// programs write to these.
pub struct RecordedBuckets {
    records: Arc<BucketRecords>,
    adopted: Vec<String>,
}

impl RecordedBuckets {
    /// Those in `records`, except the `adopted` ones.
    #[must_use]
    pub const fn new(records: Arc<BucketRecords>, adopted: Vec<String>) -> Self {
        Self { records, adopted }
    }
}

impl SealedBuckets for RecordedBuckets {
    fn contains<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<bool, S3Error>> {
        async move {
            if self.adopted.iter().any(|adopted| adopted == bucket) {
                return Ok(false);
            }
            Ok(self.records.find_now(bucket).await?.is_some())
        }
        .boxed()
    }
}
