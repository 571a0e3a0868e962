//! Why an object was not sealed or did not open.

/// Why a stored object, or a piece of it, did not open.
///
/// A client gets one answer for all of these: which of them it was would show an attacker how far
/// a forgery came. The variants are for the log and the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The head is not one this version writes: its magic, version, kind, reserved bytes or part
    /// number.
    #[error("the head of the segment is not one of this version")]
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
    #[error("more bytes than any object can have")]
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
