//! An object at the backend, as the headers of an answer describe it.
//!
//! What the backend claims is compared wherever two claims meet: the stored size with the length in
//! the envelope, an answer's range with the one requested. What does not fit is refused, never guessed at.

use std::ops::Range;

use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use proto::time::Timestamp;

use crate::chunks::layout;
use crate::chunks::segment::Segment;
use crate::envelope::Layout;
use crate::envelope::Protection;
use crate::envelope::SealedEnvelope;
use crate::error::S3Error;
use crate::keys::data_key::refuse_tampered;
use crate::protocol::etag::ETag;
use crate::protocol::headers;
use crate::protocol::headers::ENVELOPE;
use crate::protocol::headers::VERSION_ID;
use crate::protocol::range::ContentRange;

/// An object at the backend, without its body.
pub(crate) struct ObjectHead {
    /// The backend's ETag, which is not always the one that clients see.
    pub(crate) etag: ETag,
    /// Size at the backend, in bytes.
    pub(crate) stored_bytes: u64,
    /// Its version, where the backend has versions.
    pub(crate) version: Option<String>,
    /// The envelope, not authenticated yet; none of an object that the gateway did not seal.
    pub(crate) envelope: Option<SealedEnvelope>,
    /// When a listing shows that it was last written.
    listed: Option<Timestamp>,
    /// All headers of the answer.
    pub(crate) headers: HeaderMap,
}

impl ObjectHead {
    /// An object that was just put together: its ETag, its size at the backend, and the header with its
    /// envelope.
    pub(crate) fn from_write(etag: ETag, stored_bytes: u64, envelope: HeaderValue) -> Self {
        Self {
            etag,
            stored_bytes,
            version: None,
            envelope: None,
            listed: None,
            headers: HeaderMap::from_iter([(ENVELOPE, envelope)]),
        }
    }

    /// Reads the headers of an answer to GET or HEAD; also, which of the stored bytes are its body.
    ///
    /// # Errors
    ///
    /// `InternalError` for an answer that does not describe an object as the gateway writes them, or an
    /// object without an envelope.
    pub(crate) fn from_answer(
        status: StatusCode,
        headers: HeaderMap,
    ) -> Result<(Self, Range<u64>), S3Error> {
        let text = |name| headers::text(&headers, name);
        let place = if status == StatusCode::PARTIAL_CONTENT {
            let range = text(header::CONTENT_RANGE).and_then(ContentRange::parse);
            range.map(|range| (range.first..range.last + 1, range.total))
        } else {
            let total = text(header::CONTENT_LENGTH).and_then(|text| text.parse().ok());
            total.map(|total| (0..total, total))
        };
        let (body, stored_bytes) =
            place.ok_or_else(|| refuse_tampered(&"the backend does not state its size"))?;
        let etag = ETag::from_headers(&headers);
        let envelope = envelope(&headers)?;
        let head = Self {
            etag: etag.ok_or_else(|| refuse_tampered(&"the backend does not state its ETag"))?,
            stored_bytes,
            version: text(VERSION_ID).map(str::to_owned),
            envelope,
            listed: None,
            headers,
        };
        head.check_size()?;
        Ok((head, body))
    }

    /// An object as a listing of the backend describes it.
    ///
    /// # Errors
    ///
    /// `InternalError` for an envelope that is none, or of an object of another size.
    pub(crate) fn from_listing(
        envelope: &str,
        etag: ETag,
        stored_bytes: u64,
        modified: Option<Timestamp>,
    ) -> Result<Self, S3Error> {
        let head = Self {
            etag,
            stored_bytes,
            version: None,
            envelope: Some(SealedEnvelope::parse(envelope)?),
            listed: modified,
            headers: HeaderMap::new(),
        };
        head.check_size()?;
        Ok(head)
    }

    /// When it was last written, by the backend's clock.
    // Read where it is needed: few requests compare it.
    pub(crate) fn modified(&self) -> Option<Timestamp> {
        let date = || headers::text(&self.headers, header::LAST_MODIFIED);
        self.listed
            .or_else(|| Timestamp::parse_http_date(date()?).ok())
    }

    fn check_size(&self) -> Result<(), S3Error> {
        let expected = self
            .segment()
            .map(|segment| layout::stored_bytes(segment.plaintext_bytes));
        if expected.is_some_and(|expected| expected != Ok(self.stored_bytes)) {
            return Err(refuse_tampered(&"its size is not the one of its envelope"));
        }
        Ok(())
    }

    /// The envelope of an object that was sealed.
    ///
    /// # Errors
    ///
    /// `InternalError` for an object that was not.
    pub(crate) fn sealed(&self) -> Result<&SealedEnvelope, S3Error> {
        self.envelope.as_ref().ok_or_else(S3Error::internal)
    }

    /// How the envelope claims that the object is encrypted.
    pub(crate) fn protection(&self) -> Option<&Protection> {
        let envelope = self.envelope.as_ref()?;
        Some(&envelope.claims().protection)
    }

    /// The one segment of a whole object, as the envelope claims it; none of an object in parts.
    pub(crate) fn segment(&self) -> Option<&Segment> {
        match &self.envelope.as_ref()?.claims().layout {
            Layout::Whole(segment) => Some(segment),
            Layout::Parts => None,
        }
    }
}

/// The envelope among the headers, if there is one.
fn envelope(headers: &HeaderMap) -> Result<Option<SealedEnvelope>, S3Error> {
    let mut envelopes = headers.get_all(ENVELOPE).iter();
    let Some(envelope) = envelopes.next() else {
        return Ok(None);
    };
    if envelopes.next().is_some() {
        return Err(refuse_tampered(&"it has two envelopes"));
    }
    let envelope = envelope
        .to_str()
        .map_err(|_| refuse_tampered(&"its envelope is no text"))?;
    Ok(Some(SealedEnvelope::parse(envelope)?))
}
