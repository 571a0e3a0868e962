//! Block Public Access: `PutPublicAccessBlock`, `GetPublicAccessBlock`, `DeletePublicAccessBlock`, and
//! what they block.
//!
//! Buckets that are created here block all public access, as at AWS, unless the configuration says
//! otherwise. Of a bucket about which nothing is stored here the backend's own block counts; one that
//! cannot be read blocks everything.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::Method;
use http::Response;
use http::StatusCode;
use serde::Deserialize;

use crate::backend::BackendError;
use crate::backend::BackendRequest;
use crate::bucket::account_block::AccountBlocks;
use crate::bucket::configuration::BucketConfiguration;
use crate::bucket::configuration::ConfigurationStore;
use crate::bucket::configuration::StoredConfigurations;
use crate::bucket::configuration::no_content;
use crate::bucket::document;
use crate::bucket::document::Document as _;
use crate::bucket::document::public_access::PublicAccessBlock;
use crate::bucket::document::public_access::StoredBlock;
use crate::bucket::owner::BucketOwners;
use crate::error::S3Error;
use crate::request::Body;

/// How public access is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether new buckets have all four settings on, as at AWS since April 2023.
    pub new_buckets: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { new_buckets: true }
    }
}

/// The blocks of all buckets.
pub struct PublicAccessBlocks {
    stored: StoredConfigurations<StoredBlock>,
    config: Config,
    /// What accounts block, and whose buckets are.
    accounts: Option<(Arc<AccountBlocks>, Arc<BucketOwners>)>,
}

impl PublicAccessBlocks {
    /// The blocks in the records of `store`.
    #[must_use]
    pub fn new(store: ConfigurationStore, config: Config) -> Self {
        Self {
            stored: StoredConfigurations::new(store),
            config,
            accounts: None,
        }
    }

    /// The same, with what the owners of buckets block for all of theirs.
    #[must_use]
    pub fn with_accounts(mut self, blocks: Arc<AccountBlocks>, owners: Arc<BucketOwners>) -> Self {
        self.accounts = Some((blocks, owners));
        self
    }

    /// What an account blocks for all that it has.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read. The request must be refused then.
    pub async fn of_account(&self, account: &str) -> Result<PublicAccessBlock, S3Error> {
        let Some((blocks, _)) = &self.accounts else {
            return Ok(PublicAccessBlock::default());
        };
        Ok(blocks.find(account).await?.unwrap_or_default())
    }

    /// What is in force for a bucket: its own block and that of its owner's account.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when neither the state nor the backend can be read, `InternalError` when
    /// the record is not as it was written. The request must be refused then.
    pub async fn in_force(&self, bucket: &str) -> Result<PublicAccessBlock, S3Error> {
        let block = self.find(bucket).await?.unwrap_or_default();
        let Some((_, owners)) = &self.accounts else {
            return Ok(block);
        };
        let owner = owners.of(bucket).await?;
        Ok(block.with(self.of_account(&owner).await?))
    }

    /// What a bucket has that is about to be created.
    #[must_use]
    pub fn of_new_bucket(&self) -> PublicAccessBlock {
        match self.config.new_buckets {
            true => PublicAccessBlock::ALL,
            false => PublicAccessBlock::default(),
        }
    }

    /// The same, as it is stored; none where nothing is stored about it.
    pub(super) fn stored_of_new_bucket(&self) -> Option<StoredBlock> {
        let block = Some(PublicAccessBlock::ALL);
        self.config.new_buckets.then_some(StoredBlock { block })
    }

    async fn find(&self, bucket: &str) -> Result<Option<PublicAccessBlock>, S3Error> {
        match self.stored.find(bucket).await? {
            Some(stored) => Ok(stored.block),
            None => self.of_backend(bucket).await,
        }
    }

    /// The backend's own block of a bucket.
    async fn of_backend(&self, bucket: &str) -> Result<Option<PublicAccessBlock>, S3Error> {
        let request = BackendRequest::bucket(Method::GET, bucket).query("publicAccessBlock", "");
        match self.stored.backend().fetch(request).await {
            Ok(answer) => Ok(Some(
                PublicAccessBlock::parse(answer.body()).unwrap_or(PublicAccessBlock::ALL),
            )),
            Err(BackendError::Refused(error)) if NOT_CONFIGURED.contains(&error.status()) => {
                Ok(None)
            }
            Err(BackendError::Refused(error)) if error.status().is_client_error() => {
                Ok(Some(PublicAccessBlock::ALL))
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl BucketConfiguration for PublicAccessBlocks {
    fn records(&self) -> &dyn BucketConfiguration {
        &self.stored
    }

    fn get<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<Response<Body>, S3Error>> {
        async move {
            self.stored.check_exists(bucket).await?;
            let missing = || S3Error::new(StoredBlock::MISSING).detail("BucketName", bucket);
            let block = self.find(bucket).await?.ok_or_else(missing)?;
            Ok(document::xml(&block.to_xml()))
        }
        .boxed()
    }

    fn delete<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<Response<Body>, S3Error>> {
        async move {
            self.stored
                .store(bucket, StoredBlock { block: None })
                .await?;
            Ok(no_content())
        }
        .boxed()
    }
}

/// Answers of a backend that has no block for a bucket, or has none at all.
const NOT_CONFIGURED: [StatusCode; 2] = [StatusCode::NOT_FOUND, StatusCode::NOT_IMPLEMENTED];
