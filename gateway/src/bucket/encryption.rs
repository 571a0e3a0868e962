//! The default encryption of buckets: `PutBucketEncryption`, `GetBucketEncryption`,
//! `DeleteBucketEncryption`, and what writes get from it.
//!
//! A bucket without a configuration has SSE-S3. One whose configuration cannot be read takes no
//! writes: to guess would be to store an object otherwise than its owner ordered.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketEncryption.html>

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::Response;
use serde::Deserialize;

use crate::bucket::configuration::BucketConfiguration;
use crate::bucket::configuration::ConfigurationStore;
use crate::bucket::configuration::StoredConfigurations;
use crate::bucket::document::Document as _;
use crate::bucket::document::encryption::Rule;
use crate::error::S3Error;
use crate::request::Body;
use crate::sse::request::BucketDefault;

pub use crate::bucket::document::encryption::CustomerKeys;

/// How default encryption behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether buckets that say nothing of it take writes with customer keys (SSE-C).
    pub ssec_default: CustomerKeys,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ssec_default: CustomerKeys::Allowed,
        }
    }
}

/// The default encryptions of all buckets.
pub struct DefaultEncryptions {
    stored: StoredConfigurations<Rule>,
    config: Config,
}

impl DefaultEncryptions {
    /// The configurations in the records of `store`.
    #[must_use]
    pub fn new(store: ConfigurationStore, config: Config) -> Self {
        Self {
            stored: StoredConfigurations::new(store),
            config,
        }
    }

    /// What a bucket gives to objects whose requests name no encryption.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read, `InternalError` when the configuration is
    /// not as it was written. A write must be refused then.
    pub async fn of(&self, bucket: &str) -> Result<BucketDefault, S3Error> {
        let ssec_default = self.config.ssec_default;
        if let Some(rule) = self.stored.find(bucket).await? {
            return Ok(rule.to_default(ssec_default));
        }
        let default = Rule::of_new_bucket(ssec_default).to_default(ssec_default);
        Ok(BucketDefault {
            is_configured: false,
            ..default
        })
    }
}

impl BucketConfiguration for DefaultEncryptions {
    fn records(&self) -> &dyn BucketConfiguration {
        &self.stored
    }

    fn get<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<Response<Body>, S3Error>> {
        async move {
            self.stored.check_exists(bucket).await?;
            let rule = self.stored.find(bucket).await?;
            Ok(rule.map_or_else(
                || Rule::of_new_bucket(self.config.ssec_default).to_response(),
                |rule| rule.to_response(),
            ))
        }
        .boxed()
    }
}
