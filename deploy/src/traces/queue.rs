//! Finished spans on their way from requests to what sends them.

use std::fmt;
use std::fmt::Debug;
use std::fmt::Formatter;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use gateway::measured::Metrics;
use gateway::measured::TRACE_SPANS_DROPPED;
use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::Span;
use opentelemetry_sdk::trace::SpanData;
use opentelemetry_sdk::trace::SpanProcessor;
use tokio::sync::mpsc;

/// Takes finished spans, as many as there is room for.
#[derive(Debug)]
pub(super) struct Queue {
    sender: mpsc::Sender<SpanData>,
    dropped: Dropped,
}

/// How many spans were dropped.
#[derive(Clone, Default)]
pub(super) struct Dropped(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    total: u64,
    /// Where they are counted, too, once there is a gateway.
    metrics: Option<Arc<Metrics>>,
}

impl Queue {
    /// An empty one, and its other end.
    pub(super) fn new(dropped: Dropped) -> (Self, mpsc::Receiver<SpanData>) {
        let (sender, receiver) = mpsc::channel(SPANS_MAX);
        (Self { sender, dropped }, receiver)
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.sender.try_send(span).is_err() {
            self.dropped.add(1, "there is no room for more");
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl Dropped {
    /// Counts spans that were dropped; the first time, logs why.
    pub(super) fn add(&self, spans: u64, why: &str) {
        let is_first = {
            let mut counts = self.lock();
            let before = counts.total;
            counts.total = before.saturating_add(spans);
            if let Some(metrics) = &counts.metrics {
                metrics.count_dropped_spans(spans);
            }
            before == 0 && spans > 0
        };
        if is_first {
            tracing::warn!(
                why,
                "spans are dropped; the next ones are only counted, in {TRACE_SPANS_DROPPED}"
            );
        }
    }

    /// Counts them in the metrics of a gateway, too, those before included.
    pub(super) fn count_in(&self, metrics: Arc<Metrics>) {
        let mut counts = self.lock();
        metrics.count_dropped_spans(counts.total);
        counts.metrics = Some(metrics);
    }

    /// All of them.
    pub(super) fn total(&self) -> u64 {
        self.lock().total
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Debug for Dropped {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dropped").field(&self.total()).finish()
    }
}

/// Most spans that wait to be sent: OpenTelemetry's own default.
const SPANS_MAX: usize = 2_048;

#[cfg(test)]
mod tests {
    use opentelemetry::trace::Span as _;
    use opentelemetry::trace::Tracer as _;
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::Sampler;
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    #[test]
    fn a_span_that_finds_no_room_is_dropped_and_counted_and_blocks_nobody() {
        let dropped = Dropped::default();
        let (queue, mut spans) = Queue::new(dropped.clone());
        let provider = SdkTracerProvider::builder().with_span_processor(queue);
        let tracer = provider.build().tracer("test");
        for _ in 0..SPANS_MAX + 3 {
            tracer.start("span").end();
        }
        assert_eq!(dropped.total(), 3);
        let metrics = Arc::new(Metrics::new());
        dropped.count_in(Arc::clone(&metrics));
        dropped.add(2, "a test");
        let counted = format!("{TRACE_SPANS_DROPPED} 5");
        assert!(metrics.render().lines().any(|line| line == counted));
        let received = std::iter::from_fn(|| spans.try_recv().ok()).count();
        assert_eq!(received, SPANS_MAX);
    }

    #[test]
    fn a_span_that_the_sampler_did_not_choose_takes_no_room() {
        let (queue, mut spans) = Queue::new(Dropped::default());
        let provider = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOff);
        let tracer = provider.with_span_processor(queue).build().tracer("test");
        tracer.start("span").end();
        assert!(spans.try_recv().is_err());
    }
}
