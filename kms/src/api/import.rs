//! Imported key material: its way in, its expiry and its way out.
//!
//! The keys of a multi-Region key have the same material, which is new to its primary key first, and which the owner
//! brings to each Region. Which material there is they share; whether it is here and when it expires they do not.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/APIReference/API_ImportKeyMaterial.html>, and answers of AWS of
//! 2026-09-12.

mod imported;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proto::kms::v1;
use proto::time::Timestamp;
use zeroize::Zeroizing;

use crate::api::call::Call;
use crate::api::call::wrong_origin;
use crate::api::import::imported::Wanted;
use crate::api::reference::By;
use crate::api::violations::Constrained;
use crate::authorize::Management;
use crate::authorize::Permitted;
use crate::crypto::import;
use crate::crypto::material::Material;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::key::Key;
use crate::keys::metadata::KeySpec;
use crate::keys::metadata::Origin;
use crate::keys::record::Import;
use crate::keys::state::Group;

/// Makes a key to wrap material under, and the token that goes with the material.
pub(crate) fn parameters(
    call: &mut Call<'_>,
    request: v1::GetParametersForImportRequest,
) -> Result<v1::GetParametersForImportResponse, KmsError> {
    call.record
        .parameter_text("wrappingAlgorithm", request.wrapping_algorithm.as_deref());
    call.record
        .parameter_text("wrappingKeySpec", request.wrapping_key_spec.as_deref());
    let permit = importing(call, &request, request.key_id.as_deref())?;
    let key = permit.key();
    let algorithm = request.wrapping_algorithm.unwrap_or_default();
    let spec = request
        .wrapping_key_spec
        .as_deref()
        .and_then(KeySpec::parse);
    let unsupported = || {
        KmsError::new(
            Code::UnsupportedOperationException,
            "The wrapping key spec is not available in this Region.",
        )
    };
    let spec = spec.ok_or_else(unsupported)?;
    let (private_key, public_key) = import::wrapping_pair(spec).ok_or_else(unsupported)?;
    let valid_to = call.now.plus(TOKEN_LIFE);
    let token = Zeroizing::new(format!(
        "{} {} {algorithm} {} {}",
        key.arn(),
        valid_to.unix_millis(),
        spec.as_str(),
        STANDARD.encode(&*private_key)
    ));
    Ok(v1::GetParametersForImportResponse {
        key_id: Some(key.arn().to_string()),
        import_token: Some(call.kms.keys.seal_token(TOKEN, &token).into_bytes()),
        public_key: Some(public_key),
        parameters_valid_to: Some(valid_to.unix_seconds_f64()),
    })
}

/// Takes wrapped material in.
pub(crate) fn import_material(
    call: &mut Call<'_>,
    request: v1::ImportKeyMaterialRequest,
) -> Result<v1::ImportKeyMaterialResponse, KmsError> {
    call.record
        .parameter_text("expirationModel", request.expiration_model.as_deref());
    call.record
        .parameter_text("importType", request.import_type.as_deref());
    let permit = importing(call, &request, request.key_id.as_deref())?;
    let key = permit.key();
    let valid_to_ms = valid_to(&request, call.now)?;
    let wanted = Wanted::of(&request, key)?;
    let spec = key.snapshot().record.spec;
    let material = Arc::new(unwrapped(call, key, spec, &request)?);
    let import = Import {
        present: true,
        pending_rotation: false,
        valid_to_ms,
        description: request.key_material_description,
    };
    call.kms.keys.change_related(key, |own, others| {
        call.check_state(key, Group::Import)?;
        let now_ms = call.now.unix_millis();
        imported::place(own, others, key.arn(), &material, import, &wanted, now_ms)
    })?;
    call.record.material(Some(material.id_text()));
    Ok(v1::ImportKeyMaterialResponse {
        key_id: Some(key.arn().to_string()),
        key_material_id: Some(material.id_text().to_owned()),
    })
}

/// Forgets imported material at once. The key waits for it to be imported again.
pub(crate) fn delete_material(
    call: &mut Call<'_>,
    request: v1::DeleteImportedKeyMaterialRequest,
) -> Result<v1::DeleteImportedKeyMaterialResponse, KmsError> {
    call.record
        .parameter_text("keyMaterialId", request.key_material_id.as_deref());
    let permit = importing(call, &request, request.key_id.as_deref())?;
    let key = permit.key();
    let id = call.kms.keys.change_related(key, |own, others| {
        call.check_state(key, Group::Import)?;
        imported::forget(own, others, key.arn(), request.key_material_id)
    })?;
    call.record.material(Some(&id));
    Ok(v1::DeleteImportedKeyMaterialResponse {
        key_id: Some(key.arn().to_string()),
        key_material_id: Some(id),
    })
}

/// The key named, if its material is imported.
fn importing(
    call: &mut Call<'_>,
    request: &impl Constrained,
    key_id: Option<&str>,
) -> Result<Permitted<Management>, KmsError> {
    let permit = call.requested_key(request, key_id, By::Id)?;
    let key = permit.key();
    let origin = key.snapshot().record.origin;
    if origin != Origin::External {
        return Err(wrong_origin(key, origin));
    }
    call.check_state(key, Group::Import)?;
    Ok(permit)
}

/// When the material expires.
fn valid_to(
    request: &v1::ImportKeyMaterialRequest,
    now: Timestamp,
) -> Result<Option<i64>, KmsError> {
    let expires = request.expiration_model.as_deref() != Some("KEY_MATERIAL_DOES_NOT_EXPIRE");
    match (expires, request.valid_to) {
        (true, None) => Err(KmsError::validation(
            "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES",
        )),
        (false, Some(_)) => Err(KmsError::validation(
            "A validTo date cannot be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE",
        )),
        (false, None) => Ok(None),
        (true, Some(seconds)) => {
            let after = Duration::try_from_secs_f64(seconds).unwrap_or_default();
            let at = Timestamp::UNIX_EPOCH.plus(after);
            if at <= now {
                return Err(KmsError::validation("ValidTo must be in the future"));
            }
            if at.since(now) > LIFE_MAX {
                return Err(KmsError::validation(
                    "ValidTo must be less than 365 days in the future",
                ));
            }
            Ok(Some(at.unix_millis()))
        }
    }
}

/// The material, if the token is one for the key and the material is wrapped as it states.
fn unwrapped(
    call: &Call<'_>,
    key: &Key,
    spec: KeySpec,
    request: &v1::ImportKeyMaterialRequest,
) -> Result<Material, KmsError> {
    let invalid = || KmsError::new(Code::InvalidImportTokenException, "");
    let token = request
        .import_token
        .as_deref()
        .and_then(|token| std::str::from_utf8(token).ok());
    let token = token.and_then(|token| call.kms.keys.open_token(TOKEN, token));
    let token = Zeroizing::new(token.ok_or_else(invalid)?);
    let mut parts = token.split(' ');
    let mut part = || parts.next().ok_or_else(invalid);
    let (arn, valid_to, algorithm) = (part()?, part()?, part()?);
    let wrapping = KeySpec::parse(part()?).ok_or_else(invalid)?;
    let private_key = Zeroizing::new(STANDARD.decode(part()?).map_err(|_| invalid())?);
    if arn != &**key.arn() {
        return Err(invalid());
    }
    if valid_to
        .parse::<i64>()
        .is_ok_and(|at| at <= call.now.unix_millis())
    {
        return Err(KmsError::new(Code::ExpiredImportTokenException, ""));
    }
    let wrapped = request
        .encrypted_key_material
        .as_deref()
        .unwrap_or_default();
    let secret = import::unwrap(wrapping, &private_key, algorithm, wrapped)
        .map_err(|_| KmsError::invalid_ciphertext())?;
    Material::from_secret(spec, key.id(), secret).ok_or_else(|| match spec {
        KeySpec::SymmetricDefault => KmsError::invalid_ciphertext(),
        _ => imported::incorrect(""),
    })
}

/// What an import token is sealed for.
const TOKEN: &str = "import token";

/// How long an import token and its wrapping key are good for.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// Longest life of imported material that expires.
const LIFE_MAX: Duration = Duration::from_secs(365 * 86_400);
