//! The material of symmetric encryption keys.

use std::collections::BTreeMap;

use sha2::Digest as _;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::crypto::Unauthentic;
use crate::crypto::ciphertext;
use crate::crypto::ciphertext::Blob;
use crate::crypto::ciphertext::KeyName;
use crate::crypto::material_id::MaterialId;
use crate::crypto::xaes::MessageNonce;
use crate::crypto::xaes::Xaes256Gcm;

/// The material of a symmetric encryption key. The cipher's key schedule is made once.
///
/// Neither `Clone` nor `Debug`.
pub struct SymmetricKey {
    cipher: Xaes256Gcm,
}

impl SymmetricKey {
    /// Material of another length than AWS's is hashed to it.
    pub(crate) fn new(secret: &[u8]) -> Self {
        let digest;
        let key: &[u8; SYMMETRIC_BYTES] = if let Ok(key) = secret.try_into() {
            key
        } else {
            digest = Zeroizing::new(Sha256::digest(secret).into());
            &digest
        };
        Self {
            cipher: Xaes256Gcm::new(key),
        }
    }

    /// A ciphertext blob of `plaintext`, bound to the key's name and the encryption context.
    #[must_use]
    pub fn seal(
        &self,
        key: KeyName<'_>,
        material_id: &MaterialId,
        context: &BTreeMap<String, String>,
        plaintext: &[u8],
        nonce: MessageNonce,
    ) -> Vec<u8> {
        ciphertext::seal(&self.cipher, key, material_id, context, plaintext, nonce)
    }

    /// The plaintext of a blob.
    ///
    /// # Errors
    ///
    /// [`Unauthentic`] when the blob was made under other material or for another encryption
    /// context, or was changed.
    pub fn open(
        &self,
        blob: &Blob<'_>,
        context: &BTreeMap<String, String>,
    ) -> Result<Zeroizing<Vec<u8>>, Unauthentic> {
        blob.open(&self.cipher, context)
    }
}

/// Bytes of a symmetric key's material.
pub const SYMMETRIC_BYTES: usize = 32;
