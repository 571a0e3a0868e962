//! What is stored about an Object Lambda access point: `object-lambda/<account>/<name>`.

use proto::arn;
use serde::Deserialize;
use serde::Serialize;

use crate::bucket::document::policy::BucketPolicy;
use crate::object_lambda::configuration::Configuration;

/// An Object Lambda access point: a way to an access point on which a function transforms what is read.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LambdaAccessPoint {
    /// Its name, unique among those of its account.
    pub name: String,
    /// The account that it belongs to.
    pub account: String,
    /// The Region of the access point behind it.
    pub region: String,
    /// What stands where a bucket's name does; no other access point ever has it.
    pub alias: String,
    /// When it was created, in ISO 8601.
    pub created: String,
    /// The access point behind it, and the functions.
    pub configuration: Configuration,
    /// Its policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<BucketPolicy>,
}

impl LambdaAccessPoint {
    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> String {
        arn(&self.region, &self.account, &self.name)
    }

    /// Whether its policy is public by S3's definition.
    #[must_use]
    pub fn is_public(&self) -> bool {
        let policy = self.policy.as_ref();
        policy.is_some_and(|policy| policy.policy().is_public_at_access_point())
    }
}

/// The ARN of an Object Lambda access point.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/olap-use.html>
#[must_use]
pub fn arn(region: &str, account: &str, name: &str) -> String {
    let partition = arn::partition(region);
    format!("arn:{partition}:s3-object-lambda:{region}:{account}:accesspoint/{name}")
}
