//! The root keys of SSE-S3: made by a gateway, wrapped by the KMS, stored in the state bucket.
//!
//! The KMS key that wraps them is AWS-owned in the emulated KMS: it is listed nowhere, counts against no
//! quota, and only the gateway may use it. With a real KMS it is a key of the operator's choice.
//!
//! A root key is named by a number that is never given twice: the time it was made and a random
//! part. So two gateways that make the first key at the same time lose nothing: both keys stay,
//! objects name the one they were sealed under, and all gateways agree on the larger number as the
//! current one. No backend's conditional writes are relied upon.
//!
//! A key that cannot be read or unwrapped is an error. It is never replaced by a new one while the
//! list of keys has one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use proto::identity::AccountId;
use proto::time::Clock;
use proto::time::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::chunks::random::Random;
use crate::envelope::WrappingKey;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::keys::kms::KeyService;
use crate::keys::kms::KeyServiceError;
use crate::keys::kms::Requester;
use crate::sse::context::EncryptionContext;
use crate::state::Reading;
use crate::state::State;

/// The root keys.
///
/// A root key wrapped by another KMS key does not unwrap, whatever its file claims. So a KMS key that
/// is to replace the configured one needs the root keys wrapped anew.
pub struct RootKeys {
    state: State,
    kms: Arc<dyn KeyService>,
    /// The gateway itself.
    requester: Requester,
    /// The KMS key that wraps root keys.
    key_id: String,
    random: Arc<dyn Random>,
    clock: Arc<dyn Clock>,
    cache: Mutex<CachedKeys>,
    /// Held while the current key is looked for or made, so that a gateway makes one key at most.
    looking: tokio::sync::Mutex<()>,
    /// Held while a key is requested: all who need one at the same time get it by one request.
    requesting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct CachedKeys {
    keys: HashMap<u64, Arc<WrappingKey>>,
    /// The number, and when it was looked up, by the monotonic clock.
    current: Option<(u64, Duration)>,
}

impl RootKeys {
    /// The root keys in `state`, wrapped by `kms` under its key `key_id`, for the gateway as `account`.
    #[must_use]
    pub fn new(
        state: State,
        kms: Arc<dyn KeyService>,
        (account, key_id): (AccountId, &str),
        random: Arc<dyn Random>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            state,
            kms,
            requester: Requester::Gateway(Some(account)),
            key_id: key_id.to_owned(),
            random,
            clock,
            cache: Mutex::default(),
            looking: tokio::sync::Mutex::new(()),
            requesting: tokio::sync::Mutex::new(()),
        }
    }

    /// The same, with `key` as the current one for now, whatever the state bucket has.
    #[must_use]
    pub fn starting_with(self, number: u64, key: Arc<WrappingKey>) -> Self {
        let now = self.clock.monotonic();
        let mut cache = self.lock();
        cache.keys.insert(number, key);
        cache.current = Some((number, now));
        drop(cache);
        self
    }

    /// The key for new objects, and its number. Made if there is none.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state or the KMS cannot be reached; `InternalError` when the
    /// stored key is not a root key.
    pub async fn current(&self) -> Result<(u64, Arc<WrappingKey>), S3Error> {
        if let Some(current) = self.fresh() {
            return Ok(current);
        }
        let _looking = self.looking.lock().await;
        if let Some(current) = self.fresh() {
            return Ok(current);
        }
        let number = match Box::pin(self.latest()).await? {
            Some(number) => number,
            None => Box::pin(self.make(None)).await?,
        };
        let key = self.key(number).await?;
        self.lock().current = Some((number, self.clock.monotonic()));
        Ok((number, key))
    }

    /// The key of this number.
    ///
    /// # Errors
    ///
    /// As [`RootKeys::current`]; `InternalError` when there is no such key.
    pub async fn key(&self, number: u64) -> Result<Arc<WrappingKey>, S3Error> {
        if let Some(key) = self.cached(number) {
            return Ok(key);
        }
        let _requesting = self.requesting.lock().await;
        match self.cached(number) {
            Some(key) => Ok(key),
            None => Box::pin(self.fetch(number)).await,
        }
    }

    fn cached(&self, number: u64) -> Option<Arc<WrappingKey>> {
        self.lock().keys.get(&number).cloned()
    }

    /// Has the KMS unwrap a key that is stored, and caches it.
    ///
    /// Under the configured KMS key and no other: the file that names one is at the backend, and whoever
    /// may write there and use some KMS key could bring a root key of their own.
    async fn fetch(&self, number: u64) -> Result<Arc<WrappingKey>, S3Error> {
        let bytes = self.unwrap(number, &self.key_id).await?;
        let key = WrappingKey::from_slice(&bytes).map_err(|_| S3Error::internal())?;
        let key = Arc::new(key);
        self.lock().keys.insert(number, Arc::clone(&key));
        Ok(key)
    }

    /// Has the KMS unwrap a key that is stored, under one of its keys.
    async fn unwrap(&self, number: u64, key_id: &str) -> Result<Zeroizing<Vec<u8>>, S3Error> {
        let name = name(number);
        let Reading::Found(stored) = self.state.read(&name, None).await? else {
            tracing::error!(name, "a root key is missing");
            return Err(S3Error::internal());
        };
        let refuse = |why: &str| {
            tracing::error!(name, why, "a root key cannot be used");
            S3Error::internal()
        };
        let file: File = serde_json::from_slice(&stored.bytes).map_err(|_| refuse("no JSON"))?;
        if file.version != FILE_VERSION {
            return Err(refuse("unknown version"));
        }
        let blob = STANDARD
            .decode(&file.wrapped)
            .map_err(|_| refuse("no base64"))?;
        let context = context(number);
        let bytes = self
            .kms
            .decrypt(&self.requester, key_id, &blob, &context)
            .await
            .map_err(unavailable)?;
        match bytes.len() == ROOT_KEY_BYTES {
            true => Ok(bytes),
            false => Err(refuse("wrong length")),
        }
    }

    /// Makes a new key, the current one of every gateway a minute later; its number.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state or the KMS cannot be reached.
    pub async fn rotate(&self) -> Result<u64, S3Error> {
        let latest = self.latest().await?;
        self.make(latest).await
    }

    /// Wraps all keys that are wrapped under the KMS key `from` under the configured one; how many. Those
    /// that are already stay as they are.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state or the KMS cannot be reached, or a key is under neither. Those
    /// before it are wrapped then.
    pub async fn rewrap(&self, from: &str) -> Result<usize, S3Error> {
        let mut rewrapped = 0;
        for number in self.numbers().await? {
            if self.unwrap(number, &self.key_id).await.is_ok() {
                continue;
            }
            let key = self.unwrap(number, from).await?;
            self.store(number, &key).await?;
            self.unwrap(number, &self.key_id).await?;
            rewrapped += 1;
        }
        Ok(rewrapped)
    }

    /// Makes a key, of a number above `latest`; the number of the current one.
    async fn make(&self, latest: Option<u64>) -> Result<u64, S3Error> {
        let number = self.number(self.clock.now(), latest)?;
        let mut key = Zeroizing::new([0; ROOT_KEY_BYTES]);
        self.random.fill(&mut *key);
        self.store(number, &*key).await?;
        tracing::info!(number, "made a root key for SSE-S3");
        // Another gateway may have made one at the same time: the list decides.
        let latest = self
            .latest()
            .await?
            .ok_or_else(|| S3Error::new(S3Code::ServiceUnavailable))?;
        Ok(latest)
    }

    /// Stores a key, wrapped under the configured KMS key.
    async fn store(&self, number: u64, key: &[u8]) -> Result<(), S3Error> {
        let context = context(number);
        let wrapped = self
            .kms
            .encrypt(&self.requester, &self.key_id, key, &context);
        let wrapped = wrapped.await.map_err(unavailable)?;
        let file = File {
            version: FILE_VERSION,
            made: self.clock.now().iso8601(),
            kms_key_arn: wrapped.key_arn,
            wrapped: STANDARD.encode(wrapped.blob),
        };
        let bytes = serde_json::to_vec(&file).map_err(|_| S3Error::internal())?;
        let (name, headers) = (name(number), HeaderMap::new());
        self.state
            .write(&name, &headers, Bytes::from(bytes))
            .await?;
        Ok(())
    }

    fn fresh(&self) -> Option<(u64, Arc<WrappingKey>)> {
        let cache = self.lock();
        let (number, looked) = cache.current?;
        let key = cache.keys.get(&number)?;
        let age = self.clock.monotonic().saturating_sub(looked);
        (age < LOOK_AGAIN).then(|| (number, Arc::clone(key)))
    }

    /// The numbers of all keys, in order.
    async fn numbers(&self) -> Result<Vec<u64>, S3Error> {
        let names = self.state.names(PREFIX).await?;
        let mut numbers: Vec<_> = names.iter().filter_map(|name| number_of(name)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    async fn latest(&self) -> Result<Option<u64>, S3Error> {
        Ok(self.numbers().await?.last().copied())
    }

    /// A number of its own: milliseconds since 1970 and 20 random bits; larger than `latest`, also
    /// where the machine's clock is behind the one that `latest` was made by.
    fn number(&self, now: Timestamp, latest: Option<u64>) -> Result<u64, S3Error> {
        let mut random = [0; 4];
        self.random.fill(&mut random);
        let millis = u64::try_from(now.unix_millis()).map_err(|_| S3Error::internal())?;
        let number = millis << 20 | u64::from(u32::from_be_bytes(random) & 0xf_ffff);
        Ok(number.max(latest.map_or(0, |latest| latest.saturating_add(1))))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, CachedKeys> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stored form of a root key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    made: String,
    kms_key_arn: String,
    wrapped: String,
}

fn name(number: u64) -> String {
    format!("{PREFIX}{number:020}")
}

fn number_of(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?.parse().ok()
}

/// What the KMS binds the wrapped key to.
fn context(number: u64) -> EncryptionContext {
    let number = number.to_string();
    [
        ("sealgate:purpose", "sse-s3-root-key"),
        ("sealgate:number", number.as_str()),
    ]
    .into_iter()
    .collect()
}

/// A client that named no KMS key gets no error about one: its object's keys cannot be had, that is all.
fn unavailable(error: KeyServiceError) -> S3Error {
    tracing::error!(%error, "the root keys of SSE-S3 cannot be had");
    S3Error::new(S3Code::ServiceUnavailable)
}

const PREFIX: &str = "root-keys/";

const FILE_VERSION: u32 = 1;

/// Length of a root key: AES-256.
const ROOT_KEY_BYTES: usize = 32;

/// How long a gateway takes its current key for the current one: how soon it follows when another
/// gateway made a new one.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
