//! When requests are due, fixed before the first one is sent: an open loop. A service that slows down
//! does not slow its callers, as the callers of a shared quota do not wait for each other.

use std::time::Duration;

use crate::cli::load::Arrival;
use crate::cli::load::Stage;

/// The due times of a run, in order.
pub struct Schedule {
    stages: std::vec::IntoIter<Stage>,
    stage: Option<Stage>,
    /// When the stage began, in seconds since the start.
    began_s: f64,
    /// Requests that are expected within the stage before the next one is due.
    expected: f64,
    arrival: Arrival,
    random: fastrand::Rng,
}

impl Schedule {
    /// The due times of those stages, one after another.
    #[must_use]
    pub fn new(stages: Vec<Stage>, arrival: Arrival, seed: u64) -> Self {
        let mut stages = stages.into_iter();
        let mut schedule = Self {
            stage: stages.next(),
            stages,
            began_s: 0.0,
            expected: 0.0,
            arrival,
            random: fastrand::Rng::with_seed(seed),
        };
        if arrival == Arrival::Poisson {
            schedule.expected = schedule.gap();
        }
        schedule
    }

    /// Requests that are expected between two that are due.
    fn gap(&mut self) -> f64 {
        match self.arrival {
            Arrival::Constant => 1.0,
            // The gaps of a Poisson process are exponential.
            Arrival::Poisson => -(1.0 - self.random.f64()).ln(),
        }
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        loop {
            let stage = self.stage?;
            let all = (stage.from_per_s + stage.to_per_s) / 2.0 * stage.duration_s;
            // A sum of many gaps may miss the last whole one by a hair.
            if self.expected < all - 1e-9 {
                let due_s = self.began_s + offset_s(stage, self.expected);
                self.expected += self.gap();
                return Duration::try_from_secs_f64(due_s).ok();
            }
            self.expected -= all;
            self.expected = self.expected.max(0.0);
            self.began_s += stage.duration_s;
            self.stage = self.stages.next();
        }
    }
}

/// When within a stage that many requests are expected, in seconds.
fn offset_s(stage: Stage, expected: f64) -> f64 {
    let growth = (stage.to_per_s - stage.from_per_s) / stage.duration_s;
    let root = (stage.from_per_s.powi(2) + 2.0 * growth * expected)
        .max(0.0)
        .sqrt();
    // The form of the quadratic's solution that does not divide by a growth of nothing.
    2.0 * expected / (stage.from_per_s + root).max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(from_per_s: f64, to_per_s: f64, duration_s: f64) -> Stage {
        Stage {
            from_per_s,
            to_per_s,
            duration_s,
        }
    }

    fn in_second(due: &[Duration], second: u64) -> usize {
        due.iter().filter(|due| due.as_secs() == second).count()
    }

    #[test]
    fn a_constant_rate_has_as_many_requests_in_each_second() {
        let stages = vec![stage(1_000.0, 1_000.0, 3.0)];
        let due: Vec<_> = Schedule::new(stages, Arrival::Constant, 1).collect();
        assert_eq!(due.len(), 3_000);
        assert!((0..3).all(|second| in_second(&due, second) == 1_000));
    }

    #[test]
    fn a_ramp_grows_evenly_and_the_next_stage_goes_on() {
        let stages = vec![stage(0.0, 100.0, 10.0), stage(100.0, 100.0, 1.0)];
        let due: Vec<_> = Schedule::new(stages, Arrival::Constant, 1).collect();
        assert_eq!(due.len(), 600);
        assert_eq!(in_second(&due, 10), 100);
        assert!(in_second(&due, 0).abs_diff(5) <= 1 && in_second(&due, 9).abs_diff(95) <= 1);
        assert!(due.windows(2).all(|two| two.first() <= two.last()));
    }

    #[test]
    fn random_arrivals_have_the_mean_and_the_variance_of_poisson_and_a_seed_repeats_them() {
        let stages = || vec![stage(100.0, 100.0, 400.0)];
        let due: Vec<_> = Schedule::new(stages(), Arrival::Poisson, 7).collect();
        let counts = (0..400).map(|second| in_second(&due, second) as f64);
        let mean = due.len() as f64 / 400.0;
        let variance = counts.map(|count| (count - mean).powi(2)).sum::<f64>() / 400.0;
        assert!((mean - 100.0).abs() < 2.0, "{mean}");
        assert!((variance / mean - 1.0).abs() < 0.25, "{variance}");
        assert!(Schedule::new(stages(), Arrival::Poisson, 7).eq(due));
    }
}
