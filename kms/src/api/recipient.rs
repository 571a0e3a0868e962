//! Answers for an enclave: sealed for the key of its attestation document instead of in plaintext.

use proto::kms::v1;

use crate::api::call::Call;
use crate::authorize::Condition;
use crate::compat::Compat;
use crate::crypto::recipient::Recipient;
use crate::error::KmsError;

/// What an answer contains of a secret: the plaintext, or the envelope of it.
pub(crate) struct Delivery {
    pub(crate) plaintext: Option<Vec<u8>>,
    pub(crate) for_recipient: Option<Vec<u8>>,
}

/// Takes in what the recipient's attestation document measured, as conditions for the key policy.
pub(crate) fn attest(call: &mut Call<'_>, recipient: Option<&v1::RecipientInfo>) {
    let document = recipient.and_then(|named| named.attestation_document.as_deref());
    let Some(attested) = document.and_then(Recipient::of_attestation) else {
        return;
    };
    for (register, value) in attested.measurements {
        let value = hex::encode(value);
        if register == 0 {
            let image = "kms:RecipientAttestation:ImageSha384";
            call.conditions.push(Condition::new(image, &value));
        }
        let name = format!("kms:RecipientAttestation:PCR{register}");
        call.conditions.push(Condition::new(name, &value));
    }
}

/// The secret for the caller, or for the recipient it names.
///
/// # Errors
///
/// `ValidationException` for an attestation document without a key. LocalStack returns
/// the plaintext then, and so does a KMS in its place.
pub(crate) fn delivery(
    call: &Call<'_>,
    recipient: Option<&v1::RecipientInfo>,
    secret: &[u8],
) -> Result<Delivery, KmsError> {
    let in_plaintext = || Delivery {
        plaintext: Some(secret.to_vec()),
        for_recipient: None,
    };
    let Some(recipient) = recipient else {
        return Ok(in_plaintext());
    };
    let document = recipient.attestation_document.as_deref();
    let Some(recipient) = document.and_then(Recipient::of_attestation) else {
        return match call.kms.compat() {
            Compat::LocalStack => Ok(in_plaintext()),
            _ => Err(KmsError::validation(
                "The attestation document is malformed or has no RSA public key.",
            )),
        };
    };
    let envelope = recipient.seal(secret).ok_or_else(KmsError::internal)?;
    Ok(Delivery {
        plaintext: None,
        for_recipient: Some(envelope),
    })
}
