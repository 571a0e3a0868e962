//! What the passing of time does to keys: rotation, deletion, and both across Regions.

use std::sync::Arc;

use proto::identity::Region;
use proto::time::Timestamp;

use crate::error::KmsError;
use crate::keys::DAY_MS;
use crate::keys::Keys;
use crate::keys::key::Key;
use crate::keys::metadata::Origin;
use crate::keys::record::RotationType;

/// The key itself, or all keys of the multi-Region key that it is one of.
#[must_use]
pub fn related(keys: &Keys, key: &Key, now: Timestamp) -> Vec<Arc<Key>> {
    let regions = match &key.snapshot().record.multi_region {
        Some(multi_region) => multi_region.regions.clone(),
        None => vec![key.region().clone()],
    };
    let find = |region: &Region| keys.find(key.account(), region, key.id(), now);
    regions.iter().filter_map(find).collect()
}

/// Does the automatic rotations of a key that are due. A multi-Region key rotates in all its
/// Regions at once, as its primary key does.
///
/// # Errors
///
/// `KMSInternalException` when the change could not be made durable.
pub fn rotate_if_due(keys: &Keys, key: &Key, now: Timestamp) -> Result<(), KmsError> {
    if !key.snapshot().record.rotation_due(now) {
        return Ok(());
    }
    let primary = related(keys, key, now).into_iter().find(|related| {
        let record = &related.snapshot().record;
        record.multi_region.is_none() || record.is_primary(related.region())
    });
    let Some(primary) = primary else {
        return Ok(());
    };
    keys.change_with_materials(&primary, |record, materials| {
        while record.rotation_due(now) {
            let Some(rotation) = &mut record.rotation else {
                break;
            };
            let due_ms = rotation.next_ms;
            rotation.next_ms += i64::from(rotation.period_days) * DAY_MS;
            record.rotate(materials, primary.id(), due_ms, RotationType::Automatic)?;
        }
        Ok(())
    })?;
    share_with_replicas(keys, &primary, now)
}

/// Gives the replicas of a multi-Region key the material and rotation of its primary key.
///
/// # Errors
///
/// `KMSInternalException` when the change could not be made durable.
pub fn share_with_replicas(keys: &Keys, primary: &Key, now: Timestamp) -> Result<(), KmsError> {
    let snapshot = primary.snapshot();
    if snapshot.record.multi_region.is_none() || snapshot.record.origin == Origin::External {
        return Ok(());
    }
    for replica in related(keys, primary, now) {
        if replica.region() == primary.region() {
            continue;
        }
        keys.change_with_materials(&replica, |record, materials| {
            record.materials.clone_from(&snapshot.record.materials);
            record.rotation = snapshot.record.rotation;
            materials.clone_from(&snapshot.materials);
            Ok(())
        })?;
    }
    Ok(())
}

/// Removes for good the keys whose waiting period is over, with their material and aliases. A
/// primary key that waited for its last replica starts its own waiting period.
///
/// # Errors
///
/// `KMSInternalException` when their removal could not be made durable.
pub fn sweep(keys: &Keys, now: Timestamp) -> Result<(), KmsError> {
    loop {
        let due = |key: &Arc<Key>| key.snapshot().record.is_deleted(now);
        let mut gone: Vec<_> = keys.partitions.all_keys().into_iter().filter(due).collect();
        gone.sort_by_key(|key| key.snapshot().record.deletion_ms);
        if gone.is_empty() {
            return Ok(());
        }
        for key in gone {
            keys.remove(&key)?;
            forget_replica(keys, &key, now)?;
        }
    }
}

/// Removes a deleted key's Region from the other keys of its multi-Region key.
fn forget_replica(keys: &Keys, gone: &Key, now: Timestamp) -> Result<(), KmsError> {
    let deleted_ms = gone.snapshot().record.deletion_ms;
    for key in related(keys, gone, now) {
        keys.change(&key, |record| {
            let Some(multi_region) = &mut record.multi_region else {
                return Ok(());
            };
            multi_region
                .regions
                .retain(|region| region != gone.region());
            let last = multi_region.regions.len() == 1;
            if let (true, Some(days)) = (last, record.deletion_window_days) {
                record.deletion_window_days = None;
                record.deletion_ms = deleted_ms.map(|at| at + i64::from(days) * DAY_MS);
            }
            Ok(())
        })?;
    }
    Ok(())
}
