//! Which bytes of an object a read is about.

use std::ops::Range;

use crate::chunks::footer::Table;
use crate::chunks::layout;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::range::ByteRange;

/// The bytes that a read selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// All of them.
    Whole,
    /// A range, and the header that it was read from, for the error.
    Range(ByteRange, String),
    /// One part, counted from 1 as the parts lie in the object. A whole object is its own part 1.
    Part(u32),
}

impl Selection {
    /// Whether it is a byte range.
    pub(crate) fn is_range(&self) -> bool {
        matches!(self, Self::Range(..))
    }

    /// The selected bytes of an object of this size; `table` is needed only for a part of an object in parts.
    ///
    /// # Errors
    ///
    /// `InvalidRange` for a range behind the end; `InvalidPartNumber` for a part that the object does
    /// not have.
    pub(crate) fn resolve(
        &self,
        plaintext_bytes: u64,
        table: Option<&Table>,
    ) -> Result<Range<u64>, S3Error> {
        match self {
            Self::Whole => Ok(0..plaintext_bytes),
            Self::Range(range, header) => match range.resolve(plaintext_bytes) {
                Some(span) => Ok(span.first..span.last + 1),
                None => Err(S3Error::new(S3Code::InvalidRange)
                    .detail("RangeRequested", header)
                    .detail("ActualObjectSize", plaintext_bytes.to_string())),
            },
            Self::Part(1) if table.is_none() => Ok(0..plaintext_bytes),
            Self::Part(number) => table.and_then(|table| part(table, *number)).ok_or_else(|| {
                let count = table.map_or(1, |table| table.parts.len());
                S3Error::new(S3Code::InvalidPartNumber)
                    .detail("PartNumberRequested", number.to_string())
                    .detail("ActualPartCount", count.to_string())
            }),
        }
    }

    /// The `Range` header for the backend, before the object's size and layout were read: right for a whole
    /// object, and a good guess for one in parts.
    ///
    /// Where a chunk lies does not depend on the object's size. The end of an object is read with one
    /// chunk to spare.
    pub(crate) fn backend_range(&self) -> Option<String> {
        const HEAD: u64 = layout::HEAD_BYTES as u64;
        const CHUNK: u64 = layout::CHUNK_BYTES as u64;
        const SEALED: u64 = layout::SEALED_CHUNK_BYTES as u64;
        // Positions that no object has, such as the 2^63 - 2 of Java's SDK 1, must not reach a backend: some refuse
        // what does not fit 64 bits with a sign.
        let start_of = |position: u64| HEAD + (position.min(BEYOND) / CHUNK) * SEALED;
        match self {
            Self::Whole | Self::Part(1) => None,
            Self::Part(_) => Some("bytes=0-0".to_owned()),
            Self::Range(ByteRange::Between { first, last }, _) if *last < BEYOND => {
                let last = start_of(*last) + SEALED - 1;
                Some(format!("bytes={}-{last}", start_of(*first)))
            }
            Self::Range(ByteRange::From { first } | ByteRange::Between { first, .. }, _) => {
                Some(format!("bytes={}-", start_of(*first)))
            }
            Self::Range(ByteRange::Suffix { count }, _) => {
                // Any `count` bytes lie in at most this many chunks.
                let chunks = count.min(&BEYOND) / CHUNK + 2;
                let suffix = chunks * SEALED + layout::TRAILER_BYTES as u64;
                Some(format!("bytes=-{suffix}"))
            }
        }
    }
}

/// A position behind the end of every object: an exbibyte.
const BEYOND: u64 = 1 << 60;

/// Where the part of this place lies in the plaintext.
fn part(table: &Table, place: u32) -> Option<Range<u64>> {
    let place = usize::try_from(place).ok()?.checked_sub(1)?;
    let bytes = table.parts.get(place)?.segment.plaintext_bytes;
    let before = table.parts.iter().take(place);
    let start = before.map(|part| part.segment.plaintext_bytes).sum();
    Some(start..start + bytes)
}
