//! How this KMS runs: one structure, every field with a default, unknown fields refused.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::PathBuf;

use proto::audit;
use proto::identity::Region;
use proto::identity::Secret;
use serde::Deserialize;

mod check;

use crate::authenticate;
pub use crate::authenticate::Credential;
pub use crate::authenticate::Signatures;
pub use crate::authorize::Enforcement;
pub use crate::compat::Compat;
pub use crate::config::check::ConfigError;
use crate::faults;
use crate::quota;
use crate::regions::Regions;
pub use crate::transport::Limits;

/// How this KMS runs.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where both protocols (gRPC and AWS JSON) are served. Port 0 takes any free one.
    #[serde(deserialize_with = "proto::listen::address")]
    pub listen: SocketAddr,

    /// Host names to answer to besides loopback's.
    ///
    /// A server on loopback answers to no other name, so that a web page cannot reach it by
    /// pointing its own name there.
    pub hosts: Vec<String>,

    /// Regions to serve besides AWS's. Calls for any other Region are refused.
    pub regions: Vec<Region>,

    /// Certificate and key for TLS; none serves plain HTTP.
    pub tls: Option<Tls>,

    /// Where health, metrics and controls are served.
    pub admin: Admin,

    /// Where keys are stored.
    pub store: Store,

    /// Who may call, and how they prove it.
    pub authenticate: authenticate::Config,

    /// How strictly key policies are followed.
    pub enforce: Enforcement,

    /// Which other emulator this one takes the place of.
    pub compat: Compat,

    /// Request quotas.
    pub quotas: quota::Config,

    /// Failures and delays on purpose.
    pub faults: faults::Plan,

    /// Where audit events go.
    pub audit: audit::Config,

    /// What one request may cost.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9080)),
            hosts: Vec::new(),
            regions: Vec::new(),
            tls: None,
            admin: Admin::default(),
            store: Store::default(),
            authenticate: authenticate::Config::default(),
            enforce: Enforcement::default(),
            compat: Compat::default(),
            quotas: quota::Config::default(),
            faults: faults::Plan::default(),
            audit: audit::Config::default(),
            limits: Limits::default(),
        }
    }
}

/// Files for TLS, both PEM.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate, followed by those that signed it.
    pub certificate_file: PathBuf,

    /// The certificate's private key.
    pub key_file: PathBuf,

    /// Authorities of client certificates, PEM. With it, every client must have a certificate that
    /// one of them signed; the secret and the signatures are checked besides.
    #[serde(default)]
    pub client_ca_file: Option<PathBuf>,
}

/// The admin port.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// Where it listens. Port 0 takes any free one.
    #[serde(deserialize_with = "proto::listen::address")]
    pub listen: SocketAddr,

    /// Bearer token for everything but health and metrics.
    ///
    /// Beyond loopback there must be one.
    pub token: Option<Secret>,

    /// Bearer token for what reads or destroys keys (snapshots, forks, reset, the clock), in place of
    /// `token`. Where keys are stored these are refused unless there is one of the two.
    pub keys_token: Option<Secret>,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9091)),
            token: None,
            keys_token: None,
        }
    }
}

/// Where keys are stored.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// File of the key store. Without one, keys are in memory and forgotten at the end.
    pub file: Option<PathBuf>,

    /// The root key that seals the store: 64 hex digits. Never in the store itself.
    pub root_key: Option<Secret>,

    /// File that holds the root key, if it is not given here. Made together with a new store.
    pub root_key_file: Option<PathBuf>,
}

impl Config {
    /// A configuration for tests: free ports on loopback, keys in memory, no quotas enforced,
    /// signatures accepted unchecked.
    #[must_use]
    pub fn fixture() -> Self {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut config = Self {
            listen: free,
            admin: Admin {
                listen: free,
                ..Admin::default()
            },
            ..Self::default()
        };
        config.authenticate.signatures = Signatures::Accepted;
        config.authenticate.open_reflection = true;
        config.quotas.shape = quota::Shape::Off;
        config
    }

    /// A configuration in the place of another emulator: its port, its account and Region, keys in
    /// memory, no quotas enforced, signatures accepted unchecked.
    #[must_use]
    pub fn in_place_of(compat: Compat) -> Self {
        let mut config = Self {
            compat,
            ..Self::default()
        };
        let Some(port) = compat.port() else {
            return config;
        };
        config.listen.set_port(port);
        config.authenticate.signatures = Signatures::Accepted;
        config.authenticate.open_reflection = true;
        config.authenticate.account = compat.account();
        config.authenticate.region = compat.region();
        config.quotas.shape = quota::Shape::Off;
        config.enforce = match compat {
            Compat::LocalStack => Enforcement::Open,
            Compat::Moto => Enforcement::DenialsOnly,
            Compat::Aws | Compat::LocalKms => Enforcement::default(),
        };
        config
    }

    /// The Regions to serve.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Region`] for an added Region with too long a name.
    pub fn regions(&self) -> Result<Regions, ConfigError> {
        Regions::new(&self.regions).map_err(|region| ConfigError::Region {
            region: region.clone(),
        })
    }

    /// What this configuration leaves open that AWS does not, to be logged at start.
    #[must_use]
    pub fn openings(&self) -> Vec<&'static str> {
        let accepted = self.authenticate.signatures == Signatures::Accepted;
        let openings = [
            (
                accepted,
                "every caller is believed: signatures are not checked",
            ),
            (
                self.enforce == Enforcement::Warn,
                "key policies are not enforced, only logged",
            ),
            (
                self.enforce == Enforcement::Off,
                "key policies are not enforced for callers of the key's account",
            ),
            (
                self.enforce == Enforcement::DenialsOnly,
                "of key policies only denials are enforced",
            ),
            (
                self.enforce == Enforcement::Open,
                "key policies are not enforced: every account may use every key",
            ),
        ];
        let open = openings.into_iter().filter(|(open, _)| *open);
        open.map(|(_, text)| text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Compat;
    use super::Config;
    use super::ConfigError;
    use super::Secret;
    use super::Signatures;

    #[test]
    fn an_empty_file_is_the_default_and_an_unknown_field_is_refused() {
        let config: Config = toml::from_str("").unwrap();
        assert_eq!(config.listen, Config::default().listen);
        assert!(config.check().is_ok());
        assert!(toml::from_str::<Config>("listne = '127.0.0.1:1'").is_err());
        assert!(toml::from_str::<Config>("[quotas]\nprofil = '2026'").is_err());
    }

    #[test]
    fn accounts_and_regions_are_checked_where_the_file_is_read() {
        for text in [
            "[authenticate]\naccount = '1'",
            "[authenticate]\nregion = 'US_EAST'",
            "[authenticate]\ntest_account = '11112222333a'",
            "regions = ['Mars-1']",
            "[[quotas.rates]]\nclass = 'CreateKey'\nrate = 1\naccount = 'all'",
        ] {
            let error = toml::from_str::<Config>(text).unwrap_err().to_string();
            assert!(error.contains("expected a"), "{error}");
        }
        let mut config: Config = toml::from_str("[authenticate]\nregion = 'mars-1'").unwrap();
        let region = config.authenticate.region.clone();
        assert_eq!(config.check(), Err(ConfigError::UnknownRegion { region }));
        config.regions = vec![config.authenticate.region.clone()];
        assert_eq!(config.check(), Ok(()));
    }

    #[test]
    fn what_is_open_to_everybody_stays_on_loopback() {
        let mut config = Config::fixture();
        assert!(config.check().is_ok());
        config.listen = "0.0.0.0:1".parse().unwrap();
        assert_eq!(config.check(), Err(ConfigError::AcceptedBeyondLoopback));
        config.authenticate.signatures = Signatures::Checked;
        assert!(config.check().is_ok());
        config.admin.listen = "0.0.0.0:1".parse().unwrap();
        assert_eq!(config.check(), Err(ConfigError::AdminBeyondLoopback));
    }

    #[test]
    fn what_is_open_is_logged() {
        let mut config = Config::default();
        assert!(config.openings().is_empty());
        config.enforce = toml::from_str::<Config>("enforce = 'warn'")
            .unwrap()
            .enforce;
        assert_eq!(config.openings().len(), 1);
        for compat in [Compat::LocalStack, Compat::Moto] {
            let config = Config::in_place_of(compat);
            assert!(config.check().is_ok());
            assert_eq!(config.openings().len(), 2, "{compat:?}");
        }
    }

    #[test]
    fn a_store_needs_a_root_key_and_a_secret_some_length() {
        let mut config = Config::default();
        config.store.file = Some("keys.redb".into());
        assert_eq!(config.check(), Err(ConfigError::NoRootKey));
        config.store.root_key_file = Some("root.key".into());
        assert!(config.check().is_ok());
        config.authenticate.service_secret = Some(Secret::new("short"));
        assert_eq!(config.check(), Err(ConfigError::ShortSecret));
    }
}
