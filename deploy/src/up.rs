//! `sealgate up`: both services and, unless `--backend` names one, a backend, on this machine.
//!
//! This sets in their configurations what one service needs of the other (endpoint, shared secret)
//! and what a first start creates (users, certificate, root key). Fields of the `[gateway]`
//! and `[kms]` tables of the config file that this does not set stay as they are written.

mod backend;
mod demo;
mod settings;

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use proto::identity::Secret;
use proto::time::Clock as _;
use proto::time::SystemClock;
use tokio_util::sync::CancellationToken;

use crate::announce::Announcement;
use crate::certificate::LOCAL_NAMES;
use crate::certificate::LocalAuthority;
use crate::cli::Up;
use crate::credentials;
use crate::credentials::User;
use crate::credentials::Users;
use crate::files;
use crate::process;
use crate::seed::Seed;
use crate::single;
use crate::up::backend::ChosenBackend;
use crate::up::settings::Settings;

/// Runs until a signal, or until standard input closes when it is a fixture.
///
/// # Errors
///
/// When a file, field or flag is wrong, or a port is taken. Nothing listens then.
pub async fn run(flags: Up) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    process::stop_on_signals(stop.clone())?;
    if flags.fixture {
        process::stop_with_input(stop.clone());
    }
    let folder = DataFolder::open(&flags)?;
    let running = Together::start(&flags, &folder.path).await?;
    if flags.fixture {
        running.announcement.print_json()?;
    } else {
        running.announcement.print_text();
    }
    stop.cancelled().await;
    running.stop().await;
    Ok(())
}

/// Both services and the backend, running.
pub struct Together {
    /// What clients need.
    pub announcement: Announcement,
    kms: kms::server::Running,
    gateway: gateway::server::Running,
    backend: CancellationToken,
}

impl Together {
    /// Starts everything in `data`.
    ///
    /// # Errors
    ///
    /// As [`run`].
    pub async fn start(flags: &Up, data: &Path) -> anyhow::Result<Self> {
        // Everything that can be wrong is checked before the first port is bound.
        let settings = Settings::read(flags.config.as_deref())?;
        let seed = flags.seed.as_deref().map(Seed::read).transpose()?;
        let users = if flags.ephemeral {
            Users::random()?
        } else {
            Users::open_or_create(data)?
        };
        let authority = LocalAuthority::open_or_create(data, SystemClock.now())?;
        // The services' shared secret is in memory only, unless the file has one for gRPC clients.
        let secret = match &settings.kms.authenticate.service_secret {
            Some(given) => Secret::new(given.expose()),
            None => Secret::new(hex::encode(credentials::random::<32>()?)),
        };
        let mut kms_config = kms_config(&settings, flags, data, &users, &secret);
        let admin_token_file = protect_stored_keys(&mut kms_config, data)?;
        let mut gateway_config = gateway_config(&settings, flags, &users);
        if flags.fixture {
            take_free_ports(&mut kms_config, &mut gateway_config);
        }
        kms_config.check().context("in [kms]")?;
        gateway_config.check().context("in [gateway]")?;

        let stop_backend = CancellationToken::new();
        let backend = ChosenBackend::start(flags, &settings.embedded, data, &stop_backend).await?;
        backend.configure(&mut gateway_config);

        let kms = kms::server::start(kms_config, Arc::new(SystemClock)).await?;
        let main = users.main();
        if let Some(seed) = &seed {
            seed.plant(&kms.kms, &main.account, &flags.region)?;
        }
        demo::create_key(&kms, &main.account, &flags.region)?;

        gateway_config.kms.url = format!("grpc://{}", kms.address);
        let issued = authority.issue(&LOCAL_NAMES, SystemClock.now())?;
        let certificate = gateway::server::Certificate {
            chain: issued.chain,
            key: issued.key,
        };
        let parts = gateway::server::Parts {
            certificate: Some(certificate),
            kms_secret: Some(secret),
            backend: backend.local,
            metrics: process::collect_metrics(),
            ..gateway::server::Parts::default()
        };
        let gateway = gateway::server::start(gateway_config, parts).await?;
        let announcement = Announcement {
            kms_endpoint: kms.endpoint.clone(),
            kms_admin_endpoint: kms.admin_endpoint.clone(),
            s3_endpoint: endpoint("http", gateway.s3_addr),
            s3_tls_endpoint: endpoint("https", gateway.tls_addr),
            admin_endpoint: endpoint("http", gateway.admin_addr),
            ca_file: std::path::absolute(authority.certificate_file())?,
            region: flags.region.to_string(),
            access_key_id: main.access_key_id.clone(),
            secret_access_key: main.secret_access_key.expose().to_owned(),
            alt_access_key_id: users.alt().access_key_id.clone(),
            alt_secret_access_key: users.alt().secret_access_key.expose().to_owned(),
            backend_endpoint: backend.url.unwrap_or_default(),
            data_dir: std::path::absolute(data)?,
            kms_admin_token_file: admin_token_file,
        };
        Ok(Self {
            announcement,
            kms,
            gateway,
            backend: stop_backend,
        })
    }

    /// Lets requests in flight finish: first the gateway's, which need the other two.
    pub async fn stop(self) {
        self.gateway.stop().await;
        self.kms.stop().await;
        self.backend.cancel();
    }
}

/// The data directory; a temporary one is removed at the end.
struct DataFolder {
    path: PathBuf,
    temporary: bool,
}

impl DataFolder {
    fn open(flags: &Up) -> anyhow::Result<Self> {
        let path = if flags.ephemeral {
            let name = hex::encode(credentials::random::<8>()?);
            std::env::temp_dir().join(format!("sealgate-{name}"))
        } else {
            flags.data.clone()
        };
        files::private_directory(&path)?;
        Ok(Self {
            path,
            temporary: flags.ephemeral,
        })
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            tracing::warn!(%error, folder = %self.path.display(), "could not be removed");
        }
    }
}

fn kms_config(
    settings: &Settings,
    flags: &Up,
    data: &Path,
    users: &Users,
    secret: &Secret,
) -> kms::config::Config {
    let mut config = settings.kms.clone();
    let credential = |user: &User| kms::config::Credential {
        access_key_id: user.access_key_id.clone(),
        secret_access_key: user.secret_access_key.clone(),
        account: user.account.clone(),
        principal_arn: None,
    };
    config
        .authenticate
        .credentials
        .extend(users.all().iter().map(credential));
    config.authenticate.service_secret = Some(secret.clone());
    config.authenticate.account = users.main().account.clone();
    config.authenticate.region = flags.region.clone();
    single::scale_quotas(&mut config, flags.quota_scale);
    if !flags.ephemeral {
        let file = || data.join(KEY_STORE_FILE);
        config.store.file.get_or_insert_with(file);
        if config.store.root_key.is_none() {
            config
                .store
                .root_key_file
                .get_or_insert_with(|| data.join(ROOT_KEY_FILE));
        }
    }
    config
}

/// Demands a token for what reads or destroys stored keys; returns where the token is. Keys in memory
/// need none.
fn protect_stored_keys(
    config: &mut kms::config::Config,
    data: &Path,
) -> anyhow::Result<Option<PathBuf>> {
    if config.store.file.is_none() || config.admin.keys_token.is_some() {
        return Ok(None);
    }
    let token = credentials::admin_token(data)?;
    config.admin.keys_token = Some(Secret::new(token));
    Ok(Some(data.join(credentials::ADMIN_TOKEN_FILE)))
}

fn gateway_config(settings: &Settings, flags: &Up, users: &Users) -> gateway::config::Config {
    let mut config = settings.gateway.clone();
    let user = |user: &User| gateway::authenticate::User {
        access_key_id: user.access_key_id.clone(),
        secret_access_key: user.secret_access_key.clone(),
        account: user.account.clone(),
        principal_arn: None,
    };
    // The first user's account owns the buckets of earlier versions that have no recorded owner.
    config.users.splice(0..0, users.all().iter().map(user));
    config.region = flags.region.clone();
    config.kms.account = users.main().account.clone();
    config
        .listen
        .https
        .get_or_insert(SocketAddr::from((Ipv4Addr::LOCALHOST, HTTPS_PORT)));
    if flags.config.is_none() {
        // There is no load balancer that must notice the stop.
        config.limits.drain_delay_ms = 0;
    }
    if flags.ephemeral || flags.fixture {
        config.state.first_start = gateway::state::FirstStart::Any;
    }
    if flags.allow_insecure_sse {
        config.objects.allow_insecure_sse = true;
        tracing::warn!("customer keys may cross the network in clear: --allow-insecure-sse");
    }
    config
}

fn take_free_ports(kms: &mut kms::config::Config, gateway: &mut gateway::config::Config) {
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    kms.listen = free;
    kms.admin.listen = free;
    gateway.listen.http = Some(free);
    gateway.listen.https = Some(free);
    gateway.listen.admin = Some(free);
    // Nothing watches a fixture's readiness, and its test waits for its end.
    gateway.limits.drain_delay_ms = 0;
    gateway.limits.drain_timeout_ms = 2_000;
}

/// The URL of a listener; empty if the configuration switches it off.
fn endpoint(scheme: &str, address: Option<SocketAddr>) -> String {
    address.map_or_else(String::new, |address| format!("{scheme}://{address}"))
}

/// KMS keys, sealed under the root key.
const KEY_STORE_FILE: &str = "keys.redb";
/// The root key. Without it the keys are lost; whoever has it and the store has the keys.
const ROOT_KEY_FILE: &str = "root.key";
const HTTPS_PORT: u16 = 9443;
