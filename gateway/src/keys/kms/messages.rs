//! The three calls as messages of the KMS's contract, the same over both protocols.

use proto::kms::v1::DecryptRequest;
use proto::kms::v1::DecryptResponse;
use proto::kms::v1::EncryptRequest;
use proto::kms::v1::EncryptResponse;
use proto::kms::v1::GenerateDataKeyRequest;
use proto::kms::v1::GenerateDataKeyResponse;
use zeroize::Zeroizing;

use crate::keys::kms::DATA_KEY_BYTES;
use crate::keys::kms::EncryptedBlob;
use crate::keys::kms::GeneratedKey;
use crate::keys::kms::KeyServiceError;
use crate::sse::context::EncryptionContext;

/// Asks for a 256-bit data key.
pub(super) fn generate(key_id: &str, context: &EncryptionContext) -> GenerateDataKeyRequest {
    GenerateDataKeyRequest {
        key_id: Some(key_id.to_owned()),
        encryption_context: context.to_pairs().into_iter().collect(),
        key_spec: Some("AES_256".to_owned()),
        ..GenerateDataKeyRequest::default()
    }
}

/// The data key in an answer.
pub(super) fn generated(answer: GenerateDataKeyResponse) -> Result<GeneratedKey, KeyServiceError> {
    let plaintext = Zeroizing::new(answer.plaintext.unwrap_or_default());
    let (Some(blob), Some(key_arn)) = (answer.ciphertext_blob, answer.key_id) else {
        return Err(KeyServiceError::Unusable(
            "a data key lacks its blob or its key",
        ));
    };
    let plaintext = <[u8; DATA_KEY_BYTES]>::try_from(plaintext.as_slice())
        .map(Zeroizing::new)
        .map_err(|_| KeyServiceError::Unusable("a data key of another length"))?;
    Ok(GeneratedKey {
        plaintext,
        blob,
        key_arn,
    })
}

/// Asks to unwrap `blob`, which must be under `key_arn`.
pub(super) fn decrypt(key_arn: &str, blob: &[u8], context: &EncryptionContext) -> DecryptRequest {
    DecryptRequest {
        key_id: Some(key_arn.to_owned()),
        ciphertext_blob: Some(blob.to_vec()),
        encryption_context: context.to_pairs().into_iter().collect(),
        ..DecryptRequest::default()
    }
}

/// What an answer unwrapped.
pub(super) fn decrypted(answer: DecryptResponse) -> Result<Zeroizing<Vec<u8>>, KeyServiceError> {
    answer
        .plaintext
        .map(Zeroizing::new)
        .ok_or(KeyServiceError::Unusable("an unwrapped key is missing"))
}

/// Asks to wrap `plaintext`.
pub(super) fn encrypt(
    key_id: &str,
    plaintext: &[u8],
    context: &EncryptionContext,
) -> EncryptRequest {
    EncryptRequest {
        key_id: Some(key_id.to_owned()),
        plaintext: Some(plaintext.to_vec()),
        encryption_context: context.to_pairs().into_iter().collect(),
        ..EncryptRequest::default()
    }
}

/// What an answer wrapped.
pub(super) fn encrypted(answer: EncryptResponse) -> Result<EncryptedBlob, KeyServiceError> {
    match (answer.ciphertext_blob, answer.key_id) {
        (Some(blob), Some(key_arn)) => Ok(EncryptedBlob { blob, key_arn }),
        _ => Err(KeyServiceError::Unusable(
            "a wrapped key lacks its blob or its key",
        )),
    }
}
