//! What a generator counts in each second.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::sync::mpsc::UnboundedSender;

use crate::retry::AttemptOutcome;

/// What the generator did and what its clients received in one second.
#[derive(Clone, Debug, Default)]
pub(super) struct ClientSecond {
    /// Requests that were due.
    pub(super) offered: u64,
    /// First attempts that were sent.
    pub(super) first_attempts: u64,
    /// Attempts after the first.
    pub(super) retries: u64,
    /// Attempts whose answer arrived: served.
    pub(super) served: u64,
    /// Attempts whose answer arrived: throttled.
    pub(super) throttled: u64,
    /// Attempts that failed otherwise.
    pub(super) failed: u64,
    /// Requests that ended without being served.
    pub(super) given_up: u64,
    /// Requests that were not sent, because too many were in flight.
    pub(super) not_sent: u64,
    /// Requests that have not ended at the end of the second.
    pub(super) in_flight: u64,
    /// Half of the requests that were served took at most so long from when they were due.
    pub(super) p50_ms: f64,
    /// As `p50_ms`, for 99 of 100.
    pub(super) p99_ms: f64,
    /// 99 of 100 requests were sent at most so long after they were due.
    pub(super) late_p99_ms: f64,
}

/// Counts, second by second, of one run.
pub(super) struct Recorder {
    current: ClientSecond,
    second: u64,
    /// In microseconds.
    latency: Histogram<u64>,
    late: Histogram<u64>,
    in_flight: u64,
    totals: Totals,
    finished: UnboundedSender<ClientSecond>,
}

/// What is counted over a whole run.
pub(super) struct Totals {
    /// From when a request was due until it was served, in microseconds.
    pub(super) from_due: Histogram<u64>,
    /// From when an attempt was sent until it was served, in microseconds.
    pub(super) service: Histogram<u64>,
    /// From when a request was due until it was sent, in microseconds.
    pub(super) late: Histogram<u64>,
    /// Requests that were due in each second: those due at its very end are sent in the next.
    pub(super) offered: Vec<u64>,
    /// Error codes, and how many attempts had them.
    pub(super) errors: BTreeMap<String, u64>,
    /// Operations, and how many attempts called them.
    pub(super) operations: BTreeMap<&'static str, u64>,
    /// Operations, and how many attempts were served.
    pub(super) served: BTreeMap<&'static str, u64>,
    /// The streams, in order.
    pub(super) streams: Vec<StreamCounts>,
}

/// What is counted of one stream over a whole run.
#[derive(Default)]
pub(super) struct StreamCounts {
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

impl Recorder {
    /// Nothing counted of that many streams; each full second goes to `finished`.
    #[must_use]
    pub(super) fn new(finished: UnboundedSender<ClientSecond>, streams: usize) -> Self {
        Self {
            current: ClientSecond::default(),
            second: 0,
            latency: histogram(),
            late: histogram(),
            in_flight: 0,
            totals: Totals {
                from_due: histogram(),
                service: histogram(),
                late: histogram(),
                offered: Vec::new(),
                errors: BTreeMap::new(),
                operations: BTreeMap::new(),
                served: BTreeMap::new(),
                streams: (0..streams).map(|_| StreamCounts::default()).collect(),
            },
            finished,
        }
    }

    /// Ends the seconds before `at`, a time since the start.
    pub(super) fn advance(&mut self, at: Duration) {
        while self.second < at.as_secs() {
            self.current.in_flight = self.in_flight;
            self.current.p50_ms = quantile_ms(&self.latency, 0.5);
            self.current.p99_ms = quantile_ms(&self.latency, 0.99);
            self.current.late_p99_ms = quantile_ms(&self.late, 0.99);
            // Nobody receives after an end by force.
            let _ = self.finished.send(std::mem::take(&mut self.current));
            self.latency.reset();
            self.late.reset();
            self.second += 1;
        }
    }

    /// A request of a stream that was due at `due`, `late` ago, is started; false if it is not to be, because
    /// too many are in flight.
    pub(super) fn start(&mut self, stream: usize, due: Duration, late: Duration) -> bool {
        self.current.offered += 1;
        self.count(stream, |counts| counts.offered += 1);
        let second = usize::try_from(due.as_secs()).unwrap_or_default();
        if self.totals.offered.len() <= second {
            self.totals.offered.resize(second + 1, 0);
        }
        if let Some(offered) = self.totals.offered.get_mut(second) {
            *offered += 1;
        }
        record(&mut self.late, late);
        record(&mut self.totals.late, late);
        if self.in_flight >= IN_FLIGHT_MAX {
            self.current.not_sent += 1;
            return false;
        }
        self.in_flight += 1;
        true
    }

    fn count(&mut self, stream: usize, count: impl FnOnce(&mut StreamCounts)) {
        if let Some(counts) = self.totals.streams.get_mut(stream) {
            count(counts);
        }
    }

    /// An attempt is sent.
    pub(super) fn send(&mut self, stream: usize, operation: &'static str, is_first: bool) {
        self.count(stream, |counts| counts.sent += 1);
        *self.totals.operations.entry(operation).or_default() += 1;
        match is_first {
            true => self.current.first_attempts += 1,
            false => self.current.retries += 1,
        }
    }

    /// An attempt ended.
    pub(super) fn answer(
        &mut self,
        stream: usize,
        operation: &'static str,
        outcome: AttemptOutcome,
        code: Option<String>,
        took: Duration,
    ) {
        match outcome {
            AttemptOutcome::Served => {
                record(&mut self.totals.service, took);
                *self.totals.served.entry(operation).or_default() += 1;
                self.current.served += 1;
                self.count(stream, |counts| counts.served += 1);
            }
            AttemptOutcome::Throttled { .. } => {
                self.current.throttled += 1;
                self.count(stream, |counts| counts.throttled += 1);
            }
            AttemptOutcome::Transient | AttemptOutcome::Refused => self.current.failed += 1,
        }
        if let Some(code) = code {
            *self.totals.errors.entry(code).or_default() += 1;
        }
    }

    /// A request ended, so long after it was due.
    pub(super) fn finish(&mut self, stream: usize, served: bool, from_due: Duration) {
        self.in_flight = self.in_flight.saturating_sub(1);
        match served {
            true => {
                record(&mut self.latency, from_due);
                record(&mut self.totals.from_due, from_due);
            }
            false => {
                self.current.given_up += 1;
                self.count(stream, |counts| counts.given_up += 1);
            }
        }
    }

    /// Requests that have not ended.
    #[must_use]
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// What was counted over the whole run.
    #[must_use]
    pub(super) fn into_totals(self) -> Totals {
        self.totals
    }
}

/// From a microsecond to ten minutes, with three digits.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, TIME_MAX_US, 3).expect("the bounds are in order")
}

fn record(histogram: &mut Histogram<u64>, time: Duration) {
    histogram.saturating_record(u64::try_from(time.as_micros()).unwrap_or(TIME_MAX_US));
}

/// A quantile in milliseconds; 0 of nothing.
#[must_use]
pub(super) fn quantile_ms(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    let us = histogram.value_at_quantile(quantile);
    Duration::from_micros(us).as_secs_f64() * 1_000.0
}

/// Ten minutes.
const TIME_MAX_US: u64 = 600_000_000;

/// Most requests that have not ended: what else is due is counted and not sent.
const IN_FLIGHT_MAX: u64 = 200_000;
