//! Addresses to listen on, as configuration files write them: `127.0.0.1:9080` or `localhost:9080`.
//!
//! [`address`] and [`optional_address`] are for `#[serde(deserialize_with = "...")]`.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::net::ToSocketAddrs as _;

use serde::Deserializer;
use serde::de::Error;
use serde::de::Visitor;
use tokio::net::TcpListener;
use tokio::net::TcpSocket;

/// Listens on an address, in the current tokio runtime.
///
/// # Errors
///
/// As the operating system reports them.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // As the standard library does: the port of a server that ended is free at once.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Reads an address with its port. A name is resolved, to an address of IPv4 if it has one.
///
/// # Errors
///
/// When the text is no address and no name that resolves.
pub fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    deserializer.deserialize_str(AddressVisitor)
}

/// Reads an address that may be left out.
///
/// # Errors
///
/// As [`address`].
pub fn optional_address<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    address(deserializer).map(Some)
}

struct AddressVisitor;

impl Visitor<'_> for AddressVisitor {
    type Value = SocketAddr;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an address such as 127.0.0.1:9080 or localhost:9080")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<SocketAddr, E> {
        if let Ok(address) = text.parse() {
            return Ok(address);
        }
        let resolved = text.to_socket_addrs().map_err(|error| {
            let what = "is no address such as 127.0.0.1:9080 or localhost:9080";
            E::custom(format!("`{text}` {what}: {error}"))
        })?;
        let mut addresses: Vec<_> = resolved.collect();
        addresses.sort_by_key(SocketAddr::is_ipv6);
        let first = addresses.first().copied();
        first.ok_or_else(|| E::custom(format!("`{text}` has no address")))
    }
}

/// Connections that wait to be accepted. A client beyond them tries again after a second, so it is more than
/// come at once; the operating system may bound it lower, Linux to 4,096.
const BACKLOG: u32 = 4_096;

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer as _;
    use serde::de::value::Error;
    use serde::de::value::StrDeserializer;

    use super::*;

    fn read(text: &str) -> Result<SocketAddr, Error> {
        let text: StrDeserializer<'_, Error> = text.into_deserializer();
        address(text)
    }

    #[test]
    fn an_address_may_be_a_name() {
        for (text, address) in [
            ("127.0.0.1:9080", "127.0.0.1:9080"),
            ("[::1]:9080", "[::1]:9080"),
            ("localhost:9443", "127.0.0.1:9443"),
        ] {
            assert_eq!(read(text).unwrap().to_string(), address);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_an_example() {
        for text in ["", "localhost", "9080", "localhost:port", "localhost:99999"] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains("such as 127.0.0.1:9080"), "{error}");
        }
    }
}
