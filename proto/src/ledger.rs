//! Exact counts since the start and since marks, in bounded memory.
//!
//! A test sets a mark and later requests what was counted since: so tests that run at the same time need no
//! reset. What was counted before the oldest marks is merged when there is too much of it.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::hash::Hash;
use std::sync::Mutex;
use std::sync::PoisonError;

/// What is counted apart from others.
pub trait Kind: Clone + Eq + Hash {
    /// What it is counted as when there are too many kinds: one of few.
    #[must_use]
    fn coarse(&self) -> Self;
}

/// Counts by kind.
pub struct Ledger<K> {
    slices: Mutex<Slices<K>>,
}

struct Slices<K> {
    /// Counts before the oldest mark.
    before: HashMap<K, u64>,
    /// Counts from each mark to the next.
    since: VecDeque<HashMap<K, u64>>,
    /// The oldest mark; counts of `since` begin with it.
    oldest: u64,
    /// Entries of `since`.
    entries: usize,
}

impl<K: Kind> Ledger<K> {
    /// Counts one of this kind.
    pub fn count(&self, kind: K) {
        let mut slices = self.slices.lock().unwrap_or_else(PoisonError::into_inner);
        let slices = &mut *slices;
        let Some(current) = slices.since.back_mut() else {
            return;
        };
        if add(current, kind, 1) {
            slices.entries += 1;
        }
    }

    /// A mark to count from. Two marks between which nothing is counted are the same.
    pub fn mark(&self) -> u64 {
        let mut slices = self.slices.lock().unwrap_or_else(PoisonError::into_inner);
        if slices.since.back().is_some_and(|last| !last.is_empty()) {
            slices.since.push_back(HashMap::new());
            slices.merge();
        }
        slices.newest()
    }

    /// What was counted since a mark, or since the start.
    ///
    /// # Errors
    ///
    /// [`MarkError`] for a mark that was not set, or is merged with older ones.
    pub fn since(&self, mark: Option<u64>) -> Result<HashMap<K, u64>, MarkError> {
        let slices = self.slices.lock().unwrap_or_else(PoisonError::into_inner);
        let (oldest, newest) = (slices.oldest, slices.newest());
        let mut total = HashMap::new();
        let skipped = match mark {
            None => {
                total.clone_from(&slices.before);
                0
            }
            Some(mark) if mark > newest => return Err(MarkError::Unset { mark, newest }),
            Some(mark) => {
                let skipped = mark.checked_sub(oldest);
                skipped.ok_or(MarkError::Merged { mark, oldest })?
            }
        };
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        for slice in slices.since.iter().skip(skipped) {
            for (kind, count) in slice {
                *total.entry(kind.clone()).or_default() += count;
            }
        }
        Ok(total)
    }
}

impl<K> Default for Ledger<K> {
    fn default() -> Self {
        let slices = Slices {
            before: HashMap::new(),
            since: VecDeque::from([HashMap::new()]),
            oldest: 0,
            entries: 0,
        };
        Self {
            slices: Mutex::new(slices),
        }
    }
}

impl<K: Kind> Slices<K> {
    fn newest(&self) -> u64 {
        let marks = u64::try_from(self.since.len()).unwrap_or(u64::MAX);
        self.oldest + marks.saturating_sub(1)
    }

    /// Merges what is before the oldest marks until memory is within its bound.
    fn merge(&mut self) {
        while self.since.len() > 1 && self.entries > ENTRIES_MAX {
            let Some(slice) = self.since.pop_front() else {
                return;
            };
            self.oldest += 1;
            self.entries -= slice.len();
            for (kind, count) in slice {
                add(&mut self.before, kind, count);
            }
        }
    }
}

/// Adds to the count of a kind, or of its coarse one; whether that is a new entry.
fn add<K: Kind>(counts: &mut HashMap<K, u64>, kind: K, count: u64) -> bool {
    if let Some(present) = counts.get_mut(&kind) {
        *present += count;
        return false;
    }
    let kind = if counts.len() < KINDS_MAX {
        kind
    } else {
        kind.coarse()
    };
    let entries = counts.len();
    *counts.entry(kind).or_default() += count;
    counts.len() > entries
}

/// Why counts cannot be returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MarkError {
    /// The mark was not set in this life of the process.
    #[error("mark {mark} was never set: the newest is {newest}")]
    Unset {
        /// The mark.
        mark: u64,
        /// The newest one there is.
        newest: u64,
    },
    /// There were too many counts since.
    #[error("mark {mark} is too old: counts are separate since mark {oldest}")]
    Merged {
        /// The mark.
        mark: u64,
        /// The oldest one that can be counted from.
        oldest: u64,
    },
}

/// Most kinds between two marks, besides the coarse ones.
const KINDS_MAX: usize = 10_000;

/// Most entries since the oldest mark, besides those since the newest.
const ENTRIES_MAX: usize = 50_000;

#[cfg(test)]
mod tests {
    use super::*;

    impl Kind for u32 {
        fn coarse(&self) -> Self {
            Self::MAX
        }
    }

    fn total(ledger: &Ledger<u32>, mark: Option<u64>) -> u64 {
        ledger.since(mark).unwrap().values().sum()
    }

    #[test]
    fn each_mark_counts_from_where_it_was_set() {
        let ledger = Ledger::default();
        ledger.count(1);
        let first = ledger.mark();
        ledger.count(1);
        ledger.count(2);
        let second = ledger.mark();
        assert_eq!(second, ledger.mark(), "nothing was counted between");
        ledger.count(1);
        assert_eq!(total(&ledger, None), 4);
        assert_eq!(total(&ledger, Some(0)), 4);
        assert_eq!(ledger.since(Some(first)).unwrap()[&1], 2);
        assert_eq!(total(&ledger, Some(second)), 1);
        let (mark, newest) = (second + 1, second);
        let unset = ledger.since(Some(mark)).unwrap_err();
        assert_eq!(unset, MarkError::Unset { mark, newest });
    }

    #[test]
    fn kinds_without_end_are_counted_as_a_coarse_one() {
        let ledger = Ledger::default();
        for kind in 0..KINDS_MAX + 100 {
            ledger.count(u32::try_from(kind).unwrap());
        }
        let counts = ledger.since(None).unwrap();
        assert_eq!(counts.len(), KINDS_MAX + 1);
        assert_eq!(counts[&u32::MAX], 100);
    }

    #[test]
    fn marks_without_end_are_merged_and_the_total_stays_exact() {
        let ledger = Ledger::default();
        let marks = ENTRIES_MAX + 100;
        for _ in 0..marks {
            ledger.count(1);
            ledger.mark();
        }
        assert_eq!(usize::try_from(total(&ledger, None)).unwrap(), marks);
        let merged = ledger.since(Some(0)).unwrap_err();
        assert!(
            matches!(merged, MarkError::Merged { mark: 0, .. }),
            "{merged}"
        );
        assert!(ledger.slices.lock().unwrap().since.len() <= ENTRIES_MAX + 1);
    }
}
