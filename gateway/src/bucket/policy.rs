//! Bucket policies: `PutBucketPolicy`, `GetBucketPolicy`, `DeleteBucketPolicy`,
//! `GetBucketPolicyStatus`, and what requests are judged by.
//!
//! A policy is stored and evaluated here and never handed to the backend: the backend would hold it
//! against the gateway, its only client, and against requests that no longer say which encryption
//! the client requested.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::Method;
use http::Response;
use http::StatusCode;

use crate::backend::BackendError;
use crate::backend::BackendRequest;
use crate::bucket::configuration::BucketConfiguration;
use crate::bucket::configuration::ConfigurationStore;
use crate::bucket::configuration::StoredConfigurations;
use crate::bucket::document;
use crate::bucket::public_access::PublicAccessBlocks;
use crate::bucket::record::BucketRecord;
use crate::bucket::versioning;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::xml;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::request::Body;

pub use crate::bucket::document::policy::BucketPolicy;

/// The policies of all buckets.
pub struct BucketPolicies {
    stored: StoredConfigurations<BucketPolicy>,
    public_access: Arc<PublicAccessBlocks>,
}

impl BucketPolicies {
    /// The policies in the records of `store`, judged by `public_access` where they are public.
    #[must_use]
    pub fn new(store: ConfigurationStore, public_access: Arc<PublicAccessBlocks>) -> Self {
        Self {
            stored: StoredConfigurations::new(store),
            public_access,
        }
    }

    /// The partition of the ARNs that policies name.
    #[must_use]
    pub fn partition(&self) -> &'static str {
        self.stored.partition()
    }

    /// What requests about the bucket with this record are judged by, if it has a policy.
    #[must_use]
    pub fn in_record(record: Option<&BucketRecord>) -> Option<Arc<BucketPolicy>> {
        let record = record.filter(|record| record.is_in_use())?;
        record.configurations.policy.clone()
    }

    /// The tags that an object has now, as they would stand in a query; none if there is no such
    /// object, or where the backend has no tags.
    ///
    /// # Errors
    ///
    /// The backend's refusal; `ServiceUnavailable` when it gives no usable answer. The request must be
    /// refused then.
    pub(crate) async fn tags_of(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<String, S3Error> {
        let request = BackendRequest::object(Method::GET, bucket, key)
            .query("tagging", "")
            .query_if("versionId", version);
        let answer = match self.stored.backend().fetch(request).await {
            Ok(answer) => answer,
            Err(BackendError::Refused(error)) if HAS_NO_TAGS.contains(&error.status()) => {
                return Ok(String::new());
            }
            Err(error) => return Err(error.into()),
        };
        let tagging = Element::parse(answer.body(), Limits::ANSWER)
            .map_err(|_| S3Error::new(S3Code::ServiceUnavailable))?;
        Ok(xml::tag_query(&tagging))
    }

    /// Whether the backend keeps versions of a bucket's objects. One that does not may take a request
    /// for a version as one for the current object.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the backend gives no answer. The request must be refused then.
    pub(crate) async fn has_versions(&self, bucket: &str) -> Result<bool, S3Error> {
        versioning::is_versioned(self.stored.backend(), bucket).await
    }

    /// `GetBucketPolicyStatus`: whether the policy gives anything to everybody.
    ///
    /// # Errors
    ///
    /// `NoSuchBucketPolicy`, `NoSuchBucket`; `ServiceUnavailable` when the state cannot be read,
    /// `InternalError` when the policy is not as it was written.
    pub async fn status(&self, bucket: &str) -> Result<Response<Body>, S3Error> {
        let public = self.stored.existing(bucket).await?.is_public().to_string();
        let status = Element::root("PolicyStatus").with(Element::with_text("IsPublic", public));
        Ok(document::xml(&status))
    }
}

impl BucketConfiguration for BucketPolicies {
    fn records(&self) -> &dyn BucketConfiguration {
        &self.stored
    }

    fn put<'a>(
        &'a self,
        bucket: &'a str,
        document: &'a [u8],
    ) -> BoxFuture<'a, Result<Response<Body>, S3Error>> {
        async move {
            let policy = self.stored.parse(bucket, document)?;
            self.stored.check_exists(bucket).await?;
            if policy.is_public()
                && self
                    .public_access
                    .in_force(bucket)
                    .await?
                    .block_public_policy
            {
                return Err(S3Error::access_denied());
            }
            self.stored.store(bucket, policy).await
        }
        .boxed()
    }
}

/// Answers to a request for the tags of what has none: no object, a delete marker, no tags at all.
const HAS_NO_TAGS: [StatusCode; 3] = [
    StatusCode::NOT_FOUND,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::NOT_IMPLEMENTED,
];
