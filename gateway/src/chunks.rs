//! The sealed form of an object: pure code, no input or output, no clock.
//!
//! What follows is the format itself, as `gateway/FORMAT.md` states it; the code is held to it by
//! tests. Sizes and offsets are in bytes, chunk indexes count from 0.
#![doc = ""]
#![doc = include_str!("../FORMAT.md")]

pub mod footer;
pub mod layout;
pub mod open;
pub mod random;
pub mod seal;
pub mod segment;
pub mod trailer;

pub(crate) mod cipher;
mod message;
mod outer;
mod room;

use crate::chunks::cipher::DerivationKey;
use crate::chunks::random::Random;
use zeroize::Zeroizing;

/// The key of exactly one object.
///
/// Neither `Clone` nor `Debug`: it is derived from or wrapped, never shown. Every segment of the
/// object is sealed under keys derived from it and from a salt of the segment's own.
pub struct DataKey(DerivationKey);

impl DataKey {
    /// A new key from the random source.
    pub fn generate(random: &dyn Random) -> Self {
        let mut key = DerivationKey::zero();
        random.fill(key.fill());
        Self(key)
    }

    /// The key a key service handed out.
    ///
    /// # Errors
    ///
    /// [`KeyLength`] unless there are exactly [`KEY_BYTES`].
    pub fn from_slice(bytes: &[u8]) -> Result<Self, KeyLength> {
        let mut key = DerivationKey::zero();
        if bytes.len() != KEY_BYTES {
            return Err(KeyLength);
        }
        key.fill().copy_from_slice(bytes);
        Ok(Self(key))
    }

    /// The key that the object's part table is sealed under.
    ///
    /// It opens no part. Under SSE-C, whoever completes an upload need not send the customer's key
    /// again, so this key is all that the gateway keeps while the upload lasts.
    #[must_use]
    pub fn for_footer(&self) -> Self {
        let mut key = DerivationKey::zero();
        let derived = self.expand::<KEY_BYTES>(&[FOOTER_LABEL]);
        key.fill().copy_from_slice(derived.as_slice());
        Self(key)
    }

    /// `N` bytes derived from the key for one use, which `info` names: see [`DerivationKey::expand`].
    pub(crate) fn expand<const N: usize>(&self, info: &[&[u8]]) -> Zeroizing<[u8; N]> {
        self.0.expand(info)
    }

    /// The key itself, for the rooms that derive from it or wrap it.
    pub(crate) fn expose(&self) -> &[u8; KEY_BYTES] {
        self.0.expose()
    }
}

/// The keys of an object: its data key, and under DSSE-KMS the outer layer's.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    /// The data key.
    pub data: &'a DataKey,
    /// The data key of the outer layer.
    pub outer: Option<&'a DataKey>,
}

impl<'a> From<&'a DataKey> for Keys<'a> {
    fn from(data: &'a DataKey) -> Self {
        Self { data, outer: None }
    }
}

/// The random value that makes the keys of one attempt to write a segment its own.
///
/// Not a secret: it is stored in clear in front of the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salt(pub(crate) [u8; SALT_BYTES]);

impl Salt {
    pub(crate) fn generate(random: &dyn Random) -> Self {
        let mut salt = [0; SALT_BYTES];
        random.fill(&mut salt);
        Self(salt)
    }

    /// The salt's bytes as they are stored.
    pub fn as_bytes(&self) -> &[u8; SALT_BYTES] {
        &self.0
    }
}

/// A key of another length than AES-256 takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a data key has {KEY_BYTES} bytes")]
pub struct KeyLength;

/// Why a stored object, or a piece of it, did not open.
///
/// A client hears one answer for all of these: which of them it was would tell an attacker how far
/// a forgery came. The variants are for the log and the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The head is not one this version writes: its magic, version, kind, reserved bytes or part
    /// number.
    #[error("the head of the segment is not known")]
    Head,
    /// The head in front of the chunks is not the one the envelope or the part table names.
    #[error("the head of the segment is another segment's")]
    OtherSegment,
    /// The key does not belong to the segment, or its salt, kind, part number or length changed.
    #[error("the key commitment does not match")]
    Commitment,
    /// A chunk's tag did not match: the chunk was changed, moved, or is another segment's.
    #[error("chunk {index} failed authentication")]
    Chunk {
        /// Position of the chunk in its segment.
        index: u64,
    },
    /// The stored bytes end early.
    #[error("the stored bytes end early")]
    Truncated,
    /// There are more stored bytes than the segment has.
    #[error("bytes follow the end of the sealed object")]
    TrailingData,
    /// No sealed object of this layout has this stored size.
    #[error("no sealed object has this size")]
    Size,
    /// The trailer's tag did not match, or its content is not what this version writes.
    #[error("the sealed record does not open")]
    Record,
    /// The footer or its tail is not one this version writes, or not the one of this object.
    #[error("the footer does not open")]
    Footer,
}

/// Why an object could not be sealed: the caller's bytes are not what it announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// More plaintext than any object can have.
    #[error("an object has at most {} bytes", layout::OBJECT_BYTES_MAX)]
    TooLarge,
    /// More plaintext came than was announced.
    #[error("more bytes than announced")]
    LengthExceeded,
    /// Less plaintext came than was announced.
    #[error("fewer bytes than announced")]
    LengthShort,
    /// A part number outside 1 to 10,000, or parts out of order.
    #[error("not a part number")]
    PartNumber,
    /// The record was sealed twice, not at all, for another length, or holds a checksum too long.
    #[error("not the record of this object")]
    Record,
}

/// Names the use of a data key as the footer's; the zero byte ends the name.
const FOOTER_LABEL: &[u8] = b"sealgate/footer@v1\0";

/// Length of a data key (AES-256), in bytes.
pub const KEY_BYTES: usize = 32;

/// Length of a salt, in bytes.
pub const SALT_BYTES: usize = 24;

#[cfg(test)]
mod tests;
