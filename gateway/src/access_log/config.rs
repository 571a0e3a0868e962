//! How access logs are delivered.

use std::time::Duration;

/// How access logs are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long records wait for others before they are delivered, in seconds.
    pub interval_seconds: u64,
    /// Most memory for records that wait, in bytes; an eighth of it for one bucket. Further records are
    /// dropped.
    pub memory_max_bytes: usize,
    /// Whether records end with the field `Source Region`, the 27th, the last one that AWS appended.
    /// Readers that expect exactly 26 fields need it off.
    pub source_region: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interval_seconds: 300,
            memory_max_bytes: 64 << 20,
            source_region: true,
        }
    }
}

impl Config {
    /// How long records wait.
    #[must_use]
    pub fn interval(&self) -> Duration {
        Duration::from_secs(self.interval_seconds)
    }

    /// Most memory for the records of one bucket, in bytes.
    #[must_use]
    pub fn bucket_max_bytes(&self) -> usize {
        self.memory_max_bytes / 8
    }
}
