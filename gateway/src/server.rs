//! Listeners and what becomes of their connections, from the first to the last.
//!
//! [`start`] puts a gateway together from its configuration and opens its ports: HTTP, HTTPS and,
//! apart from both, health and metrics. [`Running`] has their addresses and ends them: new
//! connections are taken for a little while longer, idle ones are closed after their request, and
//! requests in flight may finish.

use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proto::audit::Audit;
use proto::hosts::Hosts;
use proto::iam::Iam;
use proto::identity::Secret;
use proto::pages::Pages;
use proto::renewal::Renew;
use proto::renewal::Renewals;
use proto::time::Clock;
use proto::time::SystemClock;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access_log::delivery::Delivered;
use crate::access_log::delivery::Deliverer;
use crate::admin::Admin;
use crate::admin::AdminAccess;
use crate::admin::Readiness;
use crate::admin::view::View;
use crate::authenticate::UsersError;
use crate::backend::LocalBackend;
use crate::backend::capabilities::Capability;
use crate::bucket::installation::Refusal;
use crate::chunks::random::Random;
use crate::chunks::random::SystemRandom;
use crate::config::Config;
use crate::config::ConfigError;
use crate::config::Listen;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::measured;
use crate::measured::Metrics;
use crate::measured::Scope;
use crate::request_counts::RequestCounts;
use crate::server::acceptor::Acceptor;
use crate::server::connection::Shared;
use crate::server::tls::Certificates;
use crate::state::State;
use crate::state::presence::Presence;
use crate::state::presence::PresenceError;

mod acceptor;
mod compose;
mod connection;
mod listeners;
pub mod operate;
mod timed;
mod tls;
pub mod trial;
mod upkeep;

pub use listeners::Listeners;
pub use tls::Certificate;
pub use tls::TlsError;

/// What a gateway is given besides its configuration.
pub struct Parts {
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// The time that Glacier vaults go by: ages of archives, locks and jobs. Absent, it is `clock`.
    pub vault_clock: Option<Arc<dyn Clock>>,
    /// Where random bytes come from.
    pub random: Arc<dyn Random>,
    /// The certificate of the HTTPS listener, instead of the one in the configuration's files.
    pub certificate: Option<Certificate>,
    /// The secret shared with the KMS, instead of the one in the configuration's file.
    pub kms_secret: Option<Secret>,
    /// Users, roles and what their sessions and codes are checked with, instead of the configuration's
    /// credentials file: those of a KMS in this process.
    pub iam: Option<Arc<Iam>>,
    /// The trail that events are handed to, instead of the configuration's file: that of a KMS in this process.
    pub audit: Option<Arc<Audit>>,
    /// A backend in this process, which is called instead of the one in the configuration.
    pub backend: Option<Arc<dyn LocalBackend>>,
    /// What metrics are counted in, which may be an earlier gateway's. None: they are not.
    pub metrics: Option<Arc<Metrics>>,
    /// What requests are counted in, which may be an earlier gateway's of this process. None: they are not, and
    /// the names of buckets are not on the admin port.
    pub counts: Option<Arc<RequestCounts>>,
    /// What answers requests for pages on the admin port.
    pub pages: Option<Arc<dyn Pages>>,
    /// Ports that are open already, instead of those of the configuration.
    pub listeners: Option<Listeners>,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            vault_clock: None,
            random: Arc::new(SystemRandom),
            certificate: None,
            kms_secret: None,
            iam: None,
            audit: None,
            backend: None,
            metrics: None,
            counts: None,
            pages: None,
            listeners: None,
        }
    }
}

/// A gateway that serves. Dropping it stops it at once.
pub struct Running {
    /// Address of the plain HTTP listener.
    pub s3_addr: Option<SocketAddr>,
    /// Address of the HTTPS listener.
    pub tls_addr: Option<SocketAddr>,
    /// Address of the listener for health and metrics.
    pub admin_addr: Option<SocketAddr>,
    shared: Arc<Shared>,
    lifetime: Lifetime,
    connections: TaskTracker,
    presence: Option<Arc<Presence>>,
    readiness: Arc<Readiness>,
    state: State,
    logs: Arc<Deliverer>,
    view: View,
    renewals: Renewals,
    scope: Scope,
}

/// The stages of the end.
#[derive(Clone, Default)]
struct Lifetime {
    /// `/readyz` answers that it is not ready.
    stopping: CancellationToken,
    /// No connection is accepted.
    closed: CancellationToken,
    /// Requests in flight are given up.
    aborted: CancellationToken,
}

/// Puts a gateway together and opens its ports.
///
/// Neither the backend nor the KMS need be there yet.
///
/// # Errors
///
/// [`StartError`] for a configuration that cannot work and a port that cannot be bound.
pub async fn start(config: Config, parts: Parts) -> Result<Running, StartError> {
    config.check()?;
    let metrics = parts.metrics.clone();
    let scope = Scope::new(metrics.clone());
    let running = scope.run(start_in(&scope, config, parts)).await?;
    upkeep::fold(metrics, &running.lifetime.closed);
    Ok(running)
}

/// Starts a gateway whose metrics are counted in a scope.
async fn start_in(scope: &Scope, config: Config, parts: Parts) -> Result<Running, StartError> {
    let Parts {
        clock,
        vault_clock,
        random,
        certificate,
        kms_secret,
        iam,
        audit,
        backend,
        metrics,
        counts,
        pages,
        listeners,
    } = parts;
    let mut renewals = Renewals::default();
    let certificates = certificates(&config, certificate, &mut renewals)?;
    // No other process reaches such a backend.
    let (exclusive, clocks) = (backend.is_some(), (clock, vault_clock));
    let backend = (backend, counts.as_ref());
    let given = (kms_secret, iam, audit);
    let composed = compose::compose(&config, clocks, &random, backend, given, &mut renewals)?;
    let presence = upkeep::begin(&config, &composed.stored, &*random, exclusive).await?;

    let served = listeners::serve(listeners, &config.listen)?;
    let ports = [&served.http, &served.https, &served.admin];
    let [s3_addr, tls_addr, admin_addr] = ports.map(|listener| address(listener.as_ref()));
    let (s3_addr, tls_addr, admin_addr) = (s3_addr?, tls_addr?, admin_addr?);

    let lifetime = Lifetime::default();
    let acceptor = Acceptor::new(&lifetime, config.limits.connections_max);
    let shared = Arc::new(Shared {
        responder: composed.responder.measured(scope.clone()),
        limits: config.limits,
        certificates,
        draining: CancellationToken::new(),
    });
    let (stored, closed) = (&composed.stored, &lifetime.closed);
    upkeep::run(composed.sweep, stored, presence.as_ref(), random, closed);
    upkeep::deliver(&composed.logs, closed);
    upkeep::renew(renewals.clone(), scope.clone(), closed);
    serve_clients(&acceptor, &shared, served.http, served.https);
    let state = composed.stored.state.clone();
    let readiness = Arc::new(Readiness::new(
        composed.stored.state,
        composed.stored.installation,
        composed.kms,
        presence.clone(),
        lifetime.stopping.clone(),
    ));
    let view = View::new(&readiness, counts.clone(), &state, composed.stored.buckets);
    if let Some(listener) = served.admin {
        let access = admin_access(admin_addr, &config.listen);
        let (readiness, logs) = (Arc::clone(&readiness), Arc::clone(&composed.logs));
        let admin = Admin::new(access, readiness, metrics, logs, counts);
        serve_admin(&acceptor, listener, admin.with_pages(pages));
    }
    Ok(Running {
        s3_addr,
        tls_addr,
        admin_addr,
        shared,
        lifetime,
        connections: acceptor.connections,
        presence,
        readiness,
        state,
        logs: composed.logs,
        view,
        renewals,
        scope: scope.clone(),
    })
}

/// Serves health, metrics and counts.
fn serve_admin(acceptor: &Acceptor, listener: TcpListener, admin: Admin) {
    let (acceptor, admin) = (acceptor.for_admin(), Arc::new(admin));
    let serve = move |stream, _| Arc::clone(&admin).serve(stream);
    measured::spawn(acceptor.run(listener, serve));
}

impl Running {
    /// Requests that are being answered now.
    pub fn requests_in_flight(&self) -> usize {
        self.shared.responder.in_flight()
    }

    /// Whether it should be sent requests, as `/readyz` answers.
    ///
    /// # Errors
    ///
    /// Why not, in a sentence.
    pub async fn readiness(&self) -> Result<(), String> {
        self.scope.run(self.readiness.check()).await
    }

    /// What a console shows of it.
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// Delivers the records of access logs that wait, without waiting for more.
    pub async fn flush_access_logs(&self) -> Delivered {
        self.scope.run(self.logs.flush()).await
    }

    /// [`Running::stop`], then removes the state bucket: for a gateway whose KMS forgets its keys, so that
    /// nothing in it can be opened any more.
    ///
    /// # Errors
    ///
    /// When the backend refuses or does not answer.
    pub async fn stop_and_remove_state(self) -> Result<(), S3Error> {
        let (scope, state) = (self.scope.clone(), self.state.clone());
        self.stop().await;
        let removing = scope.run(state.remove_bucket());
        let removed = tokio::time::timeout(REMOVE_TIMEOUT, removing).await;
        removed.unwrap_or_else(|_| Err(S3Code::ServiceUnavailable.into()))
    }

    /// Takes the users and the backend's credentials of another configuration, and reads the files again that the
    /// gateway was started with: the credentials file, certificates, keys, authorities and credentials; nothing else of
    /// a configuration can change while a gateway runs. No connection of a client is dropped.
    ///
    /// # Errors
    ///
    /// [`StartError`] for a configuration that cannot work, and for files that cannot be used: what was read from
    /// them before stays in use, and the others are in use.
    pub fn reload(&self, config: &Config) -> Result<(), StartError> {
        self.scope.enter(|| {
            let taken = self.take(config);
            self.show_reload(CONFIGURATION, taken.is_ok());
            let renewed = self
                .renewals
                .renew(|name, is_done| self.show_reload(name, is_done));
            taken?;
            renewed.map_err(StartError::Files)?;
            if let Some(metrics) = self.scope.metrics() {
                metrics.show_reload_time();
            }
            Ok(())
        })
    }

    /// Takes what a configuration has itself and not in files.
    fn take(&self, config: &Config) -> Result<(), StartError> {
        config.check()?;
        let credentials = self.state.backend().credentials();
        // A backend in this process needs none.
        if !credentials.current().access_key_id.is_empty() {
            config.check_backend_credentials()?;
        }
        credentials
            .replace(&config.backend_credentials)
            .map_err(|error| ConfigError::credentials("backend_credentials", error))?;
        self.shared.responder.replace_users(&config.users)?;
        Ok(())
    }

    fn show_reload(&self, name: &'static str, is_done: bool) {
        if let Some(metrics) = self.scope.metrics() {
            metrics.show_reload(name, is_done);
        }
    }

    /// Stops: `/readyz` reports it at once; after the configured delay no connection is accepted, and
    /// requests in flight have the configured time to finish.
    pub async fn stop(self) {
        self.scope.run(self.drain()).await;
    }

    async fn drain(&self) {
        self.lifetime.stopping.cancel();
        if !self.connections.is_empty() {
            tokio::time::sleep(self.shared.limits.drain_delay()).await;
        }
        self.lifetime.closed.cancel();
        self.shared.draining.cancel();
        self.connections.close();
        let timeout = self.shared.limits.drain_timeout();
        if tokio::time::timeout(timeout, self.connections.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                in_flight = self.requests_in_flight(),
                "requests are given up"
            );
        }
        self.lifetime.aborted.cancel();
        if tokio::time::timeout(FLUSH_TIMEOUT, self.logs.flush())
            .await
            .is_err()
        {
            tracing::error!("records of access logs are lost: the backend does not take them");
        }
        if let Some(presence) = &self.presence {
            drop(tokio::time::timeout(WITHDRAW_TIMEOUT, presence.withdraw()).await);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.lifetime.stopping.cancel();
        self.lifetime.closed.cancel();
        self.lifetime.aborted.cancel();
    }
}

/// The certificate of the HTTPS listener, if there is one.
fn certificates(
    config: &Config,
    given: Option<Certificate>,
    renewals: &mut Renewals,
) -> Result<Option<Arc<Certificates>>, StartError> {
    if config.listen.https.is_none() {
        return Ok(None);
    }
    let files = (
        &config.listen.certificate_file,
        &config.listen.private_key_file,
    );
    let certificates = match (given, files) {
        (Some(certificate), _) => tls::fixed(certificate)?,
        (None, (Some(chain), Some(key))) => tls::from_files(chain.clone(), key.clone())?,
        (None, _) => return Err(ConfigError::Field("listen.https", NO_CERTIFICATE).into()),
    };
    let certificates = Arc::new(certificates);
    renewals.add(Arc::clone(&certificates) as Arc<dyn Renew>);
    Ok(Some(certificates))
}

/// Serves the clients of both listeners.
fn serve_clients(
    acceptor: &Acceptor,
    shared: &Arc<Shared>,
    http: Option<TcpListener>,
    https: Option<TcpListener>,
) {
    if let Some(listener) = http {
        let shared = Arc::clone(shared);
        let serve = move |stream, peer| connection::serve_plain(Arc::clone(&shared), stream, peer);
        measured::spawn(acceptor.at("http").run(listener, serve));
    }
    if let Some(listener) = https {
        let shared = Arc::clone(shared);
        let serve = move |stream, peer| connection::serve_tls(Arc::clone(&shared), stream, peer);
        measured::spawn(acceptor.at("https").run(listener, serve));
    }
}

/// Who may use the admin listener.
fn admin_access(address: Option<SocketAddr>, listen: &Listen) -> AdminAccess {
    let address = address.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip());
    AdminAccess {
        hosts: Hosts::for_listener(address, &listen.admin_hosts),
        token: listen.admin_token.clone(),
        is_exposed: !address.is_loopback(),
    }
}

/// The address that a listener got.
fn address(listener: Option<&TcpListener>) -> Result<Option<SocketAddr>, StartError> {
    listener
        .map(TcpListener::local_addr)
        .transpose()
        .map_err(StartError::Address)
}

/// How to take another port, if that is what helps.
fn way_out(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::AddrInUse => "; set another port in `listen` of the gateway",
        _ => "",
    }
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),

    /// There are no users, or not those of the credentials file.
    #[error(transparent)]
    Users(#[from] UsersError),

    /// A part cannot be set up.
    #[error("{0}: {1}")]
    Part(&'static str, String),

    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),

    /// Files that were read again cannot be used.
    #[error("{0}")]
    Files(String),

    /// The state bucket is not the right one.
    #[error(transparent)]
    State(#[from] Refusal),

    /// Another gateway runs.
    #[error(transparent)]
    Presence(#[from] PresenceError),

    /// The backend is not good enough for several gateways.
    #[error("state.gateways = \"many\" needs a backend with {0:?}, which this one has not")]
    NotShared(Capability),

    /// A bucket cannot be adopted.
    #[error("bucket {0:?}: {1}")]
    Bucket(String, S3Error),

    /// A port cannot be bound.
    #[error("cannot listen on {address}: {cause}{}", way_out(cause))]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        cause: io::Error,
    },

    /// The address of a listener cannot be read.
    #[error("a listener has no address: {0}")]
    Address(io::Error),
}

impl StartError {
    /// The field of the configuration that it is about; empty if it is about none.
    #[must_use]
    pub fn field(&self) -> &str {
        match self {
            Self::Config(error) => error.field(),
            Self::Users(_) => "users",
            Self::Part(field, _) => field,
            Self::Tls(_) => "listen.certificate_file",
            Self::NotShared(_) => "state.gateways",
            _ => "",
        }
    }
}

/// What the fields are by which a configuration takes effect again, for [`Metrics::show_reload`].
pub const CONFIGURATION: &str = "configuration";

/// What is wrong with a listener for HTTPS alone.
const NO_CERTIFICATE: &str = "needs listen.certificate_file and listen.private_key_file";

/// How long removing the state bucket may take.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the end waits for the delivery of access logs.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the end waits for the backend.
const WITHDRAW_TIMEOUT: Duration = Duration::from_secs(1);
