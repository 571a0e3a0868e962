//! `sealgate up`: both services and, unless `--backend` names one, a backend, on this machine.
//!
//! This sets in their configurations what one service needs of the other (endpoint, shared secret)
//! and what a first start creates (users, certificate, root key). Fields of the `[gateway]`
//! and `[kms]` tables of the config file that this does not set stay as they are written.

mod backend;
mod demo;
mod folder;
mod ports;
mod reload;
mod replaceable;
mod settings;

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use gateway::object_lambda::config::Callee;
use gateway::object_lambda::config::Function;
use gateway::state::EPHEMERAL_BUCKETS;
use proto::iam::Iam;
use proto::iam::User;
use proto::identity::Secret;
use proto::mfa::VolatileMfa;
use proto::session::SessionKey;
use proto::time::Clock;
use proto::time::SystemClock;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::announce::Announcement;
use crate::certificate::LocalAuthority;
use crate::cli::Up;
use crate::credentials;
use crate::credentials::Users;
use crate::process;
use crate::seed::Seed;
use crate::single;
use crate::token;
use crate::up::backend::ChosenBackend;
use crate::up::folder::DataFolder;
use crate::up::replaceable::GatewayParts;
use crate::up::replaceable::ReplaceableGateway;
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
    let readiness = stop.run_until_cancelled(running.gateway.readiness());
    if let Some(Err(reason)) = readiness.await {
        tracing::error!("not ready: {reason}");
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
    gateway: Arc<ReplaceableGateway>,
    backend: CancellationToken,
    /// Whether the state bucket is of use to this process only.
    has_own_state: bool,
    /// What notices that the file of users changed; none if they are in memory.
    _users: Option<AbortOnDropHandle<()>>,
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
        let users = users(flags, data)?;
        let iam = Arc::new(iam(&users, flags, data)?);
        let authority = LocalAuthority::open_or_create(data, SystemClock.now())?;
        let secret = service_secret(&settings)?;
        let Configurations {
            kms: kms_config,
            gateway: mut gateway_config,
            admin_token,
            admin_token_file,
            has_own_state,
        } = Configurations::new(&settings, flags, data, &users, &secret)?;

        let stop_backend = CancellationToken::new();
        let backend = ChosenBackend::start(flags, &settings.embedded, data, &stop_backend).await?;
        backend.configure(&mut gateway_config);
        let port = backend.port_credentials();
        if flags.backend.is_some() {
            gateway_config.check_backend_credentials()?;
        }

        let kms = kms::server::start_with(kms_config, Arc::new(SystemClock), Arc::clone(&iam));
        let kms = kms.await.map_err(ports::explain_kms)?;
        let main = users.main();
        create_keys(&kms, seed.as_ref(), main, flags)?;

        gateway_config.kms.url = format!("grpc://{}", kms.address);
        let ca_file = std::path::absolute(authority.certificate_file())?;
        let parts = GatewayParts {
            config: gateway_config,
            authority,
            secret,
            local: backend.local,
            store: backend.store,
            metrics: process::collect_metrics(),
            iam: Arc::clone(&iam),
            movable_clock: Arc::clone(&kms.clock) as Arc<dyn Clock>,
        };
        let gateway = ReplaceableGateway::start(parts, &kms).await?;
        let listen = &gateway.config().listen;
        let announcement = Announcement {
            kms_endpoint: kms.endpoint.clone(),
            kms_admin_endpoint: kms.admin_endpoint.clone(),
            s3_endpoint: endpoint("http", listen.http),
            s3_tls_endpoint: endpoint("https", listen.https),
            admin_endpoint: endpoint("http", listen.admin),
            ca_file,
            region: flags.region.to_string(),
            access_key_id: main.access_key_id.clone(),
            secret_access_key: main.secret_access_key.expose().to_owned(),
            grpc_token: token::for_fixture(main)?.expose().to_owned(),
            alt_access_key_id: users.alt().access_key_id.clone(),
            alt_secret_access_key: users.alt().secret_access_key.expose().to_owned(),
            alt_grpc_token: token::for_fixture(users.alt())?.expose().to_owned(),
            backend_endpoint: backend.url.unwrap_or_default(),
            backend_access_key_id: port.access_key_id,
            backend_secret_access_key: port.secret_access_key.expose().to_owned(),
            data_dir: std::path::absolute(data)?,
            is_stored: !flags.ephemeral,
            kms_admin_token: admin_token,
            kms_admin_token_file: admin_token_file,
        };
        Ok(Self {
            announcement,
            kms,
            gateway,
            _users: watch_users(flags, data, iam, &stop_backend),
            backend: stop_backend,
            has_own_state,
        })
    }

    /// Lets requests in flight finish: first the gateway's, which need the other two.
    pub async fn stop(self) {
        self.gateway.stop(self.has_own_state).await;
        self.kms.stop().await;
        self.backend.cancel();
    }
}

/// The users, whose file the first start creates.
fn users(flags: &Up, data: &Path) -> anyhow::Result<Users> {
    match flags.ephemeral {
        true => Users::random(),
        false => Users::open_or_create(data),
    }
}

/// Has changes of the users' file take effect, if there is one.
fn watch_users(
    flags: &Up,
    data: &Path,
    iam: Arc<Iam>,
    stop: &CancellationToken,
) -> Option<AbortOnDropHandle<()>> {
    let watch = || reload::watch(iam, credentials::file(data), stop.clone());
    (!flags.ephemeral).then(watch)
}

/// The users and sessions of both services.
fn iam(users: &Users, flags: &Up, data: &Path) -> anyhow::Result<Iam> {
    if !flags.ephemeral {
        return Ok(Iam::open(&credentials::file(data))?);
    }
    let (key, memory) = (SessionKey::random()?, Arc::new(VolatileMfa::default()));
    Ok(Iam::in_memory(users.principals().clone(), key, memory))
}

/// Creates the keys of the seed and the demonstration's.
fn create_keys(
    kms: &kms::server::Running,
    seed: Option<&Seed>,
    owner: &User,
    flags: &Up,
) -> anyhow::Result<()> {
    if let Some(seed) = seed {
        seed.plant(&kms.kms, &owner.arn.account(), &flags.region)?;
    }
    demo::create_key(kms, &owner.arn.account(), &flags.region)
}

/// The secret that both services share: in memory only, unless the file has one for services.
fn service_secret(settings: &Settings) -> anyhow::Result<Secret> {
    Ok(match &settings.kms.authenticate.service_secret {
        Some(given) => Secret::new(given.expose()),
        None => Secret::new(hex::encode(credentials::random::<32>()?)),
    })
}

/// What both services start with, except for the backend.
struct Configurations {
    kms: kms::config::Config,
    gateway: gateway::config::Config,
    admin_token: String,
    admin_token_file: Option<PathBuf>,
    has_own_state: bool,
}

impl Configurations {
    fn new(
        settings: &Settings,
        flags: &Up,
        data: &Path,
        users: &Users,
        secret: &Secret,
    ) -> anyhow::Result<Self> {
        anyhow::ensure!(
            settings.gateway.audit.file.is_none(),
            "in [gateway.audit]: both services write one trail, so its file is set in [kms.audit]"
        );
        let mut kms = kms_config(settings, flags, data, users, secret);
        let admin_token_file = protect_stored_keys(&mut kms, data)?;
        let mut gateway = gateway_config(settings, flags, users);
        let has_own_state = flags.ephemeral && flags.backend.is_some() && !settings.names_state;
        if has_own_state {
            // The root keys of an ephemeral KMS open nothing after it, and must not mix with those of
            // another life or of a gateway that stores its keys.
            let random = hex::encode(credentials::random::<8>()?);
            gateway.state.bucket = format!("{EPHEMERAL_BUCKETS}{random}");
        }
        if flags.fixture {
            ports::take_free(&mut kms, &mut gateway);
        }
        kms.check().context("in [kms]")?;
        gateway.check().context("in [gateway]")?;
        Ok(Self {
            admin_token: admin_token(&kms),
            kms,
            gateway,
            admin_token_file,
            has_own_state,
        })
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
    config.authenticate.service_secret = Some(secret.clone());
    // Its tokens are made for one test, whose container may be another machine to it.
    config.authenticate.plain_tokens |= flags.fixture;
    // On loopback, where its users look around first.
    config.authenticate.open_reflection |= config.listen.ip().is_loopback();
    config.authenticate.account = users.main().arn.account();
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

/// The token that the KMS's admin port demands for what reads or destroys keys; empty if it demands none.
fn admin_token(config: &kms::config::Config) -> String {
    let token = config.admin.keys_token.as_ref();
    let token = token.or(config.admin.token.as_ref());
    token.map_or_else(String::new, |token| token.expose().to_owned())
}

/// Lets functions read by the plain endpoint, and has one for the lesson about them.
fn object_lambda(config: &mut gateway::config::Config, users: &Users) {
    let settings = &mut config.object_lambda;
    if let (None, Some(http)) = (&settings.public_url, config.listen.http)
        && http.port() != 0
    {
        settings.public_url = Some(format!("http://{http}"));
    }
    if settings.functions.is_empty() {
        let account = users.main().arn.account();
        let words = ["sed", "s/[0-9]/#/g"].map(str::to_owned);
        settings.functions.push(Function {
            arn: format!("arn:aws:lambda:us-east-1:{account}:function:redact"),
            function: Callee::Command(words.to_vec()),
        });
    }
}

fn gateway_config(settings: &Settings, flags: &Up, users: &Users) -> gateway::config::Config {
    let mut config = settings.gateway.clone();
    if !settings.delays_end {
        // There is no load balancer that must notice the end, and a fixture's test waits for it.
        config.limits.drain_delay_ms = 0;
    }
    if flags.fixture && !settings.limits_end {
        config.limits.drain_timeout_ms = FIXTURE_DRAIN_MS;
    }
    if !settings.sets_sigv2 {
        // As AWS does in its oldest Regions: clients presign with it by default.
        config.authenticate.sigv2 = true;
    }
    if !settings.sets_data_events {
        // A learner looks at them, and they stay in memory unless there is a file.
        config.audit.data_events = true;
    }
    if !settings.sets_log_interval {
        // Who looks at a log of their own is waiting for it.
        config.access_logs.interval_seconds = LOG_INTERVAL_SECONDS;
    }
    object_lambda(&mut config, users);
    config.region = flags.region.clone();
    config.kms.account = users.main().arn.account();
    config
        .listen
        .https
        .get_or_insert(SocketAddr::from((Ipv4Addr::LOCALHOST, HTTPS_PORT)));
    if flags.ephemeral || flags.fixture {
        config.state.first_start = gateway::state::FirstStart::Any;
    }
    if flags.allow_insecure_sse {
        config.objects.allow_insecure_sse = true;
        tracing::warn!("customer keys may cross the network in clear: --allow-insecure-sse");
    }
    config
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
/// How long records of access logs wait for others, in seconds.
const LOG_INTERVAL_SECONDS: u64 = 10;
/// How long requests in flight may delay the end of a fixture, in milliseconds.
const FIXTURE_DRAIN_MS: u64 = 2_000;
