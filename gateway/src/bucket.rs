//! Buckets: what the gateway stores about them itself, and what it passes through.
//!
//! All that is stored about a bucket is in one record ([`record`]): whose it is ([`owner`]), its default
//! encryption ([`encryption`]), which the backend must not do itself, its policy ([`policy`]), which the
//! backend would hold against the gateway, what it blocks of public access ([`public_access`]), who owns its
//! objects ([`ownership`]), its access control list ([`acl`]), its MFA Delete ([`versioning`]), which pages may use it
//! ([`cors`]), and where its access log goes ([`logging`]).
//! Everything else about a bucket is the backend's, except for the state
//! bucket, which does not exist for clients ([`Buckets`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;
use http::Response;
use proto::arn;

use crate::backend::Backend;
use crate::bucket::acl::BucketAcls;
use crate::bucket::bucket_records::BucketRecords;
use crate::bucket::configuration::BucketConfiguration;
use crate::bucket::configuration::Configuration;
use crate::bucket::cors::BucketCors;
use crate::bucket::encryption::DefaultEncryptions;
use crate::bucket::listing_marks::ListingMarks;
use crate::bucket::logging::BucketLogging;
use crate::bucket::owner::BucketOwners;
use crate::bucket::ownership::OwnershipControls;
use crate::bucket::page::Page;
use crate::bucket::policy::BucketPolicies;
use crate::bucket::public_access::PublicAccessBlocks;
use crate::bucket::versioning::BucketVersioning;
use crate::chunks::random::Random;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::acl::Acl;
use crate::protocol::xml::Element;
use crate::request::Body;
use crate::request::Caller;
use crate::request::Regions;
use crate::request::S3Request;
use crate::state::State;

pub mod account_block;
pub mod acl;
pub mod adoption;
pub mod bucket_records;
pub mod configuration;
pub mod cors;
mod creation;
mod creation_tags;
mod deletion;
pub mod document;
pub mod encryption;
pub mod installation;
pub mod listing_marks;
mod location;
pub mod logging;
pub mod object_lock;
pub mod owner;
pub mod ownership;
pub mod overview;
mod page;
pub mod policy;
pub mod public_access;
pub mod record;
pub mod record_cache;
pub mod record_store;
mod requests;
pub mod sealed_buckets;
mod takeover;
pub mod versioning;

/// What the gateway stores about buckets.
#[derive(Clone)]
pub struct BucketConfigurations {
    /// Their default encryption.
    pub encryptions: Arc<DefaultEncryptions>,
    /// Their policies.
    pub policies: Arc<BucketPolicies>,
    /// Their cross-origin rules.
    pub cors: Arc<BucketCors>,
    /// What they block of public access.
    pub public_access: Arc<PublicAccessBlocks>,
    /// Where their access logs go.
    pub logging: Arc<BucketLogging>,
    /// Who owns their objects.
    pub ownership: Arc<OwnershipControls>,
    /// Their access control lists.
    pub acls: Arc<BucketAcls>,
    /// Their versioning, with MFA Delete.
    pub versioning: Arc<BucketVersioning>,
    /// Whose they are.
    pub owners: Arc<BucketOwners>,
    /// Which of them list the ETags that clients see.
    pub etags: Arc<ListingMarks>,
}

impl BucketConfigurations {
    /// The configurations of one kind.
    #[must_use]
    pub fn kind(&self, configuration: Configuration) -> &dyn BucketConfiguration {
        match configuration {
            Configuration::Cors => &*self.cors,
            Configuration::Encryption => &*self.encryptions,
            Configuration::Logging => &*self.logging,
            Configuration::OwnershipControls => &*self.ownership,
            Configuration::Policy => &*self.policies,
            Configuration::PublicAccessBlock => &*self.public_access,
        }
    }
}

/// Operations on buckets that need more than passing through.
pub struct Buckets {
    /// The Regions that clients see.
    regions: Regions,
    backend: Arc<Backend>,
    state: State,
    random: Arc<dyn Random>,
    records: Arc<BucketRecords>,
    configurations: BucketConfigurations,
}

impl Buckets {
    /// The buckets at the backend of `state` without its own, as a gateway of `regions`.
    #[must_use]
    pub fn new(
        regions: Regions,
        state: State,
        random: Arc<dyn Random>,
        records: Arc<BucketRecords>,
        configurations: BucketConfigurations,
    ) -> Self {
        Self {
            regions,
            backend: Arc::clone(state.shared_backend()),
            state,
            random,
            records,
            configurations,
        }
    }

    /// Refuses what names the state bucket, in any operation: as a bucket that is someone else's.
    ///
    /// # Errors
    ///
    /// `AccessDenied`.
    pub fn refuse_reserved(&self, bucket: &str) -> Result<(), S3Error> {
        if self.state.reserves(bucket) {
            return Err(S3Error::access_denied());
        }
        Ok(())
    }

    /// `ListBuckets`: a page of the caller's own, without the state bucket.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a page that cannot be; the backend's S3 error; `ServiceUnavailable` when it
    /// gives no usable answer.
    pub(crate) async fn list(&self, request: &S3Request) -> Result<Response<Body>, S3Error> {
        let page = Page::from_query(&request.target.query, &self.regions)?;
        let mut root = requests::list(&self.backend).await?;
        if let (Some(owner), Some(account)) = (root.child_mut("Owner"), request.caller.account()) {
            *owner.children_mut() = vec![Element::with_text("ID", account.canonical_user_id())];
        }
        let all = root.child_mut("Buckets").map(Element::children_mut);
        let mut buckets = all.map(std::mem::take).unwrap_or_default();
        let names = buckets
            .iter()
            .filter_map(|bucket| bucket.text_of("Name"))
            .filter(|name| !self.state.reserves(name) && page.selects(name))
            .map(str::to_owned)
            .collect();
        let own = self.owned(names, &request.caller).await?;
        buckets.retain_mut(|bucket| {
            let location = bucket.text_of("Name").and_then(|name| own.get(name));
            let Some(location) = location else {
                return false;
            };
            let region = self.regions.of_location(location.as_deref());
            bucket.set_text_of("BucketRegion", region);
            page.selects_region(region)
        });
        let partition = self.configurations.policies.partition();
        Ok(document::xml(&page.answer(partition, root, buckets)))
    }

    /// Those of the buckets that belong to the caller's account, each with its `LocationConstraint` where
    /// that is not the gateway's own Region.
    async fn owned(
        &self,
        names: Vec<String>,
        caller: &Caller,
    ) -> Result<BTreeMap<String, Option<String>>, S3Error> {
        let owners = &self.configurations.owners;
        stream::iter(names)
            .map(|name| async move {
                match owners.of(&name).await {
                    Ok(owner) if caller.is_of(&owner) => {
                        let location = owners.location_of(&name).await?;
                        Ok(Some((name, location)))
                    }
                    Ok(_) => Ok(None),
                    // It is being deleted.
                    Err(error) if error.code() == S3Code::NoSuchBucket => Ok(None),
                    Err(error) => Err(error),
                }
            })
            .buffer_unordered(OWNERS_AT_A_TIME)
            .try_filter_map(|bucket| std::future::ready(Ok(bucket)))
            .try_collect()
            .await
    }

    /// An operation that the backend does by itself.
    ///
    /// # Errors
    ///
    /// The backend's S3 error; `ServiceUnavailable` when it gives no usable answer.
    pub(crate) async fn forward(&self, request: S3Request) -> Result<Response<Body>, S3Error> {
        self.backend.forward(request).await
    }

    /// `GetBucketLocation`: where the bucket was created.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`, or the backend's other refusal.
    pub(crate) async fn location(&self, bucket: &str) -> Result<Response<Body>, S3Error> {
        self.check_exists(bucket).await?;
        let location = self.configurations.owners.location_of(bucket).await?;
        let location = location.as_deref().unwrap_or(self.regions.own());
        Ok(document::xml(&location::document(location)))
    }

    /// `HeadBucket`: passed through, with the Region of the bucket.
    ///
    /// # Errors
    ///
    /// The backend's S3 error; `ServiceUnavailable` when it gives no usable answer.
    pub(crate) async fn head(&self, request: S3Request) -> Result<Response<Body>, S3Error> {
        let bucket = request.target.bucket.clone().unwrap_or_default();
        let mut answer = self.backend.forward(request).await?;
        self.name_in(&mut answer, &bucket);
        for (name, value) in OF_HEAD_BUCKET {
            let value = http::HeaderValue::from_static(value);
            answer.headers_mut().insert(name, value);
        }
        self.place_in(&mut answer, &bucket).await?;
        Ok(answer)
    }

    /// Names the Region of a bucket in the headers of an answer about it.
    ///
    /// # Errors
    ///
    /// As [`BucketOwners::of`].
    pub(crate) async fn place_in(
        &self,
        answer: &mut Response<Body>,
        bucket: &str,
    ) -> Result<(), S3Error> {
        let location = self.configurations.owners.location_of(bucket).await?;
        let region = self.regions.of_location(location.as_deref());
        if let Ok(region) = http::HeaderValue::from_str(region) {
            answer.headers_mut().insert("x-amz-bucket-region", region);
        }
        Ok(())
    }

    /// Names a bucket in the headers of an answer about it.
    fn name_in(&self, answer: &mut Response<Body>, bucket: &str) {
        let arn = arn::bucket(self.configurations.policies.partition(), bucket);
        if let Ok(arn) = http::HeaderValue::from_str(&arn) {
            answer.headers_mut().insert("x-amz-bucket-arn", arn);
        }
    }

    /// `CreateBucket`, for the caller's account, with this access control list or a private one.
    ///
    /// # Errors
    ///
    /// `BucketAlreadyExists` for another account's; `BucketAlreadyOwnedByYou`;
    /// `IllegalLocationConstraintException` and `InvalidLocationConstraint`; the backend's S3
    /// error; `ServiceUnavailable` when it, or the state, gives no usable answer.
    pub(crate) async fn create(
        &self,
        request: S3Request,
        acl: Option<Acl>,
    ) -> Result<Response<Body>, S3Error> {
        let bucket = request.target.bucket.clone().unwrap_or_default();
        let mut answer = creation::create(self, request, acl).await?;
        self.name_in(&mut answer, &bucket);
        Ok(answer)
    }

    /// `DeleteBucket`, and what is stored about the bucket.
    ///
    /// # Errors
    ///
    /// `BucketNotEmpty`; the backend's S3 error; `ServiceUnavailable` when it, or the state, gives no
    /// usable answer.
    pub(crate) async fn delete(&self, request: S3Request) -> Result<Response<Body>, S3Error> {
        deletion::delete(self, request).await
    }

    /// Whether the bucket exists and the gateway may use it.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`, or the backend's other refusal.
    pub async fn check_exists(&self, bucket: &str) -> Result<(), S3Error> {
        requests::check_exists(&self.backend, bucket).await
    }
}

/// What every answer to `HeadBucket` has at AWS (recorded).
const OF_HEAD_BUCKET: [(&str, &str); 2] = [
    ("content-type", "application/xml"),
    ("x-amz-access-point-alias", "false"),
];

/// Owners that one `ListBuckets` asks for at a time, where they are not known.
const OWNERS_AT_A_TIME: usize = 32;
