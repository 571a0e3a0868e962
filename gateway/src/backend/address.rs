//! Where the backend is, and how a bucket and a key are written into its URL.
//!
//! Path-style only: `/bucket/key`. A key is percent-encoded once, from its decoded bytes; every byte
//! but the unreserved ones and `/` is encoded, and nothing is normalised, so `//`, `.` and `..` stay
//! what they are. What is signed is what is sent.

use http::HeaderValue;
use http::Uri;
use http::uri::PathAndQuery;

use proto::sigv4::encode_component;
use proto::sigv4::encode_path;

use crate::backend::SetupError;
use crate::backend::resolver::without_root;

/// A backend's URL, taken apart and checked.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    https: bool,
    bare_host: String,
    port: u16,
    base: String,
    host: HeaderValue,
}

impl Address {
    /// Parses `http://host[:port][/base]` or `https://…`.
    pub(crate) fn parse(url: &str) -> Result<Self, SetupError> {
        let refuse = |why: &'static str| SetupError::Url {
            url: url.to_owned(),
            why,
        };
        let uri: Uri = url.parse().map_err(|_| refuse("it is not a URL"))?;
        let parts = uri.into_parts();
        let scheme = parts.scheme.ok_or_else(|| refuse("it has no scheme"))?;
        let (https, default_port) = match scheme.as_str() {
            "http" => (false, 80),
            "https" => (true, 443),
            _ => return Err(refuse("its scheme is neither http nor https")),
        };
        let authority = parts.authority.ok_or_else(|| refuse("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(refuse("it carries credentials"));
        }
        let path = parts.path_and_query.as_ref();
        if path.is_some_and(|path| path.query().is_some()) {
            return Err(refuse("it has a query"));
        }
        let base = path
            .map_or("", PathAndQuery::path)
            .trim_end_matches('/')
            .to_owned();
        let port = authority.port_u16().unwrap_or(default_port);
        let host = without_root(authority.host());
        let host = match port == default_port {
            true => host.to_owned(),
            false => format!("{host}:{port}"),
        };
        let host =
            HeaderValue::try_from(host).map_err(|_| refuse("its host is no header value"))?;
        // Its last dot stays: it says that no search domain is meant.
        let bare_host = authority.host().trim_matches(['[', ']']).to_owned();
        Ok(Self {
            https,
            bare_host,
            port,
            base,
            host,
        })
    }

    /// Whether connections speak TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.https
    }

    /// The host's name or address, as it is connected to.
    pub(crate) fn bare_host(&self) -> &str {
        &self.bare_host
    }

    /// The TCP port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The value of the `Host` header.
    pub(crate) fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// The path of a request, encoded as it is sent and signed.
    pub(crate) fn path(&self, bucket: Option<&str>, key: Option<&str>) -> String {
        let mut path = self.base.clone();
        path.push('/');
        if let Some(bucket) = bucket {
            path.push_str(&encode_component(bucket));
            if let Some(key) = key {
                path.push('/');
                path.push_str(&encode_path(key.as_bytes()));
            }
        }
        path
    }

    /// The request target for `path` and `query` (decoded pairs), in origin form.
    ///
    /// None if it is longer than the HTTP library takes (64 KiB).
    pub(crate) fn target(path: &str, query: &[(String, String)]) -> Option<Uri> {
        let mut target = path.to_owned();
        let mut separator = '?';
        for (name, value) in query {
            target.push(separator);
            target.push_str(&encode_component(name));
            target.push('=');
            target.push_str(&encode_component(value));
            separator = '&';
        }
        let target = PathAndQuery::try_from(target).ok()?;
        Some(Uri::from(target))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Address {
        Address::parse(url).unwrap()
    }

    #[test]
    fn a_key_reaches_the_path_with_every_slash_and_dot_in_place() {
        let address = address("http://127.0.0.1:9000");
        let path = address.path(Some("b"), Some("/a//b/../c/./%2F?#; é+~"));
        assert_eq!(path, "/b//a//b/../c/./%252F%3F%23%3B%20%C3%A9%2B~");
        let uri = Address::target(&path, &[]).unwrap();
        assert_eq!(uri.path(), path);
    }

    #[test]
    fn a_query_is_sent_in_its_order_and_encoded() {
        let query = [
            ("prefix".into(), "a b/&=".into()),
            ("acl".into(), String::new()),
        ];
        let uri = Address::target("/b", &query).unwrap();
        assert_eq!(uri.query(), Some("prefix=a%20b%2F%26%3D&acl="));
    }

    #[test]
    fn the_host_header_has_a_port_only_where_it_is_not_the_default() {
        assert_eq!(address("http://s3:80").host(), "s3");
        assert_eq!(address("https://s3").host(), "s3");
        assert_eq!(address("http://s3:443/base/").host(), "s3:443");
        assert_eq!(address("http://s3/base/").path(Some("b"), None), "/base/b");
    }

    #[test]
    fn the_dot_of_an_absolute_name_is_for_dns_alone() {
        let address = address("http://s3.svc.:9000");
        assert_eq!(
            (address.host().as_bytes(), address.bare_host()),
            (&b"s3.svc:9000"[..], "s3.svc.")
        );
    }

    #[test]
    fn a_url_that_is_no_plain_endpoint_is_refused() {
        for url in ["s3", "ftp://s3", "http://u:p@s3", "http://s3/?x=1", ""] {
            assert!(Address::parse(url).is_err(), "{url}");
        }
    }
}
