//! What the controls of the admin port do.

use std::time::Duration;

use proto::audit::Event;
use proto::identity::AccountId;
use proto::identity::Region;
use proto::sigv4::decode_query;
use proto::time::Clock as _;
use proto::time::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::json;

use crate::admin::Control;
use crate::admin::Outcome;
use crate::admin::Refusal;
use crate::faults::Addition;
use crate::faults::Plan;
use crate::quota;
use crate::quota::Adjustment;

/// The quotas in force and what was used of them, with the rates of the KMS's own account and Region.
pub(crate) fn quotas(control: &Control) -> Value {
    quotas_in_force(control, &control.home)
}

/// As [`quotas`], with the rates of the account and the Region that the query names.
pub(crate) fn quotas_of(control: &Control, query: &str) -> Outcome {
    let pairs = decode_query(query).map_err(|_| Refusal::bad("the query cannot be decoded"))?;
    let (mut account, mut region) = control.home.clone();
    for (name, value) in pairs {
        match &*name {
            "account" => account = value.parse().map_err(Refusal::bad)?,
            "region" => region = value.parse().map_err(Refusal::bad)?,
            _ => return Err(Refusal::bad("the query has account and region only")),
        }
    }
    Ok(quotas_in_force(control, &(account, region)))
}

fn quotas_in_force(control: &Control, (account, region): &(AccountId, Region)) -> Value {
    let profile = control.quotas.profile();
    let row = |row: &quota::Row| {
        let rate = control.quotas.rate(account, region, row.class);
        json!({
            "class": row.class.name(),
            "name": row.name,
            "code": row.code,
            "default": row.rate_in(region).as_per_second(),
            "rate": rate.as_per_second(),
            "adjustable": row.adjustable,
        })
    };
    json!({
        "account": account,
        "region": region,
        "config": control.quotas.config(),
        "usage": control.quotas.usage(),
        "quotas": profile.rows().iter().map(row).collect::<Vec<_>>(),
    })
}

/// Puts a whole quota configuration in force.
pub(crate) fn configure(control: &Control, body: &[u8]) -> Outcome {
    let config = read::<quota::Config>(body)?;
    control.quotas.configure(config).map_err(Refusal::bad)?;
    Ok(quotas(control))
}

/// Changes one rate.
pub(crate) fn adjust(control: &Control, body: &[u8]) -> Outcome {
    let adjustment = read::<Adjustment>(body)?;
    control.quotas.adjust(adjustment).map_err(Refusal::bad)?;
    Ok(quotas(control))
}

/// The time that keys and quotas follow.
pub(crate) fn clock(control: &Control) -> Value {
    let now = control.clock.now();
    json!({
        "now": now.iso8601_millis(),
        "unix_ms": now.unix_millis(),
        "frozen": control.clock.is_frozen(),
    })
}

/// How a clock is to be moved. Steps are taken in this order.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Movement {
    /// Show the real time again.
    reset: bool,
    /// Set the clock: ISO 8601.
    set: Option<String>,
    /// Stop it, or let it go on.
    frozen: Option<bool>,
    /// Move it forward by so many seconds.
    advance_seconds: Option<f64>,
}

/// Moves the clock. Quotas forget what they counted when it goes back.
pub(crate) fn move_clock(control: &Control, body: &[u8]) -> Outcome {
    let movement = read::<Movement>(body)?;
    let before = control.clock.now();
    let set = movement
        .set
        .as_deref()
        .map(Timestamp::parse_iso8601)
        .transpose();
    let set = set.map_err(|_| Refusal::bad("`set` takes a time such as 2026-01-02T03:04:05Z"))?;
    let advance = movement
        .advance_seconds
        .map(Duration::try_from_secs_f64)
        .transpose();
    let advance = advance.map_err(Refusal::bad)?;
    if movement.reset {
        control.clock.reset();
    }

    if let Some(time) = set {
        control.clock.set(time);
    }

    match movement.frozen {
        Some(true) => control.clock.freeze(),
        Some(false) => control.clock.go_on(),
        None => {}
    }

    if let Some(by) = advance {
        control.clock.advance(by);
    }

    if control.clock.now() < before {
        control.quotas.restart();
    }

    Ok(clock(control))
}

/// The fault plan in force, and how many calls each fault has struck.
pub(crate) fn faults(control: &Control) -> Value {
    json!(control.faults.state())
}

/// Puts a fault plan in force from its beginning.
pub(crate) fn set_faults(control: &Control, body: &[u8]) -> Outcome {
    control
        .faults
        .set(read::<Plan>(body)?)
        .map_err(Refusal::bad)?;
    Ok(faults(control))
}

/// Adds one rule to the plan in force.
pub(crate) fn add_fault(control: &Control, body: &[u8]) -> Outcome {
    let added = control.faults.add(read::<Addition>(body)?);
    Ok(json!({ "id": added.map_err(Refusal::bad)? }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleId {
    id: u64,
}

/// Removes one rule of the plan in force.
pub(crate) fn remove_fault(control: &Control, body: &[u8]) -> Outcome {
    let RuleId { id } = read(body)?;
    let struck = control.faults.remove(id);
    let struck = struck.ok_or_else(|| Refusal::bad(format!("there is no rule {id}")))?;
    Ok(json!({ "id": id, "struck": struck }))
}

/// Audit events of one category, newest first.
pub(crate) fn events(control: &Control, query: &str) -> Outcome {
    let pairs = decode_query(query).map_err(|_| Refusal::bad("the query cannot be decoded"))?;
    let wanted = |name: &str| {
        pairs
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    };
    let limit = wanted("limit").map_or(Ok(EVENTS_DEFAULT), str::parse::<usize>);
    let limit = limit.map_err(Refusal::bad)?;
    let fits = |event: &Event| {
        wanted("name").is_none_or(|name| event.name == name)
            && wanted("account").is_none_or(|account| event.recipient_account == *account)
            && wanted("region").is_none_or(|region| event.region == *region)
            && wanted("key").is_none_or(|key| names_key(event, key))
            && wanted("error").is_none_or(|code| has_error(event, code))
            && wanted("id").is_none_or(|id| event.id.to_string() == id)
    };
    let events = match wanted("category") {
        None | Some("management") => control.audit.lookup(limit, fits),
        Some("data") => control.audit.lookup_data(limit, fits),
        Some(_) => return Err(Refusal::bad("category is management or data")),
    };
    let events: Vec<&Event> = events.iter().map(AsRef::as_ref).collect();
    Ok(json!({ "events": events }))
}

/// Whether the event is about that key, by ARN, by id, or as the caller gave it.
fn names_key(event: &Event, key: &str) -> bool {
    let in_resources = event
        .resources
        .iter()
        .any(|resource| *resource.arn == *key || resource.arn.ends_with(&format!("key/{key}")));
    in_resources
        || event
            .request_parameters
            .get("keyId")
            .is_some_and(|named| named == key)
}

/// Whether the event has that error code; any one for `*`, and none for an empty one.
fn has_error(event: &Event, code: &str) -> bool {
    match &event.error {
        Some((own, _)) => code == "*" || **own == *code,
        None => code.is_empty(),
    }
}

/// Reads a control's body.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(Refusal::bad)
}

/// How many events are returned unless the query has a limit.
const EVENTS_DEFAULT: usize = 50;
