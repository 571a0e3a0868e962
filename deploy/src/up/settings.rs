//! The config file of `up`: a `[gateway]` and a `[kms]` table, each the configuration of one service,
//! and `[embedded]`, that of the embedded backend.

use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

use crate::embedded::disk::Durability;

/// The configurations of both services and of the embedded backend, before `up` sets its own fields.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) gateway: gateway::config::Config,
    pub(super) kms: kms::config::Config,
    pub(super) embedded: EmbeddedBackend,
    /// Whether the file sets how long the end is delayed for load balancers.
    #[serde(skip)]
    pub(super) delays_end: bool,
    /// Whether the file sets how long requests in flight may delay the end.
    #[serde(skip)]
    pub(super) limits_end: bool,
    /// Whether the file sets whether Signature Version 2 is accepted.
    #[serde(skip)]
    pub(super) sets_sigv2: bool,
    /// Whether the file sets how long records of access logs wait.
    #[serde(skip)]
    pub(super) sets_log_interval: bool,
    /// Whether the file sets whether data events are recorded.
    #[serde(skip)]
    pub(super) sets_data_events: bool,
    /// Whether the file names the state bucket.
    #[serde(skip)]
    pub(super) names_state: bool,
}

/// The embedded backend.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct EmbeddedBackend {
    /// What an acknowledged write survives; `full` unless the flag `--ephemeral` is given.
    pub(super) durability: Option<Durability>,
}

impl Settings {
    /// Reads a file; the defaults when there is none.
    pub(super) fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(file) = file else {
            return Ok(Self::default());
        };
        let context = || format!("in the config file {}", file.display());
        let text = std::fs::read_to_string(file).with_context(context)?;
        Self::parse(&text).with_context(context)
    }

    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        let table: toml::Table = toml::from_str(text)?;
        let has = |section: &str, field: &str| {
            let section = table.get("gateway").and_then(|table| table.get(section));
            section.is_some_and(|table| table.get(field).is_some())
        };
        Ok(Self {
            delays_end: has("limits", "drain_delay_ms"),
            limits_end: has("limits", "drain_timeout_ms"),
            sets_sigv2: has("authenticate", "sigv2"),
            sets_log_interval: has("access_logs", "interval_seconds"),
            sets_data_events: has("audit", "data_events"),
            names_state: has("state", "bucket"),
            ..toml::from_str(text)?
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_are_refused_at_every_level() {
        for text in ["port = 1", "[gateway]\nport = 1", "[kms.quotas]\nlimit = 1"] {
            assert!(toml::from_str::<Settings>(text).is_err(), "{text}");
        }
        let settings = Settings::parse("[kms.quotas]\nscale = 0.5\n").unwrap();
        assert!((settings.kms.quotas.scale - 0.5).abs() < f64::EPSILON);
        assert!(!settings.delays_end && !settings.limits_end && !settings.names_state);
    }

    #[test]
    fn what_the_file_sets_itself_is_seen() {
        let text = "[gateway.authenticate]\nsigv2 = false\n[gateway.limits]\ndrain_delay_ms = 0\n[gateway.state]\nbucket = \"mine\"\n";
        let settings = Settings::parse(text).unwrap();
        assert!(settings.delays_end && settings.names_state && settings.sets_sigv2);
    }
}
