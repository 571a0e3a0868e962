//! What kinds of keys there are, and what each can do, in AWS's words.

use serde::Deserialize;
use serde::Serialize;

/// Makes a closed list of AWS's values: Rust name and AWS's spelling.
macro_rules! values {
    ($(#[$doc:meta])* $type:ident { $($value:ident $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "each is documented by AWS under its name")]
        pub enum $type {
            $(#[serde(rename = $text)] $value,)+
        }

        impl $type {
            /// AWS's spelling.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $text,)+
                }
            }

            /// The value that AWS spells so.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$value),)+
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use values;

values! {
    /// What a key is made of, and so what it can do.
    KeySpec {
        Rsa2048 "RSA_2048",
        Rsa3072 "RSA_3072",
        Rsa4096 "RSA_4096",
        EccNistP256 "ECC_NIST_P256",
        EccNistP384 "ECC_NIST_P384",
        EccNistP521 "ECC_NIST_P521",
        EccSecgP256K1 "ECC_SECG_P256K1",
        EccNistEdwards25519 "ECC_NIST_EDWARDS25519",
        SymmetricDefault "SYMMETRIC_DEFAULT",
        Hmac224 "HMAC_224",
        Hmac256 "HMAC_256",
        Hmac384 "HMAC_384",
        Hmac512 "HMAC_512",
        Sm2 "SM2",
        MlDsa44 "ML_DSA_44",
        MlDsa65 "ML_DSA_65",
        MlDsa87 "ML_DSA_87",
        MlKem512 "ML_KEM_512",
        MlKem768 "ML_KEM_768",
        MlKem1024 "ML_KEM_1024",
    }
}

values! {
    /// What a key may be used for.
    KeyUsage {
        EncryptDecrypt "ENCRYPT_DECRYPT",
        SignVerify "SIGN_VERIFY",
        GenerateVerifyMac "GENERATE_VERIFY_MAC",
        KeyAgreement "KEY_AGREEMENT",
        EncapsulateDecapsulate "ENCAPSULATE_DECAPSULATE",
    }
}

impl KeySpec {
    /// The specs that a key of this usage may have.
    #[must_use]
    pub fn allows(self, usage: KeyUsage) -> bool {
        match usage {
            KeyUsage::EncryptDecrypt => {
                matches!(self, Self::SymmetricDefault | Self::Sm2) || self.is_rsa()
            }
            KeyUsage::SignVerify => {
                self.is_rsa() || self.is_ecc() || self.is_ml_dsa() || self == Self::Sm2
            }
            KeyUsage::GenerateVerifyMac => self.is_hmac(),
            KeyUsage::KeyAgreement => {
                self == Self::Sm2
                    || matches!(
                        self,
                        Self::EccNistP256 | Self::EccNistP384 | Self::EccNistP521
                    )
            }
            KeyUsage::EncapsulateDecapsulate => self.is_ml_kem(),
        }
    }

    /// Whether the key is one secret, not a pair.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        self.is_hmac() || matches!(self, Self::SymmetricDefault)
    }

    /// Whether the key is for message authentication codes.
    #[must_use]
    pub const fn is_hmac(self) -> bool {
        matches!(
            self,
            Self::Hmac224 | Self::Hmac256 | Self::Hmac384 | Self::Hmac512
        )
    }

    /// Whether the key is an RSA pair.
    #[must_use]
    pub const fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096)
    }

    /// Whether the key is a pair on an elliptic curve.
    #[must_use]
    pub const fn is_ecc(self) -> bool {
        matches!(
            self,
            Self::EccNistP256
                | Self::EccNistP384
                | Self::EccNistP521
                | Self::EccSecgP256K1
                | Self::EccNistEdwards25519
        )
    }

    /// Whether the key is an ML-DSA pair.
    #[must_use]
    pub const fn is_ml_dsa(self) -> bool {
        matches!(self, Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87)
    }

    /// Whether the key is an ML-KEM pair.
    #[must_use]
    pub const fn is_ml_kem(self) -> bool {
        matches!(self, Self::MlKem512 | Self::MlKem768 | Self::MlKem1024)
    }

    /// The algorithms of a key of this spec and usage, as key metadata lists them.
    ///
    /// Source: <https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html>
    #[must_use]
    pub const fn algorithms(self, usage: KeyUsage) -> &'static [&'static str] {
        match usage {
            KeyUsage::EncryptDecrypt => match self {
                Self::SymmetricDefault => &["SYMMETRIC_DEFAULT"],
                Self::Sm2 => &["SM2PKE"],
                _ => &["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"],
            },
            KeyUsage::SignVerify => match self {
                Self::EccNistP256 | Self::EccSecgP256K1 => &["ECDSA_SHA_256"],
                Self::EccNistP384 => &["ECDSA_SHA_384"],
                Self::EccNistP521 => &["ECDSA_SHA_512"],
                Self::EccNistEdwards25519 => &["ED25519_PH_SHA_512", "ED25519_SHA_512"],
                Self::Sm2 => &["SM2DSA"],
                Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => &["ML_DSA_SHAKE_256"],
                _ => &[
                    "RSASSA_PKCS1_V1_5_SHA_256",
                    "RSASSA_PKCS1_V1_5_SHA_384",
                    "RSASSA_PKCS1_V1_5_SHA_512",
                    "RSASSA_PSS_SHA_256",
                    "RSASSA_PSS_SHA_384",
                    "RSASSA_PSS_SHA_512",
                ],
            },
            KeyUsage::GenerateVerifyMac => match self {
                Self::Hmac224 => &["HMAC_SHA_224"],
                Self::Hmac384 => &["HMAC_SHA_384"],
                Self::Hmac512 => &["HMAC_SHA_512"],
                _ => &["HMAC_SHA_256"],
            },
            KeyUsage::KeyAgreement => &["ECDH"],
            KeyUsage::EncapsulateDecapsulate => &["ML_KEM"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_allows_the_usages_aws_lists() {
        assert!(KeySpec::SymmetricDefault.allows(KeyUsage::EncryptDecrypt));
        assert!(!KeySpec::SymmetricDefault.allows(KeyUsage::SignVerify));
        assert!(KeySpec::Rsa2048.allows(KeyUsage::SignVerify));
        assert!(!KeySpec::Rsa2048.allows(KeyUsage::KeyAgreement));
        assert!(!KeySpec::EccSecgP256K1.allows(KeyUsage::KeyAgreement));
        assert!(KeySpec::Hmac384.allows(KeyUsage::GenerateVerifyMac));
    }

    #[test]
    fn values_are_spelled_as_aws_does() {
        assert_eq!(
            KeySpec::parse("ECC_SECG_P256K1"),
            Some(KeySpec::EccSecgP256K1)
        );
        assert_eq!(KeySpec::parse("ecc_secg_p256k1"), None);
        assert_eq!(
            serde_json::to_string(&KeyUsage::SignVerify).unwrap(),
            "\"SIGN_VERIFY\""
        );
    }
}
