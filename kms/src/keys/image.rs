//! All keys at one moment: to come back to, to start another KMS from, to store in a file.
//!
//! Taking an image copies no material: records and materials never change once they are made, so an
//! image holds the very ones in use. It takes microseconds for each thousand keys.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;

use crate::crypto::root_key::RootKey;
use crate::error::KmsError;
use crate::keys::Keys;
use crate::keys::key::Key;
use crate::keys::key_sealer::KeySealer;
use crate::keys::key_sealer::OpenChange;
use crate::keys::key_sealer::OpenError;
use crate::keys::key_store::KeyStore;
use crate::keys::metadata::Manager;
use crate::keys::partition::Alias;
use crate::keys::partition::Partitions;
use crate::keys::place::Place;
use crate::keys::row::delete;
use crate::keys::row::material_name;
use crate::keys::row::material_row;
use crate::keys::row::not_durable;
use crate::keys::row::put;
use crate::keys::store::Change;
use crate::keys::store::MemoryStore;
use crate::keys::store::NoStore;
use crate::keys::store::Row;
use crate::keys::store::Store;
use crate::keys::store::Table;

/// All keys, aliases and custom key stores at one moment. The empty image is of no keys at all.
#[derive(Default)]
pub struct Image {
    keys: Vec<Key>,
    /// By the name of their row.
    aliases: Vec<(String, Alias)>,
    /// By the name of their row.
    key_stores: Vec<(String, KeyStore)>,
}

impl Image {
    /// How many keys there are.
    #[must_use]
    pub const fn keys(&self) -> usize {
        self.keys.len()
    }

    /// How many aliases there are.
    #[must_use]
    pub const fn aliases(&self) -> usize {
        self.aliases.len()
    }

    /// The image as rows sealed under that root key, to be stored in a file.
    ///
    /// # Errors
    ///
    /// `KMSInternalException` when a record cannot be written down.
    pub fn to_rows(&self, root_key: &RootKey) -> Result<Vec<Row>, KmsError> {
        let store = Arc::new(MemoryStore::default());
        let (sealer, _) = KeySealer::open(Box::new(Arc::clone(&store)), root_key)
            .map_err(|_| KmsError::internal())?;
        sealer
            .commit(self.rows()?)
            .map_err(|error| not_durable(&error))?;
        store.rows().map_err(|error| not_durable(&error))
    }

    /// The image that [`Image::to_rows`] gave.
    ///
    /// # Errors
    ///
    /// [`OpenError`] under another root key, or when a row was changed, moved or lost.
    pub fn from_rows(rows: Vec<Row>, root_key: &RootKey) -> Result<Self, OpenError> {
        let store = MemoryStore::default();
        let change = |row: Row| Change {
            table: row.table,
            name: row.name,
            value: Some(row.value),
        };
        store.commit(rows.into_iter().map(change).collect())?;
        Ok(Keys::open(Box::new(store), root_key)?.image())
    }

    /// What the store holds of it.
    fn rows(&self) -> Result<Vec<OpenChange>, KmsError> {
        let mut rows = Vec::with_capacity(2 * self.keys.len() + self.aliases.len());
        for key in &self.keys {
            let place = key.place();
            let snapshot = key.snapshot();
            rows.push(put(Table::Keys, &place, &snapshot.record)?);
            let materials = snapshot.materials.iter();
            rows.extend(materials.map(|material| material_row(&place, material)));
        }
        for (name, alias) in &self.aliases {
            rows.push(put(Table::Aliases, name, alias)?);
        }
        for (name, store) in &self.key_stores {
            rows.push(put(Table::KeyStores, name, store)?);
        }
        Ok(rows)
    }

    /// Where each row of it lies.
    fn row_names(&self) -> impl Iterator<Item = (Table, String)> {
        let of_key = |key: &Key| {
            let place = key.place();
            let material = |id: &str| (Table::Materials, material_name(&place, id));
            let snapshot = key.snapshot();
            let mut names: Vec<_> = snapshot
                .materials
                .iter()
                .map(|made| material(made.id_text()))
                .collect();
            names.push((Table::Keys, place.to_string()));
            names
        };
        let aliases = self.aliases.iter();
        let stores = self.key_stores.iter();
        self.keys
            .iter()
            .flat_map(of_key)
            .chain(aliases.map(|(name, _)| (Table::Aliases, name.clone())))
            .chain(stores.map(|(name, _)| (Table::KeyStores, name.clone())))
    }

    /// The same with the AWS-owned keys of `before` and their aliases. They belong to no account, and
    /// what AWS services sealed under them is not stored here: it must open whatever becomes of the keys
    /// of accounts.
    fn with_aws_owned(&self, before: &Self) -> Self {
        let is_aws_owned = |key: &&Key| key.snapshot().record.manager == Manager::AwsOwned;
        let owned: Vec<_> = before.keys.iter().filter(is_aws_owned).collect();
        let is_owned = |id: &str| owned.iter().any(|key| **key.id() == *id);
        let aliases = before.aliases.iter();
        let aliases = aliases.filter(|(_, alias)| is_owned(&alias.key_id));
        let aliases: Vec<_> = aliases.cloned().collect();
        let own_keys = self.keys.iter().filter(|key| !is_owned(key.id()));
        let own_aliases = self.aliases.iter();
        let own_aliases =
            own_aliases.filter(|(name, _)| aliases.iter().all(|(other, _)| other != name));
        Self {
            keys: own_keys
                .chain(owned.iter().copied())
                .map(Key::twin)
                .collect(),
            aliases: own_aliases.chain(&aliases).cloned().collect(),
            key_stores: self.key_stores.clone(),
        }
    }

    fn fill(&self, partitions: &Partitions) {
        for key in &self.keys {
            partitions.put_key(Arc::new(key.twin()));
        }
        for (name, alias) in &self.aliases {
            if let Some(place) = Place::parse(name) {
                partitions.put_alias(&place, alias.clone());
            }
        }
        for (name, store) in &self.key_stores {
            if let Some(place) = Place::parse(name) {
                partitions.put_key_store(&place, store.clone());
            }
        }
    }
}

impl Keys {
    /// All keys as they are now.
    #[must_use]
    pub fn image(&self) -> Image {
        let _one_at_a_time = self.lock();
        image_of(&self.partitions)
    }

    /// Puts an image in the place of all keys but the AWS-owned ones: durable, and all or nothing in the
    /// store.
    ///
    /// # Errors
    ///
    /// `KMSInternalException` when it could not be made durable; then nothing has changed.
    pub fn restore(&self, image: &Image) -> Result<(), KmsError> {
        let _one_at_a_time = self.lock();
        let before = image_of(&self.partitions);
        let image = image.with_aws_owned(&before);
        if self.sealer.is_durable() {
            let stays: HashSet<(Table, String)> = image.row_names().collect();
            let goes = before.row_names().filter(|name| !stays.contains(name));
            let mut changes: Vec<_> = goes.map(|(table, name)| delete(table, &name)).collect();
            changes.extend(image.rows()?);
            self.commit(changes)?;
        }
        let partitions = Partitions::default();
        image.fill(&partitions);
        self.partitions.replace_by(&partitions);
        Ok(())
    }

    /// The same keys for another KMS: what happens to either does not happen to the other. Nothing
    /// of it outlives the process.
    #[must_use]
    pub fn fork(&self, image: &Image) -> Self {
        let partitions = Partitions::default();
        image.fill(&partitions);
        Self {
            partitions,
            sealer: self.sealer.with_store(Box::new(NoStore)),
            change: Mutex::new(()),
        }
    }
}

fn image_of(partitions: &Partitions) -> Image {
    let mut image = Image::default();
    for (account, region, partition) in partitions.all() {
        let row = |name: &str| Place::new(&account, &region, name).to_string();
        let keys = partition.keys();
        image.keys.extend(keys.iter().map(|key| key.twin()));
        let aliases = partition.aliases().into_iter();
        let aliases = aliases.map(|(name, alias)| (row(&name), alias));
        image.aliases.extend(aliases);
        let stores = partition.key_stores().into_iter();
        let stores = stores.map(|store| (row(&store.id), store));
        image.key_stores.extend(stores);
    }
    image
}
