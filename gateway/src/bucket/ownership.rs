//! Object Ownership: `PutBucketOwnershipControls`, `GetBucketOwnershipControls`,
//! `DeleteBucketOwnershipControls`, and what a new bucket has.
//!
//! A bucket about which nothing is stored has `BucketOwnerEnforced`, as at AWS since April 2023: its access control
//! lists are disabled. The backend never receives the controls, since all objects there belong to the gateway.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use http::Response;
use serde::Deserialize;

use crate::bucket::configuration::BucketConfiguration;
use crate::bucket::configuration::ConfigurationStore;
use crate::bucket::configuration::StoredConfigurations;
use crate::bucket::configuration::no_content;
use crate::bucket::document::Document as _;
use crate::bucket::document::ownership::StoredOwnership;
use crate::bucket::record::BucketRecord;
use crate::bucket::record::Configurations;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::request::Body;
use crate::request::empty_body;

pub use crate::bucket::document::ownership::ObjectOwnership;

/// Who owns the objects of new buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The ownership controls of a bucket that is created without any.
    pub new_buckets: ObjectOwnership,
}

/// The ownership controls of all buckets.
pub struct OwnershipControls {
    stored: StoredConfigurations<StoredOwnership>,
    store: ConfigurationStore,
    config: Config,
}

impl OwnershipControls {
    /// The controls in the records of `store`.
    #[must_use]
    pub fn new(store: ConfigurationStore, config: Config) -> Self {
        Self {
            stored: StoredConfigurations::new(store.clone()),
            store,
            config,
        }
    }

    /// What is in force in the bucket with this record.
    #[must_use]
    pub fn in_record(record: Option<&BucketRecord>) -> ObjectOwnership {
        let record = record.filter(|record| record.is_in_use());
        let stored = record.and_then(|record| record.configurations.ownership.as_deref());
        match stored {
            None => ObjectOwnership::BucketOwnerEnforced,
            // So AWS has it after they were deleted.
            Some(stored) => stored.ownership.unwrap_or(ObjectOwnership::ObjectWriter),
        }
    }

    /// The controls of a bucket that a request with these headers creates.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`.
    pub fn of_new_bucket(&self, headers: &HeaderMap) -> Result<ObjectOwnership, S3Error> {
        let Some(value) = headers.get(HEADER) else {
            return Ok(self.config.new_buckets);
        };
        let value = String::from_utf8_lossy(value.as_bytes());
        let is_single = headers.get_all(HEADER).iter().count() == 1;
        let ownership = ObjectOwnership::from_name(&value).filter(|_| is_single);
        ownership.ok_or_else(|| {
            let message = format!("Invalid {HEADER} header: {value}");
            let error = S3Error::with_message(S3Code::InvalidArgument, message);
            error.detail("ArgumentName", HEADER)
        })
    }

    /// What is stored about a bucket that is created with these controls; nothing of the default.
    pub(super) fn stored_of_new_bucket(ownership: ObjectOwnership) -> Option<StoredOwnership> {
        let stored = StoredOwnership {
            ownership: Some(ownership),
        };
        (ownership != ObjectOwnership::BucketOwnerEnforced).then_some(stored)
    }

    /// Sets the controls of a bucket that exists.
    async fn set(&self, bucket: &str, stored: StoredOwnership) -> Result<(), S3Error> {
        let is_enforced = stored.ownership == Some(ObjectOwnership::BucketOwnerEnforced);
        let set = |configurations: &mut Configurations| {
            let acl = configurations.acl.as_deref();
            if is_enforced && acl.is_some_and(|acl| acl.grants_to_others()) {
                return Err(S3Error::new(S3Code::InvalidBucketAclWithObjectOwnership));
            }
            configurations.ownership = Some(stored.into());
            Ok(true)
        };
        self.store.edit(bucket, set).await
    }
}

impl BucketConfiguration for OwnershipControls {
    fn records(&self) -> &dyn BucketConfiguration {
        &self.stored
    }

    fn get<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<Response<Body>, S3Error>> {
        async move {
            self.stored.check_exists(bucket).await?;
            let stored = self.stored.find(bucket).await?;
            match stored.map(|stored| stored.ownership) {
                Some(None) => {
                    let missing = S3Error::new(S3Code::OwnershipControlsNotFound);
                    Err(missing.detail("BucketName", bucket))
                }
                ownership => {
                    let ownership = ownership.flatten();
                    Ok(StoredOwnership { ownership }.to_response())
                }
            }
        }
        .boxed()
    }

    fn put<'a>(
        &'a self,
        bucket: &'a str,
        document: &'a [u8],
    ) -> BoxFuture<'a, Result<Response<Body>, S3Error>> {
        async move {
            let stored = self.stored.parse(bucket, document)?;
            self.set(bucket, stored).await?;
            Ok(Response::new(empty_body()))
        }
        .boxed()
    }

    fn delete<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<Response<Body>, S3Error>> {
        async move {
            let ownership = None;
            self.set(bucket, StoredOwnership { ownership }).await?;
            Ok(no_content())
        }
        .boxed()
    }
}

/// The header of CreateBucket.
const HEADER: &str = "x-amz-object-ownership";
