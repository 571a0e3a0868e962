//! Which buckets lock their new objects: the backend's matter, read from it and cached.
//!
//! S3 stores nothing under a lock without a digest of its bytes, also where the lock is the default of the
//! bucket and no request names it. So each write needs the rule of its bucket. A rule is cached for as long
//! as the record of a bucket: a change elsewhere takes effect within that time, one through this gateway at
//! once. All writes that need a rule at the same moment wait for one reading of it.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html>

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http::StatusCode;
use proto::time::Clock;
use tokio::sync::Mutex;

use crate::backend::Backend;
use crate::backend::BackendError;
use crate::backend::BackendRequest;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;

/// What a bucket does about the locks of new objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockRule {
    /// It has no Object Lock.
    Absent,
    /// It locks what comes with a lock.
    OnRequest,
    /// It locks every new object.
    ByDefault,
    /// Its backend does not have the feature.
    Unsupported,
    /// The backend did not show it.
    Unreadable,
}

/// A rule, and when its reading began, by the monotonic clock.
type Reading = Arc<Mutex<Option<(LockRule, Duration)>>>;

/// The rules of all buckets.
pub struct ObjectLocks {
    backend: Arc<Backend>,
    clock: Arc<dyn Clock>,
    fresh: Duration,
    /// By bucket. Held while a rule is read.
    readings: moka::sync::Cache<String, Reading>,
}

impl ObjectLocks {
    /// Those at `backend`: at most `max` rules, used for `fresh` before they are read again.
    #[must_use]
    pub fn new(backend: Arc<Backend>, clock: Arc<dyn Clock>, fresh: Duration, max: u64) -> Self {
        Self {
            backend,
            clock,
            fresh,
            readings: moka::sync::Cache::new(max),
        }
    }

    /// The rule of a bucket.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`. That the rule cannot be read is no error here: a write that needs no lock goes on, and
    /// the backend refuses it if it must.
    pub async fn rule(&self, bucket: &str) -> Result<LockRule, S3Error> {
        let reading = self.readings.get_with_by_ref(bucket, Arc::default);
        let mut reading = reading.lock().await;
        let began = self.clock.monotonic();
        if let Some((rule, read)) = *reading
            && began.saturating_sub(read) < self.fresh
        {
            return Ok(rule);
        }
        let rule = Box::pin(self.read(bucket)).await?;
        *reading = Some((rule, began));
        Ok(rule)
    }

    /// Has the rule of a bucket read again. A reading that has begun counts only for those that wait for it.
    pub fn forget(&self, bucket: &str) {
        self.readings.invalidate(bucket);
    }

    async fn read(&self, bucket: &str) -> Result<LockRule, S3Error> {
        let request = BackendRequest::bucket(Method::GET, bucket).query("object-lock", "");
        match self.backend.fetch(request).await {
            Ok(answer) => Ok(parse(answer.body())),
            Err(BackendError::Refused(error)) if error.code() == S3Code::NoSuchBucket => Err(error),
            Err(error) if error.is_refused_as(StatusCode::NOT_IMPLEMENTED) => {
                Ok(LockRule::Unsupported)
            }
            Err(BackendError::Refused(error)) if is_absence(error.status()) => Ok(LockRule::Absent),
            Err(cause) => {
                tracing::warn!(%cause, bucket, "the Object Lock of a bucket cannot be read");
                Ok(LockRule::Unreadable)
            }
        }
    }
}

/// Whether a refusal means that there is no Object Lock. A missing permission does not, nor does a backend
/// that has too much to do.
fn is_absence(status: StatusCode) -> bool {
    let is_denial = matches!(
        status,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
    );
    status.is_client_error() && !is_denial
}

/// The rule in an `ObjectLockConfiguration`.
fn parse(document: &[u8]) -> LockRule {
    let Ok(configuration) = Element::parse(document, Limits::ANSWER) else {
        return LockRule::Unreadable;
    };
    let is_enabled = configuration
        .text_of("ObjectLockEnabled")
        .is_some_and(|state| state.trim() == "Enabled");
    let default = configuration
        .child("Rule")
        .and_then(|rule| rule.child("DefaultRetention"));
    match (is_enabled, default) {
        (false, _) => LockRule::Absent,
        (true, None) => LockRule::OnRequest,
        (true, Some(_)) => LockRule::ByDefault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_locks_by_default_only_where_it_has_a_default_retention() {
        let on = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>";
        let rule = "<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule>";
        for (content, expected) in [
            (String::new(), LockRule::Absent),
            (rule.to_owned(), LockRule::Absent),
            (on.to_owned(), LockRule::OnRequest),
            (format!("{on}<Rule/>"), LockRule::OnRequest),
            (format!("{on}{rule}"), LockRule::ByDefault),
        ] {
            let document = format!("<ObjectLockConfiguration>{content}</ObjectLockConfiguration>");
            assert_eq!(parse(document.as_bytes()), expected, "{content}");
        }
        assert_eq!(parse(b"no document"), LockRule::Unreadable);
    }
}
