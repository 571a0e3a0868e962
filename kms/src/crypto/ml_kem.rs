//! ML-KEM pairs (FIPS 203).

use aws_lc_rs::kem;
use aws_lc_rs::kem::Ciphertext;
use aws_lc_rs::kem::DecapsulationKey;
use aws_lc_rs::kem::EncapsulationKey;
use zeroize::Zeroizing;

use crate::crypto::Unauthentic;
use crate::crypto::der;
use crate::crypto::spec::KeySpec;

/// An ML-KEM pair.
pub struct MlKemPair {
    set: &'static Set,
    decapsulating: DecapsulationKey,
    encapsulating: EncapsulationKey,
    public_key: Vec<u8>,
}

/// One parameter set.
struct Set {
    algorithm: &'static kem::Algorithm,
    /// Rank of the module, the parameter k.
    rank: usize,
    /// Last arc of the object identifier 2.16.840.1.101.3.4.4.
    arc: u8,
    ciphertext_bytes: usize,
}

impl MlKemPair {
    pub(crate) fn generate(spec: KeySpec) -> Option<Zeroizing<Vec<u8>>> {
        let key = DecapsulationKey::generate(set(spec).algorithm).ok()?;
        Some(Zeroizing::new(key.key_bytes().ok()?.as_ref().to_vec()))
    }

    /// The pair of a decapsulation key as FIPS 203 encodes it; the encapsulation key is a part of it.
    pub(crate) fn from_bytes(spec: KeySpec, bytes: &[u8]) -> Option<Self> {
        let set = set(spec);
        let decapsulating = DecapsulationKey::new(set.algorithm, bytes).ok()?;
        let start = 384 * set.rank;
        let public = bytes.get(start..start + 384 * set.rank + 32)?;
        let encapsulating = EncapsulationKey::new(set.algorithm, public).ok()?;
        // X.509's SubjectPublicKeyInfo (RFC 9935). No bit of the last byte is unused.
        let bits = der::value(0x03, &[&[0], public]);
        let public_key = der::sequence(&[&algorithm(set.arc), &bits]).to_vec();
        Some(Self {
            set,
            decapsulating,
            encapsulating,
            public_key,
        })
    }

    pub(crate) fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// The private key as PKCS #8, in RFC 9935's expanded form.
    pub(crate) fn pkcs8(&self, decapsulation_key: &[u8]) -> Zeroizing<Vec<u8>> {
        let key = der::value(0x04, &[&der::value(0x04, &[decapsulation_key])]);
        der::sequence(&[&[0x02, 0x01, 0x00], &algorithm(self.set.arc), &key])
    }

    /// A fresh secret, and the ciphertext that opens to it.
    #[must_use]
    pub fn encapsulate(&self) -> Option<(Vec<u8>, Zeroizing<Vec<u8>>)> {
        let (ciphertext, secret) = self.encapsulating.encapsulate().ok()?;
        Some((
            ciphertext.as_ref().to_vec(),
            Zeroizing::new(secret.as_ref().to_vec()),
        ))
    }

    /// The secret of a ciphertext. One of the right length always has a secret: for a ciphertext
    /// that was not made for this key it is a pseudo-random one, as FIPS 203 has it.
    ///
    /// # Errors
    ///
    /// [`Unauthentic`] for a ciphertext of another length.
    pub fn decapsulate(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unauthentic> {
        if ciphertext.len() != self.set.ciphertext_bytes {
            return Err(Unauthentic);
        }
        let secret = self
            .decapsulating
            .decapsulate(Ciphertext::from(ciphertext))
            .map_err(|_| Unauthentic)?;
        Ok(Zeroizing::new(secret.as_ref().to_vec()))
    }
}

/// The AlgorithmIdentifier of a parameter set.
const fn algorithm(arc: u8) -> [u8; 13] {
    [
        0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x04, arc,
    ]
}

const fn set(spec: KeySpec) -> &'static Set {
    match spec {
        KeySpec::MlKem512 => &ML_KEM_512,
        KeySpec::MlKem768 => &ML_KEM_768,
        _ => &ML_KEM_1024,
    }
}

static ML_KEM_512: Set = Set {
    algorithm: &kem::ML_KEM_512,
    rank: 2,
    arc: 1,
    ciphertext_bytes: 768,
};
static ML_KEM_768: Set = Set {
    algorithm: &kem::ML_KEM_768,
    rank: 3,
    arc: 2,
    ciphertext_bytes: 1_088,
};
static ML_KEM_1024: Set = Set {
    algorithm: &kem::ML_KEM_1024,
    rank: 4,
    arc: 3,
    ciphertext_bytes: 1_568,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_decapsulated_and_a_changed_ciphertext_has_another() {
        for spec in [KeySpec::MlKem512, KeySpec::MlKem768, KeySpec::MlKem1024] {
            let bytes = MlKemPair::generate(spec).unwrap();
            let pair = MlKemPair::from_bytes(spec, &bytes).unwrap();
            let (mut ciphertext, secret) = pair.encapsulate().unwrap();
            assert_eq!(*pair.decapsulate(&ciphertext).unwrap(), *secret);
            ciphertext[0] ^= 1;
            assert_ne!(*pair.decapsulate(&ciphertext).unwrap(), *secret);
            assert!(pair.decapsulate(&ciphertext[1..]).is_err());
        }
    }
}
