//! One count against one rate: the fixed window that AWS documents, and a token bucket.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use governor::RateLimiter;
use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::InMemoryState;
use governor::state::NotKeyed;
use proto::time::Clock;
use serde::Deserialize;
use serde::Serialize;

use crate::quota::profile::Rate;
use crate::quota::seconds::SecondUsage;
use crate::quota::seconds::Seconds;

/// How a rate is enforced over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Fixed windows aligned to the second (or to the interval of a fractional rate).
    ///
    /// What AWS documents: the quota applies "in each one-second interval", and what exceeds it is
    /// refused "for the remainder of the interval". Twice the rate can pass around a boundary.
    #[default]
    Window,
    /// A token bucket (GCRA) that refills evenly and holds one second's worth of requests.
    Bucket,
    /// Requests are counted and never refused.
    Off,
}

/// The count of one class of one account in one Region.
pub(crate) struct Meter {
    /// The rate, `requests << 32 | seconds`.
    rate: AtomicU64,
    /// The window and what it has used, `index << 32 | used`.
    window: AtomicU64,
    /// The token bucket; none unless the shape is [`Shape::Bucket`].
    bucket: ArcSwapOption<Bucket>,
    /// When it was last charged, in milliseconds since 1970.
    charged_ms: AtomicU64,
    allowed: AtomicU64,
    throttled: AtomicU64,
    seconds: Seconds,
}

impl Meter {
    /// A count that has used nothing.
    pub(crate) fn new(rate: Rate, shape: Shape, clock: &Arc<dyn Clock>) -> Self {
        let meter = Self {
            rate: AtomicU64::new(0),
            window: AtomicU64::new(0),
            bucket: ArcSwapOption::empty(),
            charged_ms: AtomicU64::new(0),
            allowed: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
            seconds: Seconds::default(),
        };
        meter.set(rate, shape, clock);
        meter
    }

    /// Puts another rate in force. What the current window has used stays used; a bucket is filled.
    pub(crate) fn set(&self, rate: Rate, shape: Shape, clock: &Arc<dyn Clock>) {
        self.rate
            .store(pack(rate.requests, rate.seconds.max(1)), Ordering::Relaxed);
        let bucket = (shape == Shape::Bucket)
            .then(|| Bucket::new(rate, clock))
            .flatten();
        self.bucket.store(bucket.map(Arc::new));
    }

    /// Forgets what was used.
    pub(crate) fn restart(&self, shape: Shape, clock: &Arc<dyn Clock>) {
        self.window.store(0, Ordering::Relaxed);
        self.set(self.rate(), shape, clock);
    }

    /// Counts `cost` requests at `now_ms`, all or none.
    ///
    /// A cost above the whole rate is taken as the whole rate: otherwise ReplicateKey, which costs
    /// two CreateKey requests, could never pass where one is allowed.
    ///
    /// # Errors
    ///
    /// How long it takes until the request could pass.
    pub(crate) fn charge(&self, cost: u32, shape: Shape, now_ms: u64) -> Result<(), Duration> {
        self.charged_ms.store(now_ms, Ordering::Relaxed);
        let rate = self.rate();
        let second = second(now_ms);
        let outcome = match shape {
            Shape::Off => Ok(second),
            _ if rate.requests == 0 => Err(Duration::from_secs(u64::from(rate.seconds))),
            Shape::Window => self.charge_window(cost.min(rate.requests), rate, now_ms),
            Shape::Bucket => self
                .bucket
                .load()
                .as_ref()
                .map_or(Ok(()), |bucket| bucket.charge(cost.min(rate.requests)))
                .map(|()| second),
        };
        let total = match &outcome {
            Ok(counted_in) => {
                self.seconds.allow(*counted_in, cost);
                &self.allowed
            }
            Err(_) => {
                self.seconds.throttle(second, cost);
                &self.throttled
            }
        };
        total.fetch_add(u64::from(cost), Ordering::Relaxed);
        outcome.map(|_| ())
    }

    /// The rate in force.
    pub(crate) fn rate(&self) -> Rate {
        let (requests, seconds) = unpack(self.rate.load(Ordering::Relaxed));
        Rate {
            requests,
            seconds: seconds.max(1),
        }
    }

    /// Requests that passed and requests that were refused, since the start.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (
            self.allowed.load(Ordering::Relaxed),
            self.throttled.load(Ordering::Relaxed),
        )
    }

    /// What was counted in the second before that of `now_ms`.
    pub(crate) fn previous_second(&self, now_ms: u64) -> SecondUsage {
        self.seconds.get(second(now_ms).saturating_sub(1))
    }

    /// Requests that passed in the window `now_ms` falls into.
    pub(crate) fn used(&self, now_ms: u64) -> u32 {
        let (index, used) = unpack(self.window.load(Ordering::Relaxed));
        if index == window_index(self.rate(), now_ms) {
            used
        } else {
            0
        }
    }

    /// Whether nothing that it counted matters at `now_ms` any more, whatever the shape: a whole window
    /// has passed without a request after that of the last one, and a bucket is full again.
    pub(crate) fn is_idle(&self, now_ms: u64) -> bool {
        let windows_ms = u64::from(self.rate().seconds) * 2_000;
        let charged_ms = self.charged_ms.load(Ordering::Relaxed);
        now_ms.saturating_sub(charged_ms) >= windows_ms
    }

    /// Counts in the current fixed window.
    ///
    /// A clock that steps back a little goes on counting in the latest window it has seen, so that
    /// stepping gains nothing; one that was set back further starts anew. Returns the second that it was
    /// counted in.
    fn charge_window(&self, cost: u32, rate: Rate, now_ms: u64) -> Result<u32, Duration> {
        let now_index = window_index(rate, now_ms);
        let mut seen = self.window.load(Ordering::Relaxed);
        loop {
            let (index, used) = unpack(seen);
            let stepped_back = index > now_index && index - now_index <= WINDOWS_BACK_MAX;
            let (index, used) = if index == now_index || stepped_back {
                (index, used)
            } else {
                (now_index, 0)
            };
            let used = used.saturating_add(cost);
            if used > rate.requests {
                let interval_ms = u64::from(rate.seconds) * 1_000;
                return Err(Duration::from_millis(interval_ms - now_ms % interval_ms));
            }

            match self.window.compare_exchange_weak(
                seen,
                pack(index, used),
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                // The window of a stepped-back clock is a later second than its own.
                Ok(_) if stepped_back && rate.seconds == 1 => return Ok(index),
                Ok(_) => return Ok(second(now_ms)),
                Err(changed) => seen = changed,
            }
        }
    }
}

/// A token bucket on our clock.
struct Bucket(RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>);

impl Bucket {
    /// A full bucket, or none for a rate of nothing.
    fn new(rate: Rate, clock: &Arc<dyn Clock>) -> Option<Self> {
        let burst = NonZeroU32::new(rate.requests)?;
        let period = Duration::from_secs(u64::from(rate.seconds)) / rate.requests;
        let quota = governor::Quota::with_period(period)?.allow_burst(burst);
        Some(Self(RateLimiter::direct_with_clock(
            quota,
            Ticks(Arc::clone(clock)),
        )))
    }

    /// Takes `cost` tokens, all or none.
    fn charge(&self, cost: u32) -> Result<(), Duration> {
        let Some(cost) = NonZeroU32::new(cost) else {
            return Ok(());
        };
        let now = self.0.clock().now();
        match self.0.check_n(cost) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refused)) => Err(refused.wait_time_from(now)),
            Err(_) => Err(Duration::from_secs(1)),
        }
    }
}

/// Our clock as governor reads it.
#[derive(Clone)]
struct Ticks(Arc<dyn Clock>);

impl governor::clock::Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.now().unix_millis().max(0).unsigned_abs())
    }
}

/// The second that `now_ms` falls into, counted from 1970.
fn second(now_ms: u64) -> u32 {
    u32::try_from(now_ms / 1_000).unwrap_or(u32::MAX)
}

/// Number of the window `now_ms` falls into, counted from 1970. Good for 136 years of seconds.
fn window_index(rate: Rate, now_ms: u64) -> u32 {
    u32::try_from(now_ms / 1_000 / u64::from(rate.seconds)).unwrap_or(u32::MAX)
}

/// Two halves in one word.
fn pack(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// The halves of a word.
fn unpack(word: u64) -> (u32, u32) {
    let low = u32::try_from(word & u64::from(u32::MAX)).expect("masked to 32 bits");
    let high = u32::try_from(word >> 32).expect("shifted to 32 bits");
    (high, low)
}

/// How many windows a clock may step back before it counts as set anew.
const WINDOWS_BACK_MAX: u32 = 2;
