//! Keys themselves: making, describing, switching on and off, deleting.

mod make;

use std::sync::Arc;
use std::time::Duration;

use proto::kms::v1;
use proto::time::Timestamp;

use crate::api::call::Call;
use crate::api::draft::fresh_id;
use crate::api::localstack::ChosenByTags;
use crate::api::metadata::metadata;
use crate::api::metadata::seconds;
use crate::api::page;
use crate::api::reference::By;
use crate::api::tag;
use crate::api::violations;
use crate::error::KmsError;
use crate::keys::key::Key;
use crate::keys::metadata::Manager;
use crate::keys::place::key_arn;
use crate::keys::state::Group;
use crate::quota::Class;

/// Makes a key of the caller's account in the Region called.
pub(crate) fn create(
    call: &mut Call<'_>,
    mut request: v1::CreateKeyRequest,
) -> Result<v1::CreateKeyResponse, KmsError> {
    let mut chosen = ChosenByTags::read(call, &mut request.tags)?;
    violations::check(&request)?;
    call.charge(None)?;
    let tags = tag::checked(&[], request.tags)?;
    let multi_region = request.multi_region == Some(true);
    let key_id = chosen.key_id.take();
    let key_id = key_id.unwrap_or_else(|| fresh_id(multi_region));
    if !tags.is_empty() {
        let (account, region) = call.caller.place();
        let arn = key_arn(account, region, &key_id);
        call.permit_as(call.caller, "TagResource", &arn, &call.conditions)?;
    }
    let draft = make::draft(
        call,
        make::KeyRequest {
            key_id,
            spec: request.key_spec,
            deprecated_spec: request.customer_master_key_spec,
            usage: request.key_usage,
            origin: request.origin,
            key_store_id: request.custom_key_store_id,
            external_key: request.xks_key_id,
            policy: request.policy,
            lockout_accepted: request.bypass_policy_lockout_safety_check == Some(true),
            description: request.description.unwrap_or_default(),
            multi_region,
            tags,
        },
    )?;
    let keys = &call.kms.keys;
    let key = match chosen.material(draft.spec, &draft.key_id)? {
        Some(material) => draft.make_of(keys, call.now, Some(material))?,
        None => draft.make(keys, call.now)?,
    };
    call.record.key(&key);
    let metadata = metadata(call, &key);
    call.record.respond("keyId", &**key.arn());
    Ok(v1::CreateKeyResponse {
        key_metadata: Some(metadata),
    })
}

/// Describes a key.
pub(crate) fn describe(
    call: &mut Call<'_>,
    request: v1::DescribeKeyRequest,
) -> Result<v1::DescribeKeyResponse, KmsError> {
    let permit = call.requested_key(&request, request.key_id.as_deref(), By::Alias)?;
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
    let (account, region) = call.caller.place();
    let mut keys = call.kms.keys.list(account, region, call.now);
    keys.retain(|key| key.snapshot().record.manager != Manager::AwsOwned);
    let marker = request.marker.as_deref();
    let page = page::page(keys, |key| key.id(), marker, request.limit, page::LIMITS)?;
    let entry = |key: &Arc<Key>| v1::KeyListEntry {
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
    call.record
        .parameter_text("description", request.description.as_deref());
    let permit = call.requested_key(&request, request.key_id.as_deref(), By::Id)?;
    let key = permit.key();
    call.kms.keys.change(key, |record| {
        call.check_state(key, Group::Describe)?;
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
    call.record.parameter_text("keyId", reference);
    let permit = call.key(reference, By::Id)?;
    let key = permit.key();
    if let Some(class) = Class::for_operation(call.name.as_str(), None) {
        call.kms.quotas.charge_state_change(key.arn(), class)?;
    }
    call.kms.keys.change(key, |record| {
        call.check_state(key, Group::Switch)?;
        record.enabled = enabled;
        Ok(())
    })
}

/// Starts the waiting period at whose end a key is deleted.
pub(crate) fn schedule_deletion(
    call: &mut Call<'_>,
    request: v1::ScheduleKeyDeletionRequest,
) -> Result<v1::ScheduleKeyDeletionResponse, KmsError> {
    call.record
        .parameter_text("keyId", request.key_id.as_deref());
    violations::check(&request)?;
    let days = request
        .pending_window_in_days
        .unwrap_or(WINDOW_DAYS_DEFAULT);
    call.record.parameter("pendingWindowInDays", days);
    if !(WINDOW_DAYS_MIN..=WINDOW_DAYS_MAX).contains(&days) {
        return Err(KmsError::validation(format!(
            "PendingWindowInDays must be between {WINDOW_DAYS_MIN} and {WINDOW_DAYS_MAX} days \
             (inclusive)."
        )));
    }
    let permit = call.key(request.key_id.as_deref(), By::Id)?;
    let key = permit.key();
    let wait = Duration::from_secs(u64::from(days.unsigned_abs()) * 86_400);
    let deletion = call.kms.keys.change(key, |record| {
        call.check_state(key, Group::ScheduleDeletion)?;
        // Here, as a replica may be made meanwhile.
        let replicas = record.multi_region.as_ref().is_some_and(|multi_region| {
            multi_region.primary == *key.region() && multi_region.regions.len() > 1
        });
        let deletion = Some(call.now.plus(wait)).filter(|_| !replicas);
        record.enabled = false;
        record.deletion_ms = deletion.map(Timestamp::unix_millis);
        record.deletion_window_days = Some(days).filter(|_| replicas);
        Ok(deletion)
    })?;
    call.record.respond("keyId", &**key.arn());
    if let Some(deletion) = deletion {
        call.record.respond("deletionDate", deletion.iso8601());
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
    let permit = call.requested_key(&request, request.key_id.as_deref(), By::Id)?;
    let key = permit.key();
    call.kms.keys.change(key, |record| {
        call.check_state(key, Group::CancelDeletion)?;
        record.deletion_ms = None;
        record.deletion_window_days = None;
        Ok(())
    })?;
    call.record.respond("keyId", &**key.arn());
    Ok(v1::CancelKeyDeletionResponse {
        key_id: Some(key.arn().to_string()),
    })
}

/// Returns a key's latest cryptographic use.
pub(crate) fn last_usage(
    call: &mut Call<'_>,
    request: v1::GetKeyLastUsageRequest,
) -> Result<v1::GetKeyLastUsageResponse, KmsError> {
    let permit = call.requested_key(&request, request.key_id.as_deref(), By::Id)?;
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

const WINDOW_DAYS_MIN: i32 = 7;
const WINDOW_DAYS_MAX: i32 = 30;
pub(crate) const WINDOW_DAYS_DEFAULT: i32 = 30;
