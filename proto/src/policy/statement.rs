//! One statement of a policy.

use std::fmt;

use crate::policy::budget::Budget;
use crate::policy::budget::Unresolved;
use crate::policy::condition::Condition;
use crate::policy::fault::PolicyFault;
use crate::policy::glob::Glob;
use crate::policy::json::Json;
use crate::policy::principal::Identities;
use crate::policy::principal::PrincipalElement;
use crate::policy::principal::PrincipalMatch;
use crate::policy::request::Context;
use crate::policy::scope::ActionPattern;
use crate::policy::scope::Scope;

/// What a policy is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// A resource, such as a key or a bucket: every statement names principals.
    Resource,
    /// An identity or its session: no statement names principals.
    Identity,
    /// A role, for those who may take it: every statement names principals and none resources.
    Trust,
}

/// What a statement does to the requests it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Allows them, unless another statement denies.
    Allow,
    /// Denies them.
    Deny,
}

/// One statement of a policy.
#[derive(Clone, Debug)]
pub struct Statement {
    position: usize,
    sid: Option<String>,
    effect: Effect,
    /// `None` in the policy of an identity.
    principal: Option<PrincipalElement>,
    actions: Scope,
    resources: Scope,
    conditions: Vec<Condition>,
}

/// A statement that may match a request, with what is the same for all its actions and resources.
#[derive(Debug)]
pub(crate) struct PreparedStatement {
    /// How the statement names the principal.
    pub(crate) principal: PrincipalMatch,
    /// Whether it could be settled that all conditions hold.
    conditions: Result<(), Unresolved>,
    /// The patterns of resources that have variables.
    resources: Result<Vec<Glob>, Unresolved>,
}

impl Statement {
    /// The name the policy's author gave the statement.
    #[must_use]
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// What the statement does to the requests it matches.
    #[must_use]
    pub const fn effect(&self) -> Effect {
        self.effect
    }

    /// The values of `Action` as written; none where the statement has `NotAction`.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.actions.only()
    }

    /// The values of `Action`; none where the statement has `NotAction`.
    pub fn action_patterns(&self) -> impl Iterator<Item = ActionPattern<'_>> {
        self.actions.patterns().iter().map(ActionPattern)
    }

    /// The values of `Resource` as written; none where the statement has `NotResource`.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.resources.only()
    }

    /// The keys that the statement's conditions look at, in lower case.
    pub fn condition_keys(&self) -> impl Iterator<Item = &str> {
        self.conditions.iter().map(Condition::key)
    }

    /// The place of the statement in its policy, counted from 0.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.position
    }

    /// The element `Principal` or `NotPrincipal`; none in the policy of an identity.
    pub(crate) const fn principal(&self) -> Option<&PrincipalElement> {
        self.principal.as_ref()
    }

    pub(crate) fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// Whether the condition keys of a request can make a difference.
    pub(crate) fn reads_context(&self) -> bool {
        !self.conditions.is_empty() || self.resources.has_variables()
    }

    /// What is the same for all actions and resources of one request: whether the statement names
    /// the principal and its conditions hold, and what its variables stand for. `None` where the
    /// statement cannot match.
    pub(crate) fn prepare(
        &self,
        identities: &Identities<'_>,
        context: &Context,
        budget: &mut Budget,
    ) -> Option<PreparedStatement> {
        let principal = match &self.principal {
            Some(element) => element.matches(identities)?,
            None => PrincipalMatch::Anyone,
        };
        let mut conditions = Ok(());
        for condition in &self.conditions {
            match condition.holds(context, budget) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(unresolved) => conditions = Err(unresolved),
            }
        }
        Some(PreparedStatement {
            principal,
            conditions,
            resources: self.resources.resolve(context, budget),
        })
    }

    /// Whether the statement matches `action`, in lower case, on `resource`.
    pub(crate) fn matches(
        &self,
        prepared: &PreparedStatement,
        action: &str,
        resource: &str,
        budget: &mut Budget,
    ) -> Result<bool, Unresolved> {
        if !self.actions.names(&[], action, budget)? {
            return Ok(false);
        }
        let resolved = prepared
            .resources
            .as_ref()
            .map_err(|unresolved| *unresolved)?;
        if !self.resources.names(resolved, resource, budget)? {
            return Ok(false);
        }
        prepared.conditions.map(|()| true)
    }

    pub(crate) fn parse(
        value: &Json,
        position: usize,
        kind: PolicyKind,
        variables: bool,
    ) -> Result<Self, PolicyFault> {
        let Json::Object(members) = value else {
            return Err(PolicyFault::Syntax {
                element: "Statement",
            });
        };
        if let Some((name, _)) = members
            .iter()
            .find(|(name, _)| !ELEMENTS.contains(&name.as_str()))
        {
            return Err(PolicyFault::UnknownElement { name: name.clone() });
        }
        let member = |wanted| {
            members
                .iter()
                .find_map(|(name, value)| (name == wanted).then_some(value))
        };

        let sid = match member("Sid") {
            None => None,
            Some(Json::Text(sid)) => Some(sid.clone()),
            Some(_) => return Err(PolicyFault::Syntax { element: "Sid" }),
        };
        let effect = match member("Effect") {
            Some(Json::Text(effect)) if effect == "Allow" => Effect::Allow,
            Some(Json::Text(effect)) if effect == "Deny" => Effect::Deny,
            Some(Json::Text(effect)) => {
                return Err(PolicyFault::Effect {
                    effect: effect.clone(),
                });
            }
            Some(_) => return Err(PolicyFault::Syntax { element: "Effect" }),
            None => return Err(PolicyFault::Missing { element: "Effect" }),
        };
        let principal = either(
            member("Principal"),
            member("NotPrincipal"),
            "Principal",
            "NotPrincipal",
        );
        let principal = parse_principal(kind, effect, principal)?;
        let (value, except) = either(member("Action"), member("NotAction"), "Action", "NotAction")?;
        let actions = Scope::parse_actions(value, except)?;
        let resources = either(
            member("Resource"),
            member("NotResource"),
            "Resource",
            "NotResource",
        );
        let resources = parse_resources(kind, resources, variables)?;
        let conditions = match member("Condition") {
            Some(value) => Condition::parse_all(value, variables)?,
            None => Vec::new(),
        };
        Ok(Self {
            position,
            sid,
            effect,
            principal,
            actions,
            resources,
            conditions,
        })
    }
}

/// `statement 2 "DenyInsecure"`: its place counted from 1, and its name if it has one.
impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "statement {}", self.position + 1)?;
        // Escaped: the name is free text, and this is for logs.
        self.sid.iter().try_for_each(|sid| write!(f, " {sid:?}"))
    }
}

/// Reads the one of `Principal` and `NotPrincipal` that is there.
fn parse_principal(
    kind: PolicyKind,
    effect: Effect,
    element: Result<(&Json, bool), PolicyFault>,
) -> Result<Option<PrincipalElement>, PolicyFault> {
    match (kind, element) {
        (PolicyKind::Identity, Err(PolicyFault::Missing { .. })) => Ok(None),
        (PolicyKind::Identity, _) => Err(PolicyFault::UnexpectedPrincipal),
        (PolicyKind::Resource | PolicyKind::Trust, Ok((_, true))) if effect == Effect::Allow => {
            Err(PolicyFault::AllowNotPrincipal)
        }
        (PolicyKind::Resource | PolicyKind::Trust, element) => {
            let (value, except) = element?;
            PrincipalElement::parse(value, except).map(Some)
        }
    }
}

/// Reads the one of `Resource` and `NotResource` that is there. A trust policy is about its role alone.
fn parse_resources(
    kind: PolicyKind,
    element: Result<(&Json, bool), PolicyFault>,
    variables: bool,
) -> Result<Scope, PolicyFault> {
    match (kind, element) {
        (PolicyKind::Trust, Err(PolicyFault::Missing { .. })) => Ok(Scope::everything()),
        (PolicyKind::Trust, _) => Err(PolicyFault::UnexpectedResource),
        (PolicyKind::Resource | PolicyKind::Identity, element) => {
            let (value, except) = element?;
            Scope::parse_resources(value, except, variables)
        }
    }
}

/// The one of two elements that is there, and whether it is the `Not…` form.
fn either<'a>(
    element: Option<&'a Json>,
    not_element: Option<&'a Json>,
    name: &'static str,
    not_name: &'static str,
) -> Result<(&'a Json, bool), PolicyFault> {
    match (element, not_element) {
        (Some(_), Some(_)) => Err(PolicyFault::Both {
            element: name,
            not_element: not_name,
        }),
        (Some(value), None) => Ok((value, false)),
        (None, Some(value)) => Ok((value, true)),
        (None, None) => Err(PolicyFault::Missing { element: name }),
    }
}

/// The elements a statement may have.
const ELEMENTS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];
