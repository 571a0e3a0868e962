//! What a list shows of a report: a few figures, so that a list holds no second of its runs.

use crate::report::advice;
use crate::report::results::Results;

/// A report in a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// When requests were due first, in ISO 8601; none in results of earlier versions.
    pub started_at: Option<String>,
    /// Requests that were due.
    pub offered: u64,
    /// Requests that were served.
    pub served: u64,
    /// Attempts that were throttled, by those that were sent.
    pub throttled_ratio: f64,
    /// How many thresholds there were.
    pub thresholds: usize,
    /// How many of them do not hold.
    pub thresholds_failed: usize,
    /// Whether the run is valid.
    pub is_valid: bool,
    /// What was called; of a long one the beginning.
    pub target: String,
    /// The command that repeats the run; of a long one the beginning.
    pub command: String,
}

impl Outline {
    /// That of those results.
    #[must_use]
    pub fn of(results: &Results) -> Self {
        let thresholds = &results.thresholds;
        Self {
            started_at: results.started_at.clone(),
            offered: results.summary.offered,
            served: results.summary.served,
            throttled_ratio: results.summary.throttled_ratio,
            thresholds: thresholds.len(),
            thresholds_failed: thresholds.iter().filter(|it| !it.ok).count(),
            is_valid: results.invalidity().is_none(),
            target: shortened(target(results), TARGET_CHARS_MAX),
            command: shortened(&advice::command(results), COMMAND_CHARS_MAX),
        }
    }
}

/// What was called.
#[must_use]
pub fn target(results: &Results) -> &str {
    let endpoint = results.scenario.get("endpoint");
    let endpoint = endpoint.filter(|endpoint| !endpoint.is_empty());
    endpoint.map_or("services of its own", String::as_str)
}

/// The beginning of a text whose whole is on the report's own page.
fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Most characters of a target.
const TARGET_CHARS_MAX: usize = 60;

/// Most characters of a command.
const COMMAND_CHARS_MAX: usize = 240;
