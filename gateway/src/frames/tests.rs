//! Whole objects: sealed, opened, and tampered with in every way a backend could.

use crate::frames::layout::{self, CHUNK_BYTES, SEALED_CHUNK_BYTES};
use crate::frames::open::Opener;
use crate::frames::random::SystemRandom;
use crate::frames::seal::Sealer;
use crate::frames::segment::{Kind, Segment};
use crate::frames::trailer::Record;
use crate::frames::{DataKey, OpenError, SealError};

/// Lengths on both sides of every border of a chunk.
const BORDERS: [u64; 9] = [0, 1, 16_383, 16_384, 16_385, 32_768, 32_769, 65_536, 1_000_003];

fn key() -> DataKey {
    DataKey::generate(&SystemRandom)
}

/// Bytes that differ at every place.
fn plaintext(bytes: u64) -> Vec<u8> {
    (0..bytes).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

fn record(plaintext: &[u8]) -> Record {
    Record { plaintext_bytes: plaintext.len() as u64, md5: Some([7; 16]), checksum: None }
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

fn open(key: &DataKey, segment: &Segment, stored: &[u8]) -> Result<Vec<u8>, OpenError> {
    drain(Opener::object(key, segment)?, stored, 50_000)
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
            assert!(drain(opener, &stored, piece) == Ok(plaintext), "{bytes} by {piece}");
        }
    }
}

#[test]
fn a_range_opens_from_its_own_chunks() {
    let key = key();
    let bytes = 5 * CHUNK_BYTES as u64;
    let plaintext = plaintext(bytes);
    let (segment, stored) = seal(&key, &plaintext, 70_000);
    let borders = [0, 1, 16_383, 16_384, 16_385, 32_768, 50_000, bytes - 1, bytes];
    for start in borders {
        for end in borders {
            let Some(span) = layout::span(bytes, start..end) else {
                assert!(start >= end);
                continue;
            };
            let piece = &stored[span.stored.start as usize..span.stored.end as usize];
            assert!(piece.len() as u64 <= end - start + 2 * SEALED_CHUNK_BYTES as u64);
            let opener = Opener::span(&key, &segment, &span).unwrap();
            let opened = drain(opener, piece, 9_999);
            assert!(opened.as_deref() == Ok(&plaintext[start as usize..end as usize]));
        }
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
