//! Traces of this process, sent to a collector by OTLP, if the environment names one: `deploy/TRACES.md`.
//!
//! A request only puts its finished spans into a bounded queue. What finds no room there, or is not taken by the
//! collector, is dropped, counted, and logged once.

use crate::environment;

#[cfg(not(feature = "otlp"))]
mod absent;
#[cfg(feature = "otlp")]
mod exporter;
#[cfg(feature = "otlp")]
mod queue;
#[cfg(feature = "otlp")]
mod running;
#[cfg(feature = "otlp")]
mod settings;

#[cfg(not(feature = "otlp"))]
use crate::traces::absent as running;
pub use crate::traces::running::Traces;

/// Begins to send the traces of `service`, as the environment has it; none if that names no collector.
///
/// Must be called within a Tokio runtime, before the first request.
///
/// # Errors
///
/// A sentence that names the variable with a value that cannot be used.
pub fn start(service: &'static str) -> anyhow::Result<Option<Traces>> {
    running::start(service, environment::variable)
}

/// Sends what is left, for at most two seconds. To be called after the last request.
pub async fn stop(traces: Option<Traces>) {
    if let Some(traces) = traces {
        traces.stop().await;
    }
}
