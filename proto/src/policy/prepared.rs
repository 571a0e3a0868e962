//! A policy made ready for one request, and what it says of each action and resource.
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

/// What one policy says about one request: [`Policy::for_request`] and one [`Prepared::decide`].
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
    /// What the policy says of the request doing `action` on `resource`.
    ///
    /// A statement that denies outweighs every one that allows. Where no statement matches, the policy
    /// says nothing: that is a denial only if nothing else allows.
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
        for (position, prepared) in &self.applicable {
            let Some(statement) = self.statements.get(*position) else {
                continue;
            };
            let matches = statement.matches(prepared, action, resource, budget);
            let finding = |decision| Finding {
                decision,
                statement: Some(*position),
                principal: Some(prepared.principal),
                unresolved: matches.is_err(),
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
            unresolved: false,
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
    /// What the policy says.
    pub decision: Decision,
    /// The statement that decided; `None` for [`Decision::NoMatch`]. Its `Display` names it in a log.
    pub statement: Option<&'p Statement>,
    /// How the statement that decided names the principal; `None` for [`Decision::NoMatch`].
    ///
    /// [`PrincipalMatch::Account`] matters for an allow: it hands the decision to the account, whose
    /// own policies must allow as well.
    pub principal: Option<PrincipalMatch>,
    /// Whether the statement denies because it could not be evaluated within the bounds: too many
    /// steps, or variables that stand for too much.
    pub unresolved: bool,
}

impl<'p> Verdict<'p> {
    /// The `Sid` of the statement that decided, if it has one.
    #[must_use]
    pub fn sid(&self) -> Option<&'p str> {
        self.statement.and_then(Statement::sid)
    }
}

/// What one request may cost beside [`STEPS_PER_DECISION`]: about two milliseconds at worst. A bucket
/// policy of S3's longest, 20 KB, of nothing but patterns `*x*` on the longest key takes a million.
pub(crate) const STEPS_PER_REQUEST: usize = 2_000_000;

/// What each decision may cost in any case, so that the last key of a thousand in one request finds as
/// much as the first: about 50 microseconds at worst.
pub(crate) const STEPS_PER_DECISION: usize = 50_000;
