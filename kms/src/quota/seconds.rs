//! What one meter counted in each second: the running one and the one before.
//!
//! A reader that comes once in each second gets every full second exactly, however late in the next one
//! it comes. Totals read at a boundary would give requests of one second to the other.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use serde::Deserialize;
use serde::Serialize;

/// What was counted in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondUsage {
    /// Which one, in seconds since 1970.
    pub unix_s: u32,
    /// Requests that passed.
    pub allowed: u32,
    /// Requests that were refused.
    pub throttled: u32,
}

/// Counts of the running second and of the one before. Each word is `second << 32 | count`.
#[derive(Default)]
pub(crate) struct Seconds {
    allowed: [AtomicU64; 2],
    throttled: [AtomicU64; 2],
}

impl Seconds {
    /// Counts `cost` requests that passed in that second.
    pub(crate) fn allow(&self, unix_s: u32, cost: u32) {
        add(&self.allowed, unix_s, cost);
    }

    /// Counts `cost` requests that were refused in that second.
    pub(crate) fn throttle(&self, unix_s: u32, cost: u32) {
        add(&self.throttled, unix_s, cost);
    }

    /// What was counted in that second; zeros if it is neither of the two that are remembered.
    pub(crate) fn get(&self, unix_s: u32) -> SecondUsage {
        SecondUsage {
            unix_s,
            allowed: count(&self.allowed, unix_s),
            throttled: count(&self.throttled, unix_s),
        }
    }
}

/// The word of a second.
fn word(words: &[AtomicU64; 2], unix_s: u32) -> &AtomicU64 {
    let [even, odd] = words;
    if unix_s.is_multiple_of(2) { even } else { odd }
}

fn add(words: &[AtomicU64; 2], unix_s: u32, cost: u32) {
    let counted = |seen: u64| {
        let before = if seen >> 32 == u64::from(unix_s) {
            seen & u64::from(u32::MAX)
        } else {
            0
        };
        let after = (before + u64::from(cost)).min(u64::from(u32::MAX));
        Some(u64::from(unix_s) << 32 | after)
    };
    // It always stores something.
    let _ = word(words, unix_s).fetch_update(Ordering::Relaxed, Ordering::Relaxed, counted);
}

fn count(words: &[AtomicU64; 2], unix_s: u32) -> u32 {
    let seen = word(words, unix_s).load(Ordering::Relaxed);
    if seen >> 32 != u64::from(unix_s) {
        return 0;
    }
    u32::try_from(seen & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_before_is_there_until_the_running_one_ends() {
        let seconds = Seconds::default();
        seconds.allow(10, 3);
        seconds.throttle(10, 1);
        seconds.allow(11, 2);
        assert_eq!(
            seconds.get(10),
            SecondUsage {
                unix_s: 10,
                allowed: 3,
                throttled: 1
            }
        );
        seconds.allow(12, 1);
        assert_eq!(seconds.get(10).allowed, 0);
        assert_eq!(seconds.get(11).allowed, 2);
        assert_eq!(seconds.get(12).allowed, 1);
    }
}
