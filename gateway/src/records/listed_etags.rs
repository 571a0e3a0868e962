//! Buckets whose listings show the ETags that clients see.
//!
//! The backend lists its own ETags. For SSE-KMS, DSSE-KMS and SSE-C they are the ones that clients see;
//! for SSE-S3 they are not, and a listing must look at each object that is not remembered. No
//! listing shows which mode an object has. So a bucket is marked when it is created here, and the mark is removed
//! before the first object is written whose ETag a listing does not show. Where it still stands after
//! the backend listed, nothing needs to be looked up. Buckets without a mark, such as those that were
//! there before, are merely slower to list.
//!
//! A gateway that removed the mark remembers that for a while: objects that it writes within that time into
//! a bucket that another gateway deleted and created again may be listed with the backend's ETag.

use std::sync::Arc;
use std::time::Duration;

use proto::time::Clock;
use serde::Deserialize;
use serde::Serialize;

use crate::error::S3Error;
use crate::records::cached::CachedRecords;
use crate::records::record::Records;

/// The marks of all buckets.
pub struct ListedETags(CachedRecords<Mark>);

/// That every object of a bucket has the ETag that the backend lists, and as many parts.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {}

impl ListedETags {
    /// The marks stored in `records`, at most `max` of them cached for `fresh`.
    #[must_use]
    pub fn new(records: Records, clock: Arc<dyn Clock>, fresh: Duration, max: u64) -> Self {
        Self(CachedRecords::new(records, SUBJECT, clock, fresh, max))
    }

    /// Marks a bucket that is about to be created. One that cannot be marked is slower to list.
    pub(crate) async fn begin(&self, bucket: &str) {
        if let Err(error) = self.0.put(bucket, Mark {}).await {
            tracing::debug!(bucket, %error, "a new bucket is not marked");
        }
    }

    /// Removes the mark of a bucket, before it gets an object whose ETag its listing does not show.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read or written; the object must not be written
    /// then.
    pub async fn unmark(&self, bucket: &str) -> Result<(), S3Error> {
        match self.0.get(bucket).await? {
            Some(_) => self.remove(bucket).await,
            None => Ok(()),
        }
    }

    /// Whether all that the backend listed before is as clients see it.
    pub async fn is_marked(&self, bucket: &str) -> bool {
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
