//! What the operations on objects share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::HeaderMap;

use crate::authorize::Permitted;
use crate::backend::Backend;
use crate::backend::Digest;
use crate::bucket::encryption::DefaultEncryptions;
use crate::bucket::object_lock::LockRule;
use crate::chunks::random::Random;
use crate::error::S3Error;
use crate::keys::data_key::DataKeys;
use crate::keys::data_key::ObjectName;
use crate::operation::config::Config;
use crate::operation::lock_digest;
use crate::operation::promises::Promises;
use crate::operation::promises::Turn;
use crate::records::listed_etags::ListedETags;
use crate::records::object_acls::ObjectAcls;
use crate::records::uploads::Uploads;
use crate::request::S3Request;
use crate::request::Target;
use crate::route::Operation;
use crate::sealed::objects::SealedObjects;
use crate::sealed::objects::Settings;
use crate::sse::request::BucketDefault;
use crate::sse::request::Transport;
use crate::state::copies::Copies;

/// Where the default encryption of buckets comes from.
pub trait BucketDefaults: Send + Sync {
    /// What `bucket` gives to objects whose requests name no encryption.
    ///
    /// # Errors
    ///
    /// An error refuses the write: what cannot be read is never taken for "none".
    fn default_of<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<BucketDefault, S3Error>>;
}

impl BucketDefaults for DefaultEncryptions {
    fn default_of<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<BucketDefault, S3Error>> {
        Self::of(self, bucket).boxed()
    }
}

/// The objects of a gateway, and the uploads that become some.
pub struct ObjectStore {
    pub(crate) config: Config,
    pub(crate) backend: Arc<Backend>,
    pub(crate) sealed: SealedObjects,
    pub(crate) defaults: Arc<dyn BucketDefaults>,
    /// Uploads that are not complete.
    pub(crate) uploads: Arc<Uploads>,
    /// Whose turn it is on an upload: many parts', or one Complete's.
    pub(crate) turns: moka::sync::Cache<String, Arc<tokio::sync::RwLock<()>>>,
    /// What the backend must hold, where that is looked at.
    pub(crate) promises: Option<Arc<Promises>>,
    /// Whether the backend's listings can show objects' metadata.
    pub(crate) lists_metadata: AtomicBool,
}

impl ObjectStore {
    /// The objects of `backend`, as a gateway in `region`.
    #[must_use]
    pub fn new(
        config: Config,
        region: &str,
        backend: Arc<Backend>,
        data_keys: DataKeys,
        defaults: Arc<dyn BucketDefaults>,
        random: Arc<dyn Random>,
        uploads: Arc<Uploads>,
    ) -> Self {
        let copies = Copies::new(uploads.state().clone(), Arc::clone(&random));
        let settings = Settings {
            partition: proto::arn::partition(region),
            reserved_bucket: None,
            adopted_buckets: config.adopted_buckets.clone(),
            inline_body_max_bytes: config.inline_body_max_bytes,
            records_max: config.records_max,
            facts_max_bytes: config.listing.known_max_bytes,
        };
        let objects = Arc::clone(&backend);
        Self {
            sealed: SealedObjects::new(settings, objects, data_keys, random, copies),
            config,
            backend,
            defaults,
            uploads,
            turns: moka::sync::Cache::new(TURNS_MAX),
            promises: None,
            lists_metadata: AtomicBool::new(false),
        }
    }

    /// The same, where no client may read from or write to `bucket`: the gateway's own.
    #[must_use]
    pub fn reserving(mut self, bucket: &str) -> Self {
        self.sealed.settings.reserved_bucket = Some(bucket.to_owned());
        self
    }

    /// The same, where `etags` has which buckets are listed without looking at their objects.
    #[must_use]
    pub fn listing_by(mut self, etags: Arc<dyn ListedETags>) -> Self {
        self.sealed.listed_etags = Some(etags);
        self
    }

    /// The same, where objects have these access control lists.
    #[must_use]
    pub fn with_acls(mut self, acls: Arc<ObjectAcls>) -> Self {
        self.sealed.acls = Some(acls);
        self
    }

    /// The same, where what the backend does not do as S3 does is refused.
    #[must_use]
    pub fn with_promises(mut self, promises: Promises) -> Self {
        self.promises = Some(Arc::new(promises));
        self
    }

    /// Looks at what the backend must hold for an operation ([`Promises::check`]); the turn lasts as long as
    /// the operation.
    ///
    /// # Errors
    ///
    /// As [`Promises::check`].
    pub async fn check_promises(
        &self,
        operation: Operation,
        permitted: &mut Permitted<S3Request>,
    ) -> Result<Option<Turn>, S3Error> {
        match &self.promises {
            Some(promises) => promises.check(operation, permitted.request_mut()).await,
            None => Ok(None),
        }
    }

    /// Whether the backend receives a digest of what is stored in a bucket with these headers: S3 demands one of
    /// what it locks.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`.
    pub(crate) async fn digest(
        &self,
        bucket: &str,
        headers: &HeaderMap,
    ) -> Result<Digest, S3Error> {
        let is_locked = match &self.promises {
            _ if lock_digest::names_lock(headers) => true,
            Some(promises) => promises.lock_rule(bucket).await? == LockRule::ByDefault,
            None => false,
        };
        Ok(match is_locked {
            true => Digest::Demanded,
            false => Digest::Useful,
        })
    }

    /// Notes that an operation was done that may change what was read of its bucket ([`Promises::note_done`]).
    pub fn note_done(&self, operation: Operation, bucket: Option<&str>) {
        if let (Some(promises), Some(bucket)) = (&self.promises, bucket) {
            promises.note_done(operation, bucket);
        }
    }

    /// Forgets what is remembered of objects, so that listings look at them again.
    pub fn forget_facts(&self) {
        self.sealed.facts.clear();
    }

    /// The object that a request is about.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for a request about a bucket; `AccessDenied` for the gateway's own bucket.
    pub(crate) fn name(&self, target: &Target) -> Result<ObjectName, S3Error> {
        match (&target.bucket, &target.key) {
            (Some(bucket), Some(key)) => self.sealed.name(bucket, key),
            _ => Err(S3Error::invalid_request("The request names no object.")),
        }
    }

    /// How the connection of a request protects what it carries.
    pub(crate) fn transport(&self, request: &S3Request) -> Transport {
        Transport::of(request, self.config.allow_insecure_sse)
    }
}

/// Uploads that can be completed at a time without waiting in vain for one another.
const TURNS_MAX: u64 = 10_000;
