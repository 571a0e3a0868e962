//! What a run prints: a line while it goes on, and its results at the end.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::io::Write as _;

use crate::load::meters::MeterSecond;
use crate::load::recorder::ClientSecond;
use crate::report;
use crate::report::results::Percentiles;
use crate::report::results::Results;

/// The line of progress on standard error.
pub(super) struct Progress {
    quiet: bool,
    terminal: bool,
    served: Vec<u64>,
}

impl Progress {
    /// No line yet.
    #[must_use]
    pub(super) fn new(quiet: bool) -> Self {
        Self {
            quiet,
            terminal: std::io::stderr().is_terminal(),
            served: Vec::new(),
        }
    }

    /// Prints a second: in place on a terminal, else one in five seconds.
    pub(super) fn second(&mut self, t: u64, client: &ClientSecond, meters: &[MeterSecond]) {
        let served = meters.iter().map(|it| u64::from(it.usage.allowed)).sum();
        self.served.push(served);
        if self.quiet || !(self.terminal || (t + 1).is_multiple_of(5)) {
            return;
        }
        let throttled: u64 = meters.iter().map(|it| u64::from(it.usage.throttled)).sum();
        let used = meters
            .iter()
            .map(|it| percent_of(it.usage.allowed, it.quota.rate));
        let used = used.fold(0.0, f64::max);
        let line = format!(
            "{:>5} s  offered {}  KMS served {served}  throttled {throttled}  quota {used:.0} %  p99 {:.1} ms  {}",
            t + 1,
            client.offered,
            client.p99_ms,
            sparkline(&self.served),
        );
        let mut output = std::io::stderr().lock();
        // Without a reader, the run goes on.
        let _ = match self.terminal {
            true => write!(output, "\r\u{1b}[K{line}").and_then(|()| output.flush()),
            false => writeln!(output, "{line}"),
        };
    }

    /// Ends the line.
    pub(super) fn end(&self) {
        if !self.quiet && self.terminal {
            let _ = writeln!(std::io::stderr());
        }
    }
}

/// A part of a rate, in per cent.
fn percent_of(count: u32, rate: f64) -> f64 {
    f64::from(count) / rate.max(f64::MIN_POSITIVE) * 100.0
}

/// The latest figures as bars.
fn sparkline(figures: &[u64]) -> String {
    let latest = figures.get(figures.len().saturating_sub(SPARKS)..);
    let latest = latest.unwrap_or_default();
    let most = latest.iter().max().copied().unwrap_or_default().max(1);
    let bar = |figure: &u64| {
        let height = usize::try_from(figure * 7 / most).unwrap_or_default();
        BARS.get(height).copied().unwrap_or(' ')
    };
    latest.iter().map(bar).collect()
}

/// The results in words.
#[must_use]
pub(super) fn summary(results: &Results) -> String {
    let summary = &results.summary;
    let mut text = report::verdict(results);
    let _ = write!(
        text,
        "\n\n  offered {}   sent {}   served {}   throttled {}   failed {}   given up {}",
        summary.offered,
        summary.sent,
        summary.served,
        summary.throttled,
        summary.failed,
        summary.given_up
    );
    let _ = write!(
        text,
        "\n  retries {}   attempts a request {:.2}   not sent {}   unfinished {}\n",
        summary.retries, summary.amplification, summary.not_sent, summary.unfinished
    );
    let row = |it: &Percentiles| {
        format!(
            "p50 {:.1}   p90 {:.1}   p99 {:.1}   p99.9 {:.1}   max {:.1} ms",
            it.p50, it.p90, it.p99, it.p99_9, it.max
        )
    };
    let latency = &results.latency_ms;
    let _ = write!(text, "\n  from due   {}", row(&latency.from_due));
    let _ = write!(text, "\n  service    {}\n", row(&latency.service));
    for quota in &results.quotas {
        let _ = write!(
            text,
            "\n  {}: {}/s, peak second {}, throttled {}; CloudWatch's minute would show {:.0} %",
            quota.class, quota.rate, quota.peak_second, quota.throttled, quota.minute_percent
        );
    }
    text.push_str(&objects(results));
    text.push_str(&comparisons(results));
    for (code, count) in &results.errors {
        let _ = write!(text, "\n  {code}: {count}");
    }
    for threshold in &results.thresholds {
        let outcome = if threshold.ok { "holds" } else { "FAILED" };
        let value = threshold.value;
        let value = value.map_or("nothing to compare".to_owned(), |it| format!("{it:.4}"));
        let _ = write!(
            text,
            "\n  threshold {}: {outcome} ({value})",
            threshold.expression
        );
    }
    let late = results.generator.late_seconds;
    if let Some(why) = results.invalidity() {
        let _ = write!(text, "\n  {why}");
    } else if late > 0 {
        let _ = write!(
            text,
            "\n  the generator was late in {late} of the seconds: this machine was too busy for them"
        );
    }
    text
}

/// The runs with one change, a line each.
fn comparisons(results: &Results) -> String {
    let mut text = String::new();
    for compared in &results.comparisons {
        let (change, results) = (&compared.change, &compared.results);
        let summary = &results.summary;
        let _ = write!(
            text,
            "\n  with {change}: {}served {} of {}, KMS calls {}, throttled attempts {:.1} %, p99 {:.1} ms",
            if results.invalidity().is_some() {
                "NOT VALID, "
            } else {
                ""
            },
            summary.served,
            summary.offered,
            results.kms.calls,
            summary.throttled_ratio * 100.0,
            results.latency_ms.from_due.p99
        );
    }
    text
}

/// What objects cost the KMS, a line each.
fn objects(results: &Results) -> String {
    let mut text = String::new();
    for costs in &results.objects {
        let each = costs.kms_calls_per_object;
        let each = each.map_or(String::new(), |each| format!(", {each:.4} an object"));
        let _ = write!(
            text,
            "\n  {}: served {}; {}: served {}, throttled {}{each}",
            costs.operation,
            costs.served,
            costs.kms_operation,
            costs.kms_calls,
            costs.kms_throttled
        );
    }
    if let Some(used) = &results.bucket_keys {
        let _ = write!(
            text,
            "\n  Bucket Keys: {} calls saved, {} made",
            used.saved_calls, used.calls
        );
    }
    text
}

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// How many seconds the sparkline shows.
const SPARKS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sparkline_shows_the_latest_seconds_against_the_most_of_them() {
        assert_eq!(sparkline(&[]), "");
        assert_eq!(sparkline(&[0, 7, 14]), "▁▄█");
        assert_eq!(sparkline(&[9; 100]).chars().count(), SPARKS);
    }
}
