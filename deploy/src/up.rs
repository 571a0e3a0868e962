//! `sealgate up`: both services and, unless `--backend` names one, a backend, on this machine.
//!
//! This sets in their configurations what one service needs of the other (endpoint, shared secret)
//! and what a first start creates (users, certificate, root key). Fields of the `[gateway]`
//! and `[kms]` tables of the config file that this does not set stay as they are written.

mod admin_token;
mod backend;
mod demo;
mod described;
mod folder;
mod given;
mod handle;
mod ports;
mod reload;
mod replaceable;
mod settings;

use std::net::IpAddr;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use gateway::config::Listen;
use gateway::measured::Metrics;
use gateway::object_lambda::config::Callee;
use gateway::object_lambda::config::Function;
use gateway::state::EPHEMERAL_BUCKETS;
use proto::iam::Iam;
use proto::iam::IamError;
use proto::iam::User;
use proto::identity::Secret;
use proto::mfa::VolatileMfa;
use proto::pages::Pages;
use proto::session::SessionKey;
use proto::time::Clock;
use proto::time::SystemClock;
use tokio_util::sync::CancellationToken;
use tokio_util::sync::DropGuard;
use tokio_util::task::AbortOnDropHandle;

use crate::announce;
use crate::announce::Announcement;
use crate::certificate::LocalAuthority;
use crate::cli::Up;
use crate::configuration::ConfigurationFile;
use crate::configuration::Mistake;
use crate::console::Console;
use crate::credentials;
use crate::credentials::Users;
use crate::process;
use crate::report::folder::Folder;
use crate::running::RunFile;
use crate::seed::Seed;
use crate::single;
use crate::token;
use crate::traces;
use crate::up::admin_token::AdminToken;
use crate::up::backend::ChosenBackend;
pub(crate) use crate::up::folder::DataFolder;
pub use crate::up::given::Given;
pub use crate::up::handle::Handle;
use crate::up::replaceable::GatewayParts;
use crate::up::replaceable::ReplaceableGateway;
use crate::up::settings::Settings;
use crate::users;

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
    let given = Given::read(&flags)?;
    let traces = traces::start("sealgate")?;
    let folder = DataFolder::open(&flags)?;
    let running = Together::start(&flags, given, &folder.path).await?;
    if let Some(traces) = &traces {
        traces.count_in(Arc::clone(running.gateway.metrics()));
    }
    let run_file = RunFile::write(&folder.path, &running.announcement)?;
    if flags.fixture {
        running.announcement.print_json()?;
    } else {
        running.announcement.print_text();
    }
    process::notify("READY=1");
    let readiness = stop.run_until_cancelled(running.gateway.readiness());
    if let Some(Err(reason)) = readiness.await {
        tracing::error!("not ready: {reason}");
    }
    stop.cancelled().await;
    // From now on nobody should begin to use it.
    drop(run_file);
    running.stop().await;
    traces::stop(traces).await;
    Ok(())
}

/// The configurations of the KMS and of the gateway in a file of `up`.
///
/// # Errors
///
/// [`Mistake`] for a file that is none.
pub fn configurations(
    file: &ConfigurationFile,
) -> Result<(kms::config::Config, gateway::config::Config), Mistake> {
    let settings = Settings::parse(file.clone())?;
    Ok((settings.kms, settings.gateway))
}

/// A file of `up` whose variables have the types of their fields.
///
/// # Errors
///
/// [`Mistake`] for a file that is none.
pub fn typed(file: &ConfigurationFile) -> Result<ConfigurationFile, Mistake> {
    Ok(file.typed::<Settings>()?.1)
}

/// Both services and the backend, running.
pub struct Together {
    /// What clients need.
    pub announcement: Announcement,
    kms: kms::server::Running,
    gateway: Arc<ReplaceableGateway>,
    backend: CancellationToken,
    /// Ends the streams of the console, which would delay the end.
    console: DropGuard,
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
    pub async fn start(flags: &Up, given: Given, data: &Path) -> anyhow::Result<Self> {
        // Everything that can be wrong is checked before the first port is bound.
        let users = users(flags, &given, data)?;
        let iam = Arc::new(iam(&users, flags, data)?);
        let authority = LocalAuthority::open_or_create(data, SystemClock.now())?;
        authority.write_bundle(data, &given.system_authorities)?;
        let secret = service_secret(&given.settings)?;
        let Configurations {
            kms: kms_config,
            gateway: mut gateway_config,
            admin_token,
            has_own_state,
        } = Configurations::new(&given, flags, data, &users, secret.as_ref())?;

        let stop_backend = CancellationToken::new();
        let backend = ChosenBackend::start(flags, &given, data, &stop_backend).await?;
        backend.configure(&mut gateway_config);
        single::trust(&mut gateway_config, given.authorities_file.clone());
        let port = backend.port_credentials();
        if flags.backend.is_some() {
            gateway_config.check_backend_credentials()?;
        }

        let kms = kms::server::start_with(kms_config, Arc::new(SystemClock), Arc::clone(&iam));
        let kms = kms.await.map_err(ports::explain_kms)?;
        given.clock.iter().for_each(|at| kms.clock.freeze_at(*at));
        create_keys(&kms, &given.seed, users.main(), flags)?;

        let (console, console_guard) = serve_console(&kms)?;
        gateway_config.kms.url = format!("grpc://{}", announce::reachable(kms.address));
        // Whatever its address is, it is this process's.
        gateway_config.kms.allow_plain = true;
        let ca_file = std::path::absolute(authority.certificate_file())?;
        let metrics = Arc::new(Metrics::new());
        let parts = GatewayParts {
            config: gateway_config,
            authority,
            hosts: certificate_hosts(flags),
            secret,
            local: backend.local,
            console: Arc::clone(&console),
            store: backend.store,
            metrics: Arc::clone(&metrics),
            iam: Arc::clone(&iam),
            movable_clock: Arc::clone(&kms.clock) as Arc<dyn Clock>,
        };
        let gateway = ReplaceableGateway::start(parts, &kms).await?;
        let announcement = Announcement {
            ca_file,
            backend_endpoint: backend.url.unwrap_or_default(),
            backend_access_key_id: port.access_key_id,
            backend_secret_access_key: port.secret_access_key.expose().to_owned(),
            data_dir: std::path::absolute(data)?,
            is_stored: !flags.ephemeral,
            kms_admin_token: admin_token.for_keys,
            admin_token: admin_token.for_all,
            admin_token_place: admin_token.place,
            secret_in_shell: given.secret_in_shell(),
            ..endpoints_and_keys(&kms, &gateway.config().listen, &users, flags)?
        };
        console.describe(described::facts(&announcement));
        console.show_reports(Folder::of(data));
        let show = show_readings(&kms, metrics);
        Ok(Self {
            announcement,
            kms,
            gateway,
            _users: watch_users(flags, data, iam, show, &stop_backend)?,
            backend: stop_backend,
            console: console_guard,
            has_own_state,
        })
    }

    /// What can be done with it besides ending it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::new(self.kms.controls.clone(), &self.gateway)
    }

    /// Lets requests in flight finish: first the gateway's, which need the other two.
    pub async fn stop(self) {
        drop(self.console);
        self.gateway.stop(self.has_own_state).await;
        self.kms.stop().await;
        self.backend.cancel();
    }
}

/// Has the admin port of the KMS show pages, whose streams end with the guard.
fn serve_console(kms: &kms::server::Running) -> anyhow::Result<(Arc<Console>, DropGuard)> {
    let stop = CancellationToken::new();
    let console = Console::of_kms(kms.controls.clone(), stop.clone())?;
    kms.serve_pages(Arc::clone(&console) as Arc<dyn Pages>);
    Ok((console, stop.drop_guard()))
}

/// Where clients reach the services, and by which access keys.
fn endpoints_and_keys(
    kms: &kms::server::Running,
    listen: &Listen,
    users: &Users,
    flags: &Up,
) -> anyhow::Result<Announcement> {
    let (kms_scheme, _) = kms.endpoint.split_once("://").unwrap_or_default();
    let (main, alt) = (users.main(), users.alt());
    Ok(Announcement {
        kms_endpoint: endpoint(kms_scheme, Some(kms.address)),
        kms_admin_endpoint: endpoint("http", Some(kms.admin_address)),
        console: format!("{}/", endpoint("http", Some(kms.admin_address))),
        s3_endpoint: endpoint("http", listen.http),
        s3_tls_endpoint: endpoint("https", listen.https),
        s3_control_endpoint: control_endpoint(listen.https, &flags.hosts),
        admin_endpoint: endpoint("http", listen.admin),
        region: flags.region.to_string(),
        account: main.arn.account().to_string(),
        access_key_id: main.access_key_id.clone(),
        secret_access_key: main.secret_access_key.expose().to_owned(),
        grpc_token: token::for_fixture(main)?.expose().to_owned(),
        alt_access_key_id: alt.access_key_id.clone(),
        alt_secret_access_key: alt.secret_access_key.expose().to_owned(),
        alt_grpc_token: token::for_fixture(alt)?.expose().to_owned(),
        ..Announcement::default()
    })
}

/// Where SDKs find S3 Control, whose host they put the account before: a name, as nothing can stand before an
/// address, and one whose certificate has the names below it.
fn control_endpoint(https: Option<SocketAddr>, hosts: &[String]) -> String {
    let host = hosts.iter().find(|host| host.parse::<IpAddr>().is_err());
    let host = host.map_or("s3.localhost", String::as_str);
    https.map_or_else(String::new, |https| {
        format!("https://{host}:{}", https.port())
    })
}

/// The users, whose file the first start creates. The first one has `key`, if there is one.
fn users(flags: &Up, given: &Given, data: &Path) -> anyhow::Result<Users> {
    let (account, key) = (&given.account, given.access_key());
    if flags.ephemeral {
        return Users::random_in(account, key);
    }
    let users = Users::open_or_create_in(account, data, key)?;
    let Some(key) = key else {
        return Ok(users);
    };
    users::give_main_key(data, key)?;
    Users::open(data)
}

/// The names of the certificate besides those of loopback.
fn certificate_hosts(flags: &Up) -> Vec<String> {
    let own = Some(flags.listen).filter(|ip| !ip.is_loopback() && !ip.is_unspecified());
    let own = own.as_ref().map(IpAddr::to_string);
    flags.hosts.iter().cloned().chain(own).collect()
}

/// Shows readings of the users' file in the metrics of both services, whose users they are.
fn show_readings(
    kms: &kms::server::Running,
    gateway: Arc<Metrics>,
) -> impl Fn(&'static str, bool) + Send + use<> {
    let kms = Arc::clone(&kms.metrics);
    move |name, is_done| {
        gateway.show_change(name, is_done);
        kms.show_change(name, is_done);
    }
}

/// Has changes of the users' file take effect, if there is one.
fn watch_users(
    flags: &Up,
    data: &Path,
    iam: Arc<Iam>,
    show: impl Fn(&'static str, bool) + Send + 'static,
    stop: &CancellationToken,
) -> Result<Option<AbortOnDropHandle<()>>, IamError> {
    let watch = || reload::watch(iam, credentials::file(data), show, stop.clone());
    (!flags.ephemeral).then(watch).transpose()
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
    seed: &Seed,
    owner: &User,
    flags: &Up,
) -> anyhow::Result<()> {
    seed.plant(&kms.kms, &owner.arn.account(), &flags.region)?;
    demo::create_key(kms, &owner.arn.account(), &flags.region)
}

/// The secret that both services share: in memory only, unless the configuration has one for services. None if it names
/// a file, which both read.
fn service_secret(settings: &Settings) -> anyhow::Result<Option<Secret>> {
    let own = &settings.kms.authenticate;
    if own.service_secret_file.is_some() {
        return Ok(None);
    }
    Ok(Some(match &own.service_secret {
        Some(given) => given.clone(),
        None => Secret::new(hex::encode(credentials::random::<32>()?)),
    }))
}

/// What both services start with, except for the backend.
struct Configurations {
    kms: kms::config::Config,
    gateway: gateway::config::Config,
    admin_token: AdminToken,
    has_own_state: bool,
}

impl Configurations {
    fn new(
        given: &Given,
        flags: &Up,
        data: &Path,
        users: &Users,
        secret: Option<&Secret>,
    ) -> anyhow::Result<Self> {
        let settings = &given.settings;
        if settings.gateway.audit.file.is_some() {
            let what =
                "audit.file is one file of both services, which [kms.audit] names: set it there";
            return Err(settings.explain("gateway", "audit.file", what));
        }
        let mut kms = kms_config(settings, flags, data, users, secret);
        let mut gateway = gateway_config(settings, flags);
        ports::set_addresses(flags.listen, settings, &mut kms, &mut gateway);
        // On loopback, where its users look around first.
        kms.authenticate.open_reflection |= kms.listen.ip().is_loopback();
        object_lambda(&mut gateway, users);
        gateway.kms.account = users.main().arn.account();
        gateway.kms.secret_file = kms.authenticate.service_secret_file.clone();
        let token = given.admin_token.clone();
        let admin_token = AdminToken::demand(token, &mut kms, &mut gateway, data)?;
        let has_own_state = flags.ephemeral
            && flags.backend.is_some()
            && !settings.sets(&["gateway", "state", "bucket"]);
        if has_own_state {
            // The root keys of an ephemeral KMS open nothing after it, and must not mix with those of
            // another life or of a gateway that stores its keys.
            let random = hex::encode(credentials::random::<8>()?);
            gateway.state.bucket = format!("{EPHEMERAL_BUCKETS}{random}");
        }
        if flags.fixture {
            ports::take_free(flags.listen, &mut kms, &mut gateway);
        }
        kms.check()
            .map_err(|error| settings.explain("kms", error.field(), &error.to_string()))?;
        gateway
            .check()
            .map_err(|error| settings.explain("gateway", error.field(), &error.to_string()))?;
        Ok(Self {
            kms,
            gateway,
            admin_token,
            has_own_state,
        })
    }
}

fn kms_config(
    settings: &Settings,
    flags: &Up,
    data: &Path,
    users: &Users,
    secret: Option<&Secret>,
) -> kms::config::Config {
    let mut config = settings.kms.clone();
    if let Some(secret) = secret {
        config.authenticate.service_secret = Some(secret.clone());
    }
    // Its tokens are made for one test, whose container may be another machine to it.
    config.authenticate.plain_tokens |= flags.fixture;
    config.hosts.extend(flags.hosts.iter().cloned());
    config.authenticate.account = users.main().arn.account();
    config.authenticate.region = flags.region.clone();
    single::set_quotas(&mut config.quotas, flags.quota_scale, &flags.quota);
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

/// Lets functions read by the plain endpoint, and has one for the lesson about them.
fn object_lambda(config: &mut gateway::config::Config, users: &Users) {
    let settings = &mut config.object_lambda;
    if let (None, Some(http)) = (&settings.public_url, config.listen.http)
        && http.port() != 0
    {
        settings.public_url = Some(format!("http://{}", announce::reachable(http)));
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

fn gateway_config(settings: &Settings, flags: &Up) -> gateway::config::Config {
    let mut config = settings.gateway.clone();
    if !settings.sets(&["gateway", "limits", "drain_delay_ms"]) {
        // There is no load balancer that must notice the end, and a fixture's test waits for it.
        config.limits.drain_delay_ms = 0;
    }
    if flags.fixture && !settings.sets(&["gateway", "limits", "drain_timeout_ms"]) {
        config.limits.drain_timeout_ms = FIXTURE_DRAIN_MS;
    }
    if !settings.sets(&["gateway", "authenticate", "sigv2"]) {
        // As AWS does in its oldest Regions: clients presign with it by default.
        config.authenticate.sigv2 = true;
    }
    if !settings.sets(&["gateway", "audit", "data_events"]) {
        // A learner looks at them, and they stay in memory unless there is a file.
        config.audit.data_events = true;
    }
    if !settings.sets(&["gateway", "access_logs", "interval_seconds"]) {
        // Who looks at a log of their own is waiting for it.
        config.access_logs.interval_seconds = LOG_INTERVAL_SECONDS;
    }
    config.region = flags.region.clone();
    let is_name = |host: &&String| host.parse::<IpAddr>().is_err();
    let names = flags.hosts.iter().filter(is_name);
    config.base_domains.extend(names.cloned());
    config
        .listen
        .admin_hosts
        .extend(flags.hosts.iter().cloned());
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
    address.map_or_else(String::new, |address| announce::url(scheme, address))
}

/// KMS keys, sealed under the root key.
const KEY_STORE_FILE: &str = "keys.redb";
/// The root key. Without it the keys are lost; whoever has it and the store has the keys.
const ROOT_KEY_FILE: &str = "root.key";
/// How long records of access logs wait for others, in seconds.
const LOG_INTERVAL_SECONDS: u64 = 10;
/// How long requests in flight may delay the end of a fixture, in milliseconds.
const FIXTURE_DRAIN_MS: u64 = 2_000;
