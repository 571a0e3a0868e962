//! Conditions: operators, and what they say of a request.
//!
//! Every condition of a statement must hold; of the values of one condition, one must match, and
//! for a negated operator none may.
//!
//! Sources: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>.

use std::cmp::Ordering;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::policy::Context;
use crate::policy::document::PolicyFault;
use crate::policy::json::Json;
use crate::policy::pattern::Meaning;
use crate::policy::pattern::Pattern;
use crate::policy::pattern::confine_to_parts;
use crate::policy::pattern::lower;
use crate::policy::pattern::lower_tokens;
use crate::policy::pattern::matches;
use crate::policy::value::Network;
use crate::policy::value::Number;
use crate::policy::value::parse_date;
use crate::time::Timestamp;

/// One operator on one key.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    key: String,
    quantifier: Quantifier,
    if_exists: bool,
    negated: bool,
    test: Test,
}

/// How the values of a multivalued key count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantifier {
    /// No set operator.
    None,
    /// `ForAllValues:`.
    All,
    /// `ForAnyValue:`.
    Any,
}

/// What the positive form of an operator asks of one value.
#[derive(Clone, Debug)]
enum Test {
    /// Whether the key is absent, rather than anything of its value.
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

impl Condition {
    /// The key that it looks at, in lower case.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Reads the value of the element `Condition`.
    pub(crate) fn parse_all(value: &Json, variables: bool) -> Result<Vec<Self>, PolicyFault> {
        let Json::Object(operators) = value else {
            return Err(PolicyFault::Syntax {
                element: "Condition",
            });
        };
        let mut conditions = Vec::new();
        for (operator, keys) in operators {
            let Json::Object(keys) = keys else {
                return Err(PolicyFault::Syntax {
                    element: "Condition",
                });
            };
            for (key, values) in keys {
                conditions.push(Self::parse(operator, key, values, variables)?);
            }
        }
        Ok(conditions)
    }

    fn parse(
        operator: &str,
        key: &str,
        values: &Json,
        variables: bool,
    ) -> Result<Self, PolicyFault> {
        let unknown = || PolicyFault::Operator {
            operator: operator.to_owned(),
        };
        if key.is_empty() || !key.contains(':') {
            return Err(PolicyFault::ConditionKey {
                key: key.to_owned(),
            });
        }
        let (quantifier, name) = match operator.split_once(':') {
            Some(("ForAllValues", name)) => (Quantifier::All, name),
            Some(("ForAnyValue", name)) => (Quantifier::Any, name),
            Some(_) => return Err(unknown()),
            None => (Quantifier::None, operator),
        };
        let (if_exists, name) = match name.strip_suffix("IfExists") {
            Some(name) => (true, name),
            None => (false, name),
        };
        let (negated, name) = positive(name);
        let values = value_texts(values).ok_or_else(|| PolicyFault::ConditionValue {
            key: key.to_owned(),
            value: String::new(),
        })?;
        let test = Test::parse(name, key, &values, variables)?.ok_or_else(unknown)?;
        let null = matches!(test, Test::Null(_));
        if null && (if_exists || quantifier != Quantifier::None) {
            return Err(unknown());
        }
        Ok(Self {
            key: key.to_lowercase(),
            quantifier,
            if_exists,
            negated,
            test,
        })
    }

    /// Whether the condition holds for a request with this context.
    pub(crate) fn holds(&self, context: &Context) -> bool {
        let values = context.get(&self.key);
        // A value that is empty is like none where AWS asks whether there is one.
        let is_null = values.is_none_or(|values| values.iter().all(String::is_empty));
        if let Test::Null(wanted) = &self.test {
            return wanted.contains(&is_null);
        }
        let test = |value: &String| self.test.matches(value, context) != self.negated;
        match (self.quantifier, values) {
            (Quantifier::All, values) => is_null || values.unwrap_or_default().iter().all(test),
            // Set operators do not heed `IfExists`.
            (Quantifier::Any, values) => values.unwrap_or_default().iter().any(test),
            (Quantifier::None, None) => self.if_exists || self.negated,
            (Quantifier::None, Some(values)) if self.negated => values.iter().all(test),
            (Quantifier::None, Some(values)) => values.iter().any(test),
        }
    }
}

impl Test {
    /// The test of the positive operator `name`; `None` if there is none of that name.
    fn parse(
        name: &str,
        key: &str,
        values: &[String],
        variables: bool,
    ) -> Result<Option<Self>, PolicyFault> {
        let patterns = |wildcards| -> Vec<Pattern> {
            let meaning = Meaning {
                wildcards,
                variables,
            };
            values
                .iter()
                .map(|value| Pattern::parse(value, meaning))
                .collect()
        };
        if let Some(comparison) = name.strip_prefix("Numeric").and_then(Comparison::parse) {
            return Ok(Some(Self::Number(
                comparison,
                typed(key, values, Number::parse)?,
            )));
        }
        if let Some(comparison) = name.strip_prefix("Date").and_then(Comparison::parse) {
            return Ok(Some(Self::Date(
                comparison,
                typed(key, values, parse_date)?,
            )));
        }
        Ok(Some(match name {
            "StringEquals" => Self::Text {
                patterns: patterns(false),
                ignore_case: false,
            },
            "StringEqualsIgnoreCase" => Self::Text {
                patterns: patterns(false),
                ignore_case: true,
            },
            "StringLike" => Self::Text {
                patterns: patterns(true),
                ignore_case: false,
            },
            "ArnEquals" | "ArnLike" => Self::Arn(patterns(true)),
            "Bool" => Self::Bool(typed(key, values, parse_bool)?),
            "BinaryEquals" => Self::Binary(typed(key, values, |text| STANDARD.decode(text).ok())?),
            "IpAddress" => Self::Ip(typed(key, values, Network::parse)?),
            "Null" => Self::Null(typed(key, values, parse_bool)?),
            _ => return Ok(None),
        }))
    }

    /// Whether `value` is, to this test, like one of the policy's values. One that is not of the
    /// test's type is like none.
    fn matches(&self, value: &str, context: &Context) -> bool {
        match self {
            // Answered before any value is looked at.
            Self::Null(_) => false,
            Self::Text {
                patterns,
                ignore_case: false,
            } => patterns
                .iter()
                .filter_map(|pattern| pattern.resolve(context))
                .any(|tokens| matches(&tokens, value)),
            Self::Text {
                patterns,
                ignore_case: true,
            } => patterns
                .iter()
                .filter_map(|pattern| pattern.resolve(context))
                .any(|tokens| matches(&lower_tokens(&tokens), &lower(value))),
            Self::Arn(patterns) => {
                let is_arn = value.starts_with("arn:") && value.split(':').count() >= 6;
                is_arn
                    && patterns
                        .iter()
                        .filter_map(|pattern| pattern.resolve(context))
                        .any(|mut tokens| {
                            confine_to_parts(&mut tokens, false);
                            matches(&tokens, value)
                        })
            }
            Self::Number(comparison, wanted) => Number::parse(value).is_some_and(|value| {
                wanted
                    .iter()
                    .any(|wanted| comparison.holds(value.cmp(wanted)))
            }),
            Self::Date(comparison, wanted) => parse_date(value).is_some_and(|value| {
                wanted
                    .iter()
                    .any(|wanted| comparison.holds(value.cmp(wanted)))
            }),
            Self::Bool(wanted) => parse_bool(value).is_some_and(|value| wanted.contains(&value)),
            Self::Binary(wanted) => STANDARD
                .decode(value)
                .is_ok_and(|value| wanted.contains(&value)),
            Self::Ip(wanted) => value
                .parse::<IpAddr>()
                .is_ok_and(|value| wanted.iter().any(|network| network.contains(value))),
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

    const fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equals => order.is_eq(),
            Self::LessThan => order.is_lt(),
            Self::LessThanEquals => order.is_le(),
            Self::GreaterThan => order.is_gt(),
            Self::GreaterThanEquals => order.is_ge(),
        }
    }
}

/// Whether the operator `name` is negated, and the operator it negates.
fn positive(name: &str) -> (bool, &str) {
    NEGATED
        .iter()
        .find_map(|(negated, positive)| (*negated == name).then_some((true, *positive)))
        .unwrap_or((false, name))
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

/// The texts of a value that is one text, number or boolean, or a list of at least one.
fn value_texts(value: &Json) -> Option<Vec<String>> {
    let text = |value: &Json| match value {
        Json::Text(text) | Json::Number(text) => Some(text.clone()),
        Json::Bool(value) => Some(value.to_string()),
        Json::Null | Json::List(_) | Json::Object(_) => None,
    };
    match value {
        Json::List(many) if many.is_empty() => None,
        Json::List(many) => many.iter().map(text).collect(),
        one => text(one).map(|text| vec![text]),
    }
}

/// Negated operators and what they negate.
const NEGATED: [(&str, &str); 8] = [
    ("StringNotEquals", "StringEquals"),
    ("StringNotEqualsIgnoreCase", "StringEqualsIgnoreCase"),
    ("StringNotLike", "StringLike"),
    ("ArnNotEquals", "ArnEquals"),
    ("ArnNotLike", "ArnLike"),
    ("NumericNotEquals", "NumericEquals"),
    ("DateNotEquals", "DateEquals"),
    ("NotIpAddress", "IpAddress"),
];
