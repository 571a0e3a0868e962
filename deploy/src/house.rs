//! One house alone: `sealgate kms` and `sealgate gateway`.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use proto::time::SystemClock;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::process;

/// Runs the KMS that `file` describes, until a signal.
///
/// # Errors
///
/// When the file is wrong or a port is taken.
pub async fn kms(file: &Path) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    process::stop_on_signals(stop.clone())?;
    let context = || format!("in {}", file.display());
    let text = std::fs::read_to_string(file).with_context(context)?;
    let mut config: kms::config::Config = toml::from_str(&text).with_context(context)?;
    if let Some(file) = std::env::var_os("SEALGATE_SERVICE_SECRET_FILE") {
        let read = || format!("reading {}", file.display());
        let secret = std::fs::read_to_string(&file).with_context(read)?;
        config.authenticate.service_secret = Some(kms::config::Secret::new(secret.trim()));
    }
    config.check().with_context(context)?;
    let running = kms::server::start(config, Arc::new(SystemClock)).await?;
    tracing::info!(
        endpoint = running.endpoint,
        admin = running.admin_endpoint,
        "the KMS is up"
    );
    stop.cancelled().await;
    running.stop().await;
    Ok(())
}

/// Runs the gateway that `file` describes, until a signal. On SIGHUP its users and its certificate
/// are read again, without dropping a connection.
///
/// # Errors
///
/// When the file is wrong or a port is taken.
pub async fn gateway(file: &Path) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    process::stop_on_signals(stop.clone())?;
    let config = gateway_config(file)?;
    let parts = gateway::server::Parts {
        metrics: process::collect_metrics(),
        ..gateway::server::Parts::default()
    };
    let running = gateway::server::start(config, parts).await?;
    tracing::info!(s3 = ?running.s3_addr, tls = ?running.tls_addr, "the gateway is up");

    let mut hangup = signal(SignalKind::hangup())?;
    while let Some(Some(())) = stop.run_until_cancelled(hangup.recv()).await {
        let reloaded = gateway_config(file).and_then(|config| Ok(running.reload(&config)?));
        match reloaded {
            Ok(()) => tracing::info!("users and certificate were read again"),
            Err(cause) => tracing::error!(?cause, "users and certificate stay as they were"),
        }
    }
    running.stop().await;
    Ok(())
}

fn gateway_config(file: &Path) -> anyhow::Result<gateway::config::Config> {
    let context = || format!("in {}", file.display());
    let text = std::fs::read_to_string(file).with_context(context)?;
    let mut config = gateway::config::Config::from_toml(&text).with_context(context)?;
    let credentials = &mut config.backend_credentials;
    if let Ok(id) = std::env::var("SEALGATE_BACKEND_ACCESS_KEY_ID") {
        credentials.access_key_id = id;
    }
    if let Ok(secret) = std::env::var("SEALGATE_BACKEND_SECRET_ACCESS_KEY") {
        credentials.secret_access_key = secret;
    }
    Ok(config)
}
