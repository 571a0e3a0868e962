//! Configurations of buckets that the gateway keeps itself: one document each, put, read and deleted
//! as a whole.
//!
//! A new one is a file with a [`Document`], a variant of [`Configuration`], and three rows in the
//! table of operations.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::Response;
use http::StatusCode;
use proto::time::Clock;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend::Backend;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::records::cached::CachedRecords;
use crate::records::record::Records;
use crate::request::Body;
use crate::request::empty_body;

/// Which configuration of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Configuration {
    /// Its cross-origin rules.
    Cors,
    /// Its default encryption.
    Encryption,
    /// Its policy.
    Policy,
    /// What it blocks of public access.
    PublicAccessBlock,
}

impl Configuration {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Cors,
        Self::Encryption,
        Self::Policy,
        Self::PublicAccessBlock,
    ];
}

/// What is done with a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// It is read.
    Get,
    /// It is replaced.
    Put,
    /// It is removed.
    Delete,
}

/// One kind of configuration, of all buckets.
///
/// What a kind does not do otherwise is done by its records alone.
pub trait BucketConfiguration: Send + Sync {
    /// Its records.
    fn records(&self) -> &dyn BucketConfiguration;

    /// Answers with the configuration of `bucket`.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`; the code of the configuration where there is none; `ServiceUnavailable` when
    /// the state cannot be read, `InternalError` when it is not as it was written.
    fn get<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<Response<Body>, S3Error>> {
        self.records().get(bucket)
    }

    /// Replaces the configuration of `bucket` by `document`, the verified body of a request.
    ///
    /// # Errors
    ///
    /// What is wrong with the document; `NoSuchBucket`; `ServiceUnavailable` when the state cannot
    /// be written.
    fn put<'a>(
        &'a self,
        bucket: &'a str,
        document: &'a [u8],
    ) -> BoxFuture<'a, Result<Response<Body>, S3Error>> {
        self.records().put(bucket, document)
    }

    /// Removes the configuration of `bucket`.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`; `ServiceUnavailable` when the state cannot be written.
    fn delete<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<Response<Body>, S3Error>> {
        self.records().delete(bucket)
    }

    /// Sets what a bucket has that is about to be created.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be written; the bucket must not be created then.
    fn begin<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<(), S3Error>> {
        self.end(bucket)
    }

    /// Removes what is stored about a bucket that was deleted.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be written.
    fn end<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<(), S3Error>> {
        self.records().end(bucket)
    }
}

/// The document of a configuration.
pub trait Document: Serialize + DeserializeOwned + Send + Sync + Sized + 'static {
    /// The name of its records.
    const SUBJECT: &'static str;

    /// The error of a bucket that has none.
    const MISSING: S3Code;

    /// The status of the answer to a request that puts one.
    const STORED: StatusCode = StatusCode::OK;

    /// Reads what a client puts as the configuration of a bucket of this name.
    ///
    /// # Errors
    ///
    /// What AWS refuses about it.
    fn parse(document: &[u8], bucket: &str, partition: &str) -> Result<Self, S3Error>;

    /// The answer to a request that gets it.
    fn to_response(&self) -> Response<Body>;
}

/// How long what is stored about buckets is used before it is read again, and how much of it is
/// held.
#[derive(Clone, Copy, Debug)]
pub struct Freshness {
    /// How long a record is used.
    pub fresh: Duration,
    /// Most records held.
    pub cached_max: u64,
}

/// The configurations of one kind, in records.
pub struct StoredConfigurations<T> {
    backend: Arc<Backend>,
    partition: &'static str,
    records: CachedRecords<T>,
}

impl<T: Document> StoredConfigurations<T> {
    /// Those in `records`, of buckets on `backend` as a gateway in `region` sees them.
    #[must_use]
    pub fn new(
        region: &str,
        backend: Arc<Backend>,
        records: Records,
        clock: Arc<dyn Clock>,
        freshness: Freshness,
    ) -> Self {
        let Freshness { fresh, cached_max } = freshness;
        Self {
            backend,
            partition: proto::arn::partition(region),
            records: CachedRecords::new(records, T::SUBJECT, clock, fresh, cached_max),
        }
    }

    /// The configuration of a bucket, if it has one.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read, `InternalError` when it is not as it was
    /// written.
    pub async fn find(&self, bucket: &str) -> Result<Option<Arc<T>>, S3Error> {
        self.records.get(bucket).await
    }

    /// The configuration of a bucket that exists.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`; the code of the configuration where there is none; as
    /// [`StoredConfigurations::find`].
    pub(super) async fn existing(&self, bucket: &str) -> Result<Arc<T>, S3Error> {
        crate::bucket::check_exists(&self.backend, bucket).await?;
        let missing = || S3Error::new(T::MISSING).detail("BucketName", bucket);
        self.find(bucket).await?.ok_or_else(missing)
    }

    /// Reads what a client puts.
    pub(super) fn parse(&self, bucket: &str, document: &[u8]) -> Result<T, S3Error> {
        T::parse(document, bucket, self.partition)
    }

    /// Stores the configuration of a bucket that exists.
    pub(super) async fn store(&self, bucket: &str, value: T) -> Result<Response<Body>, S3Error> {
        crate::bucket::check_exists(&self.backend, bucket).await?;
        self.write(bucket, value).await?;
        let mut response = Response::new(empty_body());
        *response.status_mut() = T::STORED;
        Ok(response)
    }

    /// Stores the configuration of a bucket, whether it exists or not.
    pub(super) async fn write(&self, bucket: &str, value: T) -> Result<(), S3Error> {
        self.records.put(bucket, value).await
    }

    pub(super) fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }

    pub(super) fn partition(&self) -> &'static str {
        self.partition
    }
}

impl<T: Document> BucketConfiguration for StoredConfigurations<T> {
    fn records(&self) -> &dyn BucketConfiguration {
        self
    }

    fn get<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<Response<Body>, S3Error>> {
        async { Ok(self.existing(bucket).await?.to_response()) }.boxed()
    }

    fn put<'a>(
        &'a self,
        bucket: &'a str,
        document: &'a [u8],
    ) -> BoxFuture<'a, Result<Response<Body>, S3Error>> {
        async { self.store(bucket, self.parse(bucket, document)?).await }.boxed()
    }

    fn delete<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<Response<Body>, S3Error>> {
        async {
            crate::bucket::check_exists(&self.backend, bucket).await?;
            self.end(bucket).await?;
            Ok(no_content())
        }
        .boxed()
    }

    fn end<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<(), S3Error>> {
        self.records.remove(bucket).boxed()
    }
}

pub(super) fn no_content() -> Response<Body> {
    let mut response = Response::new(empty_body());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
