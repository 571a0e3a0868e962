//! Requests through an access point: what must hold beside the policies of the bucket.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-policies.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-vpc.html>

use std::sync::Arc;

use proto::policy::Context;

use crate::access_point::config::Config;
use crate::access_point::record;
use crate::access_point::record::AccessPoint;
use crate::bucket::document::policy::BucketPolicy;
use crate::bucket::document::public_access::PublicAccessBlock;
use crate::bucket::public_access::PublicAccessBlocks;
use crate::error::S3Error;
use crate::request::Caller;
use crate::request::S3Request;
use crate::request::SignatureVersion;

/// The access point that a request goes through, and what its block of public access leaves.
#[derive(Debug)]
pub(super) struct AccessPointLayer {
    pub(super) access_point: Arc<AccessPoint>,
    arn: String,
    /// Whether what its policy allows to other accounts does not count.
    pub(super) restricted: bool,
    /// Whether what the bucket's policy allows to other accounts does not count.
    pub(super) restricts_bucket: bool,
}

impl AccessPointLayer {
    /// The ARN of an object, or of the access point itself, as its policy names it.
    pub(super) fn resource(&self, key: Option<&str>) -> String {
        match key {
            Some(key) => [&self.arn, "/object/", key].concat(),
            None => self.arn.clone(),
        }
    }

    /// What an access point to `bucket`, whose policy is `policy`, adds to the judgement of a request.
    pub(super) async fn new(
        public_access: &PublicAccessBlocks,
        access_point: &Arc<AccessPoint>,
        bucket: &str,
        caller: &Caller,
        policy: Option<&BucketPolicy>,
    ) -> Result<Self, S3Error> {
        let is_bucket_public = policy.is_some_and(BucketPolicy::is_public);
        let is_public = access_point.is_public();
        let restricts = match is_public || is_bucket_public {
            true => {
                let blocks = blocks(public_access, bucket, Some(access_point)).await?;
                blocks.restrict_public_buckets
            }
            false => false,
        };
        Ok(Self {
            arn: access_point.arn(),
            restricted: restricts && is_public && !caller.is_of(&access_point.account),
            restricts_bucket: restricts && is_bucket_public,
            access_point: Arc::clone(access_point),
        })
    }
}

/// What of public access is blocked in a bucket, by requests through this access point: by the bucket, by both their
/// accounts, or by the access point.
///
/// # Errors
///
/// `ServiceUnavailable` when it cannot be found out.
pub(super) async fn blocks(
    public_access: &PublicAccessBlocks,
    bucket: &str,
    through: Option<&AccessPoint>,
) -> Result<PublicAccessBlock, S3Error> {
    let in_force = public_access.in_force(bucket).await?;
    let Some(access_point) = through else {
        return Ok(in_force);
    };
    let of_account = public_access
        .of_account(access_point.account.as_str())
        .await?;
    Ok(in_force
        .with(of_account)
        .with(access_point.public_access_block))
}

/// Refuses a request that no access point takes: of nobody, signed with Version 2, from another network than its,
/// or on a connection without TLS where that is required.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-restrictions-limitations.html>
///
/// # Errors
///
/// `AccessDenied`; `InvalidRequest` for Signature Version 2.
pub(super) fn check_request(
    config: Option<&Config>,
    access_point: &AccessPoint,
    request: &S3Request,
    vpc: Option<&str>,
) -> Result<(), S3Error> {
    let is_plain = config.is_none_or(|config| config.require_tls) && !request.connection.secure;
    let is_elsewhere = access_point.vpc.is_some() && access_point.vpc.as_deref() != vpc;
    if request.caller.is_anonymous() || is_plain || is_elsewhere {
        return Err(S3Error::access_denied());
    }
    match request.auth.version() {
        Some(SignatureVersion::V2) => Err(S3Error::invalid_request(VERSION_2)),
        _ => Ok(()),
    }
}

/// Adds the condition keys of requests through an access point, or about it.
pub(super) fn add_conditions(context: &mut Context, access_point: &AccessPoint) {
    add_names(
        context,
        &access_point.region,
        &access_point.account,
        &access_point.name,
    );
    context.insert(NETWORK_ORIGIN, access_point.network_origin());
}

/// Adds those that name the access point; its ARN.
pub(super) fn add_names(context: &mut Context, region: &str, account: &str, name: &str) -> String {
    let arn = record::arn(region, account, name);
    context.insert("s3:DataAccessPointArn", &*arn);
    context.insert("s3:DataAccessPointAccount", account);
    arn
}

pub(super) const NETWORK_ORIGIN: &str = "s3:AccessPointNetworkOrigin";

const VERSION_2: &str =
    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.";
