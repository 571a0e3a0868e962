//! Data keys and randomness.

use crate::api::Call;
use crate::crypto;
use crate::error::KmsError;
use proto::kms::v1;

/// Up to 1,024 random bytes.
pub(crate) fn generate_random(
    _call: &mut Call<'_>,
    request: v1::GenerateRandomRequest,
) -> Result<v1::GenerateRandomResponse, KmsError> {
    let Some(count) = request.number_of_bytes else {
        return Err(KmsError::validation("NumberOfBytes is required."));
    };
    let mut bytes = vec![0; usize::try_from(count).unwrap_or_default()];
    crypto::random(&mut bytes);
    Ok(v1::GenerateRandomResponse {
        plaintext: Some(bytes),
        ciphertext_for_recipient: None,
    })
}
