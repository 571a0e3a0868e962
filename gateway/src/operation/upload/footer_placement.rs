//! The footer's way to the backend: behind the last part, or as one more.
//!
//! Only the last part may be smaller than backends take in the middle. So where the client's last part
//! is, the footer goes behind it: the part is sent again from the bytes that were stashed, and the
//! footer with it. Otherwise the footer is a part of its own.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;
use http_body::Frame;
use http_body_util::BodyDataStream;
use http_body_util::StreamBody;

use crate::backend::BackendBody;
use crate::chunks::Keys;
use crate::chunks::footer::Table;
use crate::chunks::layout;
use crate::error::S3Error;
use crate::operation::store::ObjectStore;
use crate::operation::upload::journal::Upload;
use crate::operation::upload::journal::is_stashed;
use crate::operation::upload::part_writer;
use crate::protocol::etag::ETag;
use crate::records::uploads::PartRecord;

/// Sends the footer; the parts that the backend is to put together, by number, with its ETags.
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
) -> Result<Vec<(u32, ETag)>, S3Error> {
    let last = parts.last().ok_or_else(S3Error::internal)?;
    let mut placed: Vec<_> = parts
        .iter()
        .map(|part| (part.number, part.backend_etag.clone()))
        .collect();
    let stored_bytes = layout::segment_bytes(last.segment.plaintext_bytes)?;
    let count = u32::try_from(parts.len()).map_err(|_| S3Error::internal())?;
    let random = &*store.sealed.random;
    let (number, body) = if is_stashed(last.number, Some(stored_bytes)) {
        let footer = Bytes::from(table.seal(keys, count, random)?);
        let salt = &last.segment.salt;
        let stashed = store.uploads.stashed(&upload.head, salt, stored_bytes);
        let length = stored_bytes + footer.len() as u64;
        let footer = stream::once(std::future::ready(Ok(footer)));
        let body = BodyDataStream::new(stashed.await?).chain(footer);
        placed.pop();
        let body = StreamBody::new(body.map_ok(Frame::data));
        (last.number, BackendBody::stream(body, length))
    } else {
        let footer = table.seal(keys, count + 1, random)?;
        let number = free_number(last.number, others);
        (number, BackendBody::Bytes(footer.into()))
    };
    let sent = part_writer::send(store, upload, number, body).await?;
    placed.push((number, part_writer::etag_of(&sent)?));
    Ok(placed)
}

/// The number of the footer's own part: the next one, unless the client sent a part of that number which
/// it does not list now and may want later.
fn free_number(last: u32, sent: &BTreeMap<u32, PartRecord>) -> u32 {
    let mut numbers = last + 1..=layout::PARTS_MAX;
    numbers
        .find(|number| !sent.contains_key(number))
        .unwrap_or(last + 1)
}
