//! Records that wait for their delivery, within bounds of memory.
//!
//! What is being delivered still counts: it comes back where the delivery failed. Records that no bound allows are
//! dropped and counted.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proto::time::Timestamp;

use crate::access_log::config::Config;
use crate::bucket::logging::LoggingEnabled;
use crate::bucket::record::Incarnation;

/// A bucket with logging on, at the moment of a request. Records of one such value are delivered together.
///
/// It has the account that the bucket belonged to then: whoever owns a later bucket of the name has no part in it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct LoggedBucket {
    /// The bucket.
    pub name: String,
    /// Which of the buckets of the name.
    pub incarnation: Incarnation,
    /// The account that it belongs to.
    pub account: Arc<str>,
    /// Its Region.
    pub region: String,
    /// Where its log goes.
    pub logging: LoggingEnabled,
    /// Whether the request was judged by this state of the bucket. A request that was refused before may have found an
    /// older one cached, so the bucket is looked up again before its log is delivered.
    pub is_judged: bool,
}

/// A moment by both clocks: ages count by whichever moved on.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// By the clock that never steps back.
    pub monotonic: Duration,
    /// By the clock of the records.
    pub time: Timestamp,
}

/// What becomes one log object.
#[derive(Debug)]
pub struct Batch {
    /// The bucket that the records are about.
    pub bucket: Arc<LoggedBucket>,
    /// The first moment of the day that all of them are of, where the key names the day of the events.
    pub day: Timestamp,
    /// The records.
    pub lines: String,
    /// Records that were dropped before these because memory was full.
    pub dropped: u64,
}

/// All records that wait.
#[derive(Debug, Default)]
pub struct PendingLogs {
    streams: HashMap<Arc<LoggedBucket>, Stream>,
    /// Bytes that wait or are being delivered.
    bytes: usize,
}

/// The records of one bucket that wait.
#[derive(Debug)]
struct Stream {
    /// By the number of the day; one number where the key does not name the day of the events.
    days: BTreeMap<i64, String>,
    waiting_bytes: usize,
    delivered_bytes: usize,
    dropped: u64,
    since: Moment,
    /// Whether the last delivery failed: then only time makes the next one due.
    is_retry: bool,
}

/// What became of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// They wait.
    Waiting,
    /// They wait, and the delivery has something to look at.
    Due,
    /// Memory is full.
    Dropped,
}

impl Moment {
    /// Whether `interval` passed since.
    fn is_past(self, interval: Duration, now: Self) -> bool {
        now.monotonic.saturating_sub(self.monotonic) >= interval
            || now.time.since(self.time) >= interval
    }
}

impl PendingLogs {
    /// Adds the records of one request, received at `received`.
    pub fn add(
        &mut self,
        bucket: LoggedBucket,
        received: Timestamp,
        lines: &str,
        now: Moment,
        config: &Config,
    ) -> Added {
        let day = match bucket.logging.is_by_event_day() {
            true => received.unix_seconds().div_euclid(DAY_SECONDS),
            false => 0,
        };
        let is_first = !self.streams.contains_key(&bucket);
        let stream = self.streams.entry(Arc::new(bucket));
        let stream = stream.or_insert_with(|| Stream::new(now));
        let of_bucket = stream.waiting_bytes + stream.delivered_bytes + lines.len();
        if of_bucket > config.bucket_max_bytes()
            || self.bytes + lines.len() > config.memory_max_bytes
        {
            stream.dropped += 1;
            return Added::Dropped;
        }
        if stream.waiting_bytes == 0 {
            stream.since = now;
        }
        stream.days.entry(day).or_default().push_str(lines);
        stream.waiting_bytes += lines.len();
        self.bytes += lines.len();
        match is_first || stream.is_large(config) {
            true => Added::Due,
            false => Added::Waiting,
        }
    }

    /// Takes what is to be delivered: what waited long enough and what is large, or everything.
    pub fn take(&mut self, all: bool, now: Moment, config: &Config) -> Vec<Batch> {
        let mut taken = Vec::new();
        for (bucket, stream) in &mut self.streams {
            let is_due = all || stream.is_due(now, config);
            if !is_due || stream.waiting_bytes == 0 {
                continue;
            }
            for (day, lines) in std::mem::take(&mut stream.days) {
                taken.push(Batch {
                    bucket: Arc::clone(bucket),
                    day: Timestamp::from_unix_seconds(day.saturating_mul(DAY_SECONDS)),
                    lines,
                    dropped: std::mem::take(&mut stream.dropped),
                });
            }
            stream.delivered_bytes += std::mem::take(&mut stream.waiting_bytes);
        }
        taken
    }

    /// Ends the delivery of what was taken: it was delivered, or is not to be.
    pub fn end(&mut self, batch: &Batch) {
        self.bytes = self.bytes.saturating_sub(batch.lines.len());
        if let Some(stream) = self.streams.get_mut(&batch.bucket) {
            stream.delivered_bytes = stream.delivered_bytes.saturating_sub(batch.lines.len());
            stream.is_retry = false;
            if stream.waiting_bytes + stream.delivered_bytes == 0 && stream.dropped == 0 {
                self.streams.remove(&batch.bucket);
            }
        }
    }

    /// Puts back what could not be delivered, to be tried again.
    pub fn put_back(&mut self, batch: Batch, now: Moment) {
        let stream = self.streams.entry(batch.bucket);
        let stream = stream.or_insert_with(|| Stream::new(now));
        let bytes = batch.lines.len();
        let day = batch.day.unix_seconds().div_euclid(DAY_SECONDS);
        stream.days.entry(day).or_default().push_str(&batch.lines);
        stream.delivered_bytes = stream.delivered_bytes.saturating_sub(bytes);
        stream.waiting_bytes += bytes;
        stream.dropped += batch.dropped;
        stream.since = now;
        stream.is_retry = true;
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.streams
            .values()
            .all(|stream| stream.waiting_bytes == 0)
    }
}

impl Stream {
    fn new(now: Moment) -> Self {
        Self {
            days: BTreeMap::new(),
            waiting_bytes: 0,
            delivered_bytes: 0,
            dropped: 0,
            since: now,
            is_retry: false,
        }
    }

    /// Whether there is enough for a log object. Less is enough where memory has no room for so much.
    fn is_large(&self, config: &Config) -> bool {
        let enough = OBJECT_BYTES.min(config.bucket_max_bytes() / 2);
        self.waiting_bytes >= enough && !self.is_retry
    }

    fn is_due(&self, now: Moment, config: &Config) -> bool {
        self.is_large(config) || self.since.is_past(config.interval(), now)
    }
}

/// Bytes of records that are delivered without waiting for more.
const OBJECT_BYTES: usize = 1 << 20;

const DAY_SECONDS: i64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::document::logging::KeyFormat;
    use crate::chunks::random::SystemRandom;

    const CONFIG: Config = Config {
        interval_seconds: 60,
        memory_max_bytes: 16 << 20,
        source_region: true,
    };

    struct Logs {
        pending: PendingLogs,
        incarnation: Incarnation,
        format: KeyFormat,
    }

    impl Logs {
        fn new(format: KeyFormat) -> Self {
            Self {
                pending: PendingLogs::default(),
                incarnation: Incarnation::new(&SystemRandom),
                format,
            }
        }

        fn add(&mut self, name: &str, lines: &str, at: u64) -> Added {
            let bucket = LoggedBucket {
                name: name.to_owned(),
                incarnation: self.incarnation.clone(),
                account: Arc::from("111122223333"),
                region: "us-east-1".to_owned(),
                logging: LoggingEnabled {
                    target_bucket: "logs".to_owned(),
                    target_prefix: String::new(),
                    target_grants: None,
                    key_format: Some(self.format),
                },
                is_judged: true,
            };
            let received = moment(at).time;
            self.pending
                .add(bucket, received, lines, moment(at), &CONFIG)
        }

        fn take(&mut self, at: u64) -> Vec<Batch> {
            self.pending.take(false, moment(at), &CONFIG)
        }
    }

    fn moment(seconds: u64) -> Moment {
        Moment {
            monotonic: Duration::from_secs(seconds),
            time: Timestamp::UNIX_EPOCH.plus(Duration::from_secs(seconds)),
        }
    }

    #[test]
    fn records_wait_for_the_interval_and_are_delivered_together() {
        let mut logs = Logs::new(KeyFormat::Simple);
        assert_eq!(logs.add("a", "1\n", 0), Added::Due);
        assert_eq!(logs.add("a", "2\n", 30), Added::Waiting);
        assert!(logs.take(59).is_empty());
        let taken = logs.take(60);
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].lines, "1\n2\n");
        assert!(logs.pending.is_empty() && logs.take(1_000).is_empty());
    }

    #[test]
    fn either_clock_makes_records_due() {
        let mut logs = Logs::new(KeyFormat::Simple);
        logs.add("a", "1\n", 0);
        let later = Moment {
            time: moment(60).time,
            ..moment(0)
        };
        assert_eq!(logs.pending.take(false, later, &CONFIG).len(), 1);
    }

    #[test]
    fn records_of_two_days_become_two_objects_where_keys_name_the_day() {
        for (format, expected) in [
            (KeyFormat::Partitioned(None), &[0, 86_400][..]),
            (KeyFormat::Simple, &[0][..]),
        ] {
            let mut logs = Logs::new(format);
            logs.add("a", "1\n", 86_399);
            logs.add("a", "2\n", 86_400);
            let taken = logs.pending.take(true, moment(86_400), &CONFIG);
            let days: Vec<_> = taken.iter().map(|batch| batch.day.unix_seconds()).collect();
            assert_eq!(days, expected, "{format:?}");
        }
    }

    #[test]
    fn a_large_log_does_not_wait() {
        let mut logs = Logs::new(KeyFormat::Simple);
        logs.add("a", "1\n", 0);
        assert_eq!(logs.add("a", &"x".repeat(1_000_000), 0), Added::Waiting);
        assert_eq!(logs.add("a", &"x".repeat(48_574), 0), Added::Due);
        assert_eq!(logs.take(0).len(), 1);
    }

    #[test]
    fn one_bucket_has_an_eighth_of_the_memory_and_all_have_all_of_it() {
        let mut logs = Logs::new(KeyFormat::Simple);
        let eighth = "x".repeat(2 << 20);
        assert_eq!(logs.add("0", &eighth, 0), Added::Due);
        assert_eq!(logs.add("0", "1\n", 0), Added::Dropped);
        for name in 1..8 {
            assert_eq!(logs.add(&name.to_string(), &eighth, 0), Added::Due);
        }
        assert_eq!(logs.add("8", "1\n", 0), Added::Dropped);
        let taken = logs.pending.take(true, moment(0), &CONFIG);
        // What is being delivered still takes memory.
        assert_eq!(logs.add("8", "1\n", 0), Added::Dropped);
        let first = taken.iter().find(|batch| batch.bucket.name == "0");
        assert_eq!(first.map(|batch| batch.dropped), Some(1));
        for batch in &taken {
            logs.pending.end(batch);
        }
        assert_eq!(logs.add("0", "1\n", 0), Added::Due);
    }

    #[test]
    fn what_could_not_be_delivered_waits_another_interval_whatever_its_size() {
        let mut logs = Logs::new(KeyFormat::Simple);
        logs.add("a", &"x".repeat(1 << 20), 0);
        let batch = logs.take(0).remove(0);
        logs.pending.put_back(batch, moment(10));
        assert!(logs.take(69).is_empty());
        let taken = logs.take(70);
        assert_eq!(taken[0].lines.len(), 1 << 20);
        logs.pending.end(&taken[0]);
        assert!(logs.pending.streams.is_empty());
        assert_eq!(logs.pending.bytes, 0);
    }
}
