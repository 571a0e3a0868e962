//! The report of a run: one HTML file without a script, which requests nothing, or a part of a page of the console.

mod comparisons;
mod objects;
mod table;

use maud::Markup;
use maud::PreEscaped;
use maud::html;

use crate::chart;
use crate::chart::Chart;
use crate::chart::Form;
use crate::chart::Series;
use crate::report::advice;
use crate::report::page::table::pairs;
use crate::report::page::table::table;
use crate::report::results::Results;
use crate::report::results::Second;
use crate::report::verdict::verdict;

/// The file of those results.
///
/// # Errors
///
/// As [`chart::page`].
pub fn file(results: &Results) -> anyhow::Result<String> {
    let content = html! {
        h1 { (title(results)) }
        (content(results, POINTS_OF_FILE))
        details { summary { "Every second" } (seconds(results)) }
    };
    chart::page(title(results), &content)
}

/// The part of a page of the console that shows those results, without every second.
#[must_use]
pub fn section(results: &Results) -> Markup {
    content(results, POINTS_OF_SECTION)
}

fn title(results: &Results) -> &'static str {
    match results.has_objects() {
        true => "Load on S3 and its KMS",
        false => "Load on a KMS",
    }
}

/// Everything but every second; of each line in a chart at most that many points.
fn content(results: &Results, points: usize) -> Markup {
    html! {
        p.verdict { (verdict(results)) }
        @if let Some(why) = results.invalidity() { p.warning { (why) } }
        (cards(results))
        h2 { "Requests a second" }
        (figure(&requests(results), points))
        h2 { "First attempts and retries" }
        (figure(&attempts(results), points))
        h2 { "Latency" }
        (figure(&latency(results), points))
        (latencies(results))
        h2 { "Quotas" }
        (quotas(results))
        h2 { "KMS calls by operation" }
        (pairs(["Operation", "Attempts"], results.kms.by_operation.iter()))
        @if results.has_objects() { h2 { "KMS calls of an object" } (objects::costs(results)) }
        @if results.streams.len() > 1 { h2 { "Streams" } (objects::streams(results)) }
        @if !results.comparisons.is_empty() {
            h2 { "With one change each" }
            (comparisons::section(results, points))
        }
        @if !results.errors.is_empty() {
            h2 { "Errors" }
            (pairs(["Code", "Attempts"], results.errors.iter()))
        }
        @if !results.thresholds.is_empty() { h2 { "Thresholds" } (thresholds(results)) }
        h2 { "What AWS recommends, with the figures of this run" }
        ol { @for line in advice::lines(results) { li.long { (line) } } }
        h2 { "The run again" }
        pre tabindex="0" { (advice::command(results)) }
    }
}

fn cards(results: &Results) -> Markup {
    let summary = &results.summary;
    let cards = [
        ("offered", summary.offered.to_string()),
        ("served", summary.served.to_string()),
        (
            "throttled attempts",
            format!("{:.1} %", summary.throttled_ratio * 100.0),
        ),
        ("given up", summary.given_up.to_string()),
        (
            "attempts a request",
            format!("{:.2}", summary.amplification),
        ),
        (
            "p99 from due",
            format!("{:.0} ms", results.latency_ms.from_due.p99),
        ),
    ];
    html! {
        dl.cards { @for (name, value) in cards { div { dt { (name) } dd { (value) } } } }
    }
}

fn figure(chart: &Chart, points: usize) -> Markup {
    html! {
        figure {
            (PreEscaped(chart.svg_of(points)))
            ul.legend { (PreEscaped(chart.legend())) }
        }
    }
}

/// A figure of each second.
fn over_time(results: &Results, value: impl Fn(&Second) -> f64) -> Vec<(f64, f64)> {
    let point = |row: &Second| (row.t as f64, value(row));
    results.drawn().iter().map(point).collect()
}

fn series(name: &'static str, class: &'static str, form: Form, points: Vec<(f64, f64)>) -> Series {
    Series {
        name,
        class,
        form,
        points,
    }
}

fn requests(results: &Results) -> Chart {
    let of = |value: fn(&Second) -> u64| over_time(results, |row| value(row) as f64);
    let (served, throttled) = match results.has_objects() {
        true => ("KMS calls served", "KMS calls throttled"),
        false => ("served", "throttled"),
    };
    let mut drawn = vec![
        series(served, "a", Form::Area, of(|row| row.served)),
        series(throttled, "b", Form::Line, of(|row| row.throttled)),
        series("sent", "c", Form::Line, of(|row| row.sent)),
        series("offered", "d", Form::Line, of(|row| row.offered)),
    ];
    let quota = over_time(results, |row| row.quota);
    let highest = |points: &[(f64, f64)]| points.iter().fold(0.0, |most, it| it.1.max(most));
    let load = drawn.iter().map(|it| highest(&it.points));
    // Far above the load it would press all else to the ground; the table of quotas has it.
    if highest(&quota) <= load.fold(0.0, f64::max) * QUOTA_IN_SIGHT {
        drawn.push(series("quota", "limit", Form::Line, quota));
    }
    Chart {
        title: "Requests a second".to_owned(),
        description: verdict(results),
        unit: "a second",
        logarithmic: false,
        series: drawn,
    }
}

fn attempts(results: &Results) -> Chart {
    let of = |value: fn(&Second) -> u64| over_time(results, |row| value(row) as f64);
    Chart {
        title: "First attempts and retries a second".to_owned(),
        description: format!(
            "{} attempts were sent, {} of them retries.",
            results.summary.sent, results.summary.retries
        ),
        unit: "a second",
        logarithmic: false,
        series: vec![
            series("retries, on top", "b", Form::Area, of(|row| row.sent)),
            series(
                "first attempts",
                "d",
                Form::Area,
                of(|row| row.first_attempts),
            ),
        ],
    }
}

fn latency(results: &Results) -> Chart {
    let all = &results.latency_ms.from_due;
    Chart {
        title: "Latency from when a request was due".to_owned(),
        description: format!("Median {:.1} ms, 99 of 100 {:.1} ms.", all.p50, all.p99),
        unit: "ms, logarithmic",
        logarithmic: true,
        series: vec![
            series("p99", "b", Form::Line, over_time(results, |row| row.p99_ms)),
            series("p50", "a", Form::Line, over_time(results, |row| row.p50_ms)),
        ],
    }
}

fn latencies(results: &Results) -> Markup {
    let latency = &results.latency_ms;
    let caption = "Of requests that were served, in milliseconds. From due: what a user waited, retries included. \
                   Service: the attempt that was served, alone.";
    let heads = [
        "Latency", "p50", "p90", "p95", "p99", "p99.9", "max", "mean",
    ];
    let rows = html! {
        @for (name, it) in [("from due", &latency.from_due), ("service", &latency.service)] { tr {
            th scope="row" { (name) }
            @for value in [it.p50, it.p90, it.p95, it.p99, it.p99_9, it.max, it.mean] {
                td { (format!("{value:.1}")) }
            }
        } }
    };
    table(caption, &heads, &rows)
}

fn quotas(results: &Results) -> Markup {
    let caption = "CloudWatch and Service Quotas sum usage a minute: a burst of a second is throttled while they show \
                   less than 100 %.";
    let heads = [
        "Quota",
        "Code",
        "Region",
        "Rate",
        "Peak second",
        "CloudWatch's minute",
        "Served",
        "Throttled",
        "First",
    ];
    let rows = html! {
        @for it in &results.quotas { tr {
            th scope="row" { (it.name) }
            td { (it.code.as_deref().unwrap_or_default()) }
            td { (it.region) }
            td { (it.rate) "/s" }
            td { (it.peak_second) }
            td { (format!("{:.0} %", it.minute_percent)) }
            td { (it.served) }
            td { (it.throttled) }
            td { @if let Some(first) = it.first_throttled_s { "second " (first) } }
        } }
    };
    table(caption, &heads, &rows)
}

fn thresholds(results: &Results) -> Markup {
    let rows = html! {
        @for it in &results.thresholds { tr {
            th scope="row" { (it.expression) }
            td { @if let Some(value) = it.value { (format!("{value:.4}")) } @else { "nothing to compare" } }
            td { @if it.ok { "yes" } @else { strong { "no" } } }
        } }
    };
    table(
        "What was demanded of the run.",
        &["Threshold", "Figure", "Holds"],
        &rows,
    )
}

fn seconds(results: &Results) -> Markup {
    let heads = [
        "t",
        "offered",
        "sent",
        "retries",
        "served",
        "throttled",
        "failed",
        "in flight",
        "p50 ms",
        "p99 ms",
    ];
    let rows = html! {
        @for it in results.seconds.iter().take(ROWS_MAX) { tr {
            th scope="row" { (it.t) @if it.late { " (late)" } }
            @for count in [it.offered, it.sent, it.retries, it.served, it.throttled, it.failed, it.in_flight] {
                td { (count) }
            }
            @for ms in [it.p50_ms, it.p99_ms] { td { (format!("{ms:.1}")) } }
        } }
    };
    let caption = match results.seconds.len() > ROWS_MAX {
        true => format!(
            "The first {ROWS_MAX} of {} seconds; --json has all.",
            results.seconds.len()
        ),
        false => "Seconds of the run, from 0.".to_owned(),
    };
    table(&caption, &heads, &rows)
}

/// How many times the load a quota may be to be drawn beside it.
const QUOTA_IN_SIGHT: f64 = 10.0;
/// Most points of a line in a file of its own.
const POINTS_OF_FILE: usize = 600;
/// The same in the console, whose pages are small.
const POINTS_OF_SECTION: usize = 120;
/// Most seconds in the table: a page of an hour stays below 300 KiB.
const ROWS_MAX: usize = 600;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_page_of_objects_has_their_costs_and_the_comparisons() {
        let results = sample::of_objects();
        let page = file(&results).unwrap();
        for text in [
            "Load on S3",
            "with bucket-key",
            "as it is",
            "PutObject",
            "saved 0 calls",
        ] {
            assert!(page.contains(text), "{text}");
        }
        assert!(page.contains("--compare bucket-key"));
    }

    #[test]
    fn the_page_requests_nothing_runs_nothing_and_escapes_what_it_is_given() {
        let mut results = sample::of_kms();
        results
            .errors
            .insert("<script>alert(1)</script>".to_owned(), 1);
        let page = file(&results).unwrap();
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
        assert!(!page.contains("http://") && !page.contains("https://"));
        // The policy blocks attributes with styles.
        assert!(!page.contains(" style=") && page.contains("style-src 'sha256-"));
        assert!(page.contains("L-6E3AF000"));
    }

    #[test]
    fn a_run_that_is_not_valid_is_named_so_with_the_reason() {
        let mut results = sample::of_objects();
        assert!(!file(&results).unwrap().contains("not valid"));
        results.generator.seconds_without_meters = 2;
        assert!(
            file(&results)
                .unwrap()
                .contains("meters of 2 of its seconds")
        );
        results.generator.late_seconds = 1;
        results.generator.valid = false;
        assert!(file(&results).unwrap().contains("late in 1 of its seconds"));
    }

    #[test]
    fn a_second_of_late_answers_and_a_quota_out_of_sight_are_not_drawn() {
        let mut results = sample::of_kms();
        let row = |t, sent, quota| Second {
            t,
            offered: sent,
            sent,
            served: 1,
            quota,
            ..Second::default()
        };
        results.seconds = vec![row(0, 100, 1_000.0), row(1, 100, 1_000.0), row(2, 0, 0.0)];
        let names = |results: &Results| -> Vec<_> {
            let series = requests(results).series.into_iter();
            series.map(|it| (it.name, it.points.len())).collect()
        };
        assert!(
            names(&results).contains(&("quota", 2)),
            "{:?}",
            names(&results)
        );
        assert!(names(&results).iter().all(|(_, points)| *points == 2));
        results.seconds = vec![row(0, 99, 1_000.0)];
        assert!(names(&results).iter().all(|(name, _)| *name != "quota"));
    }

    #[test]
    fn the_file_of_an_hour_is_at_most_300_kib_and_its_part_of_the_console_at_most_30() {
        let mut results = sample::of_kms();
        let row = |t| Second {
            t,
            offered: 123_456,
            sent: 123_456,
            served: 100_000,
            throttled: 23_456,
            p99_ms: 1_234.567,
            ..Second::default()
        };
        results.seconds = (0..3_600).map(row).collect();
        let bytes = file(&results).unwrap().len();
        assert!(bytes <= 300 << 10, "{bytes}");
        let bytes = section(&results).0.len();
        assert!(bytes <= 30 << 10, "{bytes}");
    }
}
