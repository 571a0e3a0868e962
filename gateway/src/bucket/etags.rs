//! Buckets whose listings tell all there is to tell.
//!
//! The backend lists its own ETags. For SSE-KMS, DSSE-KMS and SSE-C they are the ones that clients see;
//! for SSE-S3 they are not, and a listing must ask about each object that is not known yet. Which mode an
//! object has no listing tells. So a bucket is marked when it is created here, and the mark is removed
//! before the first object is written whose ETag a listing could not tell. Where it still stands after
//! the backend listed, nothing needs to be asked. Buckets without a mark, such as those that were
//! there before, are merely slower to list.
//!
//! A gateway that removed the mark believes so for a while: objects that it writes within that time into
//! a bucket that another gateway deleted and created again may be listed with the backend's ETag.

use std::sync::Arc;
use std::time::Duration;

use proto::time::Clock;
use serde::Deserialize;
use serde::Serialize;

use crate::bucket::policy;
use crate::error::S3Error;
use crate::state::cached::CachedRecords;
use crate::state::record::Records;

/// The marks of all buckets.
pub struct ListedEtags(CachedRecords<Mark>);

/// That every object of a bucket has the ETag that the backend lists, and as many parts.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {}

impl ListedEtags {
    /// The marks kept in `records`, known for as long as policies are.
    #[must_use]
    pub fn new(records: Records, clock: Arc<dyn Clock>, config: policy::Config) -> Self {
        let fresh = Duration::from_millis(config.fresh_ms);
        let marks = CachedRecords::new(records, SUBJECT, clock, fresh, config.cached_max);
        Self(marks)
    }

    /// Marks a bucket that is about to be created. One that cannot be marked is slower to list.
    pub(crate) async fn begin(&self, bucket: &str) {
        if let Err(error) = self.0.put(bucket, Mark {}).await {
            tracing::debug!(bucket, %error, "a new bucket is not marked");
        }
    }

    /// Removes the mark of a bucket, before it gets an object whose ETag its listing does not tell.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read or written; the object must not be written
    /// then.
    pub async fn spoil(&self, bucket: &str) -> Result<(), S3Error> {
        match self.0.get(bucket).await? {
            Some(_) => self.remove(bucket).await,
            None => Ok(()),
        }
    }

    /// Whether all that the backend listed before was as clients see it.
    pub async fn hold(&self, bucket: &str) -> bool {
        self.0.confirm(bucket).await.unwrap_or(false)
    }

    /// Removes the mark of a bucket, if there is one.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be written.
    pub(crate) async fn remove(&self, bucket: &str) -> Result<(), S3Error> {
        self.0.remove(bucket).await
    }
}

/// The name of the records.
const SUBJECT: &str = "listed-etags";
