//! Multi-Region keys: the same key, by id and material, in several Regions.

use std::sync::Arc;

use proto::identity::Region;
use proto::kms::v1;

use crate::api::call::Call;
use crate::api::call::not_primary;
use crate::api::conditions;
use crate::api::key_policy;
use crate::api::metadata::metadata;
use crate::api::reference::By;
use crate::api::tag;
use crate::api::violations;
use crate::authorize::Management;
use crate::authorize::Permitted;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::Edited;
use crate::keys::key::Key;
use crate::keys::key::default_policy;
use crate::keys::metadata::Origin;
use crate::keys::place::key_arn;
use crate::keys::record::MultiRegion;
use crate::keys::record::Record;
use crate::keys::state::Group;
use crate::keys::state::KeyState;
use crate::quota::Class;

/// Makes a replica of a primary key in another Region.
pub(crate) fn replicate(
    call: &mut Call<'_>,
    request: v1::ReplicateKeyRequest,
) -> Result<v1::ReplicateKeyResponse, KmsError> {
    call.record
        .parameter_text("keyId", request.key_id.as_deref());
    call.record
        .parameter_text("replicaRegion", request.replica_region.as_deref());
    violations::check(&request)?;
    let permit = primary(call, request.key_id.as_deref())?;
    let primary = permit.key();
    call.check_state(primary, Group::Use)?;
    let region = replica_region(call, primary, request.replica_region.as_deref())?;
    let (account, id) = (primary.account(), primary.id());
    permit_making(call, primary, region, &request)?;
    if call.kms.keys.find(account, region, id, call.now).is_some() {
        return Err(already_there());
    }
    // A dry run and the making itself, both in the replica's Region.
    call.kms
        .quotas
        .charge_times(&call.caller.account, region, Class::CreateKey, 2)?;
    let tags = tag::checked(&[], request.tags)?;
    let policy = match request.policy {
        Some(policy) => {
            let lockout_accepted = request.bypass_policy_lockout_safety_check == Some(true);
            key_policy::checked(call, policy, primary.arn(), lockout_accepted)?
        }
        None => default_policy(account, region),
    };
    let replica = make_replica(call, primary, region, |record| {
        record.description = request.description.unwrap_or_default();
        record.policy = policy;
        record.tags = tags;
    })?;
    call.record.key(&replica);
    let record = replica.snapshot().record.clone();
    // AWS makes replicas in the background and answers before they are ready.
    let replica_key_metadata = v1::KeyMetadata {
        enabled: Some(false),
        key_state: Some(KeyState::Creating.as_str().to_owned()),
        current_key_material_id: None,
        ..metadata(call, &replica)
    };
    Ok(v1::ReplicateKeyResponse {
        replica_key_metadata: Some(replica_key_metadata),
        replica_policy: Some(record.policy),
        replica_tags: tag::messages(record.tags),
    })
}

/// Makes another Region's key the primary one.
pub(crate) fn update_primary(
    call: &mut Call<'_>,
    request: v1::UpdatePrimaryRegionRequest,
) -> Result<v1::UpdatePrimaryRegionResponse, KmsError> {
    call.record
        .parameter_text("keyId", request.key_id.as_deref());
    call.record
        .parameter_text("primaryRegion", request.primary_region.as_deref());
    violations::check(&request)?;
    let permit = call.key(request.key_id.as_deref(), By::Id)?;
    let primary = permit.key();
    check_movable(primary, &primary.snapshot().record)?;
    call.check_state(primary, Group::Use)?;
    let named = request.primary_region.unwrap_or_default();
    if *primary.region() == *named {
        return Ok(v1::UpdatePrimaryRegionResponse {});
    }
    let replica = replica_in(call, primary, &named)?;
    let region = replica.region();
    call.permit_related(Arc::clone(&replica))?;
    call.kms
        .quotas
        .charge(&call.caller.account, region, Class::UpdatePrimaryRegion)?;
    call.kms.keys.change_related(primary, |own, others| {
        check_movable(primary, &own.record)?;
        call.check_state(primary, Group::Use)?;
        let next = others.iter().find(|edited| edited.region == *region);
        let next = next.ok_or_else(|| no_replica(primary))?;
        next.record
            .state(call.now)
            .check(Group::Use, replica.arn())?;
        let rotation = own.record.rotation;
        for edited in others.iter_mut().chain([own]) {
            if let Some(multi_region) = &mut edited.record.multi_region {
                multi_region.primary = region.clone();
            }
            edited.record.rotation = rotation;
        }
        Ok(())
    })?;
    Ok(v1::UpdatePrimaryRegionResponse {})
}

/// Whether another Region's key may take the place of this primary one.
fn check_movable(key: &Key, record: &Record) -> Result<(), KmsError> {
    if record.is_replica(key.region()) {
        return Err(KmsError::new(
            Code::KmsInvalidStateException,
            format!("{} is not a multi-Region primary key.", key.arn()),
        ));
    }
    match record.multi_region {
        Some(_) => Ok(()),
        None => Err(not_primary(key)),
    }
}

/// The Region that a replica of the key is to be in.
fn replica_region<'k>(
    call: &Call<'k>,
    primary: &Key,
    named: Option<&str>,
) -> Result<&'k Region, KmsError> {
    let named = named.unwrap_or_default();
    let Some(region) = call.kms.regions().find(named) else {
        return Err(KmsError::validation(format!(
            "Region {named} is not a valid Region or multi-Region keys are not supported in Region {named}."
        )));
    };
    if region.partition() != primary.region().partition() {
        return Err(KmsError::validation(
            "The replica key Region must be in the same AWS partition as the primary key Region.",
        ));
    }
    if region == primary.region() {
        return Err(KmsError::validation(format!(
            "{region} cannot have a replica because it contains the primary."
        )));
    }
    Ok(region)
}

/// Whether the caller's own policies let it make that replica, as a key of the replica's Region, and tag it.
fn permit_making(
    call: &Call<'_>,
    primary: &Key,
    region: &Region,
    request: &v1::ReplicateKeyRequest,
) -> Result<(), KmsError> {
    let caller = call.caller.in_region(region);
    let conditions = conditions::new_replica(request, &primary.snapshot().record);
    call.permit_as(&caller, "CreateKey", "*", &conditions)?;
    if request.tags.is_empty() {
        return Ok(());
    }
    let arn = key_arn(primary.account(), region, primary.id());
    call.permit_as(&caller, "TagResource", &arn, &conditions)
}

fn make_replica(
    call: &Call<'_>,
    primary: &Key,
    region: &Region,
    edit: impl FnOnce(&mut Record),
) -> Result<Arc<Key>, KmsError> {
    let keys = &call.kms.keys;
    keys.change_related(primary, |own, others| {
        // Once more: it may have been scheduled for deletion meanwhile.
        own.record
            .state(call.now)
            .check(Group::Use, primary.arn())?;
        let mut record = own.record.clone();
        let known = record.multi_region.take();
        let mut multi_region = known.unwrap_or_else(|| MultiRegion::new(primary.region()));
        if multi_region.primary != own.region {
            return Err(not_primary(primary));
        }
        if multi_region.regions.contains(region) {
            return Err(already_there());
        }
        multi_region.regions.push(region.clone());
        multi_region.regions.sort();
        record.created_ms = call.now.unix_millis();
        record.enabled = true;
        record.grants.clear();
        record.last_use = None;
        let mut materials = own.materials.clone();
        if record.origin == Origin::External {
            // The owner brings the same material to each Region.
            materials.clear();
            let imports = record.materials.iter_mut();
            for import in imports.filter_map(|known| known.import.as_mut()) {
                import.present = false;
                import.valid_to_ms = None;
            }
        }
        edit(&mut record);
        others.push(Edited::new(region.clone(), record, materials));
        for edited in others.iter_mut().chain([own]) {
            edited.record.multi_region = Some(multi_region.clone());
        }
        Ok(())
    })?;
    let replica = keys.find(primary.account(), region, primary.id(), call.now);
    replica.ok_or_else(KmsError::internal)
}

fn already_there() -> KmsError {
    KmsError::new(
        Code::AlreadyExistsException,
        "You can create only one replica of each primary key in each AWS Region.",
    )
}

/// The replica of a primary key in the Region of that name.
fn replica_in(call: &Call<'_>, primary: &Key, region: &str) -> Result<Arc<Key>, KmsError> {
    let snapshot = primary.snapshot();
    let known = snapshot.record.multi_region.as_ref();
    let named = |it: &&Region| **it == *region && **it != *primary.region();
    let region = known.and_then(|known| known.regions.iter().find(named));
    let replica = region.and_then(|region| {
        let (account, id) = (primary.account(), primary.id());
        call.kms.keys.find(account, region, id, call.now)
    });
    replica.ok_or_else(|| no_replica(primary))
}

fn no_replica(primary: &Key) -> KmsError {
    KmsError::validation(format!(
        "{} does not have a replica key in the specified Region.",
        primary.id()
    ))
}

/// The key named, if it is the primary one of a multi-Region key.
fn primary(
    call: &mut Call<'_>,
    reference: Option<&str>,
) -> Result<Permitted<Management>, KmsError> {
    let permit = call.key(reference, By::Id)?;
    let key = permit.key();
    if key.snapshot().record.is_primary(key.region()) {
        return Ok(permit);
    }
    Err(not_primary(key))
}
