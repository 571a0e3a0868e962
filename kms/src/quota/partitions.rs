//! The counts of all accounts in all Regions, as many of them as memory is meant for.
//!
//! Callers choose accounts and Regions, so their number has a bound. Counts that nobody has used for
//! longer than their windows are removed for others: forgetting those gives nobody a fresh quota.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use dashmap::DashMap;
use proto::identity::AccountId;
use proto::identity::Region;

use crate::quota::meter::Meter;
use crate::regions::REGION_BYTES_MAX;

/// The meters of each account in each Region: one for every class.
#[derive(Default)]
pub(crate) struct Partitions {
    meters: DashMap<Partition, Meters>,
    /// When idle counts were last removed, so that a full map is not searched for each request.
    swept_ms: AtomicU64,
}

impl Partitions {
    /// Calls `charge` with the meters of an account in a Region, made by `fresh` when they are first
    /// needed; none if there are as many as there may be and all are in use.
    pub(crate) fn charge<T>(
        &self,
        (account, region): (&AccountId, &Region),
        now_ms: u64,
        fresh: impl FnOnce() -> Box<[Meter]>,
        charge: impl FnOnce(&[Meter]) -> T,
    ) -> Option<T> {
        let partition = Partition::new(account, region);
        if let Some(meters) = self.meters.get(&partition) {
            return Some(charge(&meters.by_class));
        }
        if self.meters.len() >= PARTITIONS_MAX && !self.sweep(now_ms) {
            return None;
        }
        let meters = self.meters.entry(partition).or_insert_with(|| Meters {
            account: account.clone(),
            region: region.clone(),
            by_class: fresh(),
        });
        Some(charge(&meters.by_class))
    }

    /// Calls `visit` with each account, Region and their meters.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&AccountId, &Region, &[Meter])) {
        for meters in &self.meters {
            visit(&meters.account, &meters.region, &meters.by_class);
        }
    }

    /// Removes what is idle; whether another one fits now.
    fn sweep(&self, now_ms: u64) -> bool {
        let last = self.swept_ms.swap(now_ms, Ordering::Relaxed);
        if last != now_ms {
            self.meters
                .retain(|_, meters| !meters.by_class.iter().all(|meter| meter.is_idle(now_ms)));
        }
        self.meters.len() < PARTITIONS_MAX
    }
}

/// The meters of an account in a Region, one for every class.
struct Meters {
    account: AccountId,
    region: Region,
    by_class: Box<[Meter]>,
}

/// An account in a Region, inline so that looking it up allocates nothing and touches no count of
/// references.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Partition([u8; PARTITION_BYTES]);

impl Partition {
    fn new(account: &AccountId, region: &Region) -> Self {
        let mut bytes = [0; PARTITION_BYTES];
        let names = account.as_str().bytes().chain(region.as_str().bytes());
        for (slot, byte) in bytes.iter_mut().zip(names) {
            *slot = byte;
        }

        Self(bytes)
    }
}

/// Bytes of an account id and of the longest name of a Region that is served.
const PARTITION_BYTES: usize = 12 + REGION_BYTES_MAX;

/// Most accounts and Regions that are counted at once, of about 5 KiB each.
pub(crate) const PARTITIONS_MAX: usize = 4_096;
