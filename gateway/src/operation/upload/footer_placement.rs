//! The footer's way to the backend: behind the last part, or as one more.
//!
//! Only the last part may be smaller than backends take in the middle. So where the client's last part
//! is, the footer goes behind it: the part is sent again from the bytes that were stashed, and the
//! footer with it. Otherwise the footer is a part of its own.
//!
//! Once the backend has put the object together, its end is read back: only what a reader would be given
//! shows that it was put together from the parts that were named.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;
use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use http_body::Frame;
use http_body_util::BodyDataStream;
use http_body_util::StreamBody;

use crate::backend::BackendBody;
use crate::chunks::Keys;
use crate::chunks::footer::Table;
use crate::chunks::layout;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::operation::store::ObjectStore;
use crate::operation::upload::journal::Upload;
use crate::operation::upload::journal::is_stashed;
use crate::operation::upload::part_writer;
use crate::protocol::etag::ETag;
use crate::protocol::headers;
use crate::protocol::headers::VERSION_ID;
use crate::records::uploads::PartRecord;
use crate::sealed::footer;
use crate::sealed::head::ObjectHead;
use crate::sealed::reader::ReadError;
use crate::sealed::reader::Reader;

/// A footer that is at the backend.
pub(crate) struct PlacedFooter {
    /// The parts that the backend is to put together, by number, with its ETags.
    pub(crate) parts: Vec<(u32, ETag)>,
    /// Padding, sealed table and tail.
    bytes: Bytes,
    /// Size of the object at the backend, in bytes.
    object_bytes: u64,
}

/// Sends the footer.
///
/// # Errors
///
/// `ServiceUnavailable` when the backend or the state cannot be reached; `InternalError` for a stashed part
/// that is not as it was.
pub(crate) async fn place_footer(
    store: &ObjectStore,
    upload: &Upload,
    keys: Keys<'_>,
    table: &Table,
    parts: &[PartRecord],
    others: &BTreeMap<u32, PartRecord>,
) -> Result<PlacedFooter, S3Error> {
    let last = parts.last().ok_or_else(S3Error::internal)?;
    let mut placed: Vec<_> = parts
        .iter()
        .map(|part| (part.number, part.backend_etag.clone()))
        .collect();
    let stored_bytes = layout::segment_bytes(last.segment.plaintext_bytes)?;
    let count = u32::try_from(parts.len()).map_err(|_| S3Error::internal())?;
    let is_behind = is_stashed(last.number, Some(stored_bytes));
    let count = if is_behind { count } else { count + 1 };
    let bytes = Bytes::from(table.seal(keys, count)?);
    let footer = bytes.clone();
    let (number, body) = if is_behind {
        let salt = &last.segment.salt;
        let stashed = store.uploads.stashed(&upload.head, salt, stored_bytes);
        let length = stored_bytes + footer.len() as u64;
        let footer = stream::once(std::future::ready(Ok(footer)));
        let body = BodyDataStream::new(stashed.await?).chain(footer);
        placed.pop();
        let body = StreamBody::new(body.map_ok(Frame::data));
        (last.number, BackendBody::stream(body, length))
    } else {
        let number = free_number(last.number, others);
        (number, BackendBody::Bytes(footer))
    };
    let sent = part_writer::send(store, upload, number, body).await?;
    placed.push((number, part_writer::etag_of(&sent)?));
    Ok(PlacedFooter {
        parts: placed,
        bytes,
        object_bytes: layout::stored_bytes_in_parts(table.plaintext_bytes(), count)?,
    })
}

impl PlacedFooter {
    /// Reads back the end of the object that the backend put together, which it answered with these
    /// headers. It may have been overwritten or deleted since.
    ///
    /// # Errors
    ///
    /// `InternalError` for an object that ends otherwise; `ServiceUnavailable` when it cannot be read.
    pub(crate) async fn expect_in(
        &self,
        store: &ObjectStore,
        upload: &Upload,
        headers: &HeaderMap,
    ) -> Result<(), S3Error> {
        let version = headers::text(headers, VERSION_ID);
        let reader = Reader::internal(&upload.name, version);
        let etag = ETag::from_headers(headers).ok_or_else(S3Error::internal)?;
        let envelope = HeaderValue::from_str(upload.head.envelope_header());
        let envelope = envelope.map_err(|_| S3Error::internal())?;
        let head = ObjectHead::from_write(etag, self.object_bytes, envelope);
        let error = match footer::fetch(&store.sealed, &reader, &head).await {
            Ok(footer) if *footer.bytes == *self.bytes => return Ok(()),
            Err(ReadError::Changed) => return Ok(()),
            Err(ReadError::Refused(error)) if error.status() != INTERNAL => return Err(error),
            Ok(_) | Err(ReadError::Refused(_)) => {
                S3Error::with_message(S3Code::InternalError, MISASSEMBLED)
            }
        };
        footer::forget(&store.sealed, &head);
        let name = &upload.name;
        tracing::error!(bucket = name.bucket, key = name.key, "{MISASSEMBLED}");
        Err(error)
    }
}

/// The number of the footer's own part: the next one, unless the client sent a part of that number which
/// it does not list now and may want later.
fn free_number(last: u32, sent: &BTreeMap<u32, PartRecord>) -> u32 {
    let mut numbers = last + 1..=layout::PARTS_MAX;
    numbers
        .find(|number| !sent.contains_key(number))
        .unwrap_or(last + 1)
}

const INTERNAL: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;

/// Why a Complete is refused whose object is there: the client must upload it again.
const MISASSEMBLED: &str = "The backend did not put the object together from the parts that were sent to it. Upload it again.";
