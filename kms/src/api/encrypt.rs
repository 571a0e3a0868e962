//! Encrypt, Decrypt and ReEncrypt.

mod cipher;

use proto::kms::v1;
use zeroize::Zeroizing;

use crate::api::algorithm::SYMMETRIC;
use crate::api::algorithm::check_algorithm;
use crate::api::call::Call;
pub(crate) use crate::api::encrypt::cipher::Sealed;
pub(crate) use crate::api::encrypt::cipher::key_for_data_keys;
use crate::api::encrypt::cipher::open;
use crate::api::encrypt::cipher::seal;
pub(crate) use crate::api::encrypt::cipher::seal_and_note;
use crate::api::opening::Source;
use crate::api::recipient;
use crate::api::reference::By;
use crate::api::violations;
use crate::authorize::Condition;
use crate::crypto::MessageNonce;
use crate::error::KmsError;
use crate::keys::metadata::KeyUsage;

/// Encrypts up to 4,096 bytes under a key.
pub(crate) fn encrypt(
    call: &mut Call<'_>,
    request: v1::EncryptRequest,
) -> Result<v1::EncryptResponse, KmsError> {
    let algorithm = request.encryption_algorithm.as_deref().unwrap_or(SYMMETRIC);
    let context = &request.encryption_context;
    call.record
        .parameter_text("keyId", request.key_id.as_deref());
    call.record.parameter("encryptionAlgorithm", algorithm);
    violations::check(&request)?;
    call.context(context)?;
    let plaintext = Zeroizing::new(request.plaintext.unwrap_or_default());
    let permit = call.key_to_use(request.key_id.as_deref(), Some(context))?;
    call.check_use(&permit, KeyUsage::EncryptDecrypt)?;
    check_algorithm(&permit, algorithm)?;
    call.end_dry_run(request.dry_run)?;
    let sealed = seal_and_note(call, &permit, algorithm, context, &plaintext)?;
    Ok(v1::EncryptResponse {
        ciphertext_blob: Some(sealed.blob),
        key_id: Some(permit.key().arn().to_string()),
        encryption_algorithm: Some(algorithm.to_owned()),
    })
}

/// Opens what Encrypt or GenerateDataKey sealed.
pub(crate) fn decrypt(
    call: &mut Call<'_>,
    request: v1::DecryptRequest,
) -> Result<v1::DecryptResponse, KmsError> {
    call.record
        .parameter_text("keyId", request.key_id.as_deref());
    let algorithm = request.encryption_algorithm.as_deref().unwrap_or(SYMMETRIC);
    call.record.parameter("encryptionAlgorithm", algorithm);
    violations::check(&request)?;
    recipient::attest(call, request.recipient.as_ref());
    call.context(&request.encryption_context)?;
    let source = Source {
        blob: request.ciphertext_blob.as_deref(),
        key_id: request.key_id.as_deref(),
        context: &request.encryption_context,
        algorithm,
        action: "Decrypt",
        authorization_only: ignores_ciphertext(request.dry_run, &request.dry_run_modifiers),
    };
    let opened = open(call, &source)?;
    call.end_dry_run(request.dry_run)?;
    call.record.material(opened.material_id.as_deref());
    call.note_use(opened.permit.key());
    let delivery = recipient::delivery(call, request.recipient.as_ref(), &opened.plaintext)?;
    Ok(v1::DecryptResponse {
        key_id: Some(opened.permit.key().arn().to_string()),
        plaintext: delivery.plaintext,
        encryption_algorithm: Some(algorithm.to_owned()),
        ciphertext_for_recipient: delivery.for_recipient,
        key_material_id: opened.material_id,
    })
}

/// Opens a blob and seals its plaintext under another key, context, or both, without showing it.
pub(crate) fn re_encrypt(
    call: &mut Call<'_>,
    request: v1::ReEncryptRequest,
) -> Result<v1::ReEncryptResponse, KmsError> {
    call.record
        .parameter_text("sourceKeyId", request.source_key_id.as_deref());
    call.record
        .parameter_text("destinationKeyId", request.destination_key_id.as_deref());
    violations::check(&request)?;
    let source_algorithm = request.source_encryption_algorithm.as_deref();
    let source_algorithm = source_algorithm.unwrap_or(SYMMETRIC);
    let algorithm = request.destination_encryption_algorithm.as_deref();
    let algorithm = algorithm.unwrap_or(SYMMETRIC);
    call.record
        .parameter("sourceEncryptionAlgorithm", source_algorithm);
    call.record
        .parameter("destinationEncryptionAlgorithm", algorithm);
    let source_context = &request.source_encryption_context;
    let context = &request.destination_encryption_context;
    call.context_as("sourceEncryptionContext", source_context)?;
    call.context_as("destinationEncryptionContext", context)?;
    let source = Source {
        blob: request.ciphertext_blob.as_deref(),
        key_id: request.source_key_id.as_deref(),
        context: source_context,
        algorithm: source_algorithm,
        action: "ReEncryptFrom",
        authorization_only: ignores_ciphertext(request.dry_run, &request.dry_run_modifiers),
    };
    let opened = open(call, &source)?;
    let destination = request.destination_key_id.as_deref();
    call.conditions.clear();
    call.conditions
        .push(Condition::new("kms:EncryptionAlgorithm", algorithm));
    let same = call
        .resolve(destination.unwrap_or_default(), By::Alias)
        .is_ok_and(|key| key.arn() == opened.permit.key().arn());
    let same = if same { "true" } else { "false" };
    call.conditions
        .push(Condition::new("kms:ReEncryptOnSameKey", same));
    let permit = call.key_for_action(destination, "ReEncryptTo", Some(context))?;
    call.check_use(&permit, KeyUsage::EncryptDecrypt)?;
    check_algorithm(&permit, algorithm)?;
    call.end_dry_run(request.dry_run)?;
    let nonce = MessageNonce::fresh();
    let sealed = seal(&permit, algorithm, context, &opened.plaintext, nonce)?;
    call.record.material(opened.material_id.as_deref());
    call.note_use(opened.permit.key());
    call.note_use(permit.key());
    Ok(v1::ReEncryptResponse {
        ciphertext_blob: Some(sealed.blob),
        source_key_id: Some(opened.permit.key().arn().to_string()),
        key_id: Some(permit.key().arn().to_string()),
        source_encryption_algorithm: Some(source_algorithm.to_owned()),
        destination_encryption_algorithm: Some(algorithm.to_owned()),
        source_key_material_id: opened.material_id,
        destination_key_material_id: sealed.material_id,
    })
}

/// Whether a dry run is to look at permissions alone.
fn ignores_ciphertext(dry_run: Option<bool>, modifiers: &[String]) -> bool {
    let ignores = |modifier: &String| modifier == "IGNORE_CIPHERTEXT";
    dry_run == Some(true) && modifiers.iter().any(ignores)
}
