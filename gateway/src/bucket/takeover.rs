//! Taking over the state of an earlier version, once.
//!
//! Until the first identity was written ([`crate::bucket::installation`]) what is stored about a bucket
//! was in documents of their own, and a bucket without any belonged to the account of the first user.
//! Each bucket at the backend gets one record of all this. The older documents stay as they are; nothing
//! reads them again.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::bucket::record::BucketRecord;
use crate::bucket::record::Configurations;
use crate::bucket::record::Phase;
use crate::bucket::record_store::RecordStore;
use crate::bucket::record_store::StoredReading;
use crate::chunks::random::Random;
use crate::error::S3Error;
use crate::records::record::RecordReading;
use crate::records::record::Records;

/// Writes a record for each of `buckets` that has none. Buckets whose owner was not stored belong to
/// `first_account`.
///
/// # Errors
///
/// `ServiceUnavailable` when the state cannot be read or written, `InternalError` when an older document
/// is not as it was written. What was taken over until then stays taken over.
pub(super) async fn take_over(
    buckets: Vec<String>,
    records: &Records,
    store: &RecordStore,
    first_account: &str,
    random: &dyn Random,
) -> Result<usize, S3Error> {
    let taken = stream::iter(buckets).map(|bucket| async move {
        if !matches!(store.read(&bucket, None).await?, StoredReading::Absent) {
            return Ok::<_, S3Error>(0);
        }
        let older = Older {
            records,
            bucket: &bucket,
        };
        let record = older.record(first_account, random).await?;
        let written = store.replace(&bucket, None, record).await?;
        // Otherwise another gateway did it.
        Ok(usize::from(written.is_some()))
    });
    let counts = taken.buffer_unordered(BUCKETS_AT_A_TIME);
    counts
        .try_fold(0, |sum, one| async move { Ok(sum + one) })
        .await
}

/// The owner of a bucket, as it was stored.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Owner {
    account: String,
}

/// The mark of a bucket whose backend lists the ETags that clients see.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {}

/// The older documents of a bucket.
struct Older<'a> {
    records: &'a Records,
    bucket: &'a str,
}

impl Older<'_> {
    /// The record that they amount to.
    async fn record(
        &self,
        first_account: &str,
        random: &dyn Random,
    ) -> Result<BucketRecord, S3Error> {
        let owner = self.read::<Owner>("owner").await?;
        let owner = owner.as_ref().map_or(first_account, |it| &it.account);
        let mut record = BucketRecord::new(owner, Phase::Live, random);
        record.listed_etags = self.read::<Mark>("listed-etags").await?.is_some();
        record.configurations = Configurations {
            policy: self.read("policy").await?.map(Arc::new),
            cors: self.read("cors").await?.map(Arc::new),
            encryption: self.read("encryption").await?.map(Arc::new),
            public_access_block: self.read("public-access-block").await?.map(Arc::new),
            // No earlier version had others.
            ..Configurations::default()
        };
        Ok(record)
    }

    async fn read<T: DeserializeOwned>(&self, subject: &str) -> Result<Option<T>, S3Error> {
        let reading = self.records.read::<T>(self.bucket, subject, None).await?;
        Ok(match reading {
            RecordReading::Value(value, _) => Some(value),
            RecordReading::Absent | RecordReading::Unchanged => None,
        })
    }
}

/// Buckets that are taken over at a time.
const BUCKETS_AT_A_TIME: usize = 16;
