//! Events: what was called, as CloudTrail records it; filtered, and one as a whole.

use maud::Markup;
use maud::html;
use serde_json::Value;

use crate::console::form::Form;
use crate::console::form::link;
use crate::console::keys;
use crate::console::layout;
use crate::console::members;

/// The query of `GET /admin/events` that a form stands for. It has one event more than are shown.
pub(super) fn query(form: &Form) -> String {
    let limit = (SHOWN + 1).to_string();
    let mut parameters = vec![("limit", Some(limit.as_str()))];
    parameters.extend(FILTERS.map(|name| (name, form.get(name))));
    link("", &parameters).trim_start_matches('?').to_owned()
}

/// The page of the list.
pub(super) fn list(events: &Value, form: &Form) -> Markup {
    let all = members::members(events, "/events");
    let value = |name: &str| form.get(name).unwrap_or_default();
    let rows = html! {
        @for event in all.iter().take(SHOWN) { (row(event)) }
    };
    html! {
        form.fields method="get" action="/console/events" role="search" {
            (layout::choice("category", "Category", "management", value("category"), &["data"]))
            (layout::field("name", "Name", value("name"), "such as Decrypt"))
            (layout::field("key", "Key", value("key"), "id or ARN"))
            (layout::field("account", "Account", value("account"), "all"))
            (layout::field("error", "Error", value("error"), "* for any"))
            button type="submit" { "Search" }
        }
        @if all.is_empty() {
            p { "There is no such event in memory." }
        } @else {
            (layout::table("The latest events, newest first", &["Time", "Event", "Error", "Caller", "Resource"], &rows))
            @if all.len() > SHOWN { p { "There are more than these " (SHOWN) ": narrow the search." } }
        }
    }
}

fn row(event: &Value) -> Markup {
    let id = text(event, "/eventID");
    let category = (text(event, "/eventCategory") == "Data").then_some("data");
    let page = link(
        "/console/event",
        &[("id", Some(id)), ("category", category)],
    );
    let resource = match text(event, "/resources/0/ARN") {
        "" => text(event, "/resources/0/ARNPrefix"),
        arn => arn,
    };
    html! {
        tr {
            td { (text(event, "/eventTime")) }
            th scope="row" { a href=(page) { (text(event, "/eventName")) } }
            td { (text(event, "/errorCode")) }
            td.long { (caller(event)) }
            td.long { (resource) }
        }
    }
}

fn caller(event: &Value) -> &str {
    let words = [
        "/userIdentity/arn",
        "/userIdentity/invokedBy",
        "/userIdentity/accountId",
    ];
    let mut words = words.iter().map(|path| text(event, path));
    words.find(|word| !word.is_empty()).unwrap_or_default()
}

/// The query of `GET /admin/events` for one event.
pub(super) fn query_of_one(form: &Form) -> String {
    let parameters = [
        ("id", form.get("id")),
        ("category", form.get("category")),
        ("limit", Some("1")),
    ];
    link("", &parameters).trim_start_matches('?').to_owned()
}

/// The page of one event; none if it is not in memory any more.
pub(super) fn one(events: &Value) -> Option<Markup> {
    let event = events.pointer("/events/0")?;
    let arn = members::members(event, "/resources").iter();
    let arn = arn.filter(|resource| text(resource, "/type") == "AWS::KMS::Key");
    let arns: Vec<&str> = arn.map(|resource| text(resource, "/ARN")).collect();
    let pretty = serde_json::to_string_pretty(event).unwrap_or_default();
    Some(html! {
        p { (text(event, "/eventName")) " at " (text(event, "/eventTime")) " by " (caller(event)) "." }
        @for arn in arns { p { a href=(keys::of(arn)) { "The key " (arn) } } }
        pre tabindex="0" { (pretty) }
    })
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    members::text(value, path).unwrap_or_default()
}

/// What events are chosen by.
const FILTERS: [&str; 5] = ["category", "name", "key", "account", "error"];

/// Events of a page.
const SHOWN: usize = 50;
