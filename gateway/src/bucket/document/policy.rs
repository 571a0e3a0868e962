//! The policy of a bucket, as it is stored and as clients put it.
//!
//! A policy with a condition that the gateway cannot evaluate is refused: to ignore it would permit
//! what it denies.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html>

pub(crate) mod subject;

mod actions;

use http::HeaderValue;
use http::Response;
use http::StatusCode;
use http::header;
use proto::arn;
use proto::policy::Policy;
use proto::policy::PolicyKind;
use serde::Deserialize;
use serde::Serialize;

use crate::bucket::document::Document;
use crate::bucket::document::policy::subject::Subject;
use crate::bucket::document::policy::subject::malformed;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::request::Body;
use crate::request::full_body;

/// The policy of a bucket.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "PolicyText", into = "PolicyText")]
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
struct PolicyText {
    /// As it was put, to the letter.
    policy: String,
}

impl TryFrom<PolicyText> for BucketPolicy {
    type Error = proto::policy::PolicyError;

    fn try_from(document: PolicyText) -> Result<Self, Self::Error> {
        let text = document.policy;
        let policy = Policy::parse(&text, PolicyKind::Resource)?;
        Ok(Self { text, policy })
    }
}

impl From<BucketPolicy> for PolicyText {
    fn from(policy: BucketPolicy) -> Self {
        Self {
            policy: policy.text,
        }
    }
}

impl Document for BucketPolicy {
    const MISSING: S3Code = S3Code::NoSuchBucketPolicy;
    const STORED: StatusCode = StatusCode::NO_CONTENT;

    /// A policy that can be judged, for `bucket`.
    fn parse(document: &[u8], bucket: &str, partition: &str) -> Result<Self, S3Error> {
        let bucket = arn::bucket(partition, bucket);
        Self::parse_for(document, Subject::Bucket(&bucket))
    }

    fn to_response(&self) -> Response<Body> {
        let mut response = Response::new(full_body(self.text.clone()));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

impl BucketPolicy {
    /// The text, as it was put.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A policy that can be judged, each of whose statements can apply to what it is attached to.
    ///
    /// # Errors
    ///
    /// `MalformedPolicy`; `NotImplemented` for a condition that the gateway cannot evaluate.
    pub(crate) fn parse_for(document: &[u8], subject: Subject<'_>) -> Result<Self, S3Error> {
        let text = std::str::from_utf8(document).map_err(|_| malformed(NOT_JSON))?;
        if text.len() > POLICY_BYTES_MAX {
            return Err(malformed(TOO_LARGE));
        }
        let policy = Policy::parse(text, PolicyKind::Resource)
            .map_err(|error| malformed(error.fault.to_string()))?;
        for statement in policy.statements() {
            subject.check(statement)?;
            if let Some(key) = statement.condition_keys().find(|key| !is_judged(key)) {
                let reason = format!("The condition key {key} is not judged by this gateway.");
                return Err(S3Error::not_implemented(reason));
            }
        }
        let text = text.to_owned();
        Ok(Self { text, policy })
    }
}

/// Whether the value of a condition key is known here; `key` is in lower case.
fn is_judged(key: &str) -> bool {
    CONDITION_KEYS.contains(&key)
        || key.starts_with("s3:requestobjecttag/")
        || key.starts_with(EXISTING_TAG)
        || key.starts_with("aws:principaltag/")
}

/// The condition keys that requests are told by, in lower case.
///
/// Sources: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>,
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
const CONDITION_KEYS: [&str; 52] = [
    "aws:calledvia",
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:currenttime",
    "aws:epochtime",
    "aws:multifactorauthage",
    "aws:multifactorauthpresent",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalisawsservice",
    "aws:principalservicename",
    "aws:principaltype",
    "aws:referer",
    "aws:securetransport",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceidentity",
    "aws:sourceip",
    "aws:sourcevpc",
    "aws:tokenissuetime",
    "aws:useragent",
    "aws:userid",
    "aws:username",
    "s3:accesspointnetworkorigin",
    "s3:authtype",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
    "s3:delimiter",
    "s3:max-keys",
    "s3:object-lock-legal-hold",
    "s3:object-lock-mode",
    "s3:object-lock-retain-until-date",
    "s3:prefix",
    "s3:requestobjecttagkeys",
    "s3:signatureage",
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
    "s3:x-amz-object-ownership",
    "s3:x-amz-server-side-encryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:x-amz-server-side-encryption-customer-algorithm",
    "s3:x-amz-storage-class",
];

/// The start of the condition keys about the tags that an object has, in lower case.
pub(crate) const EXISTING_TAG: &str = "s3:existingobjecttag/";

/// Longest policy, in bytes.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html>
const POLICY_BYTES_MAX: usize = 20 << 10;

const NOT_JSON: &str = "Policies must be valid JSON and the first byte must be '{'";
const TOO_LARGE: &str =
    "Normalized policy document exceeds the maximum allowed size of 20480 bytes.";

#[cfg(test)]
mod tests;
