//! Buckets whose listings show the ETags that clients see.
//!
//! The backend lists its own ETags. For SSE-KMS, DSSE-KMS and SSE-C they are the ones that clients see;
//! for SSE-S3 they are not, and a listing must look at each object that is not cached. No listing shows
//! which mode an object has. So a bucket is marked when it is created here, and the mark is removed before
//! the first object is written whose ETag a listing does not show. Where it still stands after the backend
//! listed, nothing needs to be looked up. Buckets without a mark, such as those that were there before, are
//! merely slower to list.

use futures_util::future::BoxFuture;

use crate::error::S3Error;

/// The marks of buckets.
pub trait ListedETags: Send + Sync {
    /// Removes the mark of a bucket, before it gets an object whose ETag its listing does not show.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read or written; the object must not be written
    /// then.
    fn unmark<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<(), S3Error>>;

    /// Whether all that the backend listed before is as clients see it.
    fn is_marked<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, bool>;
}
