//! Where something of an account is, and the ARNs of keys and aliases.

use std::fmt;

use proto::identity::AccountId;
use proto::identity::Region;

/// Where something is: account, Region, and its name there. Displays as the name of its row in the
/// store.
#[derive(Clone, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) name: &'a str,
}

impl<'a> Place<'a> {
    pub(crate) fn new(account: &AccountId, region: &Region, name: &'a str) -> Self {
        Self {
            account: account.clone(),
            region: region.clone(),
            name,
        }
    }

    /// Reads the name of a row.
    pub(crate) fn parse(row: &'a str) -> Option<Self> {
        let (account, rest) = row.split_once('/')?;
        let (region, name) = rest.split_once('/')?;
        Some(Self {
            account: account.parse().ok()?,
            region: region.parse().ok()?,
            name,
        })
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            account,
            region,
            name,
        } = self;
        write!(f, "{account}/{region}/{name}")
    }
}

/// The ARN of a key.
#[must_use]
pub fn key_arn(account: &AccountId, region: &Region, key_id: &str) -> String {
    format!(
        "arn:{}:kms:{region}:{account}:key/{key_id}",
        region.partition()
    )
}

/// The ARN of an alias, whose name includes the prefix `alias/`.
#[must_use]
pub fn alias_arn(account: &AccountId, region: &Region, name: &str) -> String {
    format!("arn:{}:kms:{region}:{account}:{name}", region.partition())
}
