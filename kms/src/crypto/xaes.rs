//! XAES-256-GCM: AES-256-GCM under a key made for each message from a nonce of 24 random bytes.
//!
//! With GCM's own 12-byte nonces, one key may seal about 2^32 messages under random nonces, which a
//! busy KMS key reaches within a day. Here the first half of the nonce makes the message's key, so
//! one key may seal 2^80 messages. The key schedule for that step is made once for each key.
//!
//! Source: <https://c2sp.org/XAES-256-GCM>

use aes_gcm::KeyInit;
use aes_gcm::aes::Aes256;
use aes_gcm::aes::Block;
use aes_gcm::aes::cipher::BlockCipherEncrypt;
use aws_lc_rs::aead::AES_256_GCM;
use aws_lc_rs::aead::Aad;
use aws_lc_rs::aead::LessSafeKey;
use aws_lc_rs::aead::Nonce;
use aws_lc_rs::aead::UnboundKey;
use zeroize::Zeroizing;

use crate::crypto::Unauthentic;
use crate::crypto::random_array;

/// The nonce of one message: random, and consumed by sealing.
pub struct MessageNonce([u8; NONCE_BYTES]);

impl MessageNonce {
    /// A nonce that no other message has.
    #[must_use]
    pub fn fresh() -> Self {
        Self(random_array())
    }
}

/// A key that seals any number of short messages.
pub(crate) struct Xaes256Gcm {
    cipher: Aes256,
    /// The subkey K1 of CMAC (SP 800-38B).
    mask: Zeroizing<[u8; 16]>,
}

impl Xaes256Gcm {
    pub(crate) fn new(key: &[u8; KEY_BYTES]) -> Self {
        let cipher = Aes256::new(key.into());
        let mut block = Block::default();
        cipher.encrypt_block(&mut block);
        let mask = Zeroizing::new(double(block.into()));
        Self { cipher, mask }
    }

    /// Appends the nonce, the sealed `plaintext` and its tag to `out`.
    pub(crate) fn seal(
        &self,
        nonce: MessageNonce,
        aad: &[u8],
        plaintext: &[u8],
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(&nonce.0);
        let (key, nonce) = self.message_key(&nonce.0);
        let start = out.len();
        out.extend_from_slice(plaintext);
        let sealed = out
            .get_mut(start..)
            .expect("the plaintext was just appended");
        let tag = key
            .seal_in_place_separate_tag(nonce, Aad::from(aad), sealed)
            .expect("a message is far shorter than GCM's limit");
        out.extend_from_slice(tag.as_ref());
    }

    /// The plaintext of `sealed`, which ends in its tag.
    pub(crate) fn open(
        &self,
        nonce: &[u8; NONCE_BYTES],
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Unauthentic> {
        let (key, nonce) = self.message_key(nonce);
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let length = key
            .open_in_place(nonce, Aad::from(aad), &mut buffer)
            .map_err(|_| Unauthentic)?
            .len();
        buffer.truncate(length);
        Ok(buffer)
    }

    fn message_key(&self, nonce: &[u8; NONCE_BYTES]) -> (LessSafeKey, Nonce) {
        let (head, tail) = nonce.split_at(NONCE_BYTES / 2);
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        for (half, counter) in key.chunks_exact_mut(16).zip(1_u8..) {
            let mut block = [0, counter, b'X', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            for (to, from) in block.iter_mut().skip(4).zip(head) {
                *to = *from;
            }
            for (to, from) in block.iter_mut().zip(self.mask.iter()) {
                *to ^= *from;
            }
            let mut block = Block::from(block);
            self.cipher.encrypt_block(&mut block);
            half.copy_from_slice(&block);
        }
        let key = UnboundKey::new(&AES_256_GCM, key.as_slice()).expect("the key has 32 bytes");
        let nonce = Nonce::try_assume_unique_for_key(tail).expect("half a nonce has 12 bytes");
        (LessSafeKey::new(key), nonce)
    }
}

/// Doubling in GF(2^128) as CMAC has it, in constant time.
fn double(block: [u8; 16]) -> [u8; 16] {
    let value = u128::from_be_bytes(block);
    let carry = value >> 127;
    ((value << 1) ^ (carry * 0x87)).to_be_bytes()
}

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 32;
/// Bytes of a nonce.
pub(crate) const NONCE_BYTES: usize = 24;
/// Bytes by which a sealed message is longer than its plaintext.
pub(crate) const TAG_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(key: u8, aad: &[u8]) -> String {
        let mut out = Vec::new();
        let nonce = MessageNonce(*b"ABCDEFGHIJKLMNOPQRSTUVWX");
        Xaes256Gcm::new(&[key; 32]).seal(nonce, aad, b"XAES-256-GCM", &mut out);
        hex::encode(&out[NONCE_BYTES..])
    }

    /// The two test vectors of the specification.
    #[test]
    fn the_specifications_vectors_hold() {
        assert_eq!(
            seal(1, b""),
            "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"
        );
        assert_eq!(
            seal(3, b"c2sp.org/XAES-256-GCM"),
            "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"
        );
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let key = Xaes256Gcm::new(&[7; 32]);
        let mut sealed = Vec::new();
        key.seal(MessageNonce([1; 24]), b"aad", b"text", &mut sealed);
        let sealed = &sealed[NONCE_BYTES..];
        assert_eq!(*key.open(&[1; 24], b"aad", sealed).unwrap(), b"text");
        assert!(key.open(&[2; 24], b"aad", sealed).is_err());
        assert!(key.open(&[1; 24], b"AAD", sealed).is_err());
        assert!(key.open(&[1; 24], b"aad", &[]).is_err());
    }
}
