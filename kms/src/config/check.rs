//! What in a configuration cannot work, found before a port is bound.

use proto::identity::Region;
use proto::service_secret::SECRET_BYTES_MIN;

use crate::config::Config;
use crate::config::Signatures;
use crate::crypto::root_key::RootKey;
use crate::quota;
use crate::quota::Profile;
use crate::quota::Rate;
use crate::regions::REGION_BYTES_MAX;

impl Config {
    /// Checks what cannot be seen in one field alone, and numbers and texts that a field cannot have.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a configuration that would be unsafe or could not work.
    pub fn check(&self) -> Result<(), ConfigError> {
        let accepted = self.authenticate.signatures == Signatures::Accepted;
        if accepted && !self.listen.ip().is_loopback() {
            return Err(ConfigError::AcceptedBeyondLoopback);
        }

        if self.admin.token.is_none() && !self.admin.listen.ip().is_loopback() {
            return Err(ConfigError::AdminBeyondLoopback);
        }

        if self.listen.port() != 0 && self.listen == self.admin.listen {
            let what = format!(
                "is {}, which is `listen` already: set another port",
                self.listen
            );
            return refuse("admin.listen", what);
        }

        let region = &self.authenticate.region;
        if self.regions()?.find(region.as_str()).is_none() {
            return Err(ConfigError::UnknownRegion {
                region: region.clone(),
            });
        }

        self.check_service_secret()?;
        self.check_hosts()?;
        self.check_store()?;
        self.check_credentials()?;
        self.check_limits()?;
        check_quotas(&self.quotas)?;
        let faults = self.faults.first_mistake();
        faults.map_or(Ok(()), |(field, what)| {
            refuse(format!("faults.{field}"), what)
        })
    }

    fn check_service_secret(&self) -> Result<(), ConfigError> {
        let Some(secret) = &self.authenticate.service_secret else {
            return Ok(());
        };
        if secret.expose().len() < SECRET_BYTES_MIN {
            return Err(ConfigError::ShortSecret);
        }
        if self.authenticate.service_secret_file.is_some() {
            return refuse(
                "authenticate.service_secret_file",
                "is set besides authenticate.service_secret: keep one of them",
            );
        }
        Ok(())
    }

    /// Checks that each host is a name that a client may send as its `Host`.
    fn check_hosts(&self) -> Result<(), ConfigError> {
        for (at, host) in self.hosts.iter().enumerate() {
            let is_address = host.parse::<std::net::IpAddr>().is_ok();
            if host.is_empty() || host.contains(['/', ' ']) || (host.contains(':') && !is_address) {
                let what = format!(
                    "is `{host}`, and a host is a name or an address without scheme and port"
                );
                return refuse(format!("hosts[{at}]"), what);
            }
        }
        Ok(())
    }

    fn check_store(&self) -> Result<(), ConfigError> {
        let store = &self.store;
        if store.root_key.is_some() && store.root_key_file.is_some() {
            return refuse(
                "store.root_key_file",
                "is set besides store.root_key: keep one of them",
            );
        }

        let has_root_key = store.root_key.is_some() || store.root_key_file.is_some();
        if store.file.is_some() && !has_root_key {
            return Err(ConfigError::NoRootKey);
        }

        let is_key = |text: &str| RootKey::from_hex(text).is_some();
        if store
            .root_key
            .as_ref()
            .is_some_and(|key| !is_key(key.expose()))
        {
            return refuse("store.root_key", "is no root key: 64 hexadecimal digits");
        }

        Ok(())
    }

    /// Checks that each access key has a secret, and an id of its own.
    fn check_credentials(&self) -> Result<(), ConfigError> {
        let credentials = &self.authenticate.credentials;
        for (at, credential) in credentials.iter().enumerate() {
            let field = |name: &str| format!("authenticate.credentials[{at}].{name}");
            let id = &credential.access_key_id;
            if id.is_empty() {
                return refuse(field("access_key_id"), "is empty");
            }
            if credential.secret_access_key.expose().is_empty() {
                return refuse(field("secret_access_key"), "is empty");
            }
            let mut earlier = credentials.iter().take(at);
            if earlier.any(|other| other.access_key_id == *id) {
                return refuse(
                    field("access_key_id"),
                    format!("is `{id}`, which another entry has"),
                );
            }
        }
        Ok(())
    }

    /// Checks that something fits within each limit.
    fn check_limits(&self) -> Result<(), ConfigError> {
        let limits = &self.limits;
        let sizes = [
            ("body_bytes_max", limits.body_bytes_max),
            ("bodies_bytes_max", limits.bodies_bytes_max),
            ("requests_in_flight_max", limits.requests_in_flight_max),
            ("connections_max", limits.connections_max),
            (
                "unauthenticated_requests_per_connection_max",
                limits.unauthenticated_requests_per_connection_max,
            ),
        ];
        let times = [
            ("head_timeout_ms", limits.head_timeout_ms),
            ("body_timeout_ms", limits.body_timeout_ms),
            (
                "streams_per_connection_max",
                limits.streams_per_connection_max.into(),
            ),
        ];
        let sizes = sizes
            .into_iter()
            .filter(|(_, size)| *size == 0)
            .map(|(name, _)| name);
        let times = times
            .into_iter()
            .filter(|(_, time)| *time == 0)
            .map(|(name, _)| name);
        match sizes.chain(times).next() {
            Some(name) => refuse(
                format!("limits.{name}"),
                "is 0, so no request could be served",
            ),
            None => Ok(()),
        }
    }
}

/// Checks the name of the profile and every rate.
fn check_quotas(quotas: &quota::Config) -> Result<(), ConfigError> {
    if let Err(error) = Profile::from_name(&quotas.profile) {
        return refuse("quotas.profile", format!("is no profile: {error}"));
    }
    if !(quotas.scale.is_finite() && quotas.scale > 0.0) {
        let way = "to refuse every call, use a fault plan";
        let what = format!("is {}, and a factor is greater than 0; {way}", quotas.scale);
        return refuse("quotas.scale", what);
    }
    let is_rate = |rate: f64| Rate::per_second(rate).is_ok();
    let what =
        |rate: f64| format!("is {rate}, and a rate is a number of requests a second from 0 on");
    if !is_rate(quotas.hot_key_rate) {
        return refuse("quotas.hot_key_rate", what(quotas.hot_key_rate));
    }
    for (at, adjustment) in quotas.rates.iter().enumerate() {
        if !is_rate(adjustment.rate) {
            return refuse(format!("quotas.rates[{at}].rate"), what(adjustment.rate));
        }
    }
    Ok(())
}

fn refuse(field: impl Into<String>, what: impl Into<String>) -> Result<(), ConfigError> {
    Err(ConfigError::Field {
        field: field.into(),
        what: what.into(),
    })
}

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Anybody on the network could do anything.
    #[error(
        "authenticate.signatures is \"accepted\", which is for loopback only: \
         let `listen` be 127.0.0.1, or set \"checked\""
    )]
    AcceptedBeyondLoopback,
    /// Anybody on the network could change quotas and the clock.
    #[error("admin.listen is beyond loopback, which needs admin.token, or SEALGATE_ADMIN_TOKEN")]
    AdminBeyondLoopback,
    /// A field that cannot work.
    #[error("{field} {what}")]
    Field {
        /// Its name, such as `quotas.rates[0].rate`.
        field: String,
        /// The rest of the sentence.
        what: String,
    },
    /// The store could not be sealed.
    #[error(
        "store.file needs a root key: set store.root_key_file, which is made together with the store"
    )]
    NoRootKey,
    /// A Region with too long a name.
    #[error("regions has `{region}`, whose name has more than {REGION_BYTES_MAX} bytes")]
    Region {
        /// The Region.
        region: Region,
    },
    /// A Region that neither AWS has nor the configuration adds.
    #[error("AWS has no Region `{region}`; to use it, add it to `regions`")]
    UnknownRegion {
        /// The Region.
        region: Region,
    },
    /// A secret that could be guessed.
    #[error(
        "authenticate.service_secret is too short a secret: it needs at least {SECRET_BYTES_MIN} bytes"
    )]
    ShortSecret,
}

impl ConfigError {
    /// The name of the field that it is about.
    #[must_use]
    pub fn field(&self) -> &str {
        match self {
            Self::AcceptedBeyondLoopback => "authenticate.signatures",
            Self::AdminBeyondLoopback => "admin.listen",
            Self::Field { field, .. } => field,
            Self::NoRootKey => "store.file",
            Self::Region { .. } => "regions",
            Self::UnknownRegion { .. } => "authenticate.region",
            Self::ShortSecret => "authenticate.service_secret",
        }
    }
}
