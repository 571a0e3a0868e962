//! Connections to the one backend: opened, lent to one request at a time, pooled for the next.
//!
//! Not a general HTTP client's pool, because two things must be known that those hide: whether a
//! connection was used before (only then can "closed without an answer" mean that the backend had
//! hung up on an idle connection), and that the second try gets a connection of its own making.
//!
//! A connection stays by when its last request began, not by when the answer ended. Servers in Go let
//! a connection's time for reading begin with a request: where it runs out while they still answer,
//! they answer well, keep the connection, and hold the client of every later request on it for gone
//! (MinIO after 30 seconds, with the status 499).

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use hyper::client::conn::http1;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use proto::renewal::Renew;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::backend::Config;
use crate::backend::SetupError;
use crate::backend::address::Address;
use crate::backend::body::Outgoing;
use crate::backend::failure::BackendError;
use crate::backend::resolver::Resolver;
use crate::backend::resolver::without_root;
use crate::backend::tls::ClientFiles;
use crate::backend::tls::ClientTls;
use crate::backend::tls::Names;
use crate::measured;

/// The connections to one backend.
pub(crate) struct Pool {
    target: Target,
    idle: Mutex<Vec<Idle>>,
    idle_max: usize,
    idle_timeout: Duration,
    connect_timeout: Duration,
    /// A turn for each connection that is being opened.
    turns: Semaphore,
}

/// Where connections go.
pub(crate) struct Target {
    /// How the host's name is found.
    pub(crate) resolver: Resolver,
    /// Host name or address, without a port.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// How to speak TLS; none for plain HTTP.
    pub(crate) tls: Option<(Arc<ClientTls>, ServerName<'static>)>,
}

struct Idle {
    sender: SendRequest<Outgoing>,
    secured: Secured,
    /// When its last request was sent.
    began: Instant,
}

/// How TLS was spoken when a connection was opened; none for plain HTTP.
pub(crate) type Secured = Option<Arc<ClientConfig>>;

/// One connection, lent out.
pub(crate) struct Lent {
    pub(crate) sender: SendRequest<Outgoing>,
    pub(crate) secured: Secured,
    pub(crate) reused: bool,
}

impl Target {
    /// Where connections to `address` go, and over which TLS.
    ///
    /// # Errors
    ///
    /// [`SetupError`] for a name that no certificate can have, and for files that cannot be used.
    pub(crate) fn new(address: &Address, config: &Config) -> Result<Self, SetupError> {
        let host = address.bare_host().to_owned();
        let tls = match address.is_https() {
            false => None,
            true => {
                let name = ServerName::try_from(without_root(&host).to_owned())
                    .map_err(|error| SetupError::Tls(error.to_string()))?;
                let files = ClientFiles {
                    authorities: config.ca_file.as_deref(),
                    certificate: config.client_cert_file.as_deref(),
                    key: config.client_key_file.as_deref(),
                };
                Some((ClientTls::new(files, NAMES, b"http/1.1")?, name))
            }
        };
        Ok(Self {
            resolver: Resolver::system(),
            host,
            port: address.port(),
            tls,
        })
    }
}

impl Pool {
    pub(crate) fn new(
        target: Target,
        idle_max: usize,
        idle_timeout: Duration,
        connect_timeout: Duration,
    ) -> Arc<Self> {
        let idle = Mutex::new(Vec::new());
        Arc::new(Self {
            target,
            idle,
            idle_max,
            idle_timeout,
            connect_timeout,
            turns: Semaphore::new(CONNECTS_AT_ONCE),
        })
    }

    /// What secures its connections and is read again.
    pub(crate) fn renewed(&self) -> Vec<Arc<dyn Renew>> {
        let tls = self.target.tls.as_ref();
        tls.map_or_else(Vec::new, |(client, _)| client.renewed())
    }

    /// A connection ready for a request: an idle one, else a new one.
    pub(crate) async fn lend(&self) -> Result<Lent, BackendError> {
        if let Some(lent) = self.lend_idle().await {
            return Ok(lent);
        }
        Box::pin(async {
            let turn = self.turn().await?;
            // One may have come back meanwhile.
            match self.lend_idle().await {
                Some(lent) => Ok(lent),
                None => self.open_in(turn).await,
            }
        })
        .await
    }

    /// An idle connection that is ready for a request.
    async fn lend_idle(&self) -> Option<Lent> {
        while let Some((mut sender, secured)) = self.take_idle() {
            // Ready at once, or as soon as the connection's task has seen the end of the last
            // answer; an error where the backend hung up.
            let ready = sender.is_ready()
                || matches!(timeout(READY_TIMEOUT, sender.ready()).await, Ok(Ok(())));
            if ready {
                return Some(Lent {
                    sender,
                    secured,
                    reused: true,
                });
            }
        }
        None
    }

    /// A new connection.
    pub(crate) async fn open(&self) -> Result<Lent, BackendError> {
        let turn = self.turn().await?;
        self.open_in(turn).await
    }

    /// The turn to open a connection: a server that is met by hundreds at once drops some.
    async fn turn(&self) -> Result<SemaphorePermit<'_>, BackendError> {
        let limit = self.connect_timeout.saturating_mul(CONNECT_ATTEMPTS);
        let turn = timeout(limit, self.turns.acquire()).await;
        turn.ok().and_then(Result::ok).ok_or_else(too_long)
    }

    async fn open_in(&self, turn: SemaphorePermit<'_>) -> Result<Lent, BackendError> {
        let unreachable = |error: std::io::Error| BackendError::Unreachable(error.to_string());
        let stream = self.connect().await?;
        drop(turn);
        stream.set_nodelay(true).map_err(unreachable)?;
        let secured = self.target.tls.as_ref().map(|(client, _)| client.current());
        let sender = match (&self.target.tls, &secured) {
            (Some((_, name)), Some(client)) => {
                let connector = TlsConnector::from(Arc::clone(client));
                let shaking = connector.connect(name.clone(), stream);
                let stream = timeout(TLS_TIMEOUT, shaking)
                    .await
                    .map_err(|_| BackendError::Unreachable("TLS took too long".to_owned()))?
                    .map_err(unreachable)?;
                handshake(stream).await?
            }
            _ => handshake(stream).await?,
        };
        Ok(Lent {
            sender,
            secured,
            reused: false,
        })
    }

    /// Connects; once more where the server did not even take notice, as one does whose queue is full.
    async fn connect(&self) -> Result<TcpStream, BackendError> {
        for _ in 0..CONNECT_ATTEMPTS {
            let connecting = self
                .target
                .resolver
                .connect(&self.target.host, self.target.port);
            if let Ok(outcome) = timeout(self.connect_timeout, connecting).await {
                return outcome.map_err(|error| BackendError::Unreachable(error.to_string()));
            }
        }
        Err(too_long())
    }

    /// Takes a connection back whose answer was read to its end; `began` is when its request was
    /// sent.
    pub(crate) fn give_back(
        &self,
        sender: SendRequest<Outgoing>,
        secured: Secured,
        began: Instant,
    ) {
        let returned = Idle {
            sender,
            secured,
            began,
        };
        if !self.is_usable(&returned) {
            return;
        }
        let mut idle = self.lock();
        if idle.len() < self.idle_max {
            idle.push(returned);
        }
    }

    fn is_usable(&self, idle: &Idle) -> bool {
        idle.began.elapsed() < self.idle_timeout
            && !idle.sender.is_closed()
            && self.trusts(idle.secured.as_ref())
    }

    /// Whether a connection that was secured like that would be so today: an authority that was removed vouches for
    /// no request more.
    fn trusts(&self, secured: Option<&Arc<ClientConfig>>) -> bool {
        match (&self.target.tls, secured) {
            (Some((client, _)), Some(secured)) => client.is_current(secured),
            _ => true,
        }
    }

    fn take_idle(&self) -> Option<(SendRequest<Outgoing>, Secured)> {
        let mut idle = self.lock();
        let latest = idle.pop()?;
        let usable = match self.is_usable(&latest) {
            true => Some(latest),
            false => {
                idle.retain(|idle| self.is_usable(idle));
                idle.pop()
            }
        };
        usable.map(|idle| (idle.sender, idle.secured))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error of connections that do not come about.
fn too_long() -> BackendError {
    BackendError::Unreachable("connecting took too long".to_owned())
}

async fn handshake<S>(stream: S) -> Result<SendRequest<Outgoing>, BackendError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| BackendError::Unreachable(error.to_string()))?;
    measured::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection to the backend ended");
        }
    });
    Ok(sender)
}

/// What secures the way to the backend.
const NAMES: Names = Names {
    authorities: "the authorities of the backend",
    certificate: "the gateway's certificate at the backend",
};

/// Connections that are opened at once: half of what servers let wait at least (128).
const CONNECTS_AT_ONCE: usize = 64;

/// How often a connection is tried whose time runs out.
const CONNECT_ATTEMPTS: u32 = 3;

/// How long a pooled connection may take to be ready again.
const READY_TIMEOUT: Duration = Duration::from_secs(1);

/// Longest TLS handshake.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// Most header fields of an answer: as many as an object's metadata may have, and more.
const HEADERS_MAX: usize = 600;

/// Most bytes that one connection buffers each way; also the longest head of an answer.
///
/// As much as a bare proxy on hyper takes at a time, and grown into only by an answer that fills it:
/// every read wakes the client, so with a third of it a large GET costs a sixth more CPU time.
const BUFFER_BYTES: usize = 416 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_that_a_request_held_for_long_is_not_kept() {
        let timeout = Duration::from_secs(15);
        let target = Target {
            resolver: Resolver::system(),
            host: "127.0.0.1".to_owned(),
            port: 0,
            tls: None,
        };
        let pool = Pool::new(target, 1, timeout, timeout);
        for (held, is_kept) in [(Duration::ZERO, true), (timeout, false)] {
            let (ours, _theirs) = tokio::io::duplex(1024);
            let sender = handshake(ours).await.unwrap();
            pool.give_back(sender, None, Instant::now().checked_sub(held).unwrap());
            assert_eq!(pool.take_idle().is_some(), is_kept, "{held:?}");
        }
    }
}
