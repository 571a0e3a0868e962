//! What was seen of each second: requests of both services, and the use of each quota. 15 minutes in memory.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use kms::quota::Class;
use kms::quota::SecondUsage;
use kms::quota::Usage;
use proto::identity::AccountId;
use proto::identity::Region;

/// A quota of one account in one Region.
pub(super) type QuotaKey = (AccountId, Region, Class);

/// Points of a chart: seconds and values.
pub(super) type Points = Vec<(f64, f64)>;

/// How many requests there were since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) s3: u64,
    pub(super) s3_failed: u64,
    pub(super) kms: u64,
    pub(super) kms_failed: u64,
}

/// Requests a second, on the average since the sample before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rates {
    pub(super) s3: f64,
    pub(super) s3_failed: f64,
    pub(super) kms: f64,
    pub(super) kms_failed: f64,
}

/// What was seen.
#[derive(Default)]
pub(super) struct History {
    totals: Option<(u64, Totals)>,
    /// Milliseconds of the monotonic clock, and the rates then.
    rates: VecDeque<(u64, Rates)>,
    quotas: BTreeMap<QuotaKey, VecDeque<SecondUsage>>,
    usage: Vec<Usage>,
}

impl History {
    /// Takes in a sample at so many milliseconds of a clock that only goes forward.
    pub(super) fn add(&mut self, now_ms: u64, totals: Totals, usage: Vec<Usage>) {
        if let Some((before_ms, before)) = self.totals.replace((now_ms, totals)) {
            let seconds = now_ms.saturating_sub(before_ms).max(1) as f64 / 1_000.0;
            let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
            let rates = Rates {
                s3: rate(totals.s3, before.s3),
                s3_failed: rate(totals.s3_failed, before.s3_failed),
                kms: rate(totals.kms, before.kms),
                kms_failed: rate(totals.kms_failed, before.kms_failed),
            };
            push(&mut self.rates, (now_ms, rates));
        }
        self.set_usage(usage);
    }

    /// Takes in the use of quotas as it is now.
    pub(super) fn set_usage(&mut self, usage: Vec<Usage>) {
        for row in &usage {
            let key = (row.account.clone(), row.region.clone(), row.class);
            if self.quotas.len() >= QUOTAS_MAX && !self.quotas.contains_key(&key) {
                continue;
            }
            let seconds = self.quotas.entry(key).or_default();
            let last = seconds.back().map(|last| last.unix_s);
            match last {
                Some(last) if last == row.previous_second.unix_s => {}
                // The clock of quotas was moved back.
                Some(last) if last > row.previous_second.unix_s => {
                    seconds.clear();
                    push(seconds, row.previous_second);
                }
                _ => push(seconds, row.previous_second),
            }
        }
        self.usage = usage;
    }

    /// The totals of the last sample.
    pub(super) fn totals(&self) -> Totals {
        self.totals.map(|(_, totals)| totals).unwrap_or_default()
    }

    /// The rates of the last sample.
    pub(super) fn rates(&self) -> Rates {
        self.rates
            .back()
            .map(|(_, rates)| *rates)
            .unwrap_or_default()
    }

    /// The quotas that were used at all, the one nearest to its rate in the last second first.
    pub(super) fn usage(&self) -> Vec<&Usage> {
        let mut rows: Vec<&Usage> = self.usage.iter().collect();
        let share = |row: &Usage| {
            let second = row.previous_second;
            f64::from(second.allowed + second.throttled) / row.rate.max(f64::MIN_POSITIVE)
        };
        rows.sort_by(|a, b| share(b).total_cmp(&share(a)));
        rows
    }

    /// What passed in the last 60 seconds of a quota, as a share of what its rate lets pass in a minute; and how many
    /// of those seconds were seen.
    pub(super) fn minute(&self, row: &Usage) -> (f64, u32) {
        let newest = row.previous_second.unix_s;
        let seconds = self
            .seconds(row)
            .filter(|second| second.unix_s + 60 > newest);
        let (mut allowed, mut first) = (0_u64, newest);
        for second in seconds {
            allowed += u64::from(second.allowed);
            first = first.min(second.unix_s);
        }
        let share = allowed as f64 / (row.rate * 60.0).max(f64::MIN_POSITIVE);
        (share, newest - first + 1)
    }

    /// The last `length` seconds of a quota: what passed and what was throttled, from 0 to `length`.
    pub(super) fn quota_points(&self, row: &Usage, length: u32) -> (Points, Points) {
        let newest = row.previous_second.unix_s;
        let recent = self
            .seconds(row)
            .filter(|second| second.unix_s + length > newest);
        let place = |second: &SecondUsage| f64::from(length - (newest - second.unix_s) - 1);
        recent
            .map(|second| {
                let at = place(second);
                let (allowed, throttled) = (f64::from(second.allowed), f64::from(second.throttled));
                ((at, allowed), (at, allowed + throttled))
            })
            .unzip()
    }

    /// A rate over the last `length` seconds, from 0 to `length`.
    pub(super) fn rate_points(&self, length: u32, rate: impl Fn(&Rates) -> f64) -> Points {
        let Some((newest, _)) = self.rates.back() else {
            return Vec::new();
        };
        let length = f64::from(length);
        let place = |at: u64| length - newest.saturating_sub(at) as f64 / 1_000.0;
        let points = self
            .rates
            .iter()
            .map(|(at, rates)| (place(*at), rate(rates)));
        points.filter(|(at, _)| *at >= 0.0).collect()
    }

    fn seconds(&self, row: &Usage) -> impl Iterator<Item = &SecondUsage> {
        let key = (row.account.clone(), row.region.clone(), row.class);
        self.quotas.get(&key).into_iter().flatten()
    }
}

fn push<T>(ring: &mut VecDeque<T>, value: T) {
    if ring.len() >= SECONDS_MAX {
        ring.pop_front();
    }
    ring.push_back(value);
}

/// Seconds that are remembered.
const SECONDS_MAX: usize = 900;

/// Most quotas whose seconds are remembered: callers choose accounts and Regions.
const QUOTAS_MAX: usize = 64;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A row of usage.
    pub(crate) fn row(second: u32, allowed: u32, throttled: u32) -> Usage {
        Usage {
            account: "111122223333".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            class: Class::CryptographicOperationsSymmetric,
            rate: 10.0,
            used: 0,
            allowed: 0,
            throttled: 0,
            previous_second: SecondUsage {
                unix_s: second,
                allowed,
                throttled,
            },
        }
    }

    #[test]
    fn rates_are_differences_of_totals_over_the_time_between_them() {
        let mut history = History::default();
        let totals = |kms| Totals {
            kms,
            ..Totals::default()
        };
        history.add(1_000, totals(5), Vec::new());
        assert_eq!(history.rates(), Rates::default());
        history.add(3_000, totals(25), Vec::new());
        assert!((history.rates().kms - 10.0).abs() < 1e-9);
        // A reset counts from nothing again.
        history.add(4_000, totals(0), Vec::new());
        assert!(history.rates().kms.abs() < 1e-9);
        let points = history.rate_points(60, |rates| rates.kms);
        assert_eq!(points, [(59.0, 10.0), (60.0, 0.0)]);
    }

    #[test]
    fn a_second_is_counted_once_however_often_it_is_read() {
        let mut history = History::default();
        for (at, second) in [(0, 100), (900, 100), (2_000, 101)] {
            history.add(at, Totals::default(), vec![row(second, 10, 5)]);
        }
        let usage = history.usage();
        let (allowed, offered) = history.quota_points(usage[0], 120);
        assert_eq!(allowed, [(118.0, 10.0), (119.0, 10.0)]);
        assert_eq!(offered, [(118.0, 15.0), (119.0, 15.0)]);
        // 20 of the 600 that a minute lets pass, in 2 seconds.
        let (share, seen) = history.minute(usage[0]);
        assert!((share - 20.0 / 600.0).abs() < 1e-9 && seen == 2);
    }

    #[test]
    fn a_clock_that_goes_back_begins_again_and_memory_is_bounded() {
        let mut history = History::default();
        for second in 1..2_000 {
            history.add(
                u64::from(second) * 1_000,
                Totals::default(),
                vec![row(second, 1, 0)],
            );
        }
        assert_eq!(history.rates.len(), SECONDS_MAX);
        assert!(
            history
                .quotas
                .values()
                .all(|ring| ring.len() == SECONDS_MAX)
        );
        history.add(3_000_000, Totals::default(), vec![row(7, 1, 0)]);
        assert!(history.quotas.values().all(|ring| ring.len() == 1));
    }
}
