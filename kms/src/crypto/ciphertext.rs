//! The ciphertext blob of symmetric keys; `kms/CIPHERTEXT.md` is its standard.
//!
//! A blob names the key and the key material that open it. The head has a checksum, so that a
//! damaged blob is distinguished from one of a key that is not here. AES-GCM alone authenticates
//! head, encryption context and plaintext.

use std::collections::BTreeMap;

use sha2::Digest;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::crypto::Unauthentic;
use crate::crypto::encryption_context;
use crate::crypto::material_id::MaterialId;
use crate::crypto::xaes::MessageNonce;
use crate::crypto::xaes::NONCE_BYTES;
use crate::crypto::xaes::TAG_BYTES;
use crate::crypto::xaes::Xaes256Gcm;

/// Which key a blob is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyName<'a> {
    /// Account of the key: 12 digits.
    pub account: &'a str,
    /// Region the blob was made in.
    pub region: &'a str,
    /// The key's id.
    pub key_id: &'a str,
}

/// A parsed blob. Its contents are claims until [`Blob::open`] succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob<'a> {
    /// The key that opens it, as the blob claims.
    pub key: KeyName<'a>,
    /// The material of that key that opens it, as the blob claims.
    pub material_id: MaterialId,
    head: &'a [u8],
    nonce: &'a [u8; NONCE_BYTES],
    sealed: &'a [u8],
}

impl<'a> Blob<'a> {
    /// Parses a blob. `None` if this KMS cannot have made it, or its head is damaged.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&[VERSION, ALGORITHM])?;
        let (material_id, rest) = rest.split_first_chunk()?;
        let (account, rest) = text(rest)?;
        let (region, rest) = text(rest)?;
        let (key_id, rest) = text(rest)?;
        let head = bytes.get(..bytes.len() - rest.len())?;
        let (checksum, rest) = rest.split_first_chunk()?;
        if *checksum != check(head) {
            return None;
        }

        let (nonce, sealed) = rest.split_first_chunk()?;
        let key = KeyName {
            account,
            region,
            key_id,
        };
        Some(Self {
            key,
            material_id: MaterialId(*material_id),
            head,
            nonce,
            sealed,
        })
    }

    pub(crate) fn open(
        &self,
        key: &Xaes256Gcm,
        context: &BTreeMap<String, String>,
    ) -> Result<Zeroizing<Vec<u8>>, Unauthentic> {
        key.open(self.nonce, &aad(self.head, context), self.sealed)
    }
}

/// Seals `plaintext` for the key of that name.
pub(crate) fn seal(
    key: &Xaes256Gcm,
    name: KeyName<'_>,
    material_id: &MaterialId,
    context: &BTreeMap<String, String>,
    plaintext: &[u8],
    nonce: MessageNonce,
) -> Vec<u8> {
    let names = name.account.len() + name.region.len() + name.key_id.len();
    let mut blob = Vec::with_capacity(FIXED_BYTES + names + plaintext.len());
    blob.extend_from_slice(&[VERSION, ALGORITHM]);
    blob.extend_from_slice(&material_id.0);
    for part in [name.account, name.region, name.key_id] {
        blob.push(u8::try_from(part.len()).expect("names of keys are at most 255 bytes long"));
        blob.extend_from_slice(part.as_bytes());
    }
    let aad = aad(&blob, context);
    let checksum = check(&blob);
    blob.extend_from_slice(&checksum);
    key.seal(nonce, &aad, plaintext, &mut blob);
    blob
}

fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((std::str::from_utf8(text).ok()?, rest))
}

fn aad(head: &[u8], context: &BTreeMap<String, String>) -> Vec<u8> {
    let pairs = 4 + 8 * context.len() + encryption_context::bytes(context);
    let mut aad = Vec::with_capacity(head.len() + pairs);
    aad.extend_from_slice(head);
    encryption_context::write_canonical(context, &mut aad);
    aad
}

fn check(head: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = Sha256::digest(head);
    *digest
        .first_chunk()
        .expect("SHA-256 has more bytes than the checksum")
}

/// First byte of every blob: the version of its layout.
const VERSION: u8 = 1;
/// Second byte: XAES-256-GCM.
const ALGORITHM: u8 = 1;
const CHECKSUM_BYTES: usize = 8;
/// Bytes of a blob besides the key's names and the plaintext.
const FIXED_BYTES: usize = 2 + 32 + 3 + CHECKSUM_BYTES + NONCE_BYTES + TAG_BYTES;

/// Longest account, Region or key id, in bytes.
pub const NAME_BYTES_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: KeyName<'static> = KeyName {
        account: "111122223333",
        region: "us-east-1",
        key_id: "testkey-1",
    };

    fn context(value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([("tenant".to_owned(), value.to_owned())])
    }

    fn sealed(key: &Xaes256Gcm) -> Vec<u8> {
        seal(
            key,
            NAME,
            &MaterialId([9; 32]),
            &context("a"),
            b"secret",
            MessageNonce::fresh(),
        )
    }

    #[test]
    fn a_blob_opens_under_its_key_and_context_only() {
        let key = Xaes256Gcm::new(&[1; 32]);
        let bytes = sealed(&key);
        let blob = Blob::parse(&bytes).unwrap();
        assert_eq!(blob.key, NAME);
        assert_eq!(blob.material_id, MaterialId([9; 32]));
        assert_eq!(*blob.open(&key, &context("a")).unwrap(), b"secret");
        assert!(blob.open(&key, &context("A")).is_err());
        assert!(blob.open(&key, &BTreeMap::new()).is_err());
        assert!(
            blob.open(&Xaes256Gcm::new(&[2; 32]), &context("a"))
                .is_err()
        );
    }

    #[test]
    fn a_blob_with_any_bit_flipped_does_not_open() {
        let key = Xaes256Gcm::new(&[1; 32]);
        let bytes = sealed(&key);
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let opened = Blob::parse(&changed).map(|blob| blob.open(&key, &context("a")));
            assert!(!matches!(opened, Some(Ok(_))), "bit {bit}");
        }
    }

    #[test]
    fn damage_in_the_head_is_seen_without_a_key() {
        let bytes = sealed(&Xaes256Gcm::new(&[1; 32]));
        let head_bytes = bytes.len() - b"secret".len() - TAG_BYTES - NONCE_BYTES;
        for at in 0..head_bytes {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(Blob::parse(&changed), None, "byte {at}");
        }
    }

    #[test]
    fn a_truncated_or_extended_blob_does_not_open() {
        let key = Xaes256Gcm::new(&[1; 32]);
        let mut bytes = sealed(&key);
        for length in 0..bytes.len() {
            let opened = Blob::parse(&bytes[..length]).map(|blob| blob.open(&key, &context("a")));
            assert!(!matches!(opened, Some(Ok(_))), "length {length}");
        }
        bytes.push(0);
        assert!(
            Blob::parse(&bytes)
                .unwrap()
                .open(&key, &context("a"))
                .is_err()
        );
    }

    #[test]
    fn a_blob_is_as_much_longer_than_its_plaintext_as_documented() {
        let bytes = sealed(&Xaes256Gcm::new(&[1; 32]));
        assert_eq!(bytes.len(), FIXED_BYTES + 12 + 9 + 9 + b"secret".len());
    }
}
