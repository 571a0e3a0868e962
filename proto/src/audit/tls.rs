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

impl Serialize for Tls {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("tlsVersion", self.session.version)?;
        map.serialize_entry("cipherSuite", self.session.cipher_suite)?;
        map.serialize_entry("clientProvidedHostHeader", &*self.host)?;
        map.end()
    }
}
