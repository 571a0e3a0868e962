//! Policies of vaults: access policies and lock policies.
//!
//! A policy with a condition that the gateway cannot evaluate is refused: to ignore it would permit what it
//! denies.
//!
//! Sources: <https://docs.aws.amazon.com/amazonglacier/latest/dev/vault-access-policy.html>,
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3glacier.html>

use proto::policy::ActionPattern;
use proto::policy::Policy;
use proto::policy::PolicyError;
use proto::policy::PolicyKind;
use serde::Deserialize;
use serde::Serialize;

use crate::vault::error::VaultError;

/// A policy of a vault, as it was put.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct VaultPolicy {
    text: String,
    policy: Policy,
}

impl VaultPolicy {
    /// A policy that can be judged, for the vault `arn`.
    ///
    /// # Errors
    ///
    /// `InvalidParameterValueException` with what is wrong with it.
    pub(crate) fn parse(text: &str, arn: &str) -> Result<Self, VaultError> {
        if text.len() > POLICY_BYTES_MAX {
            return Err(malformed("it is longer than 20 KB"));
        }
        let policy = Self::try_from(text.to_owned()).map_err(|error| malformed(&error))?;
        for statement in policy.policy.statements() {
            let mut actions = statement.action_patterns();
            if let Some(action) = actions.find(|action| !names_any(*action)) {
                let action = action.text();
                return Err(malformed(format_args!("{action} is no action on a vault")));
            }
            if let Some(resource) = statement.resources().find(|it| !may_mean(it, arn)) {
                return Err(malformed(format_args!("{resource} is not the vault {arn}")));
            }
            if let Some(key) = statement.condition_keys().find(|key| !is_judged(key)) {
                let what = format_args!("the condition key {key} is not judged by this gateway");
                return Err(malformed(what));
            }
        }
        Ok(policy)
    }

    /// As it was put, to the letter.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What requests are judged by.
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }
}

impl TryFrom<String> for VaultPolicy {
    type Error = PolicyError;

    fn try_from(text: String) -> Result<Self, PolicyError> {
        let policy = Policy::parse(&text, PolicyKind::Resource)?;
        Ok(Self { text, policy })
    }
}

impl From<VaultPolicy> for String {
    fn from(policy: VaultPolicy) -> Self {
        policy.text
    }
}

/// Whether a value of the element `Action` names an action on a vault.
fn names_any(pattern: ActionPattern<'_>) -> bool {
    let text = pattern.text();
    let service = text.split_once(':').map_or(text, |(service, _)| service);
    let mut actions = ACTIONS.split_ascii_whitespace();
    (text == "*" || service.eq_ignore_ascii_case("glacier"))
        && actions.any(|it| pattern.names(&format!("glacier:{it}").to_ascii_lowercase()))
}

/// Whether a pattern can match the vault.
fn may_mean(pattern: &str, arn: &str) -> bool {
    let literal = pattern.split(['*', '?', '$']).next().unwrap_or_default();
    pattern == arn || (literal.len() < pattern.len() && arn.starts_with(literal))
}

/// Whether the value of a condition key is known here; `key` is in lower case.
fn is_judged(key: &str) -> bool {
    let starts = ["glacier:resourcetag/", "aws:principaltag/"];
    CONDITION_KEYS.contains(&key) || starts.iter().any(|start| key.starts_with(start))
}

fn malformed(what: impl std::fmt::Display) -> VaultError {
    VaultError::invalid(format!("Invalid policy: {what}"))
}

/// The actions on vaults. Those on the account, such as `glacier:ListVaults`, no policy of a vault is about.
const ACTIONS: &str = "AbortMultipartUpload AbortVaultLock AddTagsToVault CompleteMultipartUpload \
     CompleteVaultLock CreateVault DeleteArchive DeleteVault DeleteVaultAccessPolicy DeleteVaultNotifications \
     DescribeJob DescribeVault GetJobOutput GetVaultAccessPolicy GetVaultLock GetVaultNotifications InitiateJob \
     InitiateMultipartUpload InitiateVaultLock ListJobs ListMultipartUploads ListParts ListTagsForVault \
     RemoveTagsFromVault SetVaultAccessPolicy SetVaultNotifications UploadArchive UploadMultipartPart";

/// The condition keys that requests for vaults have, in lower case.
const CONDITION_KEYS: [&str; 17] = [
    "aws:currenttime",
    "aws:epochtime",
    "aws:multifactorauthage",
    "aws:multifactorauthpresent",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalisawsservice",
    "aws:principaltype",
    "aws:referer",
    "aws:securetransport",
    "aws:sourceidentity",
    "aws:sourceip",
    "aws:tokenissuetime",
    "aws:useragent",
    "aws:userid",
    "aws:username",
    "glacier:archiveageindays",
];

/// Longest policy, in bytes.
const POLICY_BYTES_MAX: usize = 20 << 10;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const ARN: &str = "arn:aws:glacier:us-east-1:111122223333:vaults/v";

    /// A policy that denies deleting archives younger than a year.
    pub(crate) fn policy() -> VaultPolicy {
        VaultPolicy::parse(&text("glacier:DeleteArchive", ARN, KEY), ARN).unwrap()
    }

    const KEY: &str = "glacier:ArchiveAgeInDays";

    fn text(action: &str, resource: &str, key: &str) -> String {
        serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Deny",
                "Principal": "*",
                "Action": action,
                "Resource": resource,
                "Condition": {"NumericLessThan": {key: "365"}},
            }],
        })
        .to_string()
    }

    #[test]
    fn a_policy_is_about_its_vault_and_conditions_that_can_be_judged() {
        let any = "arn:aws:glacier:*:*:vaults/*";
        for (action, resource, key, is_taken) in [
            ("glacier:*", any, "glacier:ArchiveAgeinDays", true),
            ("*", "*", KEY, true),
            ("glacier:deleteArchive", ARN, KEY, true),
            ("glacier:Delete*", ARN, KEY, true),
            ("glacier:DeleteArchives", ARN, KEY, false),
            ("glacier:ListVaults", ARN, KEY, false),
            ("glacier:Colour*", ARN, KEY, false),
            ("s3:GetObject", ARN, KEY, false),
            (
                "glacier:*",
                "arn:aws:glacier:us-east-1:111122223333:vaults/w",
                KEY,
                false,
            ),
            ("glacier:*", "arn:aws:s3:::v", KEY, false),
            ("glacier:*", ARN, "glacier:Colour", false),
        ] {
            let outcome = VaultPolicy::parse(&text(action, resource, key), ARN);
            assert_eq!(outcome.is_ok(), is_taken, "{action} {resource} {key}");
        }
    }

    #[test]
    fn a_policy_that_is_none_or_too_long_is_refused() {
        let long = text("glacier:*", ARN, KEY) + &" ".repeat(POLICY_BYTES_MAX);
        for text in ["", "{}", "[]", long.as_str()] {
            assert!(VaultPolicy::parse(text, ARN).is_err());
        }
    }
}
