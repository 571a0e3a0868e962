//! Data keys and randomness.

use std::collections::BTreeMap;

use proto::kms::v1;
use zeroize::Zeroizing;

use crate::api::algorithm::SYMMETRIC;
use crate::api::call::Call;
use crate::api::encrypt;
use crate::api::encrypt::Sealed;
use crate::api::recipient;
use crate::api::violations;
use crate::api::violations::Constrained;
use crate::authorize::Cryptography;
use crate::authorize::Permitted;
use crate::compat::Compat;
use crate::crypto;
use crate::error::KmsError;

/// Makes a data key and returns it in plaintext and sealed.
pub(crate) fn generate(
    call: &mut Call<'_>,
    request: v1::GenerateDataKeyRequest,
) -> Result<v1::GenerateDataKeyResponse, KmsError> {
    let parameters = DataKeyParameters {
        key_id: request.key_id.as_deref(),
        key_spec: request.key_spec.as_deref(),
        number_of_bytes: request.number_of_bytes,
        context: &request.encryption_context,
        dry_run: request.dry_run,
    };
    let recipient = request.recipient.as_ref();
    let made = make(call, &request, &parameters, recipient)?;
    let delivery = recipient::delivery(call, recipient, &made.plaintext)?;
    Ok(v1::GenerateDataKeyResponse {
        ciphertext_blob: Some(made.sealed.blob),
        plaintext: delivery.plaintext,
        key_id: Some(made.permit.key().arn().to_string()),
        ciphertext_for_recipient: delivery.for_recipient,
        key_material_id: made.sealed.material_id,
    })
}

/// Makes a data key and returns it sealed only.
pub(crate) fn generate_without_plaintext(
    call: &mut Call<'_>,
    request: v1::GenerateDataKeyWithoutPlaintextRequest,
) -> Result<v1::GenerateDataKeyWithoutPlaintextResponse, KmsError> {
    let parameters = DataKeyParameters {
        key_id: request.key_id.as_deref(),
        key_spec: request.key_spec.as_deref(),
        number_of_bytes: request.number_of_bytes,
        context: &request.encryption_context,
        dry_run: request.dry_run,
    };
    let made = make(call, &request, &parameters, None)?;
    Ok(v1::GenerateDataKeyWithoutPlaintextResponse {
        ciphertext_blob: Some(made.sealed.blob),
        key_id: Some(made.permit.key().arn().to_string()),
        key_material_id: made.sealed.material_id,
    })
}

/// Up to 1,024 random bytes.
pub(crate) fn generate_random(
    call: &mut Call<'_>,
    request: v1::GenerateRandomRequest,
) -> Result<v1::GenerateRandomResponse, KmsError> {
    violations::check(&request)?;
    let Some(count) = request.number_of_bytes else {
        return Err(KmsError::validation("NumberOfBytes is required."));
    };
    call.record.parameter("numberOfBytes", count);
    call.charge(None)?;
    let mut bytes = Zeroizing::new(vec![0; usize::try_from(count).unwrap_or_default()]);
    crypto::random(&mut bytes);
    let delivery = recipient::delivery(call, request.recipient.as_ref(), &bytes)?;
    Ok(v1::GenerateRandomResponse {
        plaintext: delivery.plaintext,
        ciphertext_for_recipient: delivery.for_recipient,
    })
}

/// Which data key is requested.
struct DataKeyParameters<'a> {
    key_id: Option<&'a str>,
    key_spec: Option<&'a str>,
    number_of_bytes: Option<i32>,
    context: &'a BTreeMap<String, String>,
    dry_run: Option<bool>,
}

/// A data key.
struct NewDataKey {
    permit: Permitted<Cryptography>,
    plaintext: Zeroizing<Vec<u8>>,
    sealed: Sealed,
}

impl DataKeyParameters<'_> {
    fn bytes(&self, compat: Compat) -> Result<usize, KmsError> {
        match (self.key_spec, self.number_of_bytes) {
            (Some("AES_128"), None) => Ok(16),
            (Some(_), None) => Ok(32),
            (None, Some(count)) => Ok(usize::try_from(count).unwrap_or_default()),
            (None, None) if compat == Compat::LocalStack => Ok(32),
            _ => Err(KmsError::validation(
                "Please specify either number of bytes or key spec.",
            )),
        }
    }
}

fn make(
    call: &mut Call<'_>,
    request: &impl Constrained,
    parameters: &DataKeyParameters<'_>,
    recipient: Option<&v1::RecipientInfo>,
) -> Result<NewDataKey, KmsError> {
    call.record.parameter_text("keyId", parameters.key_id);
    call.record.parameter_text("keySpec", parameters.key_spec);
    if let Some(count) = parameters.number_of_bytes {
        call.record.parameter("numberOfBytes", count);
    }
    violations::check(request)?;
    recipient::attest(call, recipient);
    let context = parameters.context;
    call.context(context)?;
    let bytes = parameters.bytes(call.kms.compat())?;
    let permit = encrypt::key_for_data_keys(call, parameters.key_id, context)?;
    call.end_dry_run(parameters.dry_run)?;
    let mut plaintext = Zeroizing::new(vec![0; bytes]);
    crypto::random(&mut plaintext);
    let sealed = encrypt::seal_and_note(call, &permit, SYMMETRIC, context, &plaintext)?;
    Ok(NewDataKey {
        permit,
        plaintext,
        sealed,
    })
}
