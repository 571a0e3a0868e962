//! Bucket policies: `PutBucketPolicy`, `GetBucketPolicy`, `DeleteBucketPolicy`,
//! `GetBucketPolicyStatus`, and what requests are judged by.
//!
//! A policy is kept and judged here and never handed to the backend: the backend would hold it
//! against the gateway, its only client, and against requests that no longer say which encryption
//! the client asked for. A policy with a condition that the gateway cannot judge is not taken: to
//! ignore it would be to permit what it denies.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::HeaderValue;
use http::Method;
use http::Response;
use http::StatusCode;
use http::header;
use proto::arn;
use proto::policy::Policy;
use proto::policy::PolicyKind;
use proto::time::Clock;
use serde::Deserialize;
use serde::Serialize;

use crate::backend::Backend;
use crate::backend::BackendError;
use crate::backend::BackendRequest;
use crate::bucket::configuration::BucketConfiguration;
use crate::bucket::configuration::Document as StoredDocument;
use crate::bucket::configuration::Freshness;
use crate::bucket::configuration::StoredConfigurations;
use crate::bucket::public_access::PublicAccessBlocks;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::xml;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::records::record::Records;
use crate::request::Body;
use crate::request::full_body;

/// How policies behave, and the other records of buckets that have no configuration of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long a bucket's policy is used before it is asked for again, in milliseconds: so long one
    /// that was put through another gateway may take to be followed.
    pub fresh_ms: u64,
    /// Most policies held in memory, those of buckets that have none among them.
    pub cached_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            fresh_ms: 5_000,
            cached_max: 10_000,
        }
    }
}

impl From<Config> for Freshness {
    fn from(config: Config) -> Self {
        Self {
            fresh: Duration::from_millis(config.fresh_ms),
            cached_max: config.cached_max,
        }
    }
}

/// The policy of a bucket.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Document", into = "Document")]
pub struct BucketPolicy {
    text: String,
    policy: Policy,
}

impl BucketPolicy {
    /// What requests are judged by.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether it looks at the tags that objects have.
    pub(crate) fn looks_at_tags(&self) -> bool {
        let mut statements = self.policy.statements().iter();
        statements.any(|it| it.condition_keys().any(|key| key.starts_with(EXISTING_TAG)))
    }

    /// Whether it is public by S3's definition.
    pub(crate) fn is_public(&self) -> bool {
        self.policy.is_public()
    }
}

/// A policy as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// As it was put, to the letter.
    policy: String,
}

impl TryFrom<Document> for BucketPolicy {
    type Error = proto::policy::PolicyError;

    fn try_from(document: Document) -> Result<Self, Self::Error> {
        let text = document.policy;
        let policy = Policy::parse(&text, PolicyKind::Resource)?;
        Ok(Self { text, policy })
    }
}

impl From<BucketPolicy> for Document {
    fn from(policy: BucketPolicy) -> Self {
        Self {
            policy: policy.text,
        }
    }
}

/// The policies of all buckets.
pub struct BucketPolicies {
    stored: StoredConfigurations<BucketPolicy>,
    public_access: Arc<PublicAccessBlocks>,
}

impl BucketPolicies {
    /// The policies stored in `records`, of buckets on `backend` as a gateway in `region` sees them,
    /// judged by `public_access` where they are public.
    #[must_use]
    pub fn new(
        region: &str,
        backend: Arc<Backend>,
        records: Records,
        clock: Arc<dyn Clock>,
        config: Config,
        public_access: Arc<PublicAccessBlocks>,
    ) -> Self {
        Self {
            stored: StoredConfigurations::new(region, backend, records, clock, config.into()),
            public_access,
        }
    }

    /// The partition of the ARNs that policies name.
    #[must_use]
    pub fn partition(&self) -> &'static str {
        self.stored.partition()
    }

    /// What requests about `bucket` are judged by, if it has a policy.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read, `InternalError` when the policy is not as
    /// it was written. The request must be refused then.
    pub async fn of(&self, bucket: &str) -> Result<Option<Arc<BucketPolicy>>, S3Error> {
        self.stored.find(bucket).await
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
        let request = BackendRequest::bucket(Method::GET, bucket).query("versioning", "");
        let answer = match self.stored.backend().fetch(request).await {
            Ok(answer) => answer,
            Err(BackendError::Refused(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let versioning = Element::parse(answer.body(), Limits::ANSWER).ok();
        let status = versioning.as_ref().and_then(|it| it.text_of("Status"));
        Ok(matches!(
            status.map(str::trim),
            Some("Enabled" | "Suspended")
        ))
    }

    /// `GetBucketPolicyStatus`: whether the policy gives anything to everybody.
    ///
    /// # Errors
    ///
    /// `NoSuchBucketPolicy`, `NoSuchBucket`; as [`BucketPolicies::of`].
    pub async fn status(&self, bucket: &str) -> Result<Response<Body>, S3Error> {
        let public = self.stored.existing(bucket).await?.is_public().to_string();
        let status = Element::root("PolicyStatus").with(Element::with_text("IsPublic", public));
        Ok(crate::bucket::xml(&status))
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
            crate::bucket::check_exists(self.stored.backend(), bucket).await?;
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

impl StoredDocument for BucketPolicy {
    const SUBJECT: &'static str = "policy";
    const MISSING: S3Code = S3Code::NoSuchBucketPolicy;
    const STORED: StatusCode = StatusCode::NO_CONTENT;

    /// A policy that can be judged, for `bucket`.
    fn parse(document: &[u8], bucket: &str, partition: &str) -> Result<Self, S3Error> {
        let text = std::str::from_utf8(document).map_err(|_| malformed(NOT_JSON))?;
        if text.len() > POLICY_BYTES_MAX {
            return Err(malformed(TOO_LARGE));
        }
        let policy = Policy::parse(text, PolicyKind::Resource)
            .map_err(|error| malformed(error.fault.to_string()))?;
        let bucket_arn = arn::bucket(partition, bucket);
        for statement in policy.statements() {
            let foreign = |action: &str| action != "*" && !action.to_lowercase().starts_with("s3:");
            if statement.actions().any(foreign) {
                return Err(malformed("Policy has invalid action"));
            }
            if !statement.resources().all(|it| may_mean(it, &bucket_arn)) {
                return Err(malformed("Policy has invalid resource"));
            }
            if let Some(key) = statement.condition_keys().find(|key| !is_judged(key)) {
                let reason = format!("The condition key {key} is not judged by this gateway.");
                return Err(S3Error::not_implemented(reason));
            }
        }
        let text = text.to_owned();
        Ok(Self { text, policy })
    }

    fn to_response(&self) -> Response<Body> {
        let mut response = Response::new(full_body(self.text.clone()));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

/// Whether a pattern can match the bucket or objects in it.
fn may_mean(pattern: &str, bucket_arn: &str) -> bool {
    let literal = pattern.split(['*', '?', '$']).next().unwrap_or_default();
    let objects = format!("{bucket_arn}/");
    pattern == bucket_arn
        || literal.starts_with(&objects)
        || (literal.len() < pattern.len() && objects.starts_with(literal))
}

/// Whether the value of a condition key is known here; `key` is in lower case.
fn is_judged(key: &str) -> bool {
    CONDITION_KEYS.contains(&key)
        || key.starts_with("s3:requestobjecttag/")
        || key.starts_with(EXISTING_TAG)
}

fn malformed(message: impl Into<std::borrow::Cow<'static, str>>) -> S3Error {
    S3Error::with_message(S3Code::MalformedPolicy, message)
}

/// The condition keys that requests are told by, in lower case.
///
/// Sources: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>,
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
const CONDITION_KEYS: [&str; 32] = [
    "aws:currenttime",
    "aws:epochtime",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:referer",
    "aws:securetransport",
    "aws:sourceip",
    "aws:useragent",
    "s3:authtype",
    "s3:delimiter",
    "s3:max-keys",
    "s3:object-lock-legal-hold",
    "s3:object-lock-mode",
    "s3:object-lock-retain-until-date",
    "s3:prefix",
    "s3:requestobjecttagkeys",
    "s3:signatureversion",
    "s3:tlsversion",
    "s3:versionid",
    "s3:x-amz-acl",
    "s3:x-amz-content-sha256",
    "s3:x-amz-copy-source",
    "s3:x-amz-grant-full-control",
    "s3:x-amz-grant-read",
    "s3:x-amz-grant-read-acp",
    "s3:x-amz-grant-write",
    "s3:x-amz-grant-write-acp",
    "s3:x-amz-metadata-directive",
    "s3:x-amz-server-side-encryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:x-amz-server-side-encryption-customer-algorithm",
    "s3:x-amz-storage-class",
];

/// The start of the condition keys about the tags that an object has, in lower case.
const EXISTING_TAG: &str = "s3:existingobjecttag/";

/// Answers to a request for the tags of what has none: no object, a delete marker, no tags at all.
const HAS_NO_TAGS: [StatusCode; 3] = [
    StatusCode::NOT_FOUND,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::NOT_IMPLEMENTED,
];

/// Longest policy, in bytes.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html>
const POLICY_BYTES_MAX: usize = 20 << 10;

const NOT_JSON: &str = "Policies must be valid JSON and the first byte must be '{'";
const TOO_LARGE: &str =
    "Normalized policy document exceeds the maximum allowed size of 20480 bytes.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_must_be_able_to_mean_the_bucket() {
        let bucket = "arn:aws:s3:::b";
        for (pattern, fits) in [
            ("arn:aws:s3:::b", true),
            ("arn:aws:s3:::b/*", true),
            ("arn:aws:s3:::b/logs/x", true),
            ("arn:aws:s3:::*", true),
            ("arn:aws:s3:::b*", true),
            ("*", true),
            ("arn:aws:s3:::bb/*", false),
            ("arn:aws:s3:::a", false),
            ("arn:aws:s3:::", false),
        ] {
            assert_eq!(may_mean(pattern, bucket), fits, "{pattern}");
        }
    }
}
