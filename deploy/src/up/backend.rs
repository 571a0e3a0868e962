//! The backend of the gateway, and the credentials for it.

use std::path::Path;
use std::sync::Arc;

use gateway::backend::LocalBackend;
use gateway::config::BackendCredentials;
use proto::time::SystemClock;
use tokio_util::sync::CancellationToken;

use crate::cli::Up;
use crate::embedded;
use crate::embedded::disk::Durability;
use crate::embedded::expiration;
use crate::embedded::in_process::InProcessBackend;
use crate::embedded::index::Damage;
use crate::embedded::port;
use crate::embedded::service::Service;
use crate::embedded::store::Store;
use crate::embedded::sweep;
use crate::embedded::takeover;
use crate::up::given::Given;

/// A backend that is running.
pub(super) struct ChosenBackend {
    /// Where it listens; none if it has no port.
    pub(super) url: Option<String>,
    credentials: BackendCredentials,
    /// How the gateway calls it in this process.
    pub(super) local: Option<Arc<dyn LocalBackend>>,
    /// What the embedded one stores.
    pub(super) store: Option<Store>,
}

impl ChosenBackend {
    /// The one that the flags name, or the embedded one in `data`.
    pub(super) async fn start(
        flags: &Up,
        given: &Given,
        data: &Path,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        if let Some(url) = &flags.backend {
            return Ok(Self {
                url: Some(url.clone()),
                credentials: given.backend_credentials.clone().unwrap_or_default(),
                local: None,
                store: None,
            });
        }
        let store = match given.is_in_memory {
            true => embedded::in_memory(Arc::new(SystemClock))?,
            false => open(flags, given, data).await?,
        };
        match given.settings.embedded.accept_damage {
            // They may be what a damaged page refers to.
            true => tracing::warn!("embedded.accept_damage is set: bodies are not swept"),
            false => drop(tokio::spawn(sweep::run(store.clone(), stop.clone()))),
        }
        tokio::spawn(expiration::run(store.clone(), stop.clone()));
        let service = || Service::new(store.clone(), flags.region.to_string());
        let local: Arc<dyn LocalBackend> = Arc::new(InProcessBackend::new(service()));
        let mut chosen = Self {
            url: None,
            credentials: BackendCredentials::default(),
            local: Some(local),
            store: Some(store.clone()),
        };
        // Tests look at what the backend received, and do there what an attacker would.
        if flags.fixture {
            let port = port::open(service(), stop.clone()).await?;
            chosen.url = Some(format!("http://{}", port.address));
            chosen.credentials =
                BackendCredentials::new(port.access_key_id, port.secret_access_key.into());
        }
        Ok(chosen)
    }

    /// What the embedded backend's port accepts; empty for another backend.
    pub(super) fn port_credentials(&self) -> BackendCredentials {
        match self.local {
            Some(_) => self.credentials.clone(),
            None => BackendCredentials::default(),
        }
    }

    /// Sets where it is and what it accepts.
    pub(super) fn configure(&self, config: &mut gateway::config::Config) {
        if let Some(url) = &self.url {
            config.backend.url.clone_from(url);
        }
        config.backend_credentials = self.credentials.clone();
    }
}

/// Opens the store in `data`, with what an earlier version stored there.
async fn open(flags: &Up, given: &Given, data: &Path) -> anyhow::Result<Store> {
    let durability = match flags.ephemeral {
        true => Durability::None,
        false => given
            .settings
            .embedded
            .durability
            .unwrap_or(Durability::Full),
    };
    let damage = match given.settings.embedded.accept_damage {
        true => Damage::Accepted,
        false => Damage::Refused,
    };
    let clock = Arc::new(SystemClock);
    let store = embedded::open_with(&data.join(FOLDER), durability, clock, damage)?;
    takeover::run(&store, &data.join(FORMER_FOLDER)).await?;
    Ok(store)
}

/// The embedded backend's folder in the data directory.
const FOLDER: &str = "store";

/// The folder of the earlier embedded backend, which stored each object in a file of its name.
const FORMER_FOLDER: &str = "backend";
