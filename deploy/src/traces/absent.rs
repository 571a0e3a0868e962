//! A build without the feature `otlp`.

use std::sync::Arc;

use gateway::measured::Metrics;

/// What sends traces: nothing does.
#[derive(Debug)]
pub enum Traces {}

impl Traces {
    /// Counts nothing.
    pub fn count_in(&self, _: Arc<Metrics>) {
        match *self {}
    }

    pub(super) async fn stop(self) {
        match self {}
    }
}

/// Says that there are no traces, where the environment asks for some.
pub(super) fn start(
    _: &'static str,
    env: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Option<Traces>> {
    for name in [
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    ] {
        if env(name).is_some() {
            tracing::warn!("{name} is set, but this binary was built without traces");
        }
    }
    Ok(None)
}
