//! Plaintext in, sealed bytes out, in constant memory.
//!
//! The sealer copies each byte once, into the buffer that goes to the backend, and encrypts it
//! there.

use bytes::Bytes;
use bytes::BytesMut;

use crate::chunks::Keys;
use crate::chunks::Salt;
use crate::chunks::SealError;
use crate::chunks::layout;
use crate::chunks::layout::CHUNK_BYTES;
use crate::chunks::layout::HEAD_BYTES;
use crate::chunks::layout::SEALED_CHUNK_BYTES;
use crate::chunks::layout::TRAILER_BYTES;
use crate::chunks::message::MessageKeys;
use crate::chunks::outer::OuterLayer;
use crate::chunks::random::Random;
use crate::chunks::segment;
use crate::chunks::segment::Kind;
use crate::chunks::segment::Segment;
use crate::chunks::space;
use crate::chunks::trailer::Record;
use crate::chunks::trailer::TrailerKey;

/// Seals one segment, and a whole object's trailer behind it.
///
/// Draws the segment's salt itself, so that no two segments can share one. Only a footer's salt is
/// derived, from all that it seals: [`Sealer::footer`].
pub struct Sealer {
    segment: Segment,
    keys: MessageKeys,
    outer: Option<OuterLayer>,
    record: RecordState,
    /// Sealed bytes, then the plaintext of the chunk that is not full yet.
    buffer: BytesMut,
    /// How much of the buffer is sealed.
    sealed: usize,
    next_chunk: u64,
    plaintext_left: u64,
}

enum RecordState {
    Unsealed(TrailerKey),
    Sealed([u8; TRAILER_BYTES]),
    None,
}

impl Sealer {
    /// Begins a segment of exactly `plaintext_bytes`.
    ///
    /// # Errors
    ///
    /// [`SealError::TooLarge`] above [`layout::OBJECT_BYTES_MAX`]; [`SealError::PartNumber`] for a
    /// part number outside 1 to 10,000.
    pub fn new<'a>(
        keys: impl Into<Keys<'a>>,
        kind: Kind,
        plaintext_bytes: u64,
        random: &dyn Random,
    ) -> Result<Self, SealError> {
        let salt = Salt::generate(random);
        Self::with_salt(keys.into(), kind, plaintext_bytes, salt)
    }

    /// Begins the segment of this part table. Its salt is derived from the table and the footer key: two
    /// gateways that complete an upload by the same table send the same bytes, and another table has
    /// keys of its own.
    ///
    /// # Errors
    ///
    /// [`SealError::TooLarge`] for a table that is longer than an object.
    pub(crate) fn footer(keys: Keys<'_>, table: &[u8]) -> Result<Self, SealError> {
        let salt = keys.data.footer_salt(table);
        let mut sealer = Self::with_salt(keys, Kind::Footer, table.len() as u64, salt)?;
        sealer.push(table)?;
        Ok(sealer)
    }

    fn with_salt(
        keys: Keys<'_>,
        kind: Kind,
        plaintext_bytes: u64,
        salt: Salt,
    ) -> Result<Self, SealError> {
        let segment_bytes = layout::segment_bytes(plaintext_bytes)?;
        if matches!(kind, Kind::Part(number) if !(1..=layout::PARTS_MAX).contains(&number)) {
            return Err(SealError::PartNumber);
        }

        let Keys { data: key, outer } = keys;
        let keys = MessageKeys::derive(key, &salt, &segment::context(kind, plaintext_bytes));
        let segment = Segment {
            kind,
            salt,
            commitment: keys.commitment(),
            plaintext_bytes,
        };
        let record = match kind {
            Kind::Whole => RecordState::Unsealed(TrailerKey::derive(key, &salt)),
            Kind::Part(_) | Kind::Footer => RecordState::None,
        };

        let capacity = usize::try_from(segment_bytes)
            .unwrap_or(BUFFER_BYTES)
            .min(BUFFER_BYTES);
        let mut buffer = BytesMut::with_capacity(capacity + TRAILER_BYTES);
        buffer.extend_from_slice(&segment.head());
        Ok(Self {
            segment,
            keys,
            outer: outer.map(|key| OuterLayer::derive(key, &salt)),
            record,
            buffer,
            sealed: HEAD_BYTES,
            next_chunk: 0,
            plaintext_left: plaintext_bytes,
        })
    }

    /// What the envelope, or the part table, has to say of this segment.
    pub fn segment(&self) -> &Segment {
        &self.segment
    }

    /// Seals the next plaintext; [`Sealer::take`] hands out what is full.
    ///
    /// # Errors
    ///
    /// [`SealError::LengthExceeded`] if more comes than was announced; none of it is sealed.
    pub fn push(&mut self, mut plaintext: &[u8]) -> Result<(), SealError> {
        self.plaintext_left = self
            .plaintext_left
            .checked_sub(plaintext.len() as u64)
            .ok_or(SealError::LengthExceeded)?;

        let chunks = plaintext.len() / CHUNK_BYTES + 1;
        let needed = plaintext.len() + (chunks + 1) * layout::TAG_BYTES;
        space::make(&mut self.buffer, needed, BUFFER_BYTES);
        while !plaintext.is_empty() {
            let missing = CHUNK_BYTES - (self.buffer.len() - self.sealed);
            let (now, later) = plaintext.split_at(missing.min(plaintext.len()));
            self.buffer.extend_from_slice(now);
            if now.len() == missing {
                self.seal_chunk();
            }
            plaintext = later;
        }
        Ok(())
    }

    /// The bytes for the backend that are ready, if any.
    pub fn take(&mut self) -> Option<Bytes> {
        if self.sealed == 0 {
            return None;
        }
        let ready = self.buffer.split_to(self.sealed);
        self.sealed = 0;
        Some(ready.freeze())
    }

    /// How many bytes [`Sealer::take`] would hand out.
    pub fn ready(&self) -> usize {
        self.sealed
    }

    /// Seals the record of a whole object, once. It goes behind the segment, and may also stand in
    /// the envelope where the body was read before the envelope is written.
    ///
    /// # Errors
    ///
    /// [`SealError::Record`] if this is no whole object, the record was sealed before, states
    /// another length, or holds a checksum of a wrong length.
    pub fn seal_record(&mut self, record: &Record) -> Result<[u8; TRAILER_BYTES], SealError> {
        if record.plaintext_bytes != self.segment.plaintext_bytes {
            return Err(SealError::Record);
        }
        let RecordState::Unsealed(key) = std::mem::replace(&mut self.record, RecordState::None)
        else {
            return Err(SealError::Record);
        };

        let sealed = key.seal(record)?;
        self.record = RecordState::Sealed(sealed);
        Ok(sealed)
    }

    /// The rest: the last chunk, and behind a whole object its trailer.
    ///
    /// Until now the backend has no last chunk, so nothing that was sent before can stand for an
    /// object: call this only when everything the client claimed of the body was verified.
    ///
    /// # Errors
    ///
    /// [`SealError::LengthShort`] if plaintext is missing; [`SealError::Record`] if a whole
    /// object's record was not sealed.
    pub fn finish(mut self) -> Result<Bytes, SealError> {
        if self.plaintext_left > 0 {
            return Err(SealError::LengthShort);
        }

        self.seal_chunk();
        match (self.segment.kind, self.record) {
            (Kind::Whole, RecordState::Sealed(trailer)) => self.buffer.extend_from_slice(&trailer),
            (Kind::Whole, _) => return Err(SealError::Record),
            (Kind::Part(_) | Kind::Footer, _) => {}
        }
        Ok(self.buffer.freeze())
    }

    fn seal_chunk(&mut self) {
        let chunk = self.buffer.get_mut(self.sealed..).unwrap_or_default();
        let tag = self.keys.seal_chunk(self.next_chunk, chunk);
        self.buffer.extend_from_slice(&tag);
        if let Some(outer) = &mut self.outer {
            outer.apply(self.buffer.get_mut(self.sealed..).unwrap_or_default());
        }
        self.sealed = self.buffer.len();
        self.next_chunk += 1;
    }
}

/// Memory for what a caller collects before it sends it on, eight chunks or so, and for the piece
/// that comes on top.
const BUFFER_BYTES: usize = 12 * SEALED_CHUNK_BYTES;
