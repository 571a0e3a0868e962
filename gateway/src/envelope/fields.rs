//! The content of an envelope.

use crate::chunks::layout::TRAILER_BYTES;
use crate::chunks::segment::Segment;
use crate::envelope::protection::Protection;

/// The content of an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// How the object's body is laid out.
    pub layout: Layout,
    /// How the object is encrypted and where its data key is.
    pub protection: Protection,
    /// The sealed record, the same bytes as in the trailer, where the body was read before the
    /// envelope was written. Saves a reader the request for the trailer.
    pub record: Option<[u8; TRAILER_BYTES]>,
}

/// How the body of a sealed object is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One segment and a trailer.
    Whole(Segment),
    /// The parts' segments and a footer with their places.
    Parts,
}

/// Length of the digest that names the object.
pub(crate) const NAME_BYTES: usize = 16;
