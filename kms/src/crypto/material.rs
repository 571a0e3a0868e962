//! Key material: the secret of a KMS key, one for each rotation.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::crypto::Unauthentic;
use crate::crypto::foreign::ForeignBlob;
use crate::crypto::mac::MacKey;
use crate::crypto::material_id::MaterialId;
use crate::crypto::pair::Pair;
use crate::crypto::random;
use crate::crypto::spec::KeySpec;
use crate::crypto::symmetric::SYMMETRIC_BYTES;
use crate::crypto::symmetric::SymmetricKey;

/// Proof that a caller may use a key's material.
///
/// `authorize::Permitted<Cryptography>` implements it and nothing else does, so that no operation
/// encrypts, decrypts, signs or agrees on a key unless the caller was authorized for it.
pub trait UsePermit {}

/// For tests of algorithms, which have no callers.
#[cfg(test)]
impl UsePermit for () {}

/// One key material, ready for use.
///
/// Neither `Clone` nor `Debug`.
pub struct Material {
    id: MaterialId,
    /// AWS's spelling of the id, made once because most answers carry it.
    id_text: String,
    secret: Zeroizing<Vec<u8>>,
    ready: Ready,
}

enum Ready {
    Symmetric(Box<SymmetricKey>),
    Mac(Box<MacKey>),
    Pair(Box<Pair>),
}

impl Material {
    /// Fresh random material of that spec for the key of that id; none for a spec whose keys are not
    /// made here (SM2).
    #[must_use]
    pub fn generate(spec: KeySpec, key_id: &str) -> Option<Self> {
        let secret = match secret_bytes(spec) {
            Some(bytes) => {
                let mut secret = Zeroizing::new(vec![0; bytes]);
                random(&mut secret);
                secret
            }
            None => Pair::generate_secret(spec)?,
        };
        Self::from_secret(spec, key_id, secret)
    }

    /// Given material for the key of that id: the same material gets the same id again.
    ///
    /// Symmetric and HMAC material is the bare key; that of a pair is PKCS #8, for ML-KEM the
    /// decapsulation key of FIPS 203. `None` unless the material is of that spec.
    #[must_use]
    pub fn from_secret(spec: KeySpec, key_id: &str, secret: Zeroizing<Vec<u8>>) -> Option<Self> {
        if secret_bytes(spec).is_some_and(|bytes| secret.len() != bytes) {
            return None;
        }
        Self::from_stored(spec, key_id, secret)
    }

    /// As [`Material::from_secret`], for material that was taken in before: symmetric and HMAC
    /// material of LocalStack's users may have any length.
    #[must_use]
    pub fn from_stored(spec: KeySpec, key_id: &str, secret: Zeroizing<Vec<u8>>) -> Option<Self> {
        let ready = match secret_bytes(spec) {
            Some(_) if secret.is_empty() => return None,
            Some(_) if spec.is_hmac() => Ready::Mac(Box::new(MacKey::new(spec, &secret)?)),
            Some(_) => Ready::Symmetric(Box::new(SymmetricKey::new(&secret))),
            None => Ready::Pair(Box::new(Pair::from_secret(spec, &secret)?)),
        };
        let id = MaterialId::new(key_id, &secret);
        Some(Self {
            id,
            id_text: id.to_string(),
            secret,
            ready,
        })
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
        &self.secret
    }

    /// The plaintext of a blob that LocalStack made under this material.
    ///
    /// # Errors
    ///
    /// [`Unauthentic`] when the blob was made under another key or for another context.
    pub fn open_foreign(
        &self,
        _: &impl UsePermit,
        blob: &ForeignBlob<'_>,
        context: &BTreeMap<String, String>,
    ) -> Result<Zeroizing<Vec<u8>>, Unauthentic> {
        blob.open(&self.secret, context)
    }

    /// The material, if it is for symmetric encryption.
    #[must_use]
    pub fn symmetric(&self, _: &impl UsePermit) -> Option<&SymmetricKey> {
        match &self.ready {
            Ready::Symmetric(key) => Some(key),
            _ => None,
        }
    }

    /// The material, if it is for message authentication codes.
    #[must_use]
    pub fn mac(&self, _: &impl UsePermit) -> Option<&MacKey> {
        match &self.ready {
            Ready::Mac(key) => Some(key),
            _ => None,
        }
    }

    /// The public key, if the material is a pair: DER, a `SubjectPublicKeyInfo` of RFC 5280.
    #[must_use]
    pub fn public_key(&self) -> Option<&[u8]> {
        match &self.ready {
            Ready::Pair(pair) => Some(pair.public_key()),
            _ => None,
        }
    }

    /// The material, if it is a pair of a private and a public key.
    #[must_use]
    pub fn pair(&self, _: &impl UsePermit) -> Option<&Pair> {
        match &self.ready {
            Ready::Pair(pair) => Some(pair),
            _ => None,
        }
    }
}

/// Bytes of a secret that is no pair.
///
/// Source: <https://docs.aws.amazon.com/kms/latest/developerguide/hmac.html>
const fn secret_bytes(spec: KeySpec) -> Option<usize> {
    match spec {
        KeySpec::SymmetricDefault => Some(SYMMETRIC_BYTES),
        KeySpec::Hmac224 => Some(28),
        KeySpec::Hmac256 => Some(32),
        KeySpec::Hmac384 => Some(48),
        KeySpec::Hmac512 => Some(64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_material_has_one_name_in_each_key() {
        let name = |key_id| {
            let secret = Zeroizing::new(vec![5; 32]);
            Material::from_secret(KeySpec::SymmetricDefault, key_id, secret)
                .unwrap()
                .id()
        };
        assert_eq!(name("a"), name("a"));
        assert_ne!(name("a"), name("b"));
    }

    #[test]
    fn a_name_is_written_as_64_hex_digits() {
        let material = Material::generate(KeySpec::SymmetricDefault, "a").unwrap();
        assert_eq!(material.id_text(), hex::encode(material.id().0));
    }

    #[test]
    fn material_of_another_length_is_refused() {
        let of = |spec, bytes| Material::from_secret(spec, "a", Zeroizing::new(vec![0; bytes]));
        assert!(of(KeySpec::SymmetricDefault, 31).is_none());
        assert!(of(KeySpec::Hmac512, 64).is_some());
        assert!(of(KeySpec::Hmac512, 32).is_none());
        assert!(of(KeySpec::Rsa2048, 32).is_none());
    }

    #[test]
    fn material_of_every_spec_survives_its_secret() {
        for spec in [
            KeySpec::SymmetricDefault,
            KeySpec::Hmac384,
            KeySpec::Rsa2048,
            KeySpec::EccNistP256,
            KeySpec::EccNistP384,
            KeySpec::EccNistP521,
            KeySpec::EccSecgP256K1,
            KeySpec::EccNistEdwards25519,
            KeySpec::MlDsa44,
            KeySpec::MlDsa65,
            KeySpec::MlDsa87,
            KeySpec::MlKem512,
            KeySpec::MlKem768,
            KeySpec::MlKem1024,
        ] {
            let made = Material::generate(spec, "a").unwrap();
            let secret = Zeroizing::new(made.secret().to_vec());
            let read = Material::from_secret(spec, "a", secret).unwrap();
            assert_eq!(made.id(), read.id(), "{spec:?}");
            let public = |material: &Material| material.public_key().map(<[u8]>::to_vec);
            assert_eq!(public(&made), public(&read), "{spec:?}");
        }
        assert!(Material::generate(KeySpec::Sm2, "a").is_none());
    }
}
