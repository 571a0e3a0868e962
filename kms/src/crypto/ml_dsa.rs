//! ML-DSA pairs (FIPS 204).

use crate::crypto::pair::Message;
use crate::crypto::pair::SignError;
use crate::crypto::spec::KeySpec;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::encoding::PublicKeyX509Der;
use aws_lc_rs::signature;
use aws_lc_rs::signature::KeyPair;
use aws_lc_rs::signature::PqdsaKeyPair;
use aws_lc_rs::signature::PqdsaSigningAlgorithm;
use aws_lc_rs::signature::PqdsaVerificationAlgorithm;
use aws_lc_rs::signature::UnparsedPublicKey;
use zeroize::Zeroizing;

/// An ML-DSA pair.
pub struct MlDsaPair {
    signing: PqdsaKeyPair,
    verify: &'static PqdsaVerificationAlgorithm,
    public_key: Vec<u8>,
}

impl MlDsaPair {
    pub(crate) fn generate(spec: KeySpec) -> Option<Zeroizing<Vec<u8>>> {
        let pair = PqdsaKeyPair::generate(algorithms(spec).0).ok()?;
        Some(Zeroizing::new(pair.to_pkcs8v1().ok()?.as_ref().to_vec()))
    }

    pub(crate) fn from_pkcs8(spec: KeySpec, pkcs8: &[u8]) -> Option<Self> {
        let (sign, verify) = algorithms(spec);
        let signing = PqdsaKeyPair::from_pkcs8(sign, pkcs8).ok()?;
        let public: PublicKeyX509Der<'_> = signing.public_key().as_der().ok()?;
        let public_key = public.as_ref().to_vec();
        Some(Self {
            signing,
            verify,
            public_key,
        })
    }

    pub(crate) fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    pub(crate) fn sign(&self, algorithm: &str, message: Message<'_>) -> Result<Vec<u8>, SignError> {
        let bytes = raw(algorithm, message)?;
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
        let bytes = raw(algorithm, message)?;
        let key = UnparsedPublicKey::new(self.verify, self.signing.public_key());
        Ok(key.verify(bytes, signature).is_ok())
    }
}

fn raw<'a>(algorithm: &str, message: Message<'a>) -> Result<&'a [u8], SignError> {
    match (algorithm, message) {
        ("ML_DSA_SHAKE_256", Message::Raw(bytes)) => Ok(bytes),
        ("ML_DSA_SHAKE_256", _) => Err(SignError::MessageType),
        _ => Err(SignError::Algorithm),
    }
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
