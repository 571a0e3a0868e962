//! Changes of keys, aliases and custom key stores. Each is made to a copy, made durable, and only
//! then seen by readers; changes are made one at a time.

use std::sync::Arc;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use proto::identity::AccountId;
use proto::identity::Region;
use proto::time::Timestamp;

use crate::crypto::material::Material;
use crate::error::KmsError;
use crate::keys::Keys;
use crate::keys::key::Key;
use crate::keys::key_sealer::OpenChange;
use crate::keys::key_store::KeyStore;
use crate::keys::partition::Alias;
use crate::keys::place::Place;
use crate::keys::record::Record;
use crate::keys::row::delete;
use crate::keys::row::material_name;
use crate::keys::row::material_row;
use crate::keys::row::not_durable;
use crate::keys::row::put;
use crate::keys::store::Table;

impl Keys {
    /// Takes a new key in.
    ///
    /// # Errors
    ///
    /// `KMSInternalException` when it could not be made durable.
    pub fn create(
        &self,
        account: &AccountId,
        region: &Region,
        key_id: &str,
        record: Record,
        materials: Vec<Arc<Material>>,
    ) -> Result<Arc<Key>, KmsError> {
        let _one_at_a_time = self.lock();
        let place = Place::new(account, region, key_id);
        let mut changes = vec![put(Table::Keys, &place, &record)?];
        let rows = materials
            .iter()
            .map(|material| material_row(&place, material));
        changes.extend(rows);
        self.commit(changes)?;
        let key = Arc::new(Key::new(&place, record, materials));
        self.partitions.put_key(Arc::clone(&key));
        Ok(key)
    }

    /// Changes what is stored of a key: `edit` is given a copy, which takes the key's place once it
    /// is durable.
    ///
    /// # Errors
    ///
    /// What `edit` returns; `KMSInternalException` when the change could not be made durable.
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
        let _one_at_a_time = self.lock();
        if !self.partitions.holds(key) {
            let text = format!("Key '{}' does not exist", key.arn());
            return Err(KmsError::not_found(text));
        }
        let before = key.snapshot();
        let mut record = before.record.clone();
        let mut materials = before.materials.clone();
        record.last_use = key.last_use();
        let answer = edit(&mut record, &mut materials)?;

        let place = key.place();
        let mut changes = vec![put(Table::Keys, &place, &record)?];
        let lacks = |list: &[Arc<Material>], id| !list.iter().any(|material| material.id() == id);
        let made = materials.iter();
        let made = made.filter(|made| lacks(&before.materials, made.id()));
        changes.extend(made.map(|made| material_row(&place, made)));
        let gone = before.materials.iter();
        let gone = gone.filter(|gone| lacks(&materials, gone.id()));
        changes.extend(gone.map(|gone| {
            let name = material_name(&place, gone.id_text());
            delete(Table::Materials, &name)
        }));
        self.commit(changes)?;
        key.replace(record, materials);
        Ok(answer)
    }

    /// Removes a key for good, with its material and aliases.
    pub(crate) fn remove(&self, key: &Key) -> Result<(), KmsError> {
        let _one_at_a_time = self.lock();
        let place = key.place();
        let mut changes = vec![delete(Table::Keys, &place)];
        for material in &key.snapshot().materials {
            let name = material_name(&place, material.id_text());
            changes.push(delete(Table::Materials, &name));
        }
        let aliases = self.partitions.aliases_of(key);
        let aliases = aliases.iter().map(|name| Place {
            name,
            ..place.clone()
        });
        let aliases: Vec<_> = aliases.collect();
        let rows = aliases.iter().map(|alias| delete(Table::Aliases, alias));
        changes.extend(rows);
        self.commit(changes)?;
        for alias in &aliases {
            self.partitions.remove_alias(alias);
        }
        self.partitions.remove_key(&place);
        Ok(())
    }

    /// Makes an alias of a key, or moves it to that key, if `check` allows that for the alias that
    /// is there.
    ///
    /// # Errors
    ///
    /// What `check` returns; `KMSInternalException` when the change could not be made durable.
    pub fn put_alias(
        &self,
        name: &str,
        key: &Key,
        now: Timestamp,
        check: impl FnOnce(Option<&Alias>) -> Result<(), KmsError>,
    ) -> Result<(), KmsError> {
        let _one_at_a_time = self.lock();
        let present = self.alias(key.account(), key.region(), name, now);
        check(present.as_ref())?;
        let now_ms = now.unix_millis();
        let alias = Alias {
            key_id: key.id().to_string(),
            created_ms: present.map_or(now_ms, |alias| alias.created_ms),
            updated_ms: now_ms,
        };
        let place = Place::new(key.account(), key.region(), name);
        self.commit(vec![put(Table::Aliases, &place, &alias)?])?;
        self.partitions.put_alias(&place, alias);
        Ok(())
    }

    /// Removes an alias; whether it was there.
    ///
    /// # Errors
    ///
    /// `KMSInternalException` when the change could not be made durable.
    pub fn remove_alias(
        &self,
        account: &AccountId,
        region: &Region,
        name: &str,
        now: Timestamp,
    ) -> Result<bool, KmsError> {
        let _one_at_a_time = self.lock();
        if self.alias(account, region, name, now).is_none() {
            return Ok(false);
        }
        let place = Place::new(account, region, name);
        self.commit(vec![delete(Table::Aliases, &place)])?;
        self.partitions.remove_alias(&place);
        Ok(true)
    }

    /// Puts a custom key store in the place of the one of its id.
    ///
    /// # Errors
    ///
    /// `KMSInternalException` when the change could not be made durable.
    pub fn put_key_store(
        &self,
        account: &AccountId,
        region: &Region,
        store: KeyStore,
    ) -> Result<(), KmsError> {
        let _one_at_a_time = self.lock();
        let place = Place::new(account, region, &store.id);
        self.commit(vec![put(Table::KeyStores, &place, &store)?])?;
        self.partitions.put_key_store(&place, store.clone());
        Ok(())
    }

    /// Forgets a custom key store.
    ///
    /// # Errors
    ///
    /// `KMSInternalException` when the change could not be made durable.
    pub fn remove_key_store(
        &self,
        account: &AccountId,
        region: &Region,
        id: &str,
    ) -> Result<(), KmsError> {
        let _one_at_a_time = self.lock();
        let place = Place::new(account, region, id);
        self.commit(vec![delete(Table::KeyStores, &place)])?;
        self.partitions.remove_key_store(&place);
        Ok(())
    }

    /// Waits until no other change is being made.
    pub(crate) fn lock(&self) -> MutexGuard<'_, ()> {
        self.change.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn commit(&self, changes: Vec<OpenChange>) -> Result<(), KmsError> {
        let committed = self.sealer.commit(changes);
        committed.map_err(|error| not_durable(&error))
    }
}
