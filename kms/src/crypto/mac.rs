//! Message authentication codes: HMAC with SHA-2 (RFC 2104, FIPS 180-4).

use aws_lc_rs::hmac;

use crate::crypto::spec::KeySpec;

/// The material of an HMAC key.
///
/// Neither `Clone` nor `Debug`.
pub struct MacKey(hmac::Key);

impl MacKey {
    pub(crate) fn new(spec: KeySpec, secret: &[u8]) -> Option<Self> {
        let algorithm = match spec {
            KeySpec::Hmac224 => hmac::HMAC_SHA224,
            KeySpec::Hmac256 => hmac::HMAC_SHA256,
            KeySpec::Hmac384 => hmac::HMAC_SHA384,
            KeySpec::Hmac512 => hmac::HMAC_SHA512,
            _ => return None,
        };
        Some(Self(hmac::Key::new(algorithm, secret)))
    }

    /// The code of a message.
    #[must_use]
    pub fn generate(&self, message: &[u8]) -> Vec<u8> {
        hmac::sign(&self.0, message).as_ref().to_vec()
    }

    /// Whether `code` is that of the message; takes the same time wherever they differ.
    #[must_use]
    pub fn verify(&self, message: &[u8], code: &[u8]) -> bool {
        hmac::verify(&self.0, message, code).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2, under a key of the length that KMS has for HMAC_256 (padded with
    /// zeros, which HMAC does anyway).
    #[test]
    fn a_code_is_that_of_rfc_4231() {
        let mut secret = b"Jefe".to_vec();
        secret.resize(32, 0);
        let key = MacKey::new(KeySpec::Hmac256, &secret).unwrap();
        let message = b"what do ya want for nothing?";
        let code = key.generate(message);
        assert_eq!(
            hex::encode(&code),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert!(key.verify(message, &code));
        assert!(!key.verify(message, &code[1..]));
        assert!(!key.verify(b"another", &code));
    }
}
