//! What grants allow a caller, and what its own policies leave of that.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/grants.html>

use std::collections::BTreeMap;
use std::iter;

use proto::iam::Rights;
use proto::identity::PrincipalArn;
use proto::identity::PrincipalKind;
use proto::policy::Decision;
use proto::policy::Verdict;

use crate::caller::Caller;
use crate::keys::grant::Grant;
use crate::keys::grant::is_account;
use crate::keys::key::Key;

/// What a caller is about to do by a grant.
pub(crate) struct What<'a> {
    /// An action of IAM.
    pub(crate) action: &'a str,
    /// The encryption context, for actions that have one.
    pub(crate) context: Option<&'a BTreeMap<String, String>>,
    /// The grant that is to be made, for CreateGrant.
    pub(crate) new_grant: Option<&'a Grant>,
}

/// The grants of a key that allow that: each by itself, as grants do not add up.
pub(crate) fn allowing<'g>(
    caller: &Caller,
    what: &What<'_>,
    grants: &'g [Grant],
) -> Vec<&'g Grant> {
    let covers = |grant: &Grant| match what.new_grant {
        Some(new) => grant.covers(new),
        None => what.action != "CreateGrant",
    };
    let allows = |grant: &&Grant| {
        let mut names = names_of(caller);
        names.any(|arn| grant.allows(arn, what.action, what.context)) && covers(grant)
    };
    grants.iter().filter(allows).collect()
}

/// The ARNs by which grants may name the caller: its own, and of a session that of its role.
pub(crate) fn names_of(caller: &Caller) -> impl Iterator<Item = &str> {
    let source = caller.identity.as_ref().map(|it| &it.source);
    let role = source.filter(|source| source.kind() == PrincipalKind::Role);
    iter::once(&*caller.principal_arn).chain(role.map(PrincipalArn::as_str))
}

/// What the caller's own policies leave of a right that each of these grants gives to the principal that it names. One
/// that the caller's account or the key's gives to a principal needs no policy. One for an account, or one of another
/// account's key that another account made, needs a policy that allows the same, as AWS's answers of 2026-09-12 show.
///
/// With it goes the kind of policy that refuses the rest, in AWS's words. None without a grant.
pub(crate) fn leave<'g>(
    rights: &Rights,
    grants: impl IntoIterator<Item = (&'g Grant, &'g str)>,
    caller: &Caller,
    key: &Key,
    action: &str,
) -> Option<(Decision, &'static str)> {
    let is_enough = |(grant, principal): (&Grant, &str)| {
        let is_near = caller.account == *key.account() || grant.is_issued_by(&caller.account);
        is_near && !is_account(principal)
    };
    let mut grants = grants.into_iter().peekable();
    grants.peek()?;
    Some(match grants.any(is_enough) {
        true => {
            let decision = rights.limit(Decision::Allow, action, key.arn());
            (decision, rights.limiting_kind(action, key.arn()))
        }
        false => {
            let decision = rights.decide(action, key.arn());
            let kind = rights.refusing_kind(&Verdict::NONE, "", action, key.arn());
            (decision, kind)
        }
    })
}
