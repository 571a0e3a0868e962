//! What the commands print on standard output. Nothing else prints.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Serialize;

/// All that a client needs. As JSON, this is the line that a fixture reads: its names are stable.
#[derive(Clone, Default, Serialize)]
pub struct Announcement {
    /// KMS: AWS JSON and gRPC.
    pub kms_endpoint: String,
    /// S3 over HTTP.
    pub s3_endpoint: String,
    /// S3 over HTTPS.
    pub s3_tls_endpoint: String,
    /// S3 Control over HTTPS, before whose host SDKs put the account (`111122223333.s3.localhost`).
    pub s3_control_endpoint: String,
    /// PEM of the authority that signed the HTTPS certificate.
    pub ca_file: PathBuf,
    /// The gateway's health and metrics.
    pub admin_endpoint: String,
    /// The KMS's health, metrics and control.
    pub kms_admin_endpoint: String,
    /// Where a browser shows both services.
    pub console: String,
    /// Region of both services.
    pub region: String,
    /// Account id of the main user, 12 digits.
    pub account: String,
    /// The main user.
    pub access_key_id: String,
    /// The main user's secret.
    pub secret_access_key: String,
    /// The main user's bearer token for gRPC, as good as the secret.
    pub grpc_token: String,
    /// A second user, in another account.
    pub alt_access_key_id: String,
    /// The second user's secret.
    pub alt_secret_access_key: String,
    /// The second user's bearer token for gRPC.
    pub alt_grpc_token: String,
    /// The S3 behind the gateway; empty if it has no port.
    pub backend_endpoint: String,
    /// An access key of the embedded backend's port, so that tests can look at what it stores; empty for
    /// another backend, whose credentials its owner has.
    pub backend_access_key_id: String,
    /// That key's secret.
    pub backend_secret_access_key: String,
    /// Where everything is stored; a temporary folder if nothing is to be.
    pub data_dir: PathBuf,
    /// Whether it is there after the end.
    #[serde(skip)]
    pub is_stored: bool,
    /// The token for what reads or destroys keys on the KMS's admin port; empty if the keys are in memory
    /// only, which needs none.
    pub kms_admin_token: String,
    /// The token for what changes anything on either admin port; empty if they demand none.
    pub admin_token: String,
    /// Where that token is, for people; none if no one has to be shown it.
    #[serde(skip)]
    pub admin_token_place: Option<String>,
    /// How a shell gets at the main user's secret, if it is the environment's: what is given there is not
    /// printed.
    #[serde(skip)]
    pub secret_in_shell: Option<String>,
}

/// What a fixture reads.
#[derive(Serialize)]
struct FixtureLine<'a> {
    #[serde(flatten)]
    announcement: &'a Announcement,
    /// As `--version` prints it.
    version: &'static str,
}

impl Announcement {
    /// One line of JSON.
    ///
    /// # Errors
    ///
    /// When a path is not UTF-8.
    pub fn print_json(&self) -> anyhow::Result<()> {
        print_line(&serde_json::to_string(&self.line())?);
        Ok(())
    }

    /// What [`print_json`](Self::print_json) prints.
    ///
    /// # Errors
    ///
    /// When a path is not UTF-8.
    pub fn json(&self) -> anyhow::Result<serde_json::Value> {
        Ok(serde_json::to_value(self.line())?)
    }

    const fn line(&self) -> FixtureLine<'_> {
        FixtureLine {
            announcement: self,
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// For terminals: endpoints, credentials, and lines to paste into a shell.
    pub fn print_text(&self) {
        print_line(&self.text());
    }

    fn text(&self) -> String {
        let Self {
            kms_endpoint,
            s3_endpoint,
            s3_tls_endpoint,
            s3_control_endpoint,
            region,
            account,
            ..
        } = self;
        let (ca, data) = (self.ca_file.display(), self.data_dir.display());
        let data = if self.is_stored {
            format!("All data is in {data}.")
        } else {
            "Nothing is stored: keys and users are gone when it ends.".to_owned()
        };
        let (admin, kms_admin) = (&self.admin_endpoint, &self.kms_admin_endpoint);
        let console = &self.console;
        let (id, secret) = (&self.access_key_id, &self.secret_access_key);
        let secret = self.secret_in_shell.as_ref().unwrap_or(secret);
        let backend = match self.backend_endpoint.as_str() {
            "" => String::new(),
            endpoint => format!("\n  sealed objects are at {endpoint}"),
        };
        let plain = match s3_endpoint.as_str() {
            "" => String::new(),
            endpoint => format!("   (plain HTTP: {endpoint})"),
        };
        let grpc = kms_endpoint.rsplit('/').next().unwrap_or_default();
        let is_plain = kms_endpoint.starts_with("http:");
        let plaintext = if is_plain { " -plaintext" } else { "" };
        let (_, control_name) = s3_control_endpoint.split_once("//").unwrap_or_default();
        let control_name = control_name.split(':').next().unwrap_or_default();
        let token = self.admin_token_place.as_deref();
        let token = token.map_or_else(String::new, |place| format!("\n  admin token: {place}"));
        format!(
            "Sealgate is up. {data}

  S3     {s3_tls_endpoint}{plain}
  KMS    {kms_endpoint}   (AWS JSON and gRPC)
  admin  {admin}   {kms_admin}{token}{backend}
  web    {console}   (the console, for a browser)

Paste these lines into a shell to use it with the AWS CLI:

  export AWS_ACCESS_KEY_ID={id}
  export AWS_SECRET_ACCESS_KEY={secret}
  export AWS_DEFAULT_REGION={region}
  export AWS_CA_BUNDLE={ca}
  export AWS_ENDPOINT_URL_S3={s3_tls_endpoint}
  export AWS_ENDPOINT_URL_S3_CONTROL={s3_control_endpoint}
  export AWS_ENDPOINT_URL_GLACIER={s3_tls_endpoint}
  export AWS_ENDPOINT_URL_KMS={kms_endpoint}
  export AWS_ENDPOINT_URL_STS={kms_endpoint}
  export AWS_ENDPOINT_URL_CLOUDTRAIL={kms_admin}

  aws s3 mb s3://demo
  echo 'a secret' | aws s3 cp - s3://demo/note.txt --sse aws:kms --sse-kms-key-id alias/demo
  aws s3 cp s3://demo/note.txt -

For S3 Control a client puts the account before the host. Where that name is not found, /etc/hosts takes it:

  127.0.0.1 {account}.{control_name}

The same user calls the KMS over gRPC by a bearer token, for 12 hours:

  grpcurl{plaintext} -H \"authorization: Bearer $(sealgate token)\" {grpc} \\
    sealgate.kms.v1.KeyManagement/ListKeys

Ctrl-C stops it."
        )
    }
}

/// Where a client of this machine reaches a listener on `address`, which may be every address of it.
#[must_use]
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The URL by which a client of this machine reaches a listener.
#[must_use]
pub fn url(scheme: &str, address: SocketAddr) -> String {
    format!("{scheme}://{}", reachable(address))
}

/// Prints a line.
#[allow(clippy::print_stdout, reason = "what a command prints is its output")]
pub fn print_line(text: &str) {
    use std::io::Write as _;
    println!("{text}");
    // A reader that is gone is no reason to stop serving.
    let _ = std::io::stdout().flush();
}

/// Prints a text that ends its own last line.
#[allow(clippy::print_stdout, reason = "what a command prints is its output")]
pub fn print_text(text: &str) {
    print!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announcement() -> Announcement {
        Announcement {
            kms_endpoint: "http://127.0.0.1:9080".into(),
            s3_endpoint: "http://127.0.0.1:9070".into(),
            s3_tls_endpoint: "https://127.0.0.1:9443".into(),
            s3_control_endpoint: "https://s3.localhost:9443".into(),
            ca_file: "data/ca.pem".into(),
            admin_endpoint: "http://127.0.0.1:9090".into(),
            kms_admin_endpoint: "http://127.0.0.1:9091".into(),
            console: "http://127.0.0.1:9091/".into(),
            region: "us-east-1".into(),
            account: "123456789012".into(),
            access_key_id: "MAIN".into(),
            secret_access_key: "main-secret".into(),
            grpc_token: "main-token".into(),
            alt_access_key_id: "ALT".into(),
            alt_secret_access_key: "alt-secret".into(),
            alt_grpc_token: "alt-token".into(),
            backend_endpoint: "http://127.0.0.1:1".into(),
            backend_access_key_id: "BACKEND".into(),
            backend_secret_access_key: "backend-secret".into(),
            data_dir: "data".into(),
            is_stored: true,
            kms_admin_token: "token".into(),
            admin_token: "token".into(),
            admin_token_place: None,
            secret_in_shell: None,
        }
    }

    #[test]
    fn a_listener_on_every_address_is_announced_by_loopback() {
        for (address, expected) in [
            ("0.0.0.0:1", "http://127.0.0.1:1"),
            ("[::]:1", "http://[::1]:1"),
            ("127.0.0.1:1", "http://127.0.0.1:1"),
            ("10.1.2.3:1", "http://10.1.2.3:1"),
        ] {
            assert_eq!(url("http", address.parse().unwrap()), expected);
        }
    }

    #[test]
    fn the_fixture_line_has_the_promised_names() {
        let json = serde_json::to_value(announcement().line()).unwrap();
        let mut names: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        names.sort();
        assert_eq!(
            names,
            [
                "access_key_id",
                "account",
                "admin_endpoint",
                "admin_token",
                "alt_access_key_id",
                "alt_grpc_token",
                "alt_secret_access_key",
                "backend_access_key_id",
                "backend_endpoint",
                "backend_secret_access_key",
                "ca_file",
                "console",
                "data_dir",
                "grpc_token",
                "kms_admin_endpoint",
                "kms_admin_token",
                "kms_endpoint",
                "region",
                "s3_control_endpoint",
                "s3_endpoint",
                "s3_tls_endpoint",
                "secret_access_key",
                "version",
            ]
        );
    }

    #[test]
    fn the_text_can_be_pasted() {
        let text = announcement().text();
        assert!(text.contains("export AWS_SECRET_ACCESS_KEY=main-secret\n"));
        assert!(!text.contains("alt-secret") && !text.contains("backend-secret"));
        assert!(text.contains(" 127.0.0.1:9080 \\\n") && !text.contains("main-token"));
        assert!(text.contains("grpcurl -plaintext -H"), "{text}");
        assert!(
            text.contains("\n  web    http://127.0.0.1:9091/   "),
            "{text}"
        );
    }

    #[test]
    fn the_text_names_what_s3_control_is_reached_by() {
        let text = announcement().text();
        let variable = "export AWS_ENDPOINT_URL_S3_CONTROL=https://s3.localhost:9443\n";
        assert!(text.contains(variable), "{text}");
        let hosts = "\n  127.0.0.1 123456789012.s3.localhost\n";
        assert!(text.contains(hosts), "{text}");
    }

    #[test]
    fn a_secret_of_the_environment_is_not_printed() {
        let announcement = Announcement {
            secret_in_shell: Some("\"$SECRET\"".into()),
            admin_token_place: Some("made-at-start".into()),
            ..announcement()
        };
        let text = announcement.text();
        assert!(!text.contains("main-secret"), "{text}");
        assert!(
            text.contains("export AWS_SECRET_ACCESS_KEY=\"$SECRET\"\n"),
            "{text}"
        );
        assert!(text.contains("admin token: made-at-start\n"), "{text}");
    }

    #[test]
    fn a_kms_that_is_reached_by_tls_is_not_called_in_clear() {
        let announcement = Announcement {
            kms_endpoint: "https://kms.example:9080".into(),
            ..announcement()
        };
        let text = announcement.text();
        assert!(text.contains("grpcurl -H"), "{text}");
        assert!(text.contains(" kms.example:9080 \\\n"), "{text}");
    }

    #[test]
    fn the_text_says_where_data_is_or_that_there_is_none_later() {
        let mut announcement = announcement();
        assert!(announcement.text().contains("All data is in data."));
        announcement.is_stored = false;
        announcement.s3_endpoint = String::new();
        let text = announcement.text();
        assert!(text.contains("Nothing is stored"), "{text}");
        assert!(!text.contains("All data is in"), "{text}");
        assert!(!text.contains("plain HTTP"), "{text}");
    }
}
