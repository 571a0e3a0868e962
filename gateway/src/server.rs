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
use proto::time::Clock;
use proto::time::SystemClock;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
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
use crate::measured::Metrics;
use crate::measured::Scope;
use crate::request_counts::RequestCounts;
use crate::server::connection::Shared;
use crate::server::tls::Certificates;
use crate::state::State;
use crate::state::presence::Presence;
use crate::state::presence::PresenceError;

mod compose;
mod connection;
mod listeners;
pub mod operate;
mod timed;
mod tls;
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
    let certificates = certificates(&config, certificate)?;
    // No other process reaches such a backend.
    let exclusive = backend.is_some();
    let clocks = (clock, vault_clock);
    let backend = (backend, counts.as_ref());
    let composed = compose::compose(&config, clocks, &random, kms_secret, backend, iam, audit)?;
    let presence = upkeep::begin(&config, &composed.stored, &*random, exclusive).await?;

    let served = listeners::serve(listeners, &config.listen)?;
    let (http, https, admin_listener) = (served.http, served.https, served.admin);
    let addresses = [&http, &https, &admin_listener].map(|listener| address(listener.as_ref()));
    let [s3_addr, tls_addr, admin_addr] = addresses;
    let (s3_addr, tls_addr, admin_addr) = (s3_addr?, tls_addr?, admin_addr?);

    let lifetime = Lifetime::default();
    let acceptor = Acceptor::new(scope, &lifetime, config.limits.connections_max);
    let connections = acceptor.connections.clone();
    let shared = Arc::new(Shared {
        responder: composed.responder.measured(scope.clone()),
        limits: config.limits,
        certificates,
        draining: CancellationToken::new(),
    });
    let closed = &lifetime.closed;
    upkeep::run(scope, composed.sweep, presence.clone(), random, closed);
    upkeep::deliver(scope, &composed.logs, closed);
    serve_clients(&acceptor, &shared, http, https);
    let state = composed.stored.state.clone();
    let readiness = Arc::new(Readiness::new(
        composed.stored.state,
        composed.stored.installation,
        composed.kms,
        presence.clone(),
        lifetime.stopping.clone(),
    ));
    let view = View::new(&readiness, counts.clone(), &state, composed.stored.buckets);
    if let Some(listener) = admin_listener {
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
        connections,
        presence,
        readiness,
        state,
        logs: composed.logs,
        view,
        scope: scope.clone(),
    })
}

/// Serves health, metrics and counts.
fn serve_admin(acceptor: &Acceptor, listener: TcpListener, admin: Admin) {
    let (acceptor, admin) = (acceptor.for_admin(), Arc::new(admin));
    let serve = move |stream, _| Arc::clone(&admin).serve(stream);
    tokio::spawn(acceptor.run(listener, serve));
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

    /// Takes the users of another configuration, and reads the credentials file and the certificate's files
    /// again; nothing else of a configuration can change while a gateway runs. No connection is dropped.
    ///
    /// # Errors
    ///
    /// [`StartError`] for a configuration that cannot work, or a credentials file or a certificate that
    /// cannot be used; then everything stays as it was.
    pub fn reload(&self, config: &Config) -> Result<(), StartError> {
        config.check()?;
        if let Some(certificates) = &self.shared.certificates {
            self.scope.enter(|| certificates.reload())?;
        }
        self.shared.responder.replace_users(&config.users)?;
        Ok(())
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

/// Takes the connections of a listener.
#[derive(Clone)]
struct Acceptor {
    scope: Scope,
    lifetime: Lifetime,
    connections: TaskTracker,
    slots: Arc<Semaphore>,
}

impl Acceptor {
    /// One that holds so many connections at once.
    fn new(scope: &Scope, lifetime: &Lifetime, connections_max: usize) -> Self {
        let slots = Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS));
        Self {
            scope: scope.clone(),
            lifetime: lifetime.clone(),
            connections: TaskTracker::new(),
            slots: Arc::new(slots),
        }
    }

    /// One whose connections nobody waits for, and which goes on until the very end.
    fn for_admin(&self) -> Self {
        let aborted = self.lifetime.aborted.clone();
        let lifetime = Lifetime {
            closed: aborted,
            ..self.lifetime.clone()
        };
        let slots = Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX));
        Self {
            scope: self.scope.clone(),
            lifetime,
            connections: TaskTracker::new(),
            slots,
        }
    }

    /// Accepts until the listener is closed. Survives every error of `accept`.
    async fn run<F, S>(self, listener: TcpListener, serve: S)
    where
        F: Future<Output = ()> + Send + 'static,
        S: Fn(TcpStream, SocketAddr) -> F,
    {
        loop {
            let next = async {
                let slot = Arc::clone(&self.slots).acquire_owned().await;
                (slot, listener.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                () = self.lifetime.closed.cancelled() => return,
                next = next => next,
            };
            let (Ok(slot), accepted) = (slot, accepted) else {
                return;
            };
            match accepted {
                Ok((stream, peer)) => {
                    if let Err(cause) = stream.set_nodelay(true) {
                        tracing::debug!(%peer, %cause, "TCP_NODELAY");
                    }
                    let connection = serve(stream, peer);
                    let aborted = self.lifetime.aborted.clone();
                    self.connections.spawn(self.scope.run(async move {
                        aborted.run_until_cancelled(connection).await;
                        drop(slot);
                    }));
                }
                Err(cause) => {
                    tracing::warn!(%cause, "a connection could not be accepted");
                    // No file descriptors or no memory: others must end first.
                    if !is_of_one_connection(&cause) {
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
    }
}

/// Whether an error of `accept` is about the one connection that was to be accepted.
fn is_of_one_connection(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

/// The certificate of the HTTPS listener, if there is one.
fn certificates(
    config: &Config,
    given: Option<Certificate>,
) -> Result<Option<Certificates>, StartError> {
    if config.listen.https.is_none() {
        return Ok(None);
    }
    let files = (
        &config.listen.certificate_file,
        &config.listen.private_key_file,
    );
    let certificates = match (given, files) {
        (Some(certificate), _) => Certificates::fixed(certificate)?,
        (None, (Some(chain), Some(key))) => Certificates::from_files(chain.clone(), key.clone())?,
        (None, _) => return Err(ConfigError::Field("listen.https", NO_CERTIFICATE).into()),
    };
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
        tokio::spawn(acceptor.clone().run(listener, serve));
    }
    if let Some(listener) = https {
        upkeep::renew(&acceptor.scope, shared, &acceptor.lifetime.closed);
        let shared = Arc::clone(shared);
        let serve = move |stream, peer| connection::serve_tls(Arc::clone(&shared), stream, peer);
        tokio::spawn(acceptor.clone().run(listener, serve));
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

/// What is wrong with a listener for HTTPS alone.
const NO_CERTIFICATE: &str = "needs listen.certificate_file and listen.private_key_file";

/// How long removing the state bucket may take.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait when the machine cannot take another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long the end waits for the delivery of access logs.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the end waits for the backend.
const WITHDRAW_TIMEOUT: Duration = Duration::from_secs(1);

/// Connections to the admin listener at once.
const ADMIN_CONNECTIONS_MAX: usize = 64;
