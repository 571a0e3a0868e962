//! What a principal's policies and the policy of a resource decide together.

use crate::identity::AccountId;
use crate::policy::Context;
use crate::policy::Decision;
use crate::policy::Policy;
use crate::policy::Prepared;
use crate::policy::Principal;
use crate::policy::PrincipalMatch;
use crate::policy::Verdict;

/// Whether the policies of principals count by themselves, within the account of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delegation {
    /// They do: the policy of the principal or of the resource allows. So it is for buckets.
    Always,
    /// Only where the policy of the resource names the account. So it is for KMS keys and for roles.
    ///
    /// Source: <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html>
    ByResource,
}

/// The policies of a principal and of its session, made ready for one request.
#[derive(Debug)]
pub struct Rights {
    /// None leaves every right of the account.
    policies: Option<Vec<Prepared>>,
    session: Option<Prepared>,
    account: AccountId,
}

impl Rights {
    pub(super) fn new(
        account: &AccountId,
        policies: Option<&[Policy]>,
        session: Option<&Policy>,
        context: &Context,
    ) -> Self {
        // No statement of these names a principal.
        let prepare = |policy: &Policy| policy.for_request(&Principal::Anonymous, context);
        Self {
            policies: policies.map(|policies| policies.iter().map(prepare).collect()),
            session: session.map(prepare),
            account: account.clone(),
        }
    }

    /// What is decided of `action` on `resource` where no policy of the resource has a say: creating it,
    /// or listing what an account has.
    #[must_use]
    pub fn decide(&self, action: &str, resource: &str) -> Decision {
        let own = self.own(action, resource);
        self.within_session(own, action, resource)
    }

    /// What is decided of `action` on `resource` of the account `owner`, whose policy decided `verdict`.
    ///
    /// A denial anywhere outweighs all. Within an account either side may allow, as `delegation` says; of
    /// two accounts both must. What the session's policy does not allow stays closed, whoever allows it.
    ///
    /// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>
    #[must_use]
    pub fn decide_with(
        &self,
        verdict: &Verdict<'_>,
        owner: &str,
        delegation: Delegation,
        action: &str,
        resource: &str,
    ) -> Decision {
        let own = self.own(action, resource);
        let is_named = verdict
            .principal
            .is_some_and(|it| it > PrincipalMatch::Account);
        let both = match (self.account == owner, delegation) {
            (false, _) => verdict.decision.and(own),
            // A denial of one counts whatever the other decides.
            (true, _) if is_named => verdict.decision.or(without_allow(own)),
            (true, Delegation::Always) => without_allow(verdict.decision).or(own),
            (true, Delegation::ByResource) => verdict.decision.and(own),
        };
        self.within_session(both, action, resource)
    }

    /// What is left of a `decision` that rests on no policy of the principal, such as a grant: its policies
    /// may deny, and that of its session must allow.
    #[must_use]
    pub fn limit(&self, decision: Decision, action: &str, resource: &str) -> Decision {
        let denied = without_allow(self.own(action, resource));
        self.within_session(decision.or(denied), action, resource)
    }

    /// The kind of policy that refuses what [`Rights::decide_with`] does not allow, as AWS's refusals name it, if it is
    /// not that of the resource: `session` or `identity-based`.
    ///
    /// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
    #[must_use]
    pub fn refusing_kind(
        &self,
        verdict: &Verdict<'_>,
        owner: &str,
        action: &str,
        resource: &str,
    ) -> &'static str {
        let is_named = verdict
            .principal
            .is_some_and(|it| it > PrincipalMatch::Account);
        let needs_no_own = self.account == owner && is_named;
        let is_allowed = verdict.decision == Decision::Allow && needs_no_own;
        self.kind(is_allowed, action, resource)
    }

    /// The same of what [`Rights::limit`] does not leave of a decision that allows.
    #[must_use]
    pub fn limiting_kind(&self, action: &str, resource: &str) -> &'static str {
        self.kind(true, action, resource)
    }

    /// `is_allowed`: without a policy of the user or role.
    fn kind(&self, is_allowed: bool, action: &str, resource: &str) -> &'static str {
        let own = self.own(action, resource);
        let session = self.session.as_ref();
        let session = session.map(|policy| policy.decide(action, resource).decision);
        match (own, session) {
            (Decision::Allow | Decision::NoMatch, Some(Decision::Deny))
            | (Decision::Allow, Some(Decision::NoMatch)) => "session",
            (Decision::NoMatch, Some(Decision::NoMatch)) if is_allowed => "session",
            _ => "identity-based",
        }
    }

    /// What is left of a `decision` that the policies of the principal and of its session may only deny.
    #[must_use]
    pub fn deny(&self, decision: Decision, action: &str, resource: &str) -> Decision {
        let own = without_allow(self.own(action, resource));
        let session = self
            .session
            .as_ref()
            .map(|it| it.decide(action, resource).decision);
        let session = session.map_or(Decision::NoMatch, without_allow);
        decision.or(own).or(session)
    }

    /// What the policies of the user or role decide.
    fn own(&self, action: &str, resource: &str) -> Decision {
        let Some(policies) = &self.policies else {
            return Decision::Allow;
        };
        policies.iter().fold(Decision::NoMatch, |decided, policy| {
            decided.or(policy.decide(action, resource).decision)
        })
    }

    fn within_session(&self, decision: Decision, action: &str, resource: &str) -> Decision {
        match &self.session {
            Some(policy) => decision.and(policy.decide(action, resource).decision),
            None => decision,
        }
    }
}

/// A decision that can only deny.
const fn without_allow(decision: Decision) -> Decision {
    match decision {
        Decision::Deny => Decision::Deny,
        Decision::Allow | Decision::NoMatch => Decision::NoMatch,
    }
}

#[cfg(test)]
mod tests;
