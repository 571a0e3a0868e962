//! The keys of all accounts and Regions: a working set in memory, in step with a store.
//!
//! Reading takes no lock that another reader waits for. A change is made to a copy, made durable,
//! and only then seen by readers; changes are made one at a time.

mod change;
pub mod grant;
mod image;
pub mod key;
pub mod key_sealer;
pub mod key_store;
pub mod metadata;
mod partition;
pub mod place;
pub mod record;
pub mod redb_store;
mod row;
pub mod state;
pub mod store;
pub mod upkeep;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;

use proto::identity::AccountId;
use proto::identity::Region;
use proto::time::Timestamp;
use zeroize::Zeroizing;

use crate::crypto::material::Material;
use crate::crypto::root_key::RootKey;
pub use crate::keys::change::Edited;
pub use crate::keys::image::Image;
use crate::keys::key::Key;
use crate::keys::key_sealer::KeySealer;
use crate::keys::key_sealer::OpenError;
use crate::keys::key_sealer::OpenRow;
use crate::keys::key_store::KeyStore;
use crate::keys::metadata::Manager;
pub use crate::keys::partition::Alias;
use crate::keys::partition::Partitions;
use crate::keys::place::alias_arn;
use crate::keys::record::MaterialRecord;
use crate::keys::record::Record;
use crate::keys::state::KeyState;
use crate::keys::store::Store;
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
                    let (place, store) = row::read(&row)?;
                    partitions.put_key_store(&place, store);
                }
                Table::Meta => {}
            }
        }
        for row in keys {
            partitions.put_key(Arc::new(load_key(&row, &secrets)?));
        }
        for row in aliases {
            let (place, alias) = row::read(&row)?;
            partitions.put_alias(&place, alias);
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
        account: &AccountId,
        region: &Region,
        key_id: &str,
        now: Timestamp,
    ) -> Option<Arc<Key>> {
        let key = self.partitions.partition(account, region)?.key(key_id)?;
        (!key.snapshot().record.is_deleted(now)).then_some(key)
    }

    /// The alias of that name, prefix included, unless its key is deleted.
    #[must_use]
    pub fn alias(
        &self,
        account: &AccountId,
        region: &Region,
        name: &str,
        now: Timestamp,
    ) -> Option<Alias> {
        let alias = self.partitions.partition(account, region)?.alias(name)?;
        self.find(account, region, &alias.key_id, now)
            .is_some()
            .then_some(alias)
    }

    /// Id of the key that an alias names, whatever became of that key.
    #[must_use]
    pub fn alias_target(&self, account: &AccountId, region: &Region, name: &str) -> Option<String> {
        self.partitions
            .partition(account, region)?
            .alias(name)
            .map(|alias| alias.key_id)
    }

    /// All keys of an account in a Region, in the order of their ids.
    #[must_use]
    pub fn list(&self, account: &AccountId, region: &Region, now: Timestamp) -> Vec<Arc<Key>> {
        let mut keys = self
            .partitions
            .partition(account, region)
            .map(|partition| partition.keys())
            .unwrap_or_default();
        keys.retain(|key| !key.snapshot().record.is_deleted(now));
        keys.sort_unstable_by(|a, b| a.id().cmp(b.id()));
        keys
    }

    /// All keys of a Region, whatever their accounts.
    #[must_use]
    pub fn list_region(&self, region: &Region, now: Timestamp) -> Vec<Arc<Key>> {
        let all = self.partitions.all().into_iter();
        let here = all.filter(|(_, of, _)| of == region);
        let keys = here.flat_map(|(_, _, partition)| partition.keys());
        keys.filter(|key| !key.snapshot().record.is_deleted(now))
            .collect()
    }

    /// All keys that are not deleted, except those that AWS owns, each with the names of its aliases in order.
    #[must_use]
    pub fn all_with_aliases(&self, now: Timestamp) -> Vec<(Arc<Key>, Vec<String>)> {
        let mut all = Vec::new();
        for (_, _, partition) in self.partitions.all() {
            let mut names: HashMap<String, Vec<String>> = HashMap::new();
            for (name, alias) in partition.aliases() {
                names
                    .entry(alias.key_id)
                    .or_default()
                    .push(name.to_string());
            }
            for key in partition.keys() {
                let snapshot = key.snapshot();
                let is_listed = snapshot.record.manager != Manager::AwsOwned;
                if is_listed && !snapshot.record.is_deleted(now) {
                    let mut aliases = names.remove(&**key.id()).unwrap_or_default();
                    aliases.sort_unstable();
                    all.push((Arc::clone(&key), aliases));
                }
            }
        }
        all
    }

    /// The names of a key's aliases.
    #[must_use]
    pub fn aliases_of(&self, key: &Key) -> Vec<String> {
        let names = self.partitions.aliases_of(key);
        names.iter().map(ToString::to_string).collect()
    }

    /// The ARNs of the keys that go by this id, ARN, alias or ARN of an alias, in any account and Region.
    #[must_use]
    pub fn arns_named(&self, name: &str) -> Vec<Arc<str>> {
        let mut arns = Vec::new();
        for (account, region, partition) in self.partitions.all() {
            let alias = match name.rsplit_once(":alias/") {
                Some((_, alias)) => Some(format!("alias/{alias}"))
                    .filter(|alias| alias_arn(&account, &region, alias) == name),
                None => Some(name.to_owned()),
            };
            let named = alias.and_then(|alias| partition.alias(&alias));
            let id = match (&named, name.rsplit_once(":key/")) {
                (Some(alias), _) => &alias.key_id,
                (None, Some((_, id))) => id,
                (None, None) => name,
            };
            let key = partition.key(id).map(|key| Arc::clone(key.arn()));
            arns.extend(key.filter(|arn| !name.contains(":key/") || **arn == *name));
        }
        arns
    }

    /// All aliases of an account in a Region, in the order of their names.
    #[must_use]
    pub fn aliases(
        &self,
        account: &AccountId,
        region: &Region,
        now: Timestamp,
    ) -> Vec<(Arc<str>, Alias)> {
        let Some(partition) = self.partitions.partition(account, region) else {
            return Vec::new();
        };
        let mut aliases = partition.aliases();
        aliases.retain(|(_, alias)| self.find(account, region, &alias.key_id, now).is_some());
        aliases.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        aliases
    }

    /// All custom key stores of an account in a Region, in the order of their ids.
    #[must_use]
    pub fn key_stores(&self, account: &AccountId, region: &Region) -> Vec<KeyStore> {
        let partition = self.partitions.partition(account, region);
        let mut stores = partition
            .map(|partition| partition.key_stores())
            .unwrap_or_default();
        stores.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        stores
    }

    /// The custom key store of that id.
    #[must_use]
    pub fn key_store(&self, account: &AccountId, region: &Region, id: &str) -> Option<KeyStore> {
        self.partitions.partition(account, region)?.key_store(id)
    }

    /// The state of a key at that time. A key whose store is not connected is unavailable.
    #[must_use]
    pub fn state(&self, key: &Key, now: Timestamp) -> KeyState {
        let snapshot = key.snapshot();
        let state = snapshot.record.state(now);
        let Some(link) = snapshot.record.key_store.as_ref() else {
            return state;
        };
        let store = self.key_store(key.account(), key.region(), &link.id);
        let connected = store.is_some_and(|store| store.connected);
        match state {
            KeyState::Enabled | KeyState::Disabled if !connected => KeyState::Unavailable,
            state => state,
        }
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
}

fn load_key(
    row: &OpenRow,
    secrets: &HashMap<String, Zeroizing<Vec<u8>>>,
) -> Result<Key, OpenError> {
    let (place, record): (_, Record) = row::read(row)?;
    let mut materials = Vec::with_capacity(record.materials.len());
    let here =
        |material: &&MaterialRecord| material.import.as_ref().is_none_or(|import| import.present);
    for material in record.materials.iter().filter(here) {
        let name = row::material_name(&place, &material.id);
        let lost = || row::damaged(Table::Materials, &name);
        let secret = secrets.get(&name).ok_or_else(lost)?;
        let material =
            Material::from_stored(record.spec, place.name, secret.clone()).ok_or_else(lost)?;
        materials.push(Arc::new(material));
    }
    Ok(Key::new(&place, record, materials))
}

/// A day, in milliseconds.
pub const DAY_MS: i64 = 86_400_000;

#[cfg(test)]
mod tests;
