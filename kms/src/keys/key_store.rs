//! Custom key stores, as state: what is returned of them, and whether their keys can be used.
//!
//! The keys of a custom key store are stored here like all others; the cluster or the external key
//! manager is only simulated. Its credentials are not stored.

use std::sync::PoisonError;

use proto::time::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::error::KmsError;
use crate::keys::Keys;
use crate::keys::delete;
use crate::keys::key::Key;
use crate::keys::partition::Place;
use crate::keys::put;
use crate::keys::state::KeyState;
use crate::keys::store::Table;

/// A custom key store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyStore {
    /// Its id: `cks-` and 17 hex digits.
    pub id: String,
    /// Its owner's name for it.
    pub name: String,
    /// When it was made.
    pub created_ms: i64,
    /// Whether its keys can be used.
    pub connected: bool,
    /// What holds its keys.
    pub backing: Backing,
}

/// What holds the keys of a custom key store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Backing {
    /// An AWS CloudHSM cluster.
    CloudHsm {
        /// Id of the cluster.
        cluster: String,
        /// The cluster's trust anchor, PEM.
        certificate: String,
    },
    /// A key manager outside AWS, reached through a proxy.
    External {
        /// `PUBLIC_ENDPOINT` or `VPC_ENDPOINT_SERVICE`.
        connectivity: String,
        /// Names the credential that the proxy authenticates AWS by.
        access_key_id: String,
        /// The proxy's host, with `https://`.
        endpoint: String,
        /// The proxy's path.
        path: String,
        /// Name of the VPC endpoint service, if it is reached through one.
        vpc_service: Option<String>,
        /// Account that owns the VPC endpoint service.
        vpc_owner: Option<String>,
    },
}

impl Keys {
    /// All custom key stores of an account in a Region, in the order of their ids.
    #[must_use]
    pub fn key_stores(&self, account: &str, region: &str) -> Vec<KeyStore> {
        let partition = self.partitions.partition(account, region);
        let mut stores = partition
            .map(|partition| partition.key_stores())
            .unwrap_or_default();
        stores.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        stores
    }

    /// The custom key store of that id.
    #[must_use]
    pub fn key_store(&self, account: &str, region: &str, id: &str) -> Option<KeyStore> {
        self.partitions.partition(account, region)?.key_store(id)
    }

    /// Puts a custom key store in the place of the one of its id.
    ///
    /// # Errors
    ///
    /// `KMSInternalException` when the change could not be made durable.
    pub fn put_key_store(
        &self,
        account: &str,
        region: &str,
        store: KeyStore,
    ) -> Result<(), KmsError> {
        let _one_at_a_time = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let place = Place {
            account,
            region,
            name: &store.id,
        };
        self.commit(vec![put(Table::KeyStores, &place.to_string(), &store)?])?;
        self.partitions.put_key_store(place, store.clone());
        Ok(())
    }

    /// Forgets a custom key store.
    ///
    /// # Errors
    ///
    /// `KMSInternalException` when the change could not be made durable.
    pub fn remove_key_store(&self, account: &str, region: &str, id: &str) -> Result<(), KmsError> {
        let _one_at_a_time = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let place = Place {
            account,
            region,
            name: id,
        };
        self.commit(vec![delete(Table::KeyStores, place.to_string())])?;
        self.partitions.remove_key_store(place);
        Ok(())
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
}
