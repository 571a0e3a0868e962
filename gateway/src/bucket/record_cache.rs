//! Records of buckets that were read, for a while.
//!
//! A record replaces only one of a lower revision: what was read before a change, and arrives after it,
//! never takes its place. Ages are by a clock that does not step back. That a bucket has no record is
//! cached apart, so that no flood of names that nobody uses drives out the records of buckets in use.

use std::sync::Arc;
use std::time::Duration;

use moka::ops::compute::Op;
use proto::time::Clock;

use crate::bucket::record::BucketRecord;
use crate::bucket::record_store::StoredRecord;

/// Cached records.
pub struct RecordCache {
    clock: Arc<dyn Clock>,
    fresh: Duration,
    records: moka::sync::Cache<String, CachedRecord>,
    /// Since when it has been known that a bucket has no record.
    absent: moka::sync::Cache<String, Duration>,
}

/// A record, and when it was last confirmed.
#[derive(Clone, Debug)]
pub struct CachedRecord {
    /// The record.
    pub stored: StoredRecord,
    /// When the reading or the write began that showed it last.
    confirmed: Duration,
    /// When that ended. A reading that begins later shows this record or a newer one.
    seen: Duration,
    /// What was read before this moment does not count.
    doubted: Duration,
}

impl CachedRecord {
    /// What a reading means that began at `began` and showed an older state than this.
    fn verdict_on_older(self, began: Duration) -> Verdict {
        match began > self.seen {
            true => Verdict::SetBack,
            false => Verdict::Current(self.stored),
        }
    }
}

/// Whether what was read can be.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It is this record that counts: the one that was read, or a newer one.
    Current(StoredRecord),
    /// The backend shows an older state than it did before: somebody put it back.
    SetBack,
}

impl RecordCache {
    /// At most `max` records, used for `fresh` before they are read again.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, fresh: Duration, max: u64) -> Self {
        Self {
            clock,
            fresh,
            records: moka::sync::Cache::new(max),
            absent: moka::sync::Cache::new(max),
        }
    }

    /// The time now, to be noted before a reading begins.
    pub fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    /// What is cached of a bucket, fresh or not.
    pub fn get(&self, bucket: &str) -> Option<CachedRecord> {
        self.records.get(bucket)
    }

    /// The cached record of a bucket, if it need not be read again yet.
    pub fn fresh(&self, bucket: &str) -> Option<Arc<BucketRecord>> {
        let cached = self.records.get(bucket)?;
        let age = self.now().saturating_sub(cached.confirmed);
        let is_fresh = cached.confirmed >= cached.doubted && age < self.fresh;
        is_fresh.then_some(cached.stored.record)
    }

    /// Whether the bucket had no record a moment ago.
    pub fn is_absent(&self, bucket: &str) -> bool {
        let since = self.absent.get(bucket);
        since.is_some_and(|since| self.now().saturating_sub(since) < self.fresh)
    }

    /// Takes a record that a reading showed, or a write stored, that began at `began`.
    pub fn offer(&self, bucket: &str, stored: StoredRecord, began: Duration) -> Verdict {
        self.absent.invalidate(bucket);
        let seen = self.now();
        let mut verdict = Verdict::Current(stored.clone());
        let entry = self.records.entry_by_ref(bucket);
        entry.and_compute_with(|cached| {
            let Some(cached) = cached.map(moka::Entry::into_value) else {
                return Op::Put(CachedRecord {
                    stored,
                    confirmed: began,
                    seen,
                    doubted: Duration::ZERO,
                });
            };
            if cached.stored.record.revision > stored.record.revision {
                verdict = cached.verdict_on_older(began);
                return Op::Nop;
            }
            Op::Put(CachedRecord {
                stored,
                confirmed: began.max(cached.confirmed),
                seen: seen.max(cached.seen),
                doubted: cached.doubted,
            })
        });
        verdict
    }

    /// Notes that a reading that began at `began` showed no record. There is a newer one if a write
    /// ended meanwhile.
    pub fn offer_absence(&self, bucket: &str, began: Duration) -> Option<Verdict> {
        match self.records.get(bucket) {
            Some(cached) => Some(cached.verdict_on_older(began)),
            None => {
                self.absent.insert(bucket.to_owned(), began);
                None
            }
        }
    }

    /// Has the record read again before it is used: a write of unknown outcome may have replaced it.
    pub fn doubt(&self, bucket: &str) {
        self.absent.invalidate(bucket);
        // Later than any reading that has begun.
        let now = self.now() + Duration::from_nanos(1);
        let entry = self.records.entry_by_ref(bucket);
        entry.and_compute_with(|cached| match cached.map(moka::Entry::into_value) {
            Some(cached) => Op::Put(CachedRecord {
                doubted: now,
                ..cached
            }),
            None => Op::Nop,
        });
    }
}

#[cfg(test)]
mod tests {
    use proto::time::ManualClock;
    use proto::time::Timestamp;

    use super::*;
    use crate::bucket::record::Phase;
    use crate::chunks::random::SystemRandom;

    fn record(revision: u64) -> StoredRecord {
        let mut record = BucketRecord::new("111122223333", Phase::Live, &SystemRandom);
        record.revision = revision;
        let record = Arc::new(record);
        StoredRecord { record, etag: None }
    }

    fn cache() -> (Arc<ManualClock>, RecordCache) {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let cache = RecordCache::new(clock.clone(), Duration::from_secs(5), 10);
        (clock, cache)
    }

    fn revision(cache: &RecordCache) -> u64 {
        cache.get("b").unwrap().stored.record.revision
    }

    #[test]
    fn a_reading_that_began_before_a_put_and_ends_after_it_never_wins() {
        let (clock, cache) = cache();
        cache.offer("b", record(1), cache.now());
        let began = cache.now();
        clock.advance(Duration::from_secs(1));
        cache.offer("b", record(2), cache.now());
        let verdict = cache.offer("b", record(1), began);
        assert!(matches!(verdict, Verdict::Current(it) if it.record.revision == 2));
        assert_eq!(revision(&cache), 2);
        assert!(cache.fresh("b").is_some());
        // Nor does one that found nothing.
        assert!(matches!(
            cache.offer_absence("b", began),
            Some(Verdict::Current(_))
        ));
    }

    #[test]
    fn a_record_that_was_set_back_or_removed_at_the_backend_is_noticed() {
        let (clock, cache) = cache();
        cache.offer("b", record(3), cache.now());
        clock.advance(Duration::from_secs(1));
        let verdict = cache.offer("b", record(2), cache.now());
        assert!(matches!(verdict, Verdict::SetBack));
        let verdict = cache.offer_absence("b", cache.now());
        assert!(matches!(verdict, Some(Verdict::SetBack)));
        assert_eq!(revision(&cache), 3);
    }

    #[test]
    fn a_step_back_of_the_machines_clock_makes_nothing_fresh() {
        let (clock, cache) = cache();
        cache.offer("b", record(1), cache.now());
        cache.offer_absence("c", cache.now());
        clock.advance(Duration::from_secs(5));
        clock.set(Timestamp::UNIX_EPOCH);
        assert!(cache.fresh("b").is_none() && !cache.is_absent("c"));
    }

    #[test]
    fn a_flood_of_names_without_a_record_drives_no_record_out() {
        let (_, cache) = cache();
        cache.offer("b", record(1), cache.now());
        for number in 0..1_000 {
            cache.offer_absence(&format!("none-{number}"), cache.now());
        }
        assert_eq!(revision(&cache), 1);
    }

    #[test]
    fn what_a_write_of_unknown_outcome_may_have_replaced_is_read_again() {
        let (_, cache) = cache();
        cache.offer("b", record(1), cache.now());
        cache.doubt("b");
        assert!(cache.fresh("b").is_none());
    }
}
