//! What identifies one segment: its kind, its salt, its length and the commitment to its key.
//!
//! None of it is secret. Its head stands in front of the segment's chunks; the envelope or the
//! part table repeats what a range read needs, so that it need not fetch the head.

use crate::chunks::DataKey;
use crate::chunks::OpenError;
use crate::chunks::SALT_BYTES;
use crate::chunks::Salt;
use crate::chunks::layout::COMMITMENT_BYTES;
use crate::chunks::layout::HEAD_BYTES;
use crate::chunks::layout::HEADER_BYTES;
use crate::chunks::layout::PARTS_MAX;
use crate::chunks::message::MessageKeys;

/// One sealed segment, as the head and the length of its plaintext describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// What the segment holds.
    pub kind: Kind,
    /// The segment's own random value.
    pub salt: Salt,
    /// Commits the segment to its key, kind, salt and length.
    pub commitment: [u8; COMMITMENT_BYTES],
    /// Length of its plaintext, in bytes.
    pub plaintext_bytes: u64,
}

/// What a segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole object.
    Whole,
    /// The part of a multipart object with this number, 1 to 10,000.
    Part(u32),
    /// The part table of a multipart object.
    Footer,
}

impl Segment {
    /// The bytes in front of the segment's chunks.
    pub fn head(&self) -> [u8; HEAD_BYTES] {
        let mut head = [0; HEAD_BYTES];
        let (header, rest) = head.split_at_mut(HEADER_BYTES);
        let (salt, commitment) = rest.split_at_mut(SALT_BYTES);
        header.copy_from_slice(&self.kind.header());
        salt.copy_from_slice(self.salt.as_bytes());
        commitment.copy_from_slice(&self.commitment);
        head
    }

    /// The segment whose head this is; its length follows from its stored size.
    ///
    /// # Errors
    ///
    /// [`OpenError::Head`] if this version does not write such a head.
    pub fn from_head(head: &[u8; HEAD_BYTES], plaintext_bytes: u64) -> Result<Self, OpenError> {
        let (header, rest) = head.split_first_chunk().ok_or(OpenError::Head)?;
        let (salt, commitment) = rest.split_first_chunk().ok_or(OpenError::Head)?;
        Ok(Self {
            kind: Kind::from_header(header)?,
            salt: Salt(*salt),
            commitment: commitment.try_into().map_err(|_| OpenError::Head)?,
            plaintext_bytes,
        })
    }

    /// Checks that this is the data key which the segment is sealed under, without opening it.
    ///
    /// # Errors
    ///
    /// [`OpenError::Commitment`] if it is not, or the segment's salt, kind or length were changed.
    pub fn check(&self, key: &DataKey) -> Result<(), OpenError> {
        self.keys(key).map(drop)
    }

    /// The segment's keys, after its commitment was checked against them.
    pub(crate) fn keys(&self, key: &DataKey) -> Result<MessageKeys, OpenError> {
        let context = context(self.kind, self.plaintext_bytes);
        MessageKeys::derive(key, &self.salt, &context).committed(&self.commitment)
    }
}

impl Kind {
    fn header(self) -> [u8; HEADER_BYTES] {
        let (kind, part_number) = match self {
            Self::Whole => (0, 0),
            Self::Part(number) => (1, number),
            Self::Footer => (2, 0),
        };
        let mut header = [0; HEADER_BYTES];
        let (magic, rest) = header.split_at_mut(MAGIC.len());
        let (version_and_kind, number) = rest.split_at_mut(4);
        magic.copy_from_slice(MAGIC);
        version_and_kind.copy_from_slice(&[FORMAT_VERSION, kind, 0, 0]);
        number.copy_from_slice(&part_number.to_be_bytes());
        header
    }

    /// Strict: what [`Kind::header`] does not write is refused.
    fn from_header(header: &[u8; HEADER_BYTES]) -> Result<Self, OpenError> {
        let (_, number) = header.split_last_chunk::<4>().ok_or(OpenError::Head)?;
        let number = u32::from_be_bytes(*number);
        let kind = match header.get(MAGIC.len() + 1) {
            Some(0) => Self::Whole,
            Some(1) if (1..=PARTS_MAX).contains(&number) => Self::Part(number),
            Some(2) => Self::Footer,
            _ => return Err(OpenError::Head),
        };
        if kind.header() == *header {
            Ok(kind)
        } else {
            Err(OpenError::Head)
        }
    }
}

/// What the keys of a segment are bound to besides its salt: its header and its length.
pub(crate) fn context(kind: Kind, plaintext_bytes: u64) -> [u8; HEADER_BYTES + 8] {
    let mut context = [0; HEADER_BYTES + 8];
    let (header, length) = context.split_at_mut(HEADER_BYTES);
    header.copy_from_slice(&kind.header());
    length.copy_from_slice(&plaintext_bytes.to_be_bytes());
    context
}

/// First bytes of every segment.
pub const MAGIC: &[u8; 8] = b"sealgate";

/// The version of the format that this code writes, and the only one it reads.
pub const FORMAT_VERSION: u8 = 1;
