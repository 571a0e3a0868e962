//! Secrets shared with others: key agreement and key encapsulation.

use proto::kms::v1;

use crate::api::call::Call;
use crate::api::recipient;
use crate::api::sign;
use crate::api::sign::AlgorithmPurpose;
use crate::authorize::Cryptography;
use crate::authorize::Permitted;
use crate::crypto::ml_kem::MlKemPair;
use crate::crypto::pair::Pair;
use crate::error::KmsError;
use crate::keys::metadata::KeyUsage;

/// Agrees on a secret with the owner of a public key on the same curve.
pub(crate) fn derive(
    call: &mut Call<'_>,
    request: v1::DeriveSharedSecretRequest,
) -> Result<v1::DeriveSharedSecretResponse, KmsError> {
    let algorithm = request.key_agreement_algorithm.as_deref();
    let algorithm = algorithm.unwrap_or_default();
    recipient::attest(call, request.recipient.as_ref());
    let key_id = request.key_id.as_deref();
    let permit = sign::key_for(call, &request, key_id, (AGREEMENT, algorithm))?;
    let key = permit.key();
    let Pair::Ecc(pair) = sign::pair(&permit)? else {
        return Err(KmsError::internal());
    };
    let secret = pair
        .agree(request.public_key.as_deref().unwrap_or_default())
        .ok_or_else(|| KmsError::validation(""))?;
    call.end_dry_run(request.dry_run)?;
    call.note_use(key);
    let delivery = recipient::delivery(call, request.recipient.as_ref(), &secret)?;
    Ok(v1::DeriveSharedSecretResponse {
        key_id: Some(key.arn().to_string()),
        shared_secret: delivery.plaintext,
        ciphertext_for_recipient: delivery.for_recipient,
        key_agreement_algorithm: Some(algorithm.to_owned()),
        key_origin: Some(permit.snapshot().record.origin.as_str().to_owned()),
    })
}

/// Makes a secret and a ciphertext that the key opens to it.
pub(crate) fn encapsulate(
    call: &mut Call<'_>,
    request: v1::EncapsulateRequest,
) -> Result<v1::EncapsulateResponse, KmsError> {
    let algorithm = request.encapsulation_algorithm.as_deref();
    let algorithm = algorithm.unwrap_or_default();
    let key_id = request.key_id.as_deref();
    let permit = sign::key_for(call, &request, key_id, (ENCAPSULATION, algorithm))?;
    let key = permit.key();
    call.end_dry_run(request.dry_run)?;
    let (blob, secret) = pair(&permit)?
        .encapsulate()
        .ok_or_else(KmsError::internal)?;
    call.note_use(key);
    Ok(v1::EncapsulateResponse {
        key_id: Some(key.arn().to_string()),
        shared_secret: Some(secret.to_vec()),
        shared_secret_ciphertext_blob: Some(blob),
        encapsulation_algorithm: Some(algorithm.to_owned()),
    })
}

/// Opens a ciphertext to the secret in it.
pub(crate) fn decapsulate(
    call: &mut Call<'_>,
    request: v1::DecapsulateRequest,
) -> Result<v1::DecapsulateResponse, KmsError> {
    let algorithm = request.encapsulation_algorithm.as_deref();
    let algorithm = algorithm.unwrap_or_default();
    let key_id = request.key_id.as_deref();
    let permit = sign::key_for(call, &request, key_id, (ENCAPSULATION, algorithm))?;
    let key = permit.key();
    let blob = request
        .shared_secret_ciphertext_blob
        .as_deref()
        .unwrap_or_default();
    let secret = pair(&permit)?
        .decapsulate(blob)
        .map_err(|_| KmsError::invalid_ciphertext())?;
    call.end_dry_run(request.dry_run)?;
    call.note_use(key);
    Ok(v1::DecapsulateResponse {
        key_id: Some(key.arn().to_string()),
        shared_secret: Some(secret.to_vec()),
        encapsulation_algorithm: Some(algorithm.to_owned()),
    })
}

fn pair(permit: &Permitted<Cryptography>) -> Result<&MlKemPair, KmsError> {
    match sign::pair(permit)? {
        Pair::MlKem(pair) => Ok(pair),
        _ => Err(KmsError::internal()),
    }
}

const AGREEMENT: AlgorithmPurpose = AlgorithmPurpose {
    usage: KeyUsage::KeyAgreement,
    member: "keyAgreementAlgorithm",
};

const ENCAPSULATION: AlgorithmPurpose = AlgorithmPurpose {
    usage: KeyUsage::EncapsulateDecapsulate,
    member: "encapsulationAlgorithm",
};
