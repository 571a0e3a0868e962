//! Where access logs go: `PutBucketLogging` and `GetBucketLogging`. What writes the logs is
//! [`crate::access_log`].
//!
//! The backend never receives the configuration: it would log the gateway's requests, not those of clients.
//!
//! What AWS looks at when a configuration is put is checked here: that the target is there, and that it is in
//! the Region and the account of the source. Whether the log service may write there is checked at each
//! delivery, as at AWS.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLogging.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html>; the texts of
//! refusals as AWS sends them.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::Response;

use crate::bucket::configuration::BucketConfiguration;
use crate::bucket::configuration::ConfigurationStore;
use crate::bucket::configuration::StoredConfigurations;
use crate::bucket::document::Document as _;
use crate::bucket::owner::BucketOwners;
use crate::bucket::ownership::ObjectOwnership;
use crate::bucket::ownership::OwnershipControls;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::request::Body;
use crate::request::region_of;
use crate::state::is_reserved;

pub use crate::bucket::document::logging::LoggingEnabled;
pub use crate::bucket::document::logging::LoggingStatus;

/// The logging statuses of all buckets.
pub struct BucketLogging {
    stored: StoredConfigurations<LoggingStatus>,
    owners: Arc<BucketOwners>,
    region: String,
    state_bucket: String,
}

impl BucketLogging {
    /// The statuses in the records of `store`, of buckets with these owners. No log goes to `state_bucket`.
    #[must_use]
    pub fn new(store: ConfigurationStore, owners: Arc<BucketOwners>, state_bucket: &str) -> Self {
        Self {
            region: store.region.clone(),
            stored: StoredConfigurations::new(store),
            owners,
            state_bucket: state_bucket.to_owned(),
        }
    }

    /// Refuses a target that the log of `source` cannot go to.
    async fn check_target(&self, source: &str, logging: &LoggingEnabled) -> Result<(), S3Error> {
        let target = logging.target_bucket.as_str();
        let missing = || {
            let error = S3Error::new(S3Code::InvalidTargetBucketForLogging);
            error.detail("TargetBucket", target)
        };
        if !is_bucket(target) || is_reserved(target, &self.state_bucket) {
            return Err(missing());
        }
        let is_absent = |error: S3Error| match error.code() {
            S3Code::NoSuchBucket => missing(),
            _ => error,
        };
        self.stored.check_exists(target).await.map_err(is_absent)?;
        let owner = self.owners.of(target).await.map_err(is_absent)?;
        if owner != self.owners.of(source).await? {
            let code = S3Code::InvalidTargetBucketForLogging;
            let error = S3Error::with_message(code, OTHER_OWNER);
            return Err(error.detail("TargetBucket", target));
        }
        self.check_region(source, target).await?;
        match logging.target_grants.as_deref() {
            Some([_, ..]) if self.is_owner_enforced(target).await? => {
                Err(S3Error::with_message(S3Code::InvalidArgument, GRANTS))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a log that is to be delivered to another Region.
    async fn check_region(&self, source: &str, target: &str) -> Result<(), S3Error> {
        let source = self.owners.location_of(source).await?;
        let target = self.owners.location_of(target).await?;
        let own = self.region.as_str();
        let region =
            |location: &Option<String>| location.as_deref().map_or(own, region_of).to_owned();
        let (source, target) = (region(&source), region(&target));
        if source == target {
            return Ok(());
        }
        let mut error = S3Error::new(S3Code::CrossLocationLoggingProhibited);
        // AWS names both, except for us-east-1.
        for (element, region) in [
            ("TargetBucketLocation", target),
            ("SourceBucketLocation", source),
        ] {
            if region != "us-east-1" {
                error = error.detail(element, region);
            }
        }
        Err(error)
    }

    /// Whether access control lists are disabled in a bucket: then grants would not be carried out.
    async fn is_owner_enforced(&self, bucket: &str) -> Result<bool, S3Error> {
        let (_, record) = self.owners.with_record(bucket).await?;
        let ownership = OwnershipControls::in_record(record.as_deref());
        Ok(ownership == ObjectOwnership::BucketOwnerEnforced)
    }
}

impl BucketConfiguration for BucketLogging {
    fn records(&self) -> &dyn BucketConfiguration {
        &self.stored
    }

    fn get<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<Response<Body>, S3Error>> {
        async move {
            self.stored.check_exists(bucket).await?;
            let status = self.stored.find(bucket).await?.unwrap_or_default();
            Ok(status.to_response())
        }
        .boxed()
    }

    fn put<'a>(
        &'a self,
        bucket: &'a str,
        document: &'a [u8],
    ) -> BoxFuture<'a, Result<Response<Body>, S3Error>> {
        async move {
            let status = self.stored.parse(bucket, document)?;
            self.stored.check_exists(bucket).await?;
            if let Some(logging) = &status.enabled {
                self.check_target(bucket, logging).await?;
            }
            self.stored.store(bucket, status).await
        }
        .boxed()
    }
}

/// Whether this can be the name of a bucket at a backend: what is no name must not become a path.
fn is_bucket(name: &str) -> bool {
    let within = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (3..=255).contains(&name.len()) && name.bytes().all(within) && !name.starts_with('.')
}

const OTHER_OWNER: &str =
    "The owner for the bucket to be logged and the target bucket must be the same.";

/// AWS's text; its code is not documented.
const GRANTS: &str = "Target grants not allowed for bucket owner enforced buckets";
