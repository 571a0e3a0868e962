//! The backend of the gateway, and the credentials for it.

use std::path::Path;

use anyhow::Context as _;
use gateway::config::BackendCredentials;
use tokio_util::sync::CancellationToken;

use crate::cli::Up;
use crate::embedded;
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
        let embedded = embedded::start(&data.join(FOLDER), stop).await?;
        let credentials = BackendCredentials {
            access_key_id: embedded.access_key_id,
            secret_access_key: embedded.secret_access_key.into(),
        };
        Ok(Self {
            url: format!("http://{}", embedded.address),
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
const FOLDER: &str = "backend";
