//! Answers for an enclave: sealed for the key of its attestation document instead of in plaintext.

use proto::kms::v1;

use crate::api::Call;
use crate::authorize::Condition;
use crate::compat::Compat;
use crate::crypto::recipient::Recipient;
use crate::error::KmsError;

/// What an answer carries of a secret: the plaintext, or the envelope of it.
pub(crate) struct Told {
    pub(crate) plaintext: Option<Vec<u8>>,
    pub(crate) for_recipient: Option<Vec<u8>>,
}

impl Call<'_> {
    /// Takes in what the recipient's attestation document measured, for the key policy to look at.
    pub(crate) fn attest(&mut self, recipient: Option<&v1::RecipientInfo>) {
        let document = recipient.and_then(|named| named.attestation_document.as_deref());
        let Some(attested) = document.and_then(Recipient::of_attestation) else {
            return;
        };
        for (register, value) in attested.measurements {
            let value = hex::encode(value);
            if register == 0 {
                let image = "kms:RecipientAttestation:ImageSha384";
                self.conditions.push(Condition::new(image, &value));
            }
            let name = format!("kms:RecipientAttestation:PCR{register}");
            self.conditions.push(Condition::named(name, &value));
        }
    }
}

/// The secret for the caller, or for the recipient it names.
///
/// # Errors
///
/// `ValidationException` for an attestation document without a key. LocalStack answers the caller
/// then, and so is it in its place.
pub(crate) fn delivery(
    call: &Call<'_>,
    recipient: Option<&v1::RecipientInfo>,
    secret: &[u8],
) -> Result<Told, KmsError> {
    let in_plaintext = || Told {
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
    Ok(Told {
        plaintext: None,
        for_recipient: Some(envelope),
    })
}
