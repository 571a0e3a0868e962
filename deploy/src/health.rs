//! `sealgate health`: whether the listeners of this machine or container serve, for images without a shell.
//!
//! It requests `/readyz`, or `/livez`, of the admin ports that the environment or a configuration file names, and
//! needs no secret. One thread, no runtime: it runs every few seconds.

use std::io::ErrorKind;
use std::io::Read as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::net::ToSocketAddrs as _;
use std::time::Duration;
use std::time::Instant;

use http::Uri;

use crate::announce::print_line;
use crate::cli::Health;
use crate::configuration::ConfigurationFile;
use crate::configuration::Layout;
use crate::environment;

/// Prints who is ready.
///
/// # Errors
///
/// Who is not, and why.
pub fn run(flags: &Health) -> anyhow::Result<()> {
    let listen = std::env::var("SEALGATE_LISTEN").ok();
    let listen = listen.and_then(|text| text.parse().ok());
    let listeners = listeners(flags, listen.unwrap_or(Ipv4Addr::LOCALHOST.into()))?;
    let (path, word) = match flags.live {
        true => ("/livez", "live"),
        false => ("/readyz", "ready"),
    };
    let deadline = Instant::now() + TIMEOUT;
    let mut serving = Vec::new();
    let mut absent = Vec::new();
    for listener in &listeners {
        let place = &listener.url;
        match probe(place, path, deadline) {
            Ok(()) => serving.push(place.as_str()),
            Err(Failure::NobodyListens) if !listener.must_exist => absent.push(place.as_str()),
            Err(failure) => anyhow::bail!("not {word}: {place} {failure}"),
        }
    }
    anyhow::ensure!(
        !serving.is_empty(),
        "not {word}: nobody listens at {}; name the admin ports as URLs, or their file with --config",
        absent.join(", ")
    );
    print_line(&format!("{word}: {}", serving.join(", ")));
    Ok(())
}

/// An admin port.
#[derive(Debug, PartialEq, Eq)]
struct AdminPort {
    /// `http://host:port`, perhaps with a path.
    url: String,
    /// Whether it is a failure that nobody listens there. Of the default ports, a service alone has one.
    must_exist: bool,
}

/// The admin ports to ask: those of the command line, those of the file, or the default ones at `listen`.
fn listeners(flags: &Health, listen: IpAddr) -> anyhow::Result<Vec<AdminPort>> {
    if !flags.urls.is_empty() {
        let named = |url: &String| AdminPort {
            url: url.trim_end_matches('/').to_owned(),
            must_exist: true,
        };
        return Ok(flags.urls.iter().map(named).collect());
    }
    let file = flags.config.as_deref().map(ConfigurationFile::read);
    let file = file.transpose()?.unwrap_or_default();
    configured(file, &environment::fields()?, listen)
}

/// The admin ports of a configuration: of `up`, of the KMS or of the gateway, which differ by their tables, under the
/// variables that set fields. Without a file, any of them may run.
fn configured(
    file: ConfigurationFile,
    fields: &[(String, String)],
    listen: IpAddr,
) -> anyhow::Result<Vec<AdminPort>> {
    let path = file.path().to_owned();
    let layout = layout(&file.parse()?);
    let file = file.under(layout.unwrap_or(Layout::Up), fields)?;
    let table: toml::Table = file.parse()?;
    let port = |path: &[&str], default: Option<u16>, must_exist: bool| {
        let written = at(&table, path).and_then(toml::Value::as_str);
        let must_exist = must_exist || written.is_some();
        let default = || Some(SocketAddr::new(listen, default?).to_string());
        let address = written.map(str::to_owned).or_else(default)?;
        Some(AdminPort {
            url: url(&address),
            must_exist,
        })
    };
    // A table opens the ports that it names; without one, there are the default ones.
    let gateway = |path: &[&str], around: &[&str], must_exist: bool| {
        let default = Some(GATEWAY_PORT).filter(|_| !is_table(&table, around));
        port(path, default, must_exist)
    };
    let ports = match layout {
        Some(Layout::Gateway) => vec![gateway(&["listen", "admin"], &["listen"], true)],
        Some(Layout::Kms) => vec![port(&["admin", "listen"], Some(KMS_PORT), true)],
        Some(Layout::Up) | None => {
            let must_exist = layout.is_some();
            let of_gateway = ["gateway", "listen", "admin"];
            vec![
                gateway(&of_gateway, &["gateway", "listen"], must_exist),
                port(&["kms", "admin", "listen"], Some(KMS_PORT), must_exist),
            ]
        }
    };
    let ports: Vec<AdminPort> = ports.into_iter().flatten().collect();
    anyhow::ensure!(
        !ports.is_empty(),
        "{} opens no admin port: set listen.admin",
        path.display()
    );
    Ok(ports)
}

/// What a file is the configuration of; none if it says nothing of it.
fn layout(table: &toml::Table) -> Option<Layout> {
    if is_table(table, &["listen"]) {
        Some(Layout::Gateway)
    } else if is_table(table, &["admin"]) || table.contains_key("listen") {
        Some(Layout::Kms)
    } else if is_table(table, &["gateway"]) || is_table(table, &["kms", "admin"]) {
        Some(Layout::Up)
    } else {
        None
    }
}

fn at<'t>(table: &'t toml::Table, path: &[&str]) -> Option<&'t toml::Value> {
    let mut names = path.iter();
    let first = names.next().and_then(|name| table.get(*name));
    names.try_fold(first?, |table, name| table.get(*name))
}

fn is_table(table: &toml::Table, path: &[&str]) -> bool {
    at(table, path).is_some_and(toml::Value::is_table)
}

/// The URL of a listener, which may listen on every address.
fn url(listener: &str) -> String {
    let loopback = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => {
            SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port())
        }
        IpAddr::V6(ip) if ip.is_unspecified() => {
            SocketAddr::new(Ipv6Addr::LOCALHOST.into(), address.port())
        }
        _ => address,
    };
    match listener.parse::<SocketAddr>() {
        Ok(address) => format!("http://{}", loopback(address)),
        Err(_) => format!("http://{listener}"),
    }
}

/// Why a listener is not ready.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("does not listen")]
    NobodyListens,
    #[error("does not answer within {} s", TIMEOUT.as_secs())]
    TimedOut,
    #[error("is no URL such as http://127.0.0.1:9090, which admin ports have")]
    Url,
    #[error("cannot be reached: {0}")]
    Unreachable(std::io::Error),
    #[error("answers {status}: {reason}")]
    Refused { status: String, reason: String },
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::NobodyListens,
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Self::TimedOut,
            _ => Self::Unreachable(error),
        }
    }
}

/// Requests `path` of the listener at `url`, unless that has a path of its own.
fn probe(url: &str, path: &str, deadline: Instant) -> Result<(), Failure> {
    let uri: Uri = url.parse().map_err(|_| Failure::Url)?;
    let authority = uri.authority().ok_or(Failure::Url)?;
    if uri.scheme_str() != Some("http") {
        return Err(Failure::Url);
    }
    let path = match uri.path() {
        "" | "/" => path,
        path => path,
    };
    let host = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let addresses = (host, authority.port_u16().unwrap_or(80)).to_socket_addrs()?;
    let mut stream = connect(addresses, deadline)?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut piece = [0; 1024];
    loop {
        stream.set_read_timeout(Some(left(deadline)?))?;
        let length = stream.read(&mut piece)?;
        answer.extend_from_slice(piece.get(..length).unwrap_or_default());
        if length == 0 || answer.len() > ANSWER_BYTES_MAX {
            return judge(&String::from_utf8_lossy(&answer));
        }
    }
}

/// Connects to the first of the addresses that accepts.
fn connect(
    addresses: impl Iterator<Item = SocketAddr>,
    deadline: Instant,
) -> Result<TcpStream, Failure> {
    let mut failure = Failure::NobodyListens;
    for address in addresses {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error.into(),
        }
    }
    Err(failure)
}

/// The time that is left; never none, which would be no limit.
fn left(deadline: Instant) -> Result<Duration, Failure> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(Failure::TimedOut);
    }
    Ok(left)
}

/// Reads the status of an answer, and of one that is no success the first line of its body.
fn judge(answer: &str) -> Result<(), Failure> {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.lines().next().unwrap_or_default();
    let status = status.split(' ').nth(1).unwrap_or("nothing of HTTP");
    if status == "200" {
        return Ok(());
    }
    let reason = body.lines().next().unwrap_or_default();
    let printed = reason.chars().filter(|c| !c.is_control());
    Err(Failure::Refused {
        status: status.to_owned(),
        reason: printed.take(REASON_CHARACTERS_MAX).collect(),
    })
}

/// The default admin ports.
const GATEWAY_PORT: u16 = 9090;
const KMS_PORT: u16 = 9091;

/// How long everything may take. Container engines give a probe 1 to 30 s.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The most that is read of an answer.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// The most that is shown of a reason.
const REASON_CHARACTERS_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn ports(text: &str) -> Result<Vec<String>, String> {
        ports_under(text, &[])
    }

    /// The URLs of a file with this text, under variables; those that may be absent with a question mark.
    fn ports_under(text: &str, variables: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let file = ConfigurationFile::of(Path::new("sealgate.toml"), text.to_owned());
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables: Vec<_> = variables.iter().map(owned).collect();
        let ports = configured(file, &variables, Ipv4Addr::LOCALHOST.into());
        let shown = |port: AdminPort| match port.must_exist {
            true => port.url,
            false => format!("{}?", port.url),
        };
        let ports = ports.map_err(|error| error.to_string())?;
        Ok(ports.into_iter().map(shown).collect())
    }

    #[test]
    fn a_file_of_either_service_or_of_both_names_its_admin_ports() {
        let (gateway, kms) = ("http://127.0.0.1:9090", "http://127.0.0.1:9091");
        let both = ["http://127.0.0.1:9090?", "http://127.0.0.1:9091?"];
        for (text, expected) in [
            ("", &both[..]),
            ("listen = '0.0.0.0:9080'", &[kms]),
            ("[admin]\nlisten = '0.0.0.0:7'", &["http://127.0.0.1:7"]),
            ("[admin]\nlisten = '[::]:7'", &["http://[::1]:7"]),
            ("[listen]\nadmin = 'localhost:7'", &["http://localhost:7"]),
            ("[gateway.backend]\nurl = 'x'", &[gateway, kms]),
            ("[gateway.listen]\nhttps = 'x'", &[kms]),
            (
                "[kms.admin]\nlisten = '10.0.0.1:7'",
                &[gateway, "http://10.0.0.1:7"],
            ),
            ("[backend]\nurl = 'x'", &both),
        ] {
            assert_eq!(ports(text).unwrap(), expected, "{text}");
        }
        let refusal = ports("[listen]\nhttp = 'x'").unwrap_err();
        assert!(refusal.contains("opens no admin port"), "{refusal}");
    }

    #[test]
    fn variables_name_the_admin_ports_of_the_service_that_the_file_is_of() {
        let gateway = ("SEALGATE_GATEWAY__LISTEN__ADMIN", "127.0.0.1:7");
        let kms = ("SEALGATE_KMS__ADMIN__LISTEN", "127.0.0.1:8");
        let (at_7, at_8) = ("http://127.0.0.1:7", "http://127.0.0.1:8");
        for (text, expected) in [
            ("[listen]\nadmin = '127.0.0.1:1'", &[at_7][..]),
            ("[admin]\nlisten = '127.0.0.1:1'", &[at_8]),
            ("[gateway.backend]\nurl = 'x'", &[at_7, at_8]),
            ("", &[at_7, at_8]),
        ] {
            assert_eq!(ports_under(text, &[gateway, kms]).unwrap(), expected);
        }
        let either = ports_under("", &[gateway]).unwrap();
        assert_eq!(either, [at_7, "http://127.0.0.1:9091?"]);
    }

    #[test]
    fn an_answer_that_is_no_success_is_shown_with_its_reason_in_one_line() {
        assert!(judge("HTTP/1.1 200 OK\r\n\r\nready\n").is_ok());
        let text = "HTTP/1.1 503 Service Unavailable\r\na: b\r\n\r\nthe KMS is\x1b[0m gone\nmore";
        let failure = judge(text).unwrap_err().to_string();
        assert_eq!(failure, "answers 503: the KMS is[0m gone");
        for text in ["", "SSH-2.0", "HTTP/1.1"] {
            assert!(judge(text).is_err(), "{text}");
        }
    }
}
