//! The plan as a page.

use maud::Markup;
use maud::html;

use crate::chart;
use crate::plan::Forecast;
use crate::plan::simulation::Outcome;
use crate::plan::trail;

/// What a use of S3 costs the KMS, and what the quota does.
pub(super) fn forecast(forecast: &Forecast) -> anyhow::Result<String> {
    let (calls, outcome) = (&forecast.calls, &forecast.outcome);
    let remedies = forecast.remedies.iter();
    let remedies = remedies.map(|it| (it.name.as_str(), it.calls_per_s, &it.outcome));
    let rows = std::iter::once(("as it is", outcome.offered_per_s, outcome)).chain(remedies);
    let content = html! {
        h1 { "KMS calls of a use of S3" }
        p.verdict {
            "A PUT makes " (rounded(calls.per_put)) " calls, a GET " (rounded(calls.per_get)) " and a copy "
            (rounded(calls.per_copy)) ": " (format!("{:.1}", calls.per_s)) " a second against a quota of "
            (forecast.quota) ". In the busiest seconds " (percent(outcome.throttled_ratio))
            " of attempts are throttled, and " (percent(outcome.given_up_ratio)) " of calls are given up."
        }
        h2 { "In the busiest seconds" }
        div.wide { table {
            caption { (forecast.quota_name) @if let Some(code) = &forecast.quota_code { ", " (code) } ", in "
                      (forecast.region) ": " (forecast.quota) "/s. Simulated, without a call." }
            thead { tr { @for name in ["", "Calls/s", "Served/s", "Throttled", "Given up", "Attempts a call"] {
                th scope="col" { (name) } } } }
            tbody { @for (name, calls, it) in rows { (row(name, calls, it)) } }
        } }
        p { "$" (format!("{:.2}", forecast.dollars_a_month)) " a month at the mean rate." }
        @if let Some(note) = &calls.note { p { (note) } }
        @if let Some(command) = forecast.command() { h2 { "A higher quota" } pre { (command) } }
    };
    chart::page("KMS calls of a use of S3", &content)
}

fn row(name: &str, calls: f64, it: &Outcome) -> Markup {
    html! {
        tr {
            th scope="row" { (name) }
            td { (format!("{calls:.0}")) }
            td { (format!("{:.0}", it.served_per_s)) }
            td { (percent(it.throttled_ratio)) }
            td { (percent(it.given_up_ratio)) }
            td { (format!("{:.2}", it.amplification)) }
        }
    }
}

/// Who used the quota.
pub(super) fn records(report: &trail::Report) -> anyhow::Result<String> {
    let content = html! {
        h1 { "KMS calls in CloudTrail" }
        p.verdict {
            (report.calls) " calls, " (report.throttled) " of them throttled"
            @if let Some((second, calls)) = &report.peak_second {
                "; the busiest second had " (calls) " at " (second) ", and the busiest minute, which CloudWatch shows, "
                (format!("{:.1}", report.peak_minute_per_s)) " a second"
            }
            "."
        }
        @if report.s3_calls > 0 {
            p { "Of " (report.s3_calls) " calls that S3 made for objects about " (report.with_bucket_keys)
                " would remain with Bucket Keys, if what is read was written with Bucket Keys of few lifetimes." }
        }
        @for (kind, shares) in &report.by {
            h2 { "By " (kind) }
            div.wide { table {
                thead { tr { @for name in [*kind, "calls", "busiest second"] { th scope="col" { (name) } } } }
                tbody { @for share in shares { tr {
                    th scope="row" { (share.name) } td { (share.calls) } td { (share.peak_second) }
                } } }
            } }
        }
    };
    chart::page("KMS calls in CloudTrail", &content)
}

fn percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}

/// A number of calls without more digits than it needs.
fn rounded(calls: f64) -> String {
    let text = format!("{calls:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::of_profile;

    #[test]
    fn the_page_has_the_remedies_and_the_request_for_a_higher_quota() {
        let flags = of_profile(
            "put = 150\nquota = [\"CryptographicOperationsSymmetric=100\"]\nhorizon = \"2s\"",
        );
        let page = forecast(&Forecast::new(&flags.unwrap()).unwrap()).unwrap();
        for text in ["A PUT makes 1 calls", "with Bucket Keys", "--quota-code"] {
            assert!(page.contains(text), "{text}");
        }
        assert!(!page.contains("<script"));
    }

    #[test]
    fn the_page_of_records_escapes_their_names() {
        let record = r#"{"eventSource":"kms.amazonaws.com","eventName":"<b>","eventTime":"2026-11-28T00:00:01Z"}"#;
        let report = trail::Report::read(&[record.to_owned()], std::time::Duration::from_secs(300));
        let page = records(&report.unwrap()).unwrap();
        assert!(page.contains("&lt;b&gt;") && !page.contains("<b>"));
    }
}
