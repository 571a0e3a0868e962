//! Bodies that say which write they are of, all over.

use md5::Digest as _;
use md5::Md5;

/// The body of a write: its number and its length, over and over.
pub(crate) fn content(number: u32, length: usize) -> Vec<u8> {
    let line = format!("{number:010} {length:010}\n");
    line.bytes().cycle().take(length).collect()
}

/// The ETag of an object of SSE-S3 that is whole: it tells bodies apart.
pub(crate) fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", hex::encode(Md5::digest(bytes)))
}

/// The ETag of an object of SSE-S3 in these parts.
pub(crate) fn etag_of_parts<'a>(parts: impl Iterator<Item = &'a [u8]>) -> String {
    let digests: Vec<_> = parts.map(Md5::digest).collect();
    let digest = hex::encode(Md5::digest(digests.concat()));
    format!("\"{digest}-{}\"", digests.len())
}
