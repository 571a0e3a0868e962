//! The trials: a few small objects each, whose names start with a random id, removed in the end.

use std::sync::Mutex;
use std::sync::PoisonError;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Response;
use http::StatusCode;
use http::header;

use crate::backend::Backend;
use crate::backend::BackendBody;
use crate::backend::BackendCopy;
use crate::backend::BackendError;
use crate::backend::BackendRequest;
use crate::backend::capabilities::Capability;
use crate::chunks::random::Random;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::etag::ETag;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;

/// One trial of one capability.
pub(super) struct Trial<'a> {
    backend: &'a Backend,
    bucket: &'a str,
    /// The start of the names of its objects.
    prefix: String,
    /// What it wrote and must remove.
    written: Mutex<Vec<String>>,
    /// The `Server` header of the last answer.
    server: Mutex<Option<HeaderValue>>,
}

/// What a request of a trial led to.
enum Outcome {
    Success(Response<Bytes>),
    /// Refused for good: by the condition, or because the backend does not have the feature.
    Refused(StatusCode),
}

impl Outcome {
    fn is_success(&self) -> bool {
        matches!(self, Self::Success(_))
    }

    /// Whether it was refused as a condition that does not hold, or a race that was lost.
    fn is_condition_failed(&self) -> bool {
        matches!(
            self,
            Self::Refused(StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT)
        )
    }
}

impl<'a> Trial<'a> {
    pub(super) fn new(backend: &'a Backend, bucket: &'a str, random: &dyn Random) -> Self {
        let mut id = [0; 16];
        random.fill(&mut id);
        Self {
            backend,
            bucket,
            prefix: format!("{NAMES}{}", hex::encode(id)),
            written: Mutex::default(),
            server: Mutex::default(),
        }
    }

    /// Whether the backend has the capability, and its `Server` header.
    pub(super) async fn run(
        self,
        capability: Capability,
    ) -> Result<(bool, Option<HeaderValue>), BackendError> {
        let holds = match capability {
            Capability::AtomicWrites => self.writes_are_atomic().await,
            Capability::ComparedParts => self.parts_are_compared().await,
            Capability::ConditionalCopies => self.copies_are_conditional().await,
            Capability::ConsistentListings => self.listings_are_consistent().await,
            Capability::TagsInHeaders => self.tags_are_stored().await,
            Capability::KeysWithDots => Ok(self.is_literal("/a/../b", "/b").await?
                && self.is_literal("/c/./d", "/c/d").await?),
            Capability::KeysWithEmptySegments => self.is_literal("/a//b", "/a/b").await,
            Capability::KeysWithBackslashes => self.is_literal("/a\\b", "/a/b").await,
            Capability::KeysThatEndInASlash => self.folders_are_objects().await,
        };
        self.clear().await;
        let server = self.server.into_inner();
        Ok((holds?, server.unwrap_or_else(PoisonError::into_inner)))
    }

    /// One name takes one creator and one writer at a time, also when many come at the same moment.
    async fn writes_are_atomic(&self) -> Result<bool, BackendError> {
        let name = self.name("/conditions");
        let created = self.put(&name, &create()).await?;
        let Outcome::Success(created) = created else {
            return Ok(false);
        };
        let Some(etag) = ETag::from_headers(created.headers()) else {
            return Ok(false);
        };
        let again = self.put(&name, &create()).await?;
        let wrong = self.put(&name, &replace(&other_etag())).await?;
        let right = self.put(&name, &replace(&etag)).await?;
        if !again.is_condition_failed() || !wrong.is_condition_failed() || !right.is_success() {
            return Ok(false);
        }
        for round in 0..ROUNDS {
            let name = self.name(&format!("/creators-{round}"));
            let creators = stream::iter(0..WRITERS).map(|_| {
                let name = &name;
                async move { self.put(name, &create()).await }
            });
            let outcomes: Vec<_> = creators.buffer_unordered(WRITERS).collect().await;
            let mut winners = 0;
            for outcome in outcomes {
                winners += usize::from(outcome?.is_success());
            }
            if winners != 1 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn parts_are_compared(&self) -> Result<bool, BackendError> {
        let name = self.name("/upload");
        let object = |method| BackendRequest::object(method, self.bucket, &name);
        let created = self.send(object(Method::POST).query("uploads", "")).await?;
        let Outcome::Success(created) = created else {
            return Ok(false);
        };
        let document = Element::parse(created.body(), Limits::ANSWER)
            .map_err(|_| BackendError::Protocol("an upload without a document"))?;
        let id = document.text_of("UploadId").unwrap_or_default().trim();
        let part = object(Method::PUT)
            .query("partNumber", "1")
            .query("uploadId", id)
            .body(BackendBody::Bytes(Bytes::from_static(BODY)));
        let sent = self.send(part).await?.is_success();
        let part = Element::new("Part")
            .with(Element::with_text("PartNumber", "1"))
            .with(Element::with_text("ETag", other_etag().as_str()));
        let document = Element::root("CompleteMultipartUpload").with(part);
        let complete = object(Method::POST)
            .query("uploadId", id)
            .body(BackendBody::Bytes(document.to_document()));
        self.note(&name);
        let completed = self.send(complete).await?.is_success();
        let abort = object(Method::DELETE).query("uploadId", id);
        drop(self.send(abort).await);
        // Some say yes with status 200 and an error in the document.
        let object_is_there = self.send(object(Method::HEAD)).await?.is_success();
        Ok(sent && !(completed && object_is_there))
    }

    async fn copies_are_conditional(&self) -> Result<bool, BackendError> {
        let (from, to) = (self.name("/from"), self.name("/to"));
        let mut etags = Vec::new();
        for name in [&from, &to] {
            let Outcome::Success(answer) = self.put(name, &HeaderMap::new()).await? else {
                return Ok(false);
            };
            etags.extend(ETag::from_headers(answer.headers()));
        }
        let [from_etag, to_etag] = etags.as_slice() else {
            return Ok(false);
        };
        let copy = |target: &ETag| {
            let copy = BackendCopy {
                from: (self.bucket, &from),
                version: None,
                etag: from_etag,
                to: (self.bucket, &to),
                headers: replace(target),
            };
            self.backend.copy(copy)
        };
        let wrong = outcome_of(copy(&other_etag()).await)?;
        let right = outcome_of(copy(to_etag).await)?;
        Ok(wrong == Some(StatusCode::PRECONDITION_FAILED) && right.is_none())
    }

    async fn listings_are_consistent(&self) -> Result<bool, BackendError> {
        for round in 0..ROUNDS {
            let name = self.name(&format!("/listed-{round}"));
            if !self.put(&name, &HeaderMap::new()).await?.is_success() || !self.lists(&name).await?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn tags_are_stored(&self) -> Result<bool, BackendError> {
        let name = self.name("/tagged");
        let mut headers = HeaderMap::new();
        headers.insert(TAGGING, HeaderValue::from_static("trial=yes"));
        if !self.put(&name, &headers).await?.is_success() {
            return Ok(false);
        }
        let tags = BackendRequest::object(Method::GET, self.bucket, &name).query("tagging", "");
        let Outcome::Success(answer) = self.send(tags).await? else {
            return Ok(false);
        };
        let tagging = Element::parse(answer.body(), Limits::ANSWER).ok();
        let tag = tagging
            .as_ref()
            .and_then(|it| it.child("TagSet")?.child("Tag")?.text_of("Value"));
        Ok(tag == Some("yes"))
    }

    /// Whether an object of such a name is listed by it, and leaves the name alone that a file system
    /// would take it for.
    async fn is_literal(&self, name: &str, folded: &str) -> Result<bool, BackendError> {
        let (name, folded) = (self.name(name), self.name(folded));
        if !self.put(&name, &HeaderMap::new()).await?.is_success() {
            return Ok(false);
        }
        let folded = BackendRequest::object(Method::HEAD, self.bucket, &folded);
        Ok(!self.send(folded).await?.is_success() && self.lists(&name).await?)
    }

    /// Whether a name that ends in a slash is listed by it, with bytes and metadata.
    async fn folders_are_objects(&self) -> Result<bool, BackendError> {
        let name = self.name("/folder/");
        let mut headers = HeaderMap::new();
        headers.insert(METADATA, HeaderValue::from_static("yes"));
        if !self.put(&name, &headers).await?.is_success() {
            return Ok(false);
        }
        let get = BackendRequest::object(Method::GET, self.bucket, &name);
        let Outcome::Success(object) = self.send(get).await? else {
            return Ok(false);
        };
        let is_whole = object.headers().contains_key(METADATA) && object.body() == BODY;
        Ok(is_whole && self.lists(&name).await?)
    }

    async fn lists(&self, name: &str) -> Result<bool, BackendError> {
        let list = BackendRequest::bucket(Method::GET, self.bucket)
            .query("list-type", "2")
            .query("prefix", &self.prefix);
        let Outcome::Success(answer) = self.send(list).await? else {
            return Ok(false);
        };
        let listing = Element::parse(answer.body(), Limits::ANSWER)
            .map_err(|_| BackendError::Protocol("a listing that is no XML"))?;
        let mut entries = listing.all("Contents");
        Ok(entries.any(|entry| entry.text_of("Key") == Some(name)))
    }

    async fn put(&self, name: &str, headers: &HeaderMap) -> Result<Outcome, BackendError> {
        self.note(name);
        let request = BackendRequest {
            headers: headers.clone(),
            ..BackendRequest::object(Method::PUT, self.bucket, name)
                .body(BackendBody::Bytes(Bytes::from_static(BODY)))
        };
        self.send(request).await
    }

    /// Sends a request. A backend that is overloaded or broken is an error, not a finding.
    async fn send(&self, request: BackendRequest) -> Result<Outcome, BackendError> {
        match self.backend.fetch(request).await {
            Ok(answer) => {
                if let Some(server) = answer.headers().get(header::SERVER) {
                    let mut last = self.server.lock().unwrap_or_else(PoisonError::into_inner);
                    *last = Some(server.clone());
                }
                Ok(Outcome::Success(answer))
            }
            Err(error) => {
                let status = outcome_of::<()>(Err(error))?;
                Ok(Outcome::Refused(status.unwrap_or_default()))
            }
        }
    }

    fn name(&self, rest: &str) -> String {
        format!("{}{rest}", self.prefix)
    }

    fn note(&self, name: &str) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if !written.iter().any(|it| it == name) {
            written.push(name.to_owned());
        }
    }

    /// Removes what was written. What cannot be removed now is swept.
    async fn clear(&self) {
        let written = {
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *written)
        };
        let removals = stream::iter(written).map(|name| {
            let remove = BackendRequest::object(Method::DELETE, self.bucket, name);
            self.backend.fetch(remove)
        });
        let removals = removals.buffer_unordered(WRITERS);
        removals.for_each(|_| std::future::ready(())).await;
    }
}

/// The status of a refusal that is a finding; none for a success.
fn outcome_of<T>(outcome: Result<T, BackendError>) -> Result<Option<StatusCode>, BackendError> {
    match outcome {
        Ok(_) => Ok(None),
        Err(BackendError::Refused(error)) if is_finding(&error) => Ok(Some(error.status())),
        Err(error) => Err(error),
    }
}

/// Whether a refusal says something about what the backend can do. A missing permission does not, nor
/// does a bucket that is not there.
fn is_finding(error: &S3Error) -> bool {
    let status = error.status();
    let is_of_request = status.is_client_error()
        && status != StatusCode::FORBIDDEN
        && status != StatusCode::TOO_MANY_REQUESTS
        && error.code() != S3Code::NoSuchBucket;
    is_of_request || status == StatusCode::NOT_IMPLEMENTED
}

/// The condition of a PUT that creates.
fn create() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("*"));
    headers
}

/// The condition of a PUT that replaces the version of this ETag.
fn replace(etag: &ETag) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::IF_MATCH, etag.to_header());
    headers
}

/// The ETag of nothing that was written.
fn other_etag() -> ETag {
    ETag::from_md5(&[0; 16])
}

const BODY: &[u8] = b"sealgate";
const METADATA: HeaderName = HeaderName::from_static("x-amz-meta-trial");
const TAGGING: HeaderName = HeaderName::from_static("x-amz-tagging");
/// The start of the names of all trials.
const NAMES: &str = "trials/";
/// How often a race is run.
const ROUNDS: usize = 4;
/// Writers of a race.
const WRITERS: usize = 16;
