//! Whole objects that someone changed at the backend: none of it reaches a client.
//!
//! In the order of `tests/attacks/README.md`: bits, lengths, order, identity, downgrade, commitment.

use super::BORDERS;
use super::fetch;
use super::key;
use super::plaintext;
use super::record;
use super::seal;
use crate::chunks::DataKey;
use crate::chunks::OpenError;
use crate::chunks::layout;
use crate::chunks::layout::CHUNK_BYTES;
use crate::chunks::layout::HEAD_BYTES;
use crate::chunks::layout::SEALED_CHUNK_BYTES;
use crate::chunks::layout::TAG_BYTES;
use crate::chunks::layout::TRAILER_BYTES;
use crate::chunks::open::Opener;
use crate::chunks::random::Random as _;
use crate::chunks::random::SystemRandom;
use crate::chunks::seal::Sealer;
use crate::chunks::segment::Kind;
use crate::chunks::segment::Segment;

/// One sealed object, and what it takes to open it.
struct Victim {
    key: DataKey,
    plaintext: Vec<u8>,
    segment: Segment,
    stored: Vec<u8>,
}

impl Victim {
    fn new(bytes: u64) -> Self {
        let (key, plaintext) = (key(), plaintext(bytes));
        let (segment, stored) = seal(&key, &plaintext, 70_000);
        Self {
            key,
            plaintext,
            segment,
            stored,
        }
    }

    /// Opens `stored` in its stead. Checks that it fails, and that what was handed out before is
    /// the object's own.
    #[track_caller]
    fn refuses(&self, stored: &[u8]) -> OpenError {
        let mut opener = Opener::object(&self.key, &self.segment).unwrap();
        let mut handed_out = Vec::new();
        let mut result = Ok(None);
        for piece in stored.chunks(20_000) {
            result = opener.push(piece).map(|()| None);
            handed_out.extend(opener.take().into_iter().flatten());
            if result.is_err() {
                break;
            }
        }
        if result.is_ok() {
            result = opener.finish();
        }
        assert!(
            self.plaintext.starts_with(&handed_out),
            "a byte that is not the object's"
        );
        result.expect_err("a changed object opened")
    }

    fn changed(&self, at: usize, mask: u8) -> Vec<u8> {
        let mut stored = self.stored.clone();
        stored[at] ^= mask;
        stored
    }

    /// Where chunk `index` lies.
    fn chunk(&self, index: usize) -> std::ops::Range<usize> {
        let start = HEAD_BYTES + index * SEALED_CHUNK_BYTES;
        let chunks_end = self.stored.len() - TRAILER_BYTES;
        start..(start + SEALED_CHUNK_BYTES).min(chunks_end)
    }

    fn chunks(&self) -> usize {
        self.plaintext.len() / CHUNK_BYTES + 1
    }
}

#[test]
fn no_bit_of_the_head_and_the_first_bytes_can_change() {
    let victim = Victim::new(100);
    for at in 0..96 {
        for bit in 0..8 {
            victim.refuses(&victim.changed(at, 1 << bit));
        }
    }
}

#[test]
fn no_chunks_first_or_last_byte_or_tag_can_change() {
    for bytes in [16_384, 40_000] {
        let victim = Victim::new(bytes);
        for index in 0..victim.chunks() {
            let chunk = victim.chunk(index);
            let tag = chunk.end - TAG_BYTES..chunk.end;
            for at in [chunk.start, tag.start.max(chunk.start + 1) - 1]
                .into_iter()
                .chain(tag)
            {
                let error = victim.refuses(&victim.changed(at, 0x80));
                assert_eq!(
                    error,
                    OpenError::Chunk {
                        index: index as u64
                    }
                );
            }
        }
    }
}

#[test]
fn no_byte_anywhere_can_change() {
    let mut draw = [0; 8];
    let mut below = |limit: usize| {
        SystemRandom.fill(&mut draw);
        usize::try_from(u64::from_le_bytes(draw) % limit as u64).unwrap()
    };
    for (bytes, flips) in [(100, 20_000), (17_000, 2_000)] {
        let victim = Victim::new(bytes);
        for _ in 0..flips {
            let mask = 1 << below(8);
            victim.refuses(&victim.changed(below(victim.stored.len()), mask));
        }
    }
    let small = Victim::new(20);
    for at in 0..small.stored.len() {
        small.refuses(&small.changed(at, 1));
    }
}

#[test]
fn a_cut_object_does_not_open_at_any_length() {
    for bytes in BORDERS {
        let victim = Victim::new(bytes.min(65_536));
        let step = if bytes < 16_383 { 1 } else { 61 };
        let near_a_border = |length: &usize| {
            let in_chunk = length.saturating_sub(HEAD_BYTES) % SEALED_CHUNK_BYTES;
            !(32..CHUNK_BYTES - TAG_BYTES).contains(&in_chunk) || length.is_multiple_of(step)
        };
        for length in (0..victim.stored.len()).filter(near_a_border) {
            assert_eq!(
                victim.refuses(&victim.stored[..length]),
                OpenError::Truncated
            );
        }
    }
}

#[test]
#[ignore = "two minutes: every length of every object, not just those near borders"]
fn a_long_object_that_is_cut_does_not_open_at_any_length() {
    for bytes in [0, 1, 16_383, 16_384, 16_385, 32_768, 32_769, 65_536] {
        let victim = Victim::new(bytes);
        for length in 0..victim.stored.len() {
            assert_eq!(
                victim.refuses(&victim.stored[..length]),
                OpenError::Truncated
            );
        }
    }
}

#[test]
fn nothing_can_be_appended() {
    for bytes in BORDERS {
        let victim = Victim::new(bytes);
        for length in [1, 11, 15, 16, 17, 16_399, 16_400, 32_800] {
            let longer = [&victim.stored[..], &vec![0; length]].concat();
            assert_eq!(victim.refuses(&longer), OpenError::TrailingData);
        }
    }
}

#[test]
fn not_even_a_chunk_of_the_same_keys_can_be_appended() {
    let victim = Victim::new(16_000);
    let keys = victim.segment.keys(&victim.key).unwrap();
    let mut extra = b"extra".to_vec();
    let tag = keys.seal_chunk(1, &mut extra);
    let at = victim.chunk(0).end;
    let (before, after) = victim.stored.split_at(at);
    victim.refuses(&[before, &extra, &tag, after].concat());
    victim.refuses(&[&victim.stored[..], &extra, &tag].concat());
}

#[test]
fn chunks_cannot_be_swapped_repeated_or_dropped() {
    let victim = Victim::new(3 * CHUNK_BYTES as u64 + 5);
    for first in 0..victim.chunks() {
        for second in 0..victim.chunks() {
            if first == second {
                continue;
            }
            let (one, other) = (victim.chunk(first), victim.chunk(second));
            let mut replaced = victim.stored.clone();
            replaced.splice(one.clone(), victim.stored[other.clone()].to_vec());
            victim.refuses(&replaced);
            if one.len() == other.len() {
                let mut swapped = victim.stored.clone();
                swapped[one.clone()].copy_from_slice(&victim.stored[other.clone()]);
                swapped[other].copy_from_slice(&victim.stored[one]);
                assert!(matches!(victim.refuses(&swapped), OpenError::Chunk { .. }));
            }
        }
        let mut dropped = victim.stored.clone();
        dropped.drain(victim.chunk(first));
        victim.refuses(&dropped);
        let mut repeated = victim.stored.clone();
        let again = victim.stored[victim.chunk(first)].to_vec();
        repeated.splice(victim.chunk(first).end..victim.chunk(first).end, again);
        victim.refuses(&repeated);
    }
}

#[test]
fn a_chunk_of_another_object_or_version_does_not_open_even_under_the_same_key() {
    let victim = Victim::new(40_000);
    let (other_segment, other) = seal(&victim.key, &victim.plaintext, 70_000);
    assert_ne!(other_segment.salt, victim.segment.salt);
    for index in 0..victim.chunks() {
        let mut mixed = victim.stored.clone();
        mixed[victim.chunk(index)].copy_from_slice(&other[victim.chunk(index)]);
        assert_eq!(
            victim.refuses(&mixed),
            OpenError::Chunk {
                index: index as u64
            }
        );
    }
    let trailer = victim.stored.len() - TRAILER_BYTES;
    let mixed = [&victim.stored[..trailer], &other[trailer..]].concat();
    assert_eq!(victim.refuses(&mixed), OpenError::Record);
}

#[test]
fn a_body_does_not_open_with_another_objects_envelope() {
    let (one, other) = (Victim::new(500), Victim::new(500));
    assert_eq!(one.refuses(&other.stored), OpenError::OtherSegment);
    let mixed = Opener::object(&one.key, &other.segment);
    assert_eq!(mixed.err(), Some(OpenError::Commitment));

    // A range read fetches no head, so it is the chunk that does not fit.
    let span = layout::span(500, 0..500).unwrap();
    let mut opener = Opener::span(&one.key, &one.segment, &span).unwrap();
    let piece = fetch(&other.stored, &span.stored);
    assert_eq!(opener.push(piece), Err(OpenError::Chunk { index: 0 }));
    assert_eq!(opener.take(), None);
    assert_eq!(opener.push(&[]), Err(OpenError::Chunk { index: 0 }));
}

#[test]
fn a_segment_does_not_open_at_another_length_than_its_own() {
    let victim = Victim::new(500);
    for plaintext_bytes in [0, 499, 501, 16_384, u64::MAX] {
        let lying = Segment {
            plaintext_bytes,
            ..victim.segment.clone()
        };
        let error = Opener::object(&victim.key, &lying).err();
        assert_eq!(error, Some(OpenError::Commitment));
    }
}

#[test]
fn another_version_kind_or_reserved_byte_is_refused() {
    let victim = Victim::new(500);
    let head = victim.segment.head();
    assert_eq!(Segment::from_head(&head, 500), Ok(victim.segment.clone()));
    for (at, values) in [
        (8, vec![0, 2, 255]),
        (9, vec![1, 3, 255]),
        (10, vec![1]),
        (11, vec![1]),
    ] {
        for value in values {
            let mut changed = head;
            changed[at] = value;
            assert_eq!(
                Segment::from_head(&changed, 500),
                Err(OpenError::Head),
                "{at} {value}"
            );
        }
    }
    for number in [1_u32, 10_001, u32::MAX] {
        let mut changed = head;
        changed[12..16].copy_from_slice(&number.to_be_bytes());
        assert_eq!(Segment::from_head(&changed, 500), Err(OpenError::Head));
    }

    // A part's or a footer's segment is no whole object, whoever claims it.
    for kind in [Kind::Part(1), Kind::Footer] {
        let other = Segment {
            kind,
            ..victim.segment.clone()
        };
        assert_eq!(
            Opener::object(&victim.key, &other).err(),
            Some(OpenError::Head)
        );
        let error = Opener::segment(&victim.key, &other).err();
        assert_eq!(error, Some(OpenError::Commitment));
    }
}

#[test]
fn plaintext_that_looks_sealed_comes_back_as_it_was() {
    let inner = Victim::new(100).stored;
    let key = key();
    let (segment, stored) = seal(&key, &inner, 70_000);
    let mut opener = Opener::object(&key, &segment).unwrap();
    opener.push(&stored).unwrap();
    assert_eq!(opener.take().unwrap(), inner);
    assert_eq!(opener.finish(), Ok(Some(record(&inner))));
}

#[test]
fn a_trailer_that_is_not_the_record_of_the_envelope_is_refused() {
    let key = key();
    let (segment, stored) = seal(&key, &plaintext(100), 70_000);
    let record: [u8; TRAILER_BYTES] = *stored.last_chunk().unwrap();
    let opened = |stored: &[u8], record| {
        let mut opener = Opener::object_with_record(&key, &segment, record).unwrap();
        opener.push(stored).and_then(|()| opener.finish())
    };
    assert_eq!(opened(&stored, record), Ok(None));
    for at in 0..TRAILER_BYTES {
        let mut other = record;
        other[at] ^= 1;
        assert_eq!(opened(&stored, other), Err(OpenError::Record), "{at}");
    }
    let cut = &stored[..stored.len() - 1];
    assert_eq!(opened(cut, record), Err(OpenError::Truncated));
}

/// AES-GCM alone does not bind a ciphertext to its key: one chunk can be made that opens under two.
#[test]
fn a_chunk_made_to_open_under_two_keys_opens_under_one() {
    let (first, second) = (key(), key());
    let sealer = Sealer::new(&first, Kind::Part(1), 48, &SystemRandom).unwrap();
    let segment = sealer.segment().clone();
    let second_segment = {
        // What the second key's owner would receive: the same salt, and the only commitment that
        // fits in.
        let context = crate::chunks::segment::context(segment.kind, segment.plaintext_bytes);
        let keys = crate::chunks::message::MessageKeys::derive(&second, &segment.salt, &context);
        Segment {
            commitment: keys.commitment(),
            ..segment.clone()
        }
    };

    let [chunk, tag] = salamander::chunk(&first, &second, &segment);
    let sealed = [&chunk[..], &tag].concat();
    let opens = |key: &DataKey, segment: &Segment| {
        segment
            .keys(key)
            .map(|keys| keys.open_chunk(0, &mut sealed.clone()))
    };
    // The chunk is what it is said to be: with a commitment for each, both keys open it.
    assert_eq!(opens(&first, &segment), Ok(Ok(())));
    assert_eq!(opens(&second, &second_segment), Ok(Ok(())));
    // But an object has one commitment.
    assert_eq!(opens(&second, &segment), Err(OpenError::Commitment));
    let mut stored = segment.head().to_vec();
    stored.extend(&sealed);
    let mut opener = Opener::segment(&first, &segment).unwrap();
    assert_eq!(opener.push(&stored), Ok(()));
    assert_eq!(
        Opener::segment(&second, &segment).err(),
        Some(OpenError::Commitment)
    );
}

mod salamander;
