//! An object as the backend holds it, and what can be said of it without reading its body.
//!
//! What the backend claims is compared wherever two claims meet: the stored size with the length in
//! the envelope, an answer's range with the one asked for. What does not fit is refused, never
//! guessed at. An object without an envelope is refused too, unless its bucket was adopted.

use std::sync::Arc;

use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::header;

use crate::backend::BackendError;
use crate::backend::BackendRequest;
use crate::chunks::DataKey;
use crate::chunks::layout;
use crate::chunks::segment::Segment;
use crate::chunks::trailer;
use crate::chunks::trailer::Record;
use crate::envelope::Envelope;
use crate::envelope::Layout;
use crate::envelope::SealedEnvelope;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::multipart::footer::StoredParts;
use crate::object::put::failed;
use crate::object::store::etag_is_md5;
use crate::protocol::conditions;
use crate::protocol::conditions::Names;
use crate::protocol::conditions::Outcome;
use crate::protocol::headers::ENVELOPE;
use crate::protocol::range::ContentRange;
use crate::request::S3Request;
use crate::sse::choice::Transport;
use crate::sse::customer_key::CustomerKey;
use crate::sse::data_key::ObjectKeys;
use crate::sse::data_key::ObjectName;
use crate::sse::data_key::refuse_tampered;
use crate::sse::kms::Requester;

/// What the backend holds under a name.
pub(crate) enum Found {
    /// An object that the gateway sealed.
    Sealed(Box<Stored>),
    /// An object that the gateway sealed, in parts.
    Parts(Box<StoredParts>),
    /// An object that lay there before, in a bucket that was adopted: the backend's headers.
    Plain(HeaderMap),
}

/// A sealed object, as the headers of the backend's answer describe it.
pub(crate) struct Stored {
    /// Headers of the backend's answer.
    pub(crate) headers: HeaderMap,
    /// Size at the backend, in bytes.
    pub(crate) stored_bytes: u64,
    /// The envelope, not authenticated yet.
    pub(crate) sealed: SealedEnvelope,
    /// The one segment of the object, as the envelope claims it.
    pub(crate) segment: Segment,
}

/// Who reads an object, and by which means.
pub(crate) struct Reader {
    pub(crate) name: ObjectName,
    pub(crate) version: Option<String>,
    pub(crate) customer_key: Option<CustomerKey>,
    pub(crate) requester: Requester,
    pub(crate) transport: Transport,
}

/// What a read learned about an object.
pub(crate) struct Unlocked {
    /// The keys, where they were asked for or cost nothing.
    pub(crate) keys: Option<ObjectKeys>,
    /// The digests, where they were asked for.
    pub(crate) record: Option<Arc<Record>>,
    /// The ETag that clients see, quoted.
    pub(crate) etag: HeaderValue,
}

/// What a read needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The data key, to open the body.
    pub(crate) key: bool,
    /// The checksum.
    pub(crate) checksum: bool,
}

/// Why a read went no further.
pub(crate) enum ReadError {
    /// The object was overwritten between two requests to the backend: begin again.
    Changed,
    /// S3's answer.
    Refused(S3Error),
}

impl<E: Into<S3Error>> From<E> for ReadError {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

impl Reader {
    /// The one who sent a request, about the object `name`.
    pub(crate) fn of(
        request: &S3Request,
        name: ObjectName,
        customer_key: Option<CustomerKey>,
        transport: Transport,
    ) -> Self {
        Self {
            name,
            version: request.target.query.get("versionId").map(str::to_owned),
            customer_key,
            requester: Requester::of(request),
            transport,
        }
    }

    /// A request to the backend about the object.
    pub(crate) fn request(&self, method: Method) -> BackendRequest {
        BackendRequest::object(method, &self.name.bucket, &self.name.key)
            .query_if("versionId", self.version.as_deref())
    }
}

impl Objects {
    /// What the headers of an answer of `status` describe.
    pub(crate) fn recognise(
        &self,
        bucket: &str,
        status: StatusCode,
        headers: HeaderMap,
    ) -> Result<Found, S3Error> {
        let mut envelopes = headers.get_all(ENVELOPE).iter();
        let (envelope, second) = (envelopes.next(), envelopes.next());
        let Some(envelope) = envelope else {
            if self.adopts(bucket) {
                return Ok(Found::Plain(headers));
            }
            return Err(refuse_tampered(&"it has no envelope"));
        };
        if second.is_some() {
            return Err(refuse_tampered(&"it has two envelopes"));
        }
        let envelope = envelope
            .to_str()
            .map_err(|_| refuse_tampered(&"its envelope is no text"))?;
        let sealed = SealedEnvelope::parse(envelope)?;
        let stored_bytes = stored_bytes(status, &headers)
            .ok_or_else(|| refuse_tampered(&"the backend does not tell its size"))?;
        let segment = match &sealed.claims().layout {
            Layout::Whole(segment) => segment.clone(),
            Layout::Parts => {
                return Ok(Found::Parts(Box::new(StoredParts {
                    headers,
                    stored_bytes,
                    sealed,
                })));
            }
        };
        if layout::stored_bytes(segment.plaintext_bytes).ok() != Some(stored_bytes) {
            return Err(refuse_tampered(&"its size is not the one of its envelope"));
        }
        Ok(Found::Sealed(Box::new(Stored {
            headers,
            stored_bytes,
            sealed,
            segment,
        })))
    }

    /// What the backend says about an object without its body.
    ///
    /// # Errors
    ///
    /// The backend's refusal, as it was.
    pub(crate) async fn head_backend(&self, reader: &Reader) -> Result<HeaderMap, BackendError> {
        let answer = self.backend.call(reader.request(Method::HEAD)).await?;
        Ok(answer.into_parts().0.headers)
    }

    /// Whatever of the key, the digests and the ETag is needed, after the conditions of the read
    /// were judged.
    pub(crate) async fn unlock(
        &self,
        reader: &Reader,
        stored: &Stored,
        needs: Needs,
        conditions: (&HeaderMap, &Names),
    ) -> Result<Unlocked, ReadError> {
        let customer_key = reader.customer_key.as_ref();
        let (name, transport) = (&reader.name, reader.transport);
        let checked = self
            .data_keys
            .check(&stored.sealed, customer_key, name, transport)?;
        let claims = stored.sealed.claims();
        let costs_a_call = claims.protection.key_arn().is_some();
        if costs_a_call {
            // The ETag is the backend's own: what the conditions rule out costs the KMS nothing.
            let etag = self.etag(&claims.protection, None, &stored.headers)?;
            judge(conditions, &etag, &stored.headers)?;
            if !needs.key && !needs.checksum {
                return Ok(Unlocked {
                    keys: None,
                    record: None,
                    etag,
                });
            }
        }

        let (keys, envelope) = self.data_keys.open(checked, &reader.requester).await?;
        let md5_is_etag = etag_is_md5(&envelope.protection);
        let record = if md5_is_etag || needs.checksum {
            Some(self.record(reader, stored, &keys.data, envelope).await?)
        } else {
            None
        };
        let etag = self.etag(&envelope.protection, record.as_deref(), &stored.headers)?;
        if !costs_a_call {
            judge(conditions, &etag, &stored.headers)?;
        }
        Ok(Unlocked {
            keys: Some(keys),
            record,
            etag,
        })
    }

    /// The record of an object: from its envelope, from memory, or from behind its body.
    async fn record(
        &self,
        reader: &Reader,
        stored: &Stored,
        key: &DataKey,
        envelope: &Envelope,
    ) -> Result<Arc<Record>, ReadError> {
        if let Some(sealed) = &envelope.record {
            return Ok(Arc::new(trailer::open(key, &stored.segment, sealed)?));
        }
        if let Some(record) = self.remembered(&stored.segment) {
            return Ok(record);
        }
        Box::pin(self.fetch_record(reader, stored, key)).await
    }

    /// The record from behind an object's body.
    async fn fetch_record(
        &self,
        reader: &Reader,
        stored: &Stored,
        key: &DataKey,
    ) -> Result<Arc<Record>, ReadError> {
        let first = stored
            .stored_bytes
            .saturating_sub(layout::TRAILER_BYTES as u64);
        let last = stored.stored_bytes.saturating_sub(1);
        let range = HeaderValue::from_str(&format!("bytes={first}-{last}"));
        let range = range.map_err(|_| S3Error::internal())?;
        let mut request = reader.request(Method::GET).header(header::RANGE, range);
        if let Some(etag) = stored.headers.get(header::ETAG) {
            request = request.header(header::IF_MATCH, etag.clone());
        }
        let answer = match self.backend.fetch(request).await {
            Err(error) if error.is_refused_as(StatusCode::PRECONDITION_FAILED) => {
                return Err(ReadError::Changed);
            }
            Err(error) if error.is_refused_as(StatusCode::NOT_FOUND) => {
                return Err(ReadError::Changed);
            }
            answer => answer?,
        };
        // A backend that ignores If-Match answers with another object's trailer, which does not
        // open; its ETag tells the two cases apart.
        if answer.headers().get(header::ETAG) != stored.headers.get(header::ETAG) {
            return Err(ReadError::Changed);
        }
        let record = trailer::open(key, &stored.segment, answer.body())?;
        self.remember(&stored.segment, &record);
        Ok(Arc::new(record))
    }

    /// The ETag of an object that exists: the one clients see, and the backend's.
    ///
    /// # Errors
    ///
    /// As a read of the object; SSE-KMS and SSE-C objects need no key for it.
    pub(crate) async fn current_etags(
        &self,
        name: &ObjectName,
    ) -> Result<Option<(String, HeaderValue)>, S3Error> {
        let reader = Reader {
            name: name.clone(),
            version: None,
            customer_key: None,
            requester: Requester::gateway(""),
            transport: Transport {
                secure: true,
                signed: true,
            },
        };
        for _ in 0..ATTEMPTS {
            let headers = match self.head_backend(&reader).await {
                Err(error) if error.is_refused_as(StatusCode::NOT_FOUND) => return Ok(None),
                headers => headers?,
            };
            match self.etags(&reader, headers).await {
                Ok(etags) => return Ok(Some(etags)),
                Err(ReadError::Changed) => {}
                Err(ReadError::Refused(error)) => return Err(error),
            }
        }
        Err(S3Error::new(S3Code::ConditionalRequestConflict))
    }

    async fn etags(
        &self,
        reader: &Reader,
        headers: HeaderMap,
    ) -> Result<(String, HeaderValue), ReadError> {
        let backend = headers
            .get(header::ETAG)
            .cloned()
            .ok_or_else(S3Error::internal)?;
        let mut client = backend.clone();
        match self.recognise(&reader.name.bucket, StatusCode::OK, headers)? {
            Found::Sealed(stored) if etag_is_md5(&stored.sealed.claims().protection) => {
                let nothing = HeaderMap::new();
                let needs = Needs {
                    key: false,
                    checksum: false,
                };
                let conditions = (&nothing, &Names::of_reads());
                client = self.unlock(reader, &stored, needs, conditions).await?.etag;
            }
            Found::Parts(stored) => client = self.facts_of_parts(reader, &stored).await?.etag,
            Found::Sealed(_) | Found::Plain(_) => {}
        }
        let client = client.to_str().map_err(|_| S3Error::internal())?.to_owned();
        Ok((client, backend))
    }
}

/// Answers 304 or 412 where the conditions say so.
pub(crate) fn judge(
    (headers, names): (&HeaderMap, &Names),
    etag: &HeaderValue,
    backend: &HeaderMap,
) -> Result<(), S3Error> {
    let modified = backend.get(header::LAST_MODIFIED);
    let modified_text = modified.and_then(|value| value.to_str().ok());
    let etag_text = etag.to_str().map_err(|_| S3Error::internal())?;
    match conditions::evaluate(headers, names, etag_text, modified_text) {
        Outcome::Proceed => Ok(()),
        Outcome::Failed { condition } => Err(failed(condition)),
        Outcome::NotModified => {
            let mut error = S3Error::new(S3Code::NotModified).header(header::ETAG, etag.clone());
            if let Some(modified) = modified {
                error = error.header(header::LAST_MODIFIED, modified.clone());
            }
            Err(error)
        }
    }
}

/// Size of the whole stored object, as an answer tells it.
fn stored_bytes(status: StatusCode, headers: &HeaderMap) -> Option<u64> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    if status == StatusCode::PARTIAL_CONTENT {
        let range = ContentRange::parse(text(header::CONTENT_RANGE)?)?;
        return Some(range.total);
    }
    text(header::CONTENT_LENGTH)?.parse().ok()
}

/// How often a read begins again when the object changes under it.
pub(crate) const ATTEMPTS: usize = 3;
