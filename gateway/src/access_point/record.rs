//! What is stored about an access point: `access-points/<account>/<name>`.

use std::collections::BTreeMap;

use proto::arn;
use serde::Deserialize;
use serde::Serialize;

use crate::bucket::document::policy::BucketPolicy;
use crate::bucket::document::public_access::PublicAccessBlock;
use crate::bucket::record::BucketRecord;
use crate::bucket::record::Incarnation;
use crate::request::AccessPointAddress;

/// An access point.
///
/// It exists while the record of its bucket names its alias: so it ends with the bucket, and no bucket that is
/// created anew brings it back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessPoint {
    /// Its name, unique in its account.
    pub name: String,
    /// The account that it belongs to.
    pub account: String,
    /// The Region of its bucket.
    pub region: String,
    /// Its bucket.
    pub bucket: String,
    /// Which of the buckets of that name.
    pub incarnation: Incarnation,
    /// What stands where a bucket's name does; no other access point ever has it.
    pub alias: String,
    /// The VPC that requests must come from; the Internet if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc: Option<String>,
    /// What it blocks of public access.
    pub public_access_block: PublicAccessBlock,
    /// When it was created, in ISO 8601.
    pub created: String,
    /// Its policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<BucketPolicy>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// Which access point has an alias: `access-point-aliases/<alias>`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AliasOwner {
    /// The account of the access point.
    pub account: String,
    /// Its name.
    pub name: String,
}

impl AccessPoint {
    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> String {
        arn(&self.region, &self.account, &self.name)
    }

    /// How requests name it.
    #[must_use]
    pub fn address(&self) -> AccessPointAddress {
        AccessPointAddress {
            arn: self.arn(),
            alias: self.alias.clone(),
        }
    }

    /// The value of `s3:AccessPointNetworkOrigin`.
    #[must_use]
    pub const fn network_origin(&self) -> &'static str {
        match self.vpc {
            Some(_) => "VPC",
            None => "Internet",
        }
    }

    /// Whether its policy is public. That of an access point for one VPC never is.
    ///
    /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>
    #[must_use]
    pub fn is_public(&self) -> bool {
        let policy = self.policy.as_ref().filter(|_| self.vpc.is_none());
        policy.is_some_and(|policy| policy.policy().is_public_at_access_point())
    }

    /// Whether the bucket with this record has it.
    #[must_use]
    pub fn is_attached_to(&self, record: &BucketRecord) -> bool {
        record.is_in_use()
            && record.incarnation == self.incarnation
            && record.access_points.contains_key(&self.alias)
    }
}

/// The ARN of an access point.
#[must_use]
pub fn arn(region: &str, account: &str, name: &str) -> String {
    let partition = arn::partition(region);
    format!("arn:{partition}:s3:{region}:{account}:accesspoint/{name}")
}
