//! The keys of all accounts and Regions, without their material.

use std::collections::HashMap;
use std::sync::Arc;

use proto::sigv4::decode_query;
use proto::time::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::admin::Control;
use crate::admin::Outcome;
use crate::admin::Refusal;
use crate::keys::grant::Grant;
use crate::keys::key::Key;
use crate::keys::metadata::Manager;

/// A page of keys in the order of account, Region, alias and id, or one key with its policy and grants.
pub(crate) fn respond(control: &Control, query: &str) -> Outcome {
    let selection = Selection::parse(query)?;
    let calls = Calls::of(control)?;
    if let Some(name) = &selection.key {
        let arns = control.kms.arns_of_keys_named(name);
        let fits = |key: &Key| arns.iter().any(|arn| arn == key.arn());
        let found = control.kms.keys_with_aliases().into_iter();
        let found: Vec<_> = found.filter(|(key, _)| fits(key)).collect();
        if found.is_empty() {
            return Err(Refusal::bad(format!("no key goes by the name `{name}`")));
        }
        let whole = |(key, aliases): &(Arc<Key>, Vec<String>)| {
            whole(key, row(control, key, aliases, &calls))
        };
        return Ok(json!({ "keys": found.iter().map(whole).collect::<Vec<_>>() }));
    }
    let mut keys = control.kms.keys_with_aliases();
    keys.retain(|(key, aliases)| selection.includes(key, aliases));
    let order = |(key, aliases): &(Arc<Key>, Vec<String>)| {
        let alias = aliases.first().cloned();
        (
            key.account().clone(),
            key.region().clone(),
            alias.is_none(),
            alias,
            Arc::clone(key.id()),
        )
    };
    keys.sort_by_cached_key(order);
    let page = keys.iter().skip(selection.skip).take(selection.limit);
    let rows: Vec<_> = page
        .map(|(key, aliases)| row(control, key, aliases, &calls))
        .collect();
    Ok(json!({ "count": keys.len(), "keys": rows }))
}

/// Which keys are wanted.
struct Selection {
    /// One key, by id, ARN or alias.
    key: Option<String>,
    /// A part of the id, the ARN, the description or an alias, in any case.
    text: String,
    skip: usize,
    limit: usize,
}

impl Selection {
    fn parse(query: &str) -> Result<Self, Refusal> {
        let pairs = decode_query(query).map_err(|_| Refusal::bad("the query cannot be decoded"))?;
        let mut selection = Self {
            key: None,
            text: String::new(),
            skip: 0,
            limit: LIMIT_DEFAULT,
        };
        for (name, value) in pairs {
            match name.as_str() {
                "key" => selection.key = Some(value),
                "q" => selection.text = value.to_lowercase(),
                "skip" => selection.skip = value.parse().map_err(Refusal::bad)?,
                "limit" => selection.limit = value.parse().map_err(Refusal::bad)?,
                _ => return Err(Refusal::bad("the query has key, q, skip and limit only")),
            }
        }
        Ok(selection)
    }

    fn includes(&self, key: &Key, aliases: &[String]) -> bool {
        let has = |text: &str| text.to_lowercase().contains(&self.text);
        self.text.is_empty()
            || has(key.arn())
            || aliases.iter().any(|alias| has(alias))
            || has(&key.snapshot().record.description)
    }
}

/// How many calls there were about each key since the start.
struct Calls(HashMap<Arc<str>, u64>);

impl Calls {
    fn of(control: &Control) -> Result<Self, Refusal> {
        let counts = control.kms.counts().since(None).map_err(Refusal::bad)?;
        let mut calls = HashMap::new();
        for (kind, count) in counts {
            let Some(detail) = kind.detail else { continue };
            for key in detail.key.into_iter().chain(detail.second_key) {
                *calls.entry(key).or_default() += count;
            }
        }
        Ok(Self(calls))
    }
}

/// What is shown of each key.
fn row(control: &Control, key: &Key, aliases: &[String], calls: &Calls) -> Value {
    let snapshot = key.snapshot();
    let record = &snapshot.record;
    let last_use = key.last_use();
    json!({
        "id": **key.id(),
        "arn": **key.arn(),
        "account": key.account(),
        "region": key.region(),
        "aliases": aliases,
        "description": record.description,
        "spec": record.spec.as_str(),
        "usage": record.usage.as_str(),
        "origin": record.origin.as_str(),
        "state": control.kms.state_of(key).as_str(),
        "managed_by_aws": record.manager == Manager::Aws,
        "multi_region": record.multi_region.is_some(),
        "rotation_days": record.rotation.map(|rotation| rotation.period_days),
        "last_use": last_use.as_ref().map(|last| time(last.at_ms)),
        "last_operation": last_use.as_ref().map(|last| &*last.operation),
        "calls": calls.0.get(key.arn()).copied().unwrap_or_default(),
    })
}

/// The same with what is shown of one key only.
fn whole(key: &Key, mut row: Value) -> Value {
    let snapshot = key.snapshot();
    let record = &snapshot.record;
    let more = json!({
        "created": time(record.created_ms),
        "deletion": record.deletion_ms.map(time),
        "next_rotation": record.rotation.map(|rotation| time(rotation.next_ms)),
        "materials": record.materials.len(),
        "tags": record.tags.iter().map(tag).collect::<Vec<_>>(),
        "policy": record.policy,
        "grants": record.grants.iter().map(grant).collect::<Vec<_>>(),
    });
    if let (Some(row), Value::Object(more)) = (row.as_object_mut(), more) {
        row.extend(more);
    }
    row
}

fn tag((name, value): &(String, String)) -> Value {
    json!({ "name": name, "value": value })
}

fn grant(grant: &Grant) -> Value {
    json!({
        "id": grant.id,
        "name": grant.name,
        "created": time(grant.created_ms),
        "grantee": grant.grantee,
        "retiring": grant.retiring,
        "operations": grant.operations,
        "context_subset": grant.context_subset,
        "context_equals": grant.context_equals,
        "source_arn": grant.source_arn,
    })
}

fn time(unix_ms: i64) -> String {
    Timestamp::from_unix_millis(unix_ms).iso8601()
}

/// How many keys are returned unless the query has a limit.
const LIMIT_DEFAULT: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_with_an_unknown_name_or_a_limit_that_is_none_is_refused() {
        for query in ["account=1", "limit=x", "skip=-1", "q=%zz"] {
            assert!(Selection::parse(query).is_err(), "{query}");
        }
        let selection = Selection::parse("q=A%2Fb&skip=3").unwrap();
        assert_eq!((selection.text.as_str(), selection.skip), ("a/b", 3));
        assert_eq!(selection.limit, LIMIT_DEFAULT);
    }
}
