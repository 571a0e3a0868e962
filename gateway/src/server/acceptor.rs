//! Takes the connections of a listener: as many at once as may be, each in a task of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proto::connection::open::OpenConnections;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::measured;
use crate::server::Lifetime;

/// Takes the connections of a listener.
#[derive(Clone)]
pub(super) struct Acceptor {
    lifetime: Lifetime,
    /// The tasks of connections.
    pub(super) connections: TaskTracker,
    slots: Arc<Semaphore>,
    /// How many are open.
    open: OpenConnections,
}

impl Acceptor {
    /// One that holds so many connections at once.
    pub(super) fn new(lifetime: &Lifetime, connections_max: usize) -> Self {
        let slots = Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS));
        Self {
            lifetime: lifetime.clone(),
            connections: TaskTracker::new(),
            slots: Arc::new(slots),
            open: OpenConnections::new(|_| {}),
        }
    }

    /// The same for a port, by whose name its connections are counted.
    pub(super) fn at(&self, port: &'static str) -> Self {
        let open = measured::connections(port);
        Self {
            open,
            ..self.clone()
        }
    }

    /// One whose connections nobody waits for, and which goes on until the very end.
    pub(super) fn for_admin(&self) -> Self {
        let aborted = self.lifetime.aborted.clone();
        let lifetime = Lifetime {
            closed: aborted,
            ..self.lifetime.clone()
        };
        let slots = Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX));
        Self {
            lifetime,
            connections: TaskTracker::new(),
            slots,
            open: measured::connections("admin"),
        }
    }

    /// Accepts until the listener is closed. Survives every error of `accept`.
    pub(super) async fn run<F, S>(self, listener: TcpListener, serve: S)
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
                    let open = self.open.open();
                    measured::spawn(self.connections.track_future(async move {
                        aborted.run_until_cancelled(connection).await;
                        drop((open, slot));
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

/// How long to wait when the machine cannot take another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections to the admin listener at once.
const ADMIN_CONNECTIONS_MAX: usize = 64;
