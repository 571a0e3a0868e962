//! Starts the KMS: opens the store, binds the ports, serves, and drains when it is stopped.

mod fork;
mod listener;
mod start_error;
mod tls;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proto::audit::Audit;
use proto::hosts::Hosts;
use proto::iam::Iam;
use proto::iam::Principals;
use proto::identity::AccountId;
use proto::identity::Region;
use proto::mfa::VolatileMfa;
use proto::pages::Pages;
use proto::renewal::LOOK_EVERY;
use proto::renewal::Renew;
use proto::renewal::Renewable;
use proto::renewal::Renewals;
use proto::session::SessionKey;
use proto::time::Clock;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::admin;
use crate::admin::BesideReset;
use crate::admin::Control;
use crate::admin::Controls;
use crate::admin::Hooks;
use crate::admin::Snapshots;
use crate::admin::Tokens;
use crate::api::Kms;
use crate::authenticate;
use crate::authenticate::Authenticator;
use crate::authenticate::ServiceSecrets;
use crate::clock::MovableClock;
use crate::config;
use crate::config::Config;
use crate::config::ConfigError;
use crate::config::Store;
use crate::crypto::root_key::RootKey;
use crate::faults::Faults;
use crate::keys::redb_store::RedbStore;
use crate::metrics::Metrics;
use crate::quota::Quotas;
use crate::server::listener::Listener;
pub use crate::server::start_error::StartError;
use crate::server::tls::Certificates;
use crate::services::Services;
use crate::services::service_quotas::ServiceQuotas;
use crate::services::sts::Sts;
use crate::transport::Protocols;

/// A KMS that is being served. Dropping it stops it at once; [`Running::stop`] lets requests end.
pub struct Running {
    /// Where both protocols are served.
    pub address: SocketAddr,
    /// `http://` or `https://` and the address.
    pub endpoint: String,
    /// Where the admin port is.
    pub admin_address: SocketAddr,
    /// `http://` and the admin address.
    pub admin_endpoint: String,
    /// The core, for calls that need no protocol.
    pub kms: Arc<Kms>,
    /// The quotas, to be read and changed.
    pub quotas: Arc<Quotas>,
    /// The audit trail.
    pub audit: Arc<Audit>,
    /// The clock that keys and quotas follow.
    pub clock: Arc<MovableClock>,
    /// The users, roles and sessions, which a changed credentials file replaces.
    pub iam: Arc<Iam>,
    /// The controls of the admin port, for pages.
    pub controls: Controls,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    renewals: Renewals,
    hooks: Arc<Hooks>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

/// Starts a KMS on the ports of `config`, in the current tokio runtime.
///
/// Signatures are checked against `real_clock`; everything else follows [`Running::clock`], which
/// shows the same time until it is moved.
///
/// # Errors
///
/// [`StartError`] for a configuration that is refused, files that cannot be opened, a root key that
/// is not the store's, and ports that are taken.
pub async fn start(config: Config, real_clock: Arc<dyn Clock>) -> Result<Running, StartError> {
    let Some(file) = &config.authenticate.credentials_file else {
        let key = SessionKey::random().map_err(StartError::SessionKey)?;
        let memory = Arc::new(VolatileMfa::default());
        let iam = Iam::in_memory(Principals::default(), key, memory);
        return start_with(config, real_clock, Arc::new(iam)).await;
    };
    let iam = Arc::new(Iam::open(file)?);
    let read = Arc::clone(&iam);
    let users = Renewable::new("users", vec![file.clone()], move || read.reload())?;
    let mut renewals = Renewals::default();
    renewals.add(Arc::new(users));
    start_renewing(config, real_clock, iam, renewals).await
}

/// As [`start`], with the users and sessions of other services of this process, which somebody else has read again.
///
/// # Errors
///
/// As [`start`].
pub async fn start_with(
    config: Config,
    real_clock: Arc<dyn Clock>,
    iam: Arc<Iam>,
) -> Result<Running, StartError> {
    start_renewing(config, real_clock, iam, Renewals::default()).await
}

async fn start_renewing(
    config: Config,
    real_clock: Arc<dyn Clock>,
    iam: Arc<Iam>,
    mut renewals: Renewals,
) -> Result<Running, StartError> {
    config.check()?;
    for opening in config.openings() {
        tracing::warn!("{opening}");
    }
    let service_secrets = authenticate::service_secrets(&config.authenticate)?;
    renewals.add(Arc::clone(&service_secrets) as Arc<dyn Renew>);
    let clock = Arc::new(MovableClock::new(Arc::clone(&real_clock)));
    let quotas = Quotas::new(config.quotas.clone(), Arc::clone(&clock) as Arc<dyn Clock>)?;
    let quotas = Arc::new(quotas);
    let audit = Arc::new(
        Audit::open(&config.audit).map_err(|error| StartError::audit(&config.audit, error))?,
    );
    let kms = open(&config.store, &clock, &quotas, &audit)?;
    let kms = Arc::new(kms.compatible(config.compat).in_regions(config.regions()?));
    kms.enforce(config.enforce);
    let parts = Parts {
        kms,
        clock,
        quotas,
        audit,
        iam,
        service_secrets,
        real_clock,
    };
    serve(config, parts, renewals).await
}

/// What a server serves.
struct Parts {
    kms: Arc<Kms>,
    clock: Arc<MovableClock>,
    quotas: Arc<Quotas>,
    audit: Arc<Audit>,
    iam: Arc<Iam>,
    service_secrets: Arc<ServiceSecrets>,
    real_clock: Arc<dyn Clock>,
}

/// Binds the ports and serves. What is renewed while it runs is in `renewals`, besides its certificate.
async fn serve(
    config: Config,
    parts: Parts,
    mut renewals: Renewals,
) -> Result<Running, StartError> {
    let snapshots = Snapshots::new(fork::forker(&config, &parts));
    let (authenticator, services) = (authenticator(&config, &parts), services(&parts));
    let (metrics, stop) = (Arc::new(Metrics::new()), CancellationToken::new());
    let tls = certificates(&config, &metrics, &mut renewals)?;
    let (socket, address) = bind(config.listen)?;
    let (admin_socket, admin_address) = bind(config.admin.listen)?;

    let faults = faults(&config)?;
    let protocols = Protocols::new(
        Arc::clone(&parts.kms),
        authenticator,
        services,
        Arc::clone(&metrics),
        Arc::clone(&faults),
        &config.limits,
        Hosts::for_listener(address.ip(), &config.hosts),
    );
    let protocols = Arc::new(protocols.until(stop.clone()));
    let hooks = Arc::new(Hooks::default());
    let control = Arc::new(Control {
        hosts: Hosts::for_listener(admin_address.ip(), &config.hosts),
        tokens: tokens(&config.admin),
        home: home(&config),
        quotas: Arc::clone(&parts.quotas),
        audit: Arc::clone(&parts.audit),
        clock: Arc::clone(&parts.clock),
        metrics: Arc::clone(&metrics),
        faults,
        kms: Arc::clone(&parts.kms),
        snapshots,
        hooks: Arc::clone(&hooks),
        stopping: stop.clone(),
    });
    let controls = Controls::new(&control);
    let listener = |socket, tls, port| {
        let open = metrics.connections(port);
        Listener::new(socket, tls, &config.limits, open, stop.clone())
    };
    let admin_listener = listener(admin_socket, None, "admin");
    let listener = listener(socket, tls, "kms");
    let tasks = vec![
        tokio::spawn(listener.serve(move |connection, request| {
            let protocols = Arc::clone(&protocols);
            async move { protocols.respond(connection, request).await }
        })),
        tokio::spawn(
            admin_listener.serve(move |_, request| admin::respond(Arc::clone(&control), request)),
        ),
        tokio::spawn(tidy(Arc::clone(&metrics), stop.clone())),
        tokio::spawn(renew(renewals.clone(), Arc::clone(&metrics), stop.clone())),
    ];
    Ok(Running {
        address,
        endpoint: format!("{}://{address}", scheme(&config)),
        admin_address,
        admin_endpoint: format!("http://{admin_address}"),
        kms: parts.kms,
        quotas: parts.quotas,
        audit: parts.audit,
        clock: parts.clock,
        iam: parts.iam,
        controls,
        metrics,
        renewals,
        hooks,
        stop,
        tasks,
    })
}

/// How TLS is served, if it is.
fn certificates(
    config: &Config,
    metrics: &Arc<Metrics>,
    renewals: &mut Renewals,
) -> Result<Option<Arc<Certificates>>, StartError> {
    let Some(tls) = &config.tls else {
        return Ok(None);
    };
    let certificates = Certificates::new(tls, metrics)?;
    for renewed in certificates.renewed() {
        renewals.add(renewed);
    }
    Ok(Some(Arc::new(certificates)))
}

/// How both protocols are reached.
const fn scheme(config: &Config) -> &'static str {
    match config.tls {
        Some(_) => "https",
        None => "http",
    }
}

/// The failures on purpose of a configuration.
fn faults(config: &Config) -> Result<Arc<Faults>, StartError> {
    let faults = Arc::new(Faults::default());
    faults.set(config.faults.clone())?;
    Ok(faults)
}

/// The KMS's own account and Region.
fn home(config: &Config) -> (AccountId, Region) {
    let own = &config.authenticate;
    (own.account.clone(), own.region.clone())
}

/// What the admin port demands.
fn tokens(config: &config::Admin) -> Tokens {
    Tokens {
        all: config.token.clone(),
        keys: config.keys_token.clone(),
    }
}

/// What checks signatures by the real clock, and tokens by the one that tests may move.
fn authenticator(config: &Config, parts: &Parts) -> Authenticator {
    Authenticator::new(
        &config.authenticate,
        Arc::clone(&parts.service_secrets),
        Arc::clone(&parts.iam),
        Arc::clone(parts.kms.regions()),
        Arc::clone(&parts.real_clock),
        Arc::clone(&parts.clock) as Arc<dyn Clock>,
    )
}

/// The other services of AWS. Sessions follow the clock that tests may move, and MFA codes the real one.
fn services(parts: &Parts) -> Services {
    Services {
        service_quotas: ServiceQuotas::new(Arc::clone(&parts.quotas)),
        sts: Sts::new(
            Arc::clone(&parts.iam),
            Arc::clone(&parts.real_clock),
            Arc::clone(&parts.clock) as Arc<dyn Clock>,
            Arc::clone(&parts.audit),
        ),
    }
}

impl Running {
    /// Has `POST /admin/reset` empty what runs beside this KMS too. The first call counts.
    pub fn reset_beside(&self, reset: BesideReset) {
        if self.hooks.beside_reset.set(reset).is_err() {
            tracing::warn!("there is something else that a reset empties");
        }
    }

    /// Has the admin port answer requests for pages by `pages`, from now on. The first call counts.
    pub fn serve_pages(&self, pages: Arc<dyn Pages>) {
        if self.hooks.pages.set(pages).is_err() {
            tracing::warn!("there are other pages on the admin port");
        }
    }

    /// Reads the credentials file, the secret of services, the certificate with its key, and the authorities of clients
    /// again. No connection is dropped.
    ///
    /// # Errors
    ///
    /// A sentence about the files that cannot be used: what was read from them before stays in use, and the others
    /// are in use.
    pub fn reload(&self) -> Result<(), String> {
        let show = |name, is_done| self.metrics.show_reload(name, is_done);
        self.renewals.renew(show)?;
        self.metrics.show_reload_time();
        Ok(())
    }

    /// Takes no more connections, lets requests in flight end within the configured time, and
    /// returns when everything is closed and the audit trail is written.
    pub async fn stop(mut self) {
        self.stop.cancel();
        for task in self.tasks.drain(..) {
            // A task that panicked is stopped, too.
            drop(task.await);
        }

        self.audit.flush();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Opens the key store.
fn open(
    store: &Store,
    clock: &Arc<MovableClock>,
    quotas: &Arc<Quotas>,
    audit: &Arc<Audit>,
) -> Result<Kms, StartError> {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    let (quotas, audit) = (Arc::clone(quotas), Arc::clone(audit));
    let Some(file) = &store.file else {
        return Ok(Kms::ephemeral(clock, quotas, audit));
    };
    let of_store = |error| StartError::Store(Box::new(error));
    // Before a root key is made: one beside a lost store would not open what is put back.
    let is_new = RedbStore::is_new(file).map_err(of_store)?;
    let root_key = match (&store.root_key, &store.root_key_file) {
        (Some(hex), _) => RootKey::from_hex(hex.expose())
            .ok_or_else(|| StartError::RootKey("store.root_key".to_owned()))?,
        (None, Some(path)) => root_key(path, is_new)?,
        (None, None) => return Err(ConfigError::NoRootKey.into()),
    };
    let redb = RedbStore::open(file).map_err(of_store)?;
    Kms::open(Box::new(redb), &root_key, clock, quotas, audit)
        .map_err(|error| StartError::Store(Box::new(error)))
}

/// Reads the root key; makes one only where no store depends on a lost one.
fn root_key(path: &Path, store_is_new: bool) -> Result<RootKey, StartError> {
    let failed = |error| StartError::file(path, error);
    if path.exists() || !store_is_new {
        let text = zeroize::Zeroizing::new(std::fs::read_to_string(path).map_err(failed)?);
        let none = || StartError::RootKey(format!("{} (store.root_key_file)", path.display()));
        return RootKey::from_hex(&text).ok_or_else(none);
    }

    let key = RootKey::generate();
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(failed)?;
    std::io::Write::write_all(&mut file, key.to_hex().as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    Ok(key)
}

/// Takes a port, and returns which one.
fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |error| StartError::bind(address, error);
    let listener = proto::listen::bind(address).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Folds the metrics regularly, so that they stay small, until the server stops.
async fn tidy(metrics: Arc<Metrics>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(TIDY_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => metrics.tidy(),
        }
    }
}

/// Reads files again when they change, until the server stops.
async fn renew(renewals: Renewals, metrics: Arc<Metrics>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {
                renewals.renew_changed(|name, is_done| metrics.show_change(name, is_done));
            }
        }
    }
}

/// How often recorded durations are folded into their buckets.
const TIDY_EVERY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
