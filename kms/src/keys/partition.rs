//! The keys and aliases of one account in one Region, and the map of all such partitions.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use dashmap::DashMap;
use proto::identity::AccountId;
use proto::identity::Region;
use serde::Deserialize;
use serde::Serialize;

use crate::keys::key::Key;
use crate::keys::key_store::KeyStore;
use crate::keys::place::Place;

/// An alias: a second name of a key, which may move to another. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// Id of the key it names, of the same account and Region.
    pub key_id: String,
    /// When it was made.
    pub created_ms: i64,
    /// When it last moved.
    pub updated_ms: i64,
}

/// The keys and aliases of one account in one Region.
#[derive(Default)]
pub(crate) struct Partition {
    keys: DashMap<Arc<str>, Arc<Key>>,
    aliases: DashMap<Arc<str>, Alias>,
    key_stores: DashMap<String, KeyStore>,
}

impl Partition {
    pub(crate) fn key(&self, key_id: &str) -> Option<Arc<Key>> {
        self.keys.get(key_id).map(|key| Arc::clone(&key))
    }

    pub(crate) fn alias(&self, name: &str) -> Option<Alias> {
        self.aliases.get(name).map(|alias| alias.clone())
    }

    pub(crate) fn key_store(&self, id: &str) -> Option<KeyStore> {
        self.key_stores.get(id).map(|store| store.clone())
    }

    pub(crate) fn key_stores(&self) -> Vec<KeyStore> {
        self.key_stores.iter().map(|store| store.clone()).collect()
    }

    pub(crate) fn keys(&self) -> Vec<Arc<Key>> {
        self.keys.iter().map(|key| Arc::clone(&key)).collect()
    }

    pub(crate) fn aliases(&self) -> Vec<(Arc<str>, Alias)> {
        self.aliases
            .iter()
            .map(|entry| (Arc::clone(entry.key()), entry.value().clone()))
            .collect()
    }
}

/// All partitions. Partitions are made rarely, so the map is copied when one is and read without a lock.
#[derive(Default)]
pub(crate) struct Partitions {
    by_account: ArcSwap<HashMap<AccountId, HashMap<Region, Arc<Partition>>>>,
}

impl Partitions {
    pub(crate) fn partition(&self, account: &AccountId, region: &Region) -> Option<Arc<Partition>> {
        self.by_account
            .load()
            .get(account)?
            .get(region)
            .map(Arc::clone)
    }

    /// The partition of an account in a Region, made if it is not there. Only called while changes
    /// are locked.
    fn partition_or_new(&self, account: &AccountId, region: &Region) -> Arc<Partition> {
        if let Some(partition) = self.partition(account, region) {
            return partition;
        }
        let partition = Arc::new(Partition::default());
        let mut map = HashMap::clone(&self.by_account.load());
        map.entry(account.clone())
            .or_default()
            .insert(region.clone(), Arc::clone(&partition));
        self.by_account.store(Arc::new(map));
        partition
    }

    pub(crate) fn put_key(&self, key: Arc<Key>) {
        self.partition_or_new(key.account(), key.region())
            .keys
            .insert(Arc::clone(key.id()), key);
    }

    pub(crate) fn remove_key(&self, place: &Place<'_>) {
        if let Some(partition) = self.partition(&place.account, &place.region) {
            partition.keys.remove(place.name);
        }
    }

    pub(crate) fn put_alias(&self, place: &Place<'_>, alias: Alias) {
        self.partition_or_new(&place.account, &place.region)
            .aliases
            .insert(place.name.into(), alias);
    }

    pub(crate) fn remove_alias(&self, place: &Place<'_>) {
        if let Some(partition) = self.partition(&place.account, &place.region) {
            partition.aliases.remove(place.name);
        }
    }

    pub(crate) fn put_key_store(&self, place: &Place<'_>, store: KeyStore) {
        self.partition_or_new(&place.account, &place.region)
            .key_stores
            .insert(store.id.clone(), store);
    }

    pub(crate) fn remove_key_store(&self, place: &Place<'_>) {
        if let Some(partition) = self.partition(&place.account, &place.region) {
            partition.key_stores.remove(place.name);
        }
    }

    /// Whether it is this very key that is in its place, not one that was there before.
    pub(crate) fn holds(&self, key: &Key) -> bool {
        self.partition(key.account(), key.region())
            .and_then(|partition| partition.key(key.id()))
            .is_some_and(|held| std::ptr::eq(&raw const *held, key))
    }

    /// All partitions, each with its account and Region.
    pub(crate) fn all(&self) -> Vec<(AccountId, Region, Arc<Partition>)> {
        let map = self.by_account.load();
        let mut all = Vec::new();
        for (account, regions) in map.iter() {
            let partitions = regions.iter();
            all.extend(partitions.map(|(region, partition)| {
                (account.clone(), region.clone(), Arc::clone(partition))
            }));
        }
        all
    }

    /// Takes over the partitions of `others`, at once for all readers. Only called while changes
    /// are locked.
    pub(crate) fn replace_by(&self, others: &Self) {
        self.by_account.store(others.by_account.load_full());
    }

    pub(crate) fn all_keys(&self) -> Vec<Arc<Key>> {
        let map = self.by_account.load();
        map.values()
            .flat_map(HashMap::values)
            .flat_map(|partition| partition.keys())
            .collect()
    }

    pub(crate) fn aliases_of(&self, key: &Key) -> Vec<Arc<str>> {
        let Some(partition) = self.partition(key.account(), key.region()) else {
            return Vec::new();
        };
        let aliases = partition.aliases().into_iter();
        aliases
            .filter(|(_, alias)| *alias.key_id == **key.id())
            .map(|(name, _)| name)
            .collect()
    }
}
