//! A policy made ready for one request, and what it decides of each action and resource.
//!
//! Principals, conditions and variables are the same for everything that one request does, however many
//! objects it names, so they are resolved once. Nothing here costs more than its budget, whatever the
//! policy and the request are.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use crate::policy::budget::Budget;
use crate::policy::decision::Decision;
use crate::policy::document::Policy;
use crate::policy::pattern::lower;
use crate::policy::principal::Principal;
use crate::policy::principal::PrincipalMatch;
use crate::policy::request::Context;
use crate::policy::request::Request;
use crate::policy::statement::Effect;
use crate::policy::statement::PreparedStatement;
use crate::policy::statement::Statement;

/// What one policy decides of one request: [`Policy::for_request`] and one [`Prepared::decide`].
#[must_use]
pub fn evaluate<'p>(policy: &'p Policy, request: &Request<'_>) -> Verdict<'p> {
    let prepared = policy.for_request(request.principal, request.context);
    let finding = prepared.find(request.action, request.resource);
    finding.verdict(policy.statements())
}

impl Policy {
    /// Resolves all that is the same for every action and resource of one request.
    #[must_use]
    pub fn for_request(&self, principal: &Principal, context: &Context) -> Prepared {
        let mut budget = Budget::new(STEPS_PER_REQUEST);
        let identities = principal.identities();
        let statements = self.shared_statements();
        let applicable = statements
            .iter()
            .enumerate()
            .filter_map(|(position, statement)| {
                let prepared = statement.prepare(&identities, context, &mut budget)?;
                Some((position, prepared))
            })
            .collect();
        Prepared {
            statements,
            applicable,
            steps_left: AtomicUsize::new(budget.left()),
        }
    }
}

/// A policy made ready for one request.
#[derive(Debug)]
pub struct Prepared {
    statements: Arc<[Statement]>,
    /// The statements that may match, and their places.
    applicable: Vec<(usize, PreparedStatement)>,
    /// What is left of the steps for the request, for decisions that take more than their own.
    steps_left: AtomicUsize,
}

impl Prepared {
    /// What the policy decides of the request doing `action` on `resource`.
    ///
    /// A statement that denies outweighs every one that allows. Where no statement matches, the policy
    /// decides nothing: that is a denial unless something else allows.
    #[must_use]
    pub fn decide(&self, action: &str, resource: &str) -> Verdict<'_> {
        self.find(action, resource).verdict(&self.statements)
    }

    #[cfg(test)]
    pub(crate) fn steps_left(&self) -> usize {
        self.steps_left.load(Ordering::Relaxed)
    }

    fn find(&self, action: &str, resource: &str) -> Finding {
        let shared = self.steps_left.load(Ordering::Relaxed);
        let mut budget = Budget::new(shared + STEPS_PER_DECISION);
        let finding = self.find_within(&mut budget, &lower(action), resource);
        let left = budget.left().min(shared);
        // Decisions at the same time may each spend the rest, which bounds them no less.
        self.steps_left.fetch_min(left, Ordering::Relaxed);
        finding
    }

    fn find_within(&self, budget: &mut Budget, action: &str, resource: &str) -> Finding {
        let mut allowing: Option<Finding> = None;
        let mut unresolved = false;
        for (position, prepared) in &self.applicable {
            let Some(statement) = self.statements.get(*position) else {
                continue;
            };
            let matches = statement.matches(prepared, action, resource, budget);
            unresolved |= matches.is_err();
            let finding = |decision| Finding {
                decision,
                statement: Some(*position),
                principal: Some(prepared.principal),
                unresolved,
            };
            match (statement.effect(), matches) {
                (Effect::Deny, Ok(true) | Err(_)) => return finding(Decision::Deny),
                // Of several that allow, the one that names the principal most directly counts.
                (Effect::Allow, Ok(true))
                    if allowing.is_none_or(|it| Some(prepared.principal) > it.principal) =>
                {
                    allowing = Some(finding(Decision::Allow));
                }
                _ => {}
            }
        }
        allowing.unwrap_or(Finding {
            decision: Decision::NoMatch,
            statement: None,
            principal: None,
            unresolved,
        })
    }
}

/// A [`Verdict`] without the statement itself.
#[derive(Clone, Copy, Debug)]
struct Finding {
    decision: Decision,
    statement: Option<usize>,
    principal: Option<PrincipalMatch>,
    unresolved: bool,
}

impl Finding {
    fn verdict(self, statements: &[Statement]) -> Verdict<'_> {
        Verdict {
            decision: self.decision,
            statement: self.statement.and_then(|position| statements.get(position)),
            principal: self.principal,
            unresolved: self.unresolved,
        }
    }
}

/// A [`Decision`] and what it rests on.
#[derive(Clone, Copy, Debug)]
pub struct Verdict<'p> {
    /// What the policy decides.
    pub decision: Decision,
    /// The statement that decided; `None` for [`Decision::NoMatch`]. Its `Display` names it in a log.
    pub statement: Option<&'p Statement>,
    /// How the statement that decided names the principal; `None` for [`Decision::NoMatch`].
    ///
    /// [`PrincipalMatch::Account`] matters for an allow: it hands the decision to the account, whose
    /// own policies must allow as well.
    pub principal: Option<PrincipalMatch>,
    /// Whether a statement could not be evaluated within the bounds: too many steps, or variables that
    /// stand for too much. It counts as matching if it denies, and as not matching if it allows.
    pub unresolved: bool,
}

impl<'p> Verdict<'p> {
    /// That of no policy at all.
    pub const NONE: Self = Self {
        decision: Decision::NoMatch,
        statement: None,
        principal: None,
        unresolved: false,
    };

    /// The `Sid` of the statement that decided, if it has one.
    #[must_use]
    pub fn sid(&self) -> Option<&'p str> {
        self.statement.and_then(Statement::sid)
    }
}

/// What one request may cost besides [`STEPS_PER_DECISION`]: two milliseconds at worst. A bucket policy
/// of 20 KB, S3's longest, of nothing but patterns `*x*` takes 1.2 million on the longest key.
pub(crate) const STEPS_PER_REQUEST: usize = 1_500_000;

/// What each decision may cost in any case, so that the last key of a thousand in one request is decided
/// like the first: a few hundred patterns with a search in each.
pub(crate) const STEPS_PER_DECISION: usize = 200_000;
