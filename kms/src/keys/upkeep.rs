//! What the passing of time does to keys: rotation, deletion, and both across Regions.

use std::sync::Arc;

use proto::identity::Region;
use proto::time::Timestamp;

use crate::crypto::material::Material;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::DAY_MS;
use crate::keys::Edited;
use crate::keys::Keys;
use crate::keys::key::Key;
use crate::keys::record::Record;
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
    change_shared(keys, &primary, |record, materials| {
        while record.rotation_due(now) {
            let Some(rotation) = &mut record.rotation else {
                break;
            };
            let due_ms = rotation.next_ms;
            rotation.next_ms += i64::from(rotation.period_days) * DAY_MS;
            record.rotate(materials, primary.id(), due_ms, RotationType::Automatic)?;
        }
        Ok(())
    })
}

/// Changes a key, and gives the replicas of a multi-Region key the material and rotation that it then has,
/// all as one change.
///
/// # Errors
///
/// What `edit` returns; `KMSInternalException` when the change could not be made durable.
pub fn change_shared(
    keys: &Keys,
    primary: &Key,
    edit: impl FnOnce(&mut Record, &mut Vec<Arc<Material>>) -> Result<(), KmsError>,
) -> Result<(), KmsError> {
    keys.change_related(primary, |own, others| {
        edit(&mut own.record, &mut own.materials)?;
        for replica in others {
            replica.record.materials.clone_from(&own.record.materials);
            replica.record.rotation = own.record.rotation;
            replica.materials.clone_from(&own.materials);
        }
        Ok(())
    })
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
            match remove(keys, &key) {
                // Another call has removed it.
                Err(error) if error.code() == Code::NotFoundException => {}
                removed => removed?,
            }
        }
    }
}

/// Removes a deleted key, and its Region from the other keys of its multi-Region key.
fn remove(keys: &Keys, gone: &Key) -> Result<(), KmsError> {
    keys.change_related(gone, |own, others| {
        own.is_removed = true;
        for Edited { record, .. } in others {
            let Some(multi_region) = &mut record.multi_region else {
                continue;
            };
            multi_region.regions.retain(|region| *region != own.region);
            let last = multi_region.regions.len() == 1;
            if let (true, Some(days)) = (last, record.deletion_window_days) {
                record.deletion_window_days = None;
                let deleted_ms = own.record.deletion_ms;
                record.deletion_ms = deleted_ms.map(|at| at + i64::from(days) * DAY_MS);
            }
        }
        Ok(())
    })
}
