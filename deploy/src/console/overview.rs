//! The overview: endpoints, what to paste, and how much is going on.

use gateway::admin::view::View;
use maud::Markup;
use maud::html;
use serde_json::Value;

use crate::chart::Chart;
use crate::chart::Form;
use crate::chart::Series;
use crate::console::history::History;
use crate::console::layout;
use crate::console::members;
use crate::console::sources::Sources;

/// Whether each service serves.
pub(super) struct Health {
    /// None without a gateway.
    pub(super) gateway: Option<Result<(), String>>,
    /// The KMS's clock; none without a KMS.
    pub(super) clock: Option<Value>,
}

impl Health {
    /// As it is now.
    pub(super) async fn of(sources: &Sources) -> Self {
        let gateway: Option<View> = sources.gateway();
        Self {
            gateway: match gateway {
                Some(view) => Some(view.readiness().await),
                None => None,
            },
            clock: sources.get("/admin/clock", "").await.ok(),
        }
    }
}

/// The content of the page.
pub(super) fn content(sources: &Sources, health: &Health, history: &History) -> Markup {
    let facts = sources.facts.get();
    html! {
        (services(health))
        @let is_counted = sources.kms.is_some() || sources.shows_buckets();
        @if is_counted {
            (figures(sources, history))
            h2 { "Requests a second" }
            (layout::figure("requests", &chart(history)))
        }
        @if let Some(facts) = facts {
            h2 { "Endpoints" }
            @let rows = html! {
                @for (name, url) in &facts.endpoints {
                    tr { th scope="row" { (name) } td { code { (url) } } }
                }
            };
            (layout::table("Where the services listen", &["Service", "URL"], &rows))
            @if !facts.paste.is_empty() {
                h2 { "What to paste into a shell" }
                pre tabindex="0" { (facts.paste) }
            }
        }
        @if sources.shows_buckets() { (requests(sources)) }
    }
}

fn services(health: &Health) -> Markup {
    html! {
        ul.services {
            @match &health.gateway {
                Some(Ok(())) => li.good { "The gateway is ready." },
                Some(Err(reason)) => li.bad { "The gateway is not ready: " (reason) },
                None => {}
            }
            @if let Some(clock) = &health.clock {
                @let now = members::text(clock, "/now").unwrap_or_default();
                @if members::is_true(clock, "/frozen") {
                    li.odd { "The KMS's clock stands still at " (now) "." }
                } @else {
                    li.good { "The KMS serves. Its clock shows " (now) "." }
                }
            }
        }
    }
}

/// Names, labels and values of the figures.
pub(super) fn numbers(history: &History) -> [(&'static str, &'static str, String); 6] {
    let (rates, totals) = (history.rates(), history.totals());
    [
        ("s3-rate", "S3 requests a second", layout::rate(rates.s3)),
        (
            "s3-failed",
            "S3 errors a second",
            layout::rate(rates.s3_failed),
        ),
        ("s3-total", "S3 requests in all", totals.s3.to_string()),
        ("kms-rate", "KMS calls a second", layout::rate(rates.kms)),
        (
            "kms-failed",
            "KMS errors a second",
            layout::rate(rates.kms_failed),
        ),
        ("kms-total", "KMS calls in all", totals.kms.to_string()),
    ]
}

fn figures(sources: &Sources, history: &History) -> Markup {
    let shown = |name: &str| match name.starts_with("s3-") {
        true => sources.shows_buckets(),
        false => sources.kms.is_some(),
    };
    html! {
        dl.cards {
            @for (name, label, value) in numbers(history).iter().filter(|(name, _, _)| shown(name)) {
                div { dt { (label) } dd { (layout::figure_text(name, value)) } }
            }
        }
    }
}

/// Requests of both services in the last minutes.
pub(super) fn chart(history: &History) -> Chart {
    let rates = history.rates();
    let series = |name, class, points| Series {
        name,
        class,
        form: Form::Line,
        points,
    };
    Chart {
        title: "Requests a second in the last 200 seconds".to_owned(),
        description: format!(
            "Now {} requests of S3 and {} calls of the KMS a second.",
            layout::rate(rates.s3),
            layout::rate(rates.kms)
        ),
        unit: "a second",
        logarithmic: false,
        series: vec![
            series("S3", "d", history.rate_points(SHOWN_S, |rates| rates.s3)),
            series("KMS", "a", history.rate_points(SHOWN_S, |rates| rates.kms)),
            series(
                "errors of both",
                "b",
                history.rate_points(SHOWN_S, |rates| rates.s3_failed + rates.kms_failed),
            ),
        ],
    }
}

/// Requests of S3 by operation and status since the start.
fn requests(sources: &Sources) -> Markup {
    let counted = sources
        .gateway()
        .and_then(|view| view.counts()?.since(None).ok())
        .unwrap_or_default();
    let mut rows = counted.requests;
    rows.sort_by_key(|row| std::cmp::Reverse(row.count));
    let rows = html! {
        @for row in rows.iter().take(ROWS_MAX) {
            tr { th scope="row" { (row.operation) } td { (row.status) } td { (row.count) } }
        }
    };
    html! {
        h2 { "S3 since the start" }
        (layout::table("The most frequent requests by operation and status", &["Operation", "Status", "Requests"], &rows))
    }
}

/// Seconds that the chart shows.
const SHOWN_S: u32 = 200;

/// Most rows of a table.
const ROWS_MAX: usize = 15;
