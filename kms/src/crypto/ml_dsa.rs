//! ML-DSA pairs (FIPS 204).

use aws_lc_rs::signature;
use aws_lc_rs::signature::KeyPair;
use aws_lc_rs::signature::PqdsaKeyPair;
use aws_lc_rs::signature::PqdsaSigningAlgorithm;
use aws_lc_rs::signature::PqdsaVerificationAlgorithm;
use aws_lc_rs::signature::UnparsedPublicKey;
use ml_dsa::EncodedVerifyingKey;
use ml_dsa::MlDsa44;
use ml_dsa::MlDsa65;
use ml_dsa::MlDsa87;
use ml_dsa::MlDsaParams;
use ml_dsa::Signature;
use ml_dsa::SigningKey;
use ml_dsa::VerifyingKey;
use zeroize::Zeroizing;

use crate::crypto::der::subject_public_key_info;
use crate::crypto::message::Message;
use crate::crypto::message::SignError;
use crate::crypto::spec::KeySpec;

/// An ML-DSA pair.
pub struct MlDsaPair {
    signing: PqdsaKeyPair,
    verify: &'static PqdsaVerificationAlgorithm,
    public_key: Vec<u8>,
    spec: KeySpec,
    /// What the pair is made from; messages that come as mu need it.
    seed: Option<Zeroizing<[u8; SEED_BYTES]>>,
}

impl MlDsaPair {
    pub(crate) fn generate(spec: KeySpec) -> Option<Zeroizing<Vec<u8>>> {
        let pair = PqdsaKeyPair::generate(algorithms(spec).0).ok()?;
        Some(Zeroizing::new(pair.to_pkcs8v1().ok()?.as_ref().to_vec()))
    }

    pub(crate) fn from_pkcs8(spec: KeySpec, pkcs8: &[u8]) -> Option<Self> {
        let (sign, verify) = algorithms(spec);
        let signing = PqdsaKeyPair::from_pkcs8(sign, pkcs8).ok()?;
        let public_key = subject_public_key_info(signing.public_key())?;
        Some(Self {
            signing,
            verify,
            public_key,
            spec,
            seed: seed(pkcs8),
        })
    }

    pub(crate) fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    pub(crate) fn sign(&self, algorithm: &str, message: Message<'_>) -> Result<Vec<u8>, SignError> {
        let bytes = match ml_dsa_message(algorithm, message)? {
            MlDsaMessage::Raw(bytes) => bytes,
            MlDsaMessage::Mu(mu) => {
                let seed = self.seed.as_deref().ok_or(SignError::MessageType)?;
                return Ok(match self.spec {
                    KeySpec::MlDsa44 => sign_mu::<MlDsa44>(seed, mu),
                    KeySpec::MlDsa65 => sign_mu::<MlDsa65>(seed, mu),
                    _ => sign_mu::<MlDsa87>(seed, mu),
                });
            }
        };
        let mut out = vec![0; self.signing.algorithm().signature_len()];
        let length = self
            .signing
            .sign(bytes, &mut out)
            .map_err(|_| SignError::Failed)?;
        out.truncate(length);
        Ok(out)
    }

    pub(crate) fn verify(
        &self,
        algorithm: &str,
        message: Message<'_>,
        signature: &[u8],
    ) -> Result<bool, SignError> {
        let key = self.signing.public_key();
        match ml_dsa_message(algorithm, message)? {
            MlDsaMessage::Raw(bytes) => {
                let key = UnparsedPublicKey::new(self.verify, key);
                Ok(key.verify(bytes, signature).is_ok())
            }
            MlDsaMessage::Mu(mu) => Ok(match self.spec {
                KeySpec::MlDsa44 => verify_mu::<MlDsa44>(key.as_ref(), mu, signature),
                KeySpec::MlDsa65 => verify_mu::<MlDsa65>(key.as_ref(), mu, signature),
                _ => verify_mu::<MlDsa87>(key.as_ref(), mu, signature),
            }),
        }
    }
}

/// A message in one of the two ways that ML-DSA takes it.
enum MlDsaMessage<'a> {
    Raw(&'a [u8]),
    Mu(&'a [u8; MU_BYTES]),
}

fn ml_dsa_message<'a>(
    algorithm: &str,
    message: Message<'a>,
) -> Result<MlDsaMessage<'a>, SignError> {
    match (algorithm, message) {
        ("ML_DSA_SHAKE_256", Message::Raw(bytes)) => Ok(MlDsaMessage::Raw(bytes)),
        ("ML_DSA_SHAKE_256", Message::ExternalMu(mu)) => {
            let mu = mu.try_into().map_err(|_| SignError::DigestLength)?;
            Ok(MlDsaMessage::Mu(mu))
        }
        ("ML_DSA_SHAKE_256", Message::Digest(_)) => Err(SignError::MessageType),
        _ => Err(SignError::Algorithm),
    }
}

/// A signature of the message that mu represents: FIPS 204's deterministic variant.
fn sign_mu<P: MlDsaParams>(seed: &[u8; SEED_BYTES], mu: &[u8; MU_BYTES]) -> Vec<u8> {
    let key = SigningKey::<P>::from_seed(seed.into());
    let signature = key.expanded_key().sign_mu_deterministic(mu.into());
    signature.encode().to_vec()
}

fn verify_mu<P: MlDsaParams>(public_key: &[u8], mu: &[u8; MU_BYTES], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (
        EncodedVerifyingKey::<P>::try_from(public_key),
        Signature::<P>::try_from(signature),
    ) else {
        return false;
    };
    VerifyingKey::<P>::decode(&key).verify_mu(mu.into(), &signature)
}

/// The seed of a private key that is stored as one (RFC 9881): the last field of its PKCS #8.
fn seed(pkcs8: &[u8]) -> Option<Zeroizing<[u8; SEED_BYTES]>> {
    let (head, seed) = pkcs8.split_last_chunk()?;
    head.ends_with(SEED_TAG).then(|| Zeroizing::new(*seed))
}

const fn algorithms(
    spec: KeySpec,
) -> (
    &'static PqdsaSigningAlgorithm,
    &'static PqdsaVerificationAlgorithm,
) {
    match spec {
        KeySpec::MlDsa44 => (&signature::ML_DSA_44_SIGNING, &signature::ML_DSA_44),
        KeySpec::MlDsa65 => (&signature::ML_DSA_65_SIGNING, &signature::ML_DSA_65),
        _ => (&signature::ML_DSA_87_SIGNING, &signature::ML_DSA_87),
    }
}

/// Bytes of the message representative mu.
const MU_BYTES: usize = 64;

const SEED_BYTES: usize = 32;

/// An octet string of 34 bytes that holds the seed under its tag.
const SEED_TAG: &[u8] = &[0x04, 0x22, 0x80, 0x20];

#[cfg(test)]
mod tests {
    use sha2::digest::Update as _;

    use super::*;

    /// What mu is of a message without a context (FIPS 204, algorithm 7).
    fn mu<P: MlDsaParams>(public_key: &[u8], message: &[u8]) -> Vec<u8> {
        let key = EncodedVerifyingKey::<P>::try_from(public_key).unwrap();
        let key = VerifyingKey::<P>::decode(&key);
        let mu = key.compute_mu(
            |state| {
                state.update(message);
                Ok(())
            },
            b"",
        );
        mu.unwrap().to_vec()
    }

    #[test]
    fn a_message_and_its_mu_have_the_same_signatures_in_two_implementations() {
        for spec in [KeySpec::MlDsa44, KeySpec::MlDsa65, KeySpec::MlDsa87] {
            let pkcs8 = MlDsaPair::generate(spec).unwrap();
            let pair = MlDsaPair::from_pkcs8(spec, &pkcs8).unwrap();
            let public_key = pair.signing.public_key().as_ref();
            let mu = match spec {
                KeySpec::MlDsa44 => mu::<MlDsa44>(public_key, b"message"),
                KeySpec::MlDsa65 => mu::<MlDsa65>(public_key, b"message"),
                _ => mu::<MlDsa87>(public_key, b"message"),
            };
            let (raw, external) = (Message::Raw(b"message"), Message::ExternalMu(&mu));
            let algorithm = "ML_DSA_SHAKE_256";
            let by_raw = pair.sign(algorithm, raw).unwrap();
            let by_mu = pair.sign(algorithm, external).unwrap();
            for signature in [&by_raw, &by_mu] {
                assert!(pair.verify(algorithm, raw, signature).unwrap(), "{spec:?}");
                assert!(
                    pair.verify(algorithm, external, signature).unwrap(),
                    "{spec:?}"
                );
                let other = Message::ExternalMu(&[0; 64]);
                assert!(!pair.verify(algorithm, other, signature).unwrap());
            }
            let short = Message::ExternalMu(&mu[1..]);
            assert_eq!(pair.sign(algorithm, short), Err(SignError::DigestLength));
            assert!(!pair.verify(algorithm, external, b"short").unwrap());
        }
    }
}
