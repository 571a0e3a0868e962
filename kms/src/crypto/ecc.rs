//! Pairs on elliptic curves: ECDSA and ECDH (SEC 1, FIPS 186-5), Ed25519 (RFC 8032).

use aws_lc_rs::agreement;
use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature;
use aws_lc_rs::signature::EcdsaKeyPair;
use aws_lc_rs::signature::EcdsaSigningAlgorithm;
use aws_lc_rs::signature::EcdsaVerificationAlgorithm;
use aws_lc_rs::signature::KeyPair;
use aws_lc_rs::signature::UnparsedPublicKey;
use zeroize::Zeroizing;

use crate::crypto::der::subject_public_key_info;
use crate::crypto::message::Message;
use crate::crypto::message::SignError;
use crate::crypto::message::imported;
use crate::crypto::spec::KeySpec;

/// A pair on a NIST curve or secp256k1.
pub struct EccPair {
    curve: &'static Curve,
    signing: EcdsaKeyPair,
    agreeing: Option<agreement::PrivateKey>,
    public_key: Vec<u8>,
}

/// How one curve is called by the primitives.
struct Curve {
    algorithm: &'static str,
    hash: &'static digest::Algorithm,
    sign: &'static EcdsaSigningAlgorithm,
    verify: &'static EcdsaVerificationAlgorithm,
    agree: Option<&'static agreement::Algorithm>,
}

impl EccPair {
    pub(crate) fn generate(spec: KeySpec) -> Option<Zeroizing<Vec<u8>>> {
        let pair = EcdsaKeyPair::generate(curve(spec)?.sign).ok()?;
        Some(Zeroizing::new(pair.to_pkcs8v1().ok()?.as_ref().to_vec()))
    }

    /// PKCS #8 of a private key in SEC 1 that names its curve.
    pub(crate) fn pkcs8_of_sec1(sec1: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let curves = [
            KeySpec::EccNistP256,
            KeySpec::EccNistP384,
            KeySpec::EccNistP521,
            KeySpec::EccSecgP256K1,
        ];
        let read =
            |spec: &KeySpec| EcdsaKeyPair::from_private_key_der(curve(*spec)?.sign, sec1).ok();
        let pair = curves.iter().find_map(read)?;
        let pkcs8 = pair.to_pkcs8v1().ok()?;
        Some(Zeroizing::new(pkcs8.as_ref().to_vec()))
    }

    pub(crate) fn from_pkcs8(spec: KeySpec, pkcs8: &[u8]) -> Option<Self> {
        let curve = curve(spec)?;
        let signing = EcdsaKeyPair::from_pkcs8(curve.sign, pkcs8).ok()?;
        let agreeing = match curve.agree {
            Some(algorithm) => {
                Some(agreement::PrivateKey::from_private_key_der(algorithm, pkcs8).ok()?)
            }
            None => None,
        };
        let public_key = subject_public_key_info(signing.public_key())?;
        Some(Self {
            curve,
            signing,
            agreeing,
            public_key,
        })
    }

    pub(crate) fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// The secret shared with the owner of `peer`, a public key on the same curve
    /// (SubjectPublicKeyInfo in DER): the x coordinate, as in SEC 1.
    #[must_use]
    pub fn agree(&self, peer: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let private = self.agreeing.as_ref()?;
        let peer = agreement::UnparsedPublicKey::new(private.algorithm(), peer);
        agreement::agree(private, peer, (), |secret| {
            Ok(Zeroizing::new(secret.to_vec()))
        })
        .ok()
    }

    pub(crate) fn sign(&self, algorithm: &str, message: Message<'_>) -> Result<Vec<u8>, SignError> {
        if algorithm != self.curve.algorithm {
            return Err(SignError::Algorithm);
        }
        let signature = match message {
            Message::Raw(bytes) => self.signing.sign(&SystemRandom::new(), bytes),
            Message::Digest(bytes) => self.signing.sign_digest(&imported(bytes, self.curve.hash)?),
            Message::ExternalMu(_) => return Err(SignError::MessageType),
        };
        Ok(signature.map_err(|_| SignError::Failed)?.as_ref().to_vec())
    }

    pub(crate) fn verify(
        &self,
        algorithm: &str,
        message: Message<'_>,
        signature: &[u8],
    ) -> Result<bool, SignError> {
        if algorithm != self.curve.algorithm {
            return Err(SignError::Algorithm);
        }
        let key = UnparsedPublicKey::new(self.curve.verify, self.signing.public_key());
        Ok(match message {
            Message::Raw(bytes) => key.verify(bytes, signature),
            Message::Digest(bytes) => {
                key.verify_digest(&imported(bytes, self.curve.hash)?, signature)
            }
            Message::ExternalMu(_) => return Err(SignError::MessageType),
        }
        .is_ok())
    }
}

const fn curve(spec: KeySpec) -> Option<&'static Curve> {
    match spec {
        KeySpec::EccNistP256 => Some(&P256),
        KeySpec::EccNistP384 => Some(&P384),
        KeySpec::EccNistP521 => Some(&P521),
        KeySpec::EccSecgP256K1 => Some(&P256K1),
        _ => None,
    }
}

static P256: Curve = Curve {
    algorithm: "ECDSA_SHA_256",
    hash: &digest::SHA256,
    sign: &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
    verify: &signature::ECDSA_P256_SHA256_ASN1,
    agree: Some(&agreement::ECDH_P256),
};
static P384: Curve = Curve {
    algorithm: "ECDSA_SHA_384",
    hash: &digest::SHA384,
    sign: &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
    verify: &signature::ECDSA_P384_SHA384_ASN1,
    agree: Some(&agreement::ECDH_P384),
};
static P521: Curve = Curve {
    algorithm: "ECDSA_SHA_512",
    hash: &digest::SHA512,
    sign: &signature::ECDSA_P521_SHA512_ASN1_SIGNING,
    verify: &signature::ECDSA_P521_SHA512_ASN1,
    agree: Some(&agreement::ECDH_P521),
};
static P256K1: Curve = Curve {
    algorithm: "ECDSA_SHA_256",
    hash: &digest::SHA256,
    sign: &signature::ECDSA_P256K1_SHA256_ASN1_SIGNING,
    verify: &signature::ECDSA_P256K1_SHA256_ASN1,
    agree: None,
};
