//! Faults and the clock of the KMS: what is in force, and forms to change it.

use maud::Markup;
use maud::html;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::console::access::Viewer;
use crate::console::form::Form;
use crate::console::layout;
use crate::console::members;
use crate::console::members::members as list;

/// The page of the plan in force, as `GET /admin/faults` and `GET /admin/clock` return it. `clock_refusal` is why the
/// clock cannot be moved.
pub(super) fn content(
    faults: &Value,
    clock: &Value,
    clock_refusal: Option<&str>,
    viewer: &Viewer,
) -> Markup {
    html! {
        h2 { "Calls that fail or take longer" }
        (in_force(faults, viewer))
        h3 { "Make calls fail" }
        form.fields method="post" action="/console/faults/add" {
            (layout::form_digest(viewer))
            (layout::field("operation", "Operation", "", "all, or such as Decrypt"))
            (layout::field("key", "Key", "", "all, or an id, ARN or alias"))
            (layout::choice("error", "Error", "none", "", &ERRORS))
            (layout::field("first", "From the call", "", "1"))
            (layout::field("times", "Times", "", "without end"))
            (layout::field("probability", "Probability", "", "1"))
            (layout::field("delay_ms", "Delay in ms", "", "0"))
            button type="submit" { "Add" }
        }
        h3 { "Make calls take time" }
        form.fields method="post" action="/console/faults/slow" {
            (layout::form_digest(viewer))
            (layout::field("operation", "Operation", "", "all"))
            (layout::field("median_ms", "Median in ms", "", "such as 20"))
            (layout::field("sigma", "Sigma", "", "0"))
            button type="submit" { "Add" }
        }
        h2 { "Clock" }
        (moves(clock, clock_refusal, viewer))
    }
}

fn in_force(faults: &Value, viewer: &Viewer) -> Markup {
    let rules = list(faults, "/plan/faults").iter();
    let rules = rules.zip(list(faults, "/ids")).zip(list(faults, "/struck"));
    let slow = list(faults, "/plan/latencies").iter();
    let slow = slow.zip(list(faults, "/latency_ids"));
    let mut rows: Vec<(&Value, &Value, String)> = Vec::new();
    rows.extend(rules.map(|((rule, id), struck)| (rule, id, struck.to_string())));
    rows.extend(slow.map(|(rule, id)| (rule, id, String::new())));
    let body = html! {
        @for (rule, id, struck) in &rows {
            tr {
                th.long scope="row" { code { (plain(rule)) } }
                td { (struck) }
                td {
                    form method="post" action="/console/faults/remove" {
                        (layout::form_digest(viewer))
                        input type="hidden" name="id" value=(id);
                        button type="submit" { "Remove " span.unseen { "rule " (id) } }
                    }
                }
            }
        }
    };
    html! {
        @if rows.is_empty() {
            p { "No call fails on purpose." }
        } @else {
            (layout::table("Rules in force, the first that fits counts", &["Rule", "Struck", "Remove"], &body))
            form method="post" action="/console/faults/clear" {
                (layout::form_digest(viewer))
                button type="submit" { "Remove all" }
            }
        }
    }
}

/// A rule without what has no effect.
fn plain(rule: &Value) -> String {
    let Some(rule) = rule.as_object() else {
        return rule.to_string();
    };
    let has_effect = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(pairs) => !pairs.is_empty(),
        Value::Number(number) => number.as_f64() != Some(0.0),
        _ => true,
    };
    let pairs = rule.iter().filter(|(_, value)| has_effect(value));
    pairs
        .map(|(name, value)| format!("{name} = {value}"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn moves(clock: &Value, refusal: Option<&str>, viewer: &Viewer) -> Markup {
    let is_frozen = members::is_true(clock, "/frozen");
    html! {
        p {
            "It shows " (members::text(clock, "/now").unwrap_or_default())
            @if is_frozen { " and stands still." } @else { "." }
            " Keys, quotas and vaults go by it."
        }
        @if let Some(refusal) = refusal {
            p { (refusal) }
            p { a href="/console/login?next=faults" { "Log in" } }
        } @else {
            form.fields method="post" action="/console/clock" {
                (layout::form_digest(viewer))
                (layout::field("advance_seconds", "Forward by seconds", "", "86400"))
                (layout::field("set", "Or set it to", "", "2026-01-02T03:04:05Z"))
                button type="submit" { "Move" }
            }
            form.fields method="post" action="/console/clock" {
                (layout::form_digest(viewer))
                @if is_frozen {
                    button type="submit" name="frozen" value="false" { "Let it go on" }
                } @else {
                    button type="submit" name="frozen" value="true" { "Stop it" }
                }
                button type="submit" name="reset" value="true" { "Show the real time" }
            }
        }
    }
}

/// The body of `POST /admin/faults/add` for calls that fail.
///
/// # Errors
///
/// What is missing or is no number, in a sentence.
pub(super) fn fault(form: &Form) -> Result<Value, String> {
    let mut fault = Map::new();
    for name in ["operation", "key", "error"] {
        if let Some(value) = form.get(name) {
            fault.insert(name.to_owned(), value.into());
        }
    }
    for name in ["first", "times", "delay_ms"] {
        if let Some(value) = form.number::<u64>(name)? {
            fault.insert(name.to_owned(), value.into());
        }
    }
    if let Some(probability) = form.number::<f64>("probability")? {
        fault.insert("probability".to_owned(), probability.into());
    }
    if !fault.contains_key("error") && !fault.contains_key("delay_ms") {
        return Err("Choose an error or a delay: a rule with neither has no effect.".to_owned());
    }
    Ok(json!({ "fault": fault }))
}

/// The body of `POST /admin/faults/add` for calls that take time.
///
/// # Errors
///
/// As [`fault`].
pub(super) fn latency(form: &Form) -> Result<Value, String> {
    let median: Option<f64> = form.number("median_ms")?;
    let median = median.ok_or("Give the median in milliseconds.")?;
    let sigma: Option<f64> = form.number("sigma")?;
    let mut latency = Map::new();
    latency.insert("median_ms".to_owned(), median.into());
    latency.insert("sigma".to_owned(), sigma.unwrap_or_default().into());
    if let Some(operation) = form.get("operation") {
        latency.insert("operation".to_owned(), operation.into());
    }
    Ok(json!({ "latency": latency }))
}

/// The body of `POST /admin/clock` that a form stands for.
///
/// # Errors
///
/// What is missing or is no number, in a sentence.
pub(super) fn movement(form: &Form) -> Result<Value, String> {
    let mut body = Map::new();
    if let Some(seconds) = form.number::<f64>("advance_seconds")? {
        body.insert("advance_seconds".to_owned(), seconds.into());
    }
    if let Some(time) = form.get("set") {
        body.insert("set".to_owned(), time.into());
    }
    if let Some(frozen) = form.get("frozen") {
        body.insert("frozen".to_owned(), (frozen == "true").into());
    }
    if form.get("reset").is_some() {
        body.insert("reset".to_owned(), true.into());
    }
    match body.is_empty() {
        false => Ok(body.into()),
        true => Err("Say by how much the clock moves, or to what.".to_owned()),
    }
}

/// Errors that are offered. The API takes every one of the KMS's.
const ERRORS: [&str; 7] = [
    "ThrottlingException",
    "KMSInternalException",
    "DependencyTimeoutException",
    "KeyUnavailableException",
    "AccessDeniedException",
    "DisabledException",
    "NotFoundException",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_become_bodies_of_the_admin_api_and_empty_ones_are_refused() {
        let form = |text: &str| Form::parse(text);
        assert_eq!(
            fault(&form(
                "operation=Decrypt&error=ThrottlingException&times=3&key=&first=2"
            )),
            Ok(
                json!({ "fault": { "operation": "Decrypt", "error": "ThrottlingException", "times": 3, "first": 2 } })
            )
        );
        assert!(fault(&form("operation=Decrypt")).is_err());
        assert!(
            fault(&form("error=a&times=-1"))
                .unwrap_err()
                .contains("times")
        );
        assert!(latency(&form("operation=Decrypt")).is_err());
        assert_eq!(
            latency(&form("median_ms=20")),
            Ok(json!({ "latency": { "median_ms": 20.0, "sigma": 0.0 } }))
        );
        assert!(movement(&form("set=&advance_seconds=")).is_err());
        assert_eq!(
            movement(&form("frozen=false")),
            Ok(json!({ "frozen": false }))
        );
        assert_eq!(movement(&form("reset=true")), Ok(json!({ "reset": true })));
    }

    #[test]
    fn a_rule_is_shown_without_what_has_no_effect() {
        let rule = json!({ "operation": "Decrypt", "key": null, "context": {}, "delay_ms": 0, "first": 1 });
        assert_eq!(plain(&rule), "first = 1, operation = \"Decrypt\"");
    }
}
