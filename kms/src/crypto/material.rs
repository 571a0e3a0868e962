//! Key material: the secret of a KMS key, one for each rotation.

use crate::crypto::Unauthentic;
use crate::crypto::ciphertext;
use crate::crypto::ciphertext::Blob;
use crate::crypto::ciphertext::KeyName;
use crate::crypto::random;
use crate::crypto::xaes::Xaes256Gcm;
use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroizing;

/// Names one key material; AWS's `KeyMaterialId`. Tells nothing about the material.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MaterialId(pub [u8; 32]);

impl MaterialId {
    /// The id that AWS's 64 hex digits name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut id = [0; 32];
        hex::decode_to_slice(text, &mut id).ok()?;
        Some(Self(id))
    }
}

/// 64 hex digits, as AWS writes it.
impl fmt::Display for MaterialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 64];
        hex::encode_to_slice(self.0, &mut text).expect("32 bytes are 64 digits");
        f.write_str(std::str::from_utf8(&text).expect("hex digits are ASCII"))
    }
}

impl fmt::Debug for MaterialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The material of a symmetric encryption key.
///
/// Neither `Clone` nor `Debug`. The cipher's key schedule is made once.
pub struct SymmetricMaterial {
    id: MaterialId,
    /// AWS's spelling of the id, made once because most answers carry it.
    id_text: String,
    bytes: Zeroizing<[u8; SYMMETRIC_BYTES]>,
    cipher: Xaes256Gcm,
}

impl SymmetricMaterial {
    /// Fresh random material for the key of that id.
    #[must_use]
    pub fn generate(key_id: &str) -> Self {
        let mut bytes = Zeroizing::new([0; SYMMETRIC_BYTES]);
        random(bytes.as_mut_slice());
        Self::new(key_id, bytes)
    }

    /// Given material for the key of that id: the same material gets the same id again.
    ///
    /// `None` unless it is 32 bytes long.
    #[must_use]
    pub fn from_bytes(key_id: &str, bytes: &[u8]) -> Option<Self> {
        let bytes = Zeroizing::new(<[u8; SYMMETRIC_BYTES]>::try_from(bytes).ok()?);
        Some(Self::new(key_id, bytes))
    }

    fn new(key_id: &str, bytes: Zeroizing<[u8; SYMMETRIC_BYTES]>) -> Self {
        let id = name(key_id, bytes.as_slice());
        let cipher = Xaes256Gcm::new(&bytes);
        Self {
            id,
            id_text: id.to_string(),
            bytes,
            cipher,
        }
    }

    /// The material's name.
    #[must_use]
    pub const fn id(&self) -> MaterialId {
        self.id
    }

    /// The material's name, as AWS writes it.
    #[must_use]
    pub fn id_text(&self) -> &str {
        &self.id_text
    }

    /// The secret itself, to be sealed and stored.
    #[must_use]
    pub fn secret(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    /// A ciphertext blob of `plaintext`, bound to the key's name and the encryption context.
    #[must_use]
    pub fn seal(
        &self,
        key: KeyName<'_>,
        context: &BTreeMap<String, String>,
        plaintext: &[u8],
    ) -> Vec<u8> {
        ciphertext::seal(&self.cipher, key, &self.id, context, plaintext)
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

/// Names material by a keyed hash of the key's id, so that the same material in two keys has two
/// names, and the name does not help to guess the material.
fn name(key_id: &str, secret: &[u8]) -> MaterialId {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(b"sealgate kms key material id\0");
    mac.update(key_id.as_bytes());
    MaterialId(mac.finalize().into_bytes().into())
}

/// Bytes of a symmetric key's material.
pub const SYMMETRIC_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_material_has_one_name_in_each_key() {
        let name = |key_id| {
            SymmetricMaterial::from_bytes(key_id, &[5; 32])
                .unwrap()
                .id()
        };
        assert_eq!(name("a"), name("a"));
        assert_ne!(name("a"), name("b"));
    }

    #[test]
    fn a_name_survives_its_text() {
        let material = SymmetricMaterial::generate("a");
        assert_eq!(material.id_text().len(), 64);
        assert_eq!(MaterialId::parse(material.id_text()), Some(material.id()));
        assert_eq!(MaterialId::parse("00"), None);
    }

    #[test]
    fn symmetric_material_is_32_bytes_long() {
        assert!(SymmetricMaterial::from_bytes("a", &[0; 31]).is_none());
    }
}
