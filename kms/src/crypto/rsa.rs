//! RSA pairs (RFC 8017): OAEP encryption, PKCS #1 v1.5 and PSS signatures.

use aws_lc_rs::digest;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::encoding::Pkcs8V1Der;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::rsa::OAEP_SHA1_MGF1SHA1;
use aws_lc_rs::rsa::OAEP_SHA256_MGF1SHA256;
use aws_lc_rs::rsa::OaepAlgorithm;
use aws_lc_rs::rsa::OaepPrivateDecryptingKey;
use aws_lc_rs::rsa::OaepPublicEncryptingKey;
use aws_lc_rs::rsa::Pkcs1PrivateDecryptingKey;
use aws_lc_rs::rsa::PrivateDecryptingKey;
use aws_lc_rs::signature;
use aws_lc_rs::signature::KeyPair as _;
use aws_lc_rs::signature::RsaEncoding;
use aws_lc_rs::signature::RsaParameters;
use aws_lc_rs::signature::UnparsedPublicKey;
use zeroize::Zeroizing;

use crate::crypto::Unauthentic;
use crate::crypto::der::subject_public_key_info;
use crate::crypto::message::Message;
use crate::crypto::message::SignError;
use crate::crypto::message::imported;
use crate::crypto::spec::KeySpec;

/// An RSA pair.
pub struct RsaPair {
    signing: KeyPair,
    decrypting: OaepPrivateDecryptingKey,
    encrypting: OaepPublicEncryptingKey,
    public_key: Vec<u8>,
}

/// How one signing algorithm is called by the primitives.
struct Scheme {
    hash: &'static digest::Algorithm,
    sign: &'static dyn RsaEncoding,
    verify: &'static RsaParameters,
}

impl RsaPair {
    pub(crate) fn generate(spec: KeySpec) -> Option<Zeroizing<Vec<u8>>> {
        let size = match spec {
            KeySpec::Rsa2048 => KeySize::Rsa2048,
            KeySpec::Rsa3072 => KeySize::Rsa3072,
            _ => KeySize::Rsa4096,
        };
        let pair = KeyPair::generate(size).ok()?;
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().ok()?;
        Some(Zeroizing::new(pkcs8.as_ref().to_vec()))
    }

    /// PKCS #8 of a private key in PKCS #1.
    pub(crate) fn pkcs8_of_pkcs1(pkcs1: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let pair = KeyPair::from_der(pkcs1).ok()?;
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().ok()?;
        Some(Zeroizing::new(pkcs8.as_ref().to_vec()))
    }

    pub(crate) fn from_pkcs8(spec: KeySpec, pkcs8: &[u8]) -> Option<Self> {
        let signing = KeyPair::from_pkcs8(pkcs8).ok()?;
        let bytes = match spec {
            KeySpec::Rsa2048 => 256,
            KeySpec::Rsa3072 => 384,
            _ => 512,
        };
        if signing.public_modulus_len() != bytes {
            return None;
        }
        let private = PrivateDecryptingKey::from_pkcs8(pkcs8).ok()?;
        let encrypting = OaepPublicEncryptingKey::new(private.public_key()).ok()?;
        let public_key = subject_public_key_info(signing.public_key())?;
        let decrypting = OaepPrivateDecryptingKey::new(private).ok()?;
        Some(Self {
            signing,
            decrypting,
            encrypting,
            public_key,
        })
    }

    pub(crate) fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Most bytes that the algorithm of AWS's name encrypts; none if there is no such algorithm.
    #[must_use]
    pub fn plaintext_bytes_max(&self, algorithm: &str) -> Option<usize> {
        oaep(algorithm).map(|algorithm| self.encrypting.max_plaintext_size(algorithm))
    }

    /// Encrypts by the algorithm of AWS's name.
    #[must_use]
    pub fn encrypt(&self, algorithm: &str, plaintext: &[u8]) -> Option<Vec<u8>> {
        let mut out = vec![0; self.encrypting.ciphertext_size()];
        let length = self
            .encrypting
            .encrypt(oaep(algorithm)?, plaintext, &mut out, None)
            .ok()?
            .len();
        out.truncate(length);
        Some(out)
    }

    /// Decrypts by the algorithm of AWS's name.
    ///
    /// # Errors
    ///
    /// [`Unauthentic`] when the ciphertext is not one for this key and algorithm.
    pub fn decrypt(
        &self,
        algorithm: &str,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Unauthentic> {
        let algorithm = oaep(algorithm).ok_or(Unauthentic)?;
        let mut out = Zeroizing::new(vec![0; self.decrypting.min_output_size()]);
        let length = self
            .decrypting
            .decrypt(algorithm, ciphertext, &mut out, None)
            .map_err(|_| Unauthentic)?
            .len();
        out.truncate(length);
        Ok(out)
    }

    /// Decrypts PKCS #1 v1.5; `pkcs8` is this pair.
    pub(crate) fn decrypt_pkcs1(
        &self,
        pkcs8: &[u8],
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Unauthentic> {
        let key = PrivateDecryptingKey::from_pkcs8(pkcs8).map_err(|_| Unauthentic)?;
        let key = Pkcs1PrivateDecryptingKey::new(key).map_err(|_| Unauthentic)?;
        let mut out = Zeroizing::new(vec![0; self.modulus_bytes()]);
        let length = key
            .decrypt(ciphertext, &mut out)
            .map_err(|_| Unauthentic)?
            .len();
        out.truncate(length);
        Ok(out)
    }

    /// Bytes of the modulus, and so of each ciphertext.
    pub(crate) fn modulus_bytes(&self) -> usize {
        self.signing.public_modulus_len()
    }

    pub(crate) fn sign(&self, algorithm: &str, message: Message<'_>) -> Result<Vec<u8>, SignError> {
        let scheme = scheme(algorithm)?;
        let mut out = vec![0; self.signing.public_modulus_len()];
        match message {
            Message::Raw(bytes) => {
                self.signing
                    .sign(scheme.sign, &SystemRandom::new(), bytes, &mut out)
            }
            Message::Digest(bytes) => {
                let digest = imported(bytes, scheme.hash)?;
                self.signing.sign_digest(scheme.sign, &digest, &mut out)
            }
            Message::ExternalMu(_) => return Err(SignError::MessageType),
        }
        .map_err(|_| SignError::Failed)?;
        Ok(out)
    }

    pub(crate) fn verify(
        &self,
        algorithm: &str,
        message: Message<'_>,
        signature: &[u8],
    ) -> Result<bool, SignError> {
        let scheme = scheme(algorithm)?;
        let key = UnparsedPublicKey::new(scheme.verify, self.signing.public_key());
        Ok(match message {
            Message::Raw(bytes) => key.verify(bytes, signature),
            Message::Digest(bytes) => key.verify_digest(&imported(bytes, scheme.hash)?, signature),
            Message::ExternalMu(_) => return Err(SignError::MessageType),
        }
        .is_ok())
    }
}

fn oaep(algorithm: &str) -> Option<&'static OaepAlgorithm> {
    match algorithm {
        "RSAES_OAEP_SHA_1" => Some(&OAEP_SHA1_MGF1SHA1),
        "RSAES_OAEP_SHA_256" => Some(&OAEP_SHA256_MGF1SHA256),
        _ => None,
    }
}

fn scheme(algorithm: &str) -> Result<Scheme, SignError> {
    let (hash, sign, verify): (_, &'static dyn RsaEncoding, _) = match algorithm {
        "RSASSA_PKCS1_V1_5_SHA_256" => (
            &digest::SHA256,
            &signature::RSA_PKCS1_SHA256,
            &signature::RSA_PKCS1_2048_8192_SHA256,
        ),
        "RSASSA_PKCS1_V1_5_SHA_384" => (
            &digest::SHA384,
            &signature::RSA_PKCS1_SHA384,
            &signature::RSA_PKCS1_2048_8192_SHA384,
        ),
        "RSASSA_PKCS1_V1_5_SHA_512" => (
            &digest::SHA512,
            &signature::RSA_PKCS1_SHA512,
            &signature::RSA_PKCS1_2048_8192_SHA512,
        ),
        "RSASSA_PSS_SHA_256" => (
            &digest::SHA256,
            &signature::RSA_PSS_SHA256,
            &signature::RSA_PSS_2048_8192_SHA256,
        ),
        "RSASSA_PSS_SHA_384" => (
            &digest::SHA384,
            &signature::RSA_PSS_SHA384,
            &signature::RSA_PSS_2048_8192_SHA384,
        ),
        "RSASSA_PSS_SHA_512" => (
            &digest::SHA512,
            &signature::RSA_PSS_SHA512,
            &signature::RSA_PSS_2048_8192_SHA512,
        ),
        _ => return Err(SignError::Algorithm),
    };
    Ok(Scheme { hash, sign, verify })
}
