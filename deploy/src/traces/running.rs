//! The start and the end of traces.

use std::sync::Arc;
use std::time::Duration;

use gateway::measured::Metrics;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::traces::exporter::Exporter;
use crate::traces::queue::Dropped;
use crate::traces::queue::Queue;
use crate::traces::settings::Settings;

/// What sends traces until it is stopped.
#[derive(Debug)]
pub struct Traces {
    stop: CancellationToken,
    exporting: AbortOnDropHandle<()>,
    dropped: Dropped,
}

/// Begins to send traces if `env` names a collector.
pub(super) fn start(
    service: &'static str,
    env: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Option<Traces>> {
    let Some(settings) = Settings::read(env, service)? else {
        return Ok(None);
    };
    let (stop, dropped) = (CancellationToken::new(), Dropped::default());
    let (queue, spans) = Queue::new(dropped.clone());
    let sampler = settings.sampler.clone();
    let endpoint = settings.endpoint.clone();
    let exporter = Exporter::new(settings, spans, stop.clone(), dropped.clone())?;
    let provider = SdkTracerProvider::builder()
        .with_sampler(sampler)
        .with_span_processor(queue)
        .build();
    anyhow::ensure!(
        proto::trace::enable(provider.tracer("sealgate")),
        "traces were started before"
    );
    tracing::info!(%endpoint, "traces are sent to a collector");
    let exporting = AbortOnDropHandle::new(tokio::spawn(exporter.run()));
    Ok(Some(Traces {
        stop,
        exporting,
        dropped,
    }))
}

impl Traces {
    /// Counts spans that are dropped in the metrics of a gateway.
    pub fn count_in(&self, metrics: Arc<Metrics>) {
        self.dropped.count_in(metrics);
    }

    pub(super) async fn stop(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(FLUSH_WITHIN, self.exporting).await;
        if ended.is_err() {
            tracing::warn!("the last spans were not sent: the collector did not take them in time");
        }
        let dropped = self.dropped.total();
        if dropped > 0 {
            tracing::warn!(dropped, "spans that were dropped in all");
        }
    }
}

/// How long the collector may delay the end of the process.
const FLUSH_WITHIN: Duration = Duration::from_secs(2);
