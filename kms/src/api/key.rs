//! Keys themselves: making, describing, switching on and off, deleting.

mod make;

use std::time::Duration;

use proto::kms::v1;
use proto::time::Timestamp;

use crate::api::Call;
use crate::api::call::By;
pub(crate) use crate::api::key::make::Draft;
pub(crate) use crate::api::key::make::fresh_id;
use crate::api::localstack::Chosen;
use crate::api::page;
use crate::api::page::Limits;
use crate::api::tag;
use crate::api::violations;
use crate::error::KmsError;
use crate::keys::key::Key;
use crate::keys::metadata::KeySpec;
use crate::keys::metadata::KeyUsage;
use crate::keys::metadata::Manager;
use crate::keys::record::MultiRegion;
use crate::keys::state::Group;
use crate::keys::state::KeyState;

/// Makes a key of the caller's account in the Region called.
pub(crate) fn create(
    call: &mut Call<'_>,
    mut request: v1::CreateKeyRequest,
) -> Result<v1::CreateKeyResponse, KmsError> {
    let mut chosen = Chosen::of(call, &mut request.tags)?;
    violations::check(&request)?;
    call.charge(None)?;
    let tags = tag::checked(&[], request.tags)?;
    let mut draft = Draft::of_request(
        call,
        make::KeyRequest {
            spec: request.key_spec,
            deprecated_spec: request.customer_master_key_spec,
            usage: request.key_usage,
            origin: request.origin,
            key_store_id: request.custom_key_store_id,
            external_key: request.xks_key_id,
            policy: request.policy,
            lockout_accepted: request.bypass_policy_lockout_safety_check == Some(true),
            description: request.description.unwrap_or_default(),
            multi_region: request.multi_region == Some(true),
            tags,
        },
    )?;
    if let Some(key_id) = chosen.key_id.take() {
        draft.key_id = key_id;
    }
    let key = match chosen.material(draft.spec, &draft.key_id)? {
        Some(material) => draft.make_of(call, Some(material))?,
        None => draft.make(call)?,
    };
    call.made(&key);
    let metadata = metadata(call, &key);
    call.respond("keyId", &**key.arn());
    Ok(v1::CreateKeyResponse {
        key_metadata: Some(metadata),
    })
}

/// Describes a key.
pub(crate) fn describe(
    call: &mut Call<'_>,
    request: v1::DescribeKeyRequest,
) -> Result<v1::DescribeKeyResponse, KmsError> {
    call.parameter_text("keyId", request.key_id.as_deref());
    violations::check(&request)?;
    let permit = call.key(request.key_id.as_deref(), By::Alias)?;
    let key = permit.key();
    Ok(v1::DescribeKeyResponse {
        key_metadata: Some(metadata(call, key)),
    })
}

/// Lists the keys of the caller's account in the Region called.
pub(crate) fn list(
    call: &mut Call<'_>,
    request: v1::ListKeysRequest,
) -> Result<v1::ListKeysResponse, KmsError> {
    violations::check(&request)?;
    call.charge(None)?;
    let mut keys = call
        .kms
        .keys
        .list(&call.caller.account, &call.caller.region, call.now);
    keys.retain(|key| key.snapshot().record.manager != Manager::AwsOwned);
    let limits = Limits {
        default: 100,
        most: 1_000,
    };
    let page = page::page(
        keys,
        |key| key.id(),
        request.marker.as_deref(),
        request.limit,
        limits,
    )?;
    let entry = |key: &std::sync::Arc<Key>| v1::KeyListEntry {
        key_id: Some(key.id().to_string()),
        key_arn: Some(key.arn().to_string()),
    };
    Ok(v1::ListKeysResponse {
        keys: page.items.iter().map(entry).collect(),
        next_marker: page.next_marker,
        truncated: Some(page.truncated),
    })
}

/// Changes the description of a key.
pub(crate) fn update_description(
    call: &mut Call<'_>,
    request: v1::UpdateKeyDescriptionRequest,
) -> Result<v1::UpdateKeyDescriptionResponse, KmsError> {
    call.parameter_text("keyId", request.key_id.as_deref());
    call.parameter_text("description", request.description.as_deref());
    violations::check(&request)?;
    let permit = call.key(request.key_id.as_deref(), By::Id)?;
    let key = permit.key();
    call.check_state(key, Group::Describe)?;
    call.kms.keys.change(key, |record| {
        record.description = request.description.unwrap_or_default();
        Ok(())
    })?;
    Ok(v1::UpdateKeyDescriptionResponse {})
}

/// Lets a key be used again.
pub(crate) fn enable(
    call: &mut Call<'_>,
    request: v1::EnableKeyRequest,
) -> Result<v1::EnableKeyResponse, KmsError> {
    violations::check(&request)?;
    switch(call, request.key_id.as_deref(), true)?;
    Ok(v1::EnableKeyResponse {})
}

/// Stops a key from being used.
pub(crate) fn disable(
    call: &mut Call<'_>,
    request: v1::DisableKeyRequest,
) -> Result<v1::DisableKeyResponse, KmsError> {
    violations::check(&request)?;
    switch(call, request.key_id.as_deref(), false)?;
    Ok(v1::DisableKeyResponse {})
}

fn switch(call: &mut Call<'_>, reference: Option<&str>, enabled: bool) -> Result<(), KmsError> {
    call.parameter_text("keyId", reference);
    let permit = call.key(reference, By::Id)?;
    let key = permit.key();
    if let Some(class) = crate::quota::Class::of(call.name.as_str(), None) {
        call.kms.quotas.charge_state_change(key.arn(), class)?;
    }
    call.check_state(key, Group::Switch)?;
    call.kms.keys.change(key, |record| {
        record.enabled = enabled;
        Ok(())
    })
}

/// Starts the waiting period at whose end a key is deleted.
pub(crate) fn schedule_deletion(
    call: &mut Call<'_>,
    request: v1::ScheduleKeyDeletionRequest,
) -> Result<v1::ScheduleKeyDeletionResponse, KmsError> {
    call.parameter_text("keyId", request.key_id.as_deref());
    violations::check(&request)?;
    let days = request
        .pending_window_in_days
        .unwrap_or(WINDOW_DAYS_DEFAULT);
    call.parameter("pendingWindowInDays", days);
    if !(WINDOW_DAYS_MIN..=WINDOW_DAYS_MAX).contains(&days) {
        return Err(KmsError::validation(format!(
            "PendingWindowInDays must be between {WINDOW_DAYS_MIN} and {WINDOW_DAYS_MAX} days \
             (inclusive)."
        )));
    }
    let permit = call.key(request.key_id.as_deref(), By::Id)?;
    let key = permit.key();
    call.check_state(key, Group::ScheduleDeletion)?;
    let record = key.snapshot().record.clone();
    let replicas = record
        .multi_region
        .is_some_and(|known| known.regions.len() > 1)
        && key.snapshot().record.is_primary(key.region());
    let wait = Duration::from_secs(u64::from(days.unsigned_abs()) * 86_400);
    let deletion = Some(call.now.plus(wait)).filter(|_| !replicas);
    call.kms.keys.change(key, |record| {
        record.enabled = false;
        record.deletion_ms = deletion.map(Timestamp::unix_millis);
        record.deletion_window_days = Some(days).filter(|_| replicas);
        Ok(())
    })?;
    call.respond("keyId", &**key.arn());
    if let Some(deletion) = deletion {
        call.respond("deletionDate", deletion.iso8601());
    }
    let state = call.kms.keys.state(key, call.now);
    Ok(v1::ScheduleKeyDeletionResponse {
        key_id: Some(key.arn().to_string()),
        deletion_date: deletion.map(Timestamp::unix_seconds_f64),
        key_state: Some(state.as_str().to_owned()),
        pending_window_in_days: Some(days),
    })
}

/// Saves a key from deletion; it stays disabled.
pub(crate) fn cancel_deletion(
    call: &mut Call<'_>,
    request: v1::CancelKeyDeletionRequest,
) -> Result<v1::CancelKeyDeletionResponse, KmsError> {
    call.parameter_text("keyId", request.key_id.as_deref());
    violations::check(&request)?;
    let permit = call.key(request.key_id.as_deref(), By::Id)?;
    let key = permit.key();
    call.check_state(key, Group::CancelDeletion)?;
    call.kms.keys.change(key, |record| {
        record.deletion_ms = None;
        record.deletion_window_days = None;
        Ok(())
    })?;
    call.respond("keyId", &**key.arn());
    Ok(v1::CancelKeyDeletionResponse {
        key_id: Some(key.arn().to_string()),
    })
}

/// Returns a key's latest cryptographic use.
pub(crate) fn last_usage(
    call: &mut Call<'_>,
    request: v1::GetKeyLastUsageRequest,
) -> Result<v1::GetKeyLastUsageResponse, KmsError> {
    call.parameter_text("keyId", request.key_id.as_deref());
    violations::check(&request)?;
    let permit = call.key(request.key_id.as_deref(), By::Id)?;
    let key = permit.key();
    let created = seconds(key.snapshot().record.created_ms);
    let usage = key.last_use().map(|last| v1::KeyLastUsageData {
        operation: Some(last.operation.into_owned()),
        timestamp: Some(seconds(last.at_ms)),
        kms_request_id: Some(last.request_id),
        cloud_trail_event_id: Some(last.event_id),
    });
    Ok(v1::GetKeyLastUsageResponse {
        key_id: Some(key.id().to_string()),
        key_last_usage: usage,
        tracking_start_date: Some(created),
        key_creation_date: Some(created),
    })
}

/// A key's metadata.
pub(crate) fn metadata(call: &Call<'_>, key: &Key) -> v1::KeyMetadata {
    let snapshot = key.snapshot();
    let record = &snapshot.record;
    let state = call.kms.keys.state(key, call.now);
    let algorithms = |usage| record.algorithms(usage);
    // It is there while imported material is gone, too.
    let current = record
        .current()
        .filter(|_| record.spec == KeySpec::SymmetricDefault);
    let current = current.map(|material| material.id.clone());
    let import = record
        .current()
        .and_then(|material| material.import.as_ref());
    let import = import.filter(|import| import.is_here(call.now));
    v1::KeyMetadata {
        aws_account_id: Some(key.account().to_string()),
        key_id: Some(key.id().to_string()),
        arn: Some(key.arn().to_string()),
        creation_date: Some(seconds(record.created_ms)),
        enabled: Some(state == KeyState::Enabled),
        description: Some(record.description.clone()),
        key_usage: Some(record.usage.as_str().to_owned()),
        key_state: Some(state.as_str().to_owned()),
        deletion_date: record.deletion_ms.map(seconds),
        origin: Some(record.origin.as_str().to_owned()),
        key_manager: Some(
            if record.manager == Manager::Customer {
                "CUSTOMER"
            } else {
                "AWS"
            }
            .to_owned(),
        ),
        customer_master_key_spec: Some(record.spec.as_str().to_owned()),
        key_spec: Some(record.spec.as_str().to_owned()),
        encryption_algorithms: algorithms(KeyUsage::EncryptDecrypt),
        signing_algorithms: algorithms(KeyUsage::SignVerify),
        mac_algorithms: algorithms(KeyUsage::GenerateVerifyMac),
        key_agreement_algorithms: algorithms(KeyUsage::KeyAgreement),
        encapsulation_algorithms: algorithms(KeyUsage::EncapsulateDecapsulate),
        multi_region: Some(record.multi_region.is_some()),
        multi_region_configuration: record
            .multi_region
            .as_ref()
            .map(|multi_region| configuration(key, multi_region)),
        pending_deletion_window_in_days: record.deletion_window_days,
        expiration_model: import.map(|import| {
            let expires = import.valid_to_ms.is_some();
            let model = if expires {
                "KEY_MATERIAL_EXPIRES"
            } else {
                "KEY_MATERIAL_DOES_NOT_EXPIRE"
            };
            model.to_owned()
        }),
        valid_to: import.and_then(|import| import.valid_to_ms).map(seconds),
        xks_key_configuration: record
            .key_store
            .as_ref()
            .and_then(|link| link.external_key.clone())
            .map(|id| v1::XksKeyConfigurationType { id: Some(id) }),
        custom_key_store_id: record.key_store.as_ref().map(|link| link.id.clone()),
        cloud_hsm_cluster_id: record
            .key_store
            .as_ref()
            .and_then(|link| link.cluster.clone()),
        current_key_material_id: current,
    }
}

/// Which Regions a multi-Region key is in.
fn configuration(key: &Key, multi_region: &MultiRegion) -> v1::MultiRegionConfiguration {
    let related = |region: &String| v1::MultiRegionKey {
        arn: Some(
            key.arn()
                .replacen(&format!(":{}:", key.region()), &format!(":{region}:"), 1),
        ),
        region: Some(region.clone()),
    };
    let own = multi_region.primary == **key.region();
    let replicas = multi_region
        .regions
        .iter()
        .filter(|region| **region != multi_region.primary);
    v1::MultiRegionConfiguration {
        multi_region_key_type: Some(if own { "PRIMARY" } else { "REPLICA" }.to_owned()),
        primary_key: Some(related(&multi_region.primary)),
        replica_keys: replicas.map(related).collect(),
    }
}

/// A time as AWS JSON writes it.
pub(crate) fn seconds(millis: i64) -> f64 {
    Timestamp::from_unix_millis(millis).unix_seconds_f64()
}

const WINDOW_DAYS_MIN: i32 = 7;
const WINDOW_DAYS_MAX: i32 = 30;
pub(crate) const WINDOW_DAYS_DEFAULT: i32 = 30;
