//! Ciphertext blobs of KMS keys.
//!
//! Input: a blob without its checksum, which the target computes. A second reader, written from
//! `kms/CIPHERTEXT.md`, decides on that blob and on each that differs in one byte of its head. Such a
//! blob may be a valid one: the checksum has no key, and a changed length of a name moves the place
//! where it is read to bytes that the input chooses.

#![no_main]

use kms::crypto::ciphertext::Blob;
use libfuzzer_sys::fuzz_target;
use sha2::Digest as _;
use sha2::Sha256;

const CHECKSUM_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;

fuzz_target!(|input: &[u8]| {
    let Some((_, head_bytes)) = names(input) else {
        assert_eq!(Blob::parse(input), None);
        return;
    };
    let (head, rest) = input.split_at(head_bytes);
    let mut blob = [head, &checksum(head), rest].concat();
    let read = Blob::parse(&blob);
    assert_eq!(read.is_some(), rest.len() >= NONCE_BYTES);
    if let Some(read) = read {
        assert_eq!(read.material_id.0, input[2..34]);
    }
    assert_eq!(of_blob(&blob), of_second_reader(&blob));
    for at in 0..head_bytes + CHECKSUM_BYTES {
        blob[at] ^= 1;
        assert_eq!(of_blob(&blob), of_second_reader(&blob), "byte {at}");
        blob[at] ^= 1;
    }
});

/// The account, the Region and the id of the key that a blob names.
fn of_blob(blob: &[u8]) -> Option<[&str; 3]> {
    let key = Blob::parse(blob)?.key;
    Some([key.account, key.region, key.key_id])
}

fn of_second_reader(blob: &[u8]) -> Option<[&str; 3]> {
    let (names, head_bytes) = names(blob)?;
    let (head, rest) = blob.split_at(head_bytes);
    let rest = rest.strip_prefix(&checksum(head))?;
    (rest.len() >= NONCE_BYTES).then_some(names)
}

fn checksum(head: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = Sha256::digest(head);
    std::array::from_fn(|at| digest[at])
}

/// The names, and the length of the head that holds them.
fn names(blob: &[u8]) -> Option<([&str; 3], usize)> {
    if blob.get(..2)? != [1, 1] {
        return None;
    }
    let mut at = 2 + 32;
    let mut name = || {
        let length = usize::from(*blob.get(at)?);
        let text = blob.get(at + 1..at + 1 + length)?;
        at += 1 + length;
        std::str::from_utf8(text).ok()
    };
    Some(([name()?, name()?, name()?], at))
}
