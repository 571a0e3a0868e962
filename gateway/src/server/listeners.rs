//! The listening sockets of a gateway, which may outlive it.

use std::io;
use std::net::SocketAddr;
use std::net::TcpListener as Socket;

use tokio::net::TcpListener;

use super::StartError;
use crate::config::Listen;

/// Listening sockets: of each listener that the configuration has.
#[derive(Debug, Default)]
pub struct Listeners {
    http: Option<Socket>,
    https: Option<Socket>,
    admin: Option<Socket>,
}

/// The same, served in the current runtime.
pub(super) struct Served {
    pub(super) http: Option<TcpListener>,
    pub(super) https: Option<TcpListener>,
    pub(super) admin: Option<TcpListener>,
}

impl Listeners {
    /// Opens the ports of a configuration.
    ///
    /// # Errors
    ///
    /// [`StartError::Bind`].
    pub fn open(listen: &Listen) -> Result<Self, StartError> {
        Ok(Self {
            http: bind(listen.http)?,
            https: bind(listen.https)?,
            admin: bind(listen.admin)?,
        })
    }

    /// The same sockets for another gateway. Connections that come while none runs wait for it, and no other program
    /// can take the ports between two.
    ///
    /// # Errors
    ///
    /// As the operating system reports them.
    pub fn try_clone(&self) -> io::Result<Self> {
        let clone = |socket: &Option<Socket>| socket.as_ref().map(Socket::try_clone).transpose();
        Ok(Self {
            http: clone(&self.http)?,
            https: clone(&self.https)?,
            admin: clone(&self.admin)?,
        })
    }
}

/// Accepts connections in the current runtime: at sockets that are open, or at those of the configuration.
pub(super) fn serve(open: Option<Listeners>, listen: &Listen) -> Result<Served, StartError> {
    let listeners = match open {
        Some(listeners) => listeners,
        None => Listeners::open(listen)?,
    };
    let serve = |socket: Option<Socket>| {
        let served = socket.map(TcpListener::from_std).transpose();
        served.map_err(StartError::Address)
    };
    Ok(Served {
        http: serve(listeners.http)?,
        https: serve(listeners.https)?,
        admin: serve(listeners.admin)?,
    })
}

/// Opens a port. The socket does not block, as the runtime wants it.
fn bind(address: Option<SocketAddr>) -> Result<Option<Socket>, StartError> {
    let Some(address) = address else {
        return Ok(None);
    };
    proto::listen::bind(address)
        .and_then(TcpListener::into_std)
        .map(Some)
        .map_err(|cause| StartError::Bind { address, cause })
}
