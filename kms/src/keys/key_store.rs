//! Custom key stores, as state: what is returned of them, and whether their keys can be used.
//!
//! The keys of a custom key store are stored here like all others; the cluster or the external key
//! manager is only simulated. Its credentials are not stored.

use serde::Deserialize;
use serde::Serialize;

use crate::error::Code;
use crate::error::KmsError;

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
    External(XksProxy),
}

/// The proxy of an external key store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct XksProxy {
    /// `PUBLIC_ENDPOINT` or `VPC_ENDPOINT_SERVICE`.
    pub connectivity: String,
    /// Names the credential that the proxy authenticates AWS by.
    pub access_key_id: String,
    /// The proxy's host, with `https://`.
    pub endpoint: String,
    /// The proxy's path.
    pub path: String,
    /// Name of the VPC endpoint service, if it is reached through one.
    pub vpc_service: Option<String>,
    /// Account that owns the VPC endpoint service.
    pub vpc_owner: Option<String>,
}

/// No custom key store has that id.
pub(crate) fn no_such_key_store(id: &str) -> KmsError {
    KmsError::new(
        Code::CustomKeyStoreNotFoundException,
        format!("Custom key store {id} does not exist."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_store_is_stored_in_the_form_of_version_1() {
        let proxy = XksProxy {
            connectivity: "PUBLIC_ENDPOINT".to_owned(),
            access_key_id: "A".to_owned(),
            endpoint: "https://a.example".to_owned(),
            path: "/kms/xks/v1".to_owned(),
            vpc_service: None,
            vpc_owner: None,
        };
        let cluster = Backing::CloudHsm {
            cluster: "c".to_owned(),
            certificate: "d".to_owned(),
        };
        for (backing, stored) in [
            (
                Backing::External(proxy),
                r#"{"External":{"connectivity":"PUBLIC_ENDPOINT","access_key_id":"A","endpoint":"https://a.example","path":"/kms/xks/v1","vpc_service":null,"vpc_owner":null}}"#,
            ),
            (cluster, r#"{"CloudHsm":{"cluster":"c","certificate":"d"}}"#),
        ] {
            assert_eq!(serde_json::to_string(&backing).unwrap(), stored);
            let read: Backing = serde_json::from_str(stored).unwrap();
            assert_eq!(read, backing);
        }
    }
}
