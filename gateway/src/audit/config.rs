//! Which events are recorded, and where.

use std::path::PathBuf;

/// Which events are recorded, and where. In one process with a KMS, its trail is this one, too.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// File that gets one JSON line for every event; appended to. None: there are no events.
    pub file: Option<PathBuf>,
    /// Whether data events are recorded, those of objects, as well as management events.
    pub data_events: bool,
    /// Events that may wait for the writer. Further ones are not recorded.
    pub queue_events_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            file: None,
            data_events: false,
            queue_events_max: 16_384,
        }
    }
}

impl Config {
    /// The trail of a gateway alone, of which nobody looks up events.
    #[must_use]
    pub fn of_trail(&self) -> proto::audit::Config {
        proto::audit::Config {
            file: self.file.clone(),
            events_kept: 0,
            data_events_kept: 0,
            queue_events_max: self.queue_events_max,
        }
    }
}
