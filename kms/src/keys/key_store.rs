//! Custom key stores, as state: what is returned of them, and whether their keys can be used.
//!
//! The keys of a custom key store are stored here like all others; the cluster or the external key
//! manager is only simulated. Its credentials are not stored.

use serde::Deserialize;
use serde::Serialize;

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
