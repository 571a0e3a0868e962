//! Ciphertexts of another emulator, LocalStack: opened, never made.
//!
//! A blob is the key's id (36 bytes), the nonce (16 bytes), the tag (16 bytes) and the ciphertext:
//! AES-GCM under the bare key, of the plaintext padded as CBC would need it (PKCS #7). The
//! additional data are names and values of the encryption context in the order of the names.

use std::collections::BTreeMap;

use aes_gcm::AesGcm;
use aes_gcm::KeyInit;
use aes_gcm::aead::Aead;
use aes_gcm::aead::Payload;
use aes_gcm::aead::consts::U16;
use aes_gcm::aes::Aes128;
use aes_gcm::aes::Aes192;
use aes_gcm::aes::Aes256;
use zeroize::Zeroizing;

use crate::crypto::Unauthentic;

/// A parsed blob of LocalStack. Its contents are claims until it opens.
pub struct ForeignBlob<'a> {
    /// The key that opens it, as the blob claims.
    pub key_id: &'a str,
    nonce: &'a [u8; NONCE_BYTES],
    tag: &'a [u8],
    ciphertext: &'a [u8],
}

impl<'a> ForeignBlob<'a> {
    /// Parses a blob; none if LocalStack cannot have made it.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (key_id, rest) = bytes.split_at_checked(KEY_ID_BYTES)?;
        let (nonce, rest) = rest.split_first_chunk()?;
        let (tag, ciphertext) = rest.split_at_checked(TAG_BYTES)?;
        Some(Self {
            key_id: std::str::from_utf8(key_id).ok()?,
            nonce,
            tag,
            ciphertext,
        })
    }

    /// The plaintext, under the bare key.
    ///
    /// # Errors
    ///
    /// [`Unauthentic`] when the blob was made under another key or for another context.
    pub fn open(
        &self,
        secret: &[u8],
        context: &BTreeMap<String, String>,
    ) -> Result<Zeroizing<Vec<u8>>, Unauthentic> {
        let aad: String = context
            .iter()
            .filter(|(name, _)| *name != UNBOUND)
            .flat_map(|(name, value)| [&**name, &**value])
            .collect();
        let sealed = [self.ciphertext, self.tag].concat();
        let payload = Payload {
            msg: &sealed,
            aad: aad.as_bytes(),
        };
        let nonce = self.nonce.into();
        let padded = match secret.len() {
            16 => AesGcm::<Aes128, U16>::new_from_slice(secret)
                .map_err(|_| Unauthentic)?
                .decrypt(nonce, payload),
            24 => AesGcm::<Aes192, U16>::new_from_slice(secret)
                .map_err(|_| Unauthentic)?
                .decrypt(nonce, payload),
            _ => AesGcm::<Aes256, U16>::new_from_slice(secret)
                .map_err(|_| Unauthentic)?
                .decrypt(nonce, payload),
        };
        let mut padded = Zeroizing::new(padded.map_err(|_| Unauthentic)?);
        let padding = padded.last().copied().map_or(0, usize::from);
        let length = padded.len().checked_sub(padding).ok_or(Unauthentic)?;
        padded.truncate(length);
        Ok(padded)
    }
}

const KEY_ID_BYTES: usize = 36;
const NONCE_BYTES: usize = 16;
const TAG_BYTES: usize = 16;

/// The one name of a context that LocalStack does not bind.
const UNBOUND: &str = "aws-crypto-public-key";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_opens_under_the_bare_key_and_its_context_only() {
        let secret = b"custom test key material";
        let cipher = AesGcm::<Aes192, U16>::new_from_slice(secret).unwrap();
        let mut padded = b"hello".to_vec();
        padded.extend([11; 11]);
        let payload = Payload {
            msg: &padded,
            aad: b"tenanta",
        };
        let sealed = cipher.encrypt(&[7; 16].into(), payload).unwrap();
        let (ciphertext, tag) = sealed.split_at(padded.len());
        let mut bytes = b"1234abcd-12ab-34cd-56ef-1234567890ab".to_vec();
        for part in [&[7; 16][..], tag, ciphertext] {
            bytes.extend_from_slice(part);
        }
        let blob = ForeignBlob::parse(&bytes).unwrap();
        assert_eq!(blob.key_id, "1234abcd-12ab-34cd-56ef-1234567890ab");
        let context = |value: &str| BTreeMap::from([("tenant".to_owned(), value.to_owned())]);
        assert_eq!(*blob.open(secret, &context("a")).unwrap(), b"hello");
        assert!(blob.open(secret, &context("b")).is_err());
        assert!(blob.open(&[0; 32], &context("a")).is_err());
        assert!(blob.open(&[0; 5], &context("a")).is_err());
        assert!(ForeignBlob::parse(&bytes[..67]).is_none());
    }
}
