//! A run in a sentence.

use crate::report::results::Results;

/// The run in one sentence.
#[must_use]
pub fn verdict(results: &Results) -> String {
    let summary = &results.summary;
    let mut met = results.quotas.iter();
    let met = met.find(|quota| quota.throttled > 0);
    let Some(quota) = met else {
        return format!(
            "No quota was met: {:.1} % of {} requests were served.",
            summary.success_ratio * 100.0,
            summary.offered
        );
    };
    let code = quota
        .code
        .as_deref()
        .map_or(String::new(), |code| format!(", {code}"));
    format!(
        "The load met \"{}\"{code}, {}/s in {}, from second {}: {:.1} % of attempts were throttled, {:.1} % \
         of requests were served, and retries made {:.2} attempts of each.",
        quota.name,
        quota.rate,
        quota.region,
        quota.first_throttled_s.unwrap_or_default(),
        summary.throttled_ratio * 100.0,
        summary.success_ratio * 100.0,
        summary.amplification
    )
}
