//! One statement of a policy.

use crate::policy::PolicyKind;
use crate::policy::PrincipalMatch;
use crate::policy::Request;
use crate::policy::condition::Condition;
use crate::policy::document::PolicyFault;
use crate::policy::json::Json;
use crate::policy::pattern::Meaning;
use crate::policy::pattern::Pattern;
use crate::policy::pattern::confine_to_parts;
use crate::policy::pattern::lower;
use crate::policy::pattern::lower_tokens;
use crate::policy::pattern::matches;
use crate::policy::principal::PrincipalElement;
use crate::policy::principal::texts;

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
    sid: Option<String>,
    effect: Effect,
    /// `None` in the policy of an identity.
    principal: Option<PrincipalElement>,
    actions: Scope,
    resources: Scope,
    conditions: Vec<Condition>,
}

/// The values of an element, or of its `Not…` form.
#[derive(Clone, Debug)]
struct Scope {
    except: bool,
    patterns: Vec<Pattern>,
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

    /// The values of `Resource` as written; none where the statement has `NotResource`.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.resources.only()
    }

    /// The keys that the statement's conditions look at, in lower case.
    pub fn condition_keys(&self) -> impl Iterator<Item = &str> {
        self.conditions.iter().map(Condition::key)
    }

    /// Whether the statement means everybody: by `*`, or by naming those it does not mean.
    #[must_use]
    pub fn means_anyone(&self) -> bool {
        let element = self.principal.as_ref();
        element.is_some_and(PrincipalElement::means_anyone)
    }

    /// How the statement names the principal of `request`, if it matches the request at all.
    pub(crate) fn matches(&self, request: &Request<'_>) -> Option<PrincipalMatch> {
        let principal = match &self.principal {
            Some(element) => element.matches(request.principal)?,
            None => PrincipalMatch::Anyone,
        };
        let action = lower(request.action);
        let names_action = |pattern: &Pattern| {
            let tokens = pattern.resolve(request.context);
            tokens.is_some_and(|tokens| matches(&lower_tokens(&tokens), &action))
        };
        let names_resource = |pattern: &Pattern| {
            let tokens = pattern.resolve(request.context);
            tokens.is_some_and(|mut tokens| {
                confine_to_parts(&mut tokens, true);
                matches(&tokens, request.resource)
            })
        };
        let holds = self.actions.holds(names_action)
            && self.resources.holds(names_resource)
            && self
                .conditions
                .iter()
                .all(|condition| condition.holds(request.context));
        holds.then_some(principal)
    }

    pub(crate) fn parse(
        value: &Json,
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
        let named = either(
            member("Principal"),
            member("NotPrincipal"),
            "Principal",
            "NotPrincipal",
        );
        let principal = match (kind, named) {
            (PolicyKind::Identity, Err(PolicyFault::Missing { .. })) => None,
            (PolicyKind::Identity, _) => return Err(PolicyFault::UnexpectedPrincipal),
            (PolicyKind::Resource, Ok((_, true))) if effect == Effect::Allow => {
                return Err(PolicyFault::AllowNotPrincipal);
            }
            (PolicyKind::Resource, named) => {
                let (value, except) = named?;
                Some(PrincipalElement::parse(value, except)?)
            }
        };
        let (value, except) = either(member("Action"), member("NotAction"), "Action", "NotAction")?;
        let actions = parse_actions(value, except)?;
        let (value, except) = either(
            member("Resource"),
            member("NotResource"),
            "Resource",
            "NotResource",
        )?;
        let resources = parse_resources(value, except, variables)?;
        let conditions = match member("Condition") {
            Some(value) => Condition::parse_all(value, variables)?,
            None => Vec::new(),
        };
        Ok(Self {
            sid,
            effect,
            principal,
            actions,
            resources,
            conditions,
        })
    }
}

impl Scope {
    fn holds(&self, names: impl Fn(&Pattern) -> bool) -> bool {
        self.patterns.iter().any(names) != self.except
    }

    fn only(&self) -> impl Iterator<Item = &str> {
        let patterns: &[Pattern] = if self.except { &[] } else { &self.patterns };
        patterns.iter().map(Pattern::text)
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

fn parse_actions(value: &Json, except: bool) -> Result<Scope, PolicyFault> {
    let texts = texts(value).ok_or(PolicyFault::Syntax { element: "Action" })?;
    let is_action = |text: &str| {
        let byte = |byte: u8| byte.is_ascii_alphanumeric() || b"*?-".contains(&byte);
        text == "*"
            || text.split_once(':').is_some_and(|(service, name)| {
                let named = !service.is_empty() && !name.is_empty();
                named && service.bytes().all(byte) && name.bytes().all(byte)
            })
    };
    if let Some(action) = texts.iter().find(|text| !is_action(text)) {
        return Err(PolicyFault::Action {
            action: (*action).to_owned(),
        });
    }
    let meaning = Meaning {
        wildcards: true,
        variables: false,
    };
    let patterns = texts
        .into_iter()
        .map(|text| Pattern::parse(text, meaning))
        .collect();
    Ok(Scope { except, patterns })
}

fn parse_resources(value: &Json, except: bool, variables: bool) -> Result<Scope, PolicyFault> {
    let texts = texts(value).ok_or(PolicyFault::Syntax {
        element: "Resource",
    })?;
    let is_resource =
        |text: &str| text == "*" || (text.starts_with("arn:") && text.split(':').count() >= 6);
    if let Some(resource) = texts.iter().find(|text| !is_resource(text)) {
        return Err(PolicyFault::Resource {
            resource: (*resource).to_owned(),
        });
    }
    let meaning = Meaning {
        wildcards: true,
        variables,
    };
    let patterns = texts
        .into_iter()
        .map(|text| Pattern::parse(text, meaning))
        .collect();
    Ok(Scope { except, patterns })
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
