//! Conditions: an operator on a key, and whether it holds for a request.
//!
//! Every condition of a statement must hold; of the values of one condition, one must match, and
//! for a negated operator none may.
//!
//! Sources: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>.

use crate::policy::budget::Budget;
use crate::policy::budget::Unresolved;
use crate::policy::fault::PolicyFault;
use crate::policy::json::Json;
use crate::policy::operator::Operator;
use crate::policy::request::Context;

/// One operator on one key.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    key: String,
    quantifier: Quantifier,
    if_exists: bool,
    negated: bool,
    operator: Operator,
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
        let parsed = Operator::parse(name, key, &values, variables)?.ok_or_else(unknown)?;
        let null = matches!(parsed, Operator::Null(_));
        if null && (if_exists || quantifier != Quantifier::None) {
            return Err(unknown());
        }
        Ok(Self {
            key: key.to_lowercase(),
            quantifier,
            if_exists,
            negated,
            operator: parsed,
        })
    }

    /// The operator, if it holds only for requests that have the key, and only for values of it that
    /// match.
    pub(crate) fn positive_operator(&self) -> Option<&Operator> {
        let demands = !self.negated && !self.if_exists && self.quantifier != Quantifier::All;
        demands.then_some(&self.operator)
    }

    /// Whether the condition holds for a request with this context.
    pub(crate) fn holds(&self, context: &Context, budget: &mut Budget) -> Result<bool, Unresolved> {
        let values = context.values_of(&self.key);
        budget.spend(CONDITION_STEPS + values.map_or(0, <[_]>::len))?;
        // A value that is empty is like none where AWS looks whether there is one.
        let is_null = values.is_none_or(|values| values.iter().all(String::is_empty));
        if let Operator::Null(wanted) = &self.operator {
            budget.spend(wanted.len())?;
            return Ok(wanted.contains(&is_null));
        }
        let (values, all) = match (self.quantifier, values) {
            (Quantifier::All, _) if is_null => return Ok(true),
            (Quantifier::None, None) => return Ok(self.if_exists || self.negated),
            // Set operators do not heed `IfExists`.
            (Quantifier::Any, values) => (values.unwrap_or_default(), false),
            (Quantifier::All, values) => (values.unwrap_or_default(), true),
            (Quantifier::None, Some(values)) => (values, self.negated),
        };
        let patterns = self.operator.resolve(context, budget)?;
        for value in values {
            let holds = self.operator.matches(value, &patterns, budget)? != self.negated;
            if holds != all {
                return Ok(holds);
            }
        }
        Ok(all)
    }
}

/// Whether the operator `name` is negated, and the operator it negates.
fn positive(name: &str) -> (bool, &str) {
    NEGATED
        .iter()
        .find_map(|(negated, positive)| (*negated == name).then_some((true, *positive)))
        .unwrap_or((false, name))
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

/// What looking up the key of a condition costs.
const CONDITION_STEPS: usize = 128;

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
