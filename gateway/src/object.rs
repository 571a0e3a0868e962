//! Operations on objects: sealed on their way to the backend, opened on their way back.
//!
//! [`Objects`] holds what they share. A write is sealed by [`store`], a read opened by [`stored`] and
//! [`opened`]; the operations around them decide, and translate between what a client sees and what
//! the backend holds: sizes, ETags, ranges, conditions, checksums.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::backend::Backend;
use crate::bucket::encryption::DefaultEncryptions;
use crate::bucket::etags::ListedEtags;
use crate::chunks::SALT_BYTES;
use crate::chunks::random::Random;
use crate::chunks::trailer::Record;
use crate::error::S3Error;
use crate::request::Target;
use crate::sse::choice::BucketDefault;
use crate::sse::data_key::DataKeys;
use crate::sse::data_key::ObjectName;
use crate::state::copies::Copies;
use crate::state::uploads::Uploads;

pub mod attributes;
pub mod copy;
pub mod delete;
pub mod document;
pub mod facts;
pub mod get;
pub mod head;
mod if_range;
pub mod list;
pub mod multipart;
pub mod opened;
pub mod plain;
pub mod post;
pub mod put;
mod rewrap;
pub mod store;
pub mod stored;
pub mod update_encryption;

/// Where the default encryption of buckets is known.
pub trait BucketDefaults: Send + Sync {
    /// What `bucket` gives to objects whose requests name no encryption.
    ///
    /// # Errors
    ///
    /// An error refuses the write: what cannot be read is never taken for "none".
    fn of<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<BucketDefault, S3Error>>;
}

impl BucketDefaults for DefaultEncryptions {
    fn of<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<BucketDefault, S3Error>> {
        Self::of(self, bucket).boxed()
    }
}

/// How objects are read and written.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Largest body that is held in memory, in bytes; larger ones are streamed.
    ///
    /// What is held in memory has its digests in the envelope, so that a read takes one request to the
    /// backend. Counts for every write in flight.
    pub inline_body_max_bytes: usize,

    /// Whether SSE-C and SSE-KMS are allowed over plain HTTP, where anyone can read the keys and
    /// the objects. For fixtures only.
    pub allow_insecure_sse: bool,

    /// Buckets whose objects may lie unsealed at the backend, because they were there before the
    /// gateway. Their unsealed objects are handed out; everywhere else they are refused.
    pub adopted_buckets: Vec<String>,

    /// How many objects' digests are remembered, so that reading large objects again takes one
    /// request to the backend instead of two. About 200 bytes each.
    pub records_max: u64,

    /// How copies are made.
    pub copy: copy::Making,

    /// How listings are made.
    pub listing: list::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            inline_body_max_bytes: 256 << 10,
            allow_insecure_sse: false,
            adopted_buckets: Vec::new(),
            records_max: 100_000,
            copy: copy::Making::default(),
            listing: list::Config::default(),
        }
    }
}

/// What the operations on objects share.
pub struct Objects {
    pub(crate) config: Config,
    pub(crate) backend: Arc<Backend>,
    pub(crate) data_keys: DataKeys,
    pub(crate) defaults: Arc<dyn BucketDefaults>,
    pub(crate) random: Arc<dyn Random>,
    /// Partition of the ARNs that objects are bound to.
    partition: &'static str,
    /// The bucket that clients can neither read nor write.
    reserved_bucket: Option<String>,
    /// Which buckets' listings tell the ETags that clients see.
    pub(crate) etags: Option<Arc<ListedEtags>>,
    /// Whether the backend's listings can tell objects' metadata.
    pub(crate) lists_metadata: AtomicBool,
    /// Digests by the salt of the segment they belong to, which no two segments share.
    records: moka::sync::Cache<[u8; SALT_BYTES], Arc<Record>>,
    /// What clients see of objects, by what a listing of the backend tells.
    pub(crate) known: facts::KnownFacts,
    /// Uploads that are not complete.
    pub(crate) uploads: Uploads,
    /// What the backend's own copies are good for.
    pub(crate) copies: Copies,
    /// Footers of objects in parts, as they are stored.
    pub(crate) footers: moka::sync::Cache<String, Arc<multipart::footer::Footer>>,
    /// Whose turn it is to complete an upload.
    pub(crate) turns: moka::sync::Cache<String, Arc<tokio::sync::Mutex<()>>>,
}

impl Objects {
    /// Operations on the objects of `backend`, as a gateway in `region`.
    #[must_use]
    pub fn new(
        config: Config,
        region: &str,
        backend: Arc<Backend>,
        data_keys: DataKeys,
        defaults: Arc<dyn BucketDefaults>,
        random: Arc<dyn Random>,
        uploads: Uploads,
    ) -> Self {
        let records = moka::sync::Cache::new(config.records_max);
        let known = facts::KnownFacts::new(config.listing.known_max_bytes);
        let partition = proto::arn::partition(region);
        let copies = Copies::new(uploads.state().clone(), Arc::clone(&random));
        Self {
            config,
            backend,
            data_keys,
            defaults,
            random,
            partition,
            reserved_bucket: None,
            etags: None,
            lists_metadata: AtomicBool::new(false),
            records,
            known,
            uploads,
            copies,
            footers: moka::sync::Cache::builder()
                .max_capacity(FOOTER_BYTES_MAX)
                .weigher(|_, footer: &Arc<multipart::footer::Footer>| footer.weight())
                .build(),
            turns: moka::sync::Cache::new(TURNS_MAX),
        }
    }

    /// The same, where no client may read from or write to `bucket`: the gateway's own.
    #[must_use]
    pub fn reserving(mut self, bucket: &str) -> Self {
        self.reserved_bucket = Some(bucket.to_owned());
        self
    }

    /// The same, where `etags` says which buckets are listed without asking about their objects.
    #[must_use]
    pub fn listing_by(mut self, etags: Arc<ListedEtags>) -> Self {
        self.etags = Some(etags);
        self
    }

    /// The object that a request is about.
    fn name(&self, target: &Target) -> Result<ObjectName, S3Error> {
        match (&target.bucket, &target.key) {
            (Some(bucket), Some(key)) => self.named(bucket, key),
            _ => Err(S3Error::invalid_request("The request names no object.")),
        }
    }

    /// The object `key` in `bucket`, unless no client may name it.
    fn named(&self, bucket: &str, key: &str) -> Result<ObjectName, S3Error> {
        if self.reserved_bucket.as_deref() == Some(bucket) {
            return Err(S3Error::access_denied());
        }
        Ok(ObjectName::new(self.partition, bucket, key))
    }

    /// Whether a bucket may hold unsealed objects.
    fn adopts(&self, bucket: &str) -> bool {
        self.config
            .adopted_buckets
            .iter()
            .any(|adopted| adopted == bucket)
    }
}

/// Footers of objects in parts that are remembered, in bytes; one has 120 bytes for each part.
const FOOTER_BYTES_MAX: u64 = 32 << 20;

/// Uploads that can be completed at a time without waiting in vain for one another.
const TURNS_MAX: u64 = 10_000;
