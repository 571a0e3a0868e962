//! Grants: permissions on one key, given without changing its policy.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/grants.html>

use std::collections::BTreeMap;

use proto::identity::AccountId;
use serde::Deserialize;
use serde::Serialize;

/// A permission on one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its id: 64 hex digits.
    pub id: String,
    /// Its maker's name for it. A repeated CreateGrant with the same name returns the same grant.
    pub name: Option<String>,
    /// When it was made.
    pub created_ms: i64,
    /// Account that made it.
    pub issuing_account: String,
    /// Who may use it: an ARN, or the name of a service.
    pub grantee: String,
    /// Who may retire it, besides the grantee if RetireGrant is among its operations.
    pub retiring: Option<String>,
    /// What it allows.
    pub operations: Vec<String>,
    /// The pairs that an encryption context must have at least.
    pub context_subset: BTreeMap<String, String>,
    /// The pairs that an encryption context must be, if there are any.
    pub context_equals: BTreeMap<String, String>,
    /// The resource on whose behalf a service must call.
    pub source_arn: Option<String>,
}

impl Grant {
    /// Whether it lets the principal do the action, under that encryption context where the action
    /// has one.
    #[must_use]
    pub fn allows(
        &self,
        principal_arn: &str,
        action: &str,
        context: Option<&BTreeMap<String, String>>,
    ) -> bool {
        names(&self.grantee, principal_arn)
            && self.operations.iter().any(|operation| operation == action)
            && context.is_none_or(|context| self.constraints_hold(context))
            // A caller cannot prove for which resource it calls.
            && self.source_arn.is_none()
    }

    /// Whether that account made it.
    #[must_use]
    pub fn is_issued_by(&self, account: &AccountId) -> bool {
        self.issuing_account.split(':').nth(4) == Some(account.as_str())
    }

    /// Who may retire it: the principal that it names for that, and the grantee if it allows that.
    pub fn retiring_principals(&self) -> impl Iterator<Item = &str> {
        let is_allowed = self.operations.iter().any(|it| it == "RetireGrant");
        let grantee = is_allowed.then_some(&*self.grantee);
        self.retiring.as_deref().into_iter().chain(grantee)
    }

    /// Whether it lets a principal who makes grants by it make that one: nothing that it does not allow itself, and
    /// under constraints that are as strict as its own or stricter.
    ///
    /// Source: <https://docs.aws.amazon.com/kms/latest/developerguide/create-grant-overview.html#grant-creategrant>
    #[must_use]
    pub fn covers(&self, new: &Self) -> bool {
        let is_allowed = |operation| self.operations.contains(operation);
        let pairs = match new.context_equals.is_empty() {
            true => &new.context_subset,
            false => &new.context_equals,
        };
        let mut subset = self.context_subset.iter();
        new.operations.iter().all(is_allowed)
            && (self.context_equals.is_empty() || self.context_equals == new.context_equals)
            && subset.all(|(name, value)| pairs.get(name) == Some(value))
            && (self.source_arn.is_none() || self.source_arn == new.source_arn)
    }

    fn constraints_hold(&self, context: &BTreeMap<String, String>) -> bool {
        let subset = self
            .context_subset
            .iter()
            .all(|(name, value)| context.get(name) == Some(value));
        subset && (self.context_equals.is_empty() || self.context_equals == *context)
    }
}

/// Whether a grant's principal is an account: its number or its root user. By its own policies the account decides who
/// of its principals has the right.
pub(crate) fn is_account(named: &str) -> bool {
    named.ends_with(":root") || named.parse::<AccountId>().is_ok()
}

/// Whether a grant's principal is the caller, its account, or the role of its session.
pub(crate) fn names(named: &str, principal_arn: &str) -> bool {
    if named == principal_arn {
        return true;
    }
    let Some((head, rest)) = principal_arn.split_once("::") else {
        return false;
    };
    let Some((account, resource)) = rest.split_once(':') else {
        return false;
    };
    let partition = head.split(':').nth(1).unwrap_or("aws");
    if named == account || *named == format!("arn:{partition}:iam::{account}:root") {
        return true;
    }
    let role = resource
        .strip_prefix("assumed-role/")
        .and_then(|rest| rest.split('/').next());
    role.is_some_and(|role| *named == format!("arn:{partition}:iam::{account}:role/{role}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn grant() -> Grant {
        Grant {
            id: "g".to_owned(),
            name: None,
            created_ms: 0,
            issuing_account: "111122223333".to_owned(),
            grantee: "arn:aws:iam::111122223333:role/reader".to_owned(),
            retiring: None,
            operations: vec!["Decrypt".to_owned()],
            context_subset: BTreeMap::new(),
            context_equals: BTreeMap::new(),
            source_arn: None,
        }
    }

    #[test]
    fn a_grant_is_for_its_principal_and_operations() {
        let session = "arn:aws:sts::111122223333:assumed-role/reader/session";
        assert!(grant().allows(session, "Decrypt", None));
        assert!(!grant().allows(session, "Encrypt", None));
        assert!(!grant().allows("arn:aws:iam::111122223333:role/writer", "Decrypt", None));
    }

    #[test]
    fn a_grant_covers_those_that_allow_no_more_and_are_as_strict() {
        let with = |operations: &[&str], subset: &[(&str, &str)], equals: &[(&str, &str)]| Grant {
            operations: operations.iter().map(|it| (*it).to_owned()).collect(),
            context_subset: pairs(subset),
            context_equals: pairs(equals),
            ..grant()
        };
        let both = &["Decrypt", "CreateGrant"];
        let it = [("department", "it")];
        let more = [("department", "it"), ("purpose", "test")];
        let free = with(both, &[], &[]);
        let subset = with(both, &it, &[]);
        let equals = with(both, &[], &it);
        assert!(free.covers(&with(both, &[], &[])) && free.covers(&with(&["Decrypt"], &it, &[])));
        assert!(!free.covers(&with(&["Decrypt", "Encrypt"], &[], &[])));
        for (parent, child, expected) in [
            (&subset, with(both, &it, &[]), true),
            (&subset, with(both, &more, &[]), true),
            (&subset, with(both, &[], &it), true),
            (&subset, with(both, &[], &more), true),
            (&subset, with(both, &[], &[]), false),
            (&subset, with(both, &[("department", "hr")], &[]), false),
            (&subset, with(both, &[], &[("purpose", "test")]), false),
            (&equals, with(both, &[], &it), true),
            (&equals, with(both, &[], &more), false),
            (&equals, with(both, &it, &[]), false),
            (&equals, with(both, &more, &[]), false),
            (&equals, with(both, &[], &[]), false),
        ] {
            assert_eq!(parent.covers(&child), expected, "{child:?} of {parent:?}");
        }
        let for_a_resource = Grant {
            source_arn: Some("arn:aws:s3:::bucket".to_owned()),
            ..free.clone()
        };
        assert!(for_a_resource.covers(&for_a_resource) && !for_a_resource.covers(&free));
    }

    #[test]
    fn constraints_compare_the_encryption_context() {
        let principal = "arn:aws:iam::111122223333:role/reader";
        let mut grant = grant();
        grant.context_subset = pairs(&[("a", "1")]);
        assert!(grant.allows(
            principal,
            "Decrypt",
            Some(&pairs(&[("a", "1"), ("b", "2")]))
        ));
        assert!(!grant.allows(principal, "Decrypt", Some(&pairs(&[("a", "2")]))));
        grant.context_equals = pairs(&[("a", "1")]);
        let source_arn = Some("arn:aws:s3:::bucket".to_owned());
        let for_a_resource = Grant {
            source_arn,
            ..grant.clone()
        };
        assert!(!for_a_resource.allows(principal, "Decrypt", Some(&pairs(&[("a", "1")]))));
        assert!(!grant.allows(
            principal,
            "Decrypt",
            Some(&pairs(&[("a", "1"), ("b", "2")]))
        ));
        assert!(grant.allows(principal, "Decrypt", Some(&pairs(&[("a", "1")]))));
    }
}
