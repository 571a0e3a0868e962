//! Signing keys, signatures, and the texts they sign.

use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use sha2::Digest;
use sha2::Sha256;
use subtle::ConstantTimeEq;
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
/// Neither `Clone` nor `Debug`. Deriving it costs four HMACs; a server that checks many requests caches it
/// behind an `Arc`, by access key id and scope. It stores the state of HMAC before any message, not
/// the key itself; that state wipes itself.
pub struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// The key that `secret`, a secret access key, signs with in `scope`.
    #[must_use]
    pub fn derive(secret: &str, scope: &CredentialScope) -> Self {
        Self(keyed(&*Self::derived(secret, scope)))
    }

    fn derived(secret: &str, scope: &CredentialScope) -> Zeroizing<[u8; 32]> {
        let mut first = Zeroizing::new(Vec::with_capacity(4 + secret.len()));
        first.extend_from_slice(b"AWS4");
        first.extend_from_slice(secret.as_bytes());

        let mut key = Zeroizing::new(mac(keyed(&first), scope.date.as_bytes()));
        for part in [scope.region.as_str(), scope.service.as_str(), TERMINATOR] {
            *key = mac(keyed(&*key), part.as_bytes());
        }
        key
    }

    /// The signature of `string_to_sign`.
    #[must_use]
    pub fn sign(&self, string_to_sign: &str) -> Signature {
        hex32(&mac(self.0.clone(), string_to_sign.as_bytes()))
    }

    /// Whether `signature` is the one of `string_to_sign`, in time that does not depend on
    /// where they differ. Only 64 hex digits in lower case are a signature.
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
    let CredentialScope {
        date,
        region,
        service,
    } = scope;
    let time = timestamp.basic();
    let rest = [
        "\n", &time, "\n", date, "/", region, "/", service, "/", TERMINATOR, "\n",
    ];
    let mut text = String::with_capacity(256);
    text.push_str(ALGORITHM);
    rest.iter().for_each(|part| text.push_str(part));
    text.push_str(canonical_sha256);
    text
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
    hex32(&Sha256::digest(bytes).into())
}

/// 32 bytes as hex digits in lower case.
fn hex32(bytes: &[u8; 32]) -> String {
    let mut digits = vec![0; 64];
    hex::encode_to_slice(bytes, &mut digits).expect("the buffer has two digits a byte");
    String::from_utf8(digits).expect("hex digits are ASCII")
}

/// HMAC-SHA-256 under a key, before any message.
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn mac(mut keyed: Hmac<Sha256>, message: &[u8]) -> [u8; 32] {
    keyed.update(message);
    keyed.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn scope() -> CredentialScope {
        CredentialScope::parse("20150830/us-east-1/iam/aws4_request").unwrap()
    }

    fn key() -> SigningKey {
        SigningKey::derive(SECRET, &scope())
    }

    #[test]
    fn the_derived_key_is_the_published_one() {
        // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-examples.html
        let expected = "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9";
        assert_eq!(
            hex::encode(*SigningKey::derived(SECRET, &scope())),
            expected
        );
    }

    /// HMAC stores two states of the hash of its key, and nothing else.
    #[test]
    fn the_state_that_hmac_stores_of_a_key_wipes_itself() {
        fn wipes_itself<T: zeroize::ZeroizeOnDrop>() {}
        wipes_itself::<sha2::block_api::Sha256VarCore>();
        wipes_itself::<sha2::block_api::Sha512VarCore>();
    }

    #[test]
    fn a_signature_verifies_for_its_text_and_key_alone() {
        let signature = key().sign("text");
        assert!(key().verify("text", &signature));
        assert!(!key().verify("text ", &signature));
        let scope = CredentialScope::parse("20150831/us-east-1/iam/aws4_request").unwrap();
        let other_day = SigningKey::derive("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", &scope);
        assert!(!other_day.verify("text", &signature));
    }

    #[test]
    fn only_the_exact_digits_verify() {
        let signature = key().sign("text");
        assert!(!key().verify("text", ""));
        assert!(!key().verify("text", &signature[..63]));
        assert!(!key().verify("text", &format!("{signature}0")));
        assert!(!key().verify("text", &signature.to_uppercase()));
        for position in 0..64 {
            let mut changed = signature.clone().into_bytes();
            changed[position] = if changed[position] == b'0' {
                b'1'
            } else {
                b'0'
            };
            assert!(
                !key().verify("text", &String::from_utf8(changed).unwrap()),
                "{position}"
            );
        }
    }

    #[test]
    fn trailers_are_lower_case_lines() {
        let trailers = canonical_trailers(&[("X-Amz-Checksum-Crc32c", " sOO8/Q== "), ("b", "2")]);
        assert_eq!(trailers, "x-amz-checksum-crc32c:sOO8/Q==\nb:2\n");
    }
}
