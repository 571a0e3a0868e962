//! Whether the backend's own copies are what S3 says they are: tried once, on objects of our own.
//!
//! An object that is copied at the backend needs a new envelope. A backend that kept the old one, or
//! copied another object than the one that was looked at, would leave a target that does not open. So
//! before the first such copy two small objects in the state bucket show whether it replaces
//! metadata and keeps to `x-amz-copy-source-if-match`; if not, all copies are sealed anew.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use tokio::sync::OnceCell;

use crate::backend::BackendCopy;
use crate::backend::BackendError;
use crate::backend::BackendRequest;
use crate::chunks::random::Random;
use crate::error::S3Error;
use crate::protocol::etag::ETag;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::state::Reading;
use crate::state::State;

/// What is known of the backend's copies.
pub struct Copies {
    state: State,
    random: Arc<dyn Random>,
    faithful: OnceCell<bool>,
    parts_conditional: OnceCell<bool>,
}

impl Copies {
    /// Nothing known yet.
    #[must_use]
    pub fn new(state: State, random: Arc<dyn Random>) -> Self {
        Self {
            state,
            random,
            faithful: OnceCell::new(),
            parts_conditional: OnceCell::new(),
        }
    }

    /// Whether the backend can be trusted to copy objects under new metadata.
    ///
    /// Not where it cannot be tried now; it is tried again the next time then.
    pub async fn are_faithful(&self) -> bool {
        let tried = self.faithful.get_or_try_init(|| self.try_once()).await;
        tried.copied().unwrap_or(false)
    }

    /// Whether the backend keeps to `x-amz-copy-source-if-match` when it copies a part of an upload.
    pub async fn of_parts_are_conditional(&self) -> bool {
        let tried = self.parts_conditional.get_or_try_init(|| self.try_part());
        tried.await.copied().unwrap_or(false)
    }

    async fn try_part(&self) -> Result<bool, S3Error> {
        let mut id = [0; 16];
        self.random.fill(&mut id);
        let (from, to) = (
            format!("copies/{}-from", hex::encode(id)),
            format!("copies/{}-to", hex::encode(id)),
        );
        let bytes = Bytes::from_static(b"sealgate");
        self.state.write(&from, &marked("old"), bytes).await?;
        let bucket = self.state.bucket();
        let create = BackendRequest::object(Method::POST, bucket, &to).query("uploads", "");
        let outcome = async {
            let answer = self.state.backend().fetch(create).await?;
            let document = Element::parse(answer.body(), Limits::ANSWER)
                .map_err(|_| BackendError::Protocol("an upload without a document"))?;
            let id = document.text_of("UploadId").unwrap_or_default().trim();
            let copy = BackendCopy {
                from: (bucket, &from),
                version: None,
                etag: &other_etag(),
                to: (bucket, &to),
                headers: HeaderMap::new(),
            };
            let copied = self.state.backend().copy_part(copy, (id, 1), 0..8).await;
            let abort = BackendRequest::object(Method::DELETE, bucket, &to).query("uploadId", id);
            drop(self.state.backend().fetch(abort).await);
            Ok::<_, BackendError>(
                copied.is_err_and(|error| error.is_refused_as(StatusCode::PRECONDITION_FAILED)),
            )
        };
        let outcome = outcome.await;
        drop(self.state.remove(&from).await);
        Ok(outcome?)
    }

    async fn try_once(&self) -> Result<bool, S3Error> {
        let mut id = [0; 16];
        self.random.fill(&mut id);
        let id = hex::encode(id);
        let (from, to) = (format!("copies/{id}-from"), format!("copies/{id}-to"));
        let faithful = self.try_on(&from, &to).await;
        for name in [&from, &to] {
            // What is left behind is small and found by nobody.
            drop(self.state.remove(name).await);
        }
        let faithful = faithful?;
        if !faithful {
            tracing::warn!(
                "the backend's copies cannot be used; objects are copied by sealing them anew"
            );
        }
        Ok(faithful)
    }

    async fn try_on(&self, from: &str, to: &str) -> Result<bool, S3Error> {
        let bytes = Bytes::from_static(b"sealgate");
        let etag = self
            .state
            .write(from, &marked("old"), bytes.clone())
            .await?;
        let Some(etag) = etag else {
            return Ok(false);
        };
        let copied = self.copy(from, to, &etag).await;
        if let Err(error) = copied {
            let status = error.refusal().map(S3Error::status);
            let for_good = status.is_some_and(|status| {
                status.is_client_error() || status == StatusCode::NOT_IMPLEMENTED
            });
            return if for_good {
                Ok(false)
            } else {
                Err(error.into())
            };
        }
        let Reading::Found(copy) = self.state.read(to, None).await? else {
            return Ok(false);
        };
        if copy.bytes != bytes || copy.headers.get(MARK) != marked("new").get(MARK) {
            return Ok(false);
        }
        let other = other_etag();
        let refused = self.copy(from, to, &other).await;
        Ok(refused.is_err_and(|error| error.is_refused_as(StatusCode::PRECONDITION_FAILED)))
    }

    async fn copy(&self, from: &str, to: &str, etag: &ETag) -> Result<HeaderMap, BackendError> {
        let bucket = self.state.bucket();
        let copy = BackendCopy {
            from: (bucket, from),
            version: None,
            etag,
            to: (bucket, to),
            headers: marked("new"),
        };
        self.state.backend().copy(copy).await
    }
}

/// Headers by which a copy's metadata differs from its source's.
fn marked(value: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(MARK, HeaderValue::from_static(value));
    headers
}

/// The ETag of nothing that was written.
fn other_etag() -> ETag {
    ETag::from_md5(&[0; 16])
}

/// The header whose replacement is tried: the envelope's own.
const MARK: HeaderName = crate::protocol::headers::ENVELOPE;
