//! The results of a run, as `--json` prints them and files of reports have them. `deploy/load.schema.json` is their
//! schema.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

/// Everything that a run found.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    /// The version of this shape.
    pub schema: String,
    /// When requests were due first, in ISO 8601; none in results of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// What was run: the flags, with the seed that repeats it.
    pub scenario: BTreeMap<String, String>,
    /// Counts of the clients.
    pub summary: Summary,
    /// How long requests took.
    pub latency_ms: Latency,
    /// Whether the generator kept its own times.
    pub generator: Generator,
    /// Each second; those after the duration have retries only.
    pub seconds: Vec<Second>,
    /// Each quota that was used.
    pub quotas: Vec<QuotaResult>,
    /// What the KMS counted.
    pub kms: KmsCounts,
    /// What objects cost the KMS: of writes and of reads, where there were any.
    pub objects: Vec<ObjectCosts>,
    /// What Bucket Keys saved; none if no gateway was asked.
    pub bucket_keys: Option<BucketKeyUse>,
    /// Streams that ran at once, in order.
    pub streams: Vec<StreamResult>,
    /// Error codes, and how many attempts had them.
    pub errors: BTreeMap<String, u64>,
    /// The thresholds.
    pub thresholds: Vec<ThresholdResult>,
    /// Latencies from due in microseconds: HdrHistogram's V2, compressed, in base64.
    pub histogram: String,
    /// The same from the same seed, with one change each.
    pub comparisons: Vec<Comparison>,
}

/// A run with one change.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// The change, as `--compare` has it.
    pub change: String,
    /// What that run found; it has no comparisons of its own.
    pub results: Results,
}

/// What was counted of one stream.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StreamResult {
    /// Its name; writes and reads of objects are streams of their own.
    pub name: String,
    /// Requests that were due.
    pub offered: u64,
    /// Attempts that were sent.
    pub sent: u64,
    /// Attempts that were served.
    pub served: u64,
    /// Attempts that were throttled.
    pub throttled: u64,
    /// Requests that ended without being served.
    pub given_up: u64,
}

/// Counts of the clients.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Requests that were due.
    pub offered: u64,
    /// Attempts that were sent.
    pub sent: u64,
    /// Attempts that were served, and so requests.
    pub served: u64,
    /// Attempts that were throttled.
    pub throttled: u64,
    /// Attempts that failed otherwise.
    pub failed: u64,
    /// Attempts after the first.
    pub retries: u64,
    /// Requests that ended without being served.
    pub given_up: u64,
    /// Requests that were not sent, because too many were in flight.
    pub not_sent: u64,
    /// Requests that had not ended when the run did.
    pub unfinished: u64,
    /// Attempts by requests that were sent.
    pub amplification: f64,
    /// Requests that were served, by those that were offered.
    pub success_ratio: f64,
    /// Attempts that were throttled, by those that were sent.
    pub throttled_ratio: f64,
    /// How long requests were due, in seconds.
    pub duration_s: f64,
}

/// How long requests took that were served.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// From when they were due: what a user waited, retries included.
    pub from_due: Percentiles,
    /// From when the attempt was sent that was served.
    pub service: Percentiles,
}

/// Percentiles, in milliseconds.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Percentiles {
    /// The median.
    pub p50: f64,
    /// 90 of 100 took at most so long.
    pub p90: f64,
    /// 95 of 100.
    pub p95: f64,
    /// 99 of 100.
    pub p99: f64,
    /// 999 of 1,000.
    pub p99_9: f64,
    /// The longest.
    pub max: f64,
    /// The mean.
    pub mean: f64,
}

/// Whether the generator kept its own times.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Generator {
    /// 99 of 100 requests were started at most so long after they were due, in milliseconds.
    pub late_p99_ms: f64,
    /// Seconds in which that was more than 10 ms. Thresholds leave them out.
    pub late_seconds: u64,
    /// Seconds whose meters could not be read.
    pub seconds_without_meters: u64,
    /// Whether at most one second in twenty was late.
    pub valid: bool,
}

/// One second.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Second {
    /// Which one, from 0.
    pub t: u64,
    /// Requests that were due.
    pub offered: u64,
    /// Attempts that were sent.
    pub sent: u64,
    /// Of these, first ones.
    pub first_attempts: u64,
    /// Of these, later ones.
    pub retries: u64,
    /// Calls that the KMS let pass, those of S3 among them.
    pub served: u64,
    /// Calls that the KMS throttled.
    pub throttled: u64,
    /// Attempts that failed otherwise.
    pub failed: u64,
    /// Answers that clients received in this second: served.
    pub client_served: u64,
    /// Answers that clients received in this second: throttled.
    pub client_throttled: u64,
    /// Requests that had not ended at its end.
    pub in_flight: u64,
    /// The rate of the quota that was used most, in requests a second; 0 if none was.
    pub quota: f64,
    /// From due, of the requests that ended in this second.
    pub p50_ms: f64,
    /// As `p50_ms`, for 99 of 100.
    pub p99_ms: f64,
    /// Whether the generator was late.
    pub late: bool,
}

/// What was used of one quota.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaResult {
    /// The account.
    pub account: String,
    /// The Region.
    pub region: String,
    /// The class.
    pub class: String,
    /// AWS's name of it.
    pub name: String,
    /// Service Quotas' code of it.
    pub code: Option<String>,
    /// Requests a second in force.
    pub rate: f64,
    /// Most requests that arrived in one second, served or not.
    pub peak_second: u64,
    /// What CloudWatch would have shown: the most that passed in a minute of the clock, in per cent of
    /// sixty times the rate.
    pub minute_percent: f64,
    /// Requests that passed.
    pub served: u64,
    /// Requests that were throttled.
    pub throttled: u64,
    /// The first second in which one was; none if none was.
    pub first_throttled_s: Option<u64>,
    /// The least that passed, by the rate, of the full seconds in which at least the rate arrived.
    pub served_of_quota_min: Option<f64>,
    /// The most that passed, by the rate, of all seconds.
    pub served_of_quota_max: f64,
}

/// What the KMS counted.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KmsCounts {
    /// Requests that were charged to a quota or throttled, by the meters.
    pub calls: u64,
    /// Attempts by operation: by the clients, or by the KMS's count where S3 called it.
    pub by_operation: BTreeMap<String, u64>,
}

/// How a threshold ended.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ThresholdResult {
    /// As it was written.
    pub expression: String,
    /// The figure; none if nothing could be compared.
    pub value: Option<f64>,
    /// Whether it holds.
    pub ok: bool,
}

/// KMS calls for objects that were written or read.
#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectCosts {
    /// PutObject or GetObject.
    pub operation: String,
    /// Requests that were served.
    pub served: u64,
    /// What S3 calls for them.
    pub kms_operation: String,
    /// Its calls with success, by the KMS's count.
    pub kms_calls: u64,
    /// Its calls that were throttled.
    pub kms_throttled: u64,
    /// Calls with success by objects that were served; none if none was.
    pub kms_calls_per_object: Option<f64>,
}

/// What Bucket Keys saved, by the gateway's count.
#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BucketKeyUse {
    /// Objects that needed no call of the KMS: the calls that were saved.
    pub saved_calls: u64,
    /// Calls of the KMS that made or unwrapped a bucket key.
    pub calls: u64,
}

impl Results {
    /// The seconds to draw: those up to the last in which something was sent. Later ones have the last answers only,
    /// and would show as a fall of what was constant.
    pub(super) fn drawn(&self) -> &[Second] {
        let last = self.seconds.iter().rposition(|row| row.sent > 0);
        let drawn = last.map_or(0, |last| last + 1);
        self.seconds.get(..drawn).unwrap_or_default()
    }

    /// Why the run is not valid, in a sentence, if it is not.
    #[must_use]
    pub fn invalidity(&self) -> Option<String> {
        let Generator {
            late_seconds,
            seconds_without_meters,
            valid,
            ..
        } = self.generator;
        match (valid, seconds_without_meters) {
            (false, _) => Some(format!(
                "This run is not valid: the generator was late in {late_seconds} of its seconds, so that the load was \
                 not what it should have been."
            )),
            (true, 0) => None,
            (true, unread) => Some(format!(
                "This run is not valid: the KMS's meters of {unread} of its seconds could not be read."
            )),
        }
    }

    /// Whether objects were written or read.
    #[must_use]
    pub fn has_objects(&self) -> bool {
        !self.objects.is_empty()
    }
}

/// The name of the shape and its version.
pub const SCHEMA: &str = "sealgate.load/1";
