//! The counts of all accounts in all Regions, as many of them as memory is meant for.
//!
//! Callers choose accounts and Regions, so their number has a bound. Counts that nobody has used for
//! longer than their windows are removed for others: forgetting those gives nobody a fresh quota.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use dashmap::DashMap;

use crate::quota::meter::Meter;

/// The meters of each account in each Region: one for every class.
#[derive(Default)]
pub(crate) struct Partitions {
    meters: DashMap<Partition, Box<[Meter]>>,
    /// When idle counts were last removed, so that a full map is not searched for each request.
    swept_ms: AtomicU64,
}

impl Partitions {
    /// Calls `charge` with the meters of an account in a Region, made by `fresh` when they are first
    /// needed; none if there are as many as there may be and all are in use.
    pub(crate) fn charge<T>(
        &self,
        (account, region): (&str, &str),
        now_ms: u64,
        fresh: impl FnOnce() -> Box<[Meter]>,
        charge: impl FnOnce(&[Meter]) -> T,
    ) -> Option<T> {
        let partition = Partition::new(account, region);
        if let Some(meters) = self.meters.get(&partition) {
            return Some(charge(&meters));
        }
        if self.meters.len() >= PARTITIONS_MAX && !self.sweep(now_ms) {
            return None;
        }
        let meters = self.meters.entry(partition).or_insert_with(fresh);
        Some(charge(&meters))
    }

    /// Calls `visit` with each account, Region and their meters.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&str, &str, &[Meter])) {
        for entry in &self.meters {
            let (account, region) = entry.key().names();
            visit(&account, &region, entry.value());
        }
    }

    /// Removes what is idle; whether another one fits now.
    fn sweep(&self, now_ms: u64) -> bool {
        let last = self.swept_ms.swap(now_ms, Ordering::Relaxed);
        if last != now_ms {
            self.meters
                .retain(|_, meters| !meters.iter().all(|meter| meter.is_idle(now_ms)));
        }
        self.meters.len() < PARTITIONS_MAX
    }
}

/// An account in a Region, inline so that looking it up allocates nothing.
///
/// Account ids have 12 digits and Region names at most 32 characters; what is longer is cut.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Partition([u8; PARTITION_BYTES]);

impl Partition {
    fn new(account: &str, region: &str) -> Self {
        let mut bytes = [0; PARTITION_BYTES];
        let names = account
            .bytes()
            .chain(std::iter::once(b'/'))
            .chain(region.bytes());
        for (slot, byte) in bytes.iter_mut().zip(names) {
            *slot = byte;
        }

        Self(bytes)
    }

    /// Its account and Region.
    fn names(&self) -> (String, String) {
        let text = String::from_utf8_lossy(&self.0);
        let text = text.trim_end_matches('\0');
        let (account, region) = text.split_once('/').unwrap_or((text, ""));
        (account.to_owned(), region.to_owned())
    }
}

/// Bytes of an account id, a separator and a Region name.
const PARTITION_BYTES: usize = 48;

/// Most accounts and Regions that are counted at once, of about 3 KiB each.
pub(crate) const PARTITIONS_MAX: usize = 4_096;
