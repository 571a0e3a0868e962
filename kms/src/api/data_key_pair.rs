//! Data key pairs: pairs for use outside, their private key sealed under a KMS key.

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
use crate::crypto::pair;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::metadata::KeySpec;

/// Makes a pair and returns its private key in plaintext and sealed.
pub(crate) fn generate(
    call: &mut Call<'_>,
    request: v1::GenerateDataKeyPairRequest,
) -> Result<v1::GenerateDataKeyPairResponse, KmsError> {
    let parameters = PairParameters {
        key_id: request.key_id.as_deref(),
        spec: request.key_pair_spec.as_deref(),
        context: &request.encryption_context,
        dry_run: request.dry_run,
    };
    let recipient = request.recipient.as_ref();
    let made = make(call, &request, &parameters, recipient)?;
    let delivery = recipient::delivery(call, recipient, &made.private_key)?;
    Ok(v1::GenerateDataKeyPairResponse {
        private_key_ciphertext_blob: Some(made.sealed.blob),
        private_key_plaintext: delivery.plaintext,
        public_key: Some(made.public_key),
        key_id: Some(made.permit.key().arn().to_string()),
        key_pair_spec: request.key_pair_spec,
        ciphertext_for_recipient: delivery.for_recipient,
        key_material_id: made.sealed.material_id,
    })
}

/// Makes a pair and returns its private key sealed only.
pub(crate) fn generate_without_plaintext(
    call: &mut Call<'_>,
    request: v1::GenerateDataKeyPairWithoutPlaintextRequest,
) -> Result<v1::GenerateDataKeyPairWithoutPlaintextResponse, KmsError> {
    let parameters = PairParameters {
        key_id: request.key_id.as_deref(),
        spec: request.key_pair_spec.as_deref(),
        context: &request.encryption_context,
        dry_run: request.dry_run,
    };
    let made = make(call, &request, &parameters, None)?;
    Ok(v1::GenerateDataKeyPairWithoutPlaintextResponse {
        private_key_ciphertext_blob: Some(made.sealed.blob),
        public_key: Some(made.public_key),
        key_id: Some(made.permit.key().arn().to_string()),
        key_pair_spec: request.key_pair_spec,
        key_material_id: made.sealed.material_id,
    })
}

/// Which pair is requested.
struct PairParameters<'a> {
    key_id: Option<&'a str>,
    spec: Option<&'a str>,
    context: &'a BTreeMap<String, String>,
    dry_run: Option<bool>,
}

/// A pair.
struct NewPair {
    permit: Permitted<Cryptography>,
    private_key: Zeroizing<Vec<u8>>,
    public_key: Vec<u8>,
    sealed: Sealed,
}

fn make(
    call: &mut Call<'_>,
    request: &impl Constrained,
    parameters: &PairParameters<'_>,
    recipient: Option<&v1::RecipientInfo>,
) -> Result<NewPair, KmsError> {
    call.record.parameter_text("keyId", parameters.key_id);
    call.record.parameter_text("keyPairSpec", parameters.spec);
    violations::check(request)?;
    recipient::attest(call, recipient);
    let context = parameters.context;
    call.context(context)?;
    // Each kind of pair has a quota of its own, whatever the KMS key.
    call.charge(parameters.spec)?;
    let permit = encrypt::key_for_data_keys(call, parameters.key_id, context)?;
    call.end_dry_run(parameters.dry_run)?;
    let spec = parameters.spec.and_then(KeySpec::parse);
    let (private_key, public_key) = spec.and_then(pair::generate_outside).ok_or_else(|| {
        KmsError::new(
            Code::UnsupportedOperationException,
            "The key pair spec is not available in this Region.",
        )
    })?;
    let sealed = encrypt::seal_and_note(call, &permit, SYMMETRIC, context, &private_key)?;
    Ok(NewPair {
        permit,
        private_key,
        public_key,
        sealed,
    })
}
