//! What can be said of an object without reading its body, and the keys to read it.
//!
//! A whole object is a table of one segment. So one function finds keys, digests and ETag of both layouts,
//! and one body opens both ([`crate::sealed::body`]).

use std::ops::Range;
use std::sync::Arc;

use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::header;

use crate::backend::Backend;
use crate::backend::BackendResponse;
use crate::backend::ReplyBody;
use crate::chunks::DataKey;
use crate::chunks::footer::Part;
use crate::chunks::footer::Table;
use crate::chunks::layout;
use crate::chunks::segment::Segment;
use crate::chunks::trailer;
use crate::chunks::trailer::Record;
use crate::envelope::Envelope;
use crate::envelope::Layout;
use crate::error::S3Error;
use crate::keys::data_key::ObjectKeys;
use crate::keys::data_key::refuse_tampered;
use crate::protocol::checksum::Checksum;
use crate::protocol::conditions::Conditions;
use crate::protocol::etag::ETag;
use crate::sealed::cache::Footer;
use crate::sealed::etag;
use crate::sealed::footer;
use crate::sealed::head::ObjectHead;
use crate::sealed::objects::SealedObjects;
use crate::sealed::reader::OTHER_OR_NONE;
use crate::sealed::reader::ReadError;
use crate::sealed::reader::Reader;
use crate::sealed::selection::Selection;

/// An answer of the backend to a read.
pub(crate) struct Fetched {
    pub(crate) head: Box<ObjectHead>,
    /// None where the object is shorter than the range.
    pub(crate) stored: Option<StoredBytes>,
}

/// Stored bytes that the backend is sending.
pub(crate) struct StoredBytes {
    /// Where they lie in the stored object.
    pub(crate) range: Range<u64>,
    pub(crate) body: ReplyBody,
}

/// What a read needs besides size and ETag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The data key, to open the body.
    pub(crate) key: bool,
    /// The checksum.
    pub(crate) checksum: bool,
    /// Where the parts lie, if there are any.
    pub(crate) parts: bool,
}

impl Needs {
    /// All of it.
    pub(crate) const ALL: Self = Self {
        key: true,
        checksum: true,
        parts: true,
    };
}

/// What a read found out about an object, after its conditions held.
pub(crate) struct Description {
    /// The ETag that clients see.
    pub(crate) etag: ETag,
    pub(crate) plaintext_bytes: u64,
    /// The footer of an object in parts.
    pub(crate) footer: Option<Arc<Footer>>,
    /// The keys, where they were needed or cost nothing.
    pub(crate) keys: Option<ObjectKeys>,
    /// The segments, with the digests that were needed; there if the keys are.
    pub(crate) table: Option<Table>,
}

impl Description {
    /// An object that was never sealed: clients see what the backend has.
    pub(crate) fn of_unsealed(head: &ObjectHead) -> Self {
        Self {
            etag: head.etag.clone(),
            plaintext_bytes: head.stored_bytes,
            footer: None,
            keys: None,
            table: None,
        }
    }

    /// How many parts the object was uploaded in; none for a whole object.
    pub(crate) fn parts(&self) -> Option<usize> {
        let footer = self.footer.as_ref()?;
        usize::try_from(footer.tail.parts()).ok()
    }

    /// The object's checksum, where it was needed and there is one.
    pub(crate) fn checksum(&self) -> Option<&Checksum> {
        self.table.as_ref()?.checksum.as_ref()
    }

    /// The checksum of the part at a place, counted from 1, where it was needed and there is one.
    pub(crate) fn part_checksum(&self, place: u32) -> Option<&[u8]> {
        let index = usize::try_from(place).ok()?.checked_sub(1)?;
        self.table.as_ref()?.parts.get(index)?.checksum.as_deref()
    }

    /// Keys and segments of an object that was unlocked for its body.
    ///
    /// # Errors
    ///
    /// `InternalError` where they were not needed.
    pub(crate) fn opened(&self) -> Result<(&ObjectKeys, &Table), S3Error> {
        let opened = self.keys.as_ref().zip(self.table.as_ref());
        opened.ok_or_else(S3Error::internal)
    }
}

impl SealedObjects {
    /// What the headers of an answer describe, and which stored bytes are its body.
    ///
    /// # Errors
    ///
    /// `InternalError` for an object that is not as the gateway writes them, or without an envelope unless
    /// the bucket was adopted; `ServiceUnavailable` for one that the request was not judged by.
    fn describe(
        &self,
        reader: &Reader,
        status: StatusCode,
        headers: HeaderMap,
    ) -> Result<(Box<ObjectHead>, Range<u64>), S3Error> {
        if let Some(judged) = &reader.judged {
            judged.check(&headers)?;
        }
        let (head, body) = ObjectHead::from_answer(status, headers)?;
        if head.envelope.is_none() && !self.adopts(&reader.name.bucket) {
            return Err(refuse_tampered(&"it has no envelope"));
        }
        Ok((Box::new(head), body))
    }

    /// Asks for an object without its body.
    ///
    /// # Errors
    ///
    /// The backend's refusal; `InternalError` for an object that is not as it was written.
    pub(crate) async fn head(&self, reader: &Reader) -> Result<Box<ObjectHead>, S3Error> {
        let answer = Box::pin(self.backend.call(reader.request(Method::HEAD))).await;
        let answer = answer.map_err(|error| reader.refusal(error))?;
        let headers = answer.into_parts().0.headers;
        let (head, _) = self.describe(reader, StatusCode::OK, headers)?;
        Ok(head)
    }

    /// Asks for the stored bytes that hold a selection.
    ///
    /// # Errors
    ///
    /// As [`Self::head`].
    // What happens seldom is boxed, here and below: every request carries the space of what is not.
    pub(crate) async fn fetch(
        &self,
        reader: &Reader,
        selection: &Selection,
    ) -> Result<Fetched, S3Error> {
        let range = selection.backend_range();
        self.fetch_range(reader, range.as_deref()).await
    }

    /// Asks for a range of the stored bytes, as a header has it.
    ///
    /// # Errors
    ///
    /// As [`Self::head`].
    pub(crate) async fn fetch_range(
        &self,
        reader: &Reader,
        range: Option<&str>,
    ) -> Result<Fetched, S3Error> {
        let mut request = reader.request(Method::GET);
        if let Some(range) = range {
            let range = HeaderValue::from_str(range).map_err(|_| S3Error::internal())?;
            request = request.header(header::RANGE, range);
        }
        let answer = Box::pin(self.backend.send(request)).await?;
        match answer.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {}
            StatusCode::RANGE_NOT_SATISFIABLE => {
                let head = Box::pin(self.head(reader)).await?;
                return Ok(Fetched { head, stored: None });
            }
            _ => {
                let refusal = Box::pin(Backend::refusal(&Method::GET, answer));
                return Err(reader.refusal(refusal.await));
            }
        }
        let (parts, body) = answer.into_parts();
        let (head, range) = self.describe(reader, parts.status, parts.headers)?;
        let stored = Some(StoredBytes { range, body });
        Ok(Fetched { head, stored })
    }

    /// Requests a range of the stored bytes of the very object that `head` describes.
    ///
    /// # Errors
    ///
    /// [`ReadError::Changed`] for an object that has another ETag by now; the backend's refusal.
    pub(crate) async fn pinned_range(
        &self,
        reader: &Reader,
        head: &ObjectHead,
        stored: &Range<u64>,
    ) -> Result<BackendResponse, ReadError> {
        let answer = self.backend.call(reader.range(&head.etag, stored)?).await;
        let answer = answer.map_err(ReadError::changed_if(OTHER_OR_NONE))?;
        // A backend that ignores If-Match answers with another object.
        match ETag::from_headers(answer.headers()).as_ref() == Some(&head.etag) {
            true => Ok(answer),
            false => Err(ReadError::Changed),
        }
    }

    /// Whatever of keys, digests and ETag is needed, after the conditions of the read were compared.
    ///
    /// # Errors
    ///
    /// `NotModified`, `PreconditionFailed`; what [`DataKeys::check`](crate::keys::data_key::DataKeys::check)
    /// and the KMS refuse; `InternalError` for an object that is not as it was written.
    pub(crate) async fn unlock(
        &self,
        reader: &Reader,
        head: &ObjectHead,
        needs: Needs,
        conditions: Conditions<'_>,
    ) -> Result<Description, ReadError> {
        let sealed = head.sealed()?;
        let customer_key = reader.customer_key.as_ref();
        let checked = self
            .data_keys
            .check(sealed, customer_key, &reader.name, reader.transport)?;
        let claims = sealed.claims();
        let (plaintext_bytes, footer) = match &claims.layout {
            Layout::Whole(segment) => (segment.plaintext_bytes, None),
            Layout::Parts => {
                let footer = Box::pin(footer::fetch(self, reader, head)).await?;
                (footer.tail.plaintext_bytes(), Some(footer))
            }
        };
        let mut description = Description {
            etag: head.etag.clone(),
            plaintext_bytes,
            footer,
            keys: None,
            table: None,
        };
        let parts = description.parts();
        let calls_kms = claims.protection.key_arn().is_some();
        if calls_kms {
            // The ETag is the backend's own: what the conditions rule out costs the KMS nothing.
            description.etag = etag::for_client(&claims.protection, None, parts, &head.etag)?;
            conditions.check(&description.etag, || head.modified())?;
            let needs_table = needs.parts && parts.is_some();
            if !needs.key && !needs.checksum && !needs_table {
                return Ok(description);
            }
        }

        let (keys, envelope) = self.data_keys.open(checked, &reader.requester).await?;
        let table = match (&envelope.layout, &description.footer) {
            (Layout::Whole(segment), _) => {
                let record = match needs.checksum || etag::is_md5(&envelope.protection) {
                    true => Some(
                        self.record(reader, head, (segment, &keys.data), envelope)
                            .await?,
                    ),
                    false => None,
                };
                whole(segment, record)
            }
            (Layout::Parts, Some(footer)) => footer::open(footer, &keys)?,
            (Layout::Parts, None) => return Err(S3Error::internal().into()),
        };
        if !calls_kms {
            let protection = &envelope.protection;
            description.etag = etag::for_client(protection, Some(&table), parts, &head.etag)?;
            conditions.check(&description.etag, || head.modified())?;
        }
        description.keys = Some(keys);
        description.table = Some(table);
        Ok(description)
    }

    /// The record of a whole object: from its envelope, from memory, or from behind its body.
    async fn record(
        &self,
        reader: &Reader,
        head: &ObjectHead,
        (segment, key): (&Segment, &DataKey),
        envelope: &Envelope,
    ) -> Result<Record, ReadError> {
        if let Some(sealed) = &envelope.record {
            return Ok(trailer::open(key, segment, sealed)?);
        }
        if let Some(record) = self.remembered(segment) {
            return Ok(Record::clone(&record));
        }
        let trailer_bytes = layout::TRAILER_BYTES as u64;
        let sealed = Box::pin(footer::end_of(self, reader, head, trailer_bytes)).await?;
        let record = trailer::open(key, segment, &sealed)?;
        self.remember(segment, record.clone());
        Ok(record)
    }
}

/// A whole object as a table of one segment.
fn whole(segment: &Segment, record: Option<Record>) -> Table {
    let (md5, checksum) = record.map_or((None, None), |record| (record.md5, record.checksum));
    Table {
        parts: vec![Part {
            segment: segment.clone(),
            md5,
            checksum: None,
        }],
        checksum,
    }
}
