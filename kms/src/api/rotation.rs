//! Rotation: new key material for a key, automatically or on demand.

use std::sync::Arc;

use proto::kms::v1;
use proto::time::Timestamp;

use crate::api::call::Call;
use crate::api::call::wrong_origin;
use crate::api::metadata::seconds;
use crate::api::page;
use crate::api::reference::By;
use crate::api::violations;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::DAY_MS;
use crate::keys::Edited;
use crate::keys::key::Key;
use crate::keys::metadata::KeySpec;
use crate::keys::metadata::Origin;
use crate::keys::record::Import;
use crate::keys::record::MaterialRecord;
use crate::keys::record::Record;
use crate::keys::record::Rotation;
use crate::keys::record::RotationType;
use crate::keys::state::Group;
use crate::keys::upkeep;

/// Switches on the automatic rotation of a key.
pub(crate) fn enable(
    call: &mut Call<'_>,
    request: v1::EnableKeyRotationRequest,
) -> Result<v1::EnableKeyRotationResponse, KmsError> {
    call.record
        .parameter_text("keyId", request.key_id.as_deref());
    violations::check(&request)?;
    let period_days = request
        .rotation_period_in_days
        .unwrap_or(PERIOD_DAYS_DEFAULT);
    call.record.parameter("rotationPeriodInDays", period_days);
    let permit = call.key(request.key_id.as_deref(), By::Id)?;
    let key = permit.key();
    let next_ms = call.now.unix_millis() + i64::from(period_days) * DAY_MS;
    upkeep::change_shared(&call.kms.keys, key, |record, _| {
        check_automatic(call, key, record)?;
        let same = record
            .rotation
            .filter(|rotation| rotation.period_days == period_days);
        record.rotation = same.or(Some(Rotation {
            period_days,
            next_ms,
        }));
        Ok(())
    })?;
    Ok(v1::EnableKeyRotationResponse {})
}

/// Switches off the automatic rotation of a key.
pub(crate) fn disable(
    call: &mut Call<'_>,
    request: v1::DisableKeyRotationRequest,
) -> Result<v1::DisableKeyRotationResponse, KmsError> {
    call.record
        .parameter_text("keyId", request.key_id.as_deref());
    violations::check(&request)?;
    let permit = call.key(request.key_id.as_deref(), By::Id)?;
    let key = permit.key();
    upkeep::change_shared(&call.kms.keys, key, |record, _| {
        check_automatic(call, key, record)?;
        record.rotation = None;
        Ok(())
    })?;
    Ok(v1::DisableKeyRotationResponse {})
}

/// Returns whether and when a key rotates automatically.
pub(crate) fn status(
    call: &mut Call<'_>,
    request: v1::GetKeyRotationStatusRequest,
) -> Result<v1::GetKeyRotationStatusResponse, KmsError> {
    let permit = call.requested_key(&request, request.key_id.as_deref(), By::Id)?;
    let key = permit.key();
    let snapshot = key.snapshot();
    let record = &snapshot.record;
    // A key that waits for its deletion does not rotate; one that waits for its replicas' does.
    let rotation = record.rotation.filter(|_| record.deletion_ms.is_none());
    Ok(v1::GetKeyRotationStatusResponse {
        key_rotation_enabled: Some(rotation.is_some()),
        key_id: Some(key.arn().to_string()),
        rotation_period_in_days: rotation.map(|rotation| rotation.period_days),
        next_rotation_date: rotation.map(|rotation| seconds(rotation.next_ms)),
        on_demand_rotation_start_date: None,
    })
}

/// Rotates a key now. Automatic rotation goes on as planned.
pub(crate) fn rotate_on_demand(
    call: &mut Call<'_>,
    request: v1::RotateKeyOnDemandRequest,
) -> Result<v1::RotateKeyOnDemandResponse, KmsError> {
    let permit = call.requested_key(&request, request.key_id.as_deref(), By::Id)?;
    let key = permit.key();
    check_store(key)?;
    if key.snapshot().record.origin == Origin::External {
        call.kms.keys.change_related(key, |own, others| {
            check_on_demand(call, key, &own.record)?;
            rotate_to_imported(own, others, key.arn(), call.now)
        })?;
    } else {
        upkeep::change_shared(&call.kms.keys, key, |record, materials| {
            check_on_demand(call, key, record)?;
            let now_ms = call.now.unix_millis();
            record.rotate(materials, key.id(), now_ms, RotationType::OnDemand)
        })?;
    }
    call.record.respond("keyId", &**key.arn());
    Ok(v1::RotateKeyOnDemandResponse {
        key_id: Some(key.arn().to_string()),
    })
}

/// Lists a key's rotations, or all of its materials.
pub(crate) fn list(
    call: &mut Call<'_>,
    request: v1::ListKeyRotationsRequest,
) -> Result<v1::ListKeyRotationsResponse, KmsError> {
    let permit = call.requested_key(&request, request.key_id.as_deref(), By::Id)?;
    let key = permit.key();
    check_symmetric(&key.snapshot().record)?;
    let related = upkeep::related(&call.kms.keys, key, call.now);
    let all = request.include_key_material.as_deref() == Some("ALL_KEY_MATERIAL");
    let snapshot = key.snapshot();
    let record = &snapshot.record;
    // Names that stand in the order of the materials.
    let numbered: Vec<(String, &MaterialRecord)> = (0..)
        .map(|number: u32| format!("{number:08}"))
        .zip(&record.materials)
        .filter(|(_, material)| all || material.rotation.is_some())
        .collect();
    let marker = request.marker.as_deref();
    let page = page::page(
        numbered,
        |(name, _)| name,
        marker,
        request.limit,
        page::LIMITS,
    )?;
    let rotations = page
        .items
        .iter()
        .map(|(_, material)| {
            let holds = |key: &Arc<Key>| key.snapshot().record.holds(&material.id);
            let is_everywhere = related.iter().all(holds);
            entry(key, record, material, is_everywhere, call.now)
        })
        .collect();
    Ok(v1::ListKeyRotationsResponse {
        rotations,
        next_marker: page.next_marker,
        truncated: Some(page.truncated),
    })
}

/// `is_everywhere`: all keys of a multi-Region key have the material.
fn entry(
    key: &Key,
    record: &Record,
    material: &MaterialRecord,
    is_everywhere: bool,
    now: Timestamp,
) -> v1::RotationsListEntry {
    let import = material.import.as_ref();
    let is_pending = import.is_some_and(|import| import.pending_rotation);
    let is_current = record
        .current()
        .is_some_and(|current| current.id == material.id);
    let state = match (is_pending, is_everywhere) {
        (true, true) => "PENDING_ROTATION",
        (true, false) => "PENDING_MULTI_REGION_IMPORT_AND_ROTATION",
        (false, _) if is_current => "CURRENT",
        (false, _) => "NON_CURRENT",
    };
    // What waits for a rotation is not taken away when it expires.
    let is_here = |import: &&Import| import.is_here(now) || (is_pending && import.present);
    let imported = |import: &Import| match is_here(&import) {
        true => "IMPORTED",
        false => "PENDING_IMPORT",
    };
    let here = import.filter(is_here);
    v1::RotationsListEntry {
        key_id: Some(key.arn().to_string()),
        key_material_id: Some(material.id.clone()),
        key_material_description: import.and_then(|import| import.description.clone()),
        import_state: import.map(|import| imported(import).to_owned()),
        key_material_state: Some(state.to_owned()),
        expiration_model: here.map(|import| import.expiration_model().to_owned()),
        valid_to: here.and_then(|import| import.valid_to_ms).map(seconds),
        rotation_date: material.rotation.map(|_| seconds(material.since_ms)),
        rotation_type: material
            .rotation
            .map(|rotation| rotation.as_str().to_owned()),
    }
}

/// The material imported for the purpose takes the key's place, in all Regions of a multi-Region key at once. Each
/// must have it: only then does what one Region seals open in the others.
///
/// Source: <https://docs.aws.amazon.com/kms/latest/APIReference/API_RotateKeyOnDemand.html>
fn rotate_to_imported(
    own: &mut Edited,
    others: &mut [Edited],
    arn: &str,
    now: Timestamp,
) -> Result<(), KmsError> {
    let invalid = |text: String| KmsError::new(Code::KmsInvalidStateException, text);
    let waits = |known: &&MaterialRecord| {
        let import = known.import.as_ref();
        import.is_some_and(|import| import.pending_rotation && import.present)
    };
    let Some(id) = own
        .record
        .materials
        .iter()
        .find(waits)
        .map(|it| it.id.clone())
    else {
        return Err(invalid(format!(
            "No available key material pending rotation for the key: {arn}."
        )));
    };
    if !others.iter().all(|replica| replica.record.holds(&id)) {
        return Err(invalid(
            "Cannot perform key material rotation: Key material has not been imported for \
             replicas of the Multi-Region key."
                .to_owned(),
        ));
    }
    for Edited { record, .. } in others.iter_mut().chain([own]) {
        let known = record.materials.iter_mut().filter(|known| known.id == id);
        for material in known {
            material.since_ms = now.unix_millis();
            material.rotation = Some(RotationType::OnDemand);
            if let Some(import) = &mut material.import {
                import.pending_rotation = false;
            }
        }
    }
    Ok(())
}

/// Whether a key rotates automatically, looked at where it is changed.
fn check_automatic(call: &Call<'_>, key: &Key, record: &Record) -> Result<(), KmsError> {
    check_symmetric(record)?;
    if record.origin != Origin::AwsKms {
        return Err(wrong_origin(key, record.origin));
    }
    check_primary(call, key, record)?;
    call.check_state(key, Group::Rotation)
}

/// Whether a key rotates on demand, looked at where it is changed.
fn check_on_demand(call: &Call<'_>, key: &Key, record: &Record) -> Result<(), KmsError> {
    call.check_state(key, Group::Rotation)?;
    check_symmetric(record)?;
    check_primary(call, key, record)?;
    check_limit(
        record,
        key.arn(),
        call.kms.compat().on_demand_rotations_max(),
    )
}

/// Only symmetric encryption keys rotate.
fn check_symmetric(record: &Record) -> Result<(), KmsError> {
    if record.spec == KeySpec::SymmetricDefault {
        return Ok(());
    }
    Err(KmsError::new(Code::UnsupportedOperationException, ""))
}

/// The keys of custom key stores do not rotate here.
fn check_store(key: &Key) -> Result<(), KmsError> {
    match key.snapshot().record.origin {
        Origin::AwsKms | Origin::External => Ok(()),
        origin @ (Origin::AwsCloudHsm | Origin::ExternalKeyStore) => Err(wrong_origin(key, origin)),
    }
}

/// A multi-Region key rotates with its primary key.
fn check_primary(call: &Call<'_>, key: &Key, record: &Record) -> Result<(), KmsError> {
    if !record.is_replica(key.region()) {
        return Ok(());
    }
    let text = format!(
        "{} is a multi-region replica key which is not valid for {}.",
        key.arn(),
        call.name
    );
    Err(KmsError::new(Code::UnsupportedOperationException, text))
}

fn check_limit(record: &Record, arn: &str, most: usize) -> Result<(), KmsError> {
    let on_demand = record
        .materials
        .iter()
        .filter(|m| m.rotation == Some(RotationType::OnDemand))
        .count();
    if on_demand < most {
        return Ok(());
    }
    Err(KmsError::new(
        Code::LimitExceededException,
        format!(
            "The on-demand rotations limit has been reached for the given keyId. No more on-demand \
             rotations can be performed for this key: {arn}"
        ),
    ))
}

pub(crate) const PERIOD_DAYS_DEFAULT: i32 = 365;
