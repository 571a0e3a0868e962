//! Which host names a server on loopback answers to.
//!
//! A web page can make its own name resolve to 127.0.0.1 (DNS rebinding) and would then reach an
//! emulator that asks for no credentials. It cannot change the `Host` its browser sends, so a
//! server on loopback answers only to loopback's names and those that are configured.

use std::net::IpAddr;

use http::Request;
use http::header::HOST;

/// The names a server answers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts {
    /// None: every name, for servers that are reached by names we cannot know.
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

    /// Whether the request is for one of the names. Every host that it names must be: the one in its
    /// target and those of all its `Host` headers.
    pub fn allow<B>(&self, request: &Request<B>) -> bool {
        let Some(names) = &self.names else {
            return true;
        };
        let authority = request.uri().authority().map(http::uri::Authority::as_str);
        let headers = request.headers().get_all(HOST);
        // Where several are given, all must be ours: the browser checked only one of them.
        let mut hosts = authority
            .into_iter()
            .chain(
                headers
                    .iter()
                    .map(|value| value.to_str().unwrap_or_default()),
            )
            .peekable();
        hosts.peek().is_some() && hosts.all(|host| is_name(names, without_port(host)))
    }
}

/// Whether the host is loopback's or one of `names`.
fn is_name(names: &[String], host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return address.is_loopback() || names.iter().any(|name| name == bare);
    }

    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost") || names.contains(&host)
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

    use super::Hosts;

    fn allows(hosts: &Hosts, host: &str) -> bool {
        hosts.allow(&Request::post("/").header("host", host).body(()).unwrap())
    }

    #[test]
    fn a_server_on_loopback_answers_only_to_its_own_names() {
        let hosts = Hosts::for_listener(IpAddr::V4(Ipv4Addr::LOCALHOST), &["KMS.test".to_owned()]);
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
            assert!(allows(&hosts, host), "{host}");
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
            assert!(!allows(&hosts, host), "{host}");
        }

        assert!(
            !hosts.allow(&Request::post("/").body(()).unwrap()),
            "no host at all"
        );
    }

    #[test]
    fn a_request_with_two_hosts_must_have_both_right() {
        let hosts = Hosts::for_listener(IpAddr::V4(Ipv4Addr::LOCALHOST), &[]);
        let request =
            |uri: &str, host: &str| Request::post(uri).header("host", host).body(()).unwrap();
        assert!(hosts.allow(&request("http://localhost:1/", "localhost:1")));
        assert!(!hosts.allow(&request("http://localhost:1/", "evil.example")));
        assert!(!hosts.allow(&request("http://evil.example/", "localhost:1")));
    }

    #[test]
    fn a_server_beyond_loopback_answers_to_every_name_unless_some_are_configured() {
        let any = Hosts::for_listener(IpAddr::V4(Ipv4Addr::UNSPECIFIED), &[]);
        assert!(allows(&any, "kms.internal:9080"));
        let some = Hosts::for_listener(
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            &["kms.internal".to_owned()],
        );
        assert!(allows(&some, "kms.internal:9080"));
        assert!(!allows(&some, "evil.example"));
    }
}
