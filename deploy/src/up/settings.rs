//! The config file of `up`: a `[gateway]` and a `[kms]` table, each the configuration of one service,
//! and `[embedded]`, that of the embedded backend.

use std::path::Path;

use serde::Deserialize;

use crate::configuration::ConfigurationFile;
use crate::configuration::Layout;
use crate::configuration::Mistake;
use crate::embedded::disk::Durability;

/// The configurations of both services and of the embedded backend, before `up` sets its own fields.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) gateway: gateway::config::Config,
    pub(super) kms: kms::config::Config,
    pub(super) embedded: EmbeddedBackend,
    /// The file as it is written.
    #[serde(skip)]
    written: ConfigurationFile,
}

/// The embedded backend.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct EmbeddedBackend {
    /// What an acknowledged write survives; `full` unless the flag `--ephemeral` is given.
    pub(super) durability: Option<Durability>,
    /// Starts though the index is damaged, to read what can be read: what is on its damaged pages looks as if it had
    /// never been, and files that nothing refers to stay.
    pub(super) accept_damage: bool,
}

impl Settings {
    /// Reads a file; the defaults when there is none. Variables of the environment set no field.
    pub(super) fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(file) = file else {
            return Ok(Self::default());
        };
        Ok(Self::parse(ConfigurationFile::read(file)?)?)
    }

    /// The same, with the fields that variables of this process set.
    pub(super) fn read_under_environment(file: Option<&Path>) -> anyhow::Result<Self> {
        let written = ConfigurationFile::read_under_environment(file, Layout::Up)?;
        Ok(Self::parse(written)?)
    }

    /// Reads what a file describes.
    pub(super) fn parse(written: ConfigurationFile) -> Result<Self, Mistake> {
        let settings = written.parse()?;
        Ok(Self {
            written,
            ..settings
        })
    }

    /// Whether the file sets the field at that path, such as `["gateway", "listen", "http"]`.
    pub(super) fn sets(&self, path: &[&str]) -> bool {
        self.written.sets(&path.join("."))
    }

    /// An error about a field of `table`, `kms` or `gateway`, with its place if the file sets it.
    pub(super) fn explain(&self, table: &str, field: &str, error: &str) -> anyhow::Error {
        match self.written.mistake(&format!("{table}.{field}"), error) {
            Some(mistake) => anyhow::anyhow!("{mistake}, in [{table}]"),
            None => anyhow::anyhow!("in [{table}]: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Settings {
        Settings::parse(ConfigurationFile::of(Path::new("up.toml"), text.to_owned())).unwrap()
    }

    #[test]
    fn unknown_fields_are_refused_at_every_level() {
        for text in ["port = 1", "[gateway]\nport = 1", "[kms.quotas]\nlimit = 1"] {
            assert!(toml::from_str::<Settings>(text).is_err(), "{text}");
        }
        let settings = parse("[kms.quotas]\nscale = 0.5\n");
        assert!((settings.kms.quotas.scale - 0.5).abs() < f64::EPSILON);
        assert!(settings.sets(&["kms", "quotas", "scale"]) && !settings.sets(&["gateway"]));
    }

    #[test]
    fn what_the_file_sets_itself_is_seen() {
        let text = "[gateway.authenticate]\nsigv2 = false\n[gateway.limits]\ndrain_delay_ms = 0\n[gateway.state]\nbucket = \"mine\"\n";
        let settings = parse(text);
        for path in [
            ["gateway", "authenticate", "sigv2"],
            ["gateway", "limits", "drain_delay_ms"],
            ["gateway", "state", "bucket"],
        ] {
            assert!(settings.sets(&path), "{path:?}");
        }
        assert!(!settings.sets(&["gateway", "limits", "drain_timeout_ms"]));
        assert!(!settings.sets(&["gateway", "limits", "drain_delay_ms", "deeper"]));
    }
}
