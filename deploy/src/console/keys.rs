//! Keys: a list, and one key with its policy and grants. Key material is on no page.

use maud::Markup;
use maud::html;
use serde::Deserialize;
use serde_json::Value;

use crate::console::form::Form;
use crate::console::form::link;
use crate::console::layout;

/// What `GET /admin/keys` returns of a list.
#[derive(Deserialize)]
pub(super) struct Listed {
    #[serde(default)]
    count: usize,
    keys: Vec<Key>,
}

/// A key, as far as it is shown.
#[derive(Deserialize)]
struct Key {
    id: String,
    arn: String,
    account: String,
    region: String,
    aliases: Vec<String>,
    description: String,
    spec: String,
    usage: String,
    origin: String,
    state: String,
    managed_by_aws: bool,
    multi_region: bool,
    rotation_days: Option<i32>,
    last_use: Option<String>,
    last_operation: Option<String>,
    calls: u64,
    /// The rest is there of one key only.
    #[serde(default)]
    created: String,
    deletion: Option<String>,
    next_rotation: Option<String>,
    #[serde(default)]
    materials: usize,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    policy: String,
    #[serde(default)]
    grants: Vec<Grant>,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct Grant {
    id: String,
    name: Option<String>,
    created: String,
    grantee: String,
    retiring: Option<String>,
    operations: Vec<String>,
    context_subset: Value,
    context_equals: Value,
    source_arn: Option<String>,
}

/// The query of `GET /admin/keys` for a page of the list.
pub(super) fn query(form: &Form) -> String {
    let skip = skip(form).to_string();
    let limit = PAGE.to_string();
    let parameters = [
        ("q", form.get("q")),
        ("skip", Some(skip.as_str())),
        ("limit", Some(&limit)),
    ];
    link("", &parameters).trim_start_matches('?').to_owned()
}

fn skip(form: &Form) -> usize {
    form.number("skip").ok().flatten().unwrap_or_default()
}

/// The page of the list.
pub(super) fn list(listed: &Listed, form: &Form) -> Markup {
    let heads = [
        "Alias or id",
        "State",
        "Spec",
        "Account",
        "Region",
        "Rotation",
        "Last use",
        "Calls",
    ];
    let rows = html! {
        @for key in &listed.keys {
            tr {
                th.long scope="row" {
                    a href=(of(&key.arn)) { (key.aliases.first().unwrap_or(&key.id)) }
                    @if key.aliases.len() > 1 { " and " (key.aliases.len() - 1) " more" }
                }
                td { (key.state) }
                td { (key.spec) }
                td { (key.account) }
                td { (key.region) }
                td { @if let Some(days) = key.rotation_days { (days) " days" } @else { "off" } }
                td { (key.last_use.as_deref().unwrap_or("never")) }
                td { (key.calls) }
            }
        }
    };
    let (skip, text) = (skip(form), form.get("q"));
    let at = |skip: usize| {
        link(
            "/console/keys",
            &[("q", text), ("skip", Some(&skip.to_string()))],
        )
    };
    let last = skip + listed.keys.len();
    html! {
        form.fields method="get" action="/console/keys" role="search" {
            (layout::field("q", "Alias, id or description has", text.unwrap_or_default(), "all keys"))
            button type="submit" { "Search" }
        }
        @if listed.keys.is_empty() {
            p { "There is no such key." }
        } @else {
            (layout::table("Keys, without those that AWS owns", &heads, &rows))
            (layout::paging(
                (skip > 0).then(|| at(skip.saturating_sub(PAGE))),
                (last < listed.count).then(|| at(last)),
                &format!("{} to {last} of {}", skip + 1, listed.count),
            ))
        }
    }
}

/// The path of a key's page.
pub(super) fn of(name: &str) -> String {
    link("/console/key", &[("id", Some(name))])
}

/// The page of one key, or of several that go by one alias in different accounts or Regions.
pub(super) fn one(listed: &Listed) -> Markup {
    html! {
        @for key in &listed.keys {
            @if listed.keys.len() > 1 { h2 { (key.account) " in " (key.region) } }
            (facts(key))
            p {
                a href=(link("/console/events", &[("key", Some(&key.arn))])) { "Events of this key" }
            }
            h2 { "Key policy" }
            pre tabindex="0" { (pretty(&key.policy)) }
            h2 { "Grants" }
            (grants(&key.grants))
        }
    }
}

fn facts(key: &Key) -> Markup {
    let manager = if key.managed_by_aws {
        "AWS, in the account's name"
    } else {
        "the account"
    };
    let rotation = match (key.rotation_days, &key.next_rotation) {
        (Some(days), Some(next)) => format!("each {days} days, next {next}"),
        _ => "off".to_owned(),
    };
    let last = match (&key.last_use, &key.last_operation) {
        (Some(at), Some(operation)) => format!("{operation} at {at}"),
        _ => "never".to_owned(),
    };
    let rows = [
        ("Id", key.id.clone()),
        ("ARN", key.arn.clone()),
        ("Aliases", key.aliases.join(", ")),
        ("Description", key.description.clone()),
        ("State", key.state.clone()),
        ("Will be deleted", key.deletion.clone().unwrap_or_default()),
        ("Spec", key.spec.clone()),
        ("Usage", key.usage.clone()),
        ("Origin", key.origin.clone()),
        ("Managed by", manager.to_owned()),
        (
            "Multi-Region",
            if key.multi_region { "yes" } else { "no" }.to_owned(),
        ),
        ("Created", key.created.clone()),
        ("Rotation", rotation),
        ("Materials", key.materials.to_string()),
        ("Last use", last),
        ("Calls since the start", key.calls.to_string()),
    ];
    html! {
        dl.facts {
            @for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
                div { dt { (name) } dd { (value) } }
            }
            @for tag in &key.tags {
                div { dt { "Tag " (tag.name) } dd { (tag.value) } }
            }
        }
    }
}

fn grants(grants: &[Grant]) -> Markup {
    let heads = [
        "Grant",
        "Grantee",
        "Operations",
        "Encryption context",
        "Retiring",
        "Created",
    ];
    let rows = html! {
        @for grant in grants.iter().take(GRANTS_MAX) {
            tr {
                th scope="row" { (grant.name.as_deref().unwrap_or(&grant.id)) }
                td.long { (grant.grantee) }
                td.long { (grant.operations.join(", ")) }
                td.long {
                    @for (word, pairs) in [("has", &grant.context_subset), ("is", &grant.context_equals)] {
                        @if pairs.as_object().is_some_and(|pairs| !pairs.is_empty()) { (word) " " (pairs) " " }
                    }
                    @if let Some(source) = &grant.source_arn { "for " (source) }
                }
                td.long { (grant.retiring.as_deref().unwrap_or_default()) }
                td { (grant.created) }
            }
        }
    };
    html! {
        @if grants.is_empty() { p { "There are none." } }
        @else { (layout::table("Grants of this key", &heads, &rows)) }
        @if grants.len() > GRANTS_MAX { p { "The first " (GRANTS_MAX) " of " (grants.len()) " grants." } }
    }
}

/// JSON with one member a line; another text as it is.
pub(super) fn pretty(text: &str) -> String {
    let value = serde_json::from_str::<Value>(text);
    let pretty = value
        .ok()
        .and_then(|value| serde_json::to_string_pretty(&value).ok());
    pretty.unwrap_or_else(|| text.to_owned())
}

/// Keys of a page.
const PAGE: usize = 50;

/// Grants that are shown.
const GRANTS_MAX: usize = 50;
