//! Every metric of the gateway, with what it counts or measures; `deploy/METRICS.md` has them, too.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use metrics::Unit;
use metrics_exporter_prometheus::PrometheusBuilder;
use metrics_exporter_prometheus::PrometheusHandle;
use metrics_exporter_prometheus::PrometheusRecorder;
use proto::connection::open::OpenConnections;
use proto::renewal::Outdated;
use proto::time::Clock as _;
use proto::time::SystemClock;
use tokio::task::JoinHandle;

/// Names and meanings. A name that ends in `_total` is a counter, one in `_seconds` that is no time a histogram.
pub const METRICS: [(&str, Kind, &str); 17] = [
    (
        "sealgate_s3_requests_total",
        Kind::Labelled,
        "Requests answered, by operation and class of status.",
    ),
    (
        "sealgate_s3_request_seconds",
        Kind::Histogram,
        "Time from a request's head to the end of its answer.",
    ),
    (
        "sealgate_s3_sent_bytes_total",
        Kind::Counter,
        "Bytes of answers' bodies.",
    ),
    (
        KMS_CALL_SECONDS,
        Kind::Histogram,
        "Time of a call to the KMS with its repetitions, by operation and outcome.",
    ),
    (
        KMS_THROTTLED,
        Kind::Labelled,
        "Calls that the KMS throttled, by the quota's class.",
    ),
    (
        BUCKET_KEY_HITS,
        Kind::Counter,
        "Objects that needed no call to the KMS because of a Bucket Key.",
    ),
    (
        BUCKET_KEY_MISSES,
        Kind::Counter,
        "Calls to the KMS that made or unwrapped a Bucket Key.",
    ),
    (
        "sealgate_objects_refused_total",
        Kind::Counter,
        "Objects that do not open: tampering at the backend, or a bug.",
    ),
    (
        "sealgate_unsealed_reads_total",
        Kind::Counter,
        "Reads of objects that are not sealed, in adopted buckets.",
    ),
    (
        "sealgate_access_log_dropped_total",
        Kind::Counter,
        "Records of access logs that found no room.",
    ),
    (
        "sealgate_audit_events_lost_total",
        Kind::Counter,
        "Events of the trail that found no room.",
    ),
    (
        TRACE_SPANS_DROPPED,
        Kind::Counter,
        "Spans of traces that found no room, or that the collector did not take.",
    ),
    (
        CONNECTIONS,
        Kind::Gauge,
        "Connections of clients that are open, by port.",
    ),
    (
        CONFIG_RELOAD_FAILED,
        Kind::Gauge,
        "1 while something that was to be read again cannot be used, and what was read before is in use.",
    ),
    (
        CONFIG_RELOAD_TIME,
        Kind::Gauge,
        "When the last reload succeeded, in seconds since 1970.",
    ),
    (
        CERTIFICATE_EXPIRY,
        Kind::Gauge,
        "When the certificate of the HTTPS port ends, in seconds since 1970.",
    ),
    (BUILD_INFO, Kind::Gauge, "1, by the version that was built."),
];

/// How a metric is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A counter without labels, which is there from the start.
    Counter,
    /// A counter that is there once a label's value is.
    Labelled,
    /// A value that goes both ways.
    Gauge,
    /// Durations in buckets.
    Histogram,
}

/// What one gateway counts. Two gateways in one process have each their own.
///
/// Tasks of a gateway run in a [`Scope`]: whatever they count by the macros of `metrics` is counted here, and not
/// in a recorder of the process.
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    outdated: Outdated,
}

impl Metrics {
    /// Counters at zero.
    #[must_use]
    pub fn new() -> Self {
        let builder = PrometheusBuilder::new();
        let recorder = builder
            .set_buckets(&BUCKETS_SECONDS)
            .expect("the list of buckets is not empty")
            .build_recorder();
        let metrics = Self {
            handle: recorder.handle(),
            recorder,
            outdated: Outdated::default(),
        };
        metrics.enter(describe);
        metrics
    }

    /// Everything counted, and what the operating system knows of this process, in Prometheus's text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.handle.render() + &proto::process::render()
    }

    /// Folds the recorded durations into their buckets; to be called every few seconds.
    pub fn tidy(&self) {
        self.handle.run_upkeep();
    }

    /// Shows whether something could be read again, by its name.
    pub fn show_reload(&self, name: &'static str, is_done: bool) {
        let show = |is_outdated| {
            let value = f64::from(u8::from(is_outdated));
            self.enter(|| metrics::gauge!(CONFIG_RELOAD_FAILED).set(value));
        };
        self.outdated.note(name, is_done, show);
    }

    /// Shows what became of something whose files changed: [`Self::show_reload`], and the time if it was read again.
    pub fn show_change(&self, name: &'static str, is_done: bool) {
        self.show_reload(name, is_done);
        if is_done {
            self.show_reload_time();
        }
    }

    /// Shows that everything that was to be read again was read now.
    pub fn show_reload_time(&self) {
        let now = SystemClock.now().unix_seconds_f64();
        self.enter(|| metrics::gauge!(CONFIG_RELOAD_TIME).set(now));
    }

    /// Counts spans of traces that were dropped.
    pub fn count_dropped_spans(&self, spans: u64) {
        self.enter(|| metrics::counter!(TRACE_SPANS_DROPPED).increment(spans));
    }

    /// Does work whose metrics are counted here.
    fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        metrics::with_local_recorder(&self.recorder, work)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// The number of connections that are open at a port.
pub(crate) fn connections(port: &'static str) -> OpenConnections {
    let gauge = metrics::gauge!(CONNECTIONS, "port" => port);
    OpenConnections::new(move |more| gauge.increment(more))
}

/// Starts a task whose metrics are counted where those of the current task are.
///
/// The gateway starts tasks by this alone, which `tests/tidy` checks: what a task of `tokio::spawn` counts would be
/// lost, and nobody would notice.
pub(crate) fn spawn<F>(task: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let scope = CURRENT.with_borrow(Scope::clone);
    tokio::spawn(scope.run(task))
}

thread_local! {
    /// The scope of the task that this thread is at.
    static CURRENT: RefCell<Scope> = const { RefCell::new(Scope(None)) };
}

/// Where the metrics of a gateway are counted; nowhere if nobody wants them.
#[derive(Clone, Default)]
pub(crate) struct Scope(Option<Arc<Metrics>>);

impl Scope {
    /// Counts in `metrics`.
    pub(crate) fn new(metrics: Option<Arc<Metrics>>) -> Self {
        Self(metrics)
    }

    /// What is counted in, if anything is.
    pub(crate) fn metrics(&self) -> Option<&Metrics> {
        self.0.as_deref()
    }

    /// Does work whose metrics are counted.
    pub(crate) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(metrics) => metrics.enter(work),
            None => work(),
        }
    }

    /// A task whose metrics are counted, whichever threads it runs on.
    pub(crate) fn run<F: Future>(&self, task: F) -> Measured<F> {
        Measured {
            scope: self.clone(),
            carried: self.clone(),
            task: Some(Box::pin(task)),
        }
    }
}

/// A task whose metrics are counted in a scope.
pub(crate) struct Measured<F: Future> {
    scope: Scope,
    /// The same, in the place of the thread's own while the task runs on it. Exchanged and not cloned: each poll
    /// would count references otherwise.
    carried: Scope,
    /// None while it is dropped.
    task: Option<Pin<Box<F>>>,
}

impl<F: Future> Future for Measured<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self {
            scope,
            carried,
            task,
        } = &mut *self;
        let task = task.as_mut().expect("it is there until it is dropped");
        let _exchanged = Exchanged::new(carried);
        scope.enter(|| task.as_mut().poll(context))
    }
}

impl<F: Future> Drop for Measured<F> {
    fn drop(&mut self) {
        // What a task counts when it is given up is counted, too.
        let Self { scope, task, .. } = self;
        scope.enter(|| drop(task.take()));
    }
}

/// A scope that has changed places with that of the thread. It is put back when this is dropped, also by a panic.
struct Exchanged<'a>(&'a mut Scope);

impl<'a> Exchanged<'a> {
    fn new(scope: &'a mut Scope) -> Self {
        CURRENT.with_borrow_mut(|current| std::mem::swap(current, scope));
        Self(scope)
    }
}

impl Drop for Exchanged<'_> {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(|current| std::mem::swap(current, self.0));
    }
}

/// Gives every metric its meaning, and counters without labels their zero.
fn describe() {
    for (name, kind, meaning) in METRICS {
        match kind {
            Kind::Counter => {
                metrics::describe_counter!(name, meaning);
                metrics::counter!(name).increment(0);
            }
            Kind::Labelled => metrics::describe_counter!(name, meaning),
            Kind::Gauge => metrics::describe_gauge!(name, meaning),
            Kind::Histogram => metrics::describe_histogram!(name, Unit::Seconds, meaning),
        }
    }
    metrics::gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    metrics::gauge!(CONFIG_RELOAD_FAILED).set(0.0);
}

/// The version that was built.
const BUILD_INFO: &str = "sealgate_build_info";
/// Time of a call to the KMS.
pub(crate) const KMS_CALL_SECONDS: &str = "sealgate_kms_call_seconds";
/// Calls that the KMS throttled.
pub(crate) const KMS_THROTTLED: &str = "sealgate_kms_throttled_total";
/// Objects whose data key needed no call to the KMS, because of a Bucket Key.
pub(crate) const BUCKET_KEY_HITS: &str = "sealgate_bucket_key_hits_total";
/// Calls to the KMS that made or unwrapped a Bucket Key, refused ones among them.
pub(crate) const BUCKET_KEY_MISSES: &str = "sealgate_bucket_key_misses_total";
/// Spans that were dropped.
pub const TRACE_SPANS_DROPPED: &str = "sealgate_trace_spans_dropped_total";
/// Connections that are open.
const CONNECTIONS: &str = "sealgate_connections";
/// Whether something could not be read again.
const CONFIG_RELOAD_FAILED: &str = "sealgate_config_reload_failed";
/// When the last reload succeeded.
const CONFIG_RELOAD_TIME: &str = "sealgate_config_reload_time_seconds";
/// When the certificate ends.
pub(crate) const CERTIFICATE_EXPIRY: &str = "sealgate_certificate_expiry_time_seconds";
/// Upper bounds of the histogram buckets of durations, in seconds.
const BUCKETS_SECONDS: [f64; 10] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 60.0];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The names in the macros of every file below a folder.
    fn names_in(folder: &Path, names: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                names_in(&path, names);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                let quoted = text.split('"').filter(|text| text.starts_with("sealgate_"));
                let ends = ["_total", "_seconds", "_failed"];
                let is_name = |text: &&str| ends.iter().any(|end| text.ends_with(end));
                names.extend(quoted.filter(is_name).map(str::to_owned));
            }
        }
    }

    /// The value of a series without labels.
    fn value(metrics: &Metrics, name: &str) -> String {
        let text = metrics.render();
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap().to_owned()
    }

    #[tokio::test]
    async fn what_tasks_of_two_gateways_count_does_not_mix() {
        let (one, other) = (Arc::new(Metrics::new()), Arc::new(Metrics::new()));
        let count = |metrics: &Arc<Metrics>, calls: u64| {
            let scope = Scope::new(Some(Arc::clone(metrics)));
            tokio::spawn(scope.run(async move {
                for _ in 0..calls {
                    tokio::task::yield_now().await;
                    metrics::counter!(BUCKET_KEY_HITS).increment(1);
                }
            }))
        };
        let (first, second) = (count(&one, 3), count(&other, 5));
        first.await.unwrap();
        second.await.unwrap();
        assert_eq!(value(&one, BUCKET_KEY_HITS), "3");
        assert_eq!(value(&other, BUCKET_KEY_HITS), "5");
    }

    #[tokio::test]
    async fn what_a_task_counts_when_it_is_given_up_is_counted() {
        struct CountsAtItsEnd;
        impl Drop for CountsAtItsEnd {
            fn drop(&mut self) {
                metrics::counter!(BUCKET_KEY_MISSES).increment(1);
            }
        }
        let metrics = Arc::new(Metrics::new());
        let counts = CountsAtItsEnd;
        drop(Scope::new(Some(Arc::clone(&metrics))).run(async move {
            let _held = counts;
            std::future::pending::<()>().await;
        }));
        assert_eq!(value(&metrics, BUCKET_KEY_MISSES), "1");
    }

    #[tokio::test]
    async fn a_task_that_a_task_starts_counts_in_the_same_place_and_one_of_nobody_nowhere() {
        let count = || async { metrics::counter!(BUCKET_KEY_HITS).increment(1) };
        let metrics = Arc::new(Metrics::new());
        let scope = Scope::new(Some(Arc::clone(&metrics)));
        let outer = scope.run(async move {
            let inner = spawn(async move { spawn(count()).await.unwrap() });
            // While it waits, the thread is at the inner ones.
            inner.await.unwrap();
            spawn(count()).await.unwrap();
        });
        outer.await;
        spawn(count()).await.unwrap();
        assert_eq!(value(&metrics, BUCKET_KEY_HITS), "2");
    }

    #[tokio::test]
    async fn a_task_that_panics_leaves_the_thread_to_nobody() {
        let metrics = Arc::new(Metrics::new());
        let scope = Scope::new(Some(Arc::clone(&metrics)));
        assert!(tokio::spawn(scope.run(async { panic!() })).await.is_err());
        let counting = spawn(async { metrics::counter!(BUCKET_KEY_HITS).increment(1) });
        counting.await.unwrap();
        assert_eq!(value(&metrics, BUCKET_KEY_HITS), "0");
    }

    #[test]
    fn a_connection_is_counted_while_it_is_open() {
        let metrics = Metrics::new();
        let connections = metrics.enter(|| connections("http"));
        let value = || value(&metrics, "sealgate_connections{port=\"http\"}");
        assert_eq!(value(), "0");
        let (one, other) = (connections.open(), connections.open());
        assert_eq!(value(), "2");
        drop(one);
        assert_eq!(value(), "1");
        drop(other);
        assert_eq!(value(), "0");
    }

    #[test]
    fn every_metric_in_the_code_has_a_meaning() {
        let mut used = Vec::new();
        names_in(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
            &mut used,
        );
        assert!(used.len() >= METRICS.len(), "{used:?}");
        for name in used {
            assert!(METRICS.iter().any(|(known, ..)| *known == name), "{name}");
        }
    }
}
