//! One new sealed object at the backend, from a body that is checked while it passes.
//!
//! Small bodies are read first, so that their record stands in the envelope. Larger ones stream:
//! the backend is told the exact stored length and is short of the last chunk until the body's end
//! was verified, so whatever goes wrong before, it commits nothing.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::header;
use http_body::Body;
use http_body::Frame;

use crate::backend::BackendBody;
use crate::backend::BackendRequest;
use crate::backend::Digest;
use crate::chunks::layout;
use crate::chunks::seal::Sealer;
use crate::chunks::segment::Kind;
use crate::chunks::segment::Segment;
use crate::chunks::trailer::Record;
use crate::envelope::Envelope;
use crate::envelope::Layout;
use crate::envelope::Protection;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::facts::Facts;
use crate::protocol::checksum::digests::Digester;
use crate::protocol::checksum::digests::Digests;
use crate::protocol::checksum::digests::Expected;
use crate::protocol::headers::ENVELOPE;
use crate::request::BoxError;
use crate::request::Payload;
use crate::sse::choice::Encryption;
use crate::sse::data_key::NewKey;
use crate::sse::data_key::ObjectName;
use crate::sse::kms::Requester;

/// An object that is about to be written.
pub struct NewObject {
    /// Its name.
    pub name: ObjectName,
    /// Headers for the backend: what describes the object, and conditions.
    pub headers: HeaderMap,
    /// Its data key and how to find it again.
    pub key: NewKey,
    /// What the client claims about the body.
    pub expected: Expected,
    /// Length of the body, in bytes.
    pub plaintext_bytes: u64,
}

/// An object that was written.
pub struct Written {
    /// Headers of the backend's answer.
    pub headers: HeaderMap,
    /// The object's digests.
    pub record: Record,
    /// The ETag that clients see, quoted.
    pub etag: HeaderValue,
    /// How it is encrypted.
    pub protection: Protection,
}

impl Objects {
    /// The data key of an object that is about to be written.
    ///
    /// # Errors
    ///
    /// What the KMS refused; `ServiceUnavailable` when it or the state cannot be asked.
    pub(crate) async fn new_key(
        &self,
        encryption: &Encryption,
        name: &ObjectName,
        requester: &Requester,
    ) -> Result<NewKey, S3Error> {
        self.spoil_listing(&name.bucket, encryption).await?;
        self.data_keys.for_write(encryption, name, requester).await
    }

    /// Seals a body and has the backend store it.
    ///
    /// # Errors
    ///
    /// What was wrong with the body; what the backend refused. Nothing was committed then, unless
    /// the backend's own answer was lost.
    pub async fn store(&self, object: NewObject, body: Payload) -> Result<Written, S3Error> {
        let NewObject {
            name,
            mut headers,
            key,
            expected,
            plaintext_bytes,
        } = object;
        let NewKey { keys, protection } = key;
        let sealer = Sealer::new(keys.keys(), Kind::Whole, plaintext_bytes, &*self.random)?;
        let segment = sealer.segment().clone();
        let digests = Digester::new(expected, etag_is_md5(&protection));

        let mut envelope = Envelope {
            layout: Layout::Whole(segment.clone()),
            protection,
            record: None,
        };
        let in_memory = usize::try_from(plaintext_bytes)
            .is_ok_and(|bytes| bytes <= self.config.inline_body_max_bytes);
        let done = Arc::new(OnceLock::new());
        let body = if in_memory {
            let (bytes, record, sealed_record) = seal_whole(sealer, digests, body).await?;
            envelope.record = Some(sealed_record);
            drop(done.set(record));
            BackendBody::Bytes(bytes)
        } else {
            let stored_bytes = layout::stored_bytes(plaintext_bytes)?;
            let body = SealedBody {
                body,
                state: Some((sealer, digests)),
                done: Arc::clone(&done),
            };
            BackendBody::stream(body, stored_bytes)
        };

        let value = HeaderValue::from_str(&envelope.seal(&keys.data, &name.arn))
            .map_err(|_| S3Error::internal())?;
        headers.insert(ENVELOPE, value);
        drop(keys);
        let mut request = BackendRequest::object(Method::PUT, &name.bucket, &name.key)
            .body(body)
            .digest(digest(&headers));
        request.headers = headers;
        let answer = self.backend.fetch(request).await?;

        let record = done.get().ok_or_else(S3Error::internal)?.clone();
        let etag = self.etag(&envelope.protection, Some(&record), answer.headers())?;
        self.remember(&segment, &record);
        let headers = answer.into_parts().0.headers;
        let facts = Facts {
            etag: etag.clone(),
            bytes: plaintext_bytes,
            algorithm: record.checksum.as_ref().map(|checksum| checksum.algorithm),
        };
        self.known.learn(&name, &headers, facts);
        Ok(Written {
            headers,
            record,
            etag,
            protection: envelope.protection,
        })
    }

    /// The ETag that clients see: the plaintext's MD5 for SSE-S3, else the backend's own.
    ///
    /// # Errors
    ///
    /// `InternalError` where it is not known.
    pub(crate) fn etag(
        &self,
        protection: &Protection,
        record: Option<&Record>,
        backend: &HeaderMap,
    ) -> Result<HeaderValue, S3Error> {
        if etag_is_md5(protection) {
            let md5 = record
                .and_then(|record| record.md5)
                .ok_or_else(S3Error::internal)?;
            let mut quoted = [b'"'; 34];
            hex::encode_to_slice(md5, &mut quoted[1..33]).map_err(|_| S3Error::internal())?;
            return HeaderValue::from_bytes(&quoted).map_err(|_| S3Error::internal());
        }
        backend
            .get(header::ETAG)
            .cloned()
            .ok_or_else(S3Error::internal)
    }

    /// Keeps the record of a segment, for reads to come.
    pub(crate) fn remember(&self, segment: &Segment, record: &Record) {
        self.records
            .insert(*segment.salt.as_bytes(), Arc::new(record.clone()));
    }

    /// The record of a segment, if it is remembered.
    pub(crate) fn remembered(&self, segment: &Segment) -> Option<Arc<Record>> {
        self.records.get(segment.salt.as_bytes())
    }
}

/// Whether the backend is told a digest of what is stored: S3 demands one of what comes with a lock.
pub(crate) fn digest(headers: &HeaderMap) -> Digest {
    let locks = |name: &HeaderName| name.as_str().starts_with("x-amz-object-lock-");
    match headers.keys().any(locks) {
        true => Digest::Demanded,
        false => Digest::Useful,
    }
}

/// Whether clients see the MD5 of the plaintext as the ETag.
pub(crate) fn etag_is_md5(protection: &Protection) -> bool {
    matches!(protection, Protection::SseS3 { .. })
}

/// Seals a body that fits in memory: the stored bytes, its record, and the record sealed.
async fn seal_whole(
    mut sealer: Sealer,
    mut digests: Digester,
    mut body: Payload,
) -> Result<(Bytes, Record, [u8; layout::TRAILER_BYTES]), S3Error> {
    while let Some(bytes) = body.next().await {
        let bytes = bytes?;
        digests.update(&bytes);
        sealer.push(&bytes)?;
    }
    let record = record(digests.finish(body.trailers())?, sealer.segment());
    let sealed_record = sealer.seal_record(&record)?;
    Ok((sealer.finish()?, record, sealed_record))
}

/// The record of an object with these digests.
fn record(digests: Digests, segment: &Segment) -> Record {
    Record {
        plaintext_bytes: segment.plaintext_bytes,
        md5: digests.md5,
        checksum: Some(digests.checksum),
    }
}

/// The sealed form of a body, made while it is sent.
struct SealedBody {
    body: Payload,
    /// Gone once the body has ended, well or not.
    state: Option<(Sealer, Digester)>,
    /// Where the record goes when the body was found good.
    done: Arc<OnceLock<Record>>,
}

impl SealedBody {
    fn poll_sealed(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, S3Error>>> {
        while let Some((sealer, digests)) = &mut self.state {
            if sealer.ready() >= FRAME_BYTES {
                return Poll::Ready(sealer.take().map(Ok));
            }
            let Some(bytes) = ready!(self.body.poll_next(context)) else {
                return Poll::Ready(self.finish().transpose());
            };
            let bytes = bytes?;
            digests.update(&bytes);
            sealer.push(&bytes)?;
        }
        Poll::Ready(None)
    }

    /// The last chunk and the trailer, after every claim about the body was found true.
    fn finish(&mut self) -> Result<Option<Bytes>, S3Error> {
        let Some((mut sealer, digests)) = self.state.take() else {
            return Ok(None);
        };
        let record = record(digests.finish(self.body.trailers())?, sealer.segment());
        sealer.seal_record(&record)?;
        let rest = sealer.finish()?;
        drop(self.done.set(record));
        Ok(Some(rest))
    }
}

impl Body for SealedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let sealed = ready!(self.poll_sealed(context));
        if matches!(sealed, Some(Err(_))) {
            self.state = None;
        }
        Poll::Ready(sealed.map(|bytes| bytes.map(Frame::data).map_err(Into::into)))
    }
}

/// How much is sealed before it is handed on: eight chunks.
const FRAME_BYTES: usize = 8 * layout::SEALED_CHUNK_BYTES;
