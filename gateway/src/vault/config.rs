//! How vaults behave.

use std::time::Duration;

/// How Glacier vaults behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether there are vaults. Without, requests for the service `glacier` are refused.
    pub enabled: bool,
    /// How long a job takes by the gateway's clock, in seconds. AWS takes minutes to hours.
    pub job_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            job_seconds: 0,
        }
    }
}

impl Config {
    /// How long a job takes.
    #[must_use]
    pub fn job_duration(&self) -> Duration {
        Duration::from_secs(self.job_seconds)
    }
}
