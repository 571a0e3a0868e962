//! Names by `/etc/hosts` and the DNS servers of `/etc/resolv.conf`.

use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use hickory_resolver::Hosts;
use hickory_resolver::Resolver;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::config::NameServerConfig;
use hickory_resolver::config::ResolveHosts;
use hickory_resolver::config::ResolverConfig;
use hickory_resolver::config::ResolverOpts;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::Name;
use hickory_resolver::proto::rr::RecordType;
use hickory_resolver::system_conf::parse_resolv_conf;
use tokio::time::Instant;

use crate::backend::resolver::no_address;

/// Both files, and the resolver made of what they held.
pub(super) struct Source {
    resolv_conf: PathBuf,
    hosts: PathBuf,
    /// The port of the DNS servers, which the file does not name.
    port: u16,
    /// Whether the C library is asked, too, for what DNS does not have.
    asks_c_library: bool,
    /// Longest wait for one answer.
    timeout_max: Duration,
    current: Mutex<Option<Read>>,
}

/// What was made of the files, and when.
struct Read {
    at: Instant,
    texts: Texts,
    made: Made,
}

/// What answers, made of both files.
#[derive(Clone)]
struct Made {
    hosts: Arc<Hosts>,
    dns: TokioResolver,
}

/// What the files held; empty where there is none.
#[derive(Clone, PartialEq, Eq)]
struct Texts {
    resolv_conf: Vec<u8>,
    hosts: Vec<u8>,
}

impl Texts {
    /// Whether the file of hosts says where `localhost` is.
    fn name_localhost(&self) -> bool {
        let text = String::from_utf8_lossy(&self.hosts);
        let entries = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default());
        let mut names = entries.flat_map(|entry| entry.split_whitespace().skip(1));
        names.any(|name| name.eq_ignore_ascii_case("localhost"))
    }
}

impl Source {
    /// By the files of this machine.
    pub(super) fn system() -> Self {
        Self {
            resolv_conf: "/etc/resolv.conf".into(),
            hosts: "/etc/hosts".into(),
            port: PORT,
            // glibc's knows names by mDNS and other modules of nsswitch.conf; musl's only DNS.
            asks_c_library: cfg!(target_env = "gnu"),
            timeout_max: TIMEOUT_MAX,
            current: Mutex::new(None),
        }
    }

    /// The addresses of a name; none where DNS says that it has none.
    pub(super) async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let made = self.current()?;
        let written = made.written(name)?;
        if !written.is_empty() {
            return Ok(written);
        }
        let error = match made.dns.lookup_ip(name).await {
            Ok(found) => return Ok(found.iter().collect()),
            Err(error) => error,
        };
        if self.asks_c_library
            && let Ok(found) = tokio::net::lookup_host((name, 0)).await
        {
            return Ok(found.map(|address| address.ip()).collect());
        }
        match error.is_no_records_found() || error.is_nx_domain() {
            true => Err(no_address(name)),
            false => Err(failed(name, &error)),
        }
    }

    /// What answers by the files, which are looked at again after a while.
    fn current(&self) -> io::Result<Made> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(read) = current.as_ref()
            && read.at.elapsed() < LOOK_AGAIN
        {
            return Ok(read.made.clone());
        }
        let at = Instant::now();
        // Two small files, seldom; what is waited for is less than a task of its own would cost.
        let text = |file: &PathBuf| std::fs::read(file).unwrap_or_default();
        let texts = Texts {
            resolv_conf: text(&self.resolv_conf),
            hosts: text(&self.hosts),
        };
        if let Some(read) = current.as_mut()
            && read.texts == texts
        {
            read.at = at;
            return Ok(read.made.clone());
        }
        let made = self.make(&texts)?;
        *current = Some(Read {
            at,
            texts,
            made: made.clone(),
        });
        Ok(made)
    }

    fn make(&self, texts: &Texts) -> io::Result<Made> {
        // Without a server in the file the one on this machine is meant: resolv.conf(5).
        let by_default = || {
            let own = NameServerConfig::udp_and_tcp(IpAddr::V4(Ipv4Addr::LOCALHOST));
            let config = ResolverConfig::from_parts(None, Vec::new(), vec![own]);
            (config, ResolverOpts::default())
        };
        let parsed = parse_resolv_conf(&texts.resolv_conf);
        let (config, mut options) = parsed.unwrap_or_else(|_| by_default());
        let (domain, search, mut servers) = config.into_parts();
        for connection in servers
            .iter_mut()
            .flat_map(|server| &mut server.connections)
        {
            connection.port = self.port;
        }
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.use_hosts_file = ResolveHosts::Never; // read here, so that changes are seen
        options.timeout = options.timeout.min(self.timeout_max);
        options.attempts = options.attempts.max(ATTEMPTS_MIN);
        options.positive_max_ttl = Some(REMEMBERED_MAX);
        options.negative_max_ttl = Some(Duration::ZERO);
        options.cache_size = NAMES_MAX;
        let config = ResolverConfig::from_parts(domain, search, servers);
        let built = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        let built = built.with_options(options).build();
        let dns = built.map_err(io::Error::other)?;
        let mut hosts = Hosts::default();
        hosts.read_hosts_conf(texts.hosts.as_slice())?;
        if !texts.name_localhost() {
            hosts.read_hosts_conf(LOCALHOST)?;
        }
        Ok(Made {
            hosts: Arc::new(hosts),
            dns,
        })
    }
}

impl Made {
    /// The addresses that the file of hosts has for a name: all of them, or DNS is asked for none.
    fn written(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let name = Name::from_utf8(name).map_err(io::Error::other)?;
        let kinds = [RecordType::A, RecordType::AAAA];
        let queries = kinds.map(|kind| Query::query(name.to_lowercase(), kind));
        let found = queries
            .iter()
            .filter_map(|query| self.hosts.lookup_static_host(query));
        let found: Vec<_> = found.collect();
        let records = found.iter().flat_map(|lookup| lookup.answers());
        Ok(records.filter_map(|record| record.data.ip_addr()).collect())
    }
}

fn failed(name: &str, error: &NetError) -> io::Error {
    io::Error::other(format!("the name {name} cannot be resolved: {error}"))
}

/// The port of DNS. Source: RFC 1035, section 4.2.
const PORT: u16 = 53;

/// What is never asked of DNS. Source: RFC 6761, section 6.3.
const LOCALHOST: &[u8] = b"127.0.0.1 localhost\n::1 localhost\n";

/// How long what was read of the files holds.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Longest wait for one answer: a lost datagram, of which nodes of Kubernetes lose some, is asked again after it
/// and not after the five seconds of resolv.conf(5), within which the connection itself would time out.
const TIMEOUT_MAX: Duration = Duration::from_secs(1);

/// How often a name is asked for at least.
const ATTEMPTS_MIN: usize = 3;

/// Longest time that an address is remembered: the C library remembers none, and servers move.
const REMEMBERED_MAX: Duration = Duration::from_secs(5);

/// Names that are remembered: a gateway calls a few servers.
const NAMES_MAX: u64 = 32;

#[cfg(test)]
mod tests;
