//! Bodies framed as `aws-chunked`, unsigned, with a trailing CRC-32.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use crc_fast::checksum;

use crate::backend::Recorded;

/// The body without its framing; the S3 error code for one that is not framed as announced.
pub(crate) fn decode(seen: &Recorded, body: &[u8]) -> Result<Bytes, &'static str> {
    if seen.header("x-amz-trailer") != "x-amz-checksum-crc32" {
        return Err("InvalidRequest");
    }
    let mut data = Vec::new();
    let mut rest = body;
    loop {
        let (head, more) = split(rest).ok_or("IncompleteBody")?;
        let size = std::str::from_utf8(head).ok();
        let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.ok_or("InvalidChunkSizeError")?;
        if size == 0 {
            rest = more;
            break;
        }
        let (chunk, more) = more.split_at_checked(size).ok_or("IncompleteBody")?;
        data.extend_from_slice(chunk);
        rest = more.strip_prefix(b"\r\n").ok_or("IncompleteBody")?;
    }
    let (line, end) = split(rest).ok_or("IncompleteBody")?;
    let sent = line.strip_prefix(b"x-amz-checksum-crc32:");
    let crc = u32::try_from(checksum(CrcAlgorithm::Crc32IsoHdlc, &data)).unwrap();
    let crc = STANDARD.encode(crc.to_be_bytes());
    if sent != Some(crc.as_bytes()) || end != b"\r\n" {
        return Err("BadDigest");
    }
    if seen.header("x-amz-decoded-content-length") != data.len().to_string() {
        return Err("IncompleteBody");
    }
    Ok(data.into())
}

/// A line, and the rest.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some((&bytes[..at], &bytes[at + 2..]))
}
