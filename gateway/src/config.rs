//! How a gateway runs.
//!
//! [`Config`] is one TOML document. Unknown fields are refused, every field has a default but the
//! users, and [`Config::check`] finds what cannot work before a port is bound.

use std::path::PathBuf;
use std::time::Duration;

use proto::identity::AccountId;
use proto::identity::Region;

use crate::access_log;
use crate::access_point;
use crate::audit;
use crate::authenticate;
use crate::authenticate::User;
use crate::backend;
pub use crate::backend::credentials::BackendCredentials;
use crate::bucket;
use crate::keys::bucket_key;
use crate::object_lambda;
use crate::operation;
use crate::payload::WireLimits;
use crate::request::Network;
use crate::request::Regions;
use crate::state;
use crate::vault;

mod check;
mod listen;

pub use check::ConfigError;
pub use listen::Listen;

/// How a gateway runs.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The Region that clients sign for, and that ARNs and the KMS's calls name.
    pub region: Region,

    /// Further Regions, of the same partition, that clients may sign for and create buckets in.
    pub other_regions: Vec<Region>,

    /// Host names under which buckets are addressed as `bucket.<name>`; a request to any other
    /// host names its bucket in the path.
    pub base_domains: Vec<String>,

    /// Proxies before the gateway whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed:
    /// addresses or blocks of them. From everyone else these headers mean nothing.
    pub trusted_proxies: Vec<Network>,

    /// Where clients connect.
    pub listen: Listen,

    /// What connections and requests may cost.
    pub limits: Limits,

    /// Who may sign requests. Nobody else may do anything.
    pub users: Vec<User>,

    /// Further users, with their policies and MFA devices, and the roles whose sessions may sign: the file
    /// that the KMS names, too. The key of session tokens is beside it.
    pub credentials_file: Option<PathBuf>,

    /// Which signatures are accepted.
    pub authenticate: authenticate::Config,

    /// How the backend is reached.
    pub backend: backend::Config,

    /// The gateway's own credentials at the backend.
    pub backend_credentials: BackendCredentials,

    /// How the KMS is reached.
    pub kms: Kms,

    /// Where the gateway stores what no object can hold.
    pub state: state::Config,

    /// How objects are read and written.
    pub objects: operation::config::Config,

    /// How buckets' default encryption behaves.
    pub default_encryption: bucket::encryption::Config,

    /// How public access is blocked.
    pub public_access_block: bucket::public_access::Config,

    /// Who owns the objects of new buckets, and so whether their access control lists count.
    pub object_ownership: bucket::ownership::Config,

    /// How long bucket keys are used.
    pub bucket_keys: bucket_key::Config,

    /// How Object Lambda works.
    pub object_lambda: object_lambda::config::Config,

    /// How access logs are delivered.
    pub access_logs: access_log::config::Config,

    /// Which events are recorded as CloudTrail does, and where.
    pub audit: audit::config::Config,

    /// How Glacier vaults behave.
    pub vaults: vault::config::Config,

    /// How access points work.
    pub access_points: access_point::config::Config,
}

/// What connections and requests may cost.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections held at once; further ones wait to be accepted.
    pub connections_max: usize,

    /// Requests in flight before new ones are answered `SlowDown`.
    pub requests_in_flight_max: usize,

    /// How long a TLS handshake may take, in milliseconds.
    pub handshake_timeout_ms: u64,

    /// How long a request's head may take from its first byte on, in milliseconds.
    pub head_timeout_ms: u64,

    /// How long a connection may lie idle between requests, in milliseconds.
    pub idle_timeout_ms: u64,

    /// How long a client may take no byte of its answer, in milliseconds.
    pub write_stall_timeout_ms: u64,

    /// Bytes per second that a client must send of a body, over 30 seconds of waiting for it.
    pub body_rate_min: u64,

    /// How long new connections are still taken after the gateway began to stop, in
    /// milliseconds: the time that load balancers need to notice `/readyz`.
    pub drain_delay_ms: u64,

    /// How long requests in flight may go on after that, in milliseconds.
    pub drain_timeout_ms: u64,
}

/// How the KMS is reached.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kms {
    /// Endpoint: `grpcs://host:port`, or `grpc://host:port` on loopback; or AWS KMS itself, `aws://kms.<region>.amazonaws.com`, or an
    /// emulation of it, `aws+http://host:port`.
    pub url: String,

    /// File with the secret that the gateway shares with the KMS, for `grpc://` and `grpcs://`, read again when it
    /// changes. Of two lines, which it has while the secret changes, the first is sent.
    pub secret_file: Option<PathBuf>,

    /// Authorities that may vouch for the KMS, PEM, for `grpcs://`; the public ones if there is none.
    pub ca_file: Option<PathBuf>,

    /// The certificate that the gateway shows the KMS, PEM, for `grpcs://`, if the KMS demands one.
    pub client_cert_file: Option<PathBuf>,

    /// The private key of that certificate, PEM.
    pub client_key_file: Option<PathBuf>,

    /// Whether `grpc://` may leave the machine: the secret and all data keys then cross the network in
    /// clear.
    pub allow_plain: bool,

    /// What the gateway signs with, for `aws://` and `aws+http://`: AWS KMS decides by them alone.
    pub credentials: BackendCredentials,

    /// The account whose KMS key wraps the root keys of SSE-S3.
    pub account: AccountId,

    /// The KMS key that wraps the root keys of SSE-S3: an id, an ARN or an alias.
    pub root_key: String,

    /// How long one call may take, in milliseconds.
    pub call_timeout_ms: u64,

    /// How long a call and its repetitions may take together, in milliseconds.
    pub total_timeout_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            region: "us-east-1".parse().expect("it is a Region"),
            other_regions: aws_regions(),
            base_domains: vec!["localhost".to_owned(), "s3.localhost".to_owned()],
            trusted_proxies: Vec::new(),
            listen: Listen::default(),
            limits: Limits::default(),
            users: Vec::new(),
            credentials_file: None,
            authenticate: authenticate::Config::default(),
            backend: backend::Config::default(),
            backend_credentials: BackendCredentials::default(),
            kms: Kms::default(),
            state: state::Config::default(),
            objects: operation::config::Config::default(),
            default_encryption: bucket::encryption::Config::default(),
            public_access_block: bucket::public_access::Config::default(),
            object_ownership: bucket::ownership::Config::default(),
            bucket_keys: bucket_key::Config::default(),
            object_lambda: object_lambda::config::Config::default(),
            access_logs: access_log::config::Config::default(),
            audit: audit::config::Config::default(),
            vaults: vault::config::Config::default(),
            access_points: access_point::config::Config::default(),
        }
    }
}

/// The Regions of AWS in the partition `aws`.
///
/// Source: <https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html>
fn aws_regions() -> Vec<Region> {
    let names = AWS_REGIONS.split_whitespace();
    names.filter_map(|name| name.parse().ok()).collect()
}

const AWS_REGIONS: &str = "
    af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2
    ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6
    ap-southeast-7 ca-central-1 ca-west-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2
    eu-west-1 eu-west-2 eu-west-3 il-central-1 me-central-1 me-south-1 mx-central-1 sa-east-1 us-east-1
    us-east-2 us-west-1 us-west-2";

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            requests_in_flight_max: 2_000,
            handshake_timeout_ms: 10_000,
            head_timeout_ms: 10_000,
            idle_timeout_ms: 75_000,
            write_stall_timeout_ms: 60_000,
            body_rate_min: 1_024,
            drain_delay_ms: 5_000,
            drain_timeout_ms: 60_000,
        }
    }
}

impl Default for Kms {
    fn default() -> Self {
        Self {
            url: "grpc://127.0.0.1:9080".to_owned(),
            secret_file: None,
            ca_file: None,
            client_cert_file: None,
            client_key_file: None,
            allow_plain: false,
            credentials: BackendCredentials::default(),
            account: "000000000000".parse().expect("it has 12 digits"),
            root_key: "alias/sealgate/sse-s3".to_owned(),
            call_timeout_ms: 1_000,
            total_timeout_ms: 3_000,
        }
    }
}

impl Limits {
    /// How long bodies may take.
    pub fn wire(&self) -> WireLimits {
        let limits = WireLimits::default();
        let window_bytes_min = self.body_rate_min.saturating_mul(limits.window.as_secs());
        WireLimits {
            window_bytes_min,
            ..limits
        }
    }

    /// How long new connections are taken after the gateway began to stop.
    pub fn drain_delay(&self) -> Duration {
        Duration::from_millis(self.drain_delay_ms)
    }

    /// How long requests may go on after that.
    pub fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout_ms)
    }
}

impl Config {
    /// Reads a TOML document and checks it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a document that is no configuration or cannot work.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|e| ConfigError::Syntax(e.to_string()))?;
        config.check()?;
        Ok(config)
    }

    /// The Regions whose buckets the gateway has.
    #[must_use]
    pub fn regions(&self) -> Regions {
        Regions::new(self.region.clone(), &self.other_regions)
    }
}

#[cfg(test)]
mod tests {
    use proto::identity::Secret;

    use super::*;

    const USER: &str =
        "[[users]]\naccess_key_id = \"AKIDEXAMPLE\"\nsecret_access_key = \"secretsecret\"\n";

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::from_toml(&format!("{text}\n{USER}"))
    }

    #[test]
    fn everything_but_the_users_has_a_default() {
        assert_eq!(parse("").unwrap().region, "us-east-1");
    }

    #[test]
    fn unknown_fields_are_refused() {
        for text in [
            "regoin = \"a\"",
            "[listen]\nport = 1",
            "[limits]\na = 1",
            "[kms]\na = 1",
        ] {
            assert!(matches!(parse(text), Err(ConfigError::Syntax(_))), "{text}");
        }
    }

    #[test]
    fn what_cannot_work_is_found() {
        for text in [
            "region = \"\"",
            "trusted_proxies = [\"everyone\"]",
            "[listen]\ncertificate_file = \"a\"",
            "[limits]\nconnections_max = 0",
            "[state]\nbucket = \"Not_A_Bucket\"",
            "[state]\nbucket = \"\"",
            "[listen]\nadmin = \"127.0.0.1:1\"",
            USER,
            &USER
                .replace("secretsecret", "short")
                .replace("AKID", "BKID"),
            &USER.replace("AKIDEXAMPLE", "A/B"),
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_listener_that_is_left_out_of_the_table_is_not_opened() {
        let listen = parse("").unwrap().listen;
        assert!(listen.http.is_some() && listen.https.is_none());
        let listen = parse("[listen]\nhttps = \"localhost:9443\"")
            .unwrap()
            .listen;
        assert_eq!(listen.http, None);
        assert_eq!(listen.https.unwrap().to_string(), "127.0.0.1:9443");
    }

    #[test]
    fn empty_credentials_of_the_backend_are_found() {
        let mut config = parse("").unwrap();
        let text = config.check_backend_credentials().unwrap_err().to_string();
        assert!(text.contains("access_key_id"), "{text}");
        config.backend_credentials.access_key_id = "id".to_owned();
        let text = config.check_backend_credentials().unwrap_err().to_string();
        assert!(text.contains("secret_access_key"), "{text}");
        config.backend_credentials.secret_access_key = Secret::new("secret");
        config.check_backend_credentials().unwrap();
        config.backend_credentials.secret_access_key_file = Some("secret".into());
        let twice = config.check().unwrap_err().to_string();
        let expected = "secret_access_key and secret_access_key_file are both set";
        assert!(twice.contains(expected), "{twice}");
        config.backend_credentials.secret_access_key = Secret::new("");
        config.check_backend_credentials().unwrap();
    }

    /// The file that shows every field.
    const SHOWN: &str = include_str!("../gateway.toml");

    #[test]
    fn the_file_that_shows_the_defaults_is_right() {
        let shown = toml::from_str::<Config>(SHOWN).unwrap();
        assert_eq!(format!("{shown:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn the_file_that_shows_the_defaults_names_every_field() {
        let config = format!("{:#?}", Config::default());
        for line in config.lines() {
            let Some((name, _)) = line.trim().split_once(": ") else {
                continue;
            };
            let is_shown = [
                format!("{name} = "),
                format!("[{name}]"),
                format!("[[{name}]]"),
            ]
            .iter()
            .chain([&format!(".{name}]")])
            .any(|text| SHOWN.contains(text));
            assert!(is_shown, "{name} is not in deploy/gateway.toml");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let credentials = "[backend_credentials]\nsecret_access_key = \"backendsecret\"";
        let shown = format!("{:?}", parse(credentials).unwrap());
        assert!(
            !shown.contains("secretsecret") && !shown.contains("backendsecret"),
            "{shown}"
        );
    }
}
