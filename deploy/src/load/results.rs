//! The results of a run, from what its clients, the KMS and the gateway counted.

mod histogram;
mod objects;

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use proto::time::Timestamp;

use crate::cli::threshold::Threshold;
use crate::cli::threshold::Unit;
use crate::load::counts::Counts;
use crate::load::meters::MeterSecond;
use crate::load::meters::Quota;
use crate::load::recorder::ClientSecond;
use crate::load::recorder::StreamCounts;
use crate::load::recorder::Totals;
use crate::load::recorder::quantile_ms;
use crate::report::results::Generator;
use crate::report::results::KmsCounts;
use crate::report::results::Latency;
use crate::report::results::Percentiles;
use crate::report::results::QuotaResult;
use crate::report::results::Results;
use crate::report::results::SCHEMA;
use crate::report::results::Second;
use crate::report::results::StreamResult;
use crate::report::results::Summary;
use crate::report::results::ThresholdResult;

/// What results are made of.
pub(super) struct Measured {
    /// When requests were due first.
    pub(super) started_at: Timestamp,
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
            schema: SCHEMA.to_owned(),
            started_at: Some(measured.started_at.iso8601()),
            scenario: measured.scenario.clone(),
            summary: summary(measured),
            latency_ms: Latency {
                from_due: percentiles(&totals.from_due),
                service: percentiles(&totals.service),
            },
            generator: generator(measured, &seconds),
            quotas: quotas(measured, &seconds),
            kms: KmsCounts {
                calls: seconds.iter().map(|row| row.served + row.throttled).sum(),
                by_operation: by_operation(measured),
            },
            objects: match &measured.counts {
                Some(counts) => objects::costs(totals, counts),
                None => Vec::new(),
            },
            bucket_keys: measured
                .counts
                .as_ref()
                .and_then(|it| it.bucket_keys.map(objects::bucket_key_use)),
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

fn percentiles(histogram: &Histogram<u64>) -> Percentiles {
    Percentiles {
        p50: quantile_ms(histogram, 0.5),
        p90: quantile_ms(histogram, 0.9),
        p95: quantile_ms(histogram, 0.95),
        p99: quantile_ms(histogram, 0.99),
        p99_9: quantile_ms(histogram, 0.999),
        max: quantile_ms(histogram, 1.0),
        mean: histogram.mean() / 1_000.0,
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

/// From when on a second of the generator is late, in milliseconds.
const LATE_MS: f64 = 10.0;

#[cfg(test)]
pub(super) mod fixture;
#[cfg(test)]
mod tests;
