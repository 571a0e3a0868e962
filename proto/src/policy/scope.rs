//! The elements `Action` and `Resource` of a statement, and their `Not…` forms.

use std::borrow::Cow;

use crate::policy::budget::Budget;
use crate::policy::budget::Unresolved;
use crate::policy::fault::PolicyFault;
use crate::policy::glob::Glob;
use crate::policy::json::Json;
use crate::policy::pattern::Meaning;
use crate::policy::pattern::Pattern;
use crate::policy::pattern::Wildcards;
use crate::policy::principal::texts;
use crate::policy::request::Context;

/// The values of an element, or of its `Not…` form.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    except: bool,
    patterns: Vec<Pattern>,
}

impl Scope {
    /// Reads the value of `Action`, or of `NotAction` if `except`.
    pub(crate) fn parse_actions(value: &Json, except: bool) -> Result<Self, PolicyFault> {
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
        // AWS compares actions without regard to case.
        let meaning = Meaning {
            wildcards: Wildcards::Free,
            variables: false,
            ignore_case: true,
        };
        let patterns = texts
            .into_iter()
            .map(|text| Pattern::parse(text, meaning))
            .collect();
        Ok(Self { except, patterns })
    }

    /// Reads the value of `Resource`, or of `NotResource` if `except`.
    pub(crate) fn parse_resources(
        value: &Json,
        except: bool,
        variables: bool,
    ) -> Result<Self, PolicyFault> {
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
            wildcards: Wildcards::Arn { trailing_any: true },
            variables,
            ignore_case: false,
        };
        let patterns = texts
            .into_iter()
            .map(|text| Pattern::parse(text, meaning))
            .collect();
        Ok(Self { except, patterns })
    }

    /// Whatever there is, as `*` names it.
    pub(crate) fn everything() -> Self {
        Self {
            except: true,
            patterns: Vec::new(),
        }
    }

    /// Whether the element names `text`; `resolved` are its patterns with variables, for one request.
    pub(crate) fn names(
        &self,
        resolved: &[Glob],
        text: &str,
        budget: &mut Budget,
    ) -> Result<bool, Unresolved> {
        let fixed = self.patterns.iter().filter_map(Pattern::fixed);
        for glob in fixed.chain(resolved) {
            if glob.matches(text, budget)? {
                return Ok(!self.except);
            }
        }
        Ok(self.except)
    }

    /// The patterns with variables, for one request.
    pub(crate) fn resolve(
        &self,
        context: &Context,
        budget: &mut Budget,
    ) -> Result<Vec<Glob>, Unresolved> {
        let mut resolved = Vec::new();
        for pattern in self.patterns.iter().filter(|it| it.fixed().is_none()) {
            resolved.extend(pattern.resolve(context, budget)?.map(Cow::into_owned));
        }
        Ok(resolved)
    }

    /// Whether a pattern has variables.
    pub(crate) fn has_variables(&self) -> bool {
        self.patterns.iter().any(|it| it.fixed().is_none())
    }

    /// The values; none of a `Not…` form.
    pub(crate) fn patterns(&self) -> &[Pattern] {
        if self.except { &[] } else { &self.patterns }
    }

    /// The values as written; none of a `Not…` form.
    pub(crate) fn only(&self) -> impl Iterator<Item = &str> {
        self.patterns().iter().map(Pattern::text)
    }
}

/// One value of the element `Action`.
#[derive(Clone, Copy, Debug)]
pub struct ActionPattern<'s>(pub(crate) &'s Pattern);

impl<'s> ActionPattern<'s> {
    /// The value as written.
    #[must_use]
    pub fn text(self) -> &'s str {
        self.0.text()
    }

    /// Whether it names `action`, which is in lower case: `s3:getobject`.
    #[must_use]
    pub fn names(self, action: &str) -> bool {
        // Nothing limits the steps: they are linear in two short texts.
        let mut budget = Budget::new(usize::MAX);
        let glob = self.0.fixed();
        glob.is_some_and(|glob| glob.matches(action, &mut budget) == Ok(true))
    }
}
