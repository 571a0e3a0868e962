//! The keys of all accounts and Regions: a working set in memory, in step with a store.
//!
//! Reading takes no lock that another reader waits for. A change is made to a copy, made durable,
//! and only then seen by readers; changes are made one at a time.

pub mod grant;
mod image;
pub mod key;
pub mod key_store;
pub mod metadata;
mod partition;
pub mod record;
pub mod redb_store;
pub mod state;
pub mod store;
mod upkeep;
pub mod key_sealer;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use proto::time::Timestamp;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::caller::partition;
use crate::crypto::material::Material;
use crate::crypto::root_key::RootKey;
use crate::error::KmsError;
pub use crate::keys::image::Image;
use crate::keys::key::Key;
use crate::keys::key::Snapshot;
use crate::keys::key_sealer::KeySealer;
use crate::keys::key_sealer::OpenChange;
use crate::keys::key_sealer::OpenError;
use crate::keys::key_sealer::OpenRow;
pub use crate::keys::partition::Alias;
use crate::keys::partition::Partitions;
use crate::keys::partition::Place;
use crate::keys::record::MaterialRecord;
use crate::keys::record::Record;
use crate::keys::store::Store;
use crate::keys::store::StoreError;
use crate::keys::store::Table;

/// The keys of all accounts and Regions.
pub struct Keys {
    partitions: Partitions,
    sealer: KeySealer,
    change: Mutex<()>,
}

impl Keys {
    /// Opens the store and takes all of it into memory.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when the store does not open, or what it holds does not fit together.
    pub fn open(store: Box<dyn Store>, root_key: &RootKey) -> Result<Self, OpenError> {
        let (sealer, rows) = KeySealer::open(store, root_key)?;
        let partitions = Partitions::default();
        let mut secrets: HashMap<String, Zeroizing<Vec<u8>>> = HashMap::new();
        let mut keys = Vec::new();
        let mut aliases = Vec::new();
        for row in rows {
            match row.table {
                Table::Keys => keys.push(row),
                Table::Materials => {
                    secrets.insert(row.name, row.value);
                }
                Table::Aliases => aliases.push(row),
                Table::KeyStores => {
                    let place = Place::parse(&row.name).ok_or_else(|| damaged(&row))?;
                    let store = serde_json::from_slice(&row.value).map_err(|_| damaged(&row))?;
                    partitions.put_key_store(place, store);
                }
                Table::Meta => {}
            }
        }
        for row in keys {
            load_key(&partitions, &row, &secrets)?;
        }
        for row in aliases {
            let place = Place::parse(&row.name).ok_or_else(|| damaged(&row))?;
            let alias: Alias = serde_json::from_slice(&row.value).map_err(|_| damaged(&row))?;
            partitions.put_alias(place, alias);
        }
        Ok(Self {
            partitions,
            sealer,
            change: Mutex::new(()),
        })
    }

    /// The key of that id, unless its waiting period is over.
    #[must_use]
    pub fn find(
        &self,
        account: &str,
        region: &str,
        key_id: &str,
        now: Timestamp,
    ) -> Option<Arc<Key>> {
        let key = self.partitions.partition(account, region)?.key(key_id)?;
        (!key.snapshot().record.is_deleted(now)).then_some(key)
    }

    /// The alias of that name, prefix included, unless its key is no more.
    #[must_use]
    pub fn alias(&self, account: &str, region: &str, name: &str, now: Timestamp) -> Option<Alias> {
        let alias = self.partitions.partition(account, region)?.alias(name)?;
        self.find(account, region, &alias.key_id, now)
            .is_some()
            .then_some(alias)
    }

    /// Id of the key that an alias names, whatever became of that key.
    #[must_use]
    pub fn alias_target(&self, account: &str, region: &str, name: &str) -> Option<String> {
        self.partitions
            .partition(account, region)?
            .alias(name)
            .map(|alias| alias.key_id)
    }

    /// All keys of an account in a Region, in the order of their ids.
    #[must_use]
    pub fn list(&self, account: &str, region: &str, now: Timestamp) -> Vec<Arc<Key>> {
        let mut keys = self
            .partitions
            .partition(account, region)
            .map(|partition| partition.keys())
            .unwrap_or_default();
        keys.retain(|key| !key.snapshot().record.is_deleted(now));
        keys.sort_unstable_by(|a, b| a.id().cmp(b.id()));
        keys
    }

    /// The names of a key's aliases.
    #[must_use]
    pub fn aliases_of(&self, key: &Key) -> Vec<String> {
        let names = self.partitions.aliases_of(key);
        names.iter().map(ToString::to_string).collect()
    }

    /// All aliases of an account in a Region, in the order of their names.
    #[must_use]
    pub fn aliases(&self, account: &str, region: &str, now: Timestamp) -> Vec<(Arc<str>, Alias)> {
        let Some(partition) = self.partitions.partition(account, region) else {
            return Vec::new();
        };
        let mut aliases = partition.aliases();
        aliases.retain(|(_, alias)| self.find(account, region, &alias.key_id, now).is_some());
        aliases.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        aliases
    }

    /// Takes a new key in.
    ///
    /// # Errors
    ///
    /// `KMSInternalException` when it could not be made durable, or the id is taken.
    pub fn create(
        &self,
        account: &str,
        region: &str,
        key_id: &str,
        record: Record,
        materials: Vec<Arc<Material>>,
    ) -> Result<Arc<Key>, KmsError> {
        let _one_at_a_time = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let arn = format!(
            "arn:{}:kms:{region}:{account}:key/{key_id}",
            partition(region)
        );
        let place = Place {
            account,
            region,
            name: key_id,
        };
        let mut changes = vec![put(Table::Keys, &place.to_string(), &record)?];
        changes.extend(
            materials
                .iter()
                .map(|material| material_row(&place, material)),
        );
        self.commit(changes)?;
        let key = Key::new(
            account,
            region,
            key_id,
            &arn,
            Snapshot::new(account, record, materials),
        );
        Ok(self.partitions.put_key(place, key))
    }

    /// Changes what is stored of a key: `edit` is given a copy, which takes the key's place once it
    /// is durable.
    ///
    /// # Errors
    ///
    /// What `edit` answers; `KMSInternalException` when the change could not be made durable.
    pub fn change<T>(
        &self,
        key: &Key,
        edit: impl FnOnce(&mut Record) -> Result<T, KmsError>,
    ) -> Result<T, KmsError> {
        self.change_with_materials(key, |record, _| edit(record))
    }

    /// As [`Keys::change`], for changes of the key's materials too.
    ///
    /// # Errors
    ///
    /// As [`Keys::change`].
    pub fn change_with_materials<T>(
        &self,
        key: &Key,
        edit: impl FnOnce(&mut Record, &mut Vec<Arc<Material>>) -> Result<T, KmsError>,
    ) -> Result<T, KmsError> {
        let _one_at_a_time = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.partitions.holds(key) {
            let text = format!("Key '{}' does not exist", key.arn());
            return Err(KmsError::not_found(text));
        }
        let before = key.snapshot();
        let mut record = before.record.clone();
        let mut materials = before.materials.clone();
        record.last_use = key.last_use();
        let answer = edit(&mut record, &mut materials)?;

        let place = Place::of(key);
        let mut changes = vec![put(Table::Keys, &place.to_string(), &record)?];
        let lacks = |list: &[Arc<Material>], id| !list.iter().any(|material| material.id() == id);
        for made in materials
            .iter()
            .filter(|made| lacks(&before.materials, made.id()))
        {
            changes.push(material_row(&place, made));
        }
        for gone in before
            .materials
            .iter()
            .filter(|gone| lacks(&materials, gone.id()))
        {
            changes.push(delete(
                Table::Materials,
                material_name(&place, gone.id_text()),
            ));
        }
        self.commit(changes)?;
        key.replace(Snapshot::new(key.account(), record, materials));
        Ok(answer)
    }

    /// Makes or moves an alias: `edit` is given the alias that is there, if one is.
    ///
    /// # Errors
    ///
    /// What `edit` answers; `KMSInternalException` when the change could not be made durable.
    pub fn change_alias(
        &self,
        account: &str,
        region: &str,
        name: &str,
        now: Timestamp,
        edit: impl FnOnce(Option<Alias>) -> Result<Option<Alias>, KmsError>,
    ) -> Result<(), KmsError> {
        let _one_at_a_time = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let after = edit(self.alias(account, region, name, now))?;
        let place = Place {
            account,
            region,
            name,
        };
        let row = place.to_string();
        match after {
            Some(alias) => {
                self.commit(vec![put(Table::Aliases, &row, &alias)?])?;
                self.partitions.put_alias(place, alias);
            }
            None => {
                self.commit(vec![delete(Table::Aliases, row)])?;
                self.partitions.remove_alias(place);
            }
        }
        Ok(())
    }

    /// Whether the store is durable.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.sealer.is_durable()
    }

    /// A text that only this KMS can read back, for tokens that callers hold.
    #[must_use]
    pub fn seal_token(&self, kind: &str, text: &str) -> String {
        self.sealer.seal_token(kind, text)
    }

    /// The text of a token of that kind; none if it was not made here.
    #[must_use]
    pub fn open_token(&self, kind: &str, token: &str) -> Option<String> {
        self.sealer.open_token(kind, token)
    }

    fn commit(&self, changes: Vec<OpenChange>) -> Result<(), KmsError> {
        self.sealer
            .commit(changes)
            .map_err(|error| not_durable(&error))
    }
}

fn load_key(
    partitions: &Partitions,
    row: &OpenRow,
    secrets: &HashMap<String, Zeroizing<Vec<u8>>>,
) -> Result<(), OpenError> {
    let place = Place::parse(&row.name).ok_or_else(|| damaged(row))?;
    let record: Record = serde_json::from_slice(&row.value).map_err(|_| damaged(row))?;
    let mut materials = Vec::with_capacity(record.materials.len());
    let here =
        |material: &&MaterialRecord| material.import.as_ref().is_none_or(|import| import.present);
    for material in record.materials.iter().filter(here) {
        let name = material_name(&place, &material.id);
        let lost = || OpenError::Damaged {
            row: format!("{}/{name}", Table::Materials.name()),
        };
        let secret = secrets.get(&name).ok_or_else(lost)?;
        let material =
            Material::from_stored(record.spec, place.name, secret.clone()).ok_or_else(lost)?;
        materials.push(Arc::new(material));
    }
    let Place {
        account,
        region,
        name,
    } = place;
    let arn = format!(
        "arn:{}:kms:{region}:{account}:key/{name}",
        partition(region)
    );
    partitions.put_key(
        place,
        Key::new(
            account,
            region,
            name,
            &arn,
            Snapshot::new(account, record, materials),
        ),
    );
    Ok(())
}

fn put(table: Table, name: &str, value: &impl Serialize) -> Result<OpenChange, KmsError> {
    let value = serde_json::to_vec(value).map_err(|_| KmsError::internal())?;
    Ok(OpenChange {
        table,
        name: name.to_owned(),
        value: Some(Zeroizing::new(value)),
    })
}

const fn delete(table: Table, name: String) -> OpenChange {
    OpenChange {
        table,
        name,
        value: None,
    }
}

fn material_row(place: &Place<'_>, material: &Material) -> OpenChange {
    OpenChange {
        table: Table::Materials,
        name: material_name(place, material.id_text()),
        value: Some(Zeroizing::new(material.secret().to_vec())),
    }
}

fn material_name(place: &Place<'_>, material_id: &str) -> String {
    format!("{place}/{material_id}")
}

fn damaged(row: &OpenRow) -> OpenError {
    OpenError::Damaged {
        row: format!("{}/{}", row.table.name(), row.name),
    }
}

fn not_durable(error: &StoreError) -> KmsError {
    tracing::error!(%error, "a change could not be made durable");
    KmsError::internal()
}

/// A day, in milliseconds.
pub const DAY_MS: i64 = 86_400_000;

#[cfg(test)]
mod tests;
