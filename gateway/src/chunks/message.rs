//! The keys of one C2SP chunked-encryption message with AES-256-GCM and SHA-512
//! ("Cobblestone-256").
//!
//! Specification: <https://c2sp.org/chunked-encryption>.

use crate::chunks::DataKey;
use crate::chunks::KEY_BYTES;
use crate::chunks::OpenError;
use crate::chunks::Salt;
use crate::chunks::cipher;
use crate::chunks::cipher::ChunkKey;
use crate::chunks::cipher::NONCE_BYTES;
use crate::chunks::layout::COMMITMENT_BYTES;
use crate::chunks::layout::TAG_BYTES;

/// Key, base nonce and commitment of one message.
pub(crate) struct MessageKeys {
    /// In its own place: half a kilobyte that would be copied wherever a segment's keys go.
    key: Box<ChunkKey>,
    base_nonce: [u8; NONCE_BYTES],
    commitment: [u8; COMMITMENT_BYTES],
}

impl MessageKeys {
    /// The keys that belong to the input key, the salt and the context.
    pub(crate) fn derive(input_key: &DataKey, salt: &Salt, context: &[u8]) -> Self {
        let derived = input_key.expand::<DERIVED_BYTES>(&[LABEL, salt.as_bytes(), context]);
        let (key, rest) = derived.split_first_chunk().expect("the key comes first");
        let (base_nonce, commitment) = rest.split_first_chunk().expect("then the nonce");
        Self {
            key: Box::new(ChunkKey::new(key)),
            base_nonce: *base_nonce,
            commitment: commitment.try_into().expect("the commitment is the rest"),
        }
    }

    pub(crate) fn commitment(&self) -> [u8; COMMITMENT_BYTES] {
        self.commitment
    }

    /// Passes the keys on if `commitment` is theirs, found out in constant time.
    pub(crate) fn committed(self, commitment: &[u8; COMMITMENT_BYTES]) -> Result<Self, OpenError> {
        if cipher::same(&self.commitment, commitment) {
            Ok(self)
        } else {
            Err(OpenError::Commitment)
        }
    }

    /// Encrypts chunk `index` in place; each index once.
    pub(crate) fn seal_chunk(&self, index: u64, in_out: &mut [u8]) -> [u8; TAG_BYTES] {
        self.key.seal(self.nonce(index), &[], in_out)
    }

    /// Decrypts chunk `index`, its tag at its end, in place. What is left at the end of `sealed`
    /// is the tag, to be cut off.
    pub(crate) fn open_chunk(&self, index: u64, sealed: &mut [u8]) -> Result<(), OpenError> {
        let forged = OpenError::Chunk { index };
        let (chunk, tag) = sealed.split_last_chunk_mut::<TAG_BYTES>().ok_or(forged)?;
        self.key
            .open(self.nonce(index), &[], chunk, tag)
            .map_err(|_| forged)
    }

    /// The base nonce XOR the index as a big-endian number of the same width.
    fn nonce(&self, index: u64) -> [u8; NONCE_BYTES] {
        let mut nonce = self.base_nonce;
        for (byte, counter) in nonce.iter_mut().rev().zip(index.to_be_bytes().iter().rev()) {
            *byte ^= counter;
        }
        nonce
    }
}

/// Names the scheme and its cipher; the zero byte ends the name.
const LABEL: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";

/// What HKDF gives for one message: key, base nonce, commitment.
const DERIVED_BYTES: usize = KEY_BYTES + NONCE_BYTES + COMMITMENT_BYTES;
