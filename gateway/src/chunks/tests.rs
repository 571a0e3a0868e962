//! Whole objects, sealed and opened; their sizes.

mod reference;
mod tamper;

use std::ops::Range;

use proptest::prelude::*;

use crate::chunks::DataKey;
use crate::chunks::Keys;
use crate::chunks::OpenError;
use crate::chunks::SealError;
use crate::chunks::layout;
use crate::chunks::layout::CHUNK_BYTES;
use crate::chunks::layout::SEALED_CHUNK_BYTES;
use crate::chunks::open;
use crate::chunks::open::Opener;
use crate::chunks::random::SystemRandom;
use crate::chunks::seal::Sealer;
use crate::chunks::segment;
use crate::chunks::segment::Kind;
use crate::chunks::segment::Segment;
use crate::chunks::trailer;
use crate::chunks::trailer::Record;
use crate::protocol::checksum::Algorithm;
use crate::protocol::checksum::Checksum;
use crate::protocol::checksum::ChecksumKind;

/// Lengths on both sides of every border of a chunk.
const BORDERS: [u64; 9] = [
    0, 1, 16_383, 16_384, 16_385, 32_768, 32_769, 65_536, 1_000_003,
];

fn key() -> DataKey {
    DataKey::generate(&SystemRandom)
}

/// Bytes that differ at every place.
fn plaintext(bytes: u64) -> Vec<u8> {
    (0..bytes)
        .map(|at| at.to_le_bytes().into_iter().fold(0, |sum, byte| sum ^ byte))
        .collect()
}

/// What a backend answers to a request for the range.
fn fetch<'a>(stored: &'a [u8], range: &Range<u64>) -> &'a [u8] {
    let at = |offset| usize::try_from(offset).unwrap();
    &stored[at(range.start)..at(range.end)]
}

fn record(plaintext: &[u8]) -> Record {
    Record {
        plaintext_bytes: plaintext.len() as u64,
        md5: Some([7; 16]),
        checksum: None,
    }
}

/// Seals a whole object, pushed in pieces of `piece` bytes.
fn seal(key: &DataKey, plaintext: &[u8], piece: usize) -> (Segment, Vec<u8>) {
    let mut sealer = Sealer::new(key, Kind::Whole, plaintext.len() as u64, &SystemRandom).unwrap();
    let segment = sealer.segment().clone();
    let mut stored = Vec::new();
    for piece in plaintext.chunks(piece) {
        sealer.push(piece).unwrap();
        stored.extend(sealer.take().into_iter().flatten());
    }
    sealer.seal_record(&record(plaintext)).unwrap();
    stored.extend(sealer.finish().unwrap());
    (segment, stored)
}

fn drain(mut opener: Opener, stored: &[u8], piece: usize) -> Result<Vec<u8>, OpenError> {
    let mut opened = Vec::new();
    for piece in stored.chunks(piece) {
        opener.push(piece)?;
        opened.extend(opener.take().into_iter().flatten());
    }
    opener.finish()?;
    Ok(opened)
}

#[test]
fn what_was_sealed_opens_however_it_was_cut_into_pieces() {
    let key = key();
    for bytes in BORDERS {
        for piece in [1_000, 16_384, 16_400, 70_000] {
            let plaintext = plaintext(bytes);
            let (segment, stored) = seal(&key, &plaintext, piece);
            assert_eq!(stored.len() as u64, layout::stored_bytes(bytes).unwrap());
            let opener = Opener::object(&key, &segment).unwrap();
            assert!(
                drain(opener, &stored, piece) == Ok(plaintext),
                "{bytes} by {piece}"
            );
        }
    }
}

#[test]
fn a_range_opens_from_its_own_chunks() {
    let key = key();
    let bytes = 5 * CHUNK_BYTES as u64;
    let plaintext = plaintext(bytes);
    let (segment, stored) = seal(&key, &plaintext, 70_000);
    let borders = [
        0,
        1,
        16_383,
        16_384,
        16_385,
        32_768,
        50_000,
        bytes - 1,
        bytes,
    ];
    for start in borders {
        for end in borders {
            let Some(span) = layout::span(bytes, start..end) else {
                assert!(start >= end);
                continue;
            };
            let piece = fetch(&stored, &span.stored);
            assert!(piece.len() as u64 <= end - start + 2 * SEALED_CHUNK_BYTES as u64);
            let opener = Opener::span(&key, &segment, &span).unwrap();
            let opened = drain(opener, piece, 9_999);
            assert!(opened.as_deref() == Ok(fetch(&plaintext, &(start..end))));
        }
    }
}

#[test]
fn a_range_that_ends_with_a_chunk_does_not_fetch_the_next() {
    let (head, chunk) = (layout::HEAD_BYTES as u64, CHUNK_BYTES as u64);
    let sealed = SEALED_CHUNK_BYTES as u64;
    let stored = |range| layout::span(3 * chunk, range).unwrap().stored;
    assert_eq!(stored(0..chunk), head..head + sealed);
    assert_eq!(stored(0..chunk - 1), head..head + sealed);
    assert_eq!(stored(0..chunk + 1), head..head + 2 * sealed);
    assert_eq!(stored(chunk..2 * chunk), head + sealed..head + 2 * sealed);
}

#[test]
fn a_span_of_a_longer_segment_is_refused() {
    let key = key();
    for (plaintext_bytes, longer, range) in [
        (100, 200, 50..150),
        (16_484, 16_584, 16_434..16_534),
        (100, 40_000, 16_384..16_385),
    ] {
        let (segment, _) = seal(&key, &plaintext(plaintext_bytes), 70_000);
        let span = layout::span(longer, range).unwrap();
        let error = Opener::span(&key, &segment, &span).err();
        assert_eq!(error, Some(OpenError::Size), "{plaintext_bytes}");
    }
}

#[test]
fn a_part_or_a_span_that_is_cut_between_chunks_does_not_end() {
    let key = key();
    let bytes = 2 * CHUNK_BYTES as u64 + 5;
    let (segment, stored) = seal(&key, &plaintext(bytes), 70_000);
    let whole = fetch(&stored, &(0..layout::segment_bytes(bytes).unwrap()));
    let opener = || Opener::segment(&key, &segment).unwrap();
    assert!(drain(opener(), whole, 9_999).is_ok());
    let head = layout::HEAD_BYTES;
    for cut in [0, 1, head, head + SEALED_CHUNK_BYTES, whole.len() - 1] {
        let opened = drain(opener(), &whole[..cut], 9_999);
        assert_eq!(opened.err(), Some(OpenError::Truncated), "{cut}");
    }
    let span = layout::span(bytes, 0..bytes).unwrap();
    for chunks in 0..3 {
        let opener = Opener::span(&key, &segment, &span).unwrap();
        let cut = &whole[head..head + chunks * SEALED_CHUNK_BYTES];
        let opened = drain(opener, cut, 9_999);
        assert_eq!(opened.err(), Some(OpenError::Truncated), "{chunks}");
    }
}

#[test]
fn the_largest_object_has_10_000_parts_of_5_gib() {
    let most = 53_687_091_200_000;
    assert_eq!(layout::OBJECT_BYTES_MAX, most);
    assert!(layout::segment_bytes(most).is_ok());
    assert!(layout::stored_bytes_in_parts(most, layout::PARTS_MAX).is_ok());
    for more in [most + 1, u64::MAX] {
        let parts = layout::stored_bytes_in_parts(more, layout::PARTS_MAX);
        assert_eq!(layout::segment_bytes(more), Err(SealError::TooLarge));
        assert_eq!(parts, Err(SealError::TooLarge));
        let key = key();
        let sealer = Sealer::new(&key, Kind::Whole, more, &SystemRandom);
        assert_eq!(sealer.err(), Some(SealError::TooLarge));
    }
}

#[test]
fn a_chunk_is_handed_on_once_it_is_full() {
    let key = key();
    let (head, full) = (layout::HEAD_BYTES, layout::HEAD_BYTES + SEALED_CHUNK_BYTES);
    let plaintext = plaintext(CHUNK_BYTES as u64 + 5);
    let bytes = plaintext.len() as u64;
    let mut sealer = Sealer::new(&key, Kind::Part(1), bytes, &SystemRandom).unwrap();
    let segment = sealer.segment().clone();
    assert_eq!(sealer.ready(), head);
    sealer.push(&plaintext).unwrap();
    assert_eq!(sealer.ready(), full);
    let sealed = sealer.take().unwrap();
    assert_eq!(sealed.len(), full);
    assert_eq!((sealer.ready(), sealer.take()), (0, None));

    let mut opener = Opener::segment(&key, &segment).unwrap();
    opener.push(&sealed[..full - 1]).unwrap();
    assert_eq!((opener.ready(), opener.take()), (0, None));
    opener.push(&sealed[full - 1..]).unwrap();
    assert_eq!(opener.ready(), CHUNK_BYTES);
    assert_eq!(opener.take().as_deref(), Some(&plaintext[..CHUNK_BYTES]));
    assert_eq!((opener.ready(), opener.take()), (0, None));
}

#[test]
fn a_head_reads_as_the_segment_that_it_was_written_for() {
    let (own, other) = (key(), key());
    for kind in [Kind::Whole, Kind::Part(1), Kind::Part(10_000), Kind::Footer] {
        let sealer = Sealer::new(&own, kind, 5, &SystemRandom).unwrap();
        let segment = sealer.segment().clone();
        assert_eq!(
            Segment::from_head(&segment.head(), 5).as_ref(),
            Ok(&segment)
        );
        assert_eq!(segment.check(&own), Ok(()));
        assert_eq!(segment.check(&other), Err(OpenError::Commitment));
        let longer = Segment {
            plaintext_bytes: 6,
            ..segment
        };
        assert_eq!(longer.check(&own), Err(OpenError::Commitment));
    }
    let sealer = Sealer::new(&own, Kind::Part(1), 5, &SystemRandom).unwrap();
    for number in [0, 10_001] {
        let head = Segment {
            kind: Kind::Part(number),
            ..sealer.segment().clone()
        }
        .head();
        assert_eq!(Segment::from_head(&head, 5), Err(OpenError::Head));
    }
}

#[test]
fn a_body_of_another_length_than_announced_is_not_sealed() {
    let key = key();
    let mut sealer = Sealer::new(&key, Kind::Part(1), 10, &SystemRandom).unwrap();
    assert_eq!(sealer.push(&[0; 11]), Err(SealError::LengthExceeded));
    sealer.push(&[0; 9]).unwrap();
    assert_eq!(sealer.finish().err(), Some(SealError::LengthShort));
}

#[test]
fn a_record_is_sealed_once_and_for_its_own_object() {
    let key = key();
    let mut sealer = Sealer::new(&key, Kind::Whole, 3, &SystemRandom).unwrap();
    sealer.push(b"abc").unwrap();
    assert_eq!(sealer.seal_record(&record(b"abcd")), Err(SealError::Record));
    sealer.seal_record(&record(b"abc")).unwrap();
    let second = Record {
        md5: None,
        ..record(b"abc")
    };
    assert_eq!(sealer.seal_record(&second), Err(SealError::Record));

    let unsealed = Sealer::new(&key, Kind::Whole, 0, &SystemRandom).unwrap();
    assert_eq!(unsealed.finish().err(), Some(SealError::Record));
}

#[test]
fn a_record_comes_back_as_it_was_sealed() {
    let checksums = [
        None,
        Some((Algorithm::Crc32c, 4)),
        Some((Algorithm::Sha256, 32)),
        Some((Algorithm::Sha512, 64)),
    ];
    for (md5, checksum) in [None, Some([9; 16])].into_iter().cycle().zip(checksums) {
        let kind = ChecksumKind::FullObject;
        let checksum = checksum.map(|(algorithm, bytes)| Checksum {
            algorithm,
            kind,
            value: vec![0xA5; bytes],
        });
        let record = Record {
            plaintext_bytes: 3,
            md5,
            checksum,
        };
        let key = key();
        let mut sealer = Sealer::new(&key, Kind::Whole, 3, &SystemRandom).unwrap();
        let sealed = sealer.seal_record(&record).unwrap();
        assert_eq!(trailer::open(&key, sealer.segment(), &sealed), Ok(record));
    }
}

#[test]
fn two_segments_of_one_key_and_plaintext_share_no_chunk() {
    let key = key();
    let (_, first) = seal(&key, b"the same", 8);
    let (_, second) = seal(&key, b"the same", 8);
    assert_ne!(first[layout::HEAD_BYTES..], second[layout::HEAD_BYTES..]);
}

#[test]
fn the_outer_layer_keeps_the_length_and_is_needed_to_open() {
    let (data, outer, other) = (key(), key(), key());
    let keys = Keys {
        data: &data,
        outer: Some(&outer),
    };
    let plaintext = plaintext(40_000);
    let mut sealer = Sealer::new(keys, Kind::Part(7), 40_000, &SystemRandom).unwrap();
    sealer.push(&plaintext).unwrap();
    let segment = sealer.segment().clone();
    let mut stored = sealer.take().unwrap().to_vec();
    stored.extend(sealer.finish().unwrap());

    assert_eq!(stored.len() as u64, layout::segment_bytes(40_000).unwrap());
    let opener = Opener::segment(keys, &segment).unwrap();
    assert!(drain(opener, &stored, 7_777).as_ref() == Ok(&plaintext));
    let span = layout::span(40_000, 16_500..39_999).unwrap();
    let piece = fetch(&stored, &span.stored);
    let opener = Opener::span(keys, &segment, &span).unwrap();
    assert!(drain(opener, piece, 5_000).as_deref() == Ok(&plaintext[16_500..39_999]));

    let forged = Err(OpenError::Chunk { index: 0 });
    let inner_only = Opener::segment(&data, &segment).unwrap();
    assert!(drain(inner_only, &stored, 50_000) == forged);
    let wrong = Keys {
        data: &data,
        outer: Some(&other),
    };
    let wrong_outer = Opener::segment(wrong, &segment).unwrap();
    assert!(drain(wrong_outer, &stored, 50_000) == forged);
}

/// The rows of `FORMAT.md`'s table of sizes.
#[test]
fn the_sizes_are_those_the_format_states() {
    let rows = include_str!("../../FORMAT.md")
        .lines()
        .skip_while(|line| !line.starts_with("| plaintext | stored, whole"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let mut count = 0;
    for row in rows {
        let sizes: Vec<u64> = row
            .split('|')
            .filter_map(|cell| cell.trim().replace(',', "").parse().ok())
            .collect();
        let [plaintext, whole, one_part, three_parts] = sizes[..] else {
            panic!("four sizes in {row}")
        };
        assert_eq!(layout::stored_bytes(plaintext), Ok(whole));
        assert_eq!(layout::stored_bytes_in_parts(plaintext, 1), Ok(one_part));
        assert_eq!(layout::stored_bytes_in_parts(plaintext, 3), Ok(three_parts));
        count += 1;
    }
    assert_eq!(count, 7);
}

/// The constants that `FORMAT.md` states in its formulas and tables.
#[test]
fn the_constants_are_those_the_format_states() {
    let format = include_str!("../../FORMAT.md");
    let states = |text: String| assert!(format.contains(&text), "FORMAT.md lacks: {text}");
    let (head, tag, chunk) = (layout::HEAD_BYTES, layout::TAG_BYTES, CHUNK_BYTES);
    states(format!(
        "segment_bytes(P)   = {head} + P + {tag} * (floor(P / {chunk}) + 1)"
    ));
    states(format!(
        "stored_bytes(P)    = segment_bytes(P) + {}",
        layout::TRAILER_BYTES
    ));
    let (start, entry) = (layout::TABLE_START_BYTES, layout::TABLE_ENTRY_BYTES);
    let tail = layout::FOOTER_TAIL_BYTES;
    states(format!(
        "footer_bytes(N)    = segment_bytes({start} + {entry} * N) + {tail}"
    ));
    states(format!("+ {} * N + footer_bytes(N)", head + tag));
    states(format!(
        "magic `{}`",
        String::from_utf8_lossy(segment::MAGIC)
    ));
    states(format!("version, {}", segment::FORMAT_VERSION));
}

#[test]
fn every_stored_size_around_a_border_is_one_objects_or_none() {
    let mut sizes = 0;
    for stored in 0..70_000 {
        if let Some(plaintext) = layout::plaintext_bytes(stored) {
            assert_eq!(layout::stored_bytes(plaintext), Ok(stored));
            assert_eq!(plaintext, sizes, "every length has a size, in order");
            sizes += 1;
        }
    }
    assert!(sizes > 69_000);
}

proptest! {
    #[test]
    fn a_stored_size_tells_the_plaintexts(plaintext in 0..=layout::OBJECT_BYTES_MAX) {
        let stored = layout::stored_bytes(plaintext).unwrap();
        prop_assert_eq!(layout::plaintext_bytes(stored), Some(plaintext));
    }

    #[test]
    fn a_stored_size_and_the_number_of_parts_tell_the_plaintexts(
        plaintext in 0..=layout::OBJECT_BYTES_MAX,
        parts in 1..=layout::PARTS_MAX,
    ) {
        let stored = layout::stored_bytes_in_parts(plaintext, parts).unwrap();
        prop_assert_eq!(layout::plaintext_bytes_in_parts(stored, parts), Some(plaintext));
    }

    #[test]
    fn no_size_is_taken_for_one_it_is_not(stored: u64, parts in 0..=20_000_u32) {
        if let Some(plaintext) = layout::plaintext_bytes(stored) {
            prop_assert_eq!(layout::stored_bytes(plaintext), Ok(stored));
        }
        if let Some(plaintext) = layout::plaintext_bytes_in_parts(stored, parts) {
            prop_assert_eq!(layout::stored_bytes_in_parts(plaintext, parts), Ok(stored));
        }
    }

    #[test]
    fn a_span_holds_its_range_and_little_more(
        plaintext in 1..=layout::OBJECT_BYTES_MAX,
        start: prop::sample::Index,
        bytes in 1..100_000_u64,
    ) {
        let start = start.index(usize::try_from(plaintext).unwrap()) as u64;
        let end = (start + bytes).min(plaintext);
        let span = layout::span(plaintext, start..end).unwrap();
        prop_assert!(span.stored.end <= layout::segment_bytes(plaintext).unwrap());
        let fetched = span.stored.end - span.stored.start;
        prop_assert!(fetched <= (end - start) + 2 * SEALED_CHUNK_BYTES as u64 + (end - start) / 1_000);
        prop_assert!(layout::span(plaintext, start..plaintext + 1).is_none());
    }

    #[test]
    fn arbitrary_bytes_neither_open_nor_panic(
        head in prop::array::uniform32(any::<u8>()),
        body in prop::collection::vec(any::<u8>(), 0..40_000),
        plaintext_bytes in prop_oneof![0..40_000_u64, any::<u64>()],
        magic: bool,
    ) {
        let key = key();
        let mut bytes = [0; layout::HEAD_BYTES];
        bytes[..32].copy_from_slice(&head);
        if magic {
            bytes[..12].copy_from_slice(b"sealgate\x01\0\0\0");
        }
        if let Ok(segment) = Segment::from_head(&bytes, plaintext_bytes) {
            prop_assert_eq!(segment.head(), bytes);
            prop_assert!(Opener::object(&key, &segment).is_err());
        }
        let (segment, _) = seal(&key, &[], 1);
        prop_assert!(drain(Opener::object(&key, &segment).unwrap(), &body, 9_000).is_err());
        prop_assert!(trailer::open(&key, &segment, &body).is_err());
        prop_assert!(open::message(&key, &head, &body).is_err());
    }
}
