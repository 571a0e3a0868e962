//! The IAM policy language: key policies, bucket policies and access-point policies are one grammar,
//! and this is its one evaluator.
//!
//! [`Policy::parse`] reads a document or says precisely what is wrong with it; a [`Policy`] that
//! exists is one that can be evaluated. [`evaluate`] is pure: everything it may ask about a request
//! is in the [`Request`]. What the answers of several policies come to together is for the caller to
//! say, with [`Decision::or`] and [`Decision::and`].
//!
//! Sources: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>.

mod condition;
mod document;
mod json;
mod pattern;
mod principal;
mod request;
mod statement;
mod value;

#[cfg(test)]
mod tests;

pub use document::Policy;
pub use document::PolicyError;
pub use document::PolicyFault;
pub use document::PolicyKind;
pub use principal::Principal;
pub use principal::PrincipalMatch;
pub use request::Context;
pub use request::Request;
pub use statement::Effect;
pub use statement::Statement;

/// What one policy says about one request.
///
/// A statement that denies outweighs every one that allows. Where no statement matches, the policy
/// says nothing: that is a denial only if nothing else allows.
#[must_use]
pub fn evaluate<'p>(policy: &'p Policy, request: &Request<'_>) -> Verdict<'p> {
    let mut verdict = Verdict {
        decision: Decision::NoMatch,
        statement: None,
        principal: None,
    };
    for statement in policy.statements() {
        let Some(principal) = statement.matches(request) else {
            continue;
        };
        let decision = match statement.effect() {
            Effect::Allow => Decision::Allow,
            Effect::Deny => Decision::Deny,
        };
        let found = Verdict {
            decision,
            statement: Some(statement),
            principal: Some(principal),
        };
        if decision == Decision::Deny {
            return found;
        }
        // Of several that allow, the one that names the principal most directly counts.
        if verdict.principal.is_none_or(|known| principal > known) {
            verdict = found;
        }
    }
    verdict
}

/// What a policy says about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A statement allows it and none denies it.
    Allow,
    /// A statement denies it.
    Deny,
    /// No statement matches it.
    NoMatch,
}

impl Decision {
    /// What two policies say of which either may allow: an identity's and a resource's within one
    /// account. A denial outweighs all.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Deny, _) | (_, Self::Deny) => Self::Deny,
            (Self::Allow, _) | (_, Self::Allow) => Self::Allow,
            (Self::NoMatch, Self::NoMatch) => Self::NoMatch,
        }
    }

    /// What two policies say of which both must allow: an identity's and its session's, or those of
    /// two accounts. A denial outweighs all, and a policy that only denies never allows.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Deny, _) | (_, Self::Deny) => Self::Deny,
            (Self::Allow, Self::Allow) => Self::Allow,
            (Self::NoMatch, _) | (_, Self::NoMatch) => Self::NoMatch,
        }
    }
}

/// A [`Decision`] and what it rests on.
#[derive(Clone, Copy, Debug)]
pub struct Verdict<'p> {
    /// What the policy says.
    pub decision: Decision,
    /// The statement that decided; `None` for [`Decision::NoMatch`].
    pub statement: Option<&'p Statement>,
    /// How the statement that decided names the principal; `None` for [`Decision::NoMatch`].
    ///
    /// [`PrincipalMatch::Account`] matters for an allow: it hands the decision to the account, whose
    /// own policies must allow as well.
    pub principal: Option<PrincipalMatch>,
}

impl<'p> Verdict<'p> {
    /// The `Sid` of the statement that decided, if it has one.
    #[must_use]
    pub fn sid(&self) -> Option<&'p str> {
        self.statement.and_then(Statement::sid)
    }
}
