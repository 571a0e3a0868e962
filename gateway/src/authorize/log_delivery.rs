//! Whether S3's log service may write the access log of one bucket into another.
//!
//! It has no rights of its own: the policy of the target must allow it to, and is given the account and the bucket
//! that the log is about, so that it can tell its own logs from those of others. Where access control lists count, the
//! target's may let the group `LogDelivery` write and read the list instead, as AWS demands both.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html>,
//! "Permissions for log delivery". The context is what service principals have by the documentation of each key.

use proto::arn;
use proto::policy::Context;
use proto::policy::Decision;
use proto::policy::Principal;

use crate::authorize::Authorizer;
use crate::bucket::acl::BucketAcl;
use crate::bucket::policy::BucketPolicies;
use crate::error::S3Error;
use crate::protocol::acl::Permission;
use crate::request::region_of;
use crate::state::is_reserved;

/// A log object that is about to be written.
#[derive(Clone, Copy, Debug)]
pub struct LogDelivery<'a> {
    /// The bucket that the log is about.
    pub source: &'a str,
    /// The account that this bucket belonged to.
    pub account: &'a str,
    /// The Region of this bucket.
    pub region: &'a str,
    /// The bucket that receives the log.
    pub target: &'a str,
    /// The key of the log object.
    pub key: &'a str,
}

/// Why a log object is not written.
#[derive(Debug, thiserror::Error)]
pub enum LogDeliveryError {
    /// It is not to be.
    #[error("{0}")]
    Refused(&'static str),
    /// It was not found out, or could not be done.
    #[error("{0}")]
    Unavailable(S3Error),
}

impl From<S3Error> for LogDeliveryError {
    fn from(error: S3Error) -> Self {
        match error.status().as_u16() {
            404 => Self::Refused(MISSING),
            // The credentials for the backend, or its load, may be in order again later.
            401 | 403 | 408 | 429 => Self::Unavailable(error),
            400..=499 => {
                tracing::error!(%error, "a log object cannot be written");
                Self::Refused(IMPOSSIBLE)
            }
            _ => Self::Unavailable(error),
        }
    }
}

impl Authorizer {
    /// Permits the delivery of a log object.
    ///
    /// # Errors
    ///
    /// [`LogDeliveryError::Refused`] for a target that is not there, or in another account or Region, or whose
    /// policy does not allow it; [`LogDeliveryError::Unavailable`] when that cannot be found out.
    pub async fn check_log_delivery(
        &self,
        delivery: LogDelivery<'_>,
    ) -> Result<(), LogDeliveryError> {
        let LogDelivery {
            source,
            account,
            target,
            ..
        } = delivery;
        if is_reserved(target, &self.state_bucket) {
            return Err(LogDeliveryError::Refused(MISSING));
        }
        let (owner, record) = self.owners.with_record(target).await?;
        if account.is_empty() || *owner != *account {
            return Err(LogDeliveryError::Refused(OTHER_ACCOUNT));
        }
        let location = self.owners.location_of(target).await?;
        let region = location.as_deref().map_or(self.region.as_str(), region_of);
        if region != delivery.region {
            return Err(LogDeliveryError::Refused(OTHER_REGION));
        }
        let lists = BucketAcl::new(&owner, record.as_deref());
        let permits = |permission| lists.acl().permits_log_delivery(permission);
        let by_acl = permits(Permission::Write) && permits(Permission::ReadAcp);
        let refused = LogDeliveryError::Refused(NOT_ALLOWED);
        let Some(policy) = BucketPolicies::in_record(record.as_deref()) else {
            return by_acl.then_some(()).ok_or(refused);
        };
        let partition = self.policies.partition();
        let now = self.clock.now();
        let mut context = Context::new();
        context.insert("aws:CurrentTime", now.iso8601());
        context.insert("aws:EpochTime", now.unix_seconds().to_string());
        context.insert("aws:PrincipalIsAWSService", "true");
        context.insert("aws:PrincipalServiceName", LOG_SERVICE);
        context.insert("aws:SecureTransport", "true");
        context.insert("aws:SourceAccount", account);
        context.insert("aws:SourceArn", arn::bucket(partition, source));
        let service = Principal::Service(LOG_SERVICE.to_owned());
        let prepared = policy.policy().for_request(&service, &context);
        let object = arn::object(partition, target, delivery.key);
        match prepared.decide("s3:PutObject", &object).decision {
            Decision::Allow => Ok(()),
            Decision::NoMatch if by_acl => Ok(()),
            Decision::Deny | Decision::NoMatch => Err(refused),
        }
    }
}

/// The service that delivers access logs.
const LOG_SERVICE: &str = "logging.s3.amazonaws.com";

const MISSING: &str = "the target bucket does not exist";
const OTHER_ACCOUNT: &str = "the target bucket belongs to another account";
const OTHER_REGION: &str = "the target bucket is in another Region";
const NOT_ALLOWED: &str =
    "the policy of the target does not let logging.s3.amazonaws.com put objects";
const IMPOSSIBLE: &str = "the target does not take it";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::S3Code;

    #[test]
    fn a_log_object_is_tried_again_unless_its_target_is_gone_or_does_not_take_it() {
        for (code, refused) in [
            (S3Code::NoSuchBucket, Some(MISSING)),
            (S3Code::InvalidRequest, Some(IMPOSSIBLE)),
            (S3Code::AccessDenied, None),
            (S3Code::InternalError, None),
            (S3Code::SlowDown, None),
        ] {
            let found = match LogDeliveryError::from(S3Error::new(code)) {
                LogDeliveryError::Refused(why) => Some(why),
                LogDeliveryError::Unavailable(_) => None,
            };
            assert_eq!(found, refused, "{code:?}");
        }
    }
}
