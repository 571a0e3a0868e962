//! How the operators of conditions judge one value.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::policy::budget::Budget;
use crate::policy::budget::Unresolved;
use crate::policy::fault::PolicyFault;
use crate::policy::glob::Glob;
use crate::policy::pattern::LOWER_STEPS;
use crate::policy::pattern::Meaning;
use crate::policy::pattern::Pattern;
use crate::policy::pattern::Wildcards;
use crate::policy::pattern::lower;
use crate::policy::request::Context;
use crate::policy::value::Network;
use crate::policy::value::Number;
use crate::policy::value::parse_date;
use crate::time::Timestamp;

/// The positive form of an operator, with the policy's values in the type that it compares.
#[derive(Clone, Debug)]
pub(crate) enum Operator {
    /// Whether the key is absent, whatever its value.
    Null(Vec<bool>),
    Text {
        patterns: Vec<Pattern>,
        ignore_case: bool,
    },
    Arn(Vec<Pattern>),
    Number(Comparison, Vec<Number>),
    Date(Comparison, Vec<Timestamp>),
    Bool(Vec<bool>),
    Binary(Vec<Vec<u8>>),
    Ip(Vec<Network>),
}

/// Which order of a request's value and a policy's an operator wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

impl Operator {
    /// The positive operator `name` with the values of `key`; `None` if there is none of that name.
    pub(crate) fn parse(
        name: &str,
        key: &str,
        values: &[String],
        variables: bool,
    ) -> Result<Option<Self>, PolicyFault> {
        let patterns = |wildcards, ignore_case| -> Vec<Pattern> {
            let meaning = Meaning {
                wildcards,
                variables,
                ignore_case,
            };
            let parse = |value: &String| Pattern::parse(value, meaning);
            values.iter().map(parse).collect()
        };
        let text = |wildcards, ignore_case| Self::Text {
            patterns: patterns(wildcards, ignore_case),
            ignore_case,
        };
        if let Some(comparison) = name.strip_prefix("Numeric").and_then(Comparison::parse) {
            let numbers = typed(key, values, Number::parse)?;
            return Ok(Some(Self::Number(comparison, numbers)));
        }
        if let Some(comparison) = name.strip_prefix("Date").and_then(Comparison::parse) {
            let dates = typed(key, values, parse_date)?;
            return Ok(Some(Self::Date(comparison, dates)));
        }
        Ok(Some(match name {
            "StringEquals" => text(Wildcards::None, false),
            "StringEqualsIgnoreCase" => text(Wildcards::None, true),
            "StringLike" => text(Wildcards::Free, false),
            "ArnEquals" | "ArnLike" => {
                let trailing_any = false;
                Self::Arn(patterns(Wildcards::Arn { trailing_any }, false))
            }
            "Bool" => Self::Bool(typed(key, values, parse_bool)?),
            "BinaryEquals" => Self::Binary(typed(key, values, |text| STANDARD.decode(text).ok())?),
            "IpAddress" => Self::Ip(typed(key, values, Network::parse)?),
            "Null" => Self::Null(typed(key, values, parse_bool)?),
            _ => return Ok(None),
        }))
    }

    /// The patterns of the operator for one request. Those that stand for nothing are left out.
    pub(crate) fn resolve(
        &self,
        context: &Context,
        budget: &mut Budget,
    ) -> Result<Vec<Cow<'_, Glob>>, Unresolved> {
        let (Self::Text { patterns, .. } | Self::Arn(patterns)) = self else {
            return Ok(Vec::new());
        };
        let mut resolved = Vec::with_capacity(patterns.len());
        for pattern in patterns {
            resolved.extend(pattern.resolve(context, budget)?);
        }
        Ok(resolved)
    }

    /// Whether `value` is, to this operator, like one of the policy's values, of which `patterns` are
    /// [resolved](Self::resolve). One that is not of the operator's type is like none.
    pub(crate) fn matches(
        &self,
        value: &str,
        patterns: &[Cow<'_, Glob>],
        budget: &mut Budget,
    ) -> Result<bool, Unresolved> {
        budget.spend(VALUE_STEPS + value.len())?;
        match self {
            // Settled before any value is looked at.
            Self::Null(_) => Ok(false),
            Self::Text {
                ignore_case: false, ..
            } => any(patterns, value, budget),
            Self::Text {
                ignore_case: true, ..
            } => {
                budget.spend(value.len() * LOWER_STEPS)?;
                any(patterns, &lower(value), budget)
            }
            Self::Arn(_) if value.starts_with("arn:") && value.split(':').count() >= 6 => {
                any(patterns, value, budget)
            }
            Self::Arn(_) => Ok(false),
            Self::Number(comparison, wanted) => {
                budget.spend(wanted.len())?;
                Ok(Number::parse(value).is_some_and(|value| comparison.holds(&value, wanted)))
            }
            Self::Date(comparison, wanted) => {
                budget.spend(wanted.len())?;
                Ok(parse_date(value).is_some_and(|value| comparison.holds(&value, wanted)))
            }
            Self::Bool(wanted) => {
                budget.spend(wanted.len())?;
                Ok(parse_bool(value).is_some_and(|value| wanted.contains(&value)))
            }
            Self::Binary(wanted) => {
                budget.spend(wanted.iter().map(|wanted| 1 + wanted.len()).sum())?;
                let value = STANDARD.decode(value);
                Ok(value.is_ok_and(|value| wanted.contains(&value)))
            }
            Self::Ip(wanted) => {
                budget.spend(wanted.len() * NETWORK_STEPS)?;
                let address = value.parse::<IpAddr>();
                Ok(address.is_ok_and(|address| wanted.iter().any(|it| it.contains(address))))
            }
        }
    }
}

impl Comparison {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "Equals" => Self::Equals,
            "LessThan" => Self::LessThan,
            "LessThanEquals" => Self::LessThanEquals,
            "GreaterThan" => Self::GreaterThan,
            "GreaterThanEquals" => Self::GreaterThanEquals,
            _ => return None,
        })
    }

    /// Whether `value` stands in this order to one of `wanted`.
    fn holds<T: Ord>(self, value: &T, wanted: &[T]) -> bool {
        let holds = match self {
            Self::Equals => Ordering::is_eq,
            Self::LessThan => Ordering::is_lt,
            Self::LessThanEquals => Ordering::is_le,
            Self::GreaterThan => Ordering::is_gt,
            Self::GreaterThanEquals => Ordering::is_ge,
        };
        wanted.iter().any(|wanted| holds(value.cmp(wanted)))
    }
}

/// Whether one of `patterns` matches `text`.
fn any(patterns: &[Cow<'_, Glob>], text: &str, budget: &mut Budget) -> Result<bool, Unresolved> {
    for pattern in patterns {
        if pattern.matches(text, budget)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn parse_bool(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// The policy's values in the type their operator compares.
fn typed<T>(
    key: &str,
    values: &[String],
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, PolicyFault> {
    let fault = |value: &str| PolicyFault::ConditionValue {
        key: key.to_owned(),
        value: value.to_owned(),
    };
    values
        .iter()
        .map(|value| parse(value).ok_or_else(|| fault(value)))
        .collect()
}

/// What looking at one value of a request costs besides its bytes: reading a time is the dearest.
const VALUE_STEPS: usize = 256;

/// What looking at one network costs.
const NETWORK_STEPS: usize = 4;
