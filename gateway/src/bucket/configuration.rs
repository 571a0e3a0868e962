//! Configurations of buckets that the gateway stores itself: put, read and deleted as a whole.
//!
//! A new one is a file with a [`crate::bucket::document::Document`], a place in
//! [`crate::bucket::record::Configurations`], a variant of [`Configuration`], and three rows in the table
//! of operations.

use std::marker::PhantomData;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::Response;
use http::StatusCode;

use crate::backend::Backend;
use crate::bucket::bucket_records::BucketRecords;
use crate::bucket::bucket_records::Edit;
use crate::bucket::record::BucketRecord;
use crate::bucket::record::Configurations;
use crate::bucket::record::Phase;
use crate::bucket::record::RecordedDocument;
use crate::bucket::requests;
use crate::chunks::random::Random;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::request::Body;
use crate::request::empty_body;

/// Which configuration of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Configuration {
    /// Its cross-origin rules.
    Cors,
    /// Its default encryption.
    Encryption,
    /// Where its access log goes.
    Logging,
    /// Who owns its objects.
    OwnershipControls,
    /// Its policy.
    Policy,
    /// What it blocks of public access.
    PublicAccessBlock,
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
    /// What is wrong with the document; `NoSuchBucket`; `OperationAborted` when the bucket is changed
    /// too often at the same moment, or became another one; `ServiceUnavailable` when the state cannot
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
    /// As [`BucketConfiguration::put`].
    fn delete<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<Response<Body>, S3Error>> {
        self.records().delete(bucket)
    }
}

/// What all kinds of configurations are stored with.
#[derive(Clone)]
pub struct ConfigurationStore {
    /// The backend, which has the buckets.
    pub backend: Arc<Backend>,
    /// The records of buckets.
    pub records: Arc<BucketRecords>,
    /// For the first record of a bucket.
    pub random: Arc<dyn Random>,
    /// The account of buckets without a record that are configured.
    pub first_account: String,
    /// The Region of the gateway.
    pub region: String,
}

impl ConfigurationStore {
    /// Changes the configurations of a bucket that exists, of the incarnation that the request was judged
    /// by. `edit` returns whether it changed anything; it is called again if somebody else was faster.
    ///
    /// # Errors
    ///
    /// What `edit` refuses; as [`BucketConfiguration::put`].
    pub(crate) async fn edit(
        &self,
        bucket: &str,
        edit: impl Fn(&mut Configurations) -> Result<bool, S3Error> + Send + Sync,
    ) -> Result<(), S3Error> {
        let judged = self.records.incarnation(bucket);
        requests::check_exists(&self.backend, bucket).await?;
        let changed = self.records.change(bucket, |current| {
            let mut record = match current {
                Some(current) if current.phase == Phase::Gone => self.first_record(),
                None => self.first_record(),
                Some(current) if !current.is_in_use() => {
                    return Err(S3Error::new(S3Code::NoSuchBucket).detail("BucketName", bucket));
                }
                Some(current) => {
                    if judged.as_ref().is_some_and(|it| *it != current.incarnation) {
                        return Err(S3Error::new(S3Code::OperationAborted));
                    }
                    current.clone()
                }
            };
            Ok(match edit(&mut record.configurations)? {
                true => Edit::replace(record),
                false => Edit::Keep,
            })
        });
        changed.await?;
        Ok(())
    }

    /// The record of a bucket that was not created through a gateway.
    fn first_record(&self) -> BucketRecord {
        BucketRecord::new(&self.first_account, Phase::Live, &*self.random)
    }
}

/// The configurations of one kind, in records.
pub struct StoredConfigurations<T> {
    store: ConfigurationStore,
    kind: PhantomData<fn() -> T>,
}

impl<T: RecordedDocument> StoredConfigurations<T> {
    /// Those in the records of `store`.
    #[must_use]
    pub fn new(store: ConfigurationStore) -> Self {
        let kind = PhantomData;
        Self { store, kind }
    }

    /// The configuration of a bucket, if it has one.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read, `InternalError` when it is not as it was
    /// written.
    pub async fn find(&self, bucket: &str) -> Result<Option<Arc<T>>, S3Error> {
        self.store.records.configuration(bucket).await
    }

    /// The configuration of a bucket that exists.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`; the code of the configuration where there is none; as
    /// [`StoredConfigurations::find`].
    pub(super) async fn existing(&self, bucket: &str) -> Result<Arc<T>, S3Error> {
        self.check_exists(bucket).await?;
        let missing = || S3Error::new(T::MISSING).detail("BucketName", bucket);
        self.find(bucket).await?.ok_or_else(missing)
    }

    /// Whether the backend has the bucket.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`, or the backend's other refusal.
    pub(super) async fn check_exists(&self, bucket: &str) -> Result<(), S3Error> {
        requests::check_exists(&self.store.backend, bucket).await
    }

    /// Reads what a client puts.
    pub(super) fn parse(&self, bucket: &str, document: &[u8]) -> Result<T, S3Error> {
        T::parse(document, bucket, self.partition())
    }

    /// Stores the configuration of a bucket that exists.
    pub(super) async fn store(&self, bucket: &str, value: T) -> Result<Response<Body>, S3Error> {
        self.set(bucket, Some(Arc::new(value))).await?;
        let mut response = Response::new(empty_body());
        *response.status_mut() = T::STORED;
        Ok(response)
    }

    /// Sets or removes the configuration of a bucket that exists.
    async fn set(&self, bucket: &str, value: Option<Arc<T>>) -> Result<(), S3Error> {
        let set = |configurations: &mut Configurations| {
            if value.is_none() && T::find(configurations).is_none() {
                return Ok(false);
            }
            T::set(configurations, value.clone());
            Ok(true)
        };
        self.store.edit(bucket, set).await
    }

    pub(super) fn backend(&self) -> &Arc<Backend> {
        &self.store.backend
    }

    pub(super) fn partition(&self) -> &'static str {
        proto::arn::partition(&self.store.region)
    }
}

impl<T: RecordedDocument> BucketConfiguration for StoredConfigurations<T> {
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
            self.set(bucket, None).await?;
            Ok(no_content())
        }
        .boxed()
    }
}

pub(super) fn no_content() -> Response<Body> {
    let mut response = Response::new(empty_body());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
