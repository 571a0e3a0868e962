//! One service alone: `sealgate kms` and `sealgate gateway`.

use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use gateway::measured::Metrics;
use gateway::server::operate;
use kms::config::Compat;
use kms::quota::Adjustment;
use kms::regions::Regions;
use proto::pages::Pages;
use proto::time::SystemClock;
use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio_util::sync::CancellationToken;

use crate::announce;
use crate::cli::Gateway;
use crate::cli::GatewayTask;
use crate::cli::Kms;
use crate::configuration::ConfigurationFile;
use crate::configuration::Layout;
use crate::console::Console;
use crate::console::Facts;
use crate::environment;
use crate::files;
use crate::process;
use crate::seed::Seed;
use crate::traces;

/// Runs the KMS that the flags describe, until a signal. On SIGHUP its files are read again.
///
/// # Errors
///
/// When a file is wrong or a port is taken.
pub async fn kms(flags: &Kms) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    process::stop_on_signals(stop.clone())?;
    let mut hangup = hangups()?;
    let written = flags.config.as_deref();
    let written = ConfigurationFile::read_under_environment(written, Layout::Kms)?;
    anyhow::ensure!(
        flags.config.is_some() || flags.compat.is_some() || written.has_variables(),
        "the KMS needs --config FILE, --compat EMULATOR, or its fields in variables such as SEALGATE_KMS__LISTEN"
    );
    let (config, seed) = kms_config(flags, &written, environment::variable)?;
    let (account, region) = (
        config.authenticate.account.clone(),
        config.authenticate.region.clone(),
    );
    let seed = seed.as_deref().map(Seed::read).transpose()?;
    let traces = traces::start("sealgate-kms")?;
    let running = kms::server::start(config, Arc::new(SystemClock)).await;
    let running =
        running.map_err(|error| written.explain(error, kms::server::StartError::field))?;
    if let Some(seed) = &seed {
        seed.plant(&running.kms, &account, &region)?;
    }
    let console = Console::of_kms(running.controls.clone(), stop.clone())?;
    console.describe(Facts {
        endpoints: vec![
            ("KMS: AWS JSON and gRPC", running.endpoint.clone()),
            ("Admin port of the KMS", running.admin_endpoint.clone()),
        ],
        paste: String::new(),
    });
    running.serve_pages(console);
    tracing::info!(
        endpoint = running.endpoint,
        admin = running.admin_endpoint,
        console = console_url(running.admin_address),
        "the KMS is up"
    );
    process::notify("READY=1");
    while let Some(Some(())) = stop.run_until_cancelled(hangup.recv()).await {
        process::notify("RELOADING=1");
        match running.reload() {
            Ok(()) => tracing::info!("{READ_AGAIN}"),
            Err(cause) => tracing::error!(cause, "{UNCHANGED}"),
        }
        process::notify("READY=1");
    }
    running.stop().await;
    traces::stop(traces).await;
    Ok(())
}

/// The KMS's configuration, and the seed file, if there is one. Where nothing is `written`, neither in a file nor in
/// variables, the environment takes precedence over the emulator's own values.
fn kms_config(
    flags: &Kms,
    written: &ConfigurationFile,
    env: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<(kms::config::Config, Option<PathBuf>)> {
    let compat = flags.compat.as_deref().and_then(Compat::from_name);
    let mut seed = flags.seed.clone();
    let mut config = match flags.config.is_some() || written.has_variables() {
        true => {
            let mut config: kms::config::Config = written.parse()?;
            config.compat = compat.unwrap_or(config.compat);
            config
        }
        false => {
            let mut config = kms::config::Config::in_place_of(compat.unwrap_or_default());
            if compat == Some(Compat::LocalKms) {
                seed = seed.or(from_local_kms_environment(&mut config, &env)?);
            }
            config
        }
    };
    set_quotas(&mut config.quotas, flags.quota_scale, &flags.quota);
    complete_kms(&mut config, env)?;
    config
        .check()
        .map_err(|error| written.explain(error, kms::config::ConfigError::field))?;
    Ok((config, seed))
}

/// Sets what the environment gives to a KMS.
///
/// # Errors
///
/// When it gives something that cannot be used.
pub fn complete_kms(
    config: &mut kms::config::Config,
    env: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<()> {
    let own = &mut config.authenticate;
    if let Some(file) = environment::secret_file(&env, environment::SERVICE_SECRET)? {
        (own.service_secret, own.service_secret_file) = (None, Some(file));
    } else if let Some(secret) = environment::secret(&env, environment::SERVICE_SECRET)? {
        (own.service_secret, own.service_secret_file) = (Some(secret), None);
    }
    if let Some(token) = environment::admin_token(&env)? {
        config.admin.token = Some(token);
    }
    Ok(())
}

/// Sets what the environment gives to a gateway.
///
/// # Errors
///
/// When it gives something that cannot be used.
pub fn complete_gateway(
    config: &mut gateway::config::Config,
    env: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<()> {
    environment::set_backend_credentials(&mut config.backend_credentials, &env)?;
    if let Some(token) = environment::admin_token(&env)? {
        config.listen.admin_token = Some(token);
    }
    trust(config, env(environment::AUTHORITIES).map(PathBuf::from));
    Ok(())
}

/// Has the authorities in `file` vouch for backend and KMS where TLS is spoken and the configuration names none. Those
/// that are compiled in do otherwise.
pub fn trust(config: &mut gateway::config::Config, file: Option<PathBuf>) {
    let ways = [
        (
            config.backend.url.starts_with("https://"),
            &mut config.backend.ca_file,
        ),
        (
            config.kms.url.starts_with("grpcs://"),
            &mut config.kms.ca_file,
        ),
    ];
    for (is_secured, ca_file) in ways {
        if is_secured && ca_file.is_none() {
            ca_file.clone_from(&file);
        }
    }
}

/// Scales every request quota if there is a factor, sets the rates of some, and switches on quotas that
/// were off.
pub fn set_quotas(config: &mut kms::quota::Config, factor: Option<f64>, rates: &[Adjustment]) {
    if factor.is_none() && rates.is_empty() {
        return;
    }
    config.scale = factor.unwrap_or(config.scale);
    for rate in rates {
        config.rates.retain(|earlier| !rate.replaces(earlier));
        config.rates.push(rate.clone());
    }
    if config.shape == kms::quota::Shape::Off {
        config.shape = kms::quota::Shape::Window;
    }
}

/// Reads the environment variables of local-kms; returns its seed file, if there is one.
fn from_local_kms_environment(
    config: &mut kms::config::Config,
    env: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Option<PathBuf>> {
    if let Some(port) = env("PORT") {
        config
            .listen
            .set_port(port.parse().context("PORT is no port")?);
    }
    if let Some(account) = env("KMS_ACCOUNT_ID") {
        config.authenticate.account = account.parse().context("KMS_ACCOUNT_ID")?;
    }
    if let Some(region) = env("KMS_REGION") {
        config.authenticate.region = region.parse().context("KMS_REGION")?;
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

/// Runs the gateway that a file describes, until a signal, or does a task instead. On SIGHUP its files
/// are read again, without dropping a connection.
///
/// # Errors
///
/// When the file is wrong or a port is taken.
pub async fn gateway(flags: &Gateway) -> anyhow::Result<()> {
    let file = flags.config.as_deref();
    let (config, written) = gateway_config(file)?;
    match &flags.task {
        Some(task) => Box::pin(operate(config, task)).await,
        None => Box::pin(serve(config, file, &written)).await,
    }
}

/// Does what an operator asks for to a state bucket.
async fn operate(config: gateway::config::Config, task: &GatewayTask) -> anyhow::Result<()> {
    let parts = gateway::server::Parts::default();
    match task {
        GatewayTask::Init => operate::init(config, parts).await?,
        GatewayTask::Adopt { account, buckets } => {
            operate::adopt(&config, parts, account.as_str(), buckets).await?;
        }
        GatewayTask::RotateRootKey => {
            let number = operate::rotate_root_key(&config, parts).await?;
            tracing::info!(number, "made a root key");
        }
        GatewayTask::RewrapRootKeys { from } => {
            let keys = operate::rewrap_root_keys(&config, parts, from).await?;
            tracing::info!(keys, "wrapped root keys");
        }
    }
    Ok(())
}

async fn serve(
    config: gateway::config::Config,
    file: Option<&Path>,
    written: &ConfigurationFile,
) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    process::stop_on_signals(stop.clone())?;
    let mut hangup = hangups()?;
    let traces = traces::start("sealgate-gateway")?;
    let token = config.listen.admin_token.clone();
    let admin = config.listen.admin;
    let is_exposed = admin.is_some_and(|admin| !admin.ip().is_loopback());
    // Beyond loopback it shows nothing without a token.
    let has_pages = !is_exposed || token.is_some();
    let console = Console::of_gateway(token, is_exposed, stop.clone())?;
    let metrics = Arc::new(Metrics::new());
    if let Some(traces) = &traces {
        traces.count_in(Arc::clone(&metrics));
    }
    let parts = gateway::server::Parts {
        metrics: Some(Arc::clone(&metrics)),
        pages: Some(Arc::clone(&console) as Arc<dyn Pages>),
        ..gateway::server::Parts::default()
    };
    let running = gateway::server::start(config, parts).await;
    let running =
        running.map_err(|error| written.explain(error, gateway::server::StartError::field))?;
    console.show_gateway(running.view());
    console.describe(gateway_facts(&running));
    // What it needs may start later: it serves from then on.
    if let Some(Err(reason)) = stop.run_until_cancelled(running.readiness()).await {
        tracing::error!("not ready: {reason}");
    }
    let pages = running.admin_addr.filter(|_| has_pages).map(console_url);
    tracing::info!(
        s3 = ?running.s3_addr,
        tls = ?running.tls_addr,
        admin = ?running.admin_addr,
        console = pages,
        "the gateway is up"
    );

    process::notify("READY=1");
    while let Some(Some(())) = stop.run_until_cancelled(hangup.recv()).await {
        process::notify("RELOADING=1");
        let config = gateway_config(file)
            .inspect_err(|_| metrics.show_reload(gateway::server::CONFIGURATION, false));
        match config.and_then(|(config, _)| Ok(running.reload(&config)?)) {
            Ok(()) => tracing::info!("{READ_AGAIN}"),
            Err(cause) => {
                let cause = process::sentence(&cause);
                tracing::error!(cause, "{UNCHANGED}");
            }
        }
        process::notify("READY=1");
    }
    running.stop().await;
    traces::stop(traces).await;
    Ok(())
}

/// SIGHUPs from now on. Before the start, as the first one would end a process that still waits for its backend; it is
/// taken up when that is over.
fn hangups() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Where a browser of this machine finds the console of an admin port.
fn console_url(admin: SocketAddr) -> String {
    format!("{}/", announce::url("http", admin))
}

/// The endpoints of a gateway alone.
fn gateway_facts(running: &gateway::server::Running) -> Facts {
    let endpoints = [
        ("S3 over TLS", "https", running.tls_addr),
        ("S3 in clear", "http", running.s3_addr),
        ("Admin port of the gateway", "http", running.admin_addr),
    ];
    let endpoints = endpoints.into_iter().filter_map(|(name, scheme, address)| {
        let address = address?;
        Some((name, format!("{scheme}://{address}")))
    });
    Facts {
        endpoints: endpoints.collect(),
        paste: String::new(),
    }
}

/// The configuration of a gateway alone, with what the environment gives, and as it is written.
///
/// # Errors
///
/// When it cannot work.
pub fn gateway_config(
    file: Option<&Path>,
) -> anyhow::Result<(gateway::config::Config, ConfigurationFile)> {
    let written = ConfigurationFile::read_under_environment(file, Layout::Gateway)?;
    anyhow::ensure!(
        file.is_some() || written.has_variables(),
        "the gateway needs --config FILE, or its fields in variables such as SEALGATE_GATEWAY__BACKEND__URL"
    );
    let mut config: gateway::config::Config = written.parse()?;
    let explain = |error| written.explain(error, gateway::config::ConfigError::field);
    config.check().map_err(explain)?;
    complete_gateway(&mut config, environment::variable)?;
    config.check_backend_credentials().map_err(explain)?;
    if Regions::default().find(config.region.as_str()).is_none() {
        let region = &config.region;
        tracing::warn!(%region, "AWS has no such Region: the KMS must have it among its `regions`");
    }
    Ok((config, written))
}

/// What is logged of a reload.
const READ_AGAIN: &str =
    "users, secrets, certificates, authorities and credentials were read again";
/// The same where a file cannot be used.
const UNCHANGED: &str = "what was read before stays in use";

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(compat: Option<&str>, config: Option<PathBuf>) -> Kms {
        Kms {
            config,
            compat: compat.map(str::to_owned),
            seed: None,
            quota_scale: None,
            quota: Vec::new(),
        }
    }

    #[test]
    fn compatible_with_local_kms_it_reads_that_emulators_environment() {
        let folder = tempfile::tempdir().unwrap();
        let seed = folder.path().join("seed.yaml");
        std::fs::write(&seed, "Keys: []").unwrap();
        let env = |name: &str| {
            let value = match name {
                "PORT" => "18099",
                "KMS_ACCOUNT_ID" => "222233334444",
                "KMS_REGION" => "eu-west-1",
                "KMS_SEED_PATH" => seed.to_str()?,
                "KMS_DATA_PATH" => folder.path().to_str()?,
                _ => return None,
            };
            Some(value.to_owned())
        };
        let written = ConfigurationFile::default();
        let (config, found) = kms_config(&flags(Some("local-kms"), None), &written, env).unwrap();
        assert_eq!(config.listen.port(), 18_099);
        assert_eq!(config.authenticate.account, "222233334444");
        assert_eq!(config.authenticate.region, "eu-west-1");
        assert_eq!(config.store.file, Some(folder.path().join("keys.redb")));
        assert_eq!(found, Some(seed.clone()));
        let (config, found) = kms_config(&flags(Some("moto"), None), &written, env).unwrap();
        assert_eq!((config.listen.port(), found), (5_000, None));
    }

    #[test]
    fn the_flag_makes_a_configured_kms_compatible_and_leaves_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kms.toml");
        std::fs::write(&file, "listen = '127.0.0.1:18098'").unwrap();
        let written = ConfigurationFile::read(&file).unwrap();
        let flags = flags(Some("localstack"), Some(file));
        let (config, _) = kms_config(&flags, &written, |_| None).unwrap();
        assert_eq!(config.compat, Compat::LocalStack);
        assert_eq!(config.listen.port(), 18_098);
        assert!(config.openings().is_empty(), "signatures stay checked");
    }

    #[test]
    fn a_scale_of_quotas_switches_them_on_whatever_the_emulator() {
        for compat in [None, Some("moto")] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("kms.toml");
            std::fs::write(&file, "quotas.scale = 1.0").unwrap();
            let mut flags = flags(compat, compat.is_none().then_some(file));
            flags.quota_scale = Some(0.001);
            let written = ConfigurationFile::default();
            let (config, _) = kms_config(&flags, &written, |_| None).unwrap();
            assert_eq!(config.quotas.shape, kms::quota::Shape::Window);
            assert!((config.quotas.scale - 0.001).abs() < f64::EPSILON);
        }
    }

    #[test]
    fn the_secret_of_services_is_the_one_that_the_environment_gives_or_names_a_file_of() {
        let of = |config: &str, variable: &str, value: &str| {
            let mut config: kms::config::Config = toml::from_str(config).unwrap();
            let env = |name: &str| (name == variable).then(|| value.to_owned());
            complete_kms(&mut config, env).unwrap();
            let own = config.authenticate;
            let secret = own.service_secret.map(|secret| secret.expose().to_owned());
            (secret, own.service_secret_file)
        };
        let (given, file) = ("SEALGATE_SERVICE_SECRET", "SEALGATE_SERVICE_SECRET_FILE");
        for config in [
            "",
            "[authenticate]\nservice_secret = 'written'",
            "[authenticate]\nservice_secret_file = '/written'",
        ] {
            let secret = Some("in a variable".to_owned());
            assert_eq!(of(config, given, "in a variable"), (secret, None));
            assert_eq!(of(config, file, "/run/s"), (None, Some("/run/s".into())));
        }
    }

    #[test]
    fn authorities_of_the_environment_count_where_tls_is_spoken_and_none_are_named() {
        let of = |backend: &str, kms: &str, named: Option<&str>| {
            let mut config = gateway::config::Config::default();
            config.backend.url = backend.to_owned();
            config.kms.url = kms.to_owned();
            config.backend.ca_file = named.map(PathBuf::from);
            let env = |name: &str| (name == "SSL_CERT_FILE").then(|| "/system.pem".to_owned());
            complete_gateway(&mut config, env).unwrap();
            [config.backend.ca_file, config.kms.ca_file]
        };
        let (system, own) = (Some("/system.pem".into()), Some("/own.pem".into()));
        let (https, grpcs) = ("https://backend", "grpcs://kms:1");
        assert_eq!(of(https, grpcs, None), [system.clone(), system.clone()]);
        assert_eq!(of(https, grpcs, Some("/own.pem")), [own, system]);
        assert_eq!(of("http://backend", "grpc://kms:1", None), [None, None]);
    }

    #[test]
    fn the_deploy_files_are_read_and_hold_the_defaults() {
        let kms: kms::config::Config = toml::from_str(include_str!("../kms.toml")).unwrap();
        kms.check().unwrap();
        let defaults = kms::config::Config::default();
        assert_eq!(format!("{kms:?}"), format!("{defaults:?}"));
        let gateway: gateway::config::Config =
            toml::from_str(include_str!("../gateway.toml")).unwrap();
        let default = gateway::config::Config::default();
        assert_eq!(format!("{gateway:?}"), format!("{default:?}"));
    }
}
