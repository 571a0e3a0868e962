//! Whether a policy is public, by S3's definition.
//!
//! A policy is public unless all that it allows is for principals that an account or a service vouches
//! for, or for requests confined by fixed values: without a wildcard and without a variable. What AWS
//! leaves open counts as public here.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status>

use crate::arn::Arn;
use crate::policy::condition::Condition;
use crate::policy::document::Policy;
use crate::policy::operator::Operator;
use crate::policy::pattern::Pattern;
use crate::policy::principal::PrincipalElement;
use crate::policy::statement::Effect;
use crate::policy::statement::Statement;
use crate::policy::value::are_narrow;

impl Policy {
    /// Whether the policy is public, by S3's definition for the policies of buckets.
    ///
    /// One public statement makes the policy public, whatever other statements deny.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.statements().iter().any(|it| is_public(it, &[]))
    }

    /// The same for the policy of an access point, all requests of which go through that access point: to name
    /// it, or its account, confines nothing.
    #[must_use]
    pub fn is_public_at_access_point(&self) -> bool {
        self.statements()
            .iter()
            .any(|it| is_public(it, &OF_ACCESS_POINTS))
    }
}

/// Whether a statement is public, where conditions on the keys `without` confine nothing.
fn is_public(statement: &Statement, without: &[&str]) -> bool {
    let wildcard = statement
        .principal()
        .is_some_and(PrincipalElement::is_wildcard);
    let mut conditions = statement.conditions().iter();
    let confined = conditions.any(|it| !without.contains(&it.key()) && confines(it));
    statement.effect() == Effect::Allow && wildcard && !confined
}

/// Whether a condition leaves only requests of fixed origin.
fn confines(condition: &Condition) -> bool {
    let key = condition.key();
    match condition.positive_operator() {
        Some(Operator::Ip(networks)) => key == "aws:sourceip" && are_narrow(networks),
        Some(Operator::Text { patterns, .. } | Operator::Arn(patterns)) => {
            let confines: fn(&str) -> bool = match key {
                "aws:userid" => is_user_id,
                "s3:dataaccesspointarn" => is_of_one_account,
                _ if FIXED_KEYS.contains(&key) => is_fixed,
                _ => return false,
            };
            patterns.iter().map(Pattern::text).all(confines)
        }
        _ => false,
    }
}

/// Whether a value stands for itself alone.
fn is_fixed(value: &str) -> bool {
    !value.is_empty() && !value.contains(['*', '?']) && !value.contains("${")
}

/// Whether a value of `aws:userid` is fixed and no session of a role: AWS takes those of the pattern
/// `AROLEID:*` out, and a caller names its session itself.
fn is_user_id(value: &str) -> bool {
    is_fixed(value) && !value.contains(':')
}

/// Whether a value of `s3:DataAccessPointArn` is of access points of one account: their names may be
/// wild.
fn is_of_one_account(value: &str) -> bool {
    Arn::parse(value).is_ok_and(|arn| {
        let fixed = [&arn.partition, &arn.service, &arn.region, &arn.account];
        let of_account = fixed.iter().all(|part| is_fixed(part));
        of_account && arn.resource.starts_with("accesspoint/") && !arn.resource.contains("${")
    })
}

/// The keys that every request through one access point has the same values of, in lower case.
const OF_ACCESS_POINTS: [&str; 2] = ["s3:dataaccesspointaccount", "s3:dataaccesspointarn"];

/// The keys that confine a statement by a fixed value, in lower case. The first four are what AWS's
/// list calls a principal, user, role or service principal; `aws:SourceIp` and the two with rules of
/// their own are not among them.
const FIXED_KEYS: [&str; 10] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalservicename",
    "aws:sourcearn",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourceowner",
    "aws:sourceaccount",
    "s3:dataaccesspointaccount",
];
