//! What is counted for Prometheus.
//!
//! A request adds to counters that were looked up once; nothing is formatted before it is requested.
//! Callers choose accounts and Regions, so the number of series has a bound: beyond it requests are
//! counted under `other`, and further quotas have no gauges.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use dashmap::DashMap;
use metrics::Counter;
use metrics::Histogram;
use metrics::Key;
use metrics::Label;
use metrics::Level;
use metrics::Metadata;
use metrics::Recorder as _;
use metrics::Unit;
use metrics_exporter_prometheus::PrometheusBuilder;
use metrics_exporter_prometheus::PrometheusHandle;
use metrics_exporter_prometheus::PrometheusRecorder;
use proto::connection::open::OpenConnections;
use proto::identity::AccountId;
use proto::identity::Region;
use proto::renewal::Outdated;
use proto::time::Clock as _;
use proto::time::SystemClock;
use proto::time::Timestamp;

use crate::api::OperationName;
use crate::caller::Caller;
use crate::error::Code;
use crate::error::KmsError;
use crate::quota::Class;
use crate::quota::Quotas;

/// The counters of one server.
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    requests: DashMap<Outcome, Counter>,
    /// The quotas that have series: account, Region and class.
    quotas: Mutex<HashSet<(AccountId, Region, Class)>>,
    durations: Vec<Histogram>,
    outdated: Outdated,
}

/// What requests are counted by.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Outcome {
    /// None for requests beyond the bound.
    partition: Option<(AccountId, Region)>,
    protocol: Protocol,
    operation: OperationName,
    code: Option<Code>,
    quota_class: &'static str,
}

/// Which protocol a request was in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// gRPC.
    Grpc,
    /// AWS JSON 1.1.
    Json,
}

impl Protocol {
    const fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Json => "json",
        }
    }
}

impl Metrics {
    /// Counters at zero.
    #[must_use]
    pub fn new() -> Self {
        let builder = PrometheusBuilder::new();
        let recorder = builder
            .set_buckets(BUCKETS_SECONDS)
            .expect("the list of buckets is not empty")
            .build_recorder();
        for (name, meaning) in METRICS {
            match name {
                DURATION => {
                    recorder.describe_histogram(name.into(), Some(Unit::Seconds), meaning.into())
                }
                USAGE_CALL_COUNT | QUOTA_RATE | BUILD_INFO | CONNECTIONS | RELOAD_FAILED
                | RELOAD_TIME | CERTIFICATE_EXPIRY => {
                    recorder.describe_gauge(name.into(), None, meaning.into());
                }
                _ => recorder.describe_counter(name.into(), None, meaning.into()),
            }
        }
        let version = vec![Label::from_static_parts(
            "version",
            env!("CARGO_PKG_VERSION"),
        )];
        let info = recorder.register_gauge(&Key::from_parts(BUILD_INFO, version), &METADATA);
        info.set(1.0);
        recorder
            .register_gauge(&Key::from_name(RELOAD_FAILED), &METADATA)
            .set(0.0);
        let handle = recorder.handle();
        let duration = |operation: &OperationName| {
            let labels = vec![Label::from_static_parts("operation", operation.as_str())];
            recorder.register_histogram(&Key::from_parts(DURATION, labels), &METADATA)
        };
        let durations = OperationName::ALL.iter().map(duration).collect();
        Self {
            recorder,
            handle,
            requests: DashMap::new(),
            quotas: Mutex::default(),
            durations,
            outdated: Outdated::default(),
        }
    }

    /// Counts one answered request.
    pub fn count(
        &self,
        caller: &Caller,
        protocol: Protocol,
        operation: OperationName,
        error: Option<&KmsError>,
        took: Duration,
    ) {
        if let Some(durations) = self.durations.get(operation as usize) {
            durations.record(took.as_secs_f64());
        }

        let mut outcome = Outcome {
            partition: Some((caller.account.clone(), caller.region.clone())),
            protocol,
            operation,
            code: error.map(KmsError::code),
            quota_class: error
                .and_then(KmsError::throttle)
                .map_or("", |t| t.quota_class),
        };
        if let Some(counter) = self.requests.get(&outcome) {
            counter.increment(1);
            return;
        }

        if self.requests.len() >= SERIES_MAX {
            outcome.partition = None;
        }

        let (account, region) = match &outcome.partition {
            Some((account, region)) => (account.to_string(), region.to_string()),
            None => (OTHER.to_owned(), OTHER.to_owned()),
        };
        let labels = vec![
            Label::new("account", account),
            Label::new("region", region),
            Label::from_static_parts("protocol", protocol.name()),
            Label::from_static_parts("operation", operation.as_str()),
            Label::from_static_parts("code", outcome.code.map_or("OK", Code::name)),
            Label::from_static_parts("class", outcome.quota_class),
        ];
        let counter = self
            .recorder
            .register_counter(&Key::from_parts(REQUESTS, labels), &METADATA);
        counter.increment(1);
        self.requests.insert(outcome, counter);
    }

    /// Counts a request that was refused before its caller or operation was determined.
    pub fn count_refused(&self, code: Code) {
        let labels = vec![Label::from_static_parts("code", code.name())];
        let counter = self
            .recorder
            .register_counter(&Key::from_parts(REFUSED, labels), &METADATA);
        counter.increment(1);
    }

    /// Shows whether something could be read again, by its name.
    pub fn show_reload(&self, name: &'static str, is_done: bool) {
        let show = |is_outdated| {
            let value = f64::from(u8::from(is_outdated));
            self.gauge(RELOAD_FAILED, Vec::new(), value);
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
        self.gauge(RELOAD_TIME, Vec::new(), now);
    }

    /// Shows when the certificate in use ends.
    pub(crate) fn show_certificate_end(&self, end: Timestamp) {
        self.gauge(CERTIFICATE_EXPIRY, Vec::new(), end.unix_seconds_f64());
    }

    /// The number of connections that are open at a port.
    pub(crate) fn connections(&self, port: &'static str) -> OpenConnections {
        let labels = vec![Label::from_static_parts("port", port)];
        let key = Key::from_parts(CONNECTIONS, labels);
        let gauge = self.recorder.register_gauge(&key, &METADATA);
        OpenConnections::new(move |more| gauge.increment(more))
    }

    /// Everything counted, and what the operating system knows of this process, in Prometheus's text format, with
    /// the quotas' gauges as they are now.
    ///
    /// The gauges of the current window are named as CloudWatch's `AWS/Usage` names them.
    #[must_use]
    pub fn render(&self, quotas: &Quotas, audit_events_lost: u64) -> String {
        let mut named = self.quotas.lock().unwrap_or_else(PoisonError::into_inner);
        for usage in quotas.usage() {
            let quota = (usage.account.clone(), usage.region.clone(), usage.class);
            if named.len() >= SERIES_MAX && !named.contains(&quota) {
                continue;
            }
            named.insert(quota);
            let labels = vec![
                Label::new("account", usage.account.to_string()),
                Label::new("region", usage.region.to_string()),
                Label::from_static_parts("service", "KMS"),
                Label::from_static_parts("type", "API"),
                Label::from_static_parts("class", "None"),
                Label::from_static_parts("resource", usage.class.name()),
            ];
            self.gauge(USAGE_CALL_COUNT, labels.clone(), f64::from(usage.used));
            self.gauge(QUOTA_RATE, labels.clone(), usage.rate);
            for (outcome, count) in [("allowed", usage.allowed), ("throttled", usage.throttled)] {
                let mut labels = labels.clone();
                labels.push(Label::from_static_parts("outcome", outcome));
                let key = Key::from_parts(QUOTA_REQUESTS, labels);
                self.recorder
                    .register_counter(&key, &METADATA)
                    .absolute(count);
            }
        }

        drop(named);
        let lost = Key::from_name(AUDIT_LOST);
        self.recorder
            .register_counter(&lost, &METADATA)
            .absolute(audit_events_lost);
        self.handle.render() + &proto::process::render()
    }

    /// Folds the recorded durations into their buckets; to be called every few seconds.
    pub fn tidy(&self) {
        self.handle.run_upkeep();
    }

    /// Sets a gauge.
    fn gauge(&self, name: &'static str, labels: Vec<Label>, value: f64) {
        self.recorder
            .register_gauge(&Key::from_parts(name, labels), &METADATA)
            .set(value);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// Where metrics come from; the recorder takes it and does not use it.
const METADATA: Metadata<'static> = Metadata::new("kms", Level::INFO, None);

/// Answered requests.
const REQUESTS: &str = "sealgate_kms_requests_total";

/// Requests refused before they had a caller.
const REFUSED: &str = "sealgate_kms_refused_total";

/// Seconds from the request's last byte to the answer's first.
const DURATION: &str = "sealgate_kms_request_duration_seconds";

/// Requests that passed in the current window.
const USAGE_CALL_COUNT: &str = "aws_usage_call_count";

/// Requests per second a quota allows.
const QUOTA_RATE: &str = "sealgate_kms_quota_requests_per_second";

/// Requests charged to a quota.
const QUOTA_REQUESTS: &str = "sealgate_kms_quota_requests_total";

/// Audit events that could not be written.
const AUDIT_LOST: &str = "sealgate_kms_audit_events_lost_total";

/// Connections that are open.
const CONNECTIONS: &str = "sealgate_connections";

/// Whether something could not be read again.
const RELOAD_FAILED: &str = "sealgate_config_reload_failed";

/// When the last reload succeeded.
const RELOAD_TIME: &str = "sealgate_config_reload_time_seconds";

/// When the certificate ends.
const CERTIFICATE_EXPIRY: &str = "sealgate_certificate_expiry_time_seconds";

/// What was built, by its version.
const BUILD_INFO: &str = "sealgate_build_info";

/// Every metric, with what it counts or measures; `deploy/METRICS.md` has them, too.
pub const METRICS: [(&str, &str); 12] = [
    (
        REQUESTS,
        "Requests by account, Region, protocol, operation and outcome.",
    ),
    (
        REFUSED,
        "Requests refused before they had a caller or an operation, by error.",
    ),
    (
        DURATION,
        "Time from a request's last byte to the answer's first.",
    ),
    (
        USAGE_CALL_COUNT,
        "Requests in the current second, as CloudWatch's AWS/Usage names them.",
    ),
    (QUOTA_RATE, "Requests per second that a quota allows."),
    (
        QUOTA_REQUESTS,
        "Requests charged to a quota since the start, by outcome.",
    ),
    (AUDIT_LOST, "Audit events that could not be written."),
    (
        CONNECTIONS,
        "Connections of clients that are open, by port.",
    ),
    (
        RELOAD_FAILED,
        "1 while something that was to be read again cannot be used, and what was read before is in use.",
    ),
    (
        RELOAD_TIME,
        "When the last reload succeeded, in seconds since 1970.",
    ),
    (
        CERTIFICATE_EXPIRY,
        "When the certificate of the port ends, in seconds since 1970.",
    ),
    (BUILD_INFO, "1, by the version that was built."),
];

/// Most combinations of labels that requests, and quotas, are counted by.
const SERIES_MAX: usize = 10_000;

/// The account and Region of requests beyond that.
const OTHER: &str = "other";

/// Upper bounds of the duration buckets, in seconds.
const BUCKETS_SECONDS: &[f64] = &[
    0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.005, 0.025, 0.1, 0.5, 2.0,
];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn every_metric_is_shown_with_its_meaning() {
        let metrics = Metrics::new();
        let config = crate::quota::Config::default();
        let quotas = Quotas::new(config, Arc::new(SystemClock)).unwrap();
        let caller = Caller::fixture("111122223333", "us-east-1");
        let took = Duration::from_millis(1);
        metrics.count(&caller, Protocol::Json, OperationName::Encrypt, None, took);
        metrics.count_refused(Code::ThrottlingException);
        let class = Class::CryptographicOperationsSymmetric;
        quotas
            .charge(&caller.account, &caller.region, class)
            .unwrap();
        let open = metrics.connections("kms").open();
        metrics.show_reload_time();
        metrics.show_reload("users", false);
        metrics.show_certificate_end(Timestamp::from_unix_seconds(1_800_000_000));
        let text = metrics.render(&quotas, 0);
        for line in [
            "sealgate_connections{port=\"kms\"} 1",
            "sealgate_config_reload_failed 1",
            "sealgate_certificate_expiry_time_seconds 1800000000",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}: {text}");
        }
        drop(open);
        let closed = "sealgate_connections{port=\"kms\"} 0\n";
        assert!(metrics.render(&quotas, 0).contains(closed));
        for (name, meaning) in METRICS {
            assert!(
                text.contains(&format!("# HELP {name} {meaning}")),
                "{name}: {text}"
            );
        }
        let helps = text.lines().filter(|line| line.starts_with("# HELP"));
        let of_process = proto::process::METRICS.len();
        assert_eq!(helps.count(), METRICS.len() + of_process, "{text}");
    }

    #[test]
    fn made_up_accounts_do_not_make_series_without_end() {
        let metrics = Metrics::new();
        let config = crate::quota::Config::default();
        let quotas = Quotas::new(config, Arc::new(SystemClock)).unwrap();
        let count = |number: usize| {
            let caller = Caller::fixture(&format!("{number:012}"), "us-east-1");
            let took = Duration::from_millis(1);
            metrics.count(&caller, Protocol::Json, OperationName::Encrypt, None, took);
        };
        (0..SERIES_MAX + 100).for_each(count);
        let text = metrics.render(&quotas, 0);
        let series = text
            .lines()
            .filter(|line| line.starts_with("sealgate_kms_requests_total{"));
        assert_eq!(series.count(), SERIES_MAX + 1);
        let other = text.lines().find(|line| line.contains("account=\"other\""));
        assert!(other.unwrap().ends_with(" 100"), "{other:?}");
    }
}
