//! Sealing and opening under KMS keys of every kind that encrypts.

use std::collections::BTreeMap;

use proto::identity::AccountId;
use zeroize::Zeroizing;

use crate::api::algorithm::check_algorithm;
use crate::api::algorithm::check_symmetric;
use crate::api::algorithm::incompatible;
use crate::api::call::Action;
use crate::api::call::Call;
use crate::api::localstack;
use crate::api::opening::Opened;
use crate::api::opening::Source;
use crate::authorize::Cryptography;
use crate::authorize::Permitted;
use crate::compat::Compat;
use crate::crypto::MessageNonce;
use crate::crypto::ciphertext::Blob;
use crate::crypto::pair::Pair;
use crate::crypto::rsa::RsaPair;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::key::Key;
use crate::keys::metadata::KeyUsage;

/// A ciphertext, and the material it is under.
pub(crate) struct Sealed {
    pub(crate) blob: Vec<u8>,
    /// Of symmetric keys only, as at AWS.
    pub(crate) material_id: Option<String>,
}

pub(crate) fn open(call: &mut Call<'_>, source: &Source<'_>) -> Result<Opened, KmsError> {
    let named = match source.key_id {
        Some(key_id) => {
            Some(call.key_for_action(Some(key_id), source.action, Some(source.context))?)
        }
        None => None,
    };
    if source.authorization_only
        && let Some(permit) = named
    {
        call.check_use(&permit, KeyUsage::EncryptDecrypt)?;
        return Ok(Opened {
            permit,
            plaintext: Zeroizing::default(),
            material_id: None,
        });
    }
    let Some(bytes) = source.blob else {
        return Err(KmsError::validation(
            "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy \
             constraint: Member must not be null",
        ));
    };
    match named {
        Some(permit) if !permit.snapshot().record.spec.is_symmetric() => {
            open_asymmetric(call, source, permit, bytes)
        }
        named => open_symmetric(call, source, named, bytes),
    }
}

fn open_symmetric(
    call: &mut Call<'_>,
    source: &Source<'_>,
    named: Option<Permitted<Cryptography>>,
    bytes: &[u8],
) -> Result<Opened, KmsError> {
    let blob = Blob::parse(bytes);
    if blob.is_none()
        && let Some(opened) = localstack::open(call, source, named.as_ref(), bytes)?
    {
        return Ok(opened);
    }
    let permit = match (named, &blob) {
        (Some(permit), Some(blob)) if !is_for(blob, permit.key()) => {
            return Err(KmsError::new(
                Code::IncorrectKeyException,
                "The key ID in the request does not identify a CMK that can perform this \
                 operation.",
            ));
        }
        (Some(permit), _) => permit,
        (None, Some(blob)) => key_of(call, blob, source)?,
        (None, None) => {
            call.charge(None)?;
            return Err(KmsError::invalid_ciphertext());
        }
    };
    call.check_use(&permit, KeyUsage::EncryptDecrypt)?;
    check_algorithm(&permit, source.algorithm)?;
    let blob = blob.ok_or_else(KmsError::invalid_ciphertext)?;
    let material = permit
        .snapshot()
        .material(blob.material_id)
        .ok_or_else(KmsError::invalid_ciphertext)?;
    let symmetric = material
        .symmetric(&permit)
        .ok_or_else(KmsError::invalid_ciphertext)?;
    let plaintext = symmetric
        .open(&blob, source.context)
        .map_err(|_| KmsError::invalid_ciphertext())?;
    let material_id = Some(material.id_text().to_owned());
    Ok(Opened {
        permit,
        plaintext,
        material_id,
    })
}

/// RSA ciphertexts do not name their key, and may have been made outside with the public key.
fn open_asymmetric(
    call: &Call<'_>,
    source: &Source<'_>,
    permit: Permitted<Cryptography>,
    bytes: &[u8],
) -> Result<Opened, KmsError> {
    call.check_use(&permit, KeyUsage::EncryptDecrypt)?;
    check_algorithm(&permit, source.algorithm)?;
    check_no_context(source.context)?;
    let rsa = rsa(&permit)?;
    let mut opened = rsa.decrypt(source.algorithm, bytes);
    if opened.is_err() && call.kms.compat() == Compat::LocalStack {
        // It takes every ciphertext for one of this algorithm.
        opened = rsa.decrypt("RSAES_OAEP_SHA_256", bytes);
    }
    let plaintext = opened.map_err(|_| KmsError::invalid_ciphertext())?;
    Ok(Opened {
        permit,
        plaintext,
        material_id: None,
    })
}

/// The key that a blob names. A blob of a key that is not here and one of a key that the caller may
/// not use get the same error, as at AWS.
fn key_of(
    call: &mut Call<'_>,
    blob: &Blob<'_>,
    source: &Source<'_>,
) -> Result<Permitted<Cryptography>, KmsError> {
    let region = &call.caller.region;
    let named = &blob.key;
    let is_here = *region == *named.region || is_multi_region(named.key_id);
    let account = named.account.parse::<AccountId>().ok();
    let found = account
        .filter(|_| is_here)
        .and_then(|account| call.kms.keys.find(&account, region, named.key_id, call.now));
    let Some(key) = found else {
        call.charge(None)?;
        return Err(KmsError::access_denied(NOT_YOURS));
    };
    let action = Action {
        name: source.action,
        context: Some(source.context),
    };
    call.authorize(key, None, &action)
        .map_err(|error| match error.code() {
            Code::AccessDeniedException => KmsError::access_denied(NOT_YOURS),
            _ => error,
        })
}

fn is_for(blob: &Blob<'_>, key: &Key) -> bool {
    let Blob { key: named, .. } = blob;
    *key.account() == *named.account
        && **key.id() == *named.key_id
        && (*key.region() == *named.region || is_multi_region(named.key_id))
}

/// Blobs of a multi-Region key open in each of its Regions.
fn is_multi_region(key_id: &str) -> bool {
    key_id.starts_with("mrk-")
}

/// The symmetric key that the caller names to seal data keys under.
pub(crate) fn key_for_data_keys(
    call: &mut Call<'_>,
    key_id: Option<&str>,
    context: &BTreeMap<String, String>,
) -> Result<Permitted<Cryptography>, KmsError> {
    let permit = call.key_to_use(key_id, Some(context))?;
    call.check_use(&permit, KeyUsage::EncryptDecrypt)?;
    check_symmetric(&permit)?;
    Ok(permit)
}

/// As [`seal`], and records the use in the audit trail and at the key.
pub(crate) fn seal_and_note(
    call: &mut Call<'_>,
    permit: &Permitted<Cryptography>,
    algorithm: &str,
    context: &BTreeMap<String, String>,
    plaintext: &[u8],
) -> Result<Sealed, KmsError> {
    let nonce = MessageNonce::fresh();
    let sealed = seal(permit, algorithm, context, plaintext, nonce)?;
    call.record.material(sealed.material_id.as_deref());
    call.note_use(permit.key());
    Ok(sealed)
}

/// A ciphertext of `plaintext` under the key's current material.
pub(crate) fn seal(
    permit: &Permitted<Cryptography>,
    algorithm: &str,
    context: &BTreeMap<String, String>,
    plaintext: &[u8],
    nonce: MessageNonce,
) -> Result<Sealed, KmsError> {
    let snapshot = permit.snapshot();
    let spec = snapshot.record.spec;
    let material = snapshot.current().ok_or_else(KmsError::internal)?;
    if let Some(symmetric) = material.symmetric(permit) {
        let name = permit.key().name();
        return Ok(Sealed {
            blob: symmetric.seal(name, &material.id(), context, plaintext, nonce),
            material_id: Some(material.id_text().to_owned()),
        });
    }
    check_no_context(context)?;
    let rsa = rsa(permit)?;
    let most = rsa
        .plaintext_bytes_max(algorithm)
        .ok_or_else(|| incompatible(algorithm, spec))?;
    if plaintext.len() > most {
        return Err(KmsError::validation(format!(
            "Algorithm {algorithm} and key spec {} cannot encrypt data larger than {most} bytes.",
            spec.as_str()
        )));
    }
    let blob = rsa
        .encrypt(algorithm, plaintext)
        .ok_or_else(KmsError::internal)?;
    Ok(Sealed {
        blob,
        material_id: None,
    })
}

fn rsa(permit: &Permitted<Cryptography>) -> Result<&RsaPair, KmsError> {
    let material = permit.snapshot().current();
    match material.and_then(|material| material.pair(permit)) {
        Some(Pair::Rsa(rsa)) => Ok(rsa),
        _ => Err(KmsError::internal()),
    }
}

fn check_no_context(context: &BTreeMap<String, String>) -> Result<(), KmsError> {
    if context.is_empty() {
        return Ok(());
    }
    Err(KmsError::validation(
        "You cannot specify an encryption context with an asymmetric KMS key.",
    ))
}

/// AWS's text when a blob's key is not there, or not the caller's to use.
const NOT_YOURS: &str = "The ciphertext refers to a customer master key that does not exist, does \
                         not exist in this region, or you are not allowed to access.";
