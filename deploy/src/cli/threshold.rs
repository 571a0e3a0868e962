//! What must hold of a run: `throttled<1%`, `p99<200ms`, `served>=99% of quota`.

use std::fmt;
use std::str::FromStr;

/// A comparison of one figure of a run with a bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// The figure's name.
    pub metric: String,
    comparison: Comparison,
    /// The bound: milliseconds for latencies, a ratio for per cents, else a count.
    pub bound: f64,
    /// What the bound is measured in.
    pub unit: Unit,
    expression: String,
}

/// What a bound is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of requests, or a factor.
    Count,
    /// A part of all attempts.
    Ratio,
    /// Time.
    Milliseconds,
    /// A part of the quota in each full second in which that much was offered.
    OfQuota,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Below,
    AtMost,
    Above,
    AtLeast,
}

impl Threshold {
    /// Whether the figure holds.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        match self.comparison {
            Comparison::Below => value < self.bound,
            Comparison::AtMost => value <= self.bound,
            Comparison::Above => value > self.bound,
            Comparison::AtLeast => value >= self.bound,
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.expression)
    }
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let operators = [
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("<", Comparison::Below),
            (">", Comparison::Above),
        ];
        let parts = operators.iter().find_map(|(operator, comparison)| {
            let (metric, bound) = text.split_once(operator)?;
            Some((metric.trim(), *comparison, bound.trim()))
        });
        let (metric, comparison, bound) =
            parts.ok_or_else(|| format!("`{text}` compares nothing: write throttled<1%"))?;
        let units = [
            ("% of quota", Unit::OfQuota, 0.01),
            ("%", Unit::Ratio, 0.01),
            ("ms", Unit::Milliseconds, 1.0),
            ("s", Unit::Milliseconds, 1_000.0),
            ("", Unit::Count, 1.0),
        ];
        let bound = units.iter().find_map(|(ending, unit, factor)| {
            let number = bound.strip_suffix(ending)?.trim().parse::<f64>().ok()?;
            number.is_finite().then_some((number * factor, *unit))
        });
        let (bound, unit) = bound.ok_or_else(|| format!("the bound of `{text}` is no number"))?;
        let is_allowed = match unit {
            Unit::Milliseconds => LATENCIES.contains(&metric),
            Unit::OfQuota => metric == "served",
            Unit::Ratio => COUNTS.contains(&metric),
            Unit::Count => COUNTS.contains(&metric) || metric == "amplification",
        };
        if !is_allowed {
            let (counts, latencies) = (COUNTS.join(", "), LATENCIES.join(", "));
            return Err(format!(
                "`{text}` does not fit: {counts} take a count or a %, {latencies} take ms or s, \
                 `served` takes `% of quota`, and `amplification` a factor"
            ));
        }
        Ok(Self {
            metric: metric.to_owned(),
            comparison,
            bound,
            unit,
            expression: text.to_owned(),
        })
    }
}

/// Figures that are counts of requests.
const COUNTS: [&str; 6] = [
    "served",
    "throttled",
    "failed",
    "retries",
    "given_up",
    "not_sent",
];

/// Figures that are times, from when a request was due until it was served.
const LATENCIES: [&str; 7] = ["p50", "p90", "p95", "p99", "p99.9", "max", "mean"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_has_the_unit_that_fits_its_figure() {
        let read = |text: &str| text.parse::<Threshold>().unwrap();
        let throttled = read("throttled<1%");
        assert_eq!(throttled.unit, Unit::Ratio);
        assert!(throttled.holds(0.009) && !throttled.holds(0.01));
        assert!(read("p99 <= 0.2s").holds(200.0) && !read("p99<200ms").holds(200.0));
        let of_quota = read("served >= 99% of quota");
        assert_eq!(of_quota.unit, Unit::OfQuota);
        assert!(of_quota.holds(0.99) && !of_quota.holds(0.98));
        assert!(read("failed<=0").holds(0.0));
        for text in [
            "p99<1%",
            "throttled",
            "throttled<ms",
            "speed>1",
            "p50>=9% of quota",
            "failed<5ms",
        ] {
            assert!(text.parse::<Threshold>().is_err(), "{text}");
        }
    }
}
