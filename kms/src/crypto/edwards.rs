//! Edwards25519 pairs (RFC 8032): Ed25519, and Ed25519ph for messages that come as their digest.

use aws_lc_rs::encoding::AsBigEndian;
use aws_lc_rs::encoding::Curve25519SeedBin;
use aws_lc_rs::signature;
use aws_lc_rs::signature::Ed25519KeyPair;
use aws_lc_rs::signature::KeyPair;
use aws_lc_rs::signature::UnparsedPublicKey;
use ed25519_dalek::Signature;
use ed25519_dalek::SigningKey;
use ed25519_dalek::VerifyingKey;
use sha2::digest::FixedOutput;
use sha2::digest::HashMarker;
use sha2::digest::Output;
use sha2::digest::OutputSizeUser;
use sha2::digest::Update;
use sha2::digest::consts::U64;
use zeroize::Zeroizing;

use crate::crypto::der::subject_public_key_info;
use crate::crypto::message::Message;
use crate::crypto::message::SignError;

/// A pair on Edwards25519.
pub struct EdwardsPair {
    signing: Ed25519KeyPair,
    public_key: Vec<u8>,
}

impl EdwardsPair {
    pub(crate) fn generate() -> Option<Zeroizing<Vec<u8>>> {
        let pair = Ed25519KeyPair::generate().ok()?;
        Some(Zeroizing::new(pair.to_pkcs8v1().ok()?.as_ref().to_vec()))
    }

    pub(crate) fn from_pkcs8(pkcs8: &[u8]) -> Option<Self> {
        let signing = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).ok()?;
        let public_key = subject_public_key_info(signing.public_key())?;
        Some(Self {
            signing,
            public_key,
        })
    }

    pub(crate) fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    pub(crate) fn sign(&self, algorithm: &str, message: Message<'_>) -> Result<Vec<u8>, SignError> {
        match (algorithm, message) {
            (PURE, Message::Raw(bytes)) => Ok(self.signing.sign(bytes).as_ref().to_vec()),
            (PREHASHED, Message::Digest(digest)) => {
                let digest = precomputed(digest)?;
                let seed = self.signing.seed().map_err(|_| SignError::Failed)?;
                let seed: Curve25519SeedBin<'_> =
                    seed.as_be_bytes().map_err(|_| SignError::Failed)?;
                let seed = seed.as_ref().try_into().map_err(|_| SignError::Failed)?;
                let signature = SigningKey::from_bytes(seed).sign_prehashed(digest, None);
                Ok(signature
                    .map_err(|_| SignError::Failed)?
                    .to_bytes()
                    .to_vec())
            }
            (PURE | PREHASHED, _) => Err(SignError::MessageType),
            _ => Err(SignError::Algorithm),
        }
    }

    pub(crate) fn verify(
        &self,
        algorithm: &str,
        message: Message<'_>,
        signature: &[u8],
    ) -> Result<bool, SignError> {
        let public_key = self.signing.public_key();
        match (algorithm, message) {
            (PURE, Message::Raw(bytes)) => {
                let key = UnparsedPublicKey::new(&signature::ED25519, public_key);
                Ok(key.verify(bytes, signature).is_ok())
            }
            (PREHASHED, Message::Digest(digest)) => {
                let digest = precomputed(digest)?;
                let key = VerifyingKey::try_from(public_key.as_ref());
                let signature = Signature::from_slice(signature);
                Ok(match (key, signature) {
                    (Ok(key), Ok(signature)) => {
                        key.verify_prehashed(digest, None, &signature).is_ok()
                    }
                    _ => false,
                })
            }
            (PURE | PREHASHED, _) => Err(SignError::MessageType),
            _ => Err(SignError::Algorithm),
        }
    }
}

/// A digest that was taken elsewhere, in the place of the hash that would take it.
#[derive(Clone)]
struct PrecomputedDigest([u8; DIGEST_BYTES]);

fn precomputed(digest: &[u8]) -> Result<PrecomputedDigest, SignError> {
    let digest = digest.try_into().map_err(|_| SignError::DigestLength)?;
    Ok(PrecomputedDigest(digest))
}

impl Default for PrecomputedDigest {
    fn default() -> Self {
        Self([0; DIGEST_BYTES])
    }
}

impl HashMarker for PrecomputedDigest {}

impl OutputSizeUser for PrecomputedDigest {
    type OutputSize = U64;
}

impl Update for PrecomputedDigest {
    /// The digest is taken already; nothing more belongs to it.
    fn update(&mut self, _data: &[u8]) {}
}

impl FixedOutput for PrecomputedDigest {
    fn finalize_into(self, out: &mut Output<Self>) {
        out.copy_from_slice(&self.0);
    }
}

/// Ed25519, as AWS names it.
const PURE: &str = "ED25519_SHA_512";

/// Ed25519ph, as AWS names it.
const PREHASHED: &str = "ED25519_PH_SHA_512";

/// Bytes of a SHA-512 digest.
const DIGEST_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use sha2::Digest as _;
    use sha2::Sha512;

    use super::*;

    /// RFC 8032, section 7.3.
    #[test]
    fn a_prehashed_signature_is_that_of_rfc_8032() {
        let seed = "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42";
        let seed = hex::decode(seed).unwrap();
        let signing = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let pkcs8 = signing.to_pkcs8v1().unwrap();
        let pair = EdwardsPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        let digest = Sha512::digest(b"abc");
        let signature = pair.sign(PREHASHED, Message::Digest(&digest)).unwrap();
        assert_eq!(
            hex::encode(&signature),
            "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41\
             31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
        );
        let verify = |digest: &[u8], signature: &[u8]| {
            pair.verify(PREHASHED, Message::Digest(digest), signature)
        };
        assert_eq!(verify(&digest, &signature), Ok(true));
        assert_eq!(verify(&[0; 64], &signature), Ok(false));
        assert_eq!(verify(&digest, &signature[1..]), Ok(false));
        assert_eq!(
            verify(&digest[1..], &signature),
            Err(SignError::DigestLength)
        );
        let pure = pair.verify(PURE, Message::Raw(b"abc"), &signature);
        assert_eq!(pure, Ok(false), "the two never stand for each other");
        for (algorithm, message) in [
            (PREHASHED, Message::Raw(b"abc")),
            (PURE, Message::Digest(&digest)),
        ] {
            assert_eq!(pair.sign(algorithm, message), Err(SignError::MessageType));
        }
    }
}
