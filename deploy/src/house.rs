//! One house alone: `sealgate kms` and `sealgate gateway`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use kms::config::Compat;
use proto::time::SystemClock;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::Kms;
use crate::files;
use crate::process;
use crate::seed::Seed;

/// Runs the KMS that the flags describe, until a signal.
///
/// # Errors
///
/// When a file is wrong or a port is taken.
pub async fn kms(flags: &Kms) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    process::stop_on_signals(stop.clone())?;
    let (config, seed) = kms_config(flags, |name| std::env::var(name).ok())?;
    let (account, region) = (
        config.authenticate.account.clone(),
        config.authenticate.region.clone(),
    );
    let seed = seed.as_deref().map(Seed::read).transpose()?;
    let running = kms::server::start(config, Arc::new(SystemClock)).await?;
    if let Some(seed) = &seed {
        seed.plant(&running.kms, &account, &region)?;
    }
    tracing::info!(
        endpoint = running.endpoint,
        admin = running.admin_endpoint,
        "the KMS is up"
    );
    stop.cancelled().await;
    running.stop().await;
    Ok(())
}

/// The KMS's configuration and the seed file, if there is one. What the file says comes before what
/// the environment says, and both before the emulator's own values.
fn kms_config(
    flags: &Kms,
    env: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<(kms::config::Config, Option<PathBuf>)> {
    let compat = flags.compat.as_deref().and_then(Compat::from_name);
    let mut seed = flags.seed.clone();
    let mut config = match &flags.config {
        Some(file) => {
            let context = || format!("in {}", file.display());
            let text = std::fs::read_to_string(file).with_context(context)?;
            let mut config: kms::config::Config = toml::from_str(&text).with_context(context)?;
            config.compat = compat.unwrap_or(config.compat);
            config
        }
        None => {
            let mut config = kms::config::Config::in_place_of(compat.unwrap_or_default());
            if compat == Some(Compat::LocalKms) {
                seed = seed.or(as_local_kms(&mut config, &env)?);
            }
            config
        }
    };
    if let Some(file) = env("SEALGATE_SERVICE_SECRET_FILE") {
        let read = || format!("reading {file}");
        let secret = std::fs::read_to_string(&file).with_context(read)?;
        config.authenticate.service_secret = Some(kms::config::Secret::new(secret.trim()));
    }
    config.check()?;
    Ok((config, seed))
}

/// Reads the environment names of local-kms; its seed file, if there is one.
fn as_local_kms(
    config: &mut kms::config::Config,
    env: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Option<PathBuf>> {
    if let Some(port) = env("PORT") {
        config
            .listen
            .set_port(port.parse().context("PORT is no port")?);
    }
    if let Some(account) = env("KMS_ACCOUNT_ID") {
        config.authenticate.account = account;
    }
    if let Some(region) = env("KMS_REGION") {
        config.authenticate.region = region;
    }
    if let Some(folder) = env("KMS_DATA_PATH") {
        let folder = PathBuf::from(folder);
        files::private_directory(&folder)?;
        config.store.file = Some(folder.join("keys.redb"));
        config.store.root_key_file = Some(folder.join("root.key"));
    }
    let seed = PathBuf::from(env("KMS_SEED_PATH").unwrap_or_else(|| "/init/seed.yaml".to_owned()));
    Ok(seed.exists().then_some(seed))
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
