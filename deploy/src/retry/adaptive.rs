//! The rate limiter of the `adaptive` mode: a token bucket whose rate follows a cubic curve after a
//! throttled answer, as TCP CUBIC's window does after a loss.
//!
//! Source: botocore's `retries/adaptive.py`, `throttling.py` and `bucket.py`. It is off until the first
//! throttled answer.

use std::time::Duration;

/// A client's limiter. Times are seconds since the start of a run.
#[derive(Debug, Default)]
pub(super) struct RateLimiter {
    enabled: bool,
    bucket: Bucket,
    cubic: Cubic,
    clocker: RateClocker,
}

impl RateLimiter {
    /// Takes a token, or returns how long it takes until there is one.
    pub(super) fn acquire(&mut self, now_s: f64) -> Option<Duration> {
        if !self.enabled {
            return None;
        }
        self.bucket.acquire(now_s)
    }

    /// Learns from an answer.
    pub(super) fn answered(&mut self, now_s: f64, throttled: bool) {
        let measured = self.clocker.record(now_s);
        let rate = if throttled {
            let current = if self.enabled {
                measured.min(self.bucket.rate)
            } else {
                measured
            };
            self.enabled = true;
            self.cubic.throttled(current, now_s)
        } else {
            self.cubic.served(now_s)
        };
        self.bucket
            .set_rate(rate.min(MEASURED_MAX * measured), now_s);
    }
}

/// The curve of the rate after a throttled answer.
#[derive(Debug, Default)]
struct Cubic {
    rate_at_fail: f64,
    failed_at_s: f64,
}

impl Cubic {
    fn served(&self, now_s: f64) -> f64 {
        let inflection_s = (self.rate_at_fail * (1.0 - BETA) / SCALE).cbrt();
        let since_s = now_s - self.failed_at_s;
        SCALE * (since_s - inflection_s).powi(3) + self.rate_at_fail
    }

    fn throttled(&mut self, rate: f64, now_s: f64) -> f64 {
        self.rate_at_fail = rate;
        self.failed_at_s = now_s;
        rate * BETA
    }
}

/// The rate of answers, smoothed over half seconds.
#[derive(Debug, Default)]
struct RateClocker {
    bucket_s: f64,
    count: f64,
    rate: f64,
}

impl RateClocker {
    fn record(&mut self, now_s: f64) -> f64 {
        self.count += 1.0;
        let bucket_s = (now_s / BUCKET_S).floor() * BUCKET_S;
        if bucket_s > self.bucket_s {
            let current = self.count / (bucket_s - self.bucket_s);
            self.rate = current * SMOOTHING + self.rate * (1.0 - SMOOTHING);
            self.count = 0.0;
            self.bucket_s = bucket_s;
        }
        self.rate
    }
}

/// Tokens that refill at a rate that changes.
#[derive(Debug)]
struct Bucket {
    rate: f64,
    capacity: f64,
    tokens: f64,
    refilled_at_s: Option<f64>,
}

impl Default for Bucket {
    fn default() -> Self {
        Self {
            rate: 1.0,
            capacity: 1.0,
            tokens: 0.0,
            refilled_at_s: None,
        }
    }
}

impl Bucket {
    fn acquire(&mut self, now_s: f64) -> Option<Duration> {
        self.refill(now_s);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return None;
        }
        let wait_s = (1.0 - self.tokens) / self.rate;
        // Not exactly: rounding would wake it a hair too early, for nothing.
        Some(Duration::from_secs_f64(wait_s + 0.000_1))
    }

    fn set_rate(&mut self, rate: f64, now_s: f64) {
        self.refill(now_s);
        self.rate = rate.max(RATE_MIN);
        self.capacity = rate.max(1.0);
        self.tokens = self.tokens.min(self.capacity);
    }

    fn refill(&mut self, now_s: f64) {
        if let Some(before_s) = self.refilled_at_s {
            let fill = (now_s - before_s).max(0.0) * self.rate;
            self.tokens = (self.tokens + fill).min(self.capacity);
        }
        self.refilled_at_s = Some(now_s);
    }
}

/// What remains of the rate after a throttled answer.
const BETA: f64 = 0.7;

/// How steep the curve is.
const SCALE: f64 = 0.4;

/// Weight of the newest half second in the measured rate.
const SMOOTHING: f64 = 0.8;

/// Length of a measurement, in seconds.
const BUCKET_S: f64 = 0.5;

/// How far above the measured rate the bucket may go.
const MEASURED_MAX: f64 = 2.0;

/// Fewest requests a second.
const RATE_MIN: f64 = 0.5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_falls_to_seven_tenths_and_is_back_at_the_inflection() {
        let mut cubic = Cubic::default();
        assert!((cubic.throttled(10.0, 5.0) - 7.0).abs() < 1e-9);
        // botocore's own example: w_max 10, beta 0.7: back at 10 after cbrt(7.5) = 1.957 s.
        let inflection_s = 7.5f64.cbrt();
        assert!((cubic.served(5.0) - 7.0).abs() < 1e-9);
        assert!((cubic.served(5.0 + inflection_s) - 10.0).abs() < 1e-9);
        assert!(cubic.served(5.0 + inflection_s + 1.0) > 10.0);
    }

    #[test]
    fn the_measured_rate_is_smoothed_over_half_seconds() {
        let mut clocker = RateClocker::default();
        for count in 0..50 {
            clocker.record(f64::from(count) / 100.0);
        }
        // 51 answers in the first half second are 102 a second, of which 0.8 count.
        assert!((clocker.record(0.5) - 81.6).abs() < 1e-9);
    }

    #[test]
    fn the_bucket_never_falls_below_one_request_in_two_seconds() {
        let mut bucket = Bucket::default();
        bucket.set_rate(0.0, 0.0);
        let wait = bucket.acquire(0.0).unwrap();
        assert!((wait.as_secs_f64() - 2.0).abs() < 0.001, "{wait:?}");
        assert_eq!(bucket.acquire(2.0), None);
    }

    #[test]
    fn first_attempts_wait_only_after_the_first_throttled_answer() {
        let mut limiter = RateLimiter::default();
        for count in 0..100 {
            assert_eq!(limiter.acquire(f64::from(count) / 100.0), None);
            limiter.answered(f64::from(count) / 100.0, false);
        }
        limiter.answered(1.0, true);
        let mut passed = 0;
        while limiter.acquire(1.0).is_none() {
            passed += 1;
        }
        assert!(passed < 100, "{passed}");
    }
}
