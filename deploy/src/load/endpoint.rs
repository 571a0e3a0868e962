//! Where load may go. A real account would throttle the production of its owner, so AWS's endpoints are
//! refused whatever the flags.

use std::net::IpAddr;

use http::Uri;

/// Host and port of a URL that load may be sent to.
///
/// # Errors
///
/// For AWS's own hosts, for hosts beyond loopback unless they are allowed, and for what is no `http://`
/// URL.
pub(super) fn authority(url: &str, allow_remote: bool) -> anyhow::Result<String> {
    let uri: Uri = url
        .parse()
        .map_err(|_| anyhow::anyhow!("`{url}` is no URL"))?;
    let host = uri.host().unwrap_or_default().trim_end_matches('.');
    let host = host.to_ascii_lowercase();
    let is_aws = AWS.iter().any(|domain| {
        let before = host.strip_suffix(domain);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    });
    anyhow::ensure!(
        !is_aws,
        "{host} is AWS: load on a real account throttles whatever else it does. This is refused always"
    );
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let is_loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    anyhow::ensure!(
        is_loopback || allow_remote,
        "{host} is not this machine: add --allow-remote if you may load it"
    );
    anyhow::ensure!(
        uri.scheme_str() == Some("http"),
        "`{url}` is no http:// URL, and the generator has no TLS: name the port of plain HTTP, which `up` prints"
    );
    let port = uri.port_u16().unwrap_or(80);
    Ok(format!("{host}:{port}"))
}

/// AWS's domains, with those of its China Regions.
const AWS: [&str; 5] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "api.aws",
    "amazonwebservices.com.cn",
    "aws.amazon.com",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_is_refused_always_and_other_machines_unless_they_are_allowed() {
        for url in [
            "https://kms.us-east-1.amazonaws.com",
            "http://KMS.us-east-1.AMAZONAWS.COM./",
            "http://kms.cn-north-1.amazonaws.com.cn:80",
            "http://kms.us-east-1.api.aws",
        ] {
            let error = authority(url, true).unwrap_err().to_string();
            assert!(error.contains("refused always"), "{error}");
        }
        for url in [
            "http://10.0.0.1:9080",
            "http://amazonaws.com.example:1",
            "http://kms:9080",
        ] {
            let error = authority(url, false).unwrap_err().to_string();
            assert!(error.contains("--allow-remote"), "{error}");
            assert!(authority(url, true).is_ok(), "{url}");
        }
        for (url, expected) in [
            ("http://127.0.0.1:9080", "127.0.0.1:9080"),
            ("http://localhost:9080/", "localhost:9080"),
            ("http://[::1]:9080", "[::1]:9080"),
        ] {
            assert_eq!(authority(url, false).unwrap(), expected);
        }
        assert!(authority("https://127.0.0.1:9080", false).is_err());
    }
}
