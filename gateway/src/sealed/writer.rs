//! Sealing a body that is checked while it passes, and one new sealed object at the backend.
//!
//! Small bodies are read first, so that their record stands in the envelope. Larger ones stream:
//! the backend gets the exact stored length and is short of the last chunk until the body's end
//! was verified, so whatever goes wrong before, it commits nothing.

use std::sync::Arc;
use std::sync::OnceLock;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http_body::Body;
use http_body::Frame;
use http_body_util::StreamBody;

use crate::backend::BackendBody;
use crate::backend::BackendRequest;
use crate::backend::Digest;
use crate::chunks::Keys;
use crate::chunks::SealError;
use crate::chunks::layout;
use crate::chunks::random::Random;
use crate::chunks::seal::Sealer;
use crate::chunks::segment::Kind;
use crate::chunks::segment::Segment;
use crate::chunks::trailer::Record;
use crate::envelope::Envelope;
use crate::envelope::Layout;
use crate::envelope::Protection;
use crate::error::S3Error;
use crate::keys::data_key::NewKey;
use crate::keys::data_key::ObjectName;
use crate::protocol::checksum::Algorithm;
use crate::protocol::checksum::Checksum;
use crate::protocol::checksum::digests::Digester;
use crate::protocol::checksum::digests::Digests;
use crate::protocol::checksum::digests::Expected;
use crate::protocol::etag::ETag;
use crate::protocol::headers::ENVELOPE;
use crate::records::object_acls::NewObjectAcl;
use crate::request::Payload;
use crate::sealed::cache::Facts;
use crate::sealed::cache::Revision;
use crate::sealed::etag;
use crate::sealed::objects::SealedObjects;

/// An object that is about to be written.
pub(crate) struct NewObject {
    pub(crate) name: ObjectName,
    /// Headers for the backend: what describes the object, and conditions.
    pub(crate) headers: HeaderMap,
    /// Its data key and how to find it again.
    pub(crate) key: NewKey,
    /// What the client claims about the body.
    pub(crate) expected: Expected,
    /// Length of the body, in bytes.
    pub(crate) plaintext_bytes: u64,
    /// Whether the backend receives a digest of what is stored.
    pub(crate) digest: Digest,
    /// Its access control list, if it has one.
    // In a box: few objects have one.
    pub(crate) acl: Option<Box<NewObjectAcl>>,
}

/// An object that was written.
pub(crate) struct WrittenObject {
    /// Headers of the backend's answer.
    pub(crate) headers: HeaderMap,
    /// The ETag that clients see.
    pub(crate) etag: ETag,
    /// The object's checksum.
    pub(crate) checksum: Option<Checksum>,
    /// How it is encrypted.
    pub(crate) protection: Protection,
}

/// Seals a body and has the backend store it.
///
/// # Errors
///
/// What was wrong with the body; what the backend refused. Nothing was committed then, unless
/// the backend's own answer was lost.
pub(crate) async fn write(
    objects: &SealedObjects,
    object: NewObject,
    body: Payload,
) -> Result<WrittenObject, S3Error> {
    let NewObject {
        name,
        mut headers,
        key: NewKey { keys, protection },
        expected,
        plaintext_bytes,
        digest,
        acl,
    } = object;
    let digester = SegmentDigester::new(expected, None, etag::is_md5(&protection));
    let place = (Kind::Whole, plaintext_bytes);
    let sealing = Sealing::new(keys.keys(), place, digester, body, &*objects.random)?;
    let segment = sealing.segment().clone();
    let mut envelope = Envelope {
        layout: Layout::Whole(segment.clone()),
        protection,
        record: None,
    };
    let sealed = Arc::new(OnceLock::new());
    let in_memory = usize::try_from(plaintext_bytes)
        .is_ok_and(|bytes| bytes <= objects.settings.inline_body_max_bytes);
    let body = if in_memory {
        let (bytes, content) = sealing.in_memory().await?;
        envelope.record = content.sealed_record;
        drop(sealed.set(content));
        BackendBody::Bytes(bytes)
    } else {
        let stored_bytes = layout::stored_bytes(plaintext_bytes)?;
        BackendBody::stream(
            sealing.stream(&sealed, std::future::ready(())),
            stored_bytes,
        )
    };

    let header = sealed_header(&envelope, &keys.data, &name)?;
    objects
        .store_acl(&name, &header, acl.map(|acl| *acl))
        .await?;
    headers.insert(ENVELOPE, header);
    drop(keys);
    let mut request = BackendRequest::object(Method::PUT, &name.bucket, &name.key)
        .body(body)
        .digest(digest);
    request.headers = headers;
    let answer = Box::pin(objects.backend.fetch(request)).await?;

    let headers = answer.into_parts().0.headers;
    let content = sealed.get().ok_or_else(S3Error::internal)?;
    let digests = &content.digests;
    let etag = match (etag::is_md5(&envelope.protection), &digests.md5) {
        (true, Some(md5)) => Some(ETag::from_md5(md5)),
        (true, None) => None,
        (false, _) => ETag::from_headers(&headers),
    };
    let etag = etag.ok_or_else(S3Error::internal)?;
    objects.remember(&segment, record(digests, &segment));
    let facts = Facts {
        etag: etag.clone(),
        bytes: plaintext_bytes,
        checksum: Some((digests.checksum.algorithm, digests.checksum.kind)),
    };
    objects
        .facts
        .insert(&name, Revision::from_write(&headers), facts);
    Ok(WrittenObject {
        headers,
        etag,
        checksum: Some(digests.checksum.clone()),
        protection: envelope.protection,
    })
}

/// The header that carries an envelope.
///
/// # Errors
///
/// `InternalError` if no header can.
pub(crate) fn sealed_header(
    envelope: &Envelope,
    key: &crate::chunks::DataKey,
    name: &ObjectName,
) -> Result<HeaderValue, S3Error> {
    HeaderValue::from_str(&envelope.seal(key, &name.arn)).map_err(|_| S3Error::internal())
}

/// The record of a whole object with these digests.
fn record(digests: &Digests, segment: &Segment) -> Record {
    Record {
        plaintext_bytes: segment.plaintext_bytes,
        md5: digests.md5,
        checksum: Some(digests.checksum.clone()),
    }
}

/// The digests of a segment's plaintext while it passes: those that the client claims or S3 computes, and
/// the checksum of an upload where that is another one.
pub(crate) struct SegmentDigester {
    claimed: Digester,
    upload: Option<Digester>,
}

impl SegmentDigester {
    /// The digests that `expected` needs, a checksum by `upload`, and the MD5 where the ETag is one.
    pub(crate) fn new(expected: Expected, upload: Option<Algorithm>, etag_is_md5: bool) -> Self {
        let upload = upload.map(|upload| Digester::new(Expected::nothing(Some(upload)), false));
        Self {
            claimed: Digester::new(expected, etag_is_md5),
            upload,
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.claimed.update(bytes);
        if let Some(upload) = &mut self.upload {
            upload.update(bytes);
        }
    }

    fn finish(self, trailers: &HeaderMap) -> Result<(Digests, Checksum), S3Error> {
        let digests = self.claimed.finish(trailers)?;
        let upload = match self.upload {
            Some(upload) => upload.finish(&HeaderMap::new())?.checksum,
            None => digests.checksum.clone(),
        };
        Ok((digests, upload))
    }
}

/// What sealing a body showed of it.
#[derive(Clone)]
pub(crate) struct SealedContent {
    /// Digests of the plaintext.
    pub(crate) digests: Digests,
    /// The checksum of the plaintext by the upload's algorithm.
    pub(crate) upload_checksum: Checksum,
    /// The sealed record of a whole object.
    sealed_record: Option<[u8; layout::TRAILER_BYTES]>,
}

/// A body on its way into one segment.
pub(crate) struct Sealing {
    sealer: Sealer,
    digester: SegmentDigester,
    body: Payload,
}

impl Sealing {
    /// Begins a segment of this kind and of exactly so many bytes.
    ///
    /// # Errors
    ///
    /// [`SealError`] for a length or a part number that no segment has.
    pub(crate) fn new(
        keys: Keys<'_>,
        (kind, plaintext_bytes): (Kind, u64),
        digester: SegmentDigester,
        body: Payload,
        random: &dyn Random,
    ) -> Result<Self, SealError> {
        Ok(Self {
            sealer: Sealer::new(keys, kind, plaintext_bytes, random)?,
            digester,
            body,
        })
    }

    pub(crate) fn segment(&self) -> &Segment {
        self.sealer.segment()
    }

    /// Seals all of it in memory: the stored bytes.
    ///
    /// # Errors
    ///
    /// What was wrong with the body.
    // Boxed by itself, so that it is not moved into the future of whoever waits for it.
    pub(crate) fn in_memory(
        mut self,
    ) -> BoxFuture<'static, Result<(Bytes, SealedContent), S3Error>> {
        async move {
            self.advance(usize::MAX).await?;
            self.finish()
        }
        .boxed()
    }

    /// Seals it while it is sent; `sealed` is set when the body was found good. `before_end` is awaited
    /// then, before the backend has all of it.
    pub(crate) fn stream<F: Future<Output = ()> + Send>(
        self,
        sealed: &Arc<OnceLock<SealedContent>>,
        before_end: F,
    ) -> impl Body<Data = Bytes, Error = S3Error> + use<F> {
        let sealed = Arc::clone(sealed);
        let frames = stream::try_unfold(Some((self, before_end)), move |sealing| {
            let sealed = Arc::clone(&sealed);
            async move {
                let Some((mut sealing, before_end)) = sealing else {
                    return Ok(None);
                };
                if sealing.advance(FRAME_BYTES).await? {
                    let bytes = sealing.sealer.take();
                    let left = Some((sealing, before_end));
                    return Ok(bytes.map(|bytes| (Frame::data(bytes), left)));
                }
                let (rest, content) = sealing.finish()?;
                drop(sealed.set(content));
                before_end.await;
                Ok(Some((Frame::data(rest), None)))
            }
        });
        StreamBody::new(frames)
    }

    /// Seals what comes of the body until so many bytes are ready; `false` at the body's end.
    async fn advance(&mut self, ready: usize) -> Result<bool, S3Error> {
        while self.sealer.ready() < ready {
            let Some(bytes) = self.body.next().await.transpose()? else {
                return Ok(false);
            };
            self.digester.update(&bytes);
            self.sealer.push(&bytes)?;
        }
        Ok(true)
    }

    /// The last chunk, and the trailer of a whole object, after every claim about the body was found true.
    fn finish(mut self) -> Result<(Bytes, SealedContent), S3Error> {
        let (digests, upload_checksum) = self.digester.finish(self.body.trailers())?;
        let segment = self.sealer.segment();
        let sealed_record = match segment.kind {
            Kind::Whole => {
                let record = record(&digests, segment);
                Some(self.sealer.seal_record(&record)?)
            }
            Kind::Part(_) | Kind::Footer => None,
        };
        let content = SealedContent {
            digests,
            upload_checksum,
            sealed_record,
        };
        Ok((self.sealer.finish()?, content))
    }
}

/// How much is sealed before it is handed on: eight chunks.
const FRAME_BYTES: usize = 8 * layout::SEALED_CHUNK_BYTES;
