//! Where each byte of an object lies once it is sealed, and the way back.
//!
//! A whole object is one segment and a trailer. A segment is a head of [`HEAD_BYTES`] and chunks:
//! each holds [`CHUNK_BYTES`] of the object and a tag of [`TAG_BYTES`]; the last one is always
//! shorter, and empty where the object's length is a multiple of the chunk. A multipart object is
//! its parts' segments in order, padding, and a footer (see [`crate::chunks::footer`]).
//!
//! All sizes and offsets are in bytes. Source: `gateway/FORMAT.md`.

use std::ops::Range;

use crate::chunks::SealError;

/// Size of the segment that holds `plaintext_bytes`.
///
/// # Errors
///
/// [`SealError::TooLarge`] above [`OBJECT_BYTES_MAX`].
pub fn segment_bytes(plaintext_bytes: u64) -> Result<u64, SealError> {
    if plaintext_bytes > OBJECT_BYTES_MAX {
        return Err(SealError::TooLarge);
    }

    Ok(HEAD_BYTES as u64 + plaintext_bytes + TAG_BYTES as u64 * chunk_count(plaintext_bytes))
}

/// Size of the plaintext in a segment of `segment_bytes`; `None` if no segment has that size.
pub fn segment_plaintext_bytes(segment_bytes: u64) -> Option<u64> {
    chunks_plaintext_bytes(segment_bytes.checked_sub((HEAD_BYTES + TAG_BYTES) as u64)?)
}

/// The plaintext in `chunks` bytes of chunks, not counting the last one's tag.
fn chunks_plaintext_bytes(chunks: u64) -> Option<u64> {
    let (full, rest) = (
        chunks / SEALED_CHUNK_BYTES as u64,
        chunks % SEALED_CHUNK_BYTES as u64,
    );
    // The last chunk is shorter than a full one, so sizes between the two do not occur.
    if rest >= CHUNK_BYTES as u64 {
        return None;
    }

    let plaintext_bytes = full * CHUNK_BYTES as u64 + rest;
    (plaintext_bytes <= OBJECT_BYTES_MAX).then_some(plaintext_bytes)
}

/// Size at the backend of a whole object of `plaintext_bytes`.
///
/// # Errors
///
/// [`SealError::TooLarge`] above [`OBJECT_BYTES_MAX`].
pub fn stored_bytes(plaintext_bytes: u64) -> Result<u64, SealError> {
    Ok(segment_bytes(plaintext_bytes)? + TRAILER_BYTES as u64)
}

/// Size of the whole object that takes `stored_bytes` at the backend; `None` if no whole object
/// does.
///
/// The inverse of [`stored_bytes`]: exact, because that grows with every byte.
pub fn plaintext_bytes(stored_bytes: u64) -> Option<u64> {
    segment_plaintext_bytes(stored_bytes.checked_sub(TRAILER_BYTES as u64)?)
}

/// Size at the backend of an object of `plaintext_bytes` that the backend lists with `parts` parts.
///
/// However the parts were cut: padding makes up for splits that need fewer chunks.
///
/// # Errors
///
/// [`SealError::TooLarge`] above [`OBJECT_BYTES_MAX`]; [`SealError::PartNumber`] unless there are 1
/// to [`PARTS_MAX`] parts.
pub fn stored_bytes_in_parts(plaintext_bytes: u64, parts: u32) -> Result<u64, SealError> {
    if plaintext_bytes > OBJECT_BYTES_MAX {
        return Err(SealError::TooLarge);
    }
    let parts_cost = parts_bytes(parts).ok_or(SealError::PartNumber)?;
    Ok(plaintext_bytes + TAG_BYTES as u64 * (plaintext_bytes / CHUNK_BYTES as u64) + parts_cost)
}

/// Size of the object that takes `stored_bytes` at the backend, which lists it with `parts` parts;
/// `None` if no such object does.
///
/// The inverse of [`stored_bytes_in_parts`].
pub fn plaintext_bytes_in_parts(stored_bytes: u64, parts: u32) -> Option<u64> {
    chunks_plaintext_bytes(stored_bytes.checked_sub(parts_bytes(parts)?)?)
}

/// What so many parts cost, whatever they hold: a head and a last tag each, and the footer.
fn parts_bytes(parts: u32) -> Option<u64> {
    Some((HEAD_BYTES + TAG_BYTES) as u64 * u64::from(parts) + footer_bytes(parts)?)
}

/// Size of the sealed table of so many parts and of the tail, without padding; `None` for a number
/// of parts no object has.
pub(crate) fn footer_bytes(parts: u32) -> Option<u64> {
    Some(segment_bytes(table_bytes(parts)?).ok()? + FOOTER_TAIL_BYTES as u64)
}

/// Longest footer of an object that the backend lists with so many parts, padding included; `None`
/// for a number of parts no object has.
pub(crate) fn footer_with_padding_bytes(parts: u32) -> Option<u64> {
    // One tag for each part but the first, and one entry that a footer of its own leaves unused.
    let padding = TAG_BYTES as u64 * u64::from(parts) + TABLE_ENTRY_BYTES as u64 + TAG_BYTES as u64;
    Some(footer_bytes(parts)? + padding)
}

/// Length of the table of so many parts; `None` for a number of parts no object has.
pub(crate) fn table_bytes(parts: u32) -> Option<u64> {
    (1..=PARTS_MAX)
        .contains(&parts)
        .then(|| TABLE_START_BYTES as u64 + u64::from(parts) * TABLE_ENTRY_BYTES as u64)
}

/// Number of chunks of a segment that holds `plaintext_bytes`: at least one, the last one short.
pub fn chunk_count(plaintext_bytes: u64) -> u64 {
    plaintext_bytes / CHUNK_BYTES as u64 + 1
}

/// The chunks of one segment that hold a range of its plaintext.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where those chunks lie, counted from the first byte of the segment's head.
    pub stored: Range<u64>,
    /// The chunks' indexes.
    pub(crate) chunks: Range<u64>,
    /// Plaintext in the first of them that comes before the range.
    pub(crate) skip: usize,
    /// Length of the range.
    pub(crate) take: u64,
}

/// What to fetch of a segment of `plaintext_bytes` to read `range` of its plaintext.
///
/// `None` if the range is empty or reaches past the end. Costs at most one chunk more than the
/// range on either side.
pub fn span(plaintext_bytes: u64, range: Range<u64>) -> Option<Span> {
    if range.start >= range.end || range.end > plaintext_bytes {
        return None;
    }
    let segment_end = segment_bytes(plaintext_bytes).ok()?;

    let chunks = range.start / CHUNK_BYTES as u64..(range.end - 1) / CHUNK_BYTES as u64 + 1;
    let stored_end = (HEAD_BYTES as u64 + chunks.end * SEALED_CHUNK_BYTES as u64).min(segment_end);
    Some(Span {
        stored: HEAD_BYTES as u64 + chunks.start * SEALED_CHUNK_BYTES as u64..stored_end,
        skip: usize::try_from(range.start % CHUNK_BYTES as u64).ok()?,
        take: range.end - range.start,
        chunks,
    })
}

/// Length of a data key (AES-256), in bytes.
pub const KEY_BYTES: usize = 32;

/// Length of a salt, in bytes.
pub const SALT_BYTES: usize = 24;

/// Length of the header: magic, version, kind, reserved bytes, part number.
pub const HEADER_BYTES: usize = 16;

/// Length of a key commitment.
pub const COMMITMENT_BYTES: usize = 32;

/// Length of what stands in front of a segment's chunks: header, salt, commitment.
pub const HEAD_BYTES: usize = HEADER_BYTES + SALT_BYTES + COMMITMENT_BYTES;

/// Plaintext in a full chunk.
///
/// Source: <https://c2sp.org/chunked-encryption>.
pub const CHUNK_BYTES: usize = 16_384;

/// Length of a chunk's tag.
pub const TAG_BYTES: usize = 16;

/// Length of a full chunk with its tag.
pub const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;

/// Length of the record of an object's length and digests, before it is sealed.
pub const RECORD_BYTES: usize = 128;

/// Length of the trailer: the record and its tag.
pub const TRAILER_BYTES: usize = RECORD_BYTES + TAG_BYTES;

/// Length of the part table before its first entry.
pub const TABLE_START_BYTES: usize = 64;

/// Length of an entry of the part table.
pub const TABLE_ENTRY_BYTES: usize = 120;

/// Length of the clear tail that ends a multipart object.
pub const FOOTER_TAIL_BYTES: usize = 40;

/// Most parts an object can have.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
pub const PARTS_MAX: u32 = 10_000;

/// Largest object a multipart upload can build: 10,000 parts of 5 GiB.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
pub const OBJECT_BYTES_MAX: u64 = PARTS_MAX as u64 * (5 << 30);

// The chunk counter must stay below 2^38, whatever the segment.
const _: () = assert!(OBJECT_BYTES_MAX / (CHUNK_BYTES as u64) < 1 << 38);
const _: () = assert!(HEAD_BYTES == 72 && TRAILER_BYTES == 144 && SEALED_CHUNK_BYTES == 16_400);
