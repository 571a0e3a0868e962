//! Where clients connect, and which connections count as secure.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::path::PathBuf;

use proto::identity::Secret;

use crate::config::ConfigError;
use crate::request::Network;

/// Where clients connect. A listener without an address is not opened: the default opens two, and a table
/// opens those that it names.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Address of the plain HTTP listener.
    #[serde(default, deserialize_with = "proto::listen::optional_address")]
    pub http: Option<SocketAddr>,

    /// Address of the HTTPS listener.
    #[serde(default, deserialize_with = "proto::listen::optional_address")]
    pub https: Option<SocketAddr>,

    /// Address of the listener for health and metrics. Never the one of clients.
    #[serde(default, deserialize_with = "proto::listen::optional_address")]
    pub admin: Option<SocketAddr>,

    /// Host names that the admin listener answers to, besides those of loopback. Without any, one
    /// beyond loopback answers to every name; one on loopback never does, so that no web page reaches
    /// it by a name of its own that resolves to 127.0.0.1.
    #[serde(default)]
    pub admin_hosts: Vec<String>,

    /// Bearer token of the admin listener, for all but health and metrics. Without one, a listener beyond
    /// loopback has nothing else.
    #[serde(default)]
    pub admin_token: Option<Secret>,

    /// Whether plain HTTP from this machine to a loopback address counts as TLS: for a sidecar, which an
    /// application reaches by the loopback of their pod. `http` must be on loopback then.
    #[serde(default)]
    pub loopback_is_secure: bool,

    /// PEM file with the certificate chain of the HTTPS listener, the leaf first.
    pub certificate_file: Option<PathBuf>,

    /// PEM file with the leaf's private key.
    pub private_key_file: Option<PathBuf>,
}

impl Default for Listen {
    fn default() -> Self {
        let loopback = |port| Some(SocketAddr::from(([127, 0, 0, 1], port)));
        Self {
            http: loopback(9070),
            https: None,
            admin: loopback(9090),
            admin_hosts: Vec::new(),
            admin_token: None,
            loopback_is_secure: false,
            certificate_file: None,
            private_key_file: None,
        }
    }
}

impl Listen {
    /// Finds what cannot work.
    pub(super) fn check(&self, trusted_proxies: &[Network]) -> Result<(), ConfigError> {
        if self.http.is_none() && self.https.is_none() {
            return Err(ConfigError::Field(
                "listen",
                "has neither http nor https, so no client could connect",
            ));
        }
        if self.certificate_file.is_some() != self.private_key_file.is_some() {
            let (field, what) = match self.certificate_file {
                Some(_) => (
                    "listen.certificate_file",
                    "is set without listen.private_key_file",
                ),
                None => (
                    "listen.private_key_file",
                    "is set without listen.certificate_file",
                ),
            };
            return Err(ConfigError::Field(field, what));
        }
        let addresses = [
            ("listen.http", self.http),
            ("listen.https", self.https),
            ("listen.admin", self.admin),
        ];
        for (at, (field, address)) in addresses.into_iter().enumerate() {
            let mut earlier = addresses.into_iter().take(at);
            let same =
                |(_, other): &(_, _)| address.is_some_and(|it| it.port() != 0) && *other == address;
            if let Some((other, _)) = earlier.find(same) {
                let what = format!("is the address of {other} already: set another port");
                return Err(ConfigError::Part(field.to_owned(), what));
            }
        }
        if self.loopback_is_secure {
            self.check_secure_loopback(trusted_proxies)?;
        }
        Ok(())
    }

    /// Checks that what counts as TLS does not leave the machine: neither to the listener, nor to a proxy
    /// on this machine that clients elsewhere reach.
    fn check_secure_loopback(&self, trusted_proxies: &[Network]) -> Result<(), ConfigError> {
        let refused = |what| Err(ConfigError::Field("listen.loopback_is_secure", what));
        let is_loopback = |address: SocketAddr| address.ip().to_canonical().is_loopback();
        if !self.http.is_some_and(is_loopback) {
            return refused("needs listen.http on a loopback address, such as 127.0.0.1:9070");
        }
        let loopback = [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ];
        let trusts = |address| trusted_proxies.iter().any(|proxy| proxy.contains(address));
        if loopback.into_iter().any(trusts) {
            let what = "excludes loopback from trusted_proxies: a proxy's clients may be elsewhere";
            return refused(what);
        }
        Ok(())
    }
}
