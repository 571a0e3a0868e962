//! Keys and signatures.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Hmac;
use hmac::KeyInit as _;
use hmac::Mac as _;
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

/// The key of one secret access key.
///
/// Neither `Clone` nor `Debug`. It stores the state of HMAC before any message, not the secret itself;
/// that state wipes itself.
pub struct SigningKey(Hmac<Sha1>);

impl SigningKey {
    /// The key that `secret`, a secret access key, signs with.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        let keyed = Hmac::new_from_slice(secret.as_bytes());
        Self(keyed.expect("HMAC takes a key of any length"))
    }

    /// The signature of `text`: 28 characters of base64.
    #[must_use]
    pub fn sign(&self, text: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(text);
        STANDARD.encode(mac.finalize().into_bytes())
    }

    /// Whether `signature` is the one of `text`, in time that does not depend on where they differ.
    /// Only the exact characters are a signature.
    #[must_use]
    pub fn verify(&self, text: &[u8], signature: &str) -> bool {
        let expected = self.sign(text);
        expected.as_bytes().ct_eq(signature.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_characters_verify() {
        let key = SigningKey::new("secret");
        let signature = key.sign(b"text");
        assert_eq!(signature.len(), 28);
        assert!(key.verify(b"text", &signature));
        assert!(!key.verify(b"text ", &signature));
        assert!(!SigningKey::new("Secret").verify(b"text", &signature));
        for other in [
            String::new(),
            signature[..27].to_owned(),
            format!("{signature}="),
            format!(" {signature}"),
            signature.to_lowercase(),
            signature.replace('=', "%3D"),
        ] {
            assert!(!key.verify(b"text", &other), "{other}");
        }
        for position in 0..28 {
            let mut changed = signature.clone().into_bytes();
            changed[position] = if changed[position] == b'A' {
                b'B'
            } else {
                b'A'
            };
            let changed = String::from_utf8(changed).unwrap();
            assert!(!key.verify(b"text", &changed), "{position}");
        }
    }

    /// HMAC stores two states of the hash of its key, and nothing else.
    #[test]
    fn the_state_that_hmac_stores_of_a_key_wipes_itself() {
        fn wipes_itself<T: zeroize::ZeroizeOnDrop>() {}
        wipes_itself::<sha1::block_api::Sha1Core>();
    }
}
