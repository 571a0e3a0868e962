//! Which quota a request counts against.
//!
//! A class is one row of the quota tables in `kms/quotas`: one shared quota for the cryptographic
//! operations of each type of key, one for each kind of data key pair, one for every other
//! operation.

use serde::Deserialize;
use serde::Serialize;

/// Makes the closed list of classes: each name is the identifier and the text alike.
macro_rules! classes {
    ($($(#[$doc:meta])* $class:ident,)+) => {
        /// One request quota of an account in a Region.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[repr(u8)]
        #[allow(missing_docs, reason = "an operation's own quota needs no more words than its name")]
        pub enum Class {
            $($(#[$doc])* $class,)+
        }

        impl Class {
            /// Every class, in the order of the quota tables.
            pub const ALL: &[Self] = &[$(Self::$class,)+];

            /// How many classes there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The class's name, as CloudWatch's `AWS/Usage` metrics would name the resource.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$class => stringify!($class),)+
                }
            }

            /// The class of that name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($class) => Some(Self::$class),)+
                    _ => None,
                }
            }
        }
    };
}

classes! {
    /// Encrypt, Decrypt, GenerateDataKey and their kin, with symmetric and HMAC keys.
    CryptographicOperationsSymmetric,
    /// Encrypt, Decrypt, ReEncrypt, Sign and Verify with RSA keys.
    CryptographicOperationsRsa,
    /// Sign and Verify with ML-DSA keys.
    CryptographicOperationsMlDsa,
    /// Sign, Verify and DeriveSharedSecret with elliptic curve keys.
    CryptographicOperationsEcc,
    /// The cryptographic operations with SM2 keys (China Regions).
    CryptographicOperationsSm,
    /// Encapsulate and Decapsulate with ML-KEM keys.
    CryptographicOperationsMlKem,
    /// Per AWS CloudHSM key store, besides the account's own quota.
    KeyStoreCloudHsm,
    /// Per external key store, besides the account's own quota.
    KeyStoreExternal,
    GenerateDataKeyPairEccNistP256,
    GenerateDataKeyPairEccNistP384,
    GenerateDataKeyPairEccNistP521,
    GenerateDataKeyPairEccSecgP256K1,
    GenerateDataKeyPairEccNistEdwards25519,
    GenerateDataKeyPairRsa2048,
    GenerateDataKeyPairRsa3072,
    GenerateDataKeyPairRsa4096,
    GenerateDataKeyPairSm2,
    GenerateDataKeyPairMlKem,
    CancelKeyDeletion,
    ConnectCustomKeyStore,
    CreateAlias,
    CreateCustomKeyStore,
    CreateGrant,
    CreateKey,
    DeleteAlias,
    DeleteCustomKeyStore,
    DeleteImportedKeyMaterial,
    DescribeCustomKeyStores,
    DescribeKey,
    DisableKey,
    DisableKeyRotation,
    DisconnectCustomKeyStore,
    EnableKey,
    EnableKeyRotation,
    GetKeyLastUsage,
    GetKeyPolicy,
    GetKeyRotationStatus,
    GetParametersForImport,
    GetPublicKey,
    ImportKeyMaterial,
    ListAliases,
    ListGrants,
    ListKeyPolicies,
    ListKeyRotations,
    ListKeys,
    ListResourceTags,
    ListRetirableGrants,
    PutKeyPolicy,
    ReplicateKey,
    RetireGrant,
    RevokeGrant,
    RotateKeyOnDemand,
    ScheduleKeyDeletion,
    TagResource,
    UntagResource,
    UpdateAlias,
    UpdateCustomKeyStore,
    UpdateKeyDescription,
    UpdatePrimaryRegion,
}

impl Class {
    /// The class of an operation, given the key spec it works with.
    ///
    /// `key_spec` is the KMS key's spec for the shared cryptographic quotas, and the data key
    /// pair's spec for GenerateDataKeyPair. Leave it out where no key is known (GenerateRandom, a
    /// key that does not exist): the request then counts as symmetric. `None` for a name that is
    /// no KMS operation.
    #[must_use]
    pub fn for_operation(operation: &str, key_spec: Option<&str>) -> Option<Self> {
        match operation {
            "Encrypt" | "Decrypt" | "ReEncrypt" | "Sign" | "Verify" | "DeriveSharedSecret"
            | "Encapsulate" | "Decapsulate" => Some(Self::for_key(key_spec)),
            "GenerateDataKey"
            | "GenerateDataKeyWithoutPlaintext"
            | "GenerateMac"
            | "VerifyMac"
            | "GenerateRandom" => Some(Self::CryptographicOperationsSymmetric),
            "GenerateDataKeyPair" | "GenerateDataKeyPairWithoutPlaintext" => {
                Some(Self::for_pair(key_spec))
            }
            other => Self::from_name(other).filter(|class| class.is_operation()),
        }
    }

    /// Whether the class is the quota of exactly one operation.
    #[must_use]
    pub fn is_operation(self) -> bool {
        self >= Self::CancelKeyDeletion
    }

    /// Position in [`Class::ALL`].
    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// The shared cryptographic quota of a KMS key's spec.
    fn for_key(key_spec: Option<&str>) -> Self {
        match key_spec.unwrap_or_default() {
            spec if spec.starts_with("RSA_") => Self::CryptographicOperationsRsa,
            spec if spec.starts_with("ECC_") => Self::CryptographicOperationsEcc,
            spec if spec.starts_with("ML_DSA_") => Self::CryptographicOperationsMlDsa,
            spec if spec.starts_with("ML_KEM_") => Self::CryptographicOperationsMlKem,
            "SM2" => Self::CryptographicOperationsSm,
            _ => Self::CryptographicOperationsSymmetric,
        }
    }

    /// The quota of a data key pair's spec; an unknown spec counts as the slowest.
    fn for_pair(pair_spec: Option<&str>) -> Self {
        match pair_spec.unwrap_or_default() {
            "ECC_NIST_P256" => Self::GenerateDataKeyPairEccNistP256,
            "ECC_NIST_P384" => Self::GenerateDataKeyPairEccNistP384,
            "ECC_NIST_P521" => Self::GenerateDataKeyPairEccNistP521,
            "ECC_SECG_P256K1" => Self::GenerateDataKeyPairEccSecgP256K1,
            "ECC_NIST_EDWARDS25519" => Self::GenerateDataKeyPairEccNistEdwards25519,
            "RSA_2048" => Self::GenerateDataKeyPairRsa2048,
            "RSA_3072" => Self::GenerateDataKeyPairRsa3072,
            "SM2" => Self::GenerateDataKeyPairSm2,
            spec if spec.starts_with("ML_KEM_") => Self::GenerateDataKeyPairMlKem,
            _ => Self::GenerateDataKeyPairRsa4096,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Class;

    #[test]
    fn the_key_spec_decides_the_class_of_a_cryptographic_operation() {
        let class = |spec| Class::for_operation("Decrypt", spec);
        assert_eq!(class(None), Some(Class::CryptographicOperationsSymmetric));
        assert_eq!(
            class(Some("RSA_3072")),
            Some(Class::CryptographicOperationsRsa)
        );
        assert_eq!(class(Some("SM2")), Some(Class::CryptographicOperationsSm));
        assert_eq!(
            Class::for_operation("Sign", Some("ML_DSA_65")),
            Some(Class::CryptographicOperationsMlDsa)
        );
        assert_eq!(
            Class::for_operation("GenerateMac", Some("HMAC_256")),
            Some(Class::CryptographicOperationsSymmetric)
        );
    }

    #[test]
    fn a_data_key_pair_is_never_in_the_symmetric_quota() {
        for operation in ["GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"] {
            let class = Class::for_operation(operation, Some("RSA_2048"));
            assert_eq!(class, Some(Class::GenerateDataKeyPairRsa2048));
        }
    }

    #[test]
    fn a_shared_quota_is_no_operation() {
        assert_eq!(
            Class::for_operation("CryptographicOperationsRsa", None),
            None
        );
        assert_eq!(Class::for_operation("NoSuchOperation", None), None);
        assert_eq!(
            Class::for_operation("CreateKey", None),
            Some(Class::CreateKey)
        );
    }
}
