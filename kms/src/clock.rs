//! A clock that can be frozen, moved and let go again.
//!
//! Key states, waiting periods, rotation and quota windows follow it. Signatures are checked
//! against the real clock, because clients sign with theirs.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use proto::time::Clock;
use proto::time::Timestamp;

/// A clock on top of another one.
pub struct MovableClock {
    real: Arc<dyn Clock>,
    frozen: AtomicBool,
    /// Milliseconds since 1970 while frozen; milliseconds ahead of the real clock while not.
    millis: AtomicI64,
    /// One change at a time.
    change: Mutex<()>,
}

impl MovableClock {
    /// A clock that shows what `real` shows, until it is moved.
    #[must_use]
    pub fn new(real: Arc<dyn Clock>) -> Self {
        Self {
            real,
            frozen: AtomicBool::new(false),
            millis: AtomicI64::new(0),
            change: Mutex::new(()),
        }
    }

    /// Stops the clock where it stands.
    pub fn freeze(&self) {
        self.freeze_at(self.now());
    }

    /// Stops the clock at `time`.
    pub fn freeze_at(&self, time: Timestamp) {
        let _one_at_a_time = self.lock();
        self.frozen.store(true, Ordering::Release);
        self.millis.store(time.unix_millis(), Ordering::Release);
    }

    /// Lets the clock go on from where it stands.
    pub fn go_on(&self) {
        let now = self.now();
        let _one_at_a_time = self.lock();
        self.show(now);
    }

    /// Moves the clock forward, frozen or not.
    pub fn advance(&self, by: Duration) {
        let _one_at_a_time = self.lock();
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        let millis = self.millis.load(Ordering::Acquire);
        self.millis
            .store(millis.saturating_add(by), Ordering::Release);
    }

    /// Sets the clock to `time`, from which it goes on unless it is frozen.
    pub fn set(&self, time: Timestamp) {
        let _one_at_a_time = self.lock();
        if self.is_frozen() {
            self.millis.store(time.unix_millis(), Ordering::Release);
        } else {
            self.show(time);
        }
    }

    /// Shows the real time again.
    pub fn reset(&self) {
        let _one_at_a_time = self.lock();
        self.millis.store(0, Ordering::Release);
        self.frozen.store(false, Ordering::Release);
    }

    /// Whether the clock stands still.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::Acquire)
    }

    /// Runs on from `time`.
    fn show(&self, time: Timestamp) {
        let ahead = time
            .unix_millis()
            .saturating_sub(self.real.now().unix_millis());
        self.millis.store(ahead, Ordering::Release);
        self.frozen.store(false, Ordering::Release);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ()> {
        self.change.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for MovableClock {
    fn now(&self) -> Timestamp {
        let millis = self.millis.load(Ordering::Acquire);
        if self.is_frozen() {
            return Timestamp::from_unix_millis(millis);
        }

        let real = self.real.now();
        if millis == 0 {
            return real;
        }

        Timestamp::from_unix_millis(real.unix_millis().saturating_add(millis))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use proto::time::Clock;
    use proto::time::ManualClock;
    use proto::time::Timestamp;

    use super::MovableClock;

    #[test]
    fn a_frozen_clock_stands_still_until_moved_and_goes_on_from_there() {
        let real = Arc::new(ManualClock::new(Timestamp::from_unix_seconds(1_000)));
        let clock = MovableClock::new(Arc::clone(&real) as Arc<dyn Clock>);
        let seconds = || clock.now().unix_seconds();
        real.advance(Duration::from_secs(1));
        assert_eq!(seconds(), 1_001);

        clock.freeze();
        real.advance(Duration::from_secs(5));
        assert_eq!(seconds(), 1_001);
        clock.advance(Duration::from_secs(30));
        assert_eq!(seconds(), 1_031);

        clock.go_on();
        real.advance(Duration::from_secs(2));
        assert_eq!(seconds(), 1_033);
        clock.advance(Duration::from_secs(7));
        assert_eq!(seconds(), 1_040);
        clock.set(Timestamp::from_unix_seconds(50));
        assert_eq!(seconds(), 50);
        clock.freeze_at(Timestamp::from_unix_seconds(70));
        assert_eq!(seconds(), 70);
        clock.reset();
        assert_eq!(seconds(), 1_008);
    }
}
