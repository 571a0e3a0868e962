//! The policy of a form: what its fields may say, and until when.
//!
//! A field that no condition is about is refused, and so is a condition about a field that is not
//! there. The bucket, which the address names, counts as a field: a policy is for one bucket.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>; the
//! texts are S3's answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proto::time::Timestamp;
use serde_json::Value;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::payload::Fields;

/// A policy as it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    expiration: Timestamp,
    conditions: Vec<Condition>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    /// The field has this value.
    Equals(Operands),
    /// The field's value starts so.
    StartsWith(Operands),
    /// The file has so many bytes.
    Length { min: u64, max: u64 },
    /// One that never holds: its field is not named by a dollar sign, or its bounds are no numbers.
    Never(String),
}

/// A field and what its value is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Operands {
    /// As the policy names it, without the dollar sign.
    field: String,
    value: String,
    /// The condition as S3 shows it.
    shown: String,
}

impl Policy {
    /// Reads a policy: base64 of a JSON document.
    ///
    /// # Errors
    ///
    /// `InvalidPolicyDocument`.
    pub(super) fn parse(base64: &str) -> Result<Self, S3Error> {
        let text: String = base64.split_ascii_whitespace().collect();
        let json = STANDARD
            .decode(text)
            .map_err(|_| invalid("Invalid Base64 encoding."))?;
        let document: Value =
            serde_json::from_slice(&json).map_err(|_| invalid("Invalid JSON."))?;
        let Value::Object(members) = document else {
            return Err(invalid("Invalid JSON."));
        };
        for name in members.keys() {
            if !matches!(name.as_str(), "expiration" | "conditions") {
                let name = name.to_lowercase();
                return Err(invalid(&format!("Unexpected: '{name}'")));
            }
        }
        let expiration = members
            .get("expiration")
            .ok_or_else(|| invalid("Policy missing expiration."))?;
        let conditions = members
            .get("conditions")
            .ok_or_else(|| invalid("Policy missing conditions."))?;
        let Value::Array(conditions) = conditions else {
            return Err(invalid("Invalid 'conditions' value: must be a List."));
        };
        Ok(Self {
            expiration: read_expiration(expiration)?,
            conditions: conditions
                .iter()
                .map(Condition::parse)
                .collect::<Result<_, _>>()?,
        })
    }

    /// Whether the policy allows a form with these fields, posted to `bucket`.
    ///
    /// # Errors
    ///
    /// `AccessDenied` with the condition that does not hold, or the fields that none is about.
    pub(super) fn allow(
        &self,
        fields: &Fields,
        bucket: &str,
        now: Timestamp,
    ) -> Result<(), S3Error> {
        if now >= self.expiration {
            return Err(denied("Policy expired."));
        }
        let value_of = |name: &str| match fields.get(name) {
            // A form may repeat the bucket; it is posted to the one of its address.
            _ if name.eq_ignore_ascii_case("bucket") => Some(bucket),
            value => value,
        };
        if fields.get("bucket").is_some_and(|named| named != bucket) {
            return Err(denied("The form names another bucket."));
        }
        for condition in &self.conditions {
            condition.hold(&value_of)?;
        }
        let names = fields.iter().map(|(name, _)| name);
        let extra: Vec<&str> = names
            .chain(["bucket"])
            .filter(|name| !is_exempt(name) && !self.covers(name))
            .collect();
        if extra.is_empty() {
            return Ok(());
        }
        Err(denied(&format!("Extra input fields: {}", extra.join(", "))))
    }

    /// Whether the policy allows a file of this length.
    ///
    /// # Errors
    ///
    /// `EntityTooSmall` and `EntityTooLarge`.
    pub(super) fn allow_length(&self, file_bytes: Option<u64>) -> Result<(), S3Error> {
        for condition in &self.conditions {
            if let Condition::Length { min, max } = condition {
                check_length(file_bytes, *min, *max)?;
            }
        }
        Ok(())
    }

    /// Whether a condition is about this field.
    fn covers(&self, name: &str) -> bool {
        self.conditions.iter().any(|condition| match condition {
            Condition::Equals(operands) | Condition::StartsWith(operands) => {
                operands.field.eq_ignore_ascii_case(name)
            }
            Condition::Length { .. } | Condition::Never(_) => false,
        })
    }
}

impl Condition {
    fn parse(condition: &Value) -> Result<Self, S3Error> {
        match condition {
            Value::Object(pairs) => {
                let mut pairs = pairs.iter();
                let (Some((field, value)), None) = (pairs.next(), pairs.next()) else {
                    return Err(invalid(NOT_ONE_PROPERTY));
                };
                let Value::String(value) = value else {
                    return Err(invalid("Invalid Simple-Condition: value must be a string."));
                };
                let shown = shown(&["eq", &format!("${field}"), value]);
                Ok(Self::Equals(Operands {
                    field: field.clone(),
                    value: value.clone(),
                    shown,
                }))
            }
            Value::Array(items) => Self::parse_list(items),
            _ => Err(invalid("Invalid condition test: must be a List or Object.")),
        }
    }

    fn parse_list(items: &[Value]) -> Result<Self, S3Error> {
        let Some(Value::String(operation)) = items.first() else {
            return Err(invalid("Invalid Condition: missing operation identifier."));
        };
        let lower = operation.to_ascii_lowercase();
        if !matches!(
            lower.as_str(),
            "eq" | "starts-with" | "content-length-range"
        ) {
            let unknown = format!("Invalid Condition: unknown operation '{operation}'.");
            return Err(invalid(&unknown));
        }
        let [_, first, second] = items else {
            let count = format!("Invalid {operation}: wrong number of arguments.");
            return Err(invalid(&count));
        };
        if lower == "content-length-range" {
            return Self::parse_length(first, second);
        }
        let (Value::String(name), Value::String(value)) = (first, second) else {
            return Err(invalid("Invalid JSON."));
        };
        let shown = shown(&[operation, name, value]);
        let Some(field) = name.strip_prefix('$') else {
            return Ok(Self::Never(shown));
        };
        let operands = Operands {
            field: field.to_owned(),
            value: value.clone(),
            shown,
        };
        Ok(if lower == "eq" {
            Self::Equals(operands)
        } else {
            Self::StartsWith(operands)
        })
    }

    fn parse_length(min: &Value, max: &Value) -> Result<Self, S3Error> {
        let bound = |value: &Value| match value {
            Value::Number(number) => number
                .as_u64()
                .ok_or_else(|| invalid("Invalid JSON."))
                .map(Some),
            Value::String(text) => Ok(text.parse().ok()),
            _ => Err(invalid("Invalid JSON.")),
        };
        Ok(match (bound(min)?, bound(max)?) {
            (Some(min), Some(max)) => Self::Length { min, max },
            _ => {
                let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
                Self::Never(shown(&["content-length-range", &text(min), &text(max)]))
            }
        })
    }

    /// Finds out whether the condition on a field holds.
    fn hold<'a>(&self, value_of: &impl Fn(&str) -> Option<&'a str>) -> Result<(), S3Error> {
        let (holds, shown) = match self {
            Self::Equals(operands) => (
                value_of(&operands.field) == Some(operands.value.as_str()),
                &operands.shown,
            ),
            Self::StartsWith(operands) => (operands.starts(value_of), &operands.shown),
            Self::Never(shown) => (false, shown),
            Self::Length { .. } => return Ok(()),
        };
        if holds {
            return Ok(());
        }
        Err(denied(&format!("Policy Condition failed: {shown}")))
    }
}

impl Operands {
    /// Whether the field's value starts so; of a list of content types, each of them.
    fn starts<'a>(&self, value_of: &impl Fn(&str) -> Option<&'a str>) -> bool {
        let Some(value) = value_of(&self.field) else {
            return false;
        };
        if self.field.eq_ignore_ascii_case("content-type") {
            return value
                .split(',')
                .all(|one| one.trim_start().starts_with(&self.value));
        }
        value.starts_with(&self.value)
    }
}

fn check_length(file_bytes: Option<u64>, min: u64, max: u64) -> Result<(), S3Error> {
    let Some(bytes) = file_bytes else {
        return Err(S3Code::MissingContentLength.into());
    };
    if bytes < min {
        return Err(S3Error::new(S3Code::EntityTooSmall)
            .detail("ProposedSize", bytes.to_string())
            .detail("MinSizeAllowed", min.to_string()));
    }
    if bytes > max {
        return Err(S3Error::new(S3Code::EntityTooLarge)
            .detail("ProposedSize", bytes.to_string())
            .detail("MaxSizeAllowed", max.to_string()));
    }
    Ok(())
}

/// A moment in UTC, as S3 takes it: with a `T` and a `Z`.
fn read_expiration(value: &Value) -> Result<Timestamp, S3Error> {
    let text = value.as_str().unwrap_or_default();
    let form = text.as_bytes();
    let moment = Timestamp::parse_iso8601(text)
        .ok()
        .filter(|_| form.get(10) == Some(&b'T') && form.last() == Some(&b'Z'));
    moment.ok_or_else(|| invalid(&format!("Invalid 'expiration' value: '{text}'")))
}

/// Whether a field needs no condition: it is the signature itself, or nobody reads it.
fn is_exempt(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_signature = matches!(
        name.as_str(),
        "awsaccesskeyid" | "policy" | "signature" | "x-amz-signature"
    );
    is_signature || name.starts_with("x-ignore-")
}

/// `["eq", "$key", "value"]`.
fn shown(items: &[&str]) -> String {
    let quoted: Vec<String> = items
        .iter()
        .map(|item| Value::from(*item).to_string())
        .collect();
    format!("[{}]", quoted.join(", "))
}

fn invalid(what: &str) -> S3Error {
    S3Error::with_message(
        S3Code::InvalidPolicyDocument,
        format!("Invalid Policy: {what}"),
    )
}

fn denied(what: &str) -> S3Error {
    S3Error::with_message(
        S3Code::AccessDenied,
        format!("Invalid according to Policy: {what}"),
    )
}

const NOT_ONE_PROPERTY: &str =
    "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.";
