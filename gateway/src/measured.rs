//! Every metric of the gateway, with what it counts or measures; `deploy/METRICS.md` has them, too.

use metrics::Unit;

/// Names and meanings. A name that ends in `_total` is a counter, one in `_seconds` that is no time a histogram.
pub const METRICS: [(&str, Kind, &str); 15] = [
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
        CONFIG_RELOAD_FAILED,
        Kind::Counter,
        "Reloads of users and certificate that were refused.",
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

/// Gives every metric its meaning, and counters without labels their zero. To be called once, when the process has
/// what collects metrics.
pub fn describe() {
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
/// Reloads that were refused.
pub const CONFIG_RELOAD_FAILED: &str = "sealgate_config_reload_failed_total";
/// When the last reload succeeded.
pub const CONFIG_RELOAD_TIME: &str = "sealgate_config_reload_time_seconds";
/// When the certificate ends.
pub(crate) const CERTIFICATE_EXPIRY: &str = "sealgate_certificate_expiry_time_seconds";

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
                let is_name = |text: &&str| text.ends_with("_total") || text.ends_with("_seconds");
                names.extend(quoted.filter(is_name).map(str::to_owned));
            }
        }
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
