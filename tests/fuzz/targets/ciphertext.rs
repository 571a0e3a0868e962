//! Ciphertext blobs of KMS keys.
//!
//! Input: a blob without its checksum, which no fuzzer guesses. A second reader, written from
//! `kms/CIPHERTEXT.md`, takes the same blobs and finds the same names in them; without the checksum
//! nothing is taken.

#![no_main]

use kms::crypto::ciphertext::Blob;
use libfuzzer_sys::fuzz_target;
use sha2::Digest as _;
use sha2::Sha256;

const NONCE_BYTES: usize = 24;

fuzz_target!(|input: &[u8]| {
    let Some((names, head_bytes)) = naive(input) else {
        assert_eq!(Blob::parse(input), None);
        return;
    };
    let (head, rest) = input.split_at(head_bytes);
    let checksum = Sha256::digest(head);
    let blob = [head, &checksum[..8], rest].concat();
    let read = Blob::parse(&blob);
    assert_eq!(read.is_some(), rest.len() >= NONCE_BYTES);
    let Some(read) = read else {
        return;
    };
    assert_eq!([read.key.account, read.key.region, read.key.key_id], names);
    assert_eq!(read.material_id.0, input[2..34]);
    for at in 0..head_bytes + 8 {
        let mut changed = blob.clone();
        changed[at] ^= 1;
        assert_eq!(Blob::parse(&changed), None, "byte {at} is not covered");
    }
});

/// The account, the Region and the id of a key, and the length of the head.
fn naive(input: &[u8]) -> Option<([&str; 3], usize)> {
    if input.get(..2)? != [1, 1] {
        return None;
    }
    let mut at = 2 + 32;
    let mut name = || {
        let length = usize::from(*input.get(at)?);
        let text = input.get(at + 1..at + 1 + length)?;
        at += 1 + length;
        std::str::from_utf8(text).ok()
    };
    Some(([name()?, name()?, name()?], at))
}
