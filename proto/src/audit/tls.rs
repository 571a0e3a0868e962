//! How a request's connection was secured, as events record it.

use std::sync::Arc;

use serde::Serialize;
use serde::Serializer;
use serde::ser::SerializeMap;

/// What both sides of a secured connection agreed upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsSession {
    /// Such as `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite, by OpenSSL's name, which CloudTrail records.
    pub cipher_suite: &'static str,
}

/// How one request was secured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The connection's session.
    pub session: TlsSession,
    /// The host that the client requested.
    pub host: Arc<str>,
}

/// OpenSSL's name of a cipher suite, by rustls's, for those that it offers; rustls's for others.
///
/// Source: <https://docs.openssl.org/3.4/man1/openssl-ciphers/>
#[must_use]
pub fn openssl_name(suite: &'static str) -> &'static str {
    let found = SUITES.iter().find(|(rustls, _)| *rustls == suite);
    found.map_or(suite, |(_, openssl)| openssl)
}

const SUITES: [(&str, &str); 9] = [
    ("TLS13_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
    ("TLS13_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
    (
        "TLS13_CHACHA20_POLY1305_SHA256",
        "TLS_CHACHA20_POLY1305_SHA256",
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
    ),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        "ECDHE-RSA-CHACHA20-POLY1305",
    ),
];

impl Serialize for Tls {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("tlsVersion", self.session.version)?;
        map.serialize_entry("cipherSuite", self.session.cipher_suite)?;
        map.serialize_entry("clientProvidedHostHeader", &*self.host)?;
        map.end()
    }
}
