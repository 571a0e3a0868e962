//! A run and the same with one change each, side by side on one scale.

use maud::Markup;
use maud::PreEscaped;
use maud::html;

use crate::chart::Chart;
use crate::chart::Form;
use crate::chart::Series;
use crate::report::page::table::table;
use crate::report::results::Results;
use crate::report::results::Second;

/// The table, and the charts of what the KMS served and throttled.
pub(super) fn section(results: &Results, points: usize) -> Markup {
    let compared = results.comparisons.iter();
    let compared = compared.map(|it| (format!("with {}", it.change), &it.results));
    let runs: Vec<_> = std::iter::once(("as it is".to_owned(), results))
        .chain(compared)
        .collect();
    html! {
        (all(&runs))
        h3 { "KMS calls served a second" }
        (figure(&runs, "KMS calls served a second", points, |row| row.served))
        h3 { "KMS calls throttled a second" }
        (figure(&runs, "KMS calls throttled a second", points, |row| row.throttled))
    }
}

fn all(runs: &[(String, &Results)]) -> Markup {
    let heads = [
        "Run",
        "Served",
        "Given up",
        "Throttled attempts",
        "Attempts a request",
        "KMS calls",
        "p50 ms",
        "p99 ms",
    ];
    let rows = html! {
        @for (name, it) in runs { tr {
            th scope="row" { (name) @if it.invalidity().is_some() { " (not valid)" } }
            td { (format!("{:.1} %", it.summary.success_ratio * 100.0)) }
            td { (it.summary.given_up) }
            td { (format!("{:.1} %", it.summary.throttled_ratio * 100.0)) }
            td { (format!("{:.2}", it.summary.amplification)) }
            td { (it.kms.calls) }
            td { (format!("{:.1}", it.latency_ms.from_due.p50)) }
            td { (format!("{:.1}", it.latency_ms.from_due.p99)) }
        } }
    };
    table(
        "Each from the same seed, with that one change.",
        &heads,
        &rows,
    )
}

/// One line for each run; more than there are colours share them.
fn figure(
    runs: &[(String, &Results)],
    title: &'static str,
    points: usize,
    value: fn(&Second) -> u64,
) -> Markup {
    let colours = CLASSES.iter().cycle();
    let series = runs
        .iter()
        .zip(colours.clone())
        .map(|((_, results), class)| {
            let seconds = results.drawn().iter();
            Series {
                name: title,
                class,
                form: Form::Line,
                points: seconds
                    .map(|row| (row.t as f64, value(row) as f64))
                    .collect(),
            }
        });
    let names: Vec<_> = runs.iter().map(|(name, _)| name.as_str()).collect();
    let chart = Chart {
        title: title.to_owned(),
        description: format!("One line for each of: {}.", names.join(", ")),
        unit: "a second",
        logarithmic: false,
        series: series.collect(),
    };
    html! {
        figure {
            (PreEscaped(chart.svg_of(points)))
            ul.legend { @for (name, class) in names.iter().zip(colours) { li class=(class) { (name) } } }
        }
    }
}

/// Colours, the first for the run as it is.
const CLASSES: [&str; 5] = ["d", "a", "b", "e", "c"];
