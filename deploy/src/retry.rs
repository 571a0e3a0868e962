//! How clients try again: the rules of AWS's SDKs, and two that users write themselves.
//!
//! A [`Client`] does no I/O and reads no clock: times are seconds since the start of a run, and chance
//! comes from a seed, so that a run can be repeated.
//!
//! Sources: botocore's `retryhandler.py`, `retries/standard.py`, `retries/adaptive.py`,
//! `retries/throttling.py` and `retries/bucket.py` for Python; `SdkDefaultRetrySetting` for Java;
//! `DefaultRetryStrategy` for C++; AWS's announcement of the retry behaviour of 2026 for `standard`.

mod adaptive;
mod policy;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::retry::adaptive::RateLimiter;
pub use crate::retry::policy::Policy;
pub use crate::retry::policy::PolicyError;

/// How an attempt ended, as a retry policy sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// It was served.
    Served,
    /// It was throttled.
    Throttled {
        /// How long the service wants it to wait, by `x-amz-retry-after`.
        retry_after: Option<Duration>,
    },
    /// It failed for a reason that may pass: a server error or a broken connection.
    Transient,
    /// It failed for good.
    Refused,
}

/// What a client does after an attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decision {
    /// The request is over.
    Finish,
    /// It tries again after that long.
    Retry(Duration),
}

/// One process with its SDK: the retry quota and the rate limiter are its own.
pub struct Client {
    policy: Policy,
    random: fastrand::Rng,
    retry_tokens: f64,
    limiter: RateLimiter,
}

/// What one request of a client remembers between its attempts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attempts {
    /// Attempts that have ended.
    pub ended: u32,
    /// What the latest retry took from the retry quota.
    cost: f64,
}

impl Client {
    /// A client that has sent nothing.
    #[must_use]
    pub fn new(policy: Policy, seed: u64) -> Self {
        Self {
            policy,
            random: fastrand::Rng::with_seed(seed),
            retry_tokens: RETRY_QUOTA,
            limiter: RateLimiter::default(),
        }
    }

    /// Takes leave to send one attempt at `now_s`; how long to wait before asking again if there is
    /// none.
    pub fn acquire(&mut self, now_s: f64) -> Option<Duration> {
        match self.policy {
            Policy::Adaptive => self.limiter.acquire(now_s),
            _ => None,
        }
    }

    /// What to do after an attempt that ended at `now_s`.
    pub fn after(
        &mut self,
        now_s: f64,
        attempts: &mut Attempts,
        outcome: AttemptOutcome,
    ) -> Decision {
        if self.policy == Policy::Adaptive {
            let throttled = matches!(outcome, AttemptOutcome::Throttled { .. });
            self.limiter.answered(now_s, throttled);
        }
        let retry = attempts.ended;
        attempts.ended += 1;
        match outcome {
            AttemptOutcome::Served => {
                self.refund(attempts.cost);
                Decision::Finish
            }
            AttemptOutcome::Refused => Decision::Finish,
            AttemptOutcome::Throttled { .. } | AttemptOutcome::Transient => {
                let throttled = outcome != AttemptOutcome::Transient;
                if attempts.ended >= self.policy.attempts_max() || !self.pay(attempts, throttled) {
                    return Decision::Finish;
                }
                let wait = self.policy.wait(retry, throttled, self.random.f64());
                Decision::Retry(self.policy.honour(wait, outcome))
            }
        }
    }

    /// Takes a retry's cost from the retry quota; whether there was enough.
    fn pay(&mut self, attempts: &mut Attempts, throttled: bool) -> bool {
        let cost = self.policy.retry_cost(throttled);
        if cost > self.retry_tokens {
            return false;
        }
        self.retry_tokens -= cost;
        attempts.cost = cost;
        true
    }

    /// Gives back what the latest retry took, or one token for a success without a retry.
    fn refund(&mut self, cost: f64) {
        let back = if cost > 0.0 { cost } else { 1.0 };
        self.retry_tokens = (self.retry_tokens + back).min(RETRY_QUOTA);
    }
}

/// Tokens of a retry quota: what all SDKs start with.
const RETRY_QUOTA: f64 = 500.0;
