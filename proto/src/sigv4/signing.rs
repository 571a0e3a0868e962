//! Signing keys, signatures, and the texts they sign.

use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use sha2::Digest;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;
use zeroize::ZeroizeOnDrop;
use zeroize::Zeroizing;

use crate::sigv4::ALGORITHM;
use crate::sigv4::CredentialScope;
use crate::sigv4::EMPTY_SHA256;
use crate::sigv4::TERMINATOR;
use crate::time::Timestamp;

/// A signature: 64 hex digits in lower case. No secret, but not for logs: a presigned URL is usable
/// by whoever reads it.
pub type Signature = String;

/// The key of one secret, one day, one Region and one service.
///
/// Neither `Clone` nor `Debug`. Deriving it costs four HMACs; whoever checks many requests keeps it
/// behind an `Arc`, by access key id and scope.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SigningKey([u8; 32]);

impl SigningKey {
    /// The key that `secret`, a secret access key, signs with in `scope`.
    #[must_use]
    pub fn derive(secret: &str, scope: &CredentialScope) -> Self {
        let mut first = Zeroizing::new(Vec::with_capacity(4 + secret.len()));
        first.extend_from_slice(b"AWS4");
        first.extend_from_slice(secret.as_bytes());

        let mut key = Zeroizing::new(hmac(&first, scope.date.as_bytes()));
        for part in [scope.region.as_str(), scope.service.as_str(), TERMINATOR] {
            *key = hmac(&*key, part.as_bytes());
        }
        Self(*key)
    }

    /// The signature of `string_to_sign`.
    #[must_use]
    pub fn sign(&self, string_to_sign: &str) -> Signature {
        hex::encode(hmac(&self.0, string_to_sign.as_bytes()))
    }

    /// Whether `signature` is the one of `string_to_sign`, in time that tells nothing about where
    /// they differ. Only 64 hex digits in lower case are a signature.
    #[must_use]
    pub fn verify(&self, string_to_sign: &str, signature: &str) -> bool {
        self.sign(string_to_sign)
            .as_bytes()
            .ct_eq(signature.as_bytes())
            .into()
    }
}

/// The text that the signature of a request signs; `canonical_sha256` is
/// [`CanonicalRequest::sha256_hex`](crate::sigv4::CanonicalRequest::sha256_hex).
#[must_use]
pub fn string_to_sign(
    timestamp: Timestamp,
    scope: &CredentialScope,
    canonical_sha256: &str,
) -> String {
    format!(
        "{ALGORITHM}\n{}\n{scope}\n{canonical_sha256}",
        timestamp.basic()
    )
}

/// The text that the signature of one chunk signs: `previous_signature` is that of the chunk before,
/// or of the request for the first; `chunk_sha256` is the hash of the chunk's data in hex.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>
#[must_use]
pub fn chunk_string_to_sign(
    timestamp: Timestamp,
    scope: &CredentialScope,
    previous_signature: &str,
    chunk_sha256: &str,
) -> String {
    format!(
        "{ALGORITHM}-PAYLOAD\n{}\n{scope}\n{previous_signature}\n{EMPTY_SHA256}\n{chunk_sha256}",
        timestamp.basic()
    )
}

/// The text that the signature of the trailer signs: `previous_signature` is that of the last, empty
/// chunk; `trailers_sha256` is the hash of [`canonical_trailers`] in hex.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>
#[must_use]
pub fn trailer_string_to_sign(
    timestamp: Timestamp,
    scope: &CredentialScope,
    previous_signature: &str,
    trailers_sha256: &str,
) -> String {
    format!(
        "{ALGORITHM}-TRAILER\n{}\n{scope}\n{previous_signature}\n{trailers_sha256}",
        timestamp.basic()
    )
}

/// The canonical text of trailing headers: `name:value` and a line feed for each, in their order,
/// names in lower case, values trimmed.
#[must_use]
pub fn canonical_trailers(trailers: &[(&str, &str)]) -> String {
    trailers
        .iter()
        .map(|(name, value)| format!("{}:{}\n", name.to_ascii_lowercase(), value.trim()))
        .collect()
}

/// SHA-256 of `bytes`, in hex.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}
