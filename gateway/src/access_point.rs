//! Access points: named ways to a bucket, each with a policy of its own.
//!
//! An access point is a document of its own ([`record::AccessPoint`]) and an entry in the record of its bucket.
//! Both are needed: creation writes the document first and the entry last, deletion removes the entry first.
//! So the same compare-and-swap that deletes a bucket decides whether it still has access points, and an access
//! point of a bucket that was deleted does not come back with another bucket of that name.
//!
//! What is done here: S3 Control's operations ([`creation`], [`listing`], [`configuration`]), and from a
//! request's host, bucket or copy source to the access point that it names ([`resolution`]). Who may do what is
//! decided above, in [`crate::authorize`].
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points.html>

use std::sync::Arc;

use proto::time::Clock;

use crate::access_point::config::Config;
use crate::access_point::record::AccessPoint;
use crate::access_point::record::AliasOwner;
use crate::bucket::BucketConfigurations;
use crate::bucket::account_block::AccountBlocks;
use crate::bucket::bucket_records::BucketRecords;
use crate::bucket::configuration::ConfigurationStore;
use crate::chunks::random::Random;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::records::documents::DocumentStore;
use crate::records::documents::Documents;
use crate::request::Regions;
use crate::state::State;

pub mod answer;
pub mod config;
pub mod configuration;
pub mod creation;
pub mod listing;
pub mod name;
pub mod record;
pub mod request;
pub mod resolution;

/// All access points.
pub struct AccessPoints {
    documents: Documents<AccessPoint>,
    aliases: Documents<AliasOwner>,
    parts: Parts,
}

/// What access points are made with.
pub struct Parts {
    /// What the documents are stored with.
    pub store: DocumentStore,
    /// The blocks of accounts.
    pub account_blocks: Arc<AccountBlocks>,
    /// The records of buckets.
    pub records: Arc<BucketRecords>,
    /// What is stored about buckets.
    pub buckets: BucketConfigurations,
    /// For the first record of a bucket.
    pub bucket_store: ConfigurationStore,
    /// The state bucket, which has no access points.
    pub state: State,
    /// The Regions that clients see.
    pub regions: Regions,
    /// For aliases.
    pub random: Arc<dyn Random>,
    /// For the time of creation.
    pub clock: Arc<dyn Clock>,
    /// How access points work.
    pub config: Config,
}

impl AccessPoints {
    /// Those that are stored with these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            documents: Documents::new(parts.store.clone()),
            aliases: Documents::new(parts.store.clone()),
            parts,
        }
    }

    /// How access points work.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.parts.config
    }

    /// The blocks of accounts.
    #[must_use]
    pub fn account_blocks(&self) -> &AccountBlocks {
        &self.parts.account_blocks
    }

    /// The Region that ARNs of new access points to `bucket` have.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read.
    pub async fn region_of(&self, bucket: &str) -> Result<String, S3Error> {
        let location = self.parts.buckets.owners.location_of(bucket).await?;
        Ok(self
            .parts
            .regions
            .of_location(location.as_deref())
            .to_owned())
    }

    /// The access point of this name in an account, if there is one.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read: it is unknown then whether there is one.
    pub async fn find(
        &self,
        account: &str,
        name: &str,
    ) -> Result<Option<Arc<AccessPoint>>, S3Error> {
        self.find_document(&document_name(account, name)).await
    }

    /// The access point that the document of this name is about, if there is one.
    async fn find_document(&self, document: &str) -> Result<Option<Arc<AccessPoint>>, S3Error> {
        let found = self.documents.find(document).await?;
        self.if_attached(found).await
    }

    /// The same, which must be there.
    ///
    /// # Errors
    ///
    /// `NoSuchAccessPoint`; as [`AccessPoints::find`].
    pub async fn existing(&self, account: &str, name: &str) -> Result<Arc<AccessPoint>, S3Error> {
        let found = self.find(account, name).await?;
        found.ok_or_else(|| missing(name))
    }

    /// The access point with this alias, if there is one.
    ///
    /// # Errors
    ///
    /// As [`AccessPoints::find`].
    pub async fn find_by_alias(&self, alias: &str) -> Result<Option<Arc<AccessPoint>>, S3Error> {
        let Some(owner) = self.aliases.find(&alias_name(alias)).await? else {
            return Ok(None);
        };
        let found = self.find(&owner.account, &owner.name).await?;
        Ok(found.filter(|found| found.alias == alias))
    }

    /// An access point, if its bucket has it.
    async fn if_attached(
        &self,
        found: Option<Arc<AccessPoint>>,
    ) -> Result<Option<Arc<AccessPoint>>, S3Error> {
        let Some(found) = found else {
            return Ok(None);
        };
        let record = self.parts.records.find(&found.bucket).await?;
        let is_attached = record.is_some_and(|record| found.is_attached_to(&record));
        Ok(is_attached.then_some(found))
    }
}

/// The error for an access point that is not there.
fn missing(name: &str) -> S3Error {
    S3Error::new(S3Code::NoSuchAccessPoint).detail("AccessPointName", name)
}

fn document_name(account: &str, name: &str) -> String {
    format!("access-points/{account}/{name}")
}

fn alias_name(alias: &str) -> String {
    format!("access-point-aliases/{alias}")
}
