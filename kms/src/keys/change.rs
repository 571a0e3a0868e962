//! Changes of keys, aliases and custom key stores. Each is made to a copy, made durable, and only
//! then seen by readers; changes are made one at a time.

use std::sync::Arc;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use proto::identity::AccountId;
use proto::identity::Region;
use proto::time::Timestamp;

use crate::crypto::material::Material;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::Keys;
use crate::keys::key::Key;
use crate::keys::key_sealer::OpenChange;
use crate::keys::key_store::KeyStore;
use crate::keys::key_store::no_such_key_store;
use crate::keys::partition::Alias;
use crate::keys::place::Place;
use crate::keys::record::Record;
use crate::keys::row::delete;
use crate::keys::row::material_name;
use crate::keys::row::material_row;
use crate::keys::row::not_durable;
use crate::keys::row::put;
use crate::keys::store::Table;

/// A copy of what is stored of one key, to be edited and to take the key's place.
pub struct Edited {
    /// The Region the key is in.
    pub region: Region,
    /// What is stored of it.
    pub record: Record,
    /// Its materials that are here, oldest first.
    pub materials: Vec<Arc<Material>>,
    /// Whether the key is to be removed for good, with its material and aliases.
    pub is_removed: bool,
    /// The key as it is; none if it is yet to be made.
    key: Option<Arc<Key>>,
}

impl Edited {
    /// A key that is to be made in that Region.
    #[must_use]
    pub const fn new(region: Region, record: Record, materials: Vec<Arc<Material>>) -> Self {
        Self {
            region,
            record,
            materials,
            is_removed: false,
            key: None,
        }
    }

    fn of(key: Arc<Key>) -> Self {
        let before = key.snapshot();
        let mut record = before.record.clone();
        record.last_use = key.last_use();
        let materials = before.materials.clone();
        drop(before);
        Self {
            key: Some(Arc::clone(&key)),
            ..Self::new(key.region().clone(), record, materials)
        }
    }

    /// The rows that differ from the key as it is.
    fn rows(&self, place: &Place<'_>) -> Result<Vec<OpenChange>, KmsError> {
        let before = self.key.as_ref().map(|key| key.snapshot());
        let before = before.map_or_else(Vec::new, |before| before.materials.clone());
        let lacks = |list: &[Arc<Material>], id| !list.iter().any(|material| material.id() == id);
        let mut changes = vec![put(Table::Keys, place, &self.record)?];
        let made = self.materials.iter();
        let made = made.filter(|made| lacks(&before, made.id()));
        changes.extend(made.map(|made| material_row(place, made)));
        let gone = before.iter();
        let gone = gone.filter(|gone| lacks(&self.materials, gone.id()));
        changes.extend(gone.map(|gone| {
            let name = material_name(place, gone.id_text());
            delete(Table::Materials, &name)
        }));
        Ok(changes)
    }
}

impl Keys {
    /// Takes a new key in.
    ///
    /// # Errors
    ///
    /// `AlreadyExistsException` when another key has its id, `CustomKeyStoreNotFoundException` when its store is gone,
    /// `XksKeyAlreadyInUseException` when another key of its store is the same external key; `KMSInternalException` when it could not be made durable.
    pub fn create(
        &self,
        account: &AccountId,
        region: &Region,
        key_id: &str,
        record: Record,
        materials: Vec<Arc<Material>>,
    ) -> Result<Arc<Key>, KmsError> {
        let _one_at_a_time = self.lock();
        self.check_free(account, region, key_id, &record)?;
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

    /// Refuses a new key whose id another one has, whose store is gone, or which is the external key of another one.
    fn check_free(
        &self,
        account: &AccountId,
        region: &Region,
        key_id: &str,
        record: &Record,
    ) -> Result<(), KmsError> {
        let now = Timestamp::from_unix_millis(record.created_ms);
        if let Some(key) = self.find(account, region, key_id, now) {
            let text = format!("Key '{}' already exists", key.arn());
            return Err(KmsError::new(Code::AlreadyExistsException, text));
        }
        let Some(wanted) = &record.key_store else {
            return Ok(());
        };
        if self.key_store(account, region, &wanted.id).is_none() {
            return Err(no_such_key_store(&wanted.id));
        }
        if wanted.external_key.is_none() {
            return Ok(());
        }
        let keys = self.list(account, region, now);
        let is_taken = |key: &Arc<Key>| key.snapshot().record.key_store.as_ref() == Some(wanted);
        match keys.iter().any(is_taken) {
            true => Err(KmsError::new(Code::XksKeyAlreadyInUseException, "")),
            false => Ok(()),
        }
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
        let mut own = Edited::of(self.held(key)?);
        let answer = edit(&mut own.record, &mut own.materials)?;
        self.put_edited(key, vec![own])?;
        Ok(answer)
    }

    /// Changes all keys of a multi-Region key as one: `edit` is given copies of what is stored of the key
    /// now, and of the keys it is related to. It may add keys of other Regions to the latter. All of it
    /// becomes durable at once or not at all, and no other change comes between.
    ///
    /// # Errors
    ///
    /// As [`Keys::change`].
    pub fn change_related<T>(
        &self,
        key: &Key,
        edit: impl FnOnce(&mut Edited, &mut Vec<Edited>) -> Result<T, KmsError>,
    ) -> Result<T, KmsError> {
        let _one_at_a_time = self.lock();
        let mut own = Edited::of(self.held(key)?);
        let multi_region = own.record.multi_region.iter();
        let mut others: Vec<_> = multi_region
            .flat_map(|known| &known.regions)
            .filter(|region| *region != key.region())
            .filter_map(|region| {
                self.partitions
                    .partition(key.account(), region)?
                    .key(key.id())
            })
            .map(Edited::of)
            .collect();
        let answer = edit(&mut own, &mut others)?;
        // Other Regions first, so that they open what this one seals.
        others.push(own);
        self.put_edited(key, others)?;
        Ok(answer)
    }

    /// The key, if it is still the one in its place.
    fn held(&self, key: &Key) -> Result<Arc<Key>, KmsError> {
        self.partitions
            .partition(key.account(), key.region())
            .and_then(|partition| partition.key(key.id()))
            .filter(|_| self.partitions.holds(key))
            .ok_or_else(|| KmsError::not_found(format!("Key '{}' does not exist", key.arn())))
    }

    /// Makes edited copies durable in one commit, and then puts them in the place of the keys.
    fn put_edited(&self, key: &Key, set: Vec<Edited>) -> Result<(), KmsError> {
        let mut changes = Vec::new();
        for edited in &set {
            let place = Place::new(key.account(), &edited.region, key.id());
            if edited.is_removed {
                changes.extend(edited.key.iter().flat_map(|key| self.removal(key)));
            } else {
                changes.extend(edited.rows(&place)?);
            }
        }
        self.commit(changes)?;
        for edited in set {
            let place = Place::new(key.account(), &edited.region, key.id());
            match edited.key {
                Some(key) if edited.is_removed => {
                    for name in self.partitions.aliases_of(&key) {
                        let name = &*name;
                        let alias = Place {
                            name,
                            ..place.clone()
                        };
                        self.partitions.remove_alias(&alias);
                    }
                    self.partitions.remove_key(&place);
                }
                Some(key) => key.replace(edited.record, edited.materials),
                None => {
                    let made = Key::new(&place, edited.record, edited.materials);
                    self.partitions.put_key(Arc::new(made));
                }
            }
        }
        Ok(())
    }

    /// What removes a key from the store, with its material and aliases.
    fn removal(&self, key: &Key) -> Vec<OpenChange> {
        let place = key.place();
        let mut changes = vec![delete(Table::Keys, &place)];
        for material in &key.snapshot().materials {
            let name = material_name(&place, material.id_text());
            changes.push(delete(Table::Materials, &name));
        }
        for name in self.partitions.aliases_of(key) {
            let alias = Place::new(key.account(), key.region(), &name);
            changes.push(delete(Table::Aliases, &alias));
        }
        changes
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
        self.held(key)?;
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

    /// Removes an alias of the key of that id; whether it was there.
    ///
    /// # Errors
    ///
    /// `KMSInternalException` when the change could not be made durable.
    pub fn remove_alias(
        &self,
        account: &AccountId,
        region: &Region,
        name: &str,
        key_id: &str,
        now: Timestamp,
    ) -> Result<bool, KmsError> {
        let _one_at_a_time = self.lock();
        let present = self.alias(account, region, name, now);
        if present.is_none_or(|alias| alias.key_id != *key_id) {
            return Ok(false);
        }
        let place = Place::new(account, region, name);
        self.commit(vec![delete(Table::Aliases, &place)])?;
        self.partitions.remove_alias(&place);
        Ok(true)
    }

    /// Puts a custom key store in the place of the one of its id: what `make` makes of those that are there.
    ///
    /// # Errors
    ///
    /// What `make` returns; `KMSInternalException` when the change could not be made durable.
    pub fn put_key_store(
        &self,
        account: &AccountId,
        region: &Region,
        make: impl FnOnce(&[KeyStore]) -> Result<KeyStore, KmsError>,
    ) -> Result<(), KmsError> {
        let _one_at_a_time = self.lock();
        let store = make(&self.key_stores(account, region))?;
        let place = Place::new(account, region, &store.id);
        self.commit(vec![put(Table::KeyStores, &place, &store)?])?;
        self.partitions.put_key_store(&place, store.clone());
        Ok(())
    }

    /// Forgets a custom key store, if `check` allows that for those that are there.
    ///
    /// # Errors
    ///
    /// What `check` returns; `KMSInternalException` when the change could not be made durable.
    pub fn remove_key_store(
        &self,
        account: &AccountId,
        region: &Region,
        id: &str,
        check: impl FnOnce(&[KeyStore]) -> Result<(), KmsError>,
    ) -> Result<(), KmsError> {
        let _one_at_a_time = self.lock();
        check(&self.key_stores(account, region))?;
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
