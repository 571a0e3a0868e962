//! Signatures, message authentication codes and public keys.

use proto::kms::v1;

use crate::api::algorithm::incompatible;
use crate::api::call::Call;
use crate::api::reference::By;
use crate::api::violations;
use crate::api::violations::Constrained;
use crate::authorize::Cryptography;
use crate::authorize::Permitted;
use crate::compat::Compat;
use crate::crypto::mac::MacKey;
use crate::crypto::material::Material;
use crate::crypto::message::Message;
use crate::crypto::message::SignError;
use crate::crypto::pair::Pair;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::metadata::KeyUsage;
use crate::keys::state::Group;

/// Signs a message, or its digest, with the private key of a pair.
pub(crate) fn sign(
    call: &mut Call<'_>,
    request: v1::SignRequest,
) -> Result<v1::SignResponse, KmsError> {
    let algorithm = request.signing_algorithm.as_deref().unwrap_or_default();
    let message_type = request.message_type.as_deref().unwrap_or(RAW);
    call.record.parameter("messageType", message_type);
    let key_id = request.key_id.as_deref();
    let permit = key_for(call, &request, key_id, (SIGNING, algorithm))?;
    let message = message(message_type, request.message.as_deref().unwrap_or_default());
    let signature = pair(&permit)?
        .sign(algorithm, message)
        .map_err(|error| refused(error, &permit, algorithm, message_type))?;
    call.end_dry_run(request.dry_run)?;
    call.note_use(permit.key());
    Ok(v1::SignResponse {
        key_id: Some(permit.key().arn().to_string()),
        signature: Some(signature),
        signing_algorithm: Some(algorithm.to_owned()),
    })
}

/// Checks a signature with the public key of a pair.
pub(crate) fn verify(
    call: &mut Call<'_>,
    request: v1::VerifyRequest,
) -> Result<v1::VerifyResponse, KmsError> {
    let algorithm = request.signing_algorithm.as_deref().unwrap_or_default();
    let message_type = request.message_type.as_deref().unwrap_or(RAW);
    call.record.parameter("messageType", message_type);
    let key_id = request.key_id.as_deref();
    let permit = key_for(call, &request, key_id, (SIGNING, algorithm))?;
    let message = message(message_type, request.message.as_deref().unwrap_or_default());
    let signature = request.signature.as_deref().unwrap_or_default();
    let valid = pair(&permit)?
        .verify(algorithm, message, signature)
        .map_err(|error| refused(error, &permit, algorithm, message_type))?;
    if !valid {
        return Err(KmsError::new(Code::KmsInvalidSignatureException, ""));
    }
    call.end_dry_run(request.dry_run)?;
    call.note_use(permit.key());
    Ok(v1::VerifyResponse {
        key_id: Some(permit.key().arn().to_string()),
        signature_valid: Some(true),
        signing_algorithm: Some(algorithm.to_owned()),
    })
}

/// Makes the authentication code of a message.
pub(crate) fn generate_mac(
    call: &mut Call<'_>,
    request: v1::GenerateMacRequest,
) -> Result<v1::GenerateMacResponse, KmsError> {
    let algorithm = request.mac_algorithm.as_deref().unwrap_or_default();
    let key_id = request.key_id.as_deref();
    let permit = key_for(call, &request, key_id, (MAC, algorithm))?;
    call.end_dry_run(request.dry_run)?;
    let code = mac(&permit)?.generate(request.message.as_deref().unwrap_or_default());
    call.note_use(permit.key());
    Ok(v1::GenerateMacResponse {
        mac: Some(code),
        mac_algorithm: Some(algorithm.to_owned()),
        key_id: Some(permit.key().arn().to_string()),
    })
}

/// Checks the authentication code of a message.
pub(crate) fn verify_mac(
    call: &mut Call<'_>,
    request: v1::VerifyMacRequest,
) -> Result<v1::VerifyMacResponse, KmsError> {
    let algorithm = request.mac_algorithm.as_deref().unwrap_or_default();
    let key_id = request.key_id.as_deref();
    let permit = key_for(call, &request, key_id, (MAC, algorithm))?;
    let message = request.message.as_deref().unwrap_or_default();
    if !mac(&permit)?.verify(message, request.mac.as_deref().unwrap_or_default()) {
        return Err(KmsError::new(Code::KmsInvalidMacException, ""));
    }
    call.end_dry_run(request.dry_run)?;
    call.note_use(permit.key());
    Ok(v1::VerifyMacResponse {
        key_id: Some(permit.key().arn().to_string()),
        mac_valid: Some(true),
        mac_algorithm: Some(algorithm.to_owned()),
    })
}

/// Returns the public key of a pair, for use outside.
pub(crate) fn public_key(
    call: &mut Call<'_>,
    request: v1::GetPublicKeyRequest,
) -> Result<v1::GetPublicKeyResponse, KmsError> {
    let permit = call.requested_key(&request, request.key_id.as_deref(), By::Alias)?;
    let key = permit.key();
    let snapshot = key.snapshot();
    let record = &snapshot.record;
    if record.spec.is_symmetric() && call.kms.compat() == Compat::LocalStack {
        return Ok(v1::GetPublicKeyResponse {
            key_id: Some(key.arn().to_string()),
            key_spec: Some(record.spec.as_str().to_owned()),
            key_usage: Some(record.usage.as_str().to_owned()),
            ..v1::GetPublicKeyResponse::default()
        });
    }
    if record.spec.is_symmetric() {
        return Err(KmsError::new(
            Code::UnsupportedOperationException,
            format!(
                "{} key usage is {} which is not valid for GetPublicKey.",
                key.arn(),
                record.usage.as_str()
            ),
        ));
    }
    call.check_state(key, Group::Use)?;
    let material = snapshot.current().and_then(Material::public_key);
    let public_key = material.ok_or_else(KmsError::internal)?;
    let algorithms = |usage| record.algorithms(usage);
    Ok(v1::GetPublicKeyResponse {
        key_id: Some(key.arn().to_string()),
        public_key: Some(public_key.to_vec()),
        customer_master_key_spec: Some(record.spec.as_str().to_owned()),
        key_spec: Some(record.spec.as_str().to_owned()),
        key_usage: Some(record.usage.as_str().to_owned()),
        encryption_algorithms: algorithms(KeyUsage::EncryptDecrypt),
        signing_algorithms: algorithms(KeyUsage::SignVerify),
        key_agreement_algorithms: algorithms(KeyUsage::KeyAgreement),
        encapsulation_algorithms: algorithms(KeyUsage::EncapsulateDecapsulate),
    })
}

/// The key that a request names, if its state, usage and spec go with the algorithm; the request is
/// recorded and checked against the service model first.
pub(crate) fn key_for(
    call: &mut Call<'_>,
    request: &impl Constrained,
    key_id: Option<&str>,
    (purpose, algorithm): (AlgorithmPurpose, &str),
) -> Result<Permitted<Cryptography>, KmsError> {
    call.record.parameter_text("keyId", key_id);
    call.record.parameter(purpose.member, algorithm);
    violations::check(request)?;
    let permit = call.key_to_use(key_id, None)?;
    call.check_use(&permit, purpose.usage)?;
    let spec = permit.snapshot().record.spec;
    if !spec.algorithms(purpose.usage).contains(&algorithm) {
        return Err(incompatible(algorithm, spec));
    }
    Ok(permit)
}

/// What an algorithm is for, and the member of a request that names it.
#[derive(Clone, Copy)]
pub(crate) struct AlgorithmPurpose {
    pub(crate) usage: KeyUsage,
    pub(crate) member: &'static str,
}

const SIGNING: AlgorithmPurpose = AlgorithmPurpose {
    usage: KeyUsage::SignVerify,
    member: "signingAlgorithm",
};

const MAC: AlgorithmPurpose = AlgorithmPurpose {
    usage: KeyUsage::GenerateVerifyMac,
    member: "macAlgorithm",
};

/// The key's pair.
pub(crate) fn pair(permit: &Permitted<Cryptography>) -> Result<&Pair, KmsError> {
    let material = permit.snapshot().current();
    let material = material.and_then(|material| material.pair(permit));
    material.ok_or_else(KmsError::internal)
}

fn mac(permit: &Permitted<Cryptography>) -> Result<&MacKey, KmsError> {
    let material = permit.snapshot().current();
    let material = material.and_then(|material| material.mac(permit));
    material.ok_or_else(KmsError::internal)
}

fn message<'a>(message_type: &str, bytes: &'a [u8]) -> Message<'a> {
    match message_type {
        "DIGEST" => Message::Digest(bytes),
        "EXTERNAL_MU" => Message::ExternalMu(bytes),
        _ => Message::Raw(bytes),
    }
}

fn refused(
    error: SignError,
    permit: &Permitted<Cryptography>,
    algorithm: &str,
    message_type: &str,
) -> KmsError {
    match error {
        SignError::Algorithm => incompatible(algorithm, permit.snapshot().record.spec),
        SignError::MessageType => KmsError::validation(format!(
            "MessageType {message_type} is not compatible with algorithm {algorithm}."
        )),
        SignError::DigestLength => KmsError::validation(format!(
            "Digest is invalid length for algorithm {algorithm}."
        )),
        SignError::Failed => KmsError::internal(),
    }
}

const RAW: &str = "RAW";
