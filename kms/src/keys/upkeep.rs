//! What the passing of time does to keys: rotation, deletion, and both across Regions.

use std::sync::Arc;
use std::sync::PoisonError;

use proto::time::Timestamp;

use crate::crypto::material::Material;
use crate::error::KmsError;
use crate::keys::DAY_MS;
use crate::keys::Keys;
use crate::keys::delete;
use crate::keys::key::Key;
use crate::keys::material_name;
use crate::keys::metadata::Origin;
use crate::keys::partition::Place;
use crate::keys::record::MaterialRecord;
use crate::keys::record::RotationType;
use crate::keys::store::Table;

impl Keys {
    /// The key itself, or all keys of the multi-Region key that it is one of.
    #[must_use]
    pub fn related(&self, key: &Key, now: Timestamp) -> Vec<Arc<Key>> {
        let regions = match &key.snapshot().record.multi_region {
            Some(multi_region) => multi_region.regions.clone(),
            None => vec![key.region().to_string()],
        };
        let find = |region: &String| self.find(key.account(), region, key.id(), now);
        regions.iter().filter_map(find).collect()
    }

    /// Does the automatic rotations of a key that are due. A multi-Region key rotates in all its
    /// Regions at once, as its primary key does.
    ///
    /// # Errors
    ///
    /// `KMSInternalException` when the change could not be made durable.
    pub fn rotate_if_due(&self, key: &Key, now: Timestamp) -> Result<(), KmsError> {
        if !key.snapshot().record.rotation_due(now) {
            return Ok(());
        }
        let primary = self.related(key, now).into_iter().find(|related| {
            let record = &related.snapshot().record;
            record.multi_region.is_none() || record.is_primary(related.region())
        });
        let Some(primary) = primary else {
            return Ok(());
        };
        self.change_with_materials(&primary, |record, materials| {
            while record.rotation_due(now) {
                let Some(rotation) = &mut record.rotation else {
                    break;
                };
                let due_ms = rotation.next_ms;
                rotation.next_ms += i64::from(rotation.period_days) * DAY_MS;
                let material = Material::generate(record.spec, primary.id());
                let material = Arc::new(material.ok_or_else(KmsError::internal)?);
                record.materials.push(MaterialRecord {
                    id: material.id_text().to_owned(),
                    since_ms: due_ms,
                    rotation: Some(RotationType::Automatic),
                    import: None,
                });
                materials.push(material);
            }
            Ok(())
        })?;
        self.share(&primary, now)
    }

    /// Gives the replicas of a multi-Region key the material and rotation of its primary key.
    ///
    /// # Errors
    ///
    /// `KMSInternalException` when the change could not be made durable.
    pub fn share(&self, primary: &Key, now: Timestamp) -> Result<(), KmsError> {
        let snapshot = primary.snapshot();
        if snapshot.record.multi_region.is_none() || snapshot.record.origin == Origin::External {
            return Ok(());
        }
        for replica in self.related(primary, now) {
            if replica.region() == primary.region() {
                continue;
            }
            self.change_with_materials(&replica, |record, materials| {
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
    pub fn sweep(&self, now: Timestamp) -> Result<(), KmsError> {
        loop {
            let due = |key: &Arc<Key>| key.snapshot().record.is_deleted(now);
            let mut gone: Vec<_> = self.partitions.all_keys().into_iter().filter(due).collect();
            gone.sort_by_key(|key| key.snapshot().record.deletion_ms);
            if gone.is_empty() {
                return Ok(());
            }
            for key in gone {
                self.remove(&key)?;
                self.forget_replica(&key, now)?;
            }
        }
    }

    fn remove(&self, key: &Key) -> Result<(), KmsError> {
        let _one_at_a_time = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let place = Place::of(key);
        let mut changes = vec![delete(Table::Keys, place.to_string())];
        for material in &key.snapshot().materials {
            changes.push(delete(
                Table::Materials,
                material_name(&place, material.id_text()),
            ));
        }
        let aliases = self.partitions.aliases_of(key);
        for name in &aliases {
            changes.push(delete(Table::Aliases, Place { name, ..place }.to_string()));
        }
        self.commit(changes)?;
        for name in &aliases {
            self.partitions.remove_alias(Place { name, ..place });
        }
        self.partitions.remove_key(place);
        Ok(())
    }

    /// Tells the other keys of a multi-Region key that one of them is no more.
    fn forget_replica(&self, gone: &Key, now: Timestamp) -> Result<(), KmsError> {
        let deleted_ms = gone.snapshot().record.deletion_ms;
        for key in self.related(gone, now) {
            self.change(&key, |record| {
                let Some(multi_region) = &mut record.multi_region else {
                    return Ok(());
                };
                multi_region
                    .regions
                    .retain(|region| *region != **gone.region());
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
}
