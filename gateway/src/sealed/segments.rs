//! Which stored bytes a range of an object's plaintext lies in, and how each of them is opened.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Buf as _;
use bytes::Bytes;

use crate::chunks::Keys;
use crate::chunks::OpenError;
use crate::chunks::footer::Table;
use crate::chunks::layout;
use crate::chunks::open::Opener;
use crate::chunks::segment::Kind;

/// What to do with the stored bytes, segment by segment.
pub(crate) struct Plan {
    /// The stored bytes that it takes.
    pub(crate) stored: Range<u64>,
    pub(crate) steps: VecDeque<Step>,
}

/// One segment, or a span of one.
pub(crate) struct Step {
    /// Stored bytes in front that hold nothing: the empty last chunk of the part before.
    pub(crate) skip: u64,
    /// What must follow: the head, where only a span behind it is opened.
    head: Bytes,
    pub(crate) opener: Opener,
    /// Stored bytes that the opener has still to get.
    left: u64,
}

/// The sealed record in the envelope of a whole object.
type SealedRecord = [u8; layout::TRAILER_BYTES];

impl Plan {
    /// How to read `range` of an object's plaintext. `record` is the one in its envelope, if there is one;
    /// `at_hand` are the stored bytes that are being sent already.
    ///
    /// # Errors
    ///
    /// [`OpenError`] for a key that is not the object's, or a range that it does not have.
    pub(crate) fn new(
        keys: Keys<'_>,
        table: &Table,
        record: Option<SealedRecord>,
        range: &Range<u64>,
        at_hand: Option<&Range<u64>>,
    ) -> Result<Self, OpenError> {
        let mut plan = Self {
            stored: 0..0,
            steps: VecDeque::with_capacity(1),
        };
        let all = *range == (0..table.plaintext_bytes());
        let mut part_end = 0;
        for (part, stored) in table.segments() {
            let part_start = part_end;
            part_end += part.segment.plaintext_bytes;
            if part.segment.kind == Kind::Whole {
                let whole = 0..stored.end + layout::TRAILER_BYTES as u64;
                if all && at_hand.is_none_or(|at_hand| *at_hand == whole) {
                    let opener = match record {
                        Some(record) => Opener::object_with_record(keys, &part.segment, record)?,
                        None => Opener::object(keys, &part.segment)?,
                    };
                    plan.push(Bytes::new(), opener, whole);
                    continue;
                }
            } else {
                let within = range.start <= part_start && part_end <= range.end;
                // A part of no bytes belongs to what lies around it.
                let begun = !plan.steps.is_empty() && part_start < range.end;
                if all || (within && (part_start < part_end || begun)) {
                    let opener = Opener::segment(keys, &part.segment)?;
                    plan.push(Bytes::new(), opener, stored);
                    continue;
                }
            }
            let from = range.start.max(part_start);
            let to = range.end.min(part_end);
            if from >= to {
                continue;
            }
            let selected = from - part_start..to - part_start;
            let span =
                layout::span(part.segment.plaintext_bytes, selected).ok_or(OpenError::Size)?;
            let head = match plan.steps.is_empty() {
                true => Bytes::new(),
                false => Bytes::copy_from_slice(&part.segment.head()),
            };
            let opener = Opener::span(keys, &part.segment, &span)?;
            let first = stored.start + span.stored.start - head.len() as u64;
            plan.push(head, opener, first..stored.start + span.stored.end);
        }
        Ok(plan)
    }

    fn push(&mut self, head: Bytes, opener: Opener, stored: Range<u64>) {
        if self.steps.is_empty() {
            self.stored = stored.start..stored.start;
        }
        self.steps.push_back(Step {
            skip: stored.start.saturating_sub(self.stored.end),
            left: (stored.end - stored.start).saturating_sub(head.len() as u64),
            head,
            opener,
        });
        self.stored.end = stored.end;
    }
}

impl Step {
    /// Whether all its stored bytes came.
    pub(crate) fn is_complete(&self) -> bool {
        self.left == 0 && self.head.is_empty()
    }

    /// Takes in what belongs to it of the stored bytes that came.
    ///
    /// # Errors
    ///
    /// [`OpenError`] for bytes that are not the ones of its segment.
    pub(crate) fn take_in(&mut self, came: &mut Bytes) -> Result<(), OpenError> {
        let limit = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let skipped = came.len().min(limit(self.skip));
        came.advance(skipped);
        self.skip -= skipped as u64;

        let head = came.split_to(came.len().min(self.head.len()));
        if !self.head.starts_with(&head) {
            return Err(OpenError::OtherSegment);
        }
        self.head.advance(head.len());

        let taken = came.split_to(came.len().min(limit(self.left)));
        self.left -= taken.len() as u64;
        self.opener.push(&taken)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::chunks::DataKey;
    use crate::chunks::footer::Part;
    use crate::chunks::layout::CHUNK_BYTES;
    use crate::chunks::random::SystemRandom;
    use crate::chunks::seal::Sealer;
    use crate::chunks::trailer::Record;

    /// An object in parts of these lengths: its table, its stored bytes without the footer, and its
    /// plaintext.
    pub(crate) fn sealed(key: &DataKey, lengths: &[usize]) -> (Table, Vec<u8>, Vec<u8>) {
        let (mut parts, mut stored, mut plaintext) = (Vec::new(), Vec::new(), Vec::new());
        for (number, length) in (1..).zip(lengths) {
            let (part, bytes, content) = segment(key, Kind::Part(number), *length);
            parts.push(part);
            stored.extend(bytes);
            plaintext.extend(content);
        }
        let checksum = None;
        (Table { parts, checksum }, stored, plaintext)
    }

    /// One segment, and behind a whole object its trailer.
    fn segment(key: &DataKey, kind: Kind, length: usize) -> (Part, Vec<u8>, Vec<u8>) {
        let byte = |at: usize| u8::try_from((at + length) % 251).unwrap();
        let plaintext: Vec<u8> = (0..length).map(byte).collect();
        let bytes = length as u64;
        let mut sealer = Sealer::new(key, kind, bytes, &SystemRandom).unwrap();
        sealer.push(&plaintext).unwrap();
        if kind == Kind::Whole {
            let record = Record {
                plaintext_bytes: bytes,
                md5: None,
                checksum: None,
            };
            sealer.seal_record(&record).unwrap();
        }
        let part = Part {
            segment: sealer.segment().clone(),
            md5: None,
            checksum: None,
        };
        let mut stored: Vec<u8> = sealer.take().into_iter().flatten().collect();
        stored.extend(sealer.finish().unwrap());
        (part, stored, plaintext)
    }

    /// What a plan opens of the stored bytes, which come in pieces.
    fn read(plan: Plan, stored: &[u8]) -> Result<Vec<u8>, OpenError> {
        let place = |at: u64| usize::try_from(at).unwrap();
        let stored = &stored[place(plan.stored.start)..place(plan.stored.end)];
        let mut steps = plan.steps;
        let mut opened = Vec::new();
        for piece in stored.chunks(1_000) {
            let mut came = Bytes::copy_from_slice(piece);
            while !came.is_empty() {
                let step = steps.front_mut().unwrap();
                step.take_in(&mut came)?;
                opened.extend(step.opener.take().into_iter().flatten());
                if step.is_complete() {
                    steps.pop_front().unwrap().opener.finish()?;
                }
            }
        }
        assert!(steps.is_empty(), "the plan takes more than it requests");
        Ok(opened)
    }

    #[test]
    fn every_range_of_an_object_in_parts_opens_to_its_plaintext() {
        let key = DataKey::generate(&SystemRandom);
        let (table, stored, plaintext) = sealed(&key, &LENGTHS);
        let ends = [
            0,
            1,
            CHUNK_BYTES - 1,
            CHUNK_BYTES,
            CHUNK_BYTES + 1,
            2 * CHUNK_BYTES,
            2 * CHUNK_BYTES + 3,
            2 * CHUNK_BYTES + 5,
            2 * CHUNK_BYTES + 6,
            3 * CHUNK_BYTES + 5,
            plaintext.len(),
        ];
        for start in ends {
            for end in ends.into_iter().filter(|end| *end > start) {
                let range = start as u64..end as u64;
                let plan = Plan::new(Keys::from(&key), &table, None, &range, None).unwrap();
                let opened = read(plan, &stored).unwrap();
                assert!(opened == plaintext[start..end], "{start}..{end}");
            }
        }
    }

    #[test]
    fn a_whole_object_is_read_with_its_trailer_and_a_range_of_it_without() {
        let key = DataKey::generate(&SystemRandom);
        let length = CHUNK_BYTES + 10;
        let (part, stored, plaintext) = segment(&key, Kind::Whole, length);
        let table = Table {
            parts: vec![part],
            checksum: None,
        };
        let plan = |range| Plan::new(Keys::from(&key), &table, None, &range, None).unwrap();
        let whole = plan(0..length as u64);
        assert_eq!(whole.stored, 0..stored.len() as u64);
        assert!(read(whole, &stored).unwrap() == plaintext);
        let range = plan(CHUNK_BYTES as u64..length as u64);
        assert_eq!(
            range.stored.end,
            (stored.len() - layout::TRAILER_BYTES) as u64
        );
        assert!(read(range, &stored).unwrap() == plaintext[CHUNK_BYTES..]);
    }

    #[test]
    fn an_empty_range_takes_no_stored_bytes() {
        let key = DataKey::generate(&SystemRandom);
        let (table, ..) = sealed(&key, &LENGTHS);
        let plan = Plan::new(Keys::from(&key), &table, None, &(3..3), None).unwrap();
        assert!(plan.steps.is_empty());
    }

    #[test]
    fn a_segment_that_stands_in_anothers_place_is_refused() {
        let key = DataKey::generate(&SystemRandom);
        let (table, mut stored, _) = sealed(&key, &[100, 200]);
        let (_, second) = table.segments().nth(1).unwrap();
        // Of the second part only a span is read, behind its head.
        let plan = Plan::new(Keys::from(&key), &table, None, &(50..150), None).unwrap();
        stored[usize::try_from(second.start).unwrap() + 20] ^= 1;
        assert_eq!(read(plan, &stored), Err(OpenError::OtherSegment));
    }

    #[test]
    fn another_objects_key_is_refused_before_a_byte_is_read() {
        let key = DataKey::generate(&SystemRandom);
        let (table, ..) = sealed(&key, &LENGTHS);
        let other = DataKey::generate(&SystemRandom);
        let plan = Plan::new(Keys::from(&other), &table, None, &(0..1), None);
        assert_eq!(plan.err(), Some(OpenError::Commitment));
    }

    /// One part ends with an empty chunk, one has no bytes.
    const LENGTHS: [usize; 4] = [2 * CHUNK_BYTES, 5, 0, CHUNK_BYTES + 1];
}
