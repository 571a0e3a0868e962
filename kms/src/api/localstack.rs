//! What LocalStack's users rely on, where AWS answers otherwise: [`Compat::LocalStack`].
//!
//! Keys whose id and material are chosen by tags, blobs that LocalStack made, and answers as AWS
//! gave them when LocalStack wrote them down (2023).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proto::kms::v1;
use zeroize::Zeroizing;

use crate::api::algorithm::check_algorithm;
use crate::api::call::Action;
use crate::api::call::Call;
use crate::api::opening::Opened;
use crate::api::opening::Source;
use crate::api::operation::Answer;
use crate::api::violations::values;
use crate::authorize::Cryptography;
use crate::authorize::Permitted;
use crate::compat::Compat;
use crate::crypto::foreign::ForeignBlob;
use crate::crypto::material::Material;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::metadata::KeySpec;
use crate::keys::metadata::KeyUsage;

/// What tags determine of a key that is to be made.
#[derive(Default)]
pub(crate) struct ChosenByTags {
    pub(crate) key_id: Option<String>,
    secret: Option<Zeroizing<Vec<u8>>>,
}

impl ChosenByTags {
    /// Reads the tags. The one with the material is taken out, so that no answer shows it again.
    pub(crate) fn read(call: &Call<'_>, tags: &mut Vec<v1::Tag>) -> Result<Self, KmsError> {
        if call.kms.compat() != Compat::LocalStack {
            return Ok(Self::default());
        }
        let value = |name: &str| {
            let named = |tag: &&v1::Tag| tag.tag_key.as_deref() == Some(name);
            tags.iter()
                .find(named)
                .and_then(|tag| tag.tag_value.clone())
        };
        let key_id = value(CUSTOM_ID);
        let material = value(CUSTOM_MATERIAL).map(Zeroizing::new);
        let secret = material.map(|text| STANDARD.decode(text.as_bytes()));
        let secret = secret.transpose().map_err(|_| {
            KmsError::validation(format!(
                "The value of the tag {CUSTOM_MATERIAL} is no base64"
            ))
        })?;
        tags.retain(|tag| tag.tag_key.as_deref() != Some(CUSTOM_MATERIAL));
        Ok(Self {
            key_id,
            secret: secret.map(Zeroizing::new),
        })
    }

    /// The material that the tag gives for a key of that spec and id.
    pub(crate) fn material(
        self,
        spec: KeySpec,
        key_id: &str,
    ) -> Result<Option<Material>, KmsError> {
        let Some(secret) = self.secret else {
            return Ok(None);
        };
        let unfit = || KmsError::validation("The custom key material does not fit the key spec");
        Material::from_stored(spec, key_id, secret)
            .map(Some)
            .ok_or_else(unfit)
    }
}

/// Opens a blob that LocalStack made; none if it cannot be one.
pub(crate) fn open(
    call: &mut Call<'_>,
    source: &Source<'_>,
    named: Option<&Permitted<Cryptography>>,
    bytes: &[u8],
) -> Result<Option<Opened>, KmsError> {
    if call.kms.compat() != Compat::LocalStack {
        return Ok(None);
    }
    let Some(blob) = ForeignBlob::parse(bytes) else {
        return Ok(None);
    };
    let caller = call.caller;
    let key = match named {
        Some(permit) => Some(Arc::clone(permit.key())),
        None => call
            .kms
            .keys
            .find(&caller.account, &caller.region, blob.key_id, call.now),
    };
    let Some(key) = key.filter(|key| **key.id() == *blob.key_id) else {
        return Ok(None);
    };
    let action = Action {
        name: source.action,
        context: Some(source.context),
    };
    let permit = call.authorize(key, None, &action)?;
    call.check_use(&permit, KeyUsage::EncryptDecrypt)?;
    check_algorithm(&permit, source.algorithm)?;
    let opened = permit
        .snapshot()
        .materials
        .iter()
        .rev()
        .find_map(|material| {
            let plaintext = material.open_foreign(&permit, &blob, source.context).ok()?;
            Some((plaintext, material.id_text().to_owned()))
        });
    let Some((plaintext, material_id)) = opened else {
        return Err(KmsError::invalid_ciphertext());
    };
    Ok(Some(Opened {
        permit,
        plaintext,
        material_id: Some(material_id),
    }))
}

/// An answer as AWS gave it in 2023: data keys did not name the material they are under.
pub(crate) fn as_recorded(answer: Result<Answer, KmsError>) -> Result<Answer, KmsError> {
    let mut answer = answer.map_err(reworded)?;
    match &mut answer {
        Answer::GenerateDataKey(made) => made.key_material_id = None,
        Answer::GenerateDataKeyWithoutPlaintext(made) => made.key_material_id = None,
        Answer::GenerateDataKeyPair(made) => made.key_material_id = None,
        Answer::GenerateDataKeyPairWithoutPlaintext(made) => made.key_material_id = None,
        Answer::ReEncrypt(made) => {
            made.source_key_material_id = None;
            made.destination_key_material_id = None;
        }
        _ => {}
    }
    Ok(answer)
}

/// The error with the enumerations of 2023.
fn reworded(error: KmsError) -> KmsError {
    if error.code() != Code::ValidationException {
        return error;
    }
    let today = |values: &[&str]| format!("[{}]", values.join(", "));
    let text = error
        .message()
        .replace(&today(values::KEY_SPEC), KEY_SPECS_OF_2023)
        .replace(&today(values::KEY_USAGE), KEY_USAGES_OF_2023);
    KmsError::validation(text)
}

/// The tag whose value becomes the id of the key.
const CUSTOM_ID: &str = "_custom_id_";

/// The tag whose value, in base64, becomes the material of the key.
const CUSTOM_MATERIAL: &str = "_custom_key_material_";

const KEY_SPECS_OF_2023: &str = "[RSA_2048, ECC_NIST_P384, ECC_NIST_P256, ECC_NIST_P521, HMAC_384, \
                                 RSA_3072, ECC_SECG_P256K1, RSA_4096, SYMMETRIC_DEFAULT, HMAC_256, \
                                 HMAC_224, HMAC_512]";

const KEY_USAGES_OF_2023: &str = "[ENCRYPT_DECRYPT, SIGN_VERIFY, GENERATE_VERIFY_MAC]";
