//! What sealing and opening cost against AES-256-GCM alone, by the same library, on one core.
//!
//!     cargo bench -p sealgate-gateway --bench frames              # half a minute
//!     cargo bench -p sealgate-gateway --bench frames -- --smoke   # proves that it runs
//!
//! The bytes come in pieces as a connection hands them over. Only ratios mean something; compare
//! none across machines.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]
#![allow(clippy::unwrap_used, reason = "a bench that fails may panic")]

use std::hint::black_box;
use std::time::Duration;
use std::time::Instant;

use aws_lc_rs::aead::AES_256_GCM;
use aws_lc_rs::aead::Aad;
use aws_lc_rs::aead::LessSafeKey;
use aws_lc_rs::aead::Nonce;
use aws_lc_rs::aead::UnboundKey;
use gateway::chunks::DataKey;
use gateway::chunks::Keys;
use gateway::chunks::layout;
use gateway::chunks::open::Opener;
use gateway::chunks::random::SystemRandom;
use gateway::chunks::seal::Sealer;
use gateway::chunks::segment::Kind;
use gateway::chunks::segment::Segment;
use gateway::chunks::trailer::Record;

fn main() {
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    let rounds = if smoke { 1 } else { 24 };
    let plaintext: Vec<u8> = (0..OBJECT_BYTES).map(|at| at.to_le_bytes()[1]).collect();
    let key = DataKey::generate(&SystemRandom);
    let outer = DataKey::generate(&SystemRandom);
    let (single, double) = (
        Keys::from(&key),
        Keys {
            data: &key,
            outer: Some(&outer),
        },
    );
    let sealed = |keys| {
        let mut stored = Vec::new();
        let segment = seal(keys, &plaintext, 65_536, |piece| {
            stored.extend_from_slice(piece)
        });
        (segment, stored)
    };
    let (one_layer, two_layers) = (sealed(single), sealed(double));

    let raw_seal = best(rounds, || raw(&plaintext, true));
    let raw_open = best(rounds, || raw(&plaintext, false));
    println!(
        "AES-256-GCM alone, 16 KiB in place: seal {} GB/s, open {} GB/s",
        raw_seal, raw_open
    );
    for piece in [8_192, 16_400, 65_536, 262_144] {
        let sealing = best(rounds, || {
            black_box(seal(single, &plaintext, piece, |_| ()));
        });
        let opening = best(rounds, || open(single, &one_layer, piece));
        println!(
            "pieces of {piece:>7}: seal {sealing} GB/s ({}), open {opening} GB/s ({})",
            sealing.of(&raw_seal),
            opening.of(&raw_open),
        );
    }
    let sealing = best(rounds, || {
        black_box(seal(double, &plaintext, 65_536, |_| ()));
    });
    let opening = best(rounds, || open(double, &two_layers, 65_536));
    println!(
        "two layers, of  65536: seal {sealing} GB/s ({}), open {opening} GB/s ({})",
        sealing.of(&raw_seal),
        opening.of(&raw_open),
    );
    small(rounds * 10_000);
}

/// A small object whole: keys, segment, record.
fn small(objects: u32) {
    let key = DataKey::generate(&SystemRandom);
    let started = Instant::now();
    for _ in 0..objects {
        let sink = |piece: &[u8]| {
            black_box(piece.len());
        };
        black_box(seal(Keys::from(&key), &[7; 1_000], 1_000, sink));
    }
    println!(
        "an object of 1,000 bytes: {:?} to seal",
        started.elapsed() / objects
    );
}

fn seal(keys: Keys<'_>, plaintext: &[u8], piece: usize, mut sink: impl FnMut(&[u8])) -> Segment {
    let bytes = plaintext.len() as u64;
    let mut sealer = Sealer::new(keys, Kind::Whole, bytes, &SystemRandom).unwrap();
    let segment = sealer.segment().clone();
    for piece in plaintext.chunks(piece) {
        sealer.push(piece).unwrap();
        if sealer.ready() >= TAKE_BYTES {
            sink(&black_box(sealer.take()).unwrap());
        }
    }
    sealer
        .seal_record(&Record {
            plaintext_bytes: bytes,
            md5: None,
            checksum: None,
        })
        .unwrap();
    sink(&black_box(sealer.finish()).unwrap());
    segment
}

fn open(keys: Keys<'_>, (segment, stored): &(Segment, Vec<u8>), piece: usize) {
    let mut opener = Opener::object(keys, segment).unwrap();
    for piece in stored.chunks(piece) {
        opener.push(piece).unwrap();
        if opener.ready() >= TAKE_BYTES {
            black_box(opener.take());
        }
    }
    black_box(opener.take());
    opener.finish().unwrap();
}

/// The same number of bytes through the cipher alone, in one buffer that stays in the cache.
fn raw(plaintext: &[u8], seal: bool) {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[1; 32]).unwrap());
    let mut chunk = vec![0; layout::CHUNK_BYTES];
    for index in 0..plaintext.len() / layout::CHUNK_BYTES {
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&index.to_le_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        if seal {
            let tag = key.seal_in_place_separate_tag(nonce, Aad::empty(), &mut chunk);
            black_box(tag.unwrap().as_ref());
        } else {
            // A wrong tag costs what a right one does.
            let tag = [0; layout::TAG_BYTES];
            drop(key.open_in_place_separate_tag(nonce, Aad::empty(), &tag, &mut chunk));
        }
    }
    black_box(&chunk);
}

/// Bytes a second.
#[derive(Clone, Copy)]
struct Rate(f64);

impl Rate {
    fn of(&self, whole: &Self) -> String {
        format!("{:.0} % of the cipher", 100.0 * self.0 / whole.0)
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, text: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(text, "{:.1}", self.0 / 1e9)
    }
}

/// The best of some rounds: what disturbs a round only makes it slower.
fn best(rounds: u32, mut round: impl FnMut()) -> Rate {
    let time = |_| {
        let started = Instant::now();
        round();
        started.elapsed()
    };
    let shortest = (0..rounds).map(time).min().unwrap_or(Duration::MAX);
    Rate(f64::from(OBJECT_BYTES) / shortest.as_secs_f64())
}

const OBJECT_BYTES: u32 = 64 << 20;

/// Enough for one write to a connection.
const TAKE_BYTES: usize = 65_536;
