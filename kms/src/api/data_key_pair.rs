//! Data key pairs: pairs for use outside, their private key sealed under a KMS key.

use std::collections::BTreeMap;

use proto::kms::v1;
use zeroize::Zeroizing;

use crate::api::Call;
use crate::api::encrypt;
use crate::api::encrypt::Sealed;
use crate::api::recipient;
use crate::api::violations;
use crate::authorize::Cryptography;
use crate::authorize::Permitted;
use crate::crypto::pair;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::metadata::KeySpec;
use crate::keys::metadata::KeyUsage;

/// Makes a pair and answers its private key in plaintext and sealed.
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
    parameters.record(call);
    violations::check(&request)?;
    call.attest(request.recipient.as_ref());
    let made = make(call, &parameters)?;
    let delivery = recipient::delivery(call, request.recipient.as_ref(), &made.private_key)?;
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

/// Makes a pair and answers its private key sealed only.
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
    parameters.record(call);
    violations::check(&request)?;
    let made = make(call, &parameters)?;
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

impl PairParameters<'_> {
    fn record(&self, call: &mut Call<'_>) {
        call.parameter_text("keyId", self.key_id);
        call.parameter_text("keyPairSpec", self.spec);
    }
}

fn make(call: &mut Call<'_>, parameters: &PairParameters<'_>) -> Result<NewPair, KmsError> {
    call.context(parameters.context)?;
    // Each kind of pair has a quota of its own, whatever the KMS key.
    call.charge(parameters.spec)?;
    let permit = call.key_to_use(parameters.key_id, Some(parameters.context))?;
    call.check_use(&permit, KeyUsage::EncryptDecrypt)?;
    encrypt::check_symmetric(&permit)?;
    let spec = parameters.spec.and_then(KeySpec::parse);
    call.end_dry_run(parameters.dry_run)?;
    let (private_key, public_key) = spec.and_then(pair::generate_outside).ok_or_else(|| {
        KmsError::new(
            Code::UnsupportedOperationException,
            "The key pair spec is not available in this Region.",
        )
    })?;
    let algorithm = encrypt::SYMMETRIC;
    let sealed =
        encrypt::seal_and_note(call, &permit, algorithm, parameters.context, &private_key)?;
    Ok(NewPair {
        permit,
        private_key,
        public_key,
        sealed,
    })
}
