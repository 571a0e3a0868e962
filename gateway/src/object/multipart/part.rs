//! UploadPart: one part, sealed on its own.
//!
//! Every attempt has a salt of its own, so that a part sent twice with other bytes shares no key with
//! the first. A part that backends take as the last one only is kept beside, because
//! the footer may have to be put behind it.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>

use std::pin::Pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Response;
use http::header;
use http_body::Frame;

use crate::backend::BackendBody;
use crate::backend::Digest;
use crate::chunks::Keys;
use crate::chunks::layout;
use crate::chunks::seal::Sealer;
use crate::chunks::segment::Kind;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::multipart::Upload;
use crate::object::multipart::bare;
use crate::object::multipart::is_kept;
use crate::object::multipart::part_number;
use crate::object::store::etag_is_md5;
use crate::protocol::checksum::Algorithm;
use crate::protocol::checksum::Checksum;
use crate::protocol::checksum::ChecksumKind;
use crate::protocol::checksum::UploadChecksum;
use crate::protocol::checksum::digests::Digester;
use crate::protocol::checksum::digests::Expected;
use crate::request::Body;
use crate::request::BoxError;
use crate::request::Payload;
use crate::request::S3Request;
use crate::request::empty_body;
use crate::sse::answer;
use crate::sse::choice::Transport;
use crate::sse::data_key::refuse_tampered;
use crate::sse::kms::Requester;
use crate::state::uploads::PartRecord;

/// A part that is about to be written.
pub(crate) struct NewPart {
    pub(crate) number: u32,
    pub(crate) plaintext_bytes: u64,
    /// What the client claims about the bytes.
    pub(crate) expected: Expected,
}

/// A part that was written.
pub(crate) struct WrittenPart {
    pub(crate) record: PartRecord,
    /// The checksum to be told: the one that was claimed, or the upload's.
    pub(crate) checksum: Option<Checksum>,
    /// Headers of the backend's answer.
    pub(crate) headers: HeaderMap,
}

impl Objects {
    /// Takes one part of an upload.
    ///
    /// # Errors
    ///
    /// S3's answer to whatever is wrong with the request or its body; the part was not taken then.
    pub async fn upload_part(&self, request: S3Request) -> Result<Response<Body>, S3Error> {
        let number = part_number(&request)?;
        let plaintext_bytes = request
            .body
            .length()
            .ok_or_else(|| S3Error::new(S3Code::MissingContentLength))?;
        if plaintext_bytes > PART_BYTES_MAX {
            return Err(S3Error::new(S3Code::EntityTooLarge)
                .detail("ProposedSize", plaintext_bytes.to_string())
                .detail("MaxSizeAllowed", PART_BYTES_MAX.to_string()));
        }
        let transport = Transport::of(&request, self.config.allow_insecure_sse);
        let name = self.name(&request.target)?;
        let customer_key = self.part_customer_key(&request, &name, transport).await?;
        let expected = Expected::read(&request.headers, request.body.announced_trailers())?;
        let upload = self.upload(&request.target).await?;
        check_claim(upload.head.checksum, expected.claimed())?;
        let requester = Requester::of(&request);
        let keys = self
            .unlock_upload(&upload, customer_key.as_ref(), &requester, transport)
            .await?;

        let part = NewPart {
            number,
            plaintext_bytes,
            expected,
        };
        let written = self
            .write_part(&upload, keys.keys(), part, request.body)
            .await?;
        let mut response = Response::new(empty_body());
        let headers = response.headers_mut();
        let etag = format!("\"{}\"", upload.part_etag(&written.record));
        let etag = HeaderValue::from_str(&etag).map_err(|_| S3Error::internal())?;
        headers.insert(header::ETAG, etag);
        if let Some(checksum) = &written.checksum {
            checksum.write_headers(headers, 1);
            headers.remove("x-amz-checksum-type");
        }
        let md5 = customer_key.as_ref().map(|key| key.md5());
        answer::of_read(headers, upload.protection(), md5);
        Ok(response)
    }

    /// Seals a part, has the backend take it, and remembers it.
    pub(crate) async fn write_part(
        &self,
        upload: &Upload,
        keys: Keys<'_>,
        part: NewPart,
        body: Payload,
    ) -> Result<WrittenPart, S3Error> {
        let number = part.number;
        let sealer = Sealer::new(
            keys,
            Kind::Part(number),
            part.plaintext_bytes,
            &*self.random,
        )?;
        let segment = sealer.segment().clone();
        let stored_bytes = layout::segment_bytes(part.plaintext_bytes)?;
        let digests = Digests::new(part.expected, upload);
        let done = Arc::new(OnceLock::new());
        let mut sealed = SealedPart {
            body,
            state: Some((sealer, digests)),
            done: Arc::clone(&done),
        };
        let headers = if stored_bytes < super::BACKEND_PART_BYTES_MIN {
            let bytes = sealed.collect(stored_bytes).await?;
            let kept = BackendBody::Bytes(bytes.clone());
            let kept = self.uploads.stash(&upload.head, &segment.salt, kept);
            let sent = self.send_part(upload, number, BackendBody::Bytes(bytes));
            futures_util::future::try_join(kept, sent).await?.1
        } else if is_kept(number, Some(stored_bytes)) {
            let body = BackendBody::stream(sealed, stored_bytes);
            self.uploads
                .stash(&upload.head, &segment.salt, body)
                .await?;
            let kept = self.uploads.stashed(&upload.head, &segment.salt).await?;
            let (kept_bytes, kept) = kept.ok_or_else(S3Error::internal)?;
            if kept_bytes != stored_bytes {
                return Err(refuse_tampered(&"a kept part is of another size"));
            }
            self.send_part(upload, number, BackendBody::stream(kept, stored_bytes))
                .await?
        } else {
            let body = BackendBody::stream(sealed, stored_bytes);
            self.send_part(upload, number, body).await?
        };

        let digests: Digested = done.get().ok_or_else(S3Error::internal)?.clone();
        let record = PartRecord {
            number,
            segment,
            md5: digests.md5.filter(|_| etag_is_md5(upload.protection())),
            checksum: digests.of_upload,
            backend_etag: etag_of(&headers)?,
            moment: self.uploads.next_moment(),
        };
        self.uploads.add_part(&upload.head, &record).await?;
        Ok(WrittenPart {
            record,
            checksum: digests.told,
            headers,
        })
    }

    /// Sends the stored bytes of a part; the headers of the backend's answer.
    pub(crate) async fn send_part(
        &self,
        upload: &Upload,
        number: u32,
        body: BackendBody,
    ) -> Result<HeaderMap, S3Error> {
        let request = upload
            .request(Method::PUT)
            .query("partNumber", number.to_string())
            .query("uploadId", &upload.id)
            .body(body)
            .digest(match upload.head.locked {
                true => Digest::Demanded,
                false => Digest::Useful,
            });
        let answer = self.backend.fetch(request).await?;
        Ok(answer.into_parts().0.headers)
    }
}

/// The backend's ETag in an answer, without quotes.
pub(crate) fn etag_of(headers: &HeaderMap) -> Result<String, S3Error> {
    let etag = headers
        .get(header::ETAG)
        .and_then(|etag| etag.to_str().ok());
    let etag = etag.map(bare).filter(|etag| !etag.is_empty());
    etag.map(str::to_owned).ok_or_else(|| {
        tracing::error!("backend took a part without telling an ETag");
        S3Error::new(S3Code::ServiceUnavailable)
    })
}

/// Refuses a part whose checksum is not of the kind that its upload was created with.
fn check_claim(upload: Option<UploadChecksum>, claimed: Option<Algorithm>) -> Result<(), S3Error> {
    let Some(upload) = upload.filter(|upload| upload.chosen) else {
        return Ok(());
    };
    let fits = match claimed {
        Some(claimed) => claimed == upload.algorithm,
        None => upload.kind == ChecksumKind::FullObject,
    };
    if fits {
        return Ok(());
    }
    let name = |algorithm: Algorithm| algorithm.name().to_ascii_lowercase();
    Err(S3Error::invalid_request(format!(
        "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
        name(upload.algorithm),
        claimed.map_or_else(|| "null".to_owned(), name),
    )))
}

/// The digests of a part while it passes.
struct Digests {
    claimed: Digester,
    is_claimed: bool,
    upload: Option<UploadChecksum>,
    /// The upload's checksum, where that is of another algorithm.
    other: Option<Digester>,
}

/// The digests of a part.
#[derive(Clone)]
struct Digested {
    md5: Option<[u8; 16]>,
    /// By the upload's algorithm.
    of_upload: Option<Vec<u8>>,
    told: Option<Checksum>,
}

impl Digests {
    fn new(expected: Expected, upload: &Upload) -> Self {
        let claimed = expected.claimed();
        let checksum = upload.head.checksum;
        let wanted = checksum.map(|checksum| checksum.algorithm);
        let expected = match claimed {
            Some(_) => expected,
            None => expected.computed_by(wanted),
        };
        let other = claimed
            .and(wanted)
            .filter(|wanted| claimed != Some(*wanted));
        Self {
            claimed: Digester::new(expected, etag_is_md5(upload.protection())),
            is_claimed: claimed.is_some(),
            upload: checksum,
            other: other.map(|wanted| Digester::new(Expected::nothing(Some(wanted)), false)),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.claimed.update(bytes);
        if let Some(other) = &mut self.other {
            other.update(bytes);
        }
    }

    fn finish(self, trailers: &HeaderMap) -> Result<Digested, S3Error> {
        let record = self.claimed.finish(trailers)?;
        let of_upload = match self.other {
            Some(other) => other.finish(&HeaderMap::new())?.checksum,
            None => record.checksum.clone(),
        };
        let of_upload = self.upload.map(|_| of_upload);
        let told = self.is_claimed || self.upload.is_some_and(|upload| upload.chosen);
        Ok(Digested {
            md5: record.md5,
            of_upload: of_upload.map(|checksum| checksum.value),
            told: told.then_some(record.checksum),
        })
    }
}

/// The sealed form of a part, made while it is sent.
struct SealedPart {
    body: Payload,
    /// Gone once the body has ended, well or not.
    state: Option<(Sealer, Digests)>,
    /// Where the digests go when the body was found good.
    done: Arc<OnceLock<Digested>>,
}

impl SealedPart {
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

    /// The last chunk, after every claim about the body was found true.
    fn finish(&mut self) -> Result<Option<Bytes>, S3Error> {
        let Some((sealer, digests)) = self.state.take() else {
            return Ok(None);
        };
        let digests = digests.finish(self.body.trailers())?;
        let rest = sealer.finish()?;
        drop(self.done.set(digests));
        Ok(Some(rest))
    }

    /// All of it in memory.
    async fn collect(&mut self, stored_bytes: u64) -> Result<Bytes, S3Error> {
        let mut whole = Vec::with_capacity(usize::try_from(stored_bytes).unwrap_or(0));
        while let Some(bytes) = std::future::poll_fn(|context| self.poll_sealed(context)).await {
            whole.extend_from_slice(&bytes?);
        }
        Ok(whole.into())
    }
}

impl http_body::Body for SealedPart {
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

/// Largest part, in bytes: 5 GiB.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
pub(crate) const PART_BYTES_MAX: u64 = 5 << 30;

/// How much is sealed before it is handed on: eight chunks.
const FRAME_BYTES: usize = 8 * layout::SEALED_CHUNK_BYTES;
