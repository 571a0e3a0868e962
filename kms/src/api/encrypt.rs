//! Encrypt, Decrypt and ReEncrypt.

use crate::api::Call;
use crate::api::violations;
use crate::authorize::Permitted;
use crate::crypto::ciphertext::Blob;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::key::Key;
use crate::keys::key::Snapshot;
use crate::keys::metadata::KeySpec;
use crate::keys::metadata::KeyUsage;
use proto::kms::v1;
use std::collections::BTreeMap;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Encrypts up to 4,096 bytes under a key.
pub(crate) fn encrypt(
    call: &mut Call<'_>,
    request: v1::EncryptRequest,
) -> Result<v1::EncryptResponse, KmsError> {
    let v1::EncryptRequest {
        key_id,
        encryption_context,
        encryption_algorithm,
        ..
    } = &request;
    call.parameter_text("keyId", key_id.as_deref());
    call.parameter(
        "encryptionAlgorithm",
        encryption_algorithm.as_deref().unwrap_or(SYMMETRIC),
    );
    violations::check(&request)?;
    call.context(encryption_context)?;
    let plaintext = Zeroizing::new(request.plaintext.unwrap_or_default());
    let key = call.key_to_use(request.key_id.as_deref())?;
    let snapshot = key.snapshot();
    call.check_use(&key, &snapshot, KeyUsage::EncryptDecrypt)?;
    check_algorithm(&snapshot, request.encryption_algorithm.as_deref())?;
    call.end_dry_run(request.dry_run)?;
    let (blob, material_id) = seal(&key, &snapshot, &request.encryption_context, &plaintext)?;
    call.material(&material_id);
    call.note_use(&key);
    Ok(v1::EncryptResponse {
        ciphertext_blob: Some(blob),
        key_id: Some(key.arn().to_string()),
        encryption_algorithm: Some(SYMMETRIC.to_owned()),
    })
}

/// Opens what Encrypt or GenerateDataKey sealed.
pub(crate) fn decrypt(
    call: &mut Call<'_>,
    request: v1::DecryptRequest,
) -> Result<v1::DecryptResponse, KmsError> {
    call.parameter_text("keyId", request.key_id.as_deref());
    let algorithm = request.encryption_algorithm.as_deref();
    call.parameter("encryptionAlgorithm", algorithm.unwrap_or(SYMMETRIC));
    violations::check(&request)?;
    call.context(&request.encryption_context)?;
    let source = Source {
        blob: request.ciphertext_blob.as_deref(),
        member: "ciphertextBlob",
        key_id: request.key_id.as_deref(),
        context: &request.encryption_context,
        algorithm,
        action: "Decrypt",
        authorization_only: request.dry_run == Some(true)
            && request
                .dry_run_modifiers
                .iter()
                .any(|modifier| modifier == "IGNORE_CIPHERTEXT"),
    };
    let opened = open(call, &source)?;
    call.end_dry_run(request.dry_run)?;
    call.material(&opened.material_id);
    call.note_use(&opened.key);
    Ok(v1::DecryptResponse {
        key_id: Some(opened.key.arn().to_string()),
        plaintext: Some(opened.plaintext.to_vec()),
        encryption_algorithm: Some(SYMMETRIC.to_owned()),
        ciphertext_for_recipient: None,
        key_material_id: Some(opened.material_id),
    })
}

/// Opens a blob and seals its plaintext under another key, context, or both, without showing it.
pub(crate) fn re_encrypt(
    call: &mut Call<'_>,
    request: v1::ReEncryptRequest,
) -> Result<v1::ReEncryptResponse, KmsError> {
    call.parameter_text("sourceKeyId", request.source_key_id.as_deref());
    call.parameter_text("destinationKeyId", request.destination_key_id.as_deref());
    violations::check(&request)?;
    call.context(&request.source_encryption_context)?;
    call.context(&request.destination_encryption_context)?;
    let source = Source {
        blob: request.ciphertext_blob.as_deref(),
        member: "ciphertextBlob",
        key_id: request.source_key_id.as_deref(),
        context: &request.source_encryption_context,
        algorithm: request.source_encryption_algorithm.as_deref(),
        action: "ReEncryptFrom",
        authorization_only: request.dry_run == Some(true)
            && request
                .dry_run_modifiers
                .iter()
                .any(|modifier| modifier == "IGNORE_CIPHERTEXT"),
    };
    let opened = open(call, &source)?;
    let key = call.key_for_action(request.destination_key_id.as_deref(), "ReEncryptTo")?;
    let snapshot = key.snapshot();
    call.check_use(&key, &snapshot, KeyUsage::EncryptDecrypt)?;
    check_algorithm(
        &snapshot,
        request.destination_encryption_algorithm.as_deref(),
    )?;
    call.end_dry_run(request.dry_run)?;
    let context = &request.destination_encryption_context;
    let (blob, material_id) = seal(&key, &snapshot, context, &opened.plaintext)?;
    call.material(&opened.material_id);
    call.note_use(&opened.key);
    call.note_use(&key);
    Ok(v1::ReEncryptResponse {
        ciphertext_blob: Some(blob),
        source_key_id: Some(opened.key.arn().to_string()),
        key_id: Some(key.arn().to_string()),
        source_encryption_algorithm: Some(SYMMETRIC.to_owned()),
        destination_encryption_algorithm: Some(SYMMETRIC.to_owned()),
        source_key_material_id: Some(opened.material_id),
        destination_key_material_id: Some(material_id),
    })
}

/// What is to be opened.
struct Source<'a> {
    blob: Option<&'a [u8]>,
    /// Name of the blob's member, for the error.
    member: &'static str,
    key_id: Option<&'a str>,
    context: &'a BTreeMap<String, String>,
    algorithm: Option<&'a str>,
    action: &'static str,
    /// A dry run that looks at permissions alone.
    authorization_only: bool,
}

/// What was opened, and by which key.
struct Opened {
    key: Permitted<Arc<Key>>,
    plaintext: Zeroizing<Vec<u8>>,
    material_id: String,
}

fn open(call: &mut Call<'_>, source: &Source<'_>) -> Result<Opened, KmsError> {
    let named = match source.key_id {
        Some(key_id) => Some(call.key_for_action(Some(key_id), source.action)?),
        None => None,
    };
    if source.authorization_only
        && let Some(key) = named
    {
        call.check_use(&key, &key.snapshot(), KeyUsage::EncryptDecrypt)?;
        let material_id = String::new();
        return Ok(Opened {
            key,
            plaintext: Zeroizing::default(),
            material_id,
        });
    }
    let Some(blob) = source.blob else {
        return Err(KmsError::validation(format!(
            "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member \
             must not be null",
            source.member
        )));
    };
    let blob = Blob::parse(blob);
    let key = match (named, &blob) {
        (Some(key), Some(blob)) if !is_for(blob, &key) => {
            return Err(KmsError::new(
                Code::IncorrectKeyException,
                "The key ID in the request does not identify a CMK that can perform this \
                 operation.",
            ));
        }
        (Some(key), _) => key,
        (None, Some(blob)) => key_of(call, blob, source.action)?,
        (None, None) => {
            call.charge(None)?;
            return Err(KmsError::invalid_ciphertext());
        }
    };
    let snapshot = key.snapshot();
    call.check_use(&key, &snapshot, KeyUsage::EncryptDecrypt)?;
    check_algorithm(&snapshot, source.algorithm)?;
    let blob = blob.ok_or_else(KmsError::invalid_ciphertext)?;
    let material = snapshot
        .material(blob.material_id)
        .ok_or_else(KmsError::invalid_ciphertext)?;
    let plaintext = material
        .open(&blob, source.context)
        .map_err(|_| KmsError::invalid_ciphertext())?;
    let material_id = material.id_text().to_owned();
    Ok(Opened {
        key,
        plaintext,
        material_id,
    })
}

/// The key that a blob names. A blob of a key that is not here and one of a key that the caller may
/// not use are answered alike, as AWS does.
fn key_of(
    call: &mut Call<'_>,
    blob: &Blob<'_>,
    action: &str,
) -> Result<Permitted<Arc<Key>>, KmsError> {
    let region = &call.caller.region;
    let found = if *blob.key.region == **region {
        call.kms
            .keys
            .find(blob.key.account, region, blob.key.key_id, call.now)
    } else {
        None
    };
    let Some(key) = found else {
        call.charge(None)?;
        return Err(KmsError::access_denied(NOT_YOURS));
    };
    call.take(key, action, true)
        .map_err(|error| match error.code() {
            Code::AccessDeniedException => KmsError::access_denied(NOT_YOURS),
            _ => error,
        })
}

fn is_for(blob: &Blob<'_>, key: &Key) -> bool {
    blob.key == key.name()
}

/// A blob of `plaintext` under the key's current material, and that material's id.
pub(crate) fn seal(
    key: &Key,
    snapshot: &Snapshot,
    context: &BTreeMap<String, String>,
    plaintext: &[u8],
) -> Result<(Vec<u8>, String), KmsError> {
    let material = snapshot.current().ok_or_else(KmsError::internal)?;
    Ok((
        material.seal(key.name(), context, plaintext),
        material.id_text().to_owned(),
    ))
}

fn check_algorithm(snapshot: &Snapshot, algorithm: Option<&str>) -> Result<(), KmsError> {
    let spec = snapshot.record.spec;
    let algorithm = algorithm.unwrap_or(SYMMETRIC);
    if spec
        .algorithms(KeyUsage::EncryptDecrypt)
        .contains(&algorithm)
    {
        return Ok(());
    }
    Err(incompatible(algorithm, spec))
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

const SYMMETRIC: &str = "SYMMETRIC_DEFAULT";

/// AWS's text when a blob's key is not there, or not the caller's to use.
const NOT_YOURS: &str = "The ciphertext refers to a customer master key that does not exist, does \
                         not exist in this region, or you are not allowed to access.";
