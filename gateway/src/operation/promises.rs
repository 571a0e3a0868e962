//! What the backend must hold for an operation to be done: tried before, refused where it does not hold.
//!
//! | a request | needs | otherwise |
//! |---|---|---|
//! | names a key with `.`, `..`, an empty segment or a backslash | keys that are stored as they are | 400 |
//! | writes, or reads, a key that ends in a slash | keys that end in a slash | 400; 404, since none is stored |
//! | puts an object with tags in a header | tags in headers | 501 |
//! | puts an object with a lock | a bucket with Object Lock | 400, as at AWS |
//! | deletes, and bypasses locks | a bucket with Object Lock | 400, as at AWS |
//! | writes on a condition | atomic writes | with several gateways 501; with one, requests on conditions take turns |
//! | updates the encryption of an object | conditions on the target of a copy | 501: a PUT meanwhile could be undone |
//! | creates an upload, with several gateways | compared part ETags | 501 |

use std::sync::Arc;

use http::HeaderMap;
use http::header;

use crate::backend::BackendError;
use crate::backend::capabilities::Capabilities;
use crate::backend::capabilities::Capability;
use crate::bucket::object_lock::LockRule;
use crate::bucket::object_lock::ObjectLocks;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::operation::lock_digest;
use crate::protocol::copy_source;
use crate::protocol::copy_source::CopySource;
use crate::request::S3Request;
use crate::route::Operation;
use crate::state::Gateways;

/// What is known of the backend's promises, and the turns that take their place.
pub struct Promises {
    capabilities: Arc<Capabilities>,
    locks: ObjectLocks,
    gateways: Gateways,
    turns: moka::sync::Cache<String, Arc<tokio::sync::Mutex<()>>>,
}

/// The turn of a request, for as long as it lasts.
pub type Turn = tokio::sync::OwnedMutexGuard<()>;

impl Promises {
    /// Those of a backend with these capabilities and locks, for so many gateways.
    #[must_use]
    pub fn new(capabilities: Arc<Capabilities>, locks: ObjectLocks, gateways: Gateways) -> Self {
        Self {
            capabilities,
            locks,
            gateways,
            turns: moka::sync::Cache::new(TURNS_MAX),
        }
    }

    /// Refuses what the backend would not do as S3 does. Waits for the request's turn, if it needs one.
    ///
    /// # Errors
    ///
    /// `InvalidURI`, `InvalidArgument`, `InvalidRequest`, `NotImplemented`; `ServiceUnavailable` when a
    /// trial cannot be made.
    pub async fn check(
        &self,
        operation: Operation,
        request: &S3Request,
    ) -> Result<Option<Turn>, S3Error> {
        // Not of DeleteObjects, which AWS refuses as well (recorded): tools empty every bucket with the header, and
        // where no lock is there is none to bypass.
        let deletes = operation == Operation::DeleteObject;
        if let (true, Some(bucket)) = (deletes, &request.target.bucket) {
            self.check_bypass(bucket, &request.headers).await?;
        }
        let (Some(bucket), Some(key)) = (&request.target.bucket, &request.target.key) else {
            return Ok(None);
        };
        self.check_key(key).await?;
        let creates = matches!(
            operation,
            Operation::PutObject
                | Operation::PostObject
                | Operation::CopyObject
                | Operation::CreateMultipartUpload
        );
        if creates && !self.has_folder(key).await? {
            return Err(folded(key));
        }
        if is_read(operation) && !self.has_folder(key).await? {
            return Err(S3Error::new(S3Code::NoSuchKey).detail("Key", key));
        }
        if request.headers.contains_key(copy_source::HEADER) {
            let source = CopySource::read(&request.headers)?;
            self.check_key(&source.key).await?;
            if !self.has_folder(&source.key).await? {
                return Err(S3Error::new(S3Code::NoSuchKey).detail("Key", &source.key));
            }
        }
        if operation == Operation::UpdateObjectEncryption {
            self.require(Capability::ConditionalCopies, COPIES).await?;
        }
        if creates {
            self.check_headers(bucket, &request.headers).await?;
        }
        if operation == Operation::CreateMultipartUpload && self.gateways == Gateways::Many {
            self.require(Capability::ComparedParts, PARTS).await?;
        }
        if !is_conditional_write(operation, &request.headers)
            || self.has(Capability::AtomicWrites).await?
        {
            return Ok(None);
        }
        if self.gateways == Gateways::Many {
            return Err(S3Error::not_implemented(CONDITIONS));
        }
        let turn = self.turns.get_with(format!("{bucket}/{key}"), Arc::default);
        Ok(Some(turn.lock_owned().await))
    }

    /// Refuses a key that the backend would take for another one, and one that climbs above its bucket,
    /// as AWS does; and one with NUL, which no address and no document can name again.
    ///
    /// # Errors
    ///
    /// `InvalidURI`, `InvalidArgument`; `ServiceUnavailable` when a trial cannot be made.
    pub async fn check_key(&self, key: &str) -> Result<(), S3Error> {
        if climbs(key) || key.contains('\0') {
            return Err(S3Error::new(S3Code::InvalidUri));
        }
        match self.capabilities.has_literal(key).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(folded(key)),
            Err(cause) => Err(untried(&cause)),
        }
    }

    /// Whether an object of this key can be there: one that ends in a slash is a folder to some backends,
    /// which have no bytes and no metadata for it.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when a trial cannot be made.
    pub(crate) async fn has_folder(&self, key: &str) -> Result<bool, S3Error> {
        match key.ends_with('/') {
            true => self.has(Capability::KeysThatEndInASlash).await,
            false => Ok(true),
        }
    }

    /// Tags and locks that a backend may drop without a word.
    async fn check_headers(&self, bucket: &str, headers: &HeaderMap) -> Result<(), S3Error> {
        if headers.contains_key("x-amz-tagging") {
            self.require(Capability::TagsInHeaders, TAGS).await?;
        }
        match lock_digest::names_lock(headers) {
            true => check_lock(self.lock_rule(bucket).await?),
            false => Ok(()),
        }
    }

    /// Refuses to bypass the locks of a bucket that has none, whatever the header says (recorded from AWS).
    async fn check_bypass(&self, bucket: &str, headers: &HeaderMap) -> Result<(), S3Error> {
        if !headers.contains_key(BYPASS) {
            return Ok(());
        }
        match self.lock_rule(bucket).await? {
            LockRule::Absent | LockRule::Unsupported => {
                let error = S3Error::with_message(S3Code::InvalidArgument, NOTHING_TO_BYPASS);
                Err(error.detail("ArgumentName", BYPASS))
            }
            LockRule::OnRequest | LockRule::ByDefault | LockRule::Unreadable => Ok(()),
        }
    }

    /// What a bucket does about the locks of new objects ([`ObjectLocks::rule`]).
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`.
    pub(crate) async fn lock_rule(&self, bucket: &str) -> Result<LockRule, S3Error> {
        self.locks.rule(bucket).await
    }

    /// Notes that an operation was done that may have changed the locks of a bucket.
    pub fn note_done(&self, operation: Operation, bucket: &str) {
        let changes = matches!(
            operation,
            Operation::PutObjectLockConfiguration
                | Operation::CreateBucket
                | Operation::DeleteBucket
        );
        if changes {
            self.locks.forget(bucket);
        }
    }

    async fn require(&self, capability: Capability, reason: &'static str) -> Result<(), S3Error> {
        match self.has(capability).await? {
            true => Ok(()),
            false => Err(S3Error::not_implemented(reason)),
        }
    }

    async fn has(&self, capability: Capability) -> Result<bool, S3Error> {
        let found = self.capabilities.has(capability).await;
        found.map_err(|cause| untried(&cause))
    }
}

/// Refuses a lock that a bucket of this rule would not put on an object.
fn check_lock(rule: LockRule) -> Result<(), S3Error> {
    match rule {
        LockRule::OnRequest | LockRule::ByDefault => Ok(()),
        LockRule::Absent => Err(S3Error::invalid_request(NO_LOCK)),
        LockRule::Unsupported => Err(S3Error::not_implemented(LOCKS)),
        LockRule::Unreadable => Err(S3Error::new(S3Code::ServiceUnavailable)),
    }
}

/// Whether an operation writes on a condition that another write at the same moment could change.
fn is_conditional_write(operation: Operation, headers: &HeaderMap) -> bool {
    let writes = matches!(
        operation,
        Operation::PutObject
            | Operation::PostObject
            | Operation::CopyObject
            | Operation::CompleteMultipartUpload
            | Operation::DeleteObject
    );
    writes
        && (headers.contains_key(header::IF_MATCH) || headers.contains_key(header::IF_NONE_MATCH))
}

/// Whether an operation reads an object.
const fn is_read(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::GetObject | Operation::HeadObject | Operation::GetObjectAttributes
    )
}

fn folded(key: &str) -> S3Error {
    S3Error::with_message(S3Code::InvalidArgument, KEY).detail("Key", key)
}

/// Whether the segments of a key lead above the bucket at any point.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>, "../".
fn climbs(key: &str) -> bool {
    let mut depth = 0_i32;
    key.split('/').any(|segment| {
        match segment {
            ".." => depth -= 1,
            "." | "" => {}
            _ => depth += 1,
        }
        depth < 0
    })
}

fn untried(cause: &BackendError) -> S3Error {
    tracing::error!(%cause, "what the backend can do could not be tried");
    S3Error::new(S3Code::ServiceUnavailable)
}

/// Keys that may wait at a time without meeting others in a turn.
const TURNS_MAX: u64 = 10_000;

const KEY: &str = "This backend would store an object of this key under another key.";
const TAGS: &str = "This backend does not store the tags of the header x-amz-tagging. \
    Send PutObjectTagging instead.";
const NO_LOCK: &str = "Bucket is missing Object Lock Configuration";
const BYPASS: &str = "x-amz-bypass-governance-retention";
const NOTHING_TO_BYPASS: &str =
    "x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets.";
const LOCKS: &str = "This backend has no Object Lock.";
const COPIES: &str = "This backend does not compare the target of a copy, so an update of an object's \
    encryption could undo a PUT. Copy the object onto itself instead.";
const PARTS: &str = "This backend does not compare the parts of an upload, so several gateways cannot \
    complete uploads.";
const CONDITIONS: &str = "The conditional writes of this backend are not atomic.";

#[cfg(test)]
mod tests {
    use super::climbs;

    #[test]
    fn a_key_that_climbs_above_its_bucket_is_told_from_others_with_dots() {
        for (key, expected) in [
            ("a", false),
            ("a/../b", false),
            ("a/b/../../c", false),
            ("..a/b..", false),
            ("./a", false),
            ("..", true),
            ("../a", true),
            ("a/../../b", true),
            ("a//../../b", true),
        ] {
            assert_eq!(climbs(key), expected, "{key}");
        }
    }
}
