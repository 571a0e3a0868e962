//! The part table behind a multipart object's parts: which upload of which part belongs to it.
//!
//! Part numbers may have gaps and a part may have been uploaded more than once, so without the
//! table a part that was dropped, replayed or put elsewhere could not be recognised. It is sealed as a
//! segment of its own; behind it stands a short tail in clear, which has how long the footer is
//! and how large the object is, and which the table repeats. Padding in front of it makes the
//! stored size a function of the object's length and of the number of parts alone.
//!
//! Source: `gateway/FORMAT.md`, section "Multipart object".

mod table;

use std::ops::Range;

use crate::chunks::Keys;
use crate::chunks::OpenError;
use crate::chunks::SealError;
use crate::chunks::layout;
use crate::chunks::layout::FOOTER_TAIL_BYTES;
use crate::chunks::layout::HEAD_BYTES;
use crate::chunks::open::Opener;
use crate::chunks::seal::Sealer;
use crate::chunks::segment::FORMAT_VERSION;
use crate::chunks::segment::Kind;
use crate::chunks::segment::MAGIC;
use crate::chunks::segment::Segment;
use crate::protocol::checksum::Checksum;

/// The parts of a multipart object, in the order of their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The parts.
    pub parts: Vec<Part>,
    /// How the parts' checksums and the object's were computed, where there are any.
    pub checksum: Option<Checksum>,
}

/// One part of a multipart object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The part's segment; its kind holds the part's number.
    pub segment: Segment,
    /// MD5 of the part, where it was computed.
    pub md5: Option<[u8; 16]>,
    /// Checksum of the part, of the table's algorithm, where it was computed.
    pub checksum: Option<Vec<u8>>,
}

impl Table {
    /// Length of the object, in bytes.
    pub fn plaintext_bytes(&self) -> u64 {
        self.parts
            .iter()
            .map(|part| part.segment.plaintext_bytes)
            .sum()
    }

    /// Where each part's segment lies in the stored object, in order.
    pub fn segments(&self) -> impl Iterator<Item = (&Part, Range<u64>)> {
        self.parts.iter().scan(0, |offset, part| {
            let bytes = layout::segment_bytes(part.segment.plaintext_bytes).ok()?;
            let start = *offset;
            *offset += bytes;
            Some((part, start..*offset))
        })
    }

    /// Padding, sealed table and tail, to be stored behind the parts; sealed under the footer key
    /// ([`crate::chunks::DataKey::for_footer`]). The same table gives the same bytes each time.
    ///
    /// `backend_parts` is the number of parts the backend will list: one more than the table's
    /// where the footer becomes a part of its own.
    ///
    /// # Errors
    ///
    /// [`SealError::PartNumber`] unless the numbers are 1 to 10,000 and ascend, there is at least
    /// one part, and `backend_parts` is their count or one more; [`SealError::Record`] for a
    /// checksum of a wrong length; [`SealError::TooLarge`] above [`layout::OBJECT_BYTES_MAX`].
    pub fn seal(&self, keys: Keys<'_>, backend_parts: u32) -> Result<Vec<u8>, SealError> {
        let tail = self.tail(backend_parts)?;
        let table = self.encode(&tail)?;
        let mut sealer = Sealer::footer(keys, &table)?;

        let padding = usize::try_from(tail.padding).map_err(|_| SealError::TooLarge)?;
        let mut footer = vec![0; padding];
        footer.extend(sealer.take().into_iter().flatten());
        footer.extend(sealer.finish()?);
        footer.extend(tail.to_bytes());
        Ok(footer)
    }

    fn tail(&self, backend_parts: u32) -> Result<Tail, SealError> {
        let parts = u32::try_from(self.parts.len()).map_err(|_| SealError::PartNumber)?;
        let plaintext_bytes = self.plaintext_bytes();
        let stored = layout::stored_bytes_in_parts(plaintext_bytes, backend_parts)?;
        let segments_end = self.segments().last().map_or(0, |(_, stored)| stored.end);
        if !(parts == backend_parts || parts + 1 == backend_parts) {
            return Err(SealError::PartNumber);
        }

        let footer = layout::footer_bytes(parts).ok_or(SealError::PartNumber)?;
        let padding = stored
            .checked_sub(segments_end + footer)
            .ok_or(SealError::TooLarge)?;
        Ok(Tail {
            parts,
            backend_parts,
            plaintext_bytes,
            padding,
        })
    }
}

/// The last bytes of a multipart object, in clear.
///
/// Enough to find the object's size without any key. Not authenticated by itself: it counts only
/// once [`Tail::open`] found the same in the sealed table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    parts: u32,
    backend_parts: u32,
    plaintext_bytes: u64,
    padding: u64,
}

impl Tail {
    /// Reads the last [`FOOTER_TAIL_BYTES`] of an object of `stored_bytes`.
    ///
    /// # Errors
    ///
    /// [`OpenError::Footer`] unless this version writes such a tail behind an object of that size.
    pub fn parse(tail: &[u8; FOOTER_TAIL_BYTES], stored_bytes: u64) -> Result<Self, OpenError> {
        let (_, fields) = tail.split_first_chunk::<12>().ok_or(OpenError::Footer)?;
        let (parts, fields) = fields.split_first_chunk().ok_or(OpenError::Footer)?;
        let (backend_parts, fields) = fields.split_first_chunk().ok_or(OpenError::Footer)?;
        let (_, fields) = fields.split_first_chunk::<4>().ok_or(OpenError::Footer)?;
        let (plaintext_bytes, fields) = fields.split_first_chunk().ok_or(OpenError::Footer)?;
        let parsed = Self {
            parts: u32::from_be_bytes(*parts),
            backend_parts: u32::from_be_bytes(*backend_parts),
            plaintext_bytes: u64::from_be_bytes(*plaintext_bytes),
            padding: u64::from_be_bytes(fields.try_into().map_err(|_| OpenError::Footer)?),
        };

        // No object has no parts.
        let counts = layout::footer_bytes(parsed.parts).is_some()
            && (parsed.parts == parsed.backend_parts
                || parsed.parts.checked_add(1) == Some(parsed.backend_parts));
        let size = layout::stored_bytes_in_parts(parsed.plaintext_bytes, parsed.backend_parts);
        if parsed.to_bytes() != *tail || !counts || size != Ok(stored_bytes) {
            return Err(OpenError::Footer);
        }
        Ok(parsed)
    }

    /// Length of the object, as the tail has it.
    pub fn plaintext_bytes(&self) -> u64 {
        self.plaintext_bytes
    }

    /// Number of parts, as the tail has it.
    pub fn parts(&self) -> u32 {
        self.parts
    }

    /// Number of parts that the backend lists, as the tail has it.
    pub fn backend_parts(&self) -> u32 {
        self.backend_parts
    }

    /// Length of the padding in front of the sealed table, as the tail has it.
    pub fn padding_bytes(&self) -> u64 {
        self.padding
    }

    /// How many of the object's last bytes to read for [`Tail::open`].
    pub fn footer_bytes(&self) -> u64 {
        layout::footer_bytes(self.parts).unwrap_or(0)
    }

    /// Opens the part table by the footer key; `footer` is the object's last
    /// [`Tail::footer_bytes`], or more.
    ///
    /// # Errors
    ///
    /// [`OpenError::Footer`] if the table does not repeat the tail or is not one that this version
    /// writes; [`OpenError::Truncated`] if `footer` is too short; what an [`Opener`] finds.
    pub fn open(&self, keys: Keys<'_>, footer: &[u8]) -> Result<Table, OpenError> {
        let needed = usize::try_from(self.footer_bytes()).map_err(|_| OpenError::Footer)?;
        let start = footer
            .len()
            .checked_sub(needed)
            .ok_or(OpenError::Truncated)?;
        let (padding, footer) = footer.split_at_checked(start).ok_or(OpenError::Truncated)?;
        let (segment_bytes, tail) = footer
            .split_last_chunk::<FOOTER_TAIL_BYTES>()
            .ok_or(OpenError::Truncated)?;
        let padding_start = padding.len() as u64 - self.padding.min(padding.len() as u64);
        let padding = padding
            .iter()
            .skip(usize::try_from(padding_start).unwrap_or(usize::MAX));
        if *tail != self.to_bytes() || padding.into_iter().any(|byte| *byte != 0) {
            return Err(OpenError::Footer);
        }

        let table_bytes = layout::table_bytes(self.parts).ok_or(OpenError::Footer)?;
        let head = segment_bytes
            .first_chunk::<HEAD_BYTES>()
            .ok_or(OpenError::Truncated)?;
        let segment = Segment::from_head(head, table_bytes)?;
        if segment.kind != Kind::Footer {
            return Err(OpenError::Head);
        }
        let mut opener = Opener::segment(keys, &segment)?;
        opener.push(segment_bytes)?;
        let table = opener.take().unwrap_or_default();
        opener.finish()?;
        Table::decode(&table, self)
    }

    fn to_bytes(self) -> [u8; FOOTER_TAIL_BYTES] {
        let mut bytes = Vec::with_capacity(FOOTER_TAIL_BYTES);
        bytes.extend(MAGIC);
        bytes.extend([FORMAT_VERSION, TAIL_KIND, 0, 0]);
        bytes.extend(self.parts.to_be_bytes());
        bytes.extend(self.backend_parts.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(self.plaintext_bytes.to_be_bytes());
        bytes.extend(self.padding.to_be_bytes());
        bytes.try_into().expect("the fields add up to the tail")
    }
}

/// Follows the kinds of segments, so that no tail is taken for a head.
const TAIL_KIND: u8 = 3;

#[cfg(test)]
mod tests;
