//! The decoder, for its fuzz target.

use bytes::Bytes;
use http::HeaderName;

use crate::payload::chunked::Decoder;

/// The content of a body in S3's own chunks, unsigned, of which `content_bytes` were announced, and
/// one trailer if so; `None` if it is refused.
#[must_use]
pub fn aws_chunked(
    body: &[u8],
    content_bytes: u64,
    trailer: bool,
    piece_bytes: usize,
) -> Option<Vec<u8>> {
    let announced = trailer.then(|| HeaderName::from_static("x-amz-checksum-crc32"));
    let announced = announced.into_iter().collect();
    let mut decoder = Decoder::new(content_bytes, None, announced);
    let mut content = Vec::new();
    for piece in body.chunks(piece_bytes) {
        let mut input = Bytes::copy_from_slice(piece);
        while let Some(bytes) = decoder.decode(&mut input).ok()? {
            content.extend_from_slice(&bytes);
        }
    }
    decoder.finish().ok()?;
    Some(content)
}
