//! S3 Bucket Keys: KMS data keys that wrap the data keys of many objects for a limited time.
//!
//! A bucket key belongs to one bucket, one KMS key, one encryption context and one requester: what
//! one principal was allowed is never served to another. It is made, or unwrapped, by one call to the KMS and cached
//! for [`Config::seconds`]. Disabling a KMS key takes effect within that time.
//!
//! `sealgate_bucket_key_hits_total` counts objects that needed no call of the KMS, because a bucket key was cached or
//! another request had asked for it; `sealgate_bucket_key_misses_total` counts the calls.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html>

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use moka::future::Cache;
use proto::time::Clock;
use proto::time::Timestamp;

use crate::envelope::WrappingKey;
use crate::error::S3Error;
use crate::keys::kms::KeyService;
use crate::keys::kms::KeyServiceError;
use crate::keys::kms::Requester;
use crate::measured::BUCKET_KEY_HITS;
use crate::measured::BUCKET_KEY_MISSES;
use crate::sse::context::EncryptionContext;

/// How long and how many bucket keys are cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long a bucket key is used, in seconds. 0 makes a call to the KMS for every object.
    pub seconds: u64,
    /// How many bucket keys are cached, each for writes and for reads.
    pub keys_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seconds: 300,
            keys_max: 10_000,
        }
    }
}

/// The bucket keys in use.
pub struct BucketKeys {
    written: YoungKeys<WriteName, BucketKey>,
    read: YoungKeys<ReadName, WrappingKey>,
}

/// Keys that are used for a limited time.
struct YoungKeys<N, K> {
    cache: Cache<N, (Timestamp, Arc<K>)>,
    lifetime: Duration,
    clock: Arc<dyn Clock>,
}

/// A bucket key that wraps new data keys.
pub struct BucketKey {
    /// The key itself.
    pub key: WrappingKey,
    /// Full ARN of the KMS key that it is under.
    pub key_arn: String,
    /// The key wrapped by the KMS.
    pub blob: Vec<u8>,
}

/// What a new object's bucket key depends on.
#[derive(Clone, PartialEq, Eq, Hash)]
struct WriteName {
    bucket: String,
    key_id: String,
    context: EncryptionContext,
    requester: Arc<str>,
}

/// What an existing object's bucket key depends on.
#[derive(Clone, PartialEq, Eq, Hash)]
struct ReadName {
    bucket: String,
    key_arn: String,
    blob: Vec<u8>,
    context: EncryptionContext,
    requester: Arc<str>,
}

impl<N: Hash + Eq + Send + Sync + 'static, K: Send + Sync + 'static> YoungKeys<N, K> {
    fn new(config: Config, clock: Arc<dyn Clock>) -> Self {
        Self {
            cache: Cache::new(config.keys_max),
            lifetime: Duration::from_secs(config.seconds),
            clock,
        }
    }

    /// The key of this name; made when there is none that is young enough.
    async fn get_or_make(
        &self,
        name: N,
        make: impl Future<Output = Result<K, KeyServiceError>>,
    ) -> Result<Arc<K>, S3Error> {
        let now = self.clock.now();
        if let Some((since, _)) = self.cache.get(&name).await
            && since.distance(now) >= self.lifetime
        {
            self.cache.invalidate(&name).await;
        }
        // Of requests that need the same key at once, one calls the KMS.
        let is_made = AtomicBool::new(false);
        let make = async {
            is_made.store(true, Ordering::Relaxed);
            Ok((now, Arc::new(make.await?)))
        };
        let key = Box::pin(self.cache.try_get_with(name, make)).await;
        count(is_made.into_inner());
        key.map(|(_, key)| key)
            .map_err(|error: Arc<KeyServiceError>| error.as_ref().clone().into())
    }
}

impl BucketKeys {
    /// No bucket keys yet.
    #[must_use]
    pub fn new(config: Config, clock: Arc<dyn Clock>) -> Self {
        Self {
            written: YoungKeys::new(config, Arc::clone(&clock)),
            read: YoungKeys::new(config, clock),
        }
    }

    /// The bucket key for new objects of a requester; made when there is none that is young enough.
    ///
    /// # Errors
    ///
    /// What the KMS refuses, as S3's error for it.
    pub async fn for_write(
        &self,
        kms: &dyn KeyService,
        requester: &Requester,
        bucket: &str,
        key_id: &str,
        context: &EncryptionContext,
    ) -> Result<Arc<BucketKey>, S3Error> {
        let name = WriteName {
            bucket: bucket.to_owned(),
            key_id: key_id.to_owned(),
            context: context.clone(),
            requester: requester.key().into(),
        };
        let make = async {
            let generated = kms.generate_data_key(requester, key_id, context).await?;
            Ok(BucketKey {
                key: wrapping_key(generated.plaintext.as_slice())?,
                key_arn: generated.key_arn,
                blob: generated.blob,
            })
        };
        self.written.get_or_make(name, make).await
    }

    /// A bucket key that objects were wrapped under, unwrapped for this requester.
    ///
    /// # Errors
    ///
    /// What the KMS refuses, as S3's error for it.
    pub async fn for_read(
        &self,
        kms: &dyn KeyService,
        requester: &Requester,
        bucket: &str,
        (key_arn, blob): (&str, &[u8]),
        context: &EncryptionContext,
    ) -> Result<Arc<WrappingKey>, S3Error> {
        let name = ReadName {
            bucket: bucket.to_owned(),
            key_arn: key_arn.to_owned(),
            blob: blob.to_vec(),
            context: context.clone(),
            requester: requester.key().into(),
        };
        let unwrap = async {
            let plaintext = kms.decrypt(requester, key_arn, blob, context).await?;
            wrapping_key(&plaintext)
        };
        self.read.get_or_make(name, unwrap).await
    }
}

/// Counts a use of a bucket key that was made for it, by a call of the KMS, or was there.
fn count(is_made: bool) {
    match is_made {
        true => metrics::counter!(BUCKET_KEY_MISSES).increment(1),
        false => metrics::counter!(BUCKET_KEY_HITS).increment(1),
    }
}

fn wrapping_key(bytes: &[u8]) -> Result<WrappingKey, KeyServiceError> {
    WrappingKey::from_slice(bytes)
        .map_err(|_| KeyServiceError::Unusable("a bucket key of another length"))
}
