//! The algorithms: the one place in the gateway that names the libraries for AES-GCM, HKDF and HMAC
//! of sealed objects.
//!
//! AES-256-GCM (NIST SP 800-38D), HKDF (RFC 5869) with SHA-512, HMAC (RFC 2104) with SHA-256.

use std::sync::OnceLock;

use aws_lc_rs::aead::AES_256_GCM;
use aws_lc_rs::aead::Aad;
use aws_lc_rs::aead::LessSafeKey;
use aws_lc_rs::aead::Nonce;
use aws_lc_rs::aead::UnboundKey;
use aws_lc_rs::hkdf;
use aws_lc_rs::hkdf::HKDF_SHA512;
use aws_lc_rs::hkdf::KeyType;
use hmac::Hmac;
use hmac::KeyInit as _;
use hmac::Mac as _;
use hmac::digest::FixedOutput as _;
use sha2::Sha256;
use sha2::Sha512;
use zeroize::Zeroize;
use zeroize::ZeroizeOnDrop;
use zeroize::Zeroizing;

use crate::chunks::KEY_BYTES;
use crate::chunks::SALT_BYTES;
use crate::chunks::layout::TAG_BYTES;
use crate::chunks::random::Random;

/// An AES-256-GCM key that seals many chunks, each under a nonce of its own.
pub(crate) struct ChunkKey(LessSafeKey);

impl ChunkKey {
    pub(crate) fn new(key: &[u8; KEY_BYTES]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key).expect("an AES-256 key has 32 bytes");
        Self(LessSafeKey::new(key))
    }

    /// Encrypts `in_out` in place; the tag comes back.
    pub(crate) fn seal(
        &self,
        nonce: [u8; NONCE_BYTES],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> [u8; TAG_BYTES] {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(aad), in_out)
            .expect("the message is far below the limit of AES-GCM");
        tag.as_ref()
            .try_into()
            .expect("a tag of AES-GCM has 16 bytes")
    }

    /// Decrypts `in_out` in place if `tag` is right. If not, what `in_out` then holds must not be
    /// used.
    pub(crate) fn open(
        &self,
        nonce: [u8; NONCE_BYTES],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8],
    ) -> Result<(), Forged> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        match self
            .0
            .open_in_place_separate_tag(nonce, Aad::from(aad), tag, in_out)
        {
            Ok(_) => Ok(()),
            Err(_) => {
                in_out.zeroize();
                Err(Forged)
            }
        }
    }
}

/// An AES-256-GCM key and nonce that seal one message: spent by use.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct SingleUseKey {
    key: [u8; KEY_BYTES],
    nonce: [u8; NONCE_BYTES],
}

impl SingleUseKey {
    pub(crate) fn from_bytes(bytes: &[u8; SINGLE_USE_BYTES]) -> Self {
        let (key, nonce) = bytes.split_at(KEY_BYTES);
        Self {
            key: key.try_into().expect("split at the key's length"),
            nonce: nonce.try_into().expect("a nonce is left"),
        }
    }

    pub(crate) fn seal(self, aad: &[u8], in_out: &mut [u8]) -> [u8; TAG_BYTES] {
        ChunkKey::new(&self.key).seal(self.nonce, aad, in_out)
    }

    pub(crate) fn open(self, aad: &[u8], in_out: &mut [u8], tag: &[u8]) -> Result<(), Forged> {
        ChunkKey::new(&self.key).open(self.nonce, aad, in_out, tag)
    }
}

/// A uniformly random key that others are derived from, by HKDF-Expand with SHA-512.
///
/// The key's own blocks are hashed once, however often is derived from it: a small object takes
/// three derivations from its data key, and they are most of what its cryptography costs.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct DerivationKey {
    bytes: [u8; KEY_BYTES],
    /// Made when something is derived first; it and its copies wipe themselves.
    #[zeroize(skip)]
    hashed: OnceLock<Box<Hmac<Sha512>>>,
}

impl DerivationKey {
    /// A new key from the random source.
    pub(crate) fn generate(random: &dyn Random) -> Self {
        let mut key = Self::zero();
        random.fill(&mut key.bytes);
        key
    }

    /// The key of these bytes; `None` unless there are [`KEY_BYTES`] of them.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut key = Self::zero();
        (bytes.len() == KEY_BYTES).then(|| key.bytes.copy_from_slice(bytes))?;
        Some(key)
    }

    /// A key to be filled in where it lies, so that no copy of it stays behind.
    fn zero() -> Self {
        Self {
            bytes: [0; KEY_BYTES],
            hashed: OnceLock::new(),
        }
    }

    /// The key itself.
    pub(crate) fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }

    /// `N` bytes for the one use that `info` names. `N` is fixed by the caller's type, well below HKDF's limit of 255 * 64 bytes. The pieces of
    /// `info` are concatenated, so all but one of them must have a fixed length.
    pub(crate) fn expand<const N: usize>(&self, info: &[&[u8]]) -> Zeroizing<[u8; N]> {
        let key = self
            .hashed
            .get_or_init(|| Box::new(Hmac::new_from_slice(&self.bytes).expect(ANY_LENGTH)));
        let mut out = Zeroizing::new([0; N]);
        let mut block = Zeroizing::new([0; BLOCK_BYTES]);
        for (counter, part) in (1..=u8::MAX).zip(out.chunks_mut(BLOCK_BYTES)) {
            // RFC 5869, section 2.3: T(i) = HMAC(key, T(i - 1) | info | i), and T(0) is empty.
            let mut mac = Hmac::clone(key);
            if counter > 1 {
                mac.update(block.as_slice());
            }
            for piece in info {
                mac.update(piece);
            }
            mac.update(&[counter]);
            mac.finalize_into((&mut *block).into());
            let (made, _) = block.split_at(part.len());
            part.copy_from_slice(made);
        }
        out
    }
}

/// HKDF with SHA-512: extract and expand, from a secret that may be less than uniformly random.
pub(crate) fn extract_and_expand<const N: usize>(
    salt: &[u8; SALT_BYTES],
    secret: &[u8; KEY_BYTES],
    info: &[&[u8]],
) -> Zeroizing<[u8; N]> {
    let key = hkdf::Salt::new(HKDF_SHA512, salt).extract(secret);
    let mut out = Zeroizing::new([0; N]);
    key.expand(info, OutputLength(N))
        .and_then(|okm| okm.fill(out.as_mut_slice()))
        .expect("the output is within the limit of HKDF");
    out
}

/// HMAC-SHA-256 of the pieces, one after the other.
pub(crate) fn mac(key: &[u8; KEY_BYTES], pieces: &[&[u8]]) -> [u8; MAC_BYTES] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect(ANY_LENGTH);
    for piece in pieces {
        mac.update(piece);
    }
    mac.finalize().into_bytes().into()
}

/// SHA-512.
pub(crate) fn sha512(bytes: &[u8]) -> [u8; 64] {
    <Sha512 as sha2::Digest>::digest(bytes).into()
}

/// SHA-256 of the pieces, one after the other.
pub(crate) fn sha256(pieces: &[&[u8]]) -> [u8; 32] {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for piece in pieces {
        context.update(piece);
    }
    context
        .finish()
        .as_ref()
        .try_into()
        .expect("SHA-256 has 32 bytes")
}

/// Whether two values are equal, in a time that does not depend on where they differ.
pub(crate) fn same(left: &[u8], right: &[u8]) -> bool {
    subtle::ConstantTimeEq::ct_eq(left, right).into()
}

/// A tag that did not match.
pub(crate) struct Forged;

#[derive(Clone, Copy)]
struct OutputLength(usize);

impl KeyType for OutputLength {
    fn len(&self) -> usize {
        self.0
    }
}

/// Length of an AES-GCM nonce.
pub(crate) const NONCE_BYTES: usize = 12;

/// Length of what a [`SingleUseKey`] is made from: key and nonce.
pub(crate) const SINGLE_USE_BYTES: usize = KEY_BYTES + NONCE_BYTES;

/// Length of an HMAC-SHA-512, which HKDF puts its output together from.
const BLOCK_BYTES: usize = 64;

/// Why HMAC takes a key.
const ANY_LENGTH: &str = "HMAC takes a key of any length";

/// Length of an HMAC-SHA-256.
pub(crate) const MAC_BYTES: usize = 32;
