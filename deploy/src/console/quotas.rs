//! Quotas: what each is used, and to change a rate.

use std::collections::BTreeMap;

use kms::quota::Usage;
use maud::Markup;
use maud::html;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use crate::chart::Chart;
use crate::chart::Form as Drawn;
use crate::chart::Series;
use crate::console::access::Viewer;
use crate::console::form::Form;
use crate::console::form::link;
use crate::console::history::History;
use crate::console::layout;

/// What `GET /admin/quotas` returns, as far as it is shown.
#[derive(Deserialize)]
pub(super) struct Quotas {
    account: String,
    region: String,
    config: Config,
    quotas: Vec<Quota>,
}

#[derive(Deserialize)]
struct Config {
    shape: String,
    scale: f64,
    profile: String,
}

#[derive(Deserialize)]
struct Quota {
    class: String,
    name: String,
    code: Option<String>,
    default: f64,
    rate: f64,
    adjustable: bool,
}

/// The page of quotas in use.
pub(super) fn content(quotas: &Quotas, history: &History, viewer: &Viewer, form: &Form) -> Markup {
    let usage = history.usage();
    let class = form.get("class").unwrap_or_default();
    let classes: Vec<&str> = quotas
        .quotas
        .iter()
        .map(|quota| quota.class.as_str())
        .collect();
    html! {
        p { (enforcement(&quotas.config)) " " a href="/console/quotas/all" { "All " (quotas.quotas.len()) " quotas" } }
        @if usage.is_empty() {
            p { "No quota was used yet. Each is counted for one account in one Region." }
        } @else {
            (in_use(history, &usage))
            @for (number, row) in usage.iter().take(CHARTS).enumerate() {
                h2 { (row.class.name()) }
                (layout::figure(&format!("quota-{number}"), &chart(history, row)))
            }
        }
        h2 { "Change a rate" }
        form.fields method="post" action="/console/quotas/adjust" {
            (layout::form_digest(viewer))
            (layout::choice("class", "Quota", "Choose one", class, &classes))
            (layout::field("rate", "Requests a second", "", "such as 50 or 0.1"))
            (layout::field("account", "Account", "", "all"))
            (layout::field("region", "Region", "", "all"))
            button type="submit" { "Change" }
        }
        form method="post" action="/console/quotas/restart" {
            (layout::form_digest(viewer))
            button type="submit" { "Forget what was used" }
        }
    }
}

fn enforcement(config: &Config) -> String {
    let Config {
        shape,
        scale,
        profile,
    } = config;
    match shape.as_str() {
        "off" => "Quotas are counted and not enforced.".to_owned(),
        _ if (scale - 1.0).abs() < f64::EPSILON => {
            format!("Quotas of {profile} are enforced ({shape}), at AWS's rates.")
        }
        _ => format!("Quotas of {profile} are enforced ({shape}), at {scale} times AWS's rates."),
    }
}

fn in_use(history: &History, usage: &[&Usage]) -> Markup {
    let heads = [
        "Quota",
        "Account",
        "Region",
        "Rate",
        "Last second",
        "Of the rate",
        "Throttled",
        "Minute",
        "Passed",
        "Refused",
    ];
    let rows = html! {
        @for row in usage.iter().take(ROWS_MAX) {
            @let name = key(row);
            @let values = values(history, row);
            tr data-row=(name) {
                th scope="row" { (row.class.name()) }
                td { (row.account) }
                td { (row.region) }
                td { (row.rate) "/s" }
                td { (layout::figure_text(&format!("{name}.used"), &values.used)) }
                td { meter data-meter=(name) min="0" max=(row.rate.max(1.0)) value=(row.previous_second.allowed)
                     aria-label="Used in the last second" {} }
                td { (layout::figure_text(&format!("{name}.throttled"), &values.throttled)) }
                td { (layout::figure_text(&format!("{name}.minute"), &values.minute)) }
                td { (layout::figure_text(&format!("{name}.passed"), &values.passed)) }
                td { (layout::figure_text(&format!("{name}.refused"), &values.refused)) }
            }
        }
    };
    html! {
        (layout::table("Quotas in use, in the last full second", &heads, &rows))
        p.note {
            "Minute: what passed in the last 60 seconds, as a share of 60 times the rate. CloudWatch and Service Quotas \
             show nothing finer, so that a burst of a second is throttled while they show less than 100 %."
        }
    }
}

/// The figures of a row.
struct Values {
    used: String,
    throttled: String,
    minute: String,
    passed: String,
    refused: String,
}

fn values(history: &History, row: &Usage) -> Values {
    let (share, seconds) = history.minute(row);
    let percent = share * 100.0;
    Values {
        used: row.previous_second.allowed.to_string(),
        throttled: row.previous_second.throttled.to_string(),
        minute: match seconds {
            60.. => format!("{percent:.0} %"),
            _ => format!("{percent:.0} % ({seconds} s seen)"),
        },
        passed: row.allowed.to_string(),
        refused: row.throttled.to_string(),
    }
}

/// What the script looks for: figures by their names, uses of quotas by their rows, and charts.
#[derive(Default, Serialize)]
pub(super) struct Message {
    pub(super) text: BTreeMap<String, String>,
    meter: BTreeMap<String, (u32, f64)>,
    pub(super) chart: BTreeMap<String, String>,
    /// What a screen reader says.
    pub(super) say: String,
}

/// The message about the quotas in use.
pub(super) fn message(history: &History) -> Message {
    let usage = history.usage();
    let mut message = Message::default();
    for row in usage.iter().take(ROWS_MAX) {
        let (name, values) = (key(row), values(history, row));
        let used = row.previous_second.allowed;
        message
            .meter
            .insert(name.clone(), (used, row.rate.max(1.0)));
        for (figure, value) in [
            ("used", values.used),
            ("throttled", values.throttled),
            ("minute", values.minute),
            ("passed", values.passed),
            ("refused", values.refused),
        ] {
            message.text.insert(format!("{name}.{figure}"), value);
        }
    }
    for (number, row) in usage.iter().take(CHARTS).enumerate() {
        let svg = chart(history, row).svg();
        message.chart.insert(format!("quota-{number}"), svg);
    }
    message
}

/// By which the script finds a row.
fn key(row: &Usage) -> String {
    format!("{}/{}/{}", row.account, row.region, row.class.name())
}

fn chart(history: &History, row: &Usage) -> Chart {
    let (allowed, offered) = history.quota_points(row, SHOWN_S);
    let rate = [0.0, f64::from(SHOWN_S)].map(|at| (at, row.rate));
    let series = |name, class, form, points| Series {
        name,
        class,
        form,
        points,
    };
    let second = row.previous_second;
    Chart {
        title: format!("{} in the last 100 seconds", row.class.name()),
        description: format!(
            "In the last second {} requests passed and {} were throttled; the rate is {} a second.",
            second.allowed, second.throttled, row.rate
        ),
        unit: "a second",
        logarithmic: false,
        series: vec![
            series("throttled, on top", "b", Drawn::Area, offered),
            series("passed", "a", Drawn::Area, allowed),
            series("rate", "limit", Drawn::Line, rate.to_vec()),
        ],
    }
}

/// The page of all quotas.
pub(super) fn all(quotas: &Quotas) -> Markup {
    let caption = format!("Rates of account {} in {}", quotas.account, quotas.region);
    let rows = html! {
        @for quota in &quotas.quotas {
            tr {
                th scope="row" { a href=(link("/console/quotas", &[("class", Some(&quota.class))])) { (quota.class) } }
                td { (quota.name) }
                td { (quota.code.as_deref().unwrap_or_default()) }
                td { (quota.default) }
                td { @if (quota.rate - quota.default).abs() > f64::EPSILON { strong { (quota.rate) } } @else { (quota.rate) } }
                td { @if quota.adjustable { "yes" } @else { "no" } }
            }
        }
    };
    layout::table(
        &caption,
        &[
            "Quota",
            "Name",
            "Code",
            "AWS's rate",
            "Rate here",
            "Raised by AWS",
        ],
        &rows,
    )
}

/// The body of `POST /admin/quotas/adjust` that a form stands for.
///
/// # Errors
///
/// What is missing, in a sentence.
pub(super) fn adjustment(form: &Form) -> Result<Value, String> {
    let class = form.get("class").ok_or("Choose a quota.")?;
    let rate: Option<f64> = form.number("rate")?;
    let rate = rate
        .filter(|rate| rate.is_finite())
        .ok_or("Give the requests a second.")?;
    let mut body = Map::new();
    body.insert("class".to_owned(), class.into());
    body.insert("rate".to_owned(), rate.into());
    for name in ["account", "region"] {
        if let Some(value) = form.get(name) {
            body.insert(name.to_owned(), value.into());
        }
    }
    Ok(body.into())
}

/// Rows in use that are shown.
const ROWS_MAX: usize = 20;

/// Charts that are shown.
const CHARTS: usize = 2;

/// Seconds that a chart shows.
const SHOWN_S: u32 = 100;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::console::history::Totals;
    use crate::console::history::tests::row;

    #[test]
    fn a_form_without_a_rate_or_a_quota_changes_nothing() {
        for text in [
            "",
            "class=Decrypt",
            "rate=5",
            "class=a&rate=x",
            "class=a&rate=inf",
        ] {
            assert!(adjustment(&Form::parse(text)).is_err(), "{text}");
        }
        let body = adjustment(&Form::parse("class=a&rate=0.5&account=&region=eu-west-1")).unwrap();
        assert_eq!(
            body,
            json!({ "class": "a", "rate": 0.5, "region": "eu-west-1" })
        );
    }

    #[test]
    fn what_is_throttled_is_drawn_on_top_of_what_passes() {
        let mut history = History::default();
        history.add(0, Totals::default(), vec![row(100, 10, 5)]);
        let message = json!(message(&history));
        let name = "111122223333/us-east-1/CryptographicOperationsSymmetric";
        assert_eq!(message["text"][format!("{name}.throttled")], "5");
        assert_eq!(message["meter"][name], json!([10, 10.0]));
        assert_eq!(message["text"][format!("{name}.minute")], "2 % (1 s seen)");
        let svg = message["chart"]["quota-0"].as_str().unwrap();
        assert!(svg.contains("area b") && svg.contains("5 were throttled"));
    }
}
