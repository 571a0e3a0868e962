//! The results of a run, as `--json` prints them. `deploy/load.schema.json` is their schema.

mod histogram;
mod objects;

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::cli::threshold::Threshold;
use crate::cli::threshold::Unit;
use crate::load::counts::Counts;
use crate::load::meters::MeterSecond;
use crate::load::meters::Quota;
use crate::load::recorder::ClientSecond;
use crate::load::recorder::StreamCounts;
use crate::load::recorder::Totals;
use crate::load::recorder::quantile_ms;
use crate::load::results::objects::BucketKeyUse;
use crate::load::results::objects::ObjectCosts;

/// Everything that a run found.
#[derive(Debug, Serialize)]
pub(super) struct Results {
    /// The version of this shape.
    pub(super) schema: &'static str,
    /// What was run: the flags, with the seed that repeats it.
    pub(super) scenario: BTreeMap<String, String>,
    /// Counts of the clients.
    pub(super) summary: Summary,
    /// How long requests took.
    pub(super) latency_ms: Latency,
    /// Whether the generator kept its own times.
    pub(super) generator: Generator,
    /// Each second; those after the duration have retries only.
    pub(super) seconds: Vec<Second>,
    /// Each quota that was used.
    pub(super) quotas: Vec<QuotaResult>,
    /// What the KMS counted.
    pub(super) kms: KmsCounts,
    /// What objects cost the KMS: of writes and of reads, where there were any.
    pub(super) objects: Vec<ObjectCosts>,
    /// What Bucket Keys saved; none if no gateway was asked.
    pub(super) bucket_keys: Option<BucketKeyUse>,
    /// Streams that ran at once, in order.
    pub(super) streams: Vec<StreamResult>,
    /// Error codes, and how many attempts had them.
    pub(super) errors: BTreeMap<String, u64>,
    /// The thresholds.
    pub(super) thresholds: Vec<ThresholdResult>,
    /// Latencies from due in microseconds: HdrHistogram's V2, compressed, in base64.
    pub(super) histogram: String,
    /// The same from the same seed, with one change each.
    pub(super) comparisons: Vec<Comparison>,
}

/// A run with one change.
#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    /// The change, as `--compare` has it.
    pub(super) change: String,
    /// What that run found; it has no comparisons of its own.
    pub(super) results: Results,
}

/// What was counted of one stream.
#[derive(Debug, Serialize)]
pub(super) struct StreamResult {
    /// Its name; writes and reads of objects are streams of their own.
    pub(super) name: String,
    /// Requests that were due.
    pub(super) offered: u64,
    /// Attempts that were sent.
    pub(super) sent: u64,
    /// Attempts that were served.
    pub(super) served: u64,
    /// Attempts that were throttled.
    pub(super) throttled: u64,
    /// Requests that ended without being served.
    pub(super) given_up: u64,
}

/// Counts of the clients.
#[derive(Debug, Default, Serialize)]
pub(super) struct Summary {
    /// Requests that were due.
    pub(super) offered: u64,
    /// Attempts that were sent.
    pub(super) sent: u64,
    /// Attempts that were served, and so requests.
    pub(super) served: u64,
    /// Attempts that were throttled.
    pub(super) throttled: u64,
    /// Attempts that failed otherwise.
    pub(super) failed: u64,
    /// Attempts after the first.
    pub(super) retries: u64,
    /// Requests that ended without being served.
    pub(super) given_up: u64,
    /// Requests that were not sent, because too many were in flight.
    pub(super) not_sent: u64,
    /// Requests that had not ended when the run did.
    pub(super) unfinished: u64,
    /// Attempts by requests that were sent.
    pub(super) amplification: f64,
    /// Requests that were served, by those that were offered.
    pub(super) success_ratio: f64,
    /// Attempts that were throttled, by those that were sent.
    pub(super) throttled_ratio: f64,
    /// How long requests were due, in seconds.
    pub(super) duration_s: f64,
}

/// How long requests took that were served.
#[derive(Debug, Serialize)]
pub(super) struct Latency {
    /// From when they were due: what a user waited, retries included.
    pub(super) from_due: Percentiles,
    /// From when the attempt was sent that was served.
    pub(super) service: Percentiles,
}

/// Percentiles, in milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Percentiles {
    /// The median.
    pub(super) p50: f64,
    /// 90 of 100 took at most so long.
    pub(super) p90: f64,
    /// 95 of 100.
    pub(super) p95: f64,
    /// 99 of 100.
    pub(super) p99: f64,
    /// 999 of 1,000.
    pub(super) p99_9: f64,
    /// The longest.
    pub(super) max: f64,
    /// The mean.
    pub(super) mean: f64,
}

impl Percentiles {
    fn new(histogram: &Histogram<u64>) -> Self {
        Self {
            p50: quantile_ms(histogram, 0.5),
            p90: quantile_ms(histogram, 0.9),
            p95: quantile_ms(histogram, 0.95),
            p99: quantile_ms(histogram, 0.99),
            p99_9: quantile_ms(histogram, 0.999),
            max: quantile_ms(histogram, 1.0),
            mean: histogram.mean() / 1_000.0,
        }
    }
}

/// Whether the generator kept its own times.
#[derive(Debug, Serialize)]
pub(super) struct Generator {
    /// 99 of 100 requests were started at most so long after they were due, in milliseconds.
    pub(super) late_p99_ms: f64,
    /// Seconds in which that was more than 10 ms. Thresholds leave them out.
    pub(super) late_seconds: u64,
    /// Seconds whose meters could not be read.
    pub(super) seconds_without_meters: u64,
    /// Whether at most one second in twenty was late.
    pub(super) valid: bool,
}

/// One second.
#[derive(Debug, Default, Serialize)]
pub(super) struct Second {
    /// Which one, from 0.
    pub(super) t: u64,
    /// Requests that were due.
    pub(super) offered: u64,
    /// Attempts that were sent.
    pub(super) sent: u64,
    /// Of these, first ones.
    pub(super) first_attempts: u64,
    /// Of these, later ones.
    pub(super) retries: u64,
    /// Calls that the KMS let pass, those of S3 among them.
    pub(super) served: u64,
    /// Calls that the KMS throttled.
    pub(super) throttled: u64,
    /// Attempts that failed otherwise.
    pub(super) failed: u64,
    /// Answers that clients received in this second: served.
    pub(super) client_served: u64,
    /// Answers that clients received in this second: throttled.
    pub(super) client_throttled: u64,
    /// Requests that had not ended at its end.
    pub(super) in_flight: u64,
    /// The rate of the quota that was used most, in requests a second; 0 if none was.
    pub(super) quota: f64,
    /// From due, of the requests that ended in this second.
    pub(super) p50_ms: f64,
    /// As `p50_ms`, for 99 of 100.
    pub(super) p99_ms: f64,
    /// Whether the generator was late.
    pub(super) late: bool,
}

/// What was used of one quota.
#[derive(Debug, Serialize)]
pub(super) struct QuotaResult {
    /// The account.
    pub(super) account: String,
    /// The Region.
    pub(super) region: String,
    /// The class.
    pub(super) class: String,
    /// AWS's name of it.
    pub(super) name: String,
    /// Service Quotas' code of it.
    pub(super) code: Option<String>,
    /// Requests a second in force.
    pub(super) rate: f64,
    /// Most requests that arrived in one second, served or not.
    pub(super) peak_second: u64,
    /// What CloudWatch would have shown: the most that passed in a minute of the clock, in per cent of
    /// sixty times the rate.
    pub(super) minute_percent: f64,
    /// Requests that passed.
    pub(super) served: u64,
    /// Requests that were throttled.
    pub(super) throttled: u64,
    /// The first second in which one was; none if none was.
    pub(super) first_throttled_s: Option<u64>,
    /// The least that passed, by the rate, of the full seconds in which at least the rate arrived.
    pub(super) served_of_quota_min: Option<f64>,
    /// The most that passed, by the rate, of all seconds.
    pub(super) served_of_quota_max: f64,
}

/// What the KMS counted.
#[derive(Debug, Default, Serialize)]
pub(super) struct KmsCounts {
    /// Requests that were charged to a quota or throttled, by the meters.
    pub(super) calls: u64,
    /// Attempts by operation: by the clients, or by the KMS's count where S3 called it.
    pub(super) by_operation: BTreeMap<String, u64>,
}

/// How a threshold ended.
#[derive(Debug, Serialize)]
pub(super) struct ThresholdResult {
    /// As it was written.
    pub(super) expression: String,
    /// The figure; none if nothing could be compared.
    pub(super) value: Option<f64>,
    /// Whether it holds.
    pub(super) ok: bool,
}

/// What results are made of.
pub(super) struct Measured {
    /// What was run.
    pub(super) scenario: BTreeMap<String, String>,
    /// The names of the streams, in order.
    pub(super) streams: Vec<String>,
    /// How long requests were due, in seconds.
    pub(super) duration_s: f64,
    /// What clients counted.
    pub(super) clients: Vec<ClientSecond>,
    /// What the KMS counted.
    pub(super) meters: Vec<MeterSecond>,
    /// Seconds whose meters could not be read.
    pub(super) unread: Vec<u64>,
    /// What clients counted over the whole run.
    pub(super) totals: Totals,
    /// What the KMS and the gateway counted over the whole run; none if only the KMS was called.
    pub(super) counts: Option<Counts>,
}

impl Results {
    /// The seconds to draw: those up to the last in which something was sent. Later ones have the last answers only,
    /// and would show as a fall of what was constant.
    pub(super) fn drawn(&self) -> &[Second] {
        let last = self.seconds.iter().rposition(|row| row.sent > 0);
        let drawn = last.map_or(0, |last| last + 1);
        self.seconds.get(..drawn).unwrap_or_default()
    }

    /// Joins what clients and the KMS counted.
    ///
    /// # Errors
    ///
    /// When memory is short.
    pub(super) fn new(measured: &Measured, thresholds: &[Threshold]) -> std::io::Result<Self> {
        let clients = measured.clients.iter().enumerate();
        let seconds = clients.map(|(t, client)| Second {
            offered: measured.totals.offered.get(t).copied().unwrap_or_default(),
            ..second(t as u64, client, &measured.meters)
        });
        let seconds: Vec<Second> = seconds.collect();
        let totals = &measured.totals;
        let mut results = Self {
            schema: SCHEMA,
            scenario: measured.scenario.clone(),
            summary: summary(measured),
            latency_ms: Latency {
                from_due: Percentiles::new(&totals.from_due),
                service: Percentiles::new(&totals.service),
            },
            generator: generator(measured, &seconds),
            quotas: quotas(measured, &seconds),
            kms: KmsCounts {
                calls: seconds.iter().map(|row| row.served + row.throttled).sum(),
                by_operation: by_operation(measured),
            },
            objects: match &measured.counts {
                Some(counts) => ObjectCosts::of_both(totals, counts),
                None => Vec::new(),
            },
            bucket_keys: measured
                .counts
                .as_ref()
                .and_then(|it| Some(it.bucket_keys?.into())),
            streams: streams(measured),
            errors: totals.errors.clone(),
            thresholds: Vec::new(),
            histogram: histogram::text(&totals.from_due)?,
            comparisons: Vec::new(),
            seconds,
        };
        results.thresholds = thresholds.iter().map(|it| results.judge(it)).collect();
        Ok(results)
    }

    /// Whether objects were written or read.
    #[must_use]
    pub(super) fn has_objects(&self) -> bool {
        !self.objects.is_empty()
    }

    fn judge(&self, threshold: &Threshold) -> ThresholdResult {
        let value = self.figure(threshold);
        ThresholdResult {
            expression: threshold.to_string(),
            value,
            // What cannot be compared does not hold.
            ok: value.is_some_and(|value| threshold.holds(value)),
        }
    }

    fn figure(&self, threshold: &Threshold) -> Option<f64> {
        if threshold.unit == Unit::OfQuota {
            let least = self.quotas.iter().filter_map(|it| it.served_of_quota_min);
            return least.min_by(f64::total_cmp);
        }
        let (summary, latency) = (&self.summary, &self.latency_ms.from_due);
        let (count, all) = match &*threshold.metric {
            "served" => (summary.served, summary.offered),
            "throttled" => (summary.throttled, summary.sent),
            "failed" => (summary.failed, summary.sent),
            "retries" => (summary.retries, summary.sent),
            "given_up" => (summary.given_up, summary.offered),
            "not_sent" => (summary.not_sent, summary.offered),
            "amplification" => return Some(summary.amplification),
            "p50" => return Some(latency.p50),
            "p90" => return Some(latency.p90),
            "p95" => return Some(latency.p95),
            "p99" => return Some(latency.p99),
            "p99.9" => return Some(latency.p99_9),
            "max" => return Some(latency.max),
            "mean" => return Some(latency.mean),
            _ => return None,
        };
        match threshold.unit {
            Unit::Ratio => (all > 0).then(|| ratio(count, all)),
            _ => Some(count as f64),
        }
    }
}

fn by_operation(measured: &Measured) -> BTreeMap<String, u64> {
    let Some(counts) = &measured.counts else {
        let called = measured.totals.operations.iter();
        return called
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect();
    };
    let calls = counts.calls.iter();
    calls
        .map(|(name, calls)| (name.clone(), calls.all()))
        .collect()
}

fn streams(measured: &Measured) -> Vec<StreamResult> {
    let streams = measured.streams.iter().zip(&measured.totals.streams);
    let stream = |(name, counts): (&String, &StreamCounts)| StreamResult {
        name: name.clone(),
        offered: counts.offered,
        sent: counts.sent,
        served: counts.served,
        throttled: counts.throttled,
        given_up: counts.given_up,
    };
    streams.map(stream).collect()
}

fn second(t: u64, client: &ClientSecond, meters: &[MeterSecond]) -> Second {
    let meters: Vec<_> = meters.iter().filter(|meter| meter.t == t).collect();
    let used = |meter: &MeterSecond| {
        f64::from(meter.usage.allowed) / meter.quota.rate.max(f64::MIN_POSITIVE)
    };
    let most_used = meters.iter().max_by(|a, b| used(a).total_cmp(&used(b)));
    let count = |of: fn(&MeterSecond) -> u32| meters.iter().map(|it| u64::from(of(it))).sum();
    Second {
        t,
        // By when it was due, which the caller sets.
        offered: 0,
        sent: client.first_attempts + client.retries,
        first_attempts: client.first_attempts,
        retries: client.retries,
        served: count(|meter| meter.usage.allowed),
        throttled: count(|meter| meter.usage.throttled),
        failed: client.failed,
        client_served: client.served,
        client_throttled: client.throttled,
        in_flight: client.in_flight,
        quota: most_used.map_or(0.0, |meter| meter.quota.rate),
        p50_ms: client.p50_ms,
        p99_ms: client.p99_ms,
        late: client.late_p99_ms > LATE_MS,
    }
}

fn summary(measured: &Measured) -> Summary {
    let count = |of: fn(&ClientSecond) -> u64| measured.clients.iter().map(of).sum::<u64>();
    let (first, retries) = (count(|it| it.first_attempts), count(|it| it.retries));
    let (served, offered) = (count(|it| it.served), count(|it| it.offered));
    let throttled = count(|it| it.throttled);
    Summary {
        offered,
        sent: first + retries,
        served,
        throttled,
        failed: count(|it| it.failed),
        retries,
        given_up: count(|it| it.given_up),
        not_sent: count(|it| it.not_sent),
        unfinished: measured.clients.last().map_or(0, |last| last.in_flight),
        amplification: ratio(first + retries, first),
        success_ratio: ratio(served, offered),
        throttled_ratio: ratio(throttled, first + retries),
        duration_s: measured.duration_s,
    }
}

fn generator(measured: &Measured, seconds: &[Second]) -> Generator {
    let planned = seconds.iter().filter(|row| is_planned(row, measured));
    let planned: Vec<_> = planned.collect();
    let late = planned.iter().filter(|row| row.late).count() as u64;
    // Of a KMS alone, each answer is a call that it counted.
    let is_kms_alone = measured.counts.is_none();
    let without = |row: &&&Second| {
        let is_uncounted = is_kms_alone && row.served + row.throttled == 0 && row.client_served > 0;
        is_uncounted || measured.unread.contains(&row.t)
    };
    Generator {
        late_p99_ms: quantile_ms(&measured.totals.late, 0.99),
        late_seconds: late,
        seconds_without_meters: planned.iter().filter(without).count() as u64,
        valid: late * 20 <= planned.len() as u64,
    }
}

/// Whether the second is a full one in which requests were due.
fn is_planned(row: &Second, measured: &Measured) -> bool {
    (row.t + 1) as f64 <= measured.duration_s
}

fn quotas(measured: &Measured, seconds: &[Second]) -> Vec<QuotaResult> {
    let mut quotas: Vec<&Quota> = Vec::new();
    for meter in &measured.meters {
        if !quotas.contains(&&meter.quota) {
            quotas.push(&meter.quota);
        }
    }
    let result = |quota: &Quota| {
        let meters = measured.meters.iter().filter(|it| it.quota == *quota);
        quota_result(quota, meters, seconds, measured)
    };
    quotas.into_iter().map(result).collect()
}

fn quota_result<'a>(
    quota: &Quota,
    meters: impl Iterator<Item = &'a MeterSecond>,
    seconds: &[Second],
    measured: &Measured,
) -> QuotaResult {
    let mut result = QuotaResult {
        account: quota.account.clone(),
        region: quota.region.clone(),
        class: quota.class.clone(),
        name: quota.name.clone(),
        code: quota.code.clone(),
        rate: quota.rate,
        peak_second: 0,
        minute_percent: 0.0,
        served: 0,
        throttled: 0,
        first_throttled_s: None,
        served_of_quota_min: None,
        served_of_quota_max: 0.0,
    };
    let mut minutes: BTreeMap<i64, u64> = BTreeMap::new();
    for meter in meters {
        let (served, throttled) = (meter.usage.allowed, meter.usage.throttled);
        let arrived = u64::from(served) + u64::from(throttled);
        result.peak_second = result.peak_second.max(arrived);
        result.served += u64::from(served);
        result.throttled += u64::from(throttled);
        if throttled > 0 && result.first_throttled_s.is_none() {
            result.first_throttled_s = Some(meter.t);
        }
        *minutes
            .entry(i64::from(meter.usage.unix_s) / 60)
            .or_default() += u64::from(served);
        let of_quota = f64::from(served) / quota.rate.max(f64::MIN_POSITIVE);
        result.served_of_quota_max = result.served_of_quota_max.max(of_quota);
        let mut rows = seconds.iter();
        let row = rows.find(|row| row.t == meter.t && is_planned(row, measured) && !row.late);
        if row.is_some() && arrived as f64 >= quota.rate && quota.rate >= 1.0 {
            let least = result.served_of_quota_min.unwrap_or(f64::MAX);
            result.served_of_quota_min = Some(least.min(of_quota));
        }
    }
    let minute = minutes.values().max().copied().unwrap_or_default();
    result.minute_percent = minute as f64 / (quota.rate * 60.0).max(f64::MIN_POSITIVE) * 100.0;
    result
}

/// A part of a whole; 0 of nothing.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}

/// The name of the shape and its version.
pub(super) const SCHEMA: &str = "sealgate.load/1";

/// From when on a second of the generator is late, in milliseconds.
const LATE_MS: f64 = 10.0;

#[cfg(test)]
pub(super) mod fixture;
#[cfg(test)]
mod tests;
