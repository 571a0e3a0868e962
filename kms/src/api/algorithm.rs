//! Which algorithms a key has.

use crate::authorize::Cryptography;
use crate::authorize::Permitted;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::metadata::KeySpec;
use crate::keys::metadata::KeyUsage;

/// The algorithm is one of the key's.
pub(crate) fn check_algorithm(
    permit: &Permitted<Cryptography>,
    algorithm: &str,
) -> Result<(), KmsError> {
    let spec = permit.snapshot().record.spec;
    if spec
        .algorithms(KeyUsage::EncryptDecrypt)
        .contains(&algorithm)
    {
        return Ok(());
    }
    Err(incompatible(algorithm, spec))
}

/// Data keys are sealed under symmetric keys only.
pub(crate) fn check_symmetric(permit: &Permitted<Cryptography>) -> Result<(), KmsError> {
    let spec = permit.snapshot().record.spec;
    if spec == KeySpec::SymmetricDefault {
        return Ok(());
    }
    Err(KmsError::new(
        Code::InvalidKeyUsageException,
        format!(
            "You cannot generate a data key with an asymmetric key: {} has key spec {}.",
            permit.key().arn(),
            spec.as_str()
        ),
    ))
}

/// The algorithm does not go with the key's spec.
pub(crate) fn incompatible(algorithm: &str, spec: KeySpec) -> KmsError {
    KmsError::new(
        Code::InvalidKeyUsageException,
        format!(
            "Algorithm {algorithm} is incompatible with key spec {}.",
            spec.as_str()
        ),
    )
}

/// The algorithm of symmetric keys.
pub(crate) const SYMMETRIC: &str = "SYMMETRIC_DEFAULT";
