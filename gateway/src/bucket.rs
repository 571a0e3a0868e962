//! Buckets: what the gateway keeps about them itself, and what it passes through.
//!
//! Default encryption is the gateway's own ([`encryption`]): the backend must neither know which
//! bucket is sealed how, nor encrypt anything itself. So are policies ([`policy`]), which the
//! backend would hold against the gateway, whose a bucket is ([`owner`]), and which pages may use it
//! ([`cors`]). Everything else about a bucket is the backend's, but for the state bucket, which does
//! not exist for clients ([`Buckets`]).

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;
use http::Method;
use http::Response;

use crate::backend::Backend;
use crate::backend::BackendRequest;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::request::Body;
use crate::request::Payload;
use crate::request::S3Request;
use crate::request::full_body;
use crate::state::State;

pub mod configuration;
pub mod cors;
pub mod encryption;
mod location;
pub mod owner;
pub mod policy;
pub mod public_access;

use crate::bucket::configuration::BucketConfiguration;
use crate::bucket::configuration::Configuration;
use crate::bucket::cors::BucketCors;
use crate::bucket::encryption::DefaultEncryptions;
use crate::bucket::owner::BucketOwners;
use crate::bucket::policy::BucketPolicies;
use crate::bucket::public_access::PublicAccessBlocks;
use crate::records::listed_etags::ListedETags;

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
    /// Whose they are.
    pub owners: Arc<BucketOwners>,
    /// Which of them list the ETags that clients see.
    pub etags: Arc<ListedETags>,
}

impl BucketConfigurations {
    /// The configurations of one kind.
    #[must_use]
    pub fn kind(&self, configuration: Configuration) -> &dyn BucketConfiguration {
        match configuration {
            Configuration::Cors => &*self.cors,
            Configuration::Encryption => &*self.encryptions,
            Configuration::Policy => &*self.policies,
            Configuration::PublicAccessBlock => &*self.public_access,
        }
    }

    /// The configurations of all kinds.
    fn kinds(&self) -> impl Iterator<Item = &dyn BucketConfiguration> {
        Configuration::ALL.into_iter().map(|it| self.kind(it))
    }
}

/// Operations on buckets that need more than passing through.
pub struct Buckets {
    /// The Region that clients see.
    region: String,
    backend: Arc<Backend>,
    state: State,
    configurations: BucketConfigurations,
}

impl Buckets {
    /// The buckets of `backend` without the bucket of `state`, as a gateway in `region`.
    #[must_use]
    pub fn new(
        region: &str,
        backend: Arc<Backend>,
        state: State,
        configurations: BucketConfigurations,
    ) -> Self {
        let region = region.to_owned();
        Self {
            region,
            backend,
            state,
            configurations,
        }
    }

    /// Refuses what names the state bucket, in any operation: as a bucket that is someone else's.
    ///
    /// # Errors
    ///
    /// `AccessDenied`.
    pub fn refuse_reserved(&self, bucket: &str) -> Result<(), S3Error> {
        if bucket == self.state.bucket() {
            return Err(S3Error::access_denied());
        }
        Ok(())
    }

    /// `ListBuckets`: the caller's own, without the state bucket.
    ///
    /// # Errors
    ///
    /// The backend's S3 error; `ServiceUnavailable` when it gives no usable answer.
    pub(crate) async fn list(&self, request: &S3Request) -> Result<Response<Body>, S3Error> {
        let mut onward = BackendRequest::service(Method::GET);
        onward.query = request.target.query.pairs().to_vec();
        let answer = self.backend.fetch(onward).await?;
        let mut root = Element::parse(answer.body(), Limits::ANSWER).map_err(|cause| {
            tracing::error!(%cause, "backend listed its buckets in no XML");
            S3Error::new(S3Code::ServiceUnavailable)
        })?;
        if let Some(buckets) = root.child_mut("Buckets") {
            let names = buckets
                .children()
                .iter()
                .filter_map(|bucket| bucket.text_of("Name"))
                .filter(|name| *name != self.state.bucket())
                .map(str::to_owned)
                .collect();
            let own = self.owned(names, &request.caller.account).await?;
            buckets.children_mut().retain(|bucket| {
                bucket
                    .text_of("Name")
                    .is_some_and(|name| own.contains(name))
            });
        }
        Ok(xml(&root))
    }

    /// Those of the buckets that belong to an account.
    async fn owned(&self, names: Vec<String>, account: &str) -> Result<BTreeSet<String>, S3Error> {
        stream::iter(names)
            .map(|name| async move {
                let owner = self.configurations.owners.of(&name).await?;
                Ok((*owner == *account).then_some(name))
            })
            .buffer_unordered(OWNERS_AT_A_TIME)
            .try_filter_map(|name| std::future::ready(Ok(name)))
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

    /// `GetBucketLocation`: the Region of the gateway.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`, or the backend's other refusal.
    pub(crate) async fn location(&self, bucket: &str) -> Result<Response<Body>, S3Error> {
        self.check_exists(bucket).await?;
        Ok(xml(&location::document(&self.region)))
    }

    /// `HeadBucket`: passed through, with the Region of the gateway.
    ///
    /// # Errors
    ///
    /// The backend's S3 error; `ServiceUnavailable` when it gives no usable answer.
    pub(crate) async fn head(&self, request: S3Request) -> Result<Response<Body>, S3Error> {
        let mut answer = self.backend.forward(request).await?;
        if let Ok(region) = http::HeaderValue::from_str(&self.region) {
            answer.headers_mut().insert("x-amz-bucket-region", region);
        }
        Ok(answer)
    }

    /// `CreateBucket`: passed through, with the backend's Region in place of the gateway's. A
    /// configuration left over from an earlier bucket of the name is removed before, and who creates
    /// it is noted. Of two accounts that create a bucket of one name at the same moment either may
    /// be its owner in the end.
    ///
    /// # Errors
    ///
    /// `BucketAlreadyExists` for another account's; `IllegalLocationConstraintException` for a Region that is not the gateway's; the backend's S3
    /// error; `ServiceUnavailable` when it, or the state, gives no usable answer.
    pub(crate) async fn create(&self, mut request: S3Request) -> Result<Response<Body>, S3Error> {
        let bucket = request.target.bucket.clone().unwrap_or_default();
        let wanted = request.body.collect(Limits::REQUEST.bytes).await?;
        let onward = location::translate(&wanted, &self.region, self.backend.region())?;
        if onward != wanted {
            // They were about the other document.
            let digests = |name: &&http::HeaderName| {
                *name == "content-md5"
                    || name.as_str().starts_with("x-amz-checksum-")
                    || *name == "x-amz-sdk-checksum-algorithm"
            };
            let digests: Vec<_> = request.headers.keys().filter(digests).cloned().collect();
            for name in digests {
                request.headers.remove(name);
            }
        }
        request.body = Payload::from_bytes(onward);
        let account = &request.caller.account;
        match self.check_exists(&bucket).await {
            Err(error) if error.code() == S3Code::NoSuchBucket => {
                for kind in self.configurations.kinds() {
                    kind.begin(&bucket).await?;
                }
                self.configurations.owners.begin(&bucket, account).await?;
                self.configurations.etags.begin(&bucket).await;
            }
            Ok(()) if self.configurations.owners.of(&bucket).await? != *account => {
                return Err(S3Error::new(S3Code::BucketAlreadyExists).detail("BucketName", bucket));
            }
            _ => {}
        }
        self.backend.forward(request).await
    }

    /// `DeleteBucket`: passed through, then the gateway's configuration of the bucket is removed.
    ///
    /// # Errors
    ///
    /// The backend's S3 error; `ServiceUnavailable` when it, or the state, gives no usable answer.
    /// If only the configuration could not be removed the bucket is gone, and the same request
    /// answers `NoSuchBucket`.
    pub(crate) async fn delete(&self, request: S3Request) -> Result<Response<Body>, S3Error> {
        let bucket = request.target.bucket.clone().unwrap_or_default();
        let answer = self.backend.forward(request).await?;
        for kind in self.configurations.kinds() {
            kind.end(&bucket).await?;
        }
        self.configurations.owners.remove(&bucket).await?;
        self.configurations.etags.remove(&bucket).await?;
        Ok(answer)
    }

    /// Whether the bucket exists and the gateway may use it.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`, or the backend's other refusal.
    pub async fn check_exists(&self, bucket: &str) -> Result<(), S3Error> {
        check_exists(&self.backend, bucket).await
    }
}

async fn check_exists(backend: &Backend, bucket: &str) -> Result<(), S3Error> {
    let request = BackendRequest::bucket(Method::HEAD, bucket);
    match backend.fetch(request).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_refused_as(http::StatusCode::NOT_FOUND) => {
            Err(S3Error::new(S3Code::NoSuchBucket).detail("BucketName", bucket))
        }
        Err(error) => Err(error.into()),
    }
}

/// An answer of status 200 with this document.
fn xml(root: &Element) -> Response<Body> {
    let mut response = Response::new(full_body(root.to_document()));
    let xml = http::HeaderValue::from_static("application/xml");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, xml);
    response
}

/// Owners that one `ListBuckets` asks for at a time, where they are not known.
const OWNERS_AT_A_TIME: usize = 32;
