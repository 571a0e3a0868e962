//! Access control lists of buckets, and what of a bucket decides about those of its objects.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html>

use std::sync::Arc;
use std::sync::OnceLock;

use crate::bucket::configuration::ConfigurationStore;
use crate::bucket::owner::BucketOwners;
use crate::bucket::ownership::ObjectOwnership;
use crate::bucket::ownership::OwnershipControls;
use crate::bucket::record::BucketRecord;
use crate::bucket::record::Configurations;
use crate::bucket::record::Incarnation;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::acl;
use crate::protocol::acl::Acl;
use crate::protocol::acl::AclCaller;
use crate::protocol::acl::RequestedAcl;

/// What of one bucket decides about access control lists.
#[derive(Clone, Debug)]
pub struct BucketAcl {
    /// The account that owns the bucket.
    account: Box<str>,
    /// [`BucketAcl::owner`], once it is asked for: few requests do.
    owner: OnceLock<String>,
    /// Whether lists count, and who owns new objects.
    pub ownership: ObjectOwnership,
    /// [`BucketAcl::acl`], likewise.
    acl: OnceLock<Acl>,
    /// Which of the buckets of the name; none of a bucket without a record, whose lists are disabled.
    pub incarnation: Option<Incarnation>,
    /// Whether its objects may have lists, in force or not.
    pub may_have_object_acls: bool,
}

impl BucketAcl {
    /// That of the bucket with this record, which belongs to the account `owner`.
    #[must_use]
    pub fn new(owner: &str, record: Option<&BucketRecord>) -> Self {
        let ownership = OwnershipControls::in_record(record);
        let record = record.filter(|record| record.is_in_use());
        let configurations = record.map(|record| &record.configurations);
        let stored = configurations.and_then(|it| it.acl.as_deref());
        let is_enabled = ownership != ObjectOwnership::BucketOwnerEnforced;
        let acl = stored.filter(|_| is_enabled).cloned();
        Self {
            account: owner.into(),
            owner: OnceLock::new(),
            acl: acl.map_or_else(OnceLock::new, OnceLock::from),
            ownership,
            incarnation: record.map(|record| record.incarnation.clone()),
            may_have_object_acls: configurations.is_some_and(|it| it.ownership.is_some()),
        }
    }

    /// The canonical user id of the bucket's owner.
    #[must_use]
    pub fn owner(&self) -> &str {
        self.owner
            .get_or_init(|| acl::canonical_user_id(&self.account))
    }

    /// The bucket's own list. Not one of disabled lists that is stored.
    #[must_use]
    pub fn acl(&self) -> &Acl {
        self.acl.get_or_init(|| Acl::private(self.owner()))
    }

    /// Whether lists count.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.ownership != ObjectOwnership::BucketOwnerEnforced
    }

    /// Which of the buckets of the name it is, where its objects may have lists.
    #[must_use]
    pub fn incarnation_with_acls(&self) -> Option<&Incarnation> {
        let incarnation = self.incarnation.as_ref();
        incarnation.filter(|_| self.may_have_object_acls)
    }

    /// The list of an object that a caller is about to write; none of one that is the bucket owner's and private,
    /// which is what an object without a list is.
    ///
    /// # Errors
    ///
    /// As [`RequestedAcl::resolve`].
    pub fn of_new_object(
        &self,
        caller: AclCaller<'_>,
        requested: &RequestedAcl,
    ) -> Result<Option<Acl>, S3Error> {
        let gives_away = self.ownership == ObjectOwnership::BucketOwnerPreferred
            && requested.is_canned_for_bucket_owner();
        let owner = match caller {
            _ if gives_away => self.owner(),
            caller => caller.unwrap_or(acl::ANONYMOUS),
        };
        let list = requested.resolve(owner, self.owner())?;
        Ok((list != Acl::private(self.owner())).then_some(list))
    }
}

/// The access control lists of all buckets.
pub struct BucketAcls {
    store: ConfigurationStore,
    owners: Arc<BucketOwners>,
}

impl BucketAcls {
    /// Those in the records of `store`, of buckets with these owners.
    #[must_use]
    pub fn new(store: ConfigurationStore, owners: Arc<BucketOwners>) -> Self {
        Self { store, owners }
    }

    /// What of a bucket decides about lists.
    ///
    /// # Errors
    ///
    /// As [`BucketOwners::of`].
    pub async fn of(&self, bucket: &str) -> Result<BucketAcl, S3Error> {
        let (owner, record) = self.owners.with_record(bucket).await?;
        Ok(BucketAcl::new(&owner, record.as_deref()))
    }

    /// Whether there is such a bucket at all.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`, or the backend's other refusal.
    pub async fn check_exists(&self, bucket: &str) -> Result<(), S3Error> {
        self.owners.check_exists(bucket).await
    }

    /// Replaces the list of a bucket.
    ///
    /// # Errors
    ///
    /// `AccessControlListNotSupported` where lists are disabled by now;
    /// as [`crate::bucket::configuration::BucketConfiguration::put`].
    pub async fn put(&self, bucket: &str, acl: Acl) -> Result<(), S3Error> {
        let acl = Arc::new(acl);
        let set = |configurations: &mut Configurations| {
            let ownership = configurations.ownership.as_deref();
            let is_enabled = ownership
                .is_some_and(|it| it.ownership != Some(ObjectOwnership::BucketOwnerEnforced));
            if !is_enabled {
                return Err(S3Error::new(S3Code::AccessControlListNotSupported));
            }
            configurations.acl = Some(Arc::clone(&acl));
            Ok(true)
        };
        self.store.edit(bucket, set).await
    }
}
