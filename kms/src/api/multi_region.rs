//! Multi-Region keys: the same key, by id and material, in several Regions.

use std::sync::Arc;

use proto::identity::Region;
use proto::kms::v1;

use crate::api::call::Call;
use crate::api::call::not_primary;
use crate::api::key_policy;
use crate::api::metadata::metadata;
use crate::api::reference::By;
use crate::api::tag;
use crate::api::violations;
use crate::authorize::Management;
use crate::authorize::Permitted;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::key::Key;
use crate::keys::key::default_policy;
use crate::keys::metadata::Origin;
use crate::keys::record::MultiRegion;
use crate::keys::record::Record;
use crate::keys::state::Group;
use crate::keys::state::KeyState;
use crate::keys::upkeep;
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
    let region = request.replica_region.unwrap_or_default();
    let invalid = || KmsError::validation(format!("Invalid Region: {region}"));
    let partition = primary.region().partition();
    let served = call.kms.regions().find(&region);
    let served = served.filter(|region| region.partition() == partition);
    let region = served.ok_or_else(invalid)?;
    let (account, id) = (primary.account(), primary.id());
    if call.kms.keys.find(account, region, id, call.now).is_some() {
        return Err(KmsError::new(
            Code::AlreadyExistsException,
            format!("Unable to replicate key in region {region}, as it already exists there."),
        ));
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
    let permit = primary(call, request.key_id.as_deref())?;
    let primary = permit.key();
    call.check_state(primary, Group::Use)?;
    let named = request.primary_region.unwrap_or_default();
    let snapshot = primary.snapshot();
    let replicas = snapshot.record.multi_region.iter();
    let mut replicas = replicas.flat_map(|known| {
        let regions = known.regions.iter();
        regions.filter(move |region| **region != known.primary)
    });
    let Some(region) = replicas.find(|region| **region == *named) else {
        return Err(KmsError::new(
            Code::UnsupportedOperationException,
            format!("{} has no replica key in {named}.", primary.arn()),
        ));
    };
    call.kms
        .quotas
        .charge(&call.caller.account, region, Class::UpdatePrimaryRegion)?;
    let rotation = snapshot.record.rotation;
    for key in upkeep::related(&call.kms.keys, primary, call.now) {
        call.kms.keys.change(&key, |record| {
            if let Some(multi_region) = &mut record.multi_region {
                multi_region.primary = region.clone();
            }
            record.rotation = rotation;
            Ok(())
        })?;
    }
    Ok(v1::UpdatePrimaryRegionResponse {})
}

fn make_replica(
    call: &Call<'_>,
    primary: &Key,
    region: &Region,
    edit: impl FnOnce(&mut Record),
) -> Result<Arc<Key>, KmsError> {
    let keys = &call.kms.keys;
    let snapshot = primary.snapshot();
    let mut record = snapshot.record.clone();
    let multi_region = record.multi_region.take();
    let mut multi_region = multi_region.unwrap_or_else(|| MultiRegion::new(primary.region()));
    multi_region.regions.push(region.clone());
    multi_region.regions.sort();
    record.multi_region = Some(multi_region.clone());
    record.created_ms = call.now.unix_millis();
    record.enabled = true;
    record.grants.clear();
    record.last_use = None;
    let mut materials = snapshot.materials.clone();
    if record.origin == Origin::External {
        // The owner brings the same material to each Region.
        materials.clear();
        for import in record
            .materials
            .iter_mut()
            .filter_map(|known| known.import.as_mut())
        {
            import.present = false;
        }
    }
    edit(&mut record);
    let replica = keys.create(primary.account(), region, primary.id(), record, materials)?;
    for key in upkeep::related(keys, primary, call.now) {
        keys.change(&key, |record| {
            record.multi_region = Some(multi_region.clone());
            Ok(())
        })?;
    }
    Ok(replica)
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
