//! What a quota does to clients, in model time: the same retry policies and the same windows as in a run
//! of `sealgate load`, without a wire and without waiting.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use serde::Serialize;

use crate::cli::load::Arrival;
use crate::cli::load::Stage;
use crate::retry::AttemptOutcome;
use crate::retry::Attempts;
use crate::retry::Client;
use crate::retry::Decision;
use crate::retry::Policy;
use crate::schedule::Schedule;

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation {
    /// Requests a second.
    pub(super) rate_per_s: f64,
    /// Requests a second that the quota allows.
    pub(super) quota_per_s: f64,
    /// How clients retry.
    pub(super) retry: Policy,
    /// How many clients share the requests.
    pub(super) clients: u32,
    /// How requests arrive.
    pub(super) arrival: Arrival,
    /// How long, in seconds.
    pub(super) horizon_s: u64,
    /// The seed of arrivals and jitter.
    pub(super) seed: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Outcome {
    /// Requests a second that were due.
    pub(super) offered_per_s: f64,
    /// Requests a second that were served while others were due.
    pub(super) served_per_s: f64,
    /// Attempts that were throttled, by all attempts.
    pub(super) throttled_ratio: f64,
    /// Requests that were given up, by all requests.
    pub(super) given_up_ratio: f64,
    /// Attempts by requests.
    pub(super) amplification: f64,
}

impl Situation {
    /// Simulates it. Rates above 20,000 a second are divided, with the quota and the clients, so that the
    /// answer comes in milliseconds.
    pub(super) fn simulate(self) -> Outcome {
        let divisor = (self.rate_per_s / RATE_MAX).ceil().max(1.0);
        let clients = (f64::from(self.clients) / divisor).ceil();
        let stage = Stage {
            from_per_s: self.rate_per_s / divisor,
            to_per_s: self.rate_per_s / divisor,
            duration_s: Duration::from_secs(self.horizon_s).as_secs_f64(),
        };
        let world = Model {
            quota: (self.quota_per_s / divisor).round(),
            ..Model::default()
        };
        let client = |number: u64| Client::new(self.retry, self.seed.wrapping_add(number));
        let clients: Vec<_> = (0_u64..)
            .take_while(|number| (*number as f64) < clients)
            .map(client)
            .collect();
        let schedule = Schedule::new(vec![stage], self.arrival, self.seed);
        let counts = world.run(schedule, clients, stage.duration_s);
        let horizon_s = stage.duration_s.max(1.0);
        let ratio = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        Outcome {
            offered_per_s: counts.requests / horizon_s * divisor,
            served_per_s: counts.served_in_time / horizon_s * divisor,
            throttled_ratio: ratio(counts.throttled, counts.attempts),
            given_up_ratio: ratio(counts.given_up, counts.requests),
            amplification: ratio(counts.attempts, counts.requests),
        }
    }
}

/// The windows of a quota, and what waits for its time.
#[derive(Default)]
struct Model {
    quota: f64,
    window: u64,
    used: f64,
    waiting: BinaryHeap<Reverse<Waiting>>,
}

/// A request that is to be attempted at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    at: Duration,
    number: u64,
    client: usize,
    earlier: u32,
}

/// What was counted.
#[derive(Default)]
struct Counts {
    requests: f64,
    attempts: f64,
    served_in_time: f64,
    throttled: f64,
    given_up: f64,
}

impl Model {
    fn run(mut self, schedule: Schedule, mut clients: Vec<Client>, horizon_s: f64) -> Counts {
        let mut counts = Counts::default();
        let mut due = schedule.peekable();
        let mut states: Vec<Attempts> = Vec::new();
        loop {
            let retry_at = self.waiting.peek().map(|Reverse(waiting)| waiting.at);
            let is_due = due
                .peek()
                .is_some_and(|due| retry_at.is_none_or(|retry| *due <= retry));
            let next = if is_due {
                counts.requests += 1.0;
                let number = states.len();
                states.push(Attempts::default());
                due.next().map(|at| Waiting {
                    at,
                    number: number as u64,
                    client: number % clients.len().max(1),
                    earlier: 0,
                })
            } else {
                self.waiting.pop().map(|Reverse(waiting)| waiting)
            };
            let Some(waiting) = next else {
                return counts;
            };
            let index = usize::try_from(waiting.number).unwrap_or_default();
            let states = states.get_mut(index);
            if let (Some(client), Some(attempts)) = (clients.get_mut(waiting.client), states) {
                self.attempt(waiting, client, attempts, &mut counts, horizon_s);
            }
        }
    }

    fn attempt(
        &mut self,
        waiting: Waiting,
        client: &mut Client,
        attempts: &mut Attempts,
        counts: &mut Counts,
        horizon_s: f64,
    ) {
        let now_s = waiting.at.as_secs_f64();
        if let Some(wait) = client.acquire(now_s) {
            self.again(waiting, wait);
            return;
        }
        counts.attempts += 1.0;
        let served = self.charge(waiting.at);
        let outcome = if served {
            AttemptOutcome::Served
        } else {
            AttemptOutcome::Throttled { retry_after: None }
        };
        match (client.after(now_s, attempts, outcome), served) {
            (_, true) if now_s < horizon_s => counts.served_in_time += 1.0,
            (_, true) => {}
            (Decision::Retry(wait), false) => {
                counts.throttled += 1.0;
                self.again(waiting, wait.max(ROUND_TRIP));
            }
            (Decision::Finish, false) => {
                counts.throttled += 1.0;
                counts.given_up += 1.0;
            }
        }
    }

    fn again(&mut self, waiting: Waiting, wait: Duration) {
        self.waiting.push(Reverse(Waiting {
            at: waiting.at + wait,
            earlier: waiting.earlier + 1,
            ..waiting
        }));
    }

    /// Counts in the window of that time; whether it passes.
    fn charge(&mut self, at: Duration) -> bool {
        if self.window != at.as_secs() {
            (self.window, self.used) = (at.as_secs(), 0.0);
        }
        let passes = self.used + 1.0 <= self.quota;
        if passes {
            self.used += 1.0;
        }
        passes
    }
}

/// Most requests a second that are simulated one by one.
const RATE_MAX: f64 = 20_000.0;

/// How long an attempt takes at least.
const ROUND_TRIP: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn situation(rate_per_s: f64, retry: &str) -> Situation {
        Situation {
            rate_per_s,
            quota_per_s: 100.0,
            retry: retry.parse().unwrap(),
            clients: 10,
            arrival: Arrival::Constant,
            horizon_s: 60,
            seed: 1,
        }
    }

    #[test]
    fn without_retries_what_exceeds_the_quota_is_throttled() {
        let outcome = situation(150.0, "none").simulate();
        assert!((outcome.served_per_s - 100.0).abs() < 1e-9, "{outcome:?}");
        assert!((outcome.throttled_ratio - 1.0 / 3.0).abs() < 1e-9);
        assert!((outcome.amplification - 1.0).abs() < 1e-9);
        let below = situation(90.0, "none").simulate();
        assert!(below.throttled_ratio.abs() < 1e-9);
    }

    /// E[(X-q)+]/E[X] of a Poisson count X.
    fn throttled_by_poisson(rate: f64, quota: f64) -> f64 {
        let (mut probability, mut excess) = ((-rate).exp(), 0.0);
        for count in 1..1_000 {
            let count = f64::from(count);
            probability *= rate / count;
            excess += (count - quota).max(0.0) * probability;
        }
        excess / rate
    }

    #[test]
    fn random_arrivals_are_throttled_below_the_quota_as_the_formula_says() {
        for rate in [90.0, 100.0, 110.0] {
            let outcome = Situation {
                arrival: Arrival::Poisson,
                horizon_s: 2_000,
                ..situation(rate, "none")
            };
            let outcome = outcome.simulate();
            let expected = throttled_by_poisson(rate, 100.0);
            let share = outcome.throttled_ratio;
            assert!(
                (share - expected).abs() < 0.005,
                "{rate}: {share}, not {expected}"
            );
        }
    }

    #[test]
    fn retries_without_a_quota_of_their_own_make_a_storm_and_adaptive_ones_do_not() {
        let storm = situation(150.0, "fixed:200ms:30").simulate();
        assert!(storm.amplification > 3.0, "{storm:?}");
        let adaptive = situation(150.0, "adaptive").simulate();
        assert!(adaptive.amplification < 1.5, "{adaptive:?}");
        assert!(adaptive.served_per_s > 70.0, "{adaptive:?}");
    }

    #[test]
    fn the_retry_quota_of_the_standard_mode_bounds_its_storm() {
        let bounded = Situation {
            horizon_s: 300,
            ..situation(300.0, "standard")
        };
        let python = Situation {
            horizon_s: 300,
            ..situation(300.0, "legacy-python")
        };
        let (bounded, python) = (bounded.simulate(), python.simulate());
        assert!(bounded.amplification < 1.5, "{bounded:?}");
        assert!(python.amplification > 2.5, "{python:?}");
    }

    #[test]
    fn rates_that_are_divided_have_the_same_shares() {
        let at = |factor: f64| {
            let situation = Situation {
                quota_per_s: 10_000.0 * factor,
                horizon_s: 3,
                ..situation(15_000.0 * factor, "none")
            };
            situation.simulate()
        };
        let (once, tenfold) = (at(1.0), at(10.0));
        assert!((once.throttled_ratio - tenfold.throttled_ratio).abs() < 0.01);
        assert!((tenfold.served_per_s / once.served_per_s - 10.0).abs() < 0.1);
    }
}
