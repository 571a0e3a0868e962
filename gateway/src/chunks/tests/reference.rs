//! A whole object made a second time, step by step from `FORMAT.md`, by other implementations of
//! AES-GCM, HMAC and SHA-512.

use aes_gcm::Aes256Gcm;
use aes_gcm::Key;
use aes_gcm::Nonce;
use aes_gcm::aead::Aead as _;
use aes_gcm::aead::KeyInit as _;
use hmac::Hmac;
use hmac::Mac as _;
use sha2::Sha512;

use super::BORDERS;
use super::key;
use super::plaintext;
use super::record;
use super::seal;
use crate::chunks::DataKey;
use crate::chunks::layout::CHUNK_BYTES;
use crate::chunks::layout::HEAD_BYTES;
use crate::chunks::open;

/// HKDF-Expand of RFC 5869, section 2.3.
fn expand(key: &DataKey, info: &[&[u8]], bytes: usize) -> Vec<u8> {
    let (mut out, mut block) = (Vec::new(), Vec::new());
    for counter in 1.. {
        let mut mac = <Hmac<Sha512> as hmac::KeyInit>::new_from_slice(key.expose()).unwrap();
        mac.update(&block);
        info.iter().for_each(|piece| mac.update(piece));
        mac.update(&[counter]);
        block = mac.finalize().into_bytes().to_vec();
        out.extend_from_slice(&block);
        if out.len() >= bytes {
            break;
        }
    }
    out.truncate(bytes);
    out
}

fn gcm(key: &[u8], nonce: &[u8], text: &[u8]) -> Vec<u8> {
    let key = Key::<Aes256Gcm>::try_from(key).unwrap();
    let nonce = Nonce::try_from(nonce).unwrap();
    Aes256Gcm::new(&key).encrypt(&nonce, text).unwrap()
}

fn sealed_by_the_book(key: &DataKey, salt: &[u8], plaintext: &[u8], record: &[u8]) -> Vec<u8> {
    let mut header = b"sealgate".to_vec();
    header.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    let length = (plaintext.len() as u64).to_be_bytes();
    let label = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";
    let derived = expand(key, &[label, salt, &header, &length], 76);

    let mut stored = [&header, salt, &derived[44..]].concat();
    for index in 0..=(plaintext.len() / CHUNK_BYTES) {
        let chunk = &plaintext[index * CHUNK_BYTES..];
        let chunk = &chunk[..chunk.len().min(CHUNK_BYTES)];
        let base = u128::from_be_bytes([&[0; 4], &derived[32..44]].concat().try_into().unwrap());
        let nonce = (base ^ index as u128).to_be_bytes();
        stored.extend(gcm(&derived[..32], &nonce[4..], chunk));
    }
    let trailer = expand(key, &[b"sealgate/trailer@v1\0", salt], 44);
    stored.extend(gcm(&trailer[..32], &trailer[32..], record));
    stored
}

#[test]
fn a_second_implementation_seals_to_the_same_bytes() {
    for bytes in BORDERS {
        let (key, plaintext) = (key(), plaintext(bytes));
        let (segment, stored) = seal(&key, &plaintext, 10_000);
        let record = record(&plaintext);
        let mut record_bytes = vec![1, 1, 0, 0, 0, 0, 0, 0];
        record_bytes.extend(record.plaintext_bytes.to_be_bytes());
        record_bytes.extend(record.md5.unwrap());
        record_bytes.resize(128, 0);
        let expected = sealed_by_the_book(&key, segment.salt.as_bytes(), &plaintext, &record_bytes);
        assert!(stored == expected, "{bytes} bytes");
    }
}

#[test]
fn a_segment_is_a_message_of_the_specification_behind_its_header() {
    let (key, plaintext) = (key(), plaintext(50_000));
    let (segment, stored) = seal(&key, &plaintext, 10_000);
    let context = [&stored[..16], &50_000_u64.to_be_bytes()].concat();
    let chunks_end = stored.len() - 144;
    let message = &stored[16..chunks_end];
    assert_eq!(message[56..], stored[HEAD_BYTES..chunks_end]);
    assert!(open::message(&key, &context, message) == Ok(plaintext));
    assert_eq!(segment.head()[..], stored[..HEAD_BYTES]);
}
