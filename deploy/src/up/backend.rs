//! The backend of the gateway, and the credentials for it.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use gateway::config::BackendCredentials;
use proto::time::SystemClock;
use tokio_util::sync::CancellationToken;

use crate::cli::Up;
use crate::embedded;
use crate::embedded::disk::Durability;
use crate::embedded::port;
use crate::embedded::service::Service;
use crate::embedded::sweep;
use crate::files;

/// A backend that is running.
pub(super) struct ChosenBackend {
    pub(super) url: String,
    pub(super) credentials: BackendCredentials,
}

impl ChosenBackend {
    /// The one that the flags name, or the embedded one in `data`.
    pub(super) async fn start(
        flags: &Up,
        data: &Path,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        if let Some(url) = &flags.backend {
            let credentials = credentials_of_other(flags.backend_credentials.as_deref())?;
            return Ok(Self {
                url: url.clone(),
                credentials,
            });
        }
        let durability = match flags.ephemeral {
            true => Durability::None,
            false => Durability::Full,
        };
        let folder = data.join(FOLDER);
        let store = embedded::open(&folder, durability, Arc::new(SystemClock))?;
        tokio::spawn(sweep::run(store.clone(), stop.clone()));
        let service = Service::new(store, flags.region.to_string());
        let port = port::open(service, stop).await?;
        let credentials = BackendCredentials {
            access_key_id: port.access_key_id,
            secret_access_key: port.secret_access_key.into(),
        };
        Ok(Self {
            url: format!("http://{}", port.address),
            credentials,
        })
    }
}

fn credentials_of_other(file: Option<&Path>) -> anyhow::Result<BackendCredentials> {
    if let Some(file) = file {
        let text = files::read_secret(file)?;
        return toml::from_str(&text).with_context(|| format!("in {}", file.display()));
    }
    let read = |name: &str| {
        std::env::var(name)
            .with_context(|| format!("--backend needs {name}, or --backend-credentials"))
    };
    Ok(BackendCredentials {
        access_key_id: read("SEALGATE_BACKEND_ACCESS_KEY_ID")?,
        secret_access_key: read("SEALGATE_BACKEND_SECRET_ACCESS_KEY")?.into(),
    })
}

/// The embedded backend's folder in the data directory.
const FOLDER: &str = "store";
