//! Stored bytes in, plaintext out, in constant memory; no plaintext before its tag was checked.
//!
//! The opener copies each byte once, into the buffer that goes to the client, and decrypts it
//! there.

use std::ops::Range;

use bytes::Buf;
use bytes::Bytes;
use bytes::BytesMut;

use crate::chunks::DataKey;
use crate::chunks::Keys;
use crate::chunks::OpenError;
use crate::chunks::Salt;
use crate::chunks::layout;
use crate::chunks::layout::CHUNK_BYTES;
use crate::chunks::layout::HEAD_BYTES;
use crate::chunks::layout::SEALED_CHUNK_BYTES;
use crate::chunks::layout::Span;
use crate::chunks::layout::TAG_BYTES;
use crate::chunks::layout::TRAILER_BYTES;
use crate::chunks::message::MessageKeys;
use crate::chunks::outer::OuterLayer;
use crate::chunks::segment::Kind;
use crate::chunks::segment::Segment;
use crate::chunks::space;
use crate::chunks::trailer::Record;
use crate::chunks::trailer::TrailerKey;

/// Opens a whole object, one segment, or a span of chunks, from the stored bytes in order.
///
/// After an error it hands out nothing more.
pub struct Opener {
    keys: MessageKeys,
    outer: Option<OuterLayer>,
    /// Length of the segment's plaintext.
    plaintext_bytes: u64,
    /// What must still come before the chunks.
    head: Option<[u8; HEAD_BYTES]>,
    /// The chunks that are still to come.
    chunks: Range<u64>,
    trailer: Option<Trailer>,
    /// Plaintext, then the stored bytes of what is not complete yet.
    buffer: BytesMut,
    /// Memory to take at once: never more than the object can need.
    capacity: usize,
    /// How much of the buffer is plaintext, every byte of it under a tag that was right.
    opened: usize,
    /// Plaintext to drop before the first byte requested.
    skip: usize,
    /// Plaintext that is still to be handed out.
    take: u64,
    failed: Option<OpenError>,
}

/// What must stand behind the chunks of a whole object.
enum Trailer {
    /// A record under this key.
    Sealed(TrailerKey),
    /// These bytes.
    Known([u8; TRAILER_BYTES]),
}

impl Opener {
    /// Opens a whole object: all its stored bytes, trailer included.
    ///
    /// # Errors
    ///
    /// [`OpenError::Commitment`] if `key` is not the segment's; [`OpenError::Head`] if the segment
    /// is not a whole object; [`OpenError::Size`] for a length no object has.
    pub fn object<'a>(keys: impl Into<Keys<'a>>, segment: &Segment) -> Result<Self, OpenError> {
        if segment.kind != Kind::Whole {
            return Err(OpenError::Head);
        }
        let keys = keys.into();
        let mut opener = Self::segment(keys, segment)?;
        opener.trailer = Some(Trailer::Sealed(TrailerKey::derive(
            keys.data,
            &segment.salt,
        )));
        Ok(opener)
    }

    /// Opens a whole object whose sealed record was read already, from its authenticated envelope:
    /// its trailer must be the same bytes.
    ///
    /// # Errors
    ///
    /// As [`Opener::object`].
    pub fn object_with_record<'a>(
        keys: impl Into<Keys<'a>>,
        segment: &Segment,
        record: [u8; TRAILER_BYTES],
    ) -> Result<Self, OpenError> {
        if segment.kind != Kind::Whole {
            return Err(OpenError::Head);
        }
        let mut opener = Self::segment(keys, segment)?;
        opener.trailer = Some(Trailer::Known(record));
        Ok(opener)
    }

    /// Opens one segment: its head and all its chunks.
    ///
    /// # Errors
    ///
    /// [`OpenError::Commitment`] if `key` is not the segment's; [`OpenError::Size`] for a length
    /// no segment has.
    pub fn segment<'a>(keys: impl Into<Keys<'a>>, segment: &Segment) -> Result<Self, OpenError> {
        let mut opener = Self::chunks(keys.into(), segment)?;
        opener.head = Some(segment.head());
        Ok(opener)
    }

    /// Opens the chunks of a span, and hands out just the range it was made for.
    ///
    /// # Errors
    ///
    /// [`OpenError::Commitment`] if `key` is not the segment's; [`OpenError::Size`] if the span is
    /// not one of this segment.
    pub fn span<'a>(
        keys: impl Into<Keys<'a>>,
        segment: &Segment,
        span: &Span,
    ) -> Result<Self, OpenError> {
        let mut opener = Self::chunks(keys.into(), segment)?;
        let range_end = span.chunks.start * CHUNK_BYTES as u64 + span.skip as u64 + span.take;
        if span.chunks.end > opener.chunks.end || range_end > segment.plaintext_bytes {
            return Err(OpenError::Size);
        }

        if let Some(outer) = &mut opener.outer {
            outer.seek(span.chunks.start * SEALED_CHUNK_BYTES as u64);
        }
        opener.chunks = span.chunks.clone();
        opener.skip = span.skip;
        opener.take = span.take;
        Ok(opener)
    }

    /// All chunks of a segment, after the check of its commitment.
    fn chunks(keys: Keys<'_>, segment: &Segment) -> Result<Self, OpenError> {
        let mut opener = Self::message(segment.keys(keys.data)?, segment.plaintext_bytes)?;
        opener.outer = keys.outer.map(|key| OuterLayer::derive(key, &segment.salt));
        Ok(opener)
    }

    /// All chunks of a message whose keys are committed to.
    fn message(keys: MessageKeys, plaintext_bytes: u64) -> Result<Self, OpenError> {
        let stored = layout::segment_bytes(plaintext_bytes).map_err(|_| OpenError::Size)?;
        Ok(Self {
            keys,
            outer: None,
            plaintext_bytes,
            head: None,
            chunks: 0..layout::chunk_count(plaintext_bytes),
            trailer: None,
            buffer: BytesMut::new(),
            capacity: usize::try_from(stored + TRAILER_BYTES as u64)
                .map_or(BUFFER_BYTES, |stored| stored.min(BUFFER_BYTES)),
            opened: 0,
            skip: 0,
            take: plaintext_bytes,
            failed: None,
        })
    }

    /// Opens the next stored bytes; [`Opener::take`] hands out what was opened.
    ///
    /// # Errors
    ///
    /// [`OpenError::Chunk`], [`OpenError::OtherSegment`] or [`OpenError::TrailingData`], at once
    /// and at every later call. The answer to the client must then be aborted, not ended.
    pub fn push(&mut self, stored: &[u8]) -> Result<(), OpenError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.advance(stored).inspect_err(|error| {
            self.failed = Some(*error);
            self.buffer.clear();
            self.opened = 0;
        })
    }

    fn advance(&mut self, mut stored: &[u8]) -> Result<(), OpenError> {
        space::make(&mut self.buffer, stored.len(), self.capacity);
        while !stored.is_empty() {
            let missing = self.unit() - (self.buffer.len() - self.opened);
            if missing == 0 {
                return Err(OpenError::TrailingData);
            }
            let (now, later) = stored.split_at(missing.min(stored.len()));
            self.buffer.extend_from_slice(now);
            if now.len() == missing {
                self.open_unit()?;
            }
            stored = later;
        }
        Ok(())
    }

    /// Length of what comes next: the head, a chunk, or the trailer. Nothing comes after that.
    fn unit(&self) -> usize {
        let last = self.plaintext_bytes / CHUNK_BYTES as u64;
        if self.head.is_some() {
            HEAD_BYTES
        } else if self.chunks.is_empty() {
            if self.trailer.is_some() {
                TRAILER_BYTES
            } else {
                0
            }
        } else if self.chunks.start < last {
            SEALED_CHUNK_BYTES
        } else {
            let rest = self.plaintext_bytes % CHUNK_BYTES as u64;
            usize::try_from(rest).map_or(0, |rest| rest + TAG_BYTES)
        }
    }

    /// Takes in what is complete at the end of the buffer.
    fn open_unit(&mut self) -> Result<(), OpenError> {
        let unit = self.buffer.get_mut(self.opened..).unwrap_or_default();
        if let Some(head) = self.head.take() {
            if head != *unit {
                return Err(OpenError::OtherSegment);
            }
            self.buffer.truncate(self.opened);
        } else if let Some(index) = self.chunks.next() {
            if let Some(outer) = &mut self.outer {
                outer.apply(unit);
            }
            self.keys.open_chunk(index, unit)?;
            self.buffer.truncate(self.buffer.len() - TAG_BYTES);
            self.keep_range();
        }
        // A trailer stays in the buffer, behind the plaintext, until the end.
        Ok(())
    }

    /// Cuts the chunk that was just opened down to what was requested.
    fn keep_range(&mut self) {
        // Only the first chunk has something to skip, and then nothing was opened before it.
        self.buffer.advance(std::mem::take(&mut self.skip));
        let plaintext = (self.buffer.len() - self.opened) as u64;
        let within = plaintext.min(self.take);
        self.take -= within;
        self.buffer
            .truncate(self.buffer.len() - usize::try_from(plaintext - within).unwrap_or(0));
        self.opened = self.buffer.len();
    }

    /// The plaintext that is ready, if any.
    pub fn take(&mut self) -> Option<Bytes> {
        if self.opened == 0 {
            return None;
        }
        let ready = self.buffer.split_to(self.opened);
        self.opened = 0;
        Some(ready.freeze())
    }

    /// How many bytes [`Opener::take`] would hand out.
    pub fn ready(&self) -> usize {
        self.opened
    }

    /// Checks that everything came; for a whole object, opens its trailer, unless its record was read before.
    ///
    /// Plaintext not taken before is lost: call [`Opener::take`] first.
    ///
    /// # Errors
    ///
    /// [`OpenError::Truncated`] if stored bytes are missing; [`OpenError::Record`] if the trailer
    /// does not open; the error of an earlier [`Opener::push`].
    pub fn finish(self) -> Result<Option<Record>, OpenError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.head.is_some() || !self.chunks.is_empty() {
            return Err(OpenError::Truncated);
        }
        let Some(trailer) = self.trailer else {
            return Ok(None);
        };

        let sealed = self.buffer.get(self.opened..).unwrap_or_default();
        let sealed: [u8; TRAILER_BYTES] = sealed.try_into().map_err(|_| OpenError::Truncated)?;
        match trailer {
            Trailer::Known(record) if record == sealed => Ok(None),
            Trailer::Known(_) => Err(OpenError::Record),
            Trailer::Sealed(key) => {
                let record = key.open(sealed)?;
                if record.plaintext_bytes != self.plaintext_bytes {
                    return Err(OpenError::Record);
                }
                Ok(Some(record))
            }
        }
    }
}

/// Opens a C2SP chunked-encryption message (AES-256-GCM, SHA-512) as the specification has it:
/// salt, commitment and chunks, with any context, and without a header of ours.
///
/// For the specification's own test vectors; what is stored goes through [`Opener`], which this
/// uses.
///
/// # Errors
///
/// [`OpenError`], as for a segment.
pub fn message(key: &DataKey, context: &[u8], message: &[u8]) -> Result<Vec<u8>, OpenError> {
    let (salt, rest) = message.split_first_chunk().ok_or(OpenError::Truncated)?;
    let (commitment, chunks) = rest.split_first_chunk().ok_or(OpenError::Truncated)?;
    let keys = MessageKeys::derive(key, &Salt(*salt), context).committed(commitment)?;
    let plaintext_bytes = layout::segment_plaintext_bytes((HEAD_BYTES + chunks.len()) as u64);

    let mut opener = Opener::message(keys, plaintext_bytes.ok_or(OpenError::Size)?)?;
    opener.push(chunks)?;
    let plaintext = opener.take().unwrap_or_default().to_vec();
    opener.finish()?;
    Ok(plaintext)
}

/// Memory for what usually comes at once.
const BUFFER_BYTES: usize = 4 * SEALED_CHUNK_BYTES;
