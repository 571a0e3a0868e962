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
use rustls_pki_types::ServerName;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::backend::body::Outgoing;
use crate::backend::failure::BackendError;

/// The connections to one backend.
pub(crate) struct Pool {
    target: Target,
    idle: Mutex<Vec<Idle>>,
    idle_max: usize,
    idle_timeout: Duration,
    connect_timeout: Duration,
}

/// Where connections go.
pub(crate) struct Target {
    /// Host name or address, without a port.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// How to speak TLS; none for plain HTTP.
    pub(crate) tls: Option<(TlsConnector, ServerName<'static>)>,
}

struct Idle {
    sender: SendRequest<Outgoing>,
    /// When its last request was sent.
    began: Instant,
}

/// One connection, lent out.
pub(crate) struct Lent {
    pub(crate) sender: SendRequest<Outgoing>,
    pub(crate) reused: bool,
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
        })
    }

    /// A connection ready for a request: an idle one, else a new one.
    pub(crate) async fn lend(&self) -> Result<Lent, BackendError> {
        while let Some(mut sender) = self.take_idle() {
            // Ready at once, or as soon as the connection's task has seen the end of the last
            // answer; an error where the backend hung up.
            let ready = sender.is_ready()
                || matches!(timeout(READY_TIMEOUT, sender.ready()).await, Ok(Ok(())));
            if ready {
                return Ok(Lent {
                    sender,
                    reused: true,
                });
            }
        }
        Box::pin(self.open()).await
    }

    /// A new connection.
    pub(crate) async fn open(&self) -> Result<Lent, BackendError> {
        let unreachable = |error: std::io::Error| BackendError::Unreachable(error.to_string());
        let connecting = TcpStream::connect((self.target.host.as_str(), self.target.port));
        let stream = timeout(self.connect_timeout, connecting)
            .await
            .map_err(|_| BackendError::Unreachable("connecting took too long".to_owned()))?
            .map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let sender = match &self.target.tls {
            None => handshake(stream).await?,
            Some((connector, name)) => {
                let shaking = connector.connect(name.clone(), stream);
                let stream = timeout(TLS_TIMEOUT, shaking)
                    .await
                    .map_err(|_| BackendError::Unreachable("TLS took too long".to_owned()))?
                    .map_err(unreachable)?;
                handshake(stream).await?
            }
        };
        Ok(Lent {
            sender,
            reused: false,
        })
    }

    /// Takes a connection back whose answer was read to its end; `began` is when its request was
    /// sent.
    pub(crate) fn give_back(&self, sender: SendRequest<Outgoing>, began: Instant) {
        let returned = Idle { sender, began };
        if !self.is_usable(&returned) {
            return;
        }
        let mut idle = self.lock();
        if idle.len() < self.idle_max {
            idle.push(returned);
        }
    }

    fn is_usable(&self, idle: &Idle) -> bool {
        idle.began.elapsed() < self.idle_timeout && !idle.sender.is_closed()
    }

    fn take_idle(&self) -> Option<SendRequest<Outgoing>> {
        let mut idle = self.lock();
        let latest = idle.pop()?;
        if self.is_usable(&latest) {
            return Some(latest.sender);
        }
        idle.retain(|idle| self.is_usable(idle));
        idle.pop().map(|idle| idle.sender)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection to the backend ended");
        }
    });
    Ok(sender)
}

/// How long a pooled connection may take to be ready again.
const READY_TIMEOUT: Duration = Duration::from_secs(1);

/// Longest TLS handshake.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// Most header fields of an answer.
const HEADERS_MAX: usize = 128;

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
            host: "127.0.0.1".to_owned(),
            port: 0,
            tls: None,
        };
        let pool = Pool::new(target, 1, timeout, timeout);
        for (held, is_kept) in [(Duration::ZERO, true), (timeout, false)] {
            let (ours, _theirs) = tokio::io::duplex(1024);
            let sender = handshake(ours).await.unwrap();
            pool.give_back(sender, Instant::now().checked_sub(held).unwrap());
            assert_eq!(pool.take_idle().is_some(), is_kept, "{held:?}");
        }
    }
}
