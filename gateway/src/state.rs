//! What the gateway must remember and no object can hold: stored in a bucket of its own at the backend.
//!
//! Gateways have no disk and no database, so several of them can stand before one backend. The state
//! bucket is made at the first start. It is never shown to clients.
//!
//! | name | what it is | protected by |
//! |---|---|---|
//! | `identity` | the id of this installation ([`crate::bucket::installation`]) | a sealed object like any other |
//! | `root-keys/<id>` | a root key of SSE-S3 ([`crate::keys::root_key`]) | wrapped by the KMS |
//! | `buckets/<bucket>/record` | all that is stored about a bucket ([`crate::bucket::record`]) | sealed |
//! | `buckets/<bucket>/uploads/<slot>` | the head of an upload ([`crate::records::uploads`]) | sealed |
//! | `buckets/<bucket>/acls/...` | access control lists of objects ([`crate::records::object_acls`]) | sealed |
//! | `uploads/<slot>/...` | parts of uploads that are not complete ([`crate::records::uploads`]) | sealed |
//! | `access-points/<account>/<name>` | an access point ([`crate::access_point`]) | sealed |
//! | `access-point-aliases/<alias>` | which access point has the alias | sealed |
//! | `accounts/<account>/public-access-block` | what an account blocks of public access ([`crate::bucket::account_block`]) | sealed |
//! | `mfa/<digest>` | which codes of an MFA device were used ([`crate::records::mfa_codes`]) | sealed |
//! | `vaults/<account>/<region>/<vault>` | a Glacier vault: its tags, policies and lock ([`crate::vault`]) | sealed |
//! | `vault-contents/<incarnation>/...` | what is in a vault: archives, jobs, uploads ([`crate::vault`]) | sealed |
//! | `gateways/<id>` | that a gateway runs ([`presence`]) | nothing |
//! | `copies/<id>-...`, `trials/<id>...` | trials of the backend ([`copies`], [`crate::backend::capabilities`]), removed at once | nothing: they contain nothing |
//!
//! What uploads leave behind is found by its age and removed ([`crate::records::sweep`]).
//!
//! What cannot be read is an error, never an absence: a bucket whose encryption is unknown takes no
//! writes. Once the identity was seen, this holds for the state bucket as a whole.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::stream;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::header;
use md5::Digest as _;
use md5::Md5;
use proto::time::Timestamp;

use crate::backend::Backend;
use crate::backend::BackendBody;
use crate::backend::BackendError;
use crate::backend::BackendRequest;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::etag::ETag;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;

pub mod copies;
pub mod presence;
mod process;

/// Where the state is stored, and how long it is cached.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What stores the records of buckets.
    pub store: Store,

    /// The state bucket at the backend.
    ///
    /// Clients can neither see nor name it. Gateways that serve the same buckets must name the same.
    pub bucket: String,

    /// How many gateways serve the state bucket.
    pub gateways: Gateways,

    /// Before which backends a first start makes the identity.
    pub first_start: FirstStart,

    /// How long the record of a bucket is used before it is read again, in milliseconds: a change
    /// through another gateway takes effect within that time.
    pub fresh_ms: u64,

    /// Most records cached.
    pub cached_max: u64,

    /// How long what is known of an upload stays after the upload is gone from the backend, in hours:
    /// so long completing it again is answered as the first time.
    pub gone_uploads_hours: u64,
}

/// What stores the records of buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Store {
    /// The state bucket.
    #[default]
    Bucket,
}

/// How many gateways serve one state bucket at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gateways {
    /// This one alone: a second one does not start. Any backend will do.
    #[default]
    One,
    /// Any number. The backend's conditional writes must be atomic.
    Many,
}

/// Before which backends a first start makes the identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FirstStart {
    /// Before one without buckets. Where there are some, a missing state bucket may be a lost or
    /// misspelled one, and the gateway does not start.
    #[default]
    Empty,
    /// Before any. The buckets that are there belong to the account of the first user then.
    Any,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            store: Store::default(),
            bucket: DEFAULT_BUCKET.to_owned(),
            gateways: Gateways::default(),
            first_start: FirstStart::default(),
            fresh_ms: 5_000,
            cached_max: 10_000,
            gone_uploads_hours: 7 * 24,
        }
    }
}

/// The state bucket where the configuration names no other.
const DEFAULT_BUCKET: &str = "sealgate-state";

/// The start of the names of the state buckets of `sealgate up --ephemeral --backend`.
pub const EPHEMERAL_BUCKETS: &str = "sealgate-ephemeral-";

/// Whether `bucket` is the gateway's `own` state bucket, or by its name another gateway's.
#[must_use]
pub fn is_reserved(bucket: &str, own: &str) -> bool {
    bucket == own || bucket == DEFAULT_BUCKET || bucket.starts_with(EPHEMERAL_BUCKETS)
}

/// The state bucket.
#[derive(Clone, Debug)]
pub struct State {
    backend: Arc<Backend>,
    bucket: Arc<str>,
    /// Whether the state bucket must be there, because it was.
    must_exist: Arc<AtomicBool>,
}

/// The state that a document must be in to be replaced.
#[derive(Clone, Debug)]
pub enum Expected {
    /// There is none.
    Absent,
    /// The version of this ETag.
    Version(ETag),
}

/// What became of a conditional write.
#[derive(Clone, Debug)]
pub enum Swap {
    /// It was done; the new ETag.
    Done(Option<ETag>),
    /// It was not: the document is in another state.
    Changed,
}

/// A stored document.
#[derive(Clone, Debug)]
pub struct StateDocument {
    /// Its headers at the backend.
    pub headers: HeaderMap,
    /// Its bytes.
    pub bytes: Bytes,
}

/// What reading a document again showed.
#[derive(Clone, Debug)]
pub enum Reading {
    /// It is as it was.
    Unchanged,
    /// There is none.
    Absent,
    /// It is this now.
    Found(StateDocument),
}

/// A page of a listing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    /// In the order of their names.
    pub(crate) entries: Vec<StateEntry>,
    /// Where to go on, if there is more.
    pub(crate) next: Option<String>,
}

/// A document in a listing, or the common start of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StateEntry {
    pub(crate) name: String,
    /// When it was written, by the backend's clock.
    pub(crate) modified: Option<Timestamp>,
}

impl State {
    /// The state in `config`'s bucket on `backend`.
    #[must_use]
    pub fn new(backend: Arc<Backend>, config: &Config) -> Self {
        Self {
            backend,
            bucket: Arc::from(config.bucket.as_str()),
            must_exist: Arc::default(),
        }
    }

    /// From now on a state bucket that is not there is an error: neither is a document of it absent
    /// then, nor is it made.
    pub fn require(&self) {
        self.must_exist.store(true, Ordering::Release);
    }

    /// Whether the backend's refusal means that there is no such document.
    fn is_absence(&self, error: &BackendError) -> bool {
        error.is_refused_with(S3Code::NoSuchKey)
            || (error.is_refused_with(S3Code::NoSuchBucket)
                && !self.must_exist.load(Ordering::Acquire))
    }

    /// The backend that has the state bucket.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// The same, to be shared.
    #[must_use]
    pub fn shared_backend(&self) -> &Arc<Backend> {
        &self.backend
    }

    /// The name of the state bucket, which no client may use.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Whether no client may use this bucket: it is this gateway's state bucket, or by its name that of
    /// another gateway before the same backend.
    #[must_use]
    pub fn reserves(&self, bucket: &str) -> bool {
        is_reserved(bucket, &self.bucket)
    }

    /// Reads the document `name`; `known` is the ETag of the version that is known already.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the backend cannot be reached or refuses.
    pub async fn read(&self, name: &str, known: Option<&ETag>) -> Result<Reading, S3Error> {
        let mut request = BackendRequest::object(Method::GET, &*self.bucket, name);
        if let Some(etag) = known {
            request = request.header(header::IF_NONE_MATCH, etag.to_header());
        }
        match self.backend.fetch(request).await {
            Ok(answer) => {
                let (parts, bytes) = answer.into_parts();
                Ok(Reading::Found(StateDocument {
                    headers: parts.headers,
                    bytes,
                }))
            }
            Err(error) if error.is_refused_as(http::StatusCode::NOT_MODIFIED) => {
                Ok(Reading::Unchanged)
            }
            Err(error) if self.is_absence(&error) => Ok(Reading::Absent),
            Err(error) => Err(unavailable(name, &error)),
        }
    }

    /// Writes the document `name`, and makes the state bucket if there is none; the new ETag.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the backend cannot be reached or refuses. It is unknown then whether
    /// the document was written.
    pub async fn write(
        &self,
        name: &str,
        headers: &HeaderMap,
        bytes: Bytes,
    ) -> Result<Option<ETag>, S3Error> {
        let answer = self.put(name, headers, bytes).await;
        let answer = answer.map_err(|error| unavailable(name, &error))?;
        Ok(ETag::from_headers(answer.headers()))
    }

    /// Writes the document `name` as [`State::write`] does, if it is in the expected state. How far the
    /// backend can be trusted to compare, [`crate::backend::capabilities`] finds out.
    ///
    /// # Errors
    ///
    /// As [`State::write`].
    pub async fn swap(
        &self,
        name: &str,
        headers: &HeaderMap,
        bytes: Bytes,
        expected: &Expected,
    ) -> Result<Swap, S3Error> {
        let mut headers = headers.clone();
        match expected {
            Expected::Absent => {
                headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("*"));
            }
            Expected::Version(etag) => {
                headers.insert(header::IF_MATCH, etag.to_header());
            }
        }
        match self.put(name, &headers, bytes).await {
            Ok(answer) => Ok(Swap::Done(ETag::from_headers(answer.headers()))),
            Err(error) if is_other_state(&error) => Ok(Swap::Changed),
            Err(error) => Err(unavailable(name, &error)),
        }
    }

    async fn put(
        &self,
        name: &str,
        headers: &HeaderMap,
        bytes: Bytes,
    ) -> Result<http::Response<Bytes>, BackendError> {
        let request = || BackendRequest {
            headers: headers.clone(),
            ..BackendRequest::object(Method::PUT, &*self.bucket, name)
                .body(BackendBody::Bytes(bytes.clone()))
        };
        match self.backend.fetch(request()).await {
            Err(error)
                if error.is_refused_with(S3Code::NoSuchBucket)
                    && !self.must_exist.load(Ordering::Acquire) =>
            {
                self.make_bucket().await?;
                self.backend.fetch(request()).await
            }
            answer => answer,
        }
    }

    /// Removes the document `name`, if there is one.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the backend cannot be reached or refuses.
    pub async fn remove(&self, name: &str) -> Result<(), S3Error> {
        let request = BackendRequest::object(Method::DELETE, &*self.bucket, name);
        match self.backend.fetch(request).await {
            Ok(_) => Ok(()),
            Err(error) if self.is_absence(&error) => Ok(()),
            Err(error) => Err(unavailable(name, &error)),
        }
    }

    /// The names that start with `prefix`, in order; at most 1000.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the backend cannot be reached, refuses, or lists something else.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, S3Error> {
        let page = self.page(prefix, None, false).await?;
        Ok(page.entries.into_iter().map(|entry| entry.name).collect())
    }

    /// A page of what starts with `prefix` and comes after `after`; with `folders`, of what it has in
    /// common up to the next slash.
    pub(crate) async fn page(
        &self,
        prefix: &str,
        after: Option<&str>,
        folders: bool,
    ) -> Result<Page, S3Error> {
        let request = BackendRequest::bucket(Method::GET, &*self.bucket)
            .query("list-type", "2")
            .query("prefix", prefix)
            .query_if("delimiter", folders.then_some("/"))
            .query_if("start-after", after);
        let answer = match self.backend.fetch(request).await {
            Ok(answer) => answer,
            Err(error) if self.is_absence(&error) => return Ok(Page::default()),
            Err(error) => return Err(unavailable(prefix, &error)),
        };
        let listing = Element::parse(answer.body(), Limits::ANSWER)
            .map_err(|error| unavailable(prefix, &error))?;
        let document = |entry: &Element| {
            let modified = entry.text_of("LastModified").map(str::trim);
            Some(StateEntry {
                name: entry.text_of("Key")?.to_owned(),
                modified: modified.and_then(|text| Timestamp::parse_iso8601(text).ok()),
            })
        };
        let folder = |entry: &Element| {
            Some(StateEntry {
                name: entry.text_of("Prefix")?.to_owned(),
                modified: None,
            })
        };
        let mut entries: Vec<StateEntry> = if folders {
            listing.all("CommonPrefixes").filter_map(folder).collect()
        } else {
            listing.all("Contents").filter_map(document).collect()
        };
        entries.retain(|entry| entry.name.starts_with(prefix));
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let mut next = None;
        if listing.text_of("IsTruncated") == Some("true") {
            let last = entries.last().map(|entry| entry.name.as_str());
            if last <= after {
                return Err(unavailable(prefix, &"a listing that does not go on"));
            }
            next = last.map(str::to_owned);
        }
        Ok(Page { entries, next })
    }

    /// All names that start with `prefix`, in order.
    pub(crate) async fn names(&self, prefix: &str) -> Result<Vec<String>, S3Error> {
        let mut names = Vec::new();
        let mut after = None::<String>;
        loop {
            let page = self.page(prefix, after.as_deref(), false).await?;
            names.extend(page.entries.into_iter().map(|entry| entry.name));
            after = page.next;
            if after.is_none() {
                return Ok(names);
            }
        }
    }

    /// Removes everything whose name starts with `prefix`.
    pub(crate) async fn remove_all(&self, prefix: &str) -> Result<(), S3Error> {
        let names = self.names(prefix).await?;
        stream::iter(names.chunks(NAMES_MAX).map(Ok))
            .try_for_each_concurrent(4, |names| self.remove_named(names))
            .await
    }

    /// Removes the state bucket and everything in it.
    pub(crate) async fn remove_bucket(&self) -> Result<(), S3Error> {
        self.remove_all("").await?;
        let request = BackendRequest::bucket(Method::DELETE, &*self.bucket);
        match self.backend.fetch(request).await {
            Err(error) if !is_absent(&error) => Err(unavailable("the state bucket", &error)),
            _ => Ok(()),
        }
    }

    async fn remove_named(&self, names: &[String]) -> Result<(), S3Error> {
        let objects = names
            .iter()
            .map(|name| Element::new("Object").with(Element::with_text("Key", name)));
        let document = objects
            .fold(Element::root("Delete"), Element::with)
            .with(Element::with_text("Quiet", "true"))
            .to_document();
        let md5 = STANDARD.encode(Md5::digest(&document));
        let md5 = HeaderValue::from_str(&md5).map_err(|_| S3Error::internal())?;
        let request = BackendRequest::bucket(Method::POST, &*self.bucket)
            .query("delete", "")
            .header(HeaderName::from_static("content-md5"), md5)
            .body(BackendBody::Bytes(document));
        self.backend.fetch(request).await?;
        Ok(())
    }

    /// Makes the state bucket, unless it is there.
    ///
    /// # Errors
    ///
    /// The backend's refusal.
    pub(crate) async fn make_bucket(&self) -> Result<(), BackendError> {
        let request = BackendRequest::bucket(Method::PUT, &*self.bucket);
        match self.backend.fetch(request).await {
            Ok(_) => {
                tracing::info!(bucket = &*self.bucket, "made the state bucket");
                Ok(())
            }
            // Another gateway was faster. One that somebody else owns will refuse the write.
            Err(error) if error.is_refused_as(http::StatusCode::CONFLICT) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

pub(crate) fn is_absent(error: &BackendError) -> bool {
    error.is_refused_with(S3Code::NoSuchKey) || error.is_refused_with(S3Code::NoSuchBucket)
}

/// Whether a conditional write was refused because of its condition.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>: 404 for an
/// `If-Match` on what is not there, 409 for a race that was lost.
fn is_other_state(error: &BackendError) -> bool {
    error.is_refused_as(http::StatusCode::PRECONDITION_FAILED)
        || error.is_refused_as(http::StatusCode::CONFLICT)
        || error.is_refused_with(S3Code::NoSuchKey)
}

pub(crate) fn unavailable(name: &str, cause: &dyn std::fmt::Display) -> S3Error {
    tracing::error!(name, %cause, "state cannot be read or written");
    S3Error::new(S3Code::ServiceUnavailable)
}

/// Most names that one request removes; S3's own limit.
const NAMES_MAX: usize = 1_000;
