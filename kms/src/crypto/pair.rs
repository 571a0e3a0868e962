//! Pairs of a private and a public key: what KMS's asymmetric keys are made of.

use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

use crate::crypto::ecc::EccPair;
use crate::crypto::edwards::EdwardsPair;
use crate::crypto::message::Message;
use crate::crypto::message::SignError;
use crate::crypto::ml_dsa::MlDsaPair;
use crate::crypto::ml_kem::MlKemPair;
use crate::crypto::rsa::RsaPair;
use crate::crypto::spec::KeySpec;

/// A pair of a private and a public key.
///
/// Neither `Clone` nor `Debug`.
pub enum Pair {
    /// Encrypts or signs.
    Rsa(RsaPair),
    /// Signs or agrees on secrets, on a NIST curve or secp256k1.
    Ecc(EccPair),
    /// Signs on Edwards25519.
    Edwards(EdwardsPair),
    /// Signs by lattices.
    MlDsa(MlDsaPair),
    /// Encapsulates secrets by lattices.
    MlKem(MlKemPair),
}

impl Pair {
    /// A fresh private key, as [`Material`](crate::crypto::material::Material) stores it.
    pub(crate) fn generate_secret(spec: KeySpec) -> Option<Zeroizing<Vec<u8>>> {
        if spec.is_rsa() {
            RsaPair::generate(spec)
        } else if spec == KeySpec::EccNistEdwards25519 {
            EdwardsPair::generate()
        } else if spec.is_ecc() {
            EccPair::generate(spec)
        } else if spec.is_ml_dsa() {
            MlDsaPair::generate(spec)
        } else if spec.is_ml_kem() {
            MlKemPair::generate(spec)
        } else {
            None
        }
    }

    pub(crate) fn from_secret(spec: KeySpec, secret: &[u8]) -> Option<Self> {
        if spec.is_rsa() {
            RsaPair::from_pkcs8(spec, secret).map(Self::Rsa)
        } else if spec == KeySpec::EccNistEdwards25519 {
            EdwardsPair::from_pkcs8(secret).map(Self::Edwards)
        } else if spec.is_ecc() {
            EccPair::from_pkcs8(spec, secret).map(Self::Ecc)
        } else if spec.is_ml_dsa() {
            MlDsaPair::from_pkcs8(spec, secret).map(Self::MlDsa)
        } else if spec.is_ml_kem() {
            MlKemPair::from_bytes(spec, secret).map(Self::MlKem)
        } else {
            None
        }
    }

    /// The public key: X.509's SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        match self {
            Self::Rsa(pair) => pair.public_key(),
            Self::Ecc(pair) => pair.public_key(),
            Self::Edwards(pair) => pair.public_key(),
            Self::MlDsa(pair) => pair.public_key(),
            Self::MlKem(pair) => pair.public_key(),
        }
    }

    /// Signs by the algorithm of AWS's name.
    ///
    /// # Errors
    ///
    /// [`SignError`] when pair, algorithm and message do not go together.
    pub fn sign(&self, algorithm: &str, message: Message<'_>) -> Result<Vec<u8>, SignError> {
        match self {
            Self::Rsa(pair) => pair.sign(algorithm, message),
            Self::Ecc(pair) => pair.sign(algorithm, message),
            Self::Edwards(pair) => pair.sign(algorithm, message),
            Self::MlDsa(pair) => pair.sign(algorithm, message),
            Self::MlKem(_) => Err(SignError::Algorithm),
        }
    }

    /// Whether `signature` is one of the message by the algorithm of AWS's name.
    ///
    /// # Errors
    ///
    /// [`SignError`] when pair, algorithm and message do not go together.
    pub fn verify(
        &self,
        algorithm: &str,
        message: Message<'_>,
        signature: &[u8],
    ) -> Result<bool, SignError> {
        match self {
            Self::Rsa(pair) => pair.verify(algorithm, message, signature),
            Self::Ecc(pair) => pair.verify(algorithm, message, signature),
            Self::Edwards(pair) => pair.verify(algorithm, message, signature),
            Self::MlDsa(pair) => pair.verify(algorithm, message, signature),
            Self::MlKem(_) => Err(SignError::Algorithm),
        }
    }
}

/// A fresh pair for use outside: its private key as PKCS #8 and its public key as X.509's
/// SubjectPublicKeyInfo, both in DER. None for specs of which there are no data key pairs.
#[must_use]
pub fn generate_outside(spec: KeySpec) -> Option<(Zeroizing<Vec<u8>>, Vec<u8>)> {
    let secret = Pair::generate_secret(spec)?;
    let pair = Pair::from_secret(spec, &secret)?;
    let private_key = match &pair {
        Pair::MlKem(pair) => pair.pkcs8(&secret),
        _ => secret,
    };
    Some((private_key, pair.public_key().to_vec()))
}

/// A private key from outside and its spec: PEM of PKCS #8, PKCS #1 (RSA) or SEC 1 (elliptic
/// curves). The key comes as PKCS #8, as a pair's material is stored.
#[must_use]
pub fn from_pem(text: &str) -> Option<(KeySpec, Zeroizing<Vec<u8>>)> {
    let pkcs8 = match PrivateKeyDer::from_pem_slice(text.as_bytes()).ok()? {
        PrivateKeyDer::Pkcs8(der) => Zeroizing::new(der.secret_pkcs8_der().to_vec()),
        PrivateKeyDer::Pkcs1(der) => RsaPair::pkcs8_of_pkcs1(der.secret_pkcs1_der())?,
        PrivateKeyDer::Sec1(der) => EccPair::pkcs8_of_sec1(der.secret_sec1_der())?,
        _ => return None,
    };
    let spec = FROM_OUTSIDE
        .iter()
        .find(|spec| Pair::from_secret(**spec, &pkcs8).is_some())?;
    Some((*spec, pkcs8))
}

/// Kinds of pairs that tools outside make.
const FROM_OUTSIDE: &[KeySpec] = &[
    KeySpec::EccNistP256,
    KeySpec::EccNistP384,
    KeySpec::EccNistP521,
    KeySpec::EccSecgP256K1,
    KeySpec::EccNistEdwards25519,
    KeySpec::Rsa2048,
    KeySpec::Rsa3072,
    KeySpec::Rsa4096,
];
