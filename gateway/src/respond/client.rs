//! Where a request really came from, when a listed proxy stands before the gateway.

use std::net::IpAddr;
use std::net::SocketAddr;

use http::HeaderMap;

use crate::request::Connection;
use crate::request::Network;
use crate::request::TlsParameters;

/// The proxies whose word about their clients is taken.
///
/// From everyone else, `X-Forwarded-*` headers mean nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<Network>,
    /// Whether plain HTTP from loopback counts as secure.
    loopback_is_secure: bool,
}

impl TrustedProxies {
    /// The proxies in these networks.
    pub fn new(networks: Vec<Network>) -> Self {
        Self {
            networks,
            loopback_is_secure: false,
        }
    }

    /// Has plain HTTP from loopback peers count as secure, for a listener on loopback.
    #[must_use]
    pub fn with_secure_loopback(mut self, is_secure: bool) -> Self {
        self.loopback_is_secure = is_secure;
        self
    }

    /// The connection of a request from `peer`.
    ///
    /// The client is the last address in `X-Forwarded-For` that is not a listed proxy itself: what
    /// stands before it was written by the client.
    pub fn connection(
        &self,
        peer: SocketAddr,
        tls: Option<TlsParameters>,
        headers: &HeaderMap,
    ) -> Connection {
        let client = peer.ip().to_canonical();
        let is_listed = self.contains(client);
        let is_within_machine = self.loopback_is_secure && client.is_loopback() && !is_listed;
        let mut connection = Connection {
            // By the socket alone. A listed proxy's clients may be elsewhere.
            secure: tls.is_some() || is_within_machine,
            is_https: tls.is_some(),
            peer,
            client,
            tls,
        };
        if !is_listed {
            return connection;
        }

        let list = |name| {
            headers
                .get_all(name)
                .iter()
                .filter_map(|v: &http::HeaderValue| v.to_str().ok())
        };
        let forwarded_for: Vec<&str> = list("x-forwarded-for").flat_map(|v| v.split(',')).collect();
        for text in forwarded_for.into_iter().rev() {
            let Ok(address) = text.trim().parse::<IpAddr>() else {
                break;
            };
            connection.client = address.to_canonical();
            if !self.contains(connection.client) {
                break;
            }
        }
        let mut protocols = list("x-forwarded-proto");
        if let (Some(protocol), None) = (protocols.next(), protocols.next()) {
            connection.secure = protocol.trim().eq_ignore_ascii_case("https");
            connection.is_https = connection.secure;
        }
        connection
    }

    /// Whether an address is a listed proxy's.
    fn contains(&self, address: IpAddr) -> bool {
        self.networks
            .iter()
            .any(|network| network.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn connection(
        proxies: &[&str],
        peer: &str,
        headers: &[(&'static str, &'static str)],
    ) -> Connection {
        let networks = proxies.iter().map(|text| text.parse().unwrap()).collect();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        TrustedProxies::new(networks).connection(peer.parse().unwrap(), None, &map)
    }

    const FORWARDED: [(&str, &str); 2] = [
        ("x-forwarded-for", "6.6.6.6, 203.0.113.7"),
        ("x-forwarded-proto", "https"),
    ];

    #[test]
    fn forwarded_headers_of_peers_that_are_no_listed_proxy_mean_nothing() {
        for proxies in [&[][..], &["10.0.0.0/8"]] {
            let connection = connection(proxies, "192.0.2.1:1000", &FORWARDED);
            assert!(!connection.secure);
            assert_eq!(connection.client.to_string(), "192.0.2.1");
        }
    }

    #[test]
    fn a_listed_proxy_names_its_client() {
        let connection = connection(&["192.0.2.0/24"], "192.0.2.1:1000", &FORWARDED);
        assert!(connection.secure);
        assert_eq!(connection.client.to_string(), "203.0.113.7");
        assert_eq!(connection.peer.to_string(), "192.0.2.1:1000");
    }

    #[test]
    fn what_the_client_wrote_before_the_proxies_is_not_taken() {
        let headers = [("x-forwarded-for", "6.6.6.6, 203.0.113.7, 192.0.2.9")];
        let connection = connection(&["192.0.2.0/24"], "192.0.2.1:1000", &headers);
        assert_eq!(connection.client.to_string(), "203.0.113.7");
    }

    #[test]
    fn loopback_is_secure_by_the_socket_and_by_no_header() {
        let connection = |peer: &str, headers: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, HeaderValue::from_static(value));
            }
            let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
            let proxies = proxies.with_secure_loopback(true);
            proxies.connection(peer.parse().unwrap(), None, &map)
        };
        for peer in [
            "127.0.0.1:1",
            "127.9.9.9:1",
            "[::1]:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            for headers in [&[][..], &[("x-forwarded-proto", "http")], &FORWARDED] {
                let connection = connection(peer, headers);
                assert!(connection.secure, "{peer} {headers:?}");
                assert_eq!(connection.scheme(), "http");
            }
        }
        let from_loopback = [("x-forwarded-for", "127.0.0.1")];
        let forwarded = [("forwarded", "for=127.0.0.1;proto=https")];
        for peer in ["192.0.2.1:1", "10.1.1.1:1", "[2001:db8::1]:1"] {
            for headers in [&[][..], &from_loopback, &forwarded] {
                assert!(!connection(peer, headers).secure, "{peer} {headers:?}");
            }
        }
    }

    #[test]
    fn a_protocol_named_twice_is_not_believed() {
        let headers = [
            ("x-forwarded-proto", "https"),
            ("x-forwarded-proto", "http"),
        ];
        assert!(!connection(&["192.0.2.1"], "192.0.2.1:1000", &headers).secure);
    }
}
