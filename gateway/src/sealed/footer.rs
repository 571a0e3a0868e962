//! The footer of a multipart object: fetched, remembered, opened.
//!
//! It takes one read of the object's end, pinned to the version that was answered before. Its tail gives
//! the size without a key; the table takes the key.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http::header;

use crate::chunks::Keys;
use crate::chunks::OpenError;
use crate::chunks::footer::Table;
use crate::chunks::footer::Tail;
use crate::chunks::layout;
use crate::chunks::layout::FOOTER_TAIL_BYTES;
use crate::keys::data_key::ObjectKeys;
use crate::protocol::headers;
use crate::protocol::headers::ENVELOPE;
use crate::protocol::range::ContentRange;
use crate::sealed::cache::Footer;
use crate::sealed::head::ObjectHead;
use crate::sealed::objects::SealedObjects;
use crate::sealed::reader::ReadError;
use crate::sealed::reader::Reader;

/// The footer of an object in parts.
pub(crate) async fn fetch(
    objects: &SealedObjects,
    reader: &Reader,
    head: &ObjectHead,
) -> Result<Arc<Footer>, ReadError> {
    let identity = identity(head);
    if let Some(footer) = objects.footers.get(&identity) {
        return Ok(footer);
    }
    // The number of parts in the ETag is a hint: the tail shows whether it was right.
    let guess = head
        .etag
        .parts()
        .and_then(layout::footer_with_padding_bytes);
    let mut bytes = end_of(objects, reader, head, guess.unwrap_or(FOOTER_GUESS_BYTES)).await?;
    let tail = bytes.last_chunk::<FOOTER_TAIL_BYTES>();
    let tail = Tail::parse(tail.ok_or(OpenError::Truncated)?, head.stored_bytes)?;
    let needed = tail.footer_bytes() + tail.padding_bytes();
    if needed > bytes.len() as u64 {
        bytes = end_of(objects, reader, head, needed).await?;
    }
    let needed = usize::try_from(needed).map_err(|_| OpenError::Footer)?;
    let before = bytes
        .len()
        .checked_sub(needed)
        .ok_or(OpenError::Truncated)?;
    let footer = Arc::new(Footer {
        tail,
        // Copied: what was read may be much longer.
        bytes: bytes.get(before..).unwrap_or_default().into(),
    });
    objects.footers.insert(identity, Arc::clone(&footer));
    Ok(footer)
}

/// Forgets the footer of an object, so that it is fetched again.
pub(crate) fn forget(objects: &SealedObjects, head: &ObjectHead) {
    objects.footers.invalidate(&identity(head));
}

/// What no other object's bytes share with it.
fn identity(head: &ObjectHead) -> String {
    let envelope = head.headers.get(ENVELOPE).and_then(|it| it.to_str().ok());
    format!("{} {}", envelope.unwrap_or_default(), head.etag.as_str())
}

/// Opens the part table by the keys of the object.
///
/// # Errors
///
/// [`OpenError`] for a footer that is not the one of this object.
pub(crate) fn open(footer: &Footer, keys: &ObjectKeys) -> Result<Table, OpenError> {
    let keys = Keys {
        data: &keys.data.for_footer(),
        ..keys.keys()
    };
    footer.tail.open(keys, &footer.bytes)
}

/// The last bytes of a stored object.
///
/// # Errors
///
/// [`ReadError::Changed`] for an object that has another ETag by now.
pub(crate) async fn end_of(
    objects: &SealedObjects,
    reader: &Reader,
    head: &ObjectHead,
    bytes: u64,
) -> Result<Bytes, ReadError> {
    let first = head.stored_bytes.saturating_sub(bytes);
    let range = first..head.stored_bytes;
    let answer = objects.pinned_range(reader, head, &range).await?;
    let (parts, end) = answer.into_parts();
    let end = end.collect(END_BYTES_MAX).await?;
    // One that ignores the range answers with all of it.
    let whole = parts.status == StatusCode::OK && first > 0;
    let stated = headers::text(&parts.headers, header::CONTENT_RANGE).and_then(ContentRange::parse);
    if stated.is_some_and(|range| range.total != head.stored_bytes) {
        return Err(OpenError::Size.into());
    }
    let expected = head.stored_bytes - if whole { 0 } else { first };
    if end.len() as u64 != expected {
        return Err(OpenError::Truncated.into());
    }
    let skipped = usize::try_from(if whole { first } else { 0 }).map_err(|_| OpenError::Size)?;
    Ok(end.slice(skipped..))
}

/// Most bytes of an answer to such a read: a backend may ignore the range.
const END_BYTES_MAX: usize = 16 << 20;

/// How much of an object's end is read where nothing has the length its footer is, in bytes.
const FOOTER_GUESS_BYTES: u64 = 64 << 10;
