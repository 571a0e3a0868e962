//! The objects at the backend: what reading and writing them takes.

use std::sync::Arc;

use http::HeaderValue;

use crate::backend::Backend;
use crate::chunks::SALT_BYTES;
use crate::chunks::random::Random;
use crate::chunks::segment::Segment;
use crate::chunks::trailer::Record;
use crate::error::S3Error;
use crate::keys::data_key::DataKeys;
use crate::keys::data_key::NewKey;
use crate::keys::data_key::ObjectName;
use crate::keys::kms::Requester;
use crate::protocol::etag::ETag;
use crate::records::listed_etags::ListedETags;
use crate::records::object_acls::AclKey;
use crate::records::object_acls::NewObjectAcl;
use crate::records::object_acls::ObjectAcls;
use crate::sealed::cache;
use crate::sealed::cache::FactsCache;
use crate::sealed::cache::FooterCache;
use crate::sse::request::Encryption;
use crate::state::copies::Copies;
use crate::state::is_reserved;

/// How objects are read and written.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Partition of the ARNs that objects are bound to.
    pub partition: &'static str,
    /// The state bucket, which clients can neither read nor write.
    pub reserved_bucket: Option<String>,
    /// Buckets whose objects may lie unsealed at the backend.
    pub adopted_buckets: Vec<String>,
    /// Largest body that is held in memory, in bytes.
    pub inline_body_max_bytes: usize,
    /// How many objects' digests are remembered.
    pub records_max: u64,
    /// How much memory the remembered sizes and ETags may take, in bytes.
    pub facts_max_bytes: u64,
}

/// The objects at the backend.
pub struct SealedObjects {
    pub(crate) settings: Settings,
    pub(crate) backend: Arc<Backend>,
    pub(crate) data_keys: DataKeys,
    pub(crate) random: Arc<dyn Random>,
    /// What the backend's own copies are good for.
    pub(crate) copies: Copies,
    /// Which buckets' listings show the ETags that clients see.
    pub(crate) listed_etags: Option<Arc<dyn ListedETags>>,
    /// Their access control lists. Without it no object that needs one can be written.
    pub(crate) acls: Option<Arc<ObjectAcls>>,
    /// Digests by the salt of the segment they belong to, which no two segments share.
    records: moka::sync::Cache<[u8; SALT_BYTES], Arc<Record>>,
    pub(crate) facts: FactsCache,
    pub(crate) footers: FooterCache,
}

impl SealedObjects {
    /// The objects of `backend`.
    #[must_use]
    pub fn new(
        settings: Settings,
        backend: Arc<Backend>,
        data_keys: DataKeys,
        random: Arc<dyn Random>,
        copies: Copies,
    ) -> Self {
        Self {
            records: moka::sync::Cache::new(settings.records_max),
            facts: FactsCache::new(settings.facts_max_bytes),
            footers: cache::footers(),
            listed_etags: None,
            acls: None,
            settings,
            backend,
            data_keys,
            random,
            copies,
        }
    }

    /// The object `key` in `bucket`, unless no client may name it.
    ///
    /// # Errors
    ///
    /// `AccessDenied`.
    pub(crate) fn name(&self, bucket: &str, key: &str) -> Result<ObjectName, S3Error> {
        let own = self.settings.reserved_bucket.as_deref();
        if own.is_some_and(|own| is_reserved(bucket, own)) {
            return Err(S3Error::access_denied());
        }
        Ok(ObjectName::new(self.settings.partition, bucket, key))
    }

    /// Whether a bucket may hold unsealed objects.
    pub(crate) fn adopts(&self, bucket: &str) -> bool {
        let mut adopted = self.settings.adopted_buckets.iter();
        adopted.any(|adopted| adopted == bucket)
    }

    /// The data key of an object that is about to be written.
    ///
    /// # Errors
    ///
    /// What the KMS refused; `ServiceUnavailable` when it or the state cannot be reached.
    pub(crate) async fn new_key(
        &self,
        encryption: &Encryption,
        name: &ObjectName,
        requester: &Requester,
    ) -> Result<NewKey, S3Error> {
        self.unmark_listing(&name.bucket, encryption).await?;
        self.data_keys.for_write(encryption, name, requester).await
    }

    /// Has listings of a bucket look at its objects, before it gets one whose ETag the backend does
    /// not list.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when that cannot be noted; the object must not be written then.
    pub(crate) async fn unmark_listing(
        &self,
        bucket: &str,
        encryption: &Encryption,
    ) -> Result<(), S3Error> {
        match (&self.listed_etags, encryption) {
            (Some(marks), Encryption::SseS3) => marks.unmark(bucket).await,
            _ => Ok(()),
        }
    }

    /// The same for an object in parts whose backend does not say how many it lists.
    pub(crate) async fn unmark_listing_of_parts(
        &self,
        bucket: &str,
        backend_etag: &ETag,
    ) -> Result<(), S3Error> {
        match &self.listed_etags {
            Some(marks) if !backend_etag.bare().contains('-') => marks.unmark(bucket).await,
            _ => Ok(()),
        }
    }

    /// Stores the access control list of an object with this envelope, before the object is there.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be written; the object must not be written then.
    pub(crate) async fn store_acl(
        &self,
        name: &ObjectName,
        envelope: &HeaderValue,
        acl: Option<NewObjectAcl>,
    ) -> Result<(), S3Error> {
        let Some(NewObjectAcl { incarnation, acl }) = acl else {
            return Ok(());
        };
        let key = AclKey {
            bucket: &name.bucket,
            incarnation: &incarnation,
            key: &name.key,
        };
        let acls = self.acls.as_ref().ok_or_else(S3Error::internal)?;
        // In a box: few objects have one.
        Box::pin(acls.store(key, envelope, acl)).await
    }

    /// The access control list of the object with this envelope in the bucket of an incarnation, for another envelope of
    /// the same object.
    ///
    /// # Errors
    ///
    /// As [`ObjectAcls::find`].
    pub(crate) async fn acl_of(
        &self,
        name: &ObjectName,
        incarnation: &str,
        envelope: Option<&HeaderValue>,
    ) -> Result<Option<NewObjectAcl>, S3Error> {
        let (Some(envelope), Some(acls)) = (envelope, &self.acls) else {
            return Ok(None);
        };
        let key = AclKey {
            bucket: &name.bucket,
            incarnation,
            key: &name.key,
        };
        let found = Box::pin(acls.find(key, envelope)).await?;
        Ok(found.map(|acl| NewObjectAcl {
            incarnation: incarnation.to_owned(),
            acl,
        }))
    }

    /// Remembers the record of a segment, for reads to come.
    pub(crate) fn remember(&self, segment: &Segment, record: Record) {
        let salt = *segment.salt.as_bytes();
        self.records.insert(salt, Arc::new(record));
    }

    /// The record of a segment, if it is remembered.
    pub(crate) fn remembered(&self, segment: &Segment) -> Option<Arc<Record>> {
        self.records.get(segment.salt.as_bytes())
    }
}
