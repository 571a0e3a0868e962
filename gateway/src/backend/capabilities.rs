//! What this backend really does, found out by trial before it is relied upon.
//!
//! Some backends answer yes to what they do not do: they take a condition and do not compare it, or
//! they compare and let two writers win. So before the first use of such a promise small objects in
//! the gateway's own bucket show whether it holds. A finding counts for a day; where a promise does
//! not hold, the backend's `Server` header is logged.
//!
//! A trial that could not be made (no connection, no permission) finds nothing: the request that
//! needs the promise fails, and the next one tries again.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use proto::time::Clock;
use tokio::sync::Mutex;

use crate::backend::Backend;
use crate::backend::BackendError;
use crate::backend::capabilities::trial::Trial;
use crate::chunks::random::Random;

mod trial;

/// A promise of S3 that some backends do not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// A PUT is refused where its `If-None-Match` or `If-Match` does not hold, and of several writers
    /// at the same moment exactly one wins.
    AtomicWrites,
    /// CompleteMultipartUpload refuses a part whose ETag is not the one of the request.
    ComparedParts,
    /// CopyObject is refused where its `If-Match` does not hold for the target.
    ConditionalCopies,
    /// A listing shows what was written before.
    ConsistentListings,
    /// The tags in a header of PutObject are stored.
    TagsInHeaders,
    /// A key with a segment `.` or `..` is one of its own.
    KeysWithDots,
    /// A key with an empty segment is one of its own.
    KeysWithEmptySegments,
    /// A key with a backslash is one of its own.
    KeysWithBackslashes,
    /// A key that ends in a slash has bytes and metadata like any other, and is no folder.
    KeysThatEndInASlash,
}

impl Capability {
    const COUNT: usize = 9;

    /// What a backend must have to store an object of this key under its own name.
    #[must_use]
    pub fn for_key(key: &str) -> Vec<Self> {
        let mut needed = Vec::new();
        if key.split('/').any(|segment| matches!(segment, "." | "..")) {
            needed.push(Self::KeysWithDots);
        }
        if key.starts_with('/') || key.contains("//") {
            needed.push(Self::KeysWithEmptySegments);
        }
        if key.contains('\\') {
            needed.push(Self::KeysWithBackslashes);
        }
        needed
    }
}

/// What a trial found.
#[derive(Clone, Debug)]
struct Finding {
    holds: bool,
    server: Option<HeaderValue>,
    /// By the monotonic clock.
    tried: Duration,
}

/// What is known of a backend's promises.
pub struct Capabilities {
    backend: Arc<Backend>,
    bucket: Arc<str>,
    random: Arc<dyn Random>,
    clock: Arc<dyn Clock>,
    /// By capability. Held while a trial runs, so that all who need one wait for the same.
    findings: [Mutex<Option<Finding>>; Capability::COUNT],
}

impl Capabilities {
    /// Nothing is known yet of `backend`, whose bucket `bucket` is the gateway's own.
    #[must_use]
    pub fn new(
        backend: Arc<Backend>,
        bucket: &str,
        random: Arc<dyn Random>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            backend,
            bucket: Arc::from(bucket),
            random,
            clock,
            findings: Default::default(),
        }
    }

    /// Whether the backend has a capability.
    ///
    /// # Errors
    ///
    /// [`BackendError`] when that could not be tried.
    pub async fn has(&self, capability: Capability) -> Result<bool, BackendError> {
        let Some(finding) = self.findings.get(capability as usize) else {
            return Ok(false);
        };
        let mut finding = finding.lock().await;
        let now = self.clock.monotonic();
        if let Some(known) = &*finding
            && now.saturating_sub(known.tried) < FINDING_COUNTS
        {
            return Ok(known.holds);
        }
        let trial = Trial::new(&self.backend, &self.bucket, &*self.random);
        let (holds, server) = Box::pin(trial.run(capability)).await?;
        let changed = finding.as_ref().is_none_or(|known| known.holds != holds);
        if changed && !holds {
            tracing::warn!(?capability, ?server, "the backend does not do as S3 does");
        }
        let known = Finding {
            holds,
            server,
            tried: now,
        };
        tracing::debug!(?capability, server = ?known.server, holds, "tried a capability");
        *finding = Some(known);
        Ok(holds)
    }

    /// Whether the backend can store `key` under its own name.
    ///
    /// # Errors
    ///
    /// As [`Capabilities::has`].
    pub async fn has_literal(&self, key: &str) -> Result<bool, BackendError> {
        for capability in Capability::for_key(key) {
            if !Box::pin(self.has(capability)).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl std::fmt::Debug for Capabilities {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Capabilities")
            .field("bucket", &self.bucket)
            .finish_non_exhaustive()
    }
}

/// How long a finding counts: backends are updated and replaced.
const FINDING_COUNTS: Duration = Duration::from_secs(24 * 3_600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_that_a_file_system_would_fold_need_a_trial() {
        let dots = [Capability::KeysWithDots].as_slice();
        let empty = [Capability::KeysWithEmptySegments].as_slice();
        for (key, needed) in [
            ("a/b", &[][..]),
            ("a/b/", &[]),
            ("a..b/.c/d.", &[]),
            ("..", dots),
            ("a/./b", dots),
            ("a/..", dots),
            ("a//b", empty),
            ("/a", empty),
            ("a\\b", &[Capability::KeysWithBackslashes]),
        ] {
            assert_eq!(Capability::for_key(key), needed, "{key}");
        }
    }
}
