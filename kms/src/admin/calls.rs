//! How often the KMS was called, exactly, since the start or a mark.

use std::sync::Arc;

use proto::sigv4::decode_query;
use serde_json::Value;
use serde_json::json;

use crate::admin::Control;
use crate::admin::Outcome;
use crate::admin::Refusal;
use crate::api::OperationName;
use crate::api::call_counts::CallKind;
use crate::error::Code;

/// Which calls are wanted.
#[derive(Default)]
struct Selection {
    operation: Option<OperationName>,
    /// None inside: a success.
    outcome: Option<Option<Code>>,
    caller: Option<String>,
    /// ARNs of the keys that go by the name.
    keys: Option<Vec<Arc<str>>>,
    since: Option<u64>,
}

/// A mark to count from.
pub(crate) fn mark(control: &Control) -> Value {
    json!({ "mark": control.kms.counts().mark() })
}

/// The number of calls that a query selects, in all and by what they are counted by.
pub(crate) fn count(control: &Control, query: &str) -> Outcome {
    let selection = Selection::parse(control, query)?;
    let counts = control.kms.counts().since(selection.since);
    let counts = counts.map_err(Refusal::bad)?;
    let mut rows = Vec::new();
    for (kind, count) in counts {
        if selection.includes(&kind)? {
            rows.push((kind, count));
        }
    }
    rows.sort_unstable_by_key(|(_, count)| std::cmp::Reverse(*count));
    Ok(json!({
        "count": rows.iter().map(|(_, count)| count).sum::<u64>(),
        "calls": rows.iter().map(row).collect::<Vec<_>>(),
    }))
}

fn row((kind, count): &(CallKind, u64)) -> Value {
    let detail = kind.detail.as_ref();
    let keys = detail.map(|detail| {
        let keys = detail.key.iter().chain(&detail.second_key);
        keys.map(|arn| &**arn).collect::<Vec<_>>()
    });
    json!({
        "operation": kind.operation.as_str(),
        "outcome": kind.error.map_or(SUCCESS, Code::name),
        "keys": keys,
        "caller": detail.map(|detail| &*detail.caller),
        "via_service": detail.and_then(|detail| detail.via_service.as_deref()),
        "count": count,
    })
}

impl Selection {
    fn parse(control: &Control, query: &str) -> Result<Self, Refusal> {
        let pairs = decode_query(query).map_err(|_| Refusal::bad("the query cannot be decoded"))?;
        let mut selection = Self::default();
        for (name, value) in pairs {
            let unknown = || Refusal::bad(format!("there is no {name} `{value}`"));
            match name.as_str() {
                "operation" => {
                    let operation = OperationName::from_name(&value).ok_or_else(unknown)?;
                    selection.operation = Some(operation);
                }
                "outcome" if value == SUCCESS => selection.outcome = Some(None),
                "outcome" => {
                    let code = Code::from_name(&value).ok_or_else(unknown)?;
                    selection.outcome = Some(Some(code));
                }
                "caller" => selection.caller = Some(value),
                "key" => selection.keys = Some(arns(control, &value)?),
                "since" => {
                    let mark = value.parse();
                    selection.since = Some(mark.map_err(|_| unknown())?);
                }
                _ => {
                    let text = format!("`{name}` is none of {PARAMETERS}");
                    return Err(Refusal::bad(text));
                }
            }
        }
        Ok(selection)
    }

    /// Whether calls of this kind are wanted.
    fn includes(&self, kind: &CallKind) -> Result<bool, Refusal> {
        let operation_fits = self.operation.is_none_or(|name| name == kind.operation);
        let outcome_fits = self.outcome.is_none_or(|outcome| outcome == kind.error);
        if !(operation_fits && outcome_fits) {
            return Ok(false);
        }
        if self.caller.is_none() && self.keys.is_none() {
            return Ok(true);
        }
        let Some(detail) = &kind.detail else {
            let text = "too many combinations of keys and callers were counted: set a mark and count from there";
            return Err(Refusal::bad(text));
        };
        let caller_fits = self
            .caller
            .as_ref()
            .is_none_or(|caller| **caller == *detail.caller);
        let is_about = |keys: &Vec<Arc<str>>| {
            let mut named = detail.key.iter().chain(&detail.second_key);
            named.any(|key| keys.contains(key))
        };
        Ok(caller_fits && self.keys.as_ref().is_none_or(is_about))
    }
}

/// The ARNs of the keys that go by that name. A key that is deleted goes by its ARN.
fn arns(control: &Control, name: &str) -> Result<Vec<Arc<str>>, Refusal> {
    let arns = control.kms.arns_of_keys_named(name);
    if !arns.is_empty() {
        return Ok(arns);
    }
    if name.contains(":key/") {
        return Ok(vec![name.into()]);
    }
    // A misspelt name has no calls, which a test must not take for an outcome.
    Err(Refusal::bad(format!("no key goes by the name `{name}`")))
}

/// The outcome of calls without an error.
const SUCCESS: &str = "OK";

/// What a query may have.
const PARAMETERS: &str = "operation, key, outcome, caller, since";
