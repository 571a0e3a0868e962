//! A new envelope for bytes that stay as they are: the data key wrapped once more.
//!
//! The backend copies the sealed bytes by itself, under metadata of ours. What the envelope says, the
//! segment's head and the record are checked before; the chunks are not read, so whatever somebody
//! changed of them is changed in the copy too, and opens as little there.
//!
//! | from | to | re-wrapped |
//! |---|---|---|
//! | SSE-S3 | SSE-S3, SSE-KMS, Bucket Key, SSE-C | yes |
//! | SSE-KMS, Bucket Key, SSE-C | SSE-KMS, Bucket Key, SSE-C | yes |
//! | SSE-KMS, Bucket Key, SSE-C | SSE-S3 | no: its ETag is the MD5, which nobody computed |
//! | DSSE-KMS, or any | any, or DSSE-KMS | no: the outer layer is in the bytes |
//! | an object in parts | any | no: a copy is an object of one part |
//!
//! Source: `gateway/FORMAT.md`, section "Where the data key comes from".

use std::sync::Arc;

use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::header;

use crate::backend::Backend;
use crate::backend::BackendCopy;
use crate::chunks::DataKey;
use crate::chunks::OpenError;
use crate::chunks::layout;
use crate::chunks::trailer::Record;
use crate::envelope::Envelope;
use crate::envelope::Layout;
use crate::envelope::Mode;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::copy::DELETE_MARKER;
use crate::object::facts::Facts;
use crate::object::store::Written;
use crate::object::stored::Found;
use crate::object::stored::Needs;
use crate::object::stored::ReadError;
use crate::object::stored::Reader;
use crate::object::stored::Stored;
use crate::protocol::conditions::Names;
use crate::protocol::headers::ENVELOPE;
use crate::sse::choice::Encryption;
use crate::sse::data_key::ObjectName;
use crate::sse::kms::Requester;

/// An object whose bytes need not be read to be copied.
pub(crate) struct Rewrappable {
    pub(crate) stored: Box<Stored>,
    pub(crate) record: Arc<Record>,
    data_key: DataKey,
}

/// What a re-wrapped object is to be.
pub(crate) struct Rewrapped<'a> {
    pub(crate) name: &'a ObjectName,
    /// Headers for the backend: what describes the object, its tags, and conditions.
    pub(crate) headers: HeaderMap,
    pub(crate) encryption: &'a Encryption,
    pub(crate) requester: &'a Requester,
}

impl Objects {
    /// The source of a copy, if its bytes can stay as they are under `encryption`.
    pub(crate) async fn rewrappable(
        &self,
        reader: &Reader,
        conditions: &HeaderMap,
        encryption: &Encryption,
    ) -> Result<Option<Rewrappable>, ReadError> {
        match self.look_at(reader).await? {
            Some(Found::Sealed(stored))
                if keeps_bytes(stored.sealed.claims().protection.mode(), encryption) =>
            {
                let source = self.unlock_to_rewrap(reader, stored, conditions).await?;
                Ok(Some(source))
            }
            _ => Ok(None),
        }
    }

    /// What is at the backend, by its headers and its first bytes; none if there are no bytes.
    pub(crate) async fn look_at(&self, reader: &Reader) -> Result<Option<Found>, ReadError> {
        // A read, because errors of HEAD have no document; and of the head, because it is compared.
        let range = format!("bytes=0-{}", layout::HEAD_BYTES - 1);
        let range = HeaderValue::from_str(&range).map_err(|_| S3Error::internal())?;
        let request = reader.request(Method::GET).header(header::RANGE, range);
        let answer = self.backend.send(request).await?;
        match answer.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {}
            StatusCode::RANGE_NOT_SATISFIABLE => return Ok(None),
            StatusCode::METHOD_NOT_ALLOWED => {
                return Err(S3Error::invalid_request(DELETE_MARKER).into());
            }
            _ => return Err(Backend::refusal(&Method::GET, answer).await.into()),
        }
        let (parts, body) = answer.into_parts();
        let found = self.recognise(&reader.name.bucket, parts.status, parts.headers)?;
        if let Found::Sealed(stored) = &found
            && parts.status == StatusCode::PARTIAL_CONTENT
        {
            let head = body.collect(layout::HEAD_BYTES).await?;
            if head != stored.segment.head()[..] {
                return Err(OpenError::OtherSegment.into());
            }
        }
        Ok(Some(found))
    }

    /// The data key and the record of an object, after the conditions of its copy were judged.
    pub(crate) async fn unlock_to_rewrap(
        &self,
        reader: &Reader,
        stored: Box<Stored>,
        conditions: &HeaderMap,
    ) -> Result<Rewrappable, ReadError> {
        let needs = Needs {
            key: true,
            checksum: true,
        };
        let names = Names::of_copy_sources();
        let unlocked = self
            .unlock(reader, &stored, needs, (conditions, &names))
            .await?;
        match (unlocked.keys, unlocked.record) {
            (Some(keys), Some(record)) => {
                // The commitment binds the data key to these very bytes.
                stored.segment.check(&keys.data)?;
                Ok(Rewrappable {
                    stored,
                    record,
                    data_key: keys.data,
                })
            }
            _ => Err(S3Error::internal().into()),
        }
    }

    /// Has the backend copy an object under a new envelope.
    ///
    /// # Errors
    ///
    /// [`ReadError::Changed`] where the source is another one by now.
    pub(crate) async fn rewrap(
        &self,
        reader: &Reader,
        source: &Rewrappable,
        target: Rewrapped<'_>,
    ) -> Result<Written, ReadError> {
        let stored = &source.stored;
        self.spoil_listing(&target.name.bucket, target.encryption)
            .await?;
        let protection = self
            .data_keys
            .wrap(
                &source.data_key,
                target.encryption,
                target.name,
                target.requester,
            )
            .await?;
        let envelope = Envelope {
            layout: Layout::Whole(stored.segment.clone()),
            protection,
            record: stored.sealed.claims().record,
        };
        let value = envelope.seal(&source.data_key, &target.name.arn);
        let value = HeaderValue::from_str(&value).map_err(|_| S3Error::internal())?;
        let mut headers = target.headers;
        headers.insert(ENVELOPE, value);
        let etag = stored.headers.get(header::ETAG);
        let copy = BackendCopy {
            from: (&reader.name.bucket, &reader.name.key),
            version: reader.version.as_deref(),
            etag: etag.ok_or_else(S3Error::internal)?,
            to: (&target.name.bucket, &target.name.key),
            headers,
        };
        let headers = match self.backend.copy(copy).await {
            // Of the source or the target: reading both again tells which.
            Err(error) if error.is_refused_as(StatusCode::PRECONDITION_FAILED) => {
                return Err(ReadError::Changed);
            }
            headers => headers?,
        };
        let record = Record::clone(&source.record);
        let etag = self.etag(&envelope.protection, Some(&record), &headers)?;
        let facts = Facts {
            etag: etag.clone(),
            bytes: stored.segment.plaintext_bytes,
            algorithm: record.checksum.as_ref().map(|checksum| checksum.algorithm),
        };
        self.known.learn(target.name, &headers, facts);
        Ok(Written {
            headers,
            record,
            etag,
            protection: envelope.protection,
        })
    }
}

/// Whether an object can come from a mode to another one as it is.
fn keeps_bytes(from: Mode, to: &Encryption) -> bool {
    match (from, to) {
        (Mode::Dsse, _) | (_, Encryption::Dsse(_)) => false,
        (Mode::SseS3, _) => true,
        (_, Encryption::SseS3) => false,
        (_, Encryption::SseKms(_) | Encryption::SseC(_)) => true,
    }
}
