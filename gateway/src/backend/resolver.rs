//! Names of servers, found without the resolver of the C library where that is musl's.
//!
//! musl's `getaddrinfo` fails for a name whose AAAA record is answered by an error, even where it has addresses of
//! version 4, and so do the DNS servers of some clusters and of podman answer. On Linux names are therefore asked of
//! the servers that `resolv.conf` names by hickory, which reads `/etc/hosts` as well. Other systems have resolvers of
//! their own, which are asked.
//!
//! Sources: resolv.conf(5); <https://github.com/kubernetes/kubernetes/issues/112135>.

use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;

#[cfg(target_os = "linux")]
use self::linux::Source;
#[cfg(not(target_os = "linux"))]
use self::others::Source;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod others;

/// Where names are asked for. Clones share what was read and found.
#[derive(Clone)]
pub(crate) struct Resolver(Arc<Source>);

impl Resolver {
    /// By the configuration of this machine, which is read when a name is first asked for.
    pub(crate) fn system() -> Self {
        Self(Arc::new(Source::system()))
    }

    /// The addresses of a host, which is a name or an address without brackets; at least one.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] where the name has no address, else why nobody could be asked.
    pub(crate) async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let found = self.0.addresses(host).await?;
        match found.is_empty() {
            true => Err(no_address(host)),
            false => Ok(found),
        }
    }

    /// A connection to the first address of `host` that takes one.
    ///
    /// # Errors
    ///
    /// Those of [`Resolver::addresses`], else that of the last address.
    pub(crate) async fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let addresses = self.addresses(host).await?;
        connect_any(&addresses, port).await
    }
}

/// A connection to the first of some addresses that takes one.
///
/// # Errors
///
/// That of the last address.
pub(crate) async fn connect_any(addresses: &[IpAddr], port: u16) -> io::Result<TcpStream> {
    let mut outcome = Err(io::Error::from(io::ErrorKind::AddrNotAvailable));
    for address in addresses {
        outcome = TcpStream::connect(SocketAddr::new(*address, port)).await;
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// A host as certificates and `Host` headers name it: without the dot that makes a name absolute in DNS.
pub(crate) fn without_root(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

fn no_address(host: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        format!("the name {host} has no address"),
    )
}
