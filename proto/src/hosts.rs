//! Which host names a server on loopback answers to.
//!
//! A web page can make its own name resolve to 127.0.0.1 (DNS rebinding) and would then reach an
//! emulator that needs no credentials. It cannot change the `Host` its browser sends, so a
//! server on loopback answers only to loopback's names and those that are configured.

use std::net::IpAddr;

use http::Request;
use http::StatusCode;
use http::Version;
use http::header::HOST;

/// The names a server answers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts {
    /// None: every name, for servers whose names are not configured.
    names: Option<Vec<String>>,
}

impl Hosts {
    /// The names for a server that listens on `address`.
    ///
    /// `configured` names are answered to besides loopback's. A server beyond loopback answers to
    /// every name unless some are configured.
    #[must_use]
    pub fn for_listener(address: IpAddr, configured: &[String]) -> Self {
        let any = configured.is_empty() && !address.is_loopback();
        let names = configured
            .iter()
            .map(|name| name.to_ascii_lowercase())
            .collect();
        Self {
            names: (!any).then_some(names),
        }
    }

    /// As [`check`](Self::check) for requests that change and show nothing but health: an address passes,
    /// since a kubelet calls a pod by its address, and no web page has a name of its own that is one.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn check_probe<B>(&self, request: &Request<B>) -> Result<(), HostError> {
        let host = without_port(named_host(request)?);
        match bare(host).parse::<IpAddr>() {
            Ok(_) => Ok(()),
            Err(_) => self.check(request),
        }
    }

    /// Checks that the request names one host, and that it is one of these.
    ///
    /// # Errors
    ///
    /// [`HostError`] for a request that could be meant for two hosts, for none, or for another one.
    pub fn check<B>(&self, request: &Request<B>) -> Result<(), HostError> {
        let host = named_host(request)?;
        match &self.names {
            Some(names) if !is_name(names, without_port(host)) => Err(HostError::Other),
            _ => Ok(()),
        }
    }
}

/// Why a request's host is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// There is no host, more than one, or one that is not text.
    ///
    /// Source: RFC 9112, section 3.2, and RFC 9113, section 8.3.1.
    #[error("A request names exactly one host.")]
    Ambiguous,
    /// It is for another server.
    #[error("This server answers only to its own names.")]
    Other,
}

impl HostError {
    /// The status of the answer.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Ambiguous => StatusCode::BAD_REQUEST,
            Self::Other => StatusCode::MISDIRECTED_REQUEST,
        }
    }
}

/// The one host that a request names: by its `Host` header, which HTTP/1 demands even if the target
/// has a host, or by `:authority`. Where both are there they are equal: a proxy, a browser or a
/// signature may have looked at either.
fn named_host<B>(request: &Request<B>) -> Result<&str, HostError> {
    let mut headers = request.headers().get_all(HOST).iter();
    let header = headers.next();
    if headers.next().is_some() {
        return Err(HostError::Ambiguous);
    }
    let header = header.map(|value| value.to_str().map_err(|_| HostError::Ambiguous));
    let header = header.transpose()?;
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let host = match (header, authority) {
        (Some(header), Some(authority)) if !header.eq_ignore_ascii_case(authority) => {
            return Err(HostError::Ambiguous);
        }
        (Some(header), _) => header,
        (None, Some(authority)) if request.version() >= Version::HTTP_2 => authority,
        (None, _) => return Err(HostError::Ambiguous),
    };
    if host.is_empty() || host.contains([',', '@', '/']) {
        return Err(HostError::Ambiguous);
    }
    Ok(host)
}

/// Whether the host is loopback's or one of `names`.
fn is_name(names: &[String], host: &str) -> bool {
    let bare = bare(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return address.is_loopback() || names.iter().any(|name| name == bare);
    }

    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost") || names.contains(&host)
}

/// An address of IPv6 without its brackets.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// A host without its port. An IPv6 address keeps its brackets.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::net::Ipv4Addr;

    use http::Request;
    use http::Version;

    use super::HostError;
    use super::Hosts;

    fn check(hosts: &Hosts, host: &str) -> Result<(), HostError> {
        hosts.check(&Request::post("/").header("host", host).body(()).unwrap())
    }

    fn loopback(configured: &[String]) -> Hosts {
        Hosts::for_listener(IpAddr::V4(Ipv4Addr::LOCALHOST), configured)
    }

    #[test]
    fn a_server_on_loopback_answers_only_to_its_own_names() {
        let hosts = loopback(&["KMS.test".to_owned()]);
        for host in [
            "localhost:9080",
            "LOCALHOST",
            "127.0.0.1:9080",
            "[::1]:9080",
            "[::1]",
            "kms.localhost:1",
            "kms.test:9080",
            "localhost.",
        ] {
            assert_eq!(check(&hosts, host), Ok(()), "{host}");
        }

        for host in [
            "evil.example",
            "evil.example:9080",
            "127.0.0.1.evil.example",
            "localhost.evil",
            "notlocalhost",
            "10.0.0.1",
            "",
            "127.0.0.1@evil.example",
            "[::2]:9080",
        ] {
            assert!(check(&hosts, host).is_err(), "{host}");
        }
    }

    #[test]
    fn a_probe_may_name_any_address_and_no_other_name() {
        let hosts = Hosts::for_listener(
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            &["kms.internal".to_owned()],
        );
        let probe = |host: &str| {
            let request = Request::get("/livez").header("host", host);
            hosts.check_probe(&request.body(()).unwrap())
        };
        for host in [
            "10.1.2.3:9091",
            "10.1.2.3",
            "[fd00::1]:9091",
            "kms.internal",
        ] {
            assert_eq!(probe(host), Ok(()), "{host}");
        }
        for host in ["evil.example", "10.1.2.3.evil.example:9091"] {
            assert_eq!(probe(host), Err(HostError::Other), "{host}");
        }
        assert_eq!(probe(""), Err(HostError::Ambiguous));
        assert_eq!(check(&hosts, "10.1.2.3:9091"), Err(HostError::Other));
    }

    #[test]
    fn a_request_that_names_no_host_or_two_is_refused() {
        let any = Hosts::for_listener(IpAddr::V4(Ipv4Addr::UNSPECIFIED), &[]);
        let request = |uri: &str, hosts: &[&str], version| {
            let mut request = Request::post(uri).version(version);
            for host in hosts {
                request = request.header("host", *host);
            }
            request.body(()).unwrap()
        };
        for (uri, hosts, version) in [
            ("/", &[][..], Version::HTTP_11),
            ("http://a:1/", &[], Version::HTTP_11),
            ("/", &["a", "a"], Version::HTTP_11),
            ("/", &["a", "b"], Version::HTTP_11),
            ("/", &["a, b"], Version::HTTP_11),
            ("/", &[""], Version::HTTP_11),
            ("/", &["a@b"], Version::HTTP_11),
            ("http://a/", &["b"], Version::HTTP_11),
            ("/", &[], Version::HTTP_2),
            ("http://a/", &["b"], Version::HTTP_2),
            ("http://a/", &["a", "a"], Version::HTTP_2),
        ] {
            let refused = any.check(&request(uri, hosts, version));
            assert_eq!(refused, Err(HostError::Ambiguous), "{uri} {hosts:?}");
        }
        for (uri, hosts, version) in [
            ("/", &["a:1"][..], Version::HTTP_11),
            ("http://a:1/", &["A:1"], Version::HTTP_11),
            ("http://a:1/", &[], Version::HTTP_2),
            ("http://a:1/", &["a:1"], Version::HTTP_2),
        ] {
            assert_eq!(any.check(&request(uri, hosts, version)), Ok(()), "{uri}");
        }
    }

    #[test]
    fn a_server_beyond_loopback_answers_to_every_name_unless_some_are_configured() {
        let any = Hosts::for_listener(IpAddr::V4(Ipv4Addr::UNSPECIFIED), &[]);
        assert_eq!(check(&any, "kms.internal:9080"), Ok(()));
        let some = Hosts::for_listener(
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            &["kms.internal".to_owned()],
        );
        assert_eq!(check(&some, "kms.internal:9080"), Ok(()));
        assert_eq!(check(&some, "evil.example"), Err(HostError::Other));
    }
}
