//! Buckets: what their owners configured, and how their objects were seen to be encrypted.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use gateway::admin::view::BucketOverview;
use maud::Markup;
use maud::html;
use serde_json::Value;

use crate::console::form::Form;
use crate::console::form::link;
use crate::console::layout;
use crate::console::members::members;
use crate::console::members::text;

/// How objects of each bucket were seen to be encrypted.
pub(super) struct SeenModes(BTreeMap<String, BTreeSet<String>>);

impl SeenModes {
    /// What data events show.
    pub(super) fn of(events: &Value) -> Self {
        let mut modes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for event in members(events, "/events") {
            let bucket = text(event, "/requestParameters/bucketName");
            let mode = text(event, "/additionalEventData/SSEApplied");
            if let (Some(bucket), Some(mode)) = (bucket, mode) {
                modes
                    .entry(bucket.to_owned())
                    .or_default()
                    .insert(mode.to_owned());
            }
        }
        Self(modes)
    }

    fn text(&self, bucket: &str) -> String {
        let modes = self.0.get(bucket).into_iter().flatten();
        modes.map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// How many buckets are before those of the page.
pub(super) fn skip(form: &Form) -> usize {
    form.number("skip").ok().flatten().unwrap_or_default()
}

/// The page.
pub(super) fn content(
    count: usize,
    buckets: &[BucketOverview],
    modes: &SeenModes,
    form: &Form,
) -> Markup {
    let heads = [
        "Bucket",
        "Default encryption",
        "KMS key",
        "Bucket Key",
        "Seen",
        "Policy",
        "Owner",
        "Created",
    ];
    let rows = html! { @for bucket in buckets { (row(bucket, modes)) } };
    let skip = skip(form);
    let last = skip + buckets.len();
    let at = |skip: usize| link("/console/buckets", &[("skip", Some(&skip.to_string()))]);
    html! {
        @if buckets.is_empty() {
            p { "There is no bucket." }
        } @else {
            (layout::table("Buckets of all owners", &heads, &rows))
            p.note { "Seen: how objects were encrypted in the data events that are in memory." }
            (layout::paging(
                (skip > 0).then(|| at(skip.saturating_sub(PAGE))),
                (last < count).then(|| at(last)),
                &format!("{} to {last} of {count}", skip + 1),
            ))
            @for bucket in buckets.iter().filter(|bucket| policy(bucket).is_some()) {
                details {
                    summary { "Policy of " (bucket.name) }
                    pre tabindex="0" { (policy(bucket).unwrap_or_default()) }
                }
            }
        }
    }
}

fn row(bucket: &BucketOverview, modes: &SeenModes) -> Markup {
    let encryption = bucket
        .configurations
        .get("encryption")
        .filter(|it| !it.is_null());
    let member = |path: &str| encryption.and_then(|it| text(it, path)).unwrap_or_default();
    let has_bucket_key = encryption.and_then(|it| it.get("bucket_key")) == Some(&Value::Bool(true));
    html! {
        tr {
            th scope="row" { (bucket.name) }
            @if let Some(error) = &bucket.error {
                td.long colspan="3" { "Its record cannot be read: " (error) }
            } @else {
                td { @if encryption.is_none() { "AES256" } @else { (member("/algorithm")) } }
                td.long { (member("/kms_key_id")) }
                td { @if has_bucket_key { "on" } @else { "off" } }
            }
            td { (modes.text(&bucket.name)) }
            td { @if policy(bucket).is_some() { "yes" } @else { "no" } }
            td { (bucket.owner.as_deref().unwrap_or_default()) }
            td { (bucket.created) }
        }
    }
}

/// A bucket's policy, as far as it has one.
fn policy(bucket: &BucketOverview) -> Option<String> {
    match bucket.configurations.get("policy").unwrap_or(&Value::Null) {
        Value::Null => None,
        Value::String(text) => Some(crate::console::keys::pretty(text)),
        other => serde_json::to_string_pretty(other).ok(),
    }
}

/// Buckets of a page.
pub(super) const PAGE: usize = 50;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn modes_are_those_that_data_events_show() {
        let event = |bucket: &str, mode: Value| {
            json!({
                "requestParameters": { "bucketName": bucket },
                "additionalEventData": { "SSEApplied": mode },
            })
        };
        let modes = SeenModes::of(&json!({ "events": [
            event("a", json!("SSE_KMS")),
            event("a", json!("SSE_C")),
            event("a", json!("SSE_KMS")),
            event("b", Value::Null),
            json!({ "requestParameters": null }),
        ] }));
        assert_eq!(modes.text("a"), "SSE_C, SSE_KMS");
        assert_eq!(modes.text("b"), "");
    }
}
