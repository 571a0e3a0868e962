//! The footer's way to the backend: behind the last part, or as one more.
//!
//! Only the last part may be smaller than backends take in the middle. So where the client's last part
//! is, the footer goes behind it: the part is sent again from the bytes that were kept, and the
//! footer with it. Otherwise the footer is a part of its own.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Bytes;
use http_body::Body;
use http_body::Frame;

use crate::backend::BackendBody;
use crate::backend::ReplyBody;
use crate::chunks::Keys;
use crate::chunks::footer::Table;
use crate::chunks::layout;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::multipart::Upload;
use crate::object::multipart::is_kept;
use crate::object::multipart::part::etag_of;
use crate::request::BoxError;
use crate::sse::data_key::refuse_tampered;
use crate::state::uploads::PartRecord;

impl Objects {
    /// Sends the footer; the parts that the backend is to put together, by number, with its ETags.
    pub(crate) async fn place_footer(
        &self,
        upload: &Upload,
        keys: Keys<'_>,
        table: &Table,
        parts: &[PartRecord],
        others: &BTreeMap<u32, PartRecord>,
    ) -> Result<Vec<(u32, String)>, S3Error> {
        let last = parts.last().ok_or_else(S3Error::internal)?;
        let mut listed: Vec<_> = parts
            .iter()
            .map(|part| (part.number, part.backend_etag.clone()))
            .collect();
        let stored_bytes = layout::segment_bytes(last.segment.plaintext_bytes)?;
        let count = u32::try_from(parts.len()).map_err(|_| S3Error::internal())?;
        if is_kept(last.number, Some(stored_bytes)) {
            let footer = Bytes::from(table.seal(keys, count, &*self.random)?);
            let kept = self
                .uploads
                .stashed(&upload.head, &last.segment.salt)
                .await?;
            let (kept_bytes, kept) = kept.ok_or_else(|| refuse_tampered(&"a part was not kept"))?;
            if kept_bytes != stored_bytes {
                return Err(refuse_tampered(&"a kept part is of another size"));
            }
            let length = stored_bytes + footer.len() as u64;
            let body = Followed {
                first: Some(kept),
                then: Some(footer),
            };
            let body = BackendBody::stream(body, length);
            let sent = self.send_part(upload, last.number, body).await?;
            listed.pop();
            listed.push((last.number, etag_of(&sent)?));
        } else {
            let footer = table.seal(keys, count + 1, &*self.random)?;
            let number = free_number(last.number, others);
            let body = BackendBody::Bytes(footer.into());
            let sent = self.send_part(upload, number, body).await?;
            listed.push((number, etag_of(&sent)?));
        }
        Ok(listed)
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

/// A body from the backend, and bytes behind it.
struct Followed {
    first: Option<ReplyBody>,
    then: Option<Bytes>,
}

impl Body for Followed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(first) = &mut self.first {
            if let Some(frame) = ready!(Pin::new(first).poll_frame(context)) {
                return Poll::Ready(Some(frame));
            }
            self.first = None;
        }
        Poll::Ready(self.then.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}
