//! The reader of forms, for its fuzz target: a body comes in pieces of one size.

use std::task::Context;
use std::task::Poll;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::HeaderMap;
use http::HeaderValue;
use http::header;

use crate::error::S3Error;
use crate::payload::Form;
use crate::request::Payload;
use crate::request::PayloadStream;

/// A form that was read to its end.
#[derive(Debug, PartialEq, Eq)]
pub struct ReadForm {
    /// Names and values before the file.
    pub fields: Vec<(String, String)>,
    /// The file.
    pub file: Vec<u8>,
}

/// A form; `None` if it is refused.
#[must_use]
pub fn form(boundary: &str, body: &[u8], piece_bytes: usize) -> Option<ReadForm> {
    const IN_MEMORY_BYTES_MAX: u64 = 256;
    let content_type = format!("multipart/form-data; boundary={boundary}");
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_str(&content_type).ok()?,
    );
    let pieces = Pieces(Bytes::copy_from_slice(body), piece_bytes);
    let payload = Payload::from_stream(pieces, Some(body.len() as u64));
    let form = Form::read(payload, &headers).now_or_never()?.ok()?;
    let fields = form.fields.iter();
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let fields = fields.collect();
    let mut payload = form.file(IN_MEMORY_BYTES_MAX).now_or_never()?.ok()?;
    let mut file = Vec::new();
    while let Some(bytes) = payload.next().now_or_never()? {
        file.extend(bytes.ok()?);
    }
    Some(ReadForm { fields, file })
}

/// A body that comes in pieces of one size.
struct Pieces(Bytes, usize);

impl PayloadStream for Pieces {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, S3Error>>> {
        let piece = self.0.split_to(self.0.len().min(self.1));
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}
