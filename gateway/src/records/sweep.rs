//! Removing what uploads left behind in the state bucket.
//!
//! The head of an upload stays when it is complete, and also when the backend ends the upload by
//! itself (a lifecycle) or a gateway dies before it could clear up. A sweep lists the heads, and of
//! each that is older than [`crate::state::Config::gone_uploads_hours`] it looks up at the backend whether there
//! still is such an upload. Only if the backend has none everything known of it goes;
//! an upload that goes on is never touched, however old. Parts without a head go when they are as old, and so do
//! uploads without one ([`crate::records::unknown_uploads`]).
//!
//! Sweeps of several gateways do no harm to one another.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http::StatusCode;
use proto::time::Clock;
use proto::time::Timestamp;

use crate::backend::BackendRequest;
use crate::backend::capabilities::Capabilities;
use crate::backend::capabilities::Capability;
use crate::chunks::random::Random;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::records::record::RecordReading;
use crate::records::record::Records;
use crate::records::unknown_uploads;
use crate::records::unknown_uploads::SealedBuckets;
use crate::records::uploads;
use crate::state::Config;
use crate::state::State;
use crate::state::unavailable;

/// Sweeps a state bucket.
pub struct Sweep {
    state: State,
    records: Records,
    clock: Arc<dyn Clock>,
    age: Duration,
    /// What is known of the backend, where that is looked at.
    capabilities: Option<Arc<Capabilities>>,
    /// The buckets whose uploads are all the gateways'.
    sealed: Option<Arc<dyn SealedBuckets>>,
}

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Heads of uploads that the backend has no more.
    pub heads: usize,
    /// Uploads of which there were parts and no head.
    pub headless: usize,
    /// Trials that nobody removed.
    pub trials: usize,
    /// Uploads at the backend without a head.
    pub unknown: usize,
}

impl Sweep {
    /// A sweep of `state`, whose heads are among `records`.
    #[must_use]
    pub fn new(state: State, records: Records, clock: Arc<dyn Clock>, config: &Config) -> Self {
        let age = Duration::from_secs(config.gone_uploads_hours.saturating_mul(3_600));
        Self {
            state,
            records,
            clock,
            age,
            capabilities: None,
            sealed: None,
        }
    }

    /// The same; it also aborts old uploads without a head in these buckets.
    #[must_use]
    pub fn aborting_in(mut self, buckets: Arc<dyn SealedBuckets>) -> Self {
        self.sealed = Some(buckets);
        self
    }

    /// The same; it sweeps only where listings show what was written before.
    #[must_use]
    pub fn at_backend_of(mut self, capabilities: Arc<Capabilities>) -> Self {
        self.capabilities = Some(capabilities);
        self
    }

    /// Sweeps about once an hour, for ever: several gateways at different times.
    pub async fn run(&self, random: &dyn Random) {
        loop {
            tokio::time::sleep(pause(random)).await;
            match self.once().await {
                Ok(swept) if swept == Swept::default() => {}
                Ok(swept) => tracing::info!(?swept, "removed what uploads left behind"),
                Err(error) => tracing::warn!(%error, "a sweep broke off"),
            }
        }
    }

    /// Sweeps now.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the backend or the KMS cannot be reached; what was removed until then
    /// was rightly removed.
    pub async fn once(&self) -> Result<Swept, S3Error> {
        let mut swept = Swept::default();
        if let Some(capabilities) = &self.capabilities {
            let listed = capabilities.has(Capability::ConsistentListings).await;
            if !listed.map_err(|cause| unavailable("a trial", &cause))? {
                return Ok(swept);
            }
        }
        // Before the heads: a part is written after its head.
        let mut headless = self.slots().await?;
        let mut buckets = BTreeSet::new();
        let mut after = None::<String>;
        loop {
            let page = self.state.page(RECORDS, after.as_deref(), false).await?;
            for entry in &page.entries {
                buckets.extend(bucket(&entry.name).map(str::to_owned));
                let Some((bucket, slot)) = head(&entry.name) else {
                    continue;
                };
                headless.remove(slot);
                if self.is_old(entry.modified) && self.is_gone(bucket, slot).await? {
                    self.state.remove_all(&uploads::pieces(slot)).await?;
                    self.state.remove(&entry.name).await?;
                    swept.heads += 1;
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        for slot in headless {
            if self.is_abandoned(&slot).await? {
                self.state.remove_all(&uploads::pieces(&slot)).await?;
                swept.headless += 1;
            }
        }
        for prefix in TRIALS {
            for entry in self.state.page(prefix, None, false).await?.entries {
                if self.is_old(entry.modified) {
                    self.state.remove(&entry.name).await?;
                    swept.trials += 1;
                }
            }
        }
        swept.trials += self.abort_old(self.state.bucket()).await?;
        for bucket in buckets {
            swept.unknown += self.abort_unknown(&bucket).await?;
        }
        Ok(swept)
    }

    /// The slots that there are parts in.
    async fn slots(&self) -> Result<BTreeSet<String>, S3Error> {
        let mut slots = BTreeSet::new();
        let mut after = None::<String>;
        loop {
            let page = self.state.page(PIECES, after.as_deref(), true).await?;
            let names = page.entries.iter();
            slots.extend(names.filter_map(|entry| {
                let slot = entry.name.strip_prefix(PIECES)?.strip_suffix('/')?;
                Some(slot.to_owned())
            }));
            after = page.next;
            if after.is_none() {
                return Ok(slots);
            }
        }
    }

    /// Whether all parts in a slot without a head were written so long ago that they may go. A listing
    /// that misses a head must not cost an upload that goes on.
    async fn is_abandoned(&self, slot: &str) -> Result<bool, S3Error> {
        let pieces = uploads::pieces(slot);
        let mut after = None::<String>;
        loop {
            let page = self.state.page(&pieces, after.as_deref(), false).await?;
            let mut entries = page.entries.iter();
            if !entries.all(|entry| self.is_old(entry.modified)) {
                return Ok(false);
            }
            after = page.next;
            if after.is_none() {
                return Ok(true);
            }
        }
    }

    /// Whether something was written so long ago that it may go; never if that is unknown.
    fn is_old(&self, written: Option<Timestamp>) -> bool {
        let now = self.clock.now();
        written.is_some_and(|written| now.since(written) >= self.age)
    }

    /// The same, if all uploads in the bucket are the gateways'.
    async fn abort_unknown(&self, bucket: &str) -> Result<usize, S3Error> {
        let Some(sealed) = &self.sealed else {
            return Ok(0);
        };
        match sealed.contains(bucket).await? {
            true => self.abort_old(bucket).await,
            false => Ok(0),
        }
    }

    /// Aborts the uploads in a bucket that are old and have no head; how many there were. In the state bucket these
    /// are trials.
    async fn abort_old(&self, bucket: &str) -> Result<usize, S3Error> {
        let is_old = |initiated| self.is_old(initiated);
        unknown_uploads::abort_old(self.state.backend(), &self.records, bucket, is_old).await
    }

    /// Whether the backend has no such upload.
    async fn is_gone(&self, bucket: &str, slot: &str) -> Result<bool, S3Error> {
        let subject = uploads::subject(slot);
        let document: uploads::Document = match self.records.read(bucket, &subject, None).await {
            Ok(RecordReading::Value(document, _)) => document,
            Ok(_) => return Ok(false),
            Err(error) if error.status() == StatusCode::SERVICE_UNAVAILABLE => return Err(error),
            // It was tampered with, which is logged, and no reason to leave the others.
            Err(_) => return Ok(false),
        };
        let request = BackendRequest::object(Method::GET, bucket, document.key)
            .query("uploadId", document.upload_id)
            .query("max-parts", "1");
        match self.state.backend().fetch(request).await {
            Ok(_) => Ok(false),
            Err(error) => Ok(error.is_refused_with(S3Code::NoSuchUpload)
                || error.is_refused_with(S3Code::NoSuchBucket)),
        }
    }
}

/// The bucket that a record is about, by its name.
fn bucket(name: &str) -> Option<&str> {
    let (bucket, _) = name.strip_prefix(RECORDS)?.split_once('/')?;
    Some(bucket)
}

/// Bucket and slot of a head, by its name.
fn head(name: &str) -> Option<(&str, &str)> {
    let (bucket, slot) = name.strip_prefix(RECORDS)?.split_once("/uploads/")?;
    Some((bucket, slot)).filter(|_| !slot.contains('/'))
}

/// How long to wait before the next sweep: an hour, and at random up to half an hour more.
fn pause(random: &dyn Random) -> Duration {
    let mut bytes = [0; 4];
    random.fill(&mut bytes);
    let part = u64::from(u32::from_be_bytes(bytes)) % (PAUSE.as_secs() / 2);
    PAUSE + Duration::from_secs(part)
}

/// How long to wait between two sweeps at least.
const PAUSE: Duration = Duration::from_secs(3_600);

/// The start of the names of records, heads among them.
const RECORDS: &str = "buckets/";
/// The start of the names of parts.
const PIECES: &str = "uploads/";
/// The starts of the names of trials.
const TRIALS: [&str; 2] = ["copies/", "trials/"];

#[cfg(test)]
mod tests {
    use super::head;

    #[test]
    fn heads_are_told_from_other_records() {
        assert_eq!(head("buckets/b/uploads/0a1b"), Some(("b", "0a1b")));
        assert_eq!(head("buckets/b/encryption"), None);
        assert_eq!(head("buckets/b/uploads/0a1b/more"), None);
        assert_eq!(head("uploads/0a1b/parts/1"), None);
    }
}
