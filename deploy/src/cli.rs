//! The command line.

pub mod change;
pub mod check;
pub mod env;
pub mod fields;
pub mod load;
pub mod mode;
pub mod plan;
pub mod threshold;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::Parser;
use clap::Subcommand;
use kms::quota::Adjustment;
use kms::quota::Class;
use proto::identity::AccountId;
use proto::identity::Region;

/// A local AWS KMS and an encrypting S3 gateway.
///
/// Without a command it is `up`: both, and a backend in a folder, on this machine.
#[derive(Parser)]
#[command(
    name = "sealgate",
    version,
    disable_version_flag = true,
    args_conflicts_with_subcommands = true
)]
pub struct Arguments {
    /// Print the version.
    #[arg(short = 'V', long)]
    pub version: bool,
    /// With --version: the commit, the compiler, the target and the quota tables of this build, too.
    #[arg(long, requires = "version")]
    pub verbose: bool,
    /// What to run.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The flags of `up`, the default command.
    #[command(flatten)]
    pub up: Up,
}

/// What to run.
#[derive(Subcommand)]
pub enum Command {
    /// KMS and gateway in one process, with a backend in a folder unless --backend names another.
    Up(Up),
    /// The KMS alone, configured by a file, or in the place of another emulator.
    Kms(Kms),
    /// The gateway alone, configured by a file.
    Gateway(Gateway),
    /// Add, list or remove users of `up`.
    #[command(subcommand)]
    User(UserTask),
    /// Enable or disable the MFA devices of users of `up`.
    #[command(subcommand)]
    Mfa(MfaTask),
    /// Report whether the services here are ready: exit status 0, or 1 with the reason.
    Health(Health),
    /// Call a KMS or S3 at a fixed rate, and show what the KMS's quotas did: deploy/LOAD.md.
    Load(Box<load::Load>),
    /// Compute how many KMS calls a use of S3 makes, and what the quota does to them: deploy/PLAN.md.
    Plan(plan::Plan),
    /// Report what a start would refuse in files, with line and field, and what it would accept and should not: exit
    /// status 0, or 1 if one of them would be refused.
    Check(check::Check),
    /// Print the environment by which SDKs and the AWS CLI reach the `up` that runs here: eval "$(sealgate env)".
    Env(env::Env),
    /// Print the script by which a shell completes commands and flags.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write manual pages into a folder, or print the one of all commands.
    Man {
        /// The folder, which is created.
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
    /// Print a bearer token by which a user calls the KMS over gRPC.
    Token(Token),
}

/// Flags of `up`.
#[derive(Args, Clone)]
pub struct Up {
    /// Where users, keys and the embedded backend are stored [env: SEALGATE_DATA] [default:
    /// sealgate-data].
    // Not clap's `env`: the variable of an image must not conflict with --ephemeral.
    #[arg(long, value_name = "DIR", conflicts_with = "ephemeral")]
    pub data: Option<PathBuf>,
    /// A TOML file with the tables [gateway] and [kms]; deploy/gateway.toml and deploy/kms.toml show
    /// every field.
    #[arg(long, value_name = "FILE", env = "SEALGATE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Another S3 as the backend, instead of the folder. Its credentials come from
    /// SEALGATE_BACKEND_ACCESS_KEY_ID and SEALGATE_BACKEND_SECRET_ACCESS_KEY, from the files that these names with
    /// _FILE name, or from --backend-credentials.
    #[arg(long, value_name = "URL", env = "SEALGATE_BACKEND")]
    pub backend: Option<String>,
    /// A TOML file with `access_key_id` and `secret_access_key` of the backend, readable by its
    /// owner alone, or with the fields of the files that have them.
    #[arg(long, value_name = "FILE", requires = "backend")]
    pub backend_credentials: Option<PathBuf>,
    /// The Region of both services.
    #[arg(long, env = "SEALGATE_REGION", default_value = "us-east-1")]
    pub region: Region,
    /// The address of every port whose address the file of --config does not set. Beyond loopback the admin
    /// ports need a token: that of SEALGATE_ADMIN_TOKEN, or one that is made at start.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "SEALGATE_LISTEN",
        default_value = "127.0.0.1"
    )]
    pub listen: IpAddr,
    /// A name or an address under which clients reach this machine or container, besides loopback's: for the
    /// certificate, for buckets as `bucket.NAME`, and among the names that the KMS and the admin ports answer
    /// to. May be repeated; the variable has commas between them.
    #[arg(
        long = "host",
        value_name = "NAME",
        env = "SEALGATE_HOSTS",
        value_delimiter = ',',
        value_parser = host_name
    )]
    pub hosts: Vec<String>,
    /// Allow SSE-C and SSE-KMS over plain HTTP: customer keys then cross the network in clear.
    #[arg(long)]
    pub allow_insecure_sse: bool,
    /// Factor on every KMS request quota: at 0.001, 100 requests a second act as AWS's 100,000.
    #[arg(long, value_name = "FACTOR", value_parser = factor)]
    pub quota_scale: Option<f64>,
    /// The rate of one quota in requests a second, such as CryptographicOperationsSymmetric=50; may be
    /// repeated. It is not scaled.
    #[arg(long, value_name = "CLASS=RATE", value_parser = quota)]
    pub quota: Vec<Adjustment>,
    /// KMS keys to create at start: TOML, or local-kms's YAML.
    #[arg(long, value_name = "FILE")]
    pub seed: Option<PathBuf>,
    /// Store nothing: KMS keys are in memory, the rest is in a temporary folder. What is written to
    /// the S3 of --backend stays there, and cannot be read any more after the end.
    #[arg(long)]
    pub ephemeral: bool,
    /// For tests: ephemeral ports, one JSON line on standard output when ready, and exit with status
    /// 0 when standard input closes.
    #[arg(long)]
    pub fixture: bool,
}

impl Up {
    /// The data folder; none if nothing is to be stored.
    #[must_use]
    pub fn folder(&self) -> Option<PathBuf> {
        (!self.ephemeral).then(|| data_folder(self.data.as_ref()))
    }
}

/// The folder of that flag, of the environment, or the default one.
fn data_folder(flag: Option<&PathBuf>) -> PathBuf {
    let variable = || std::env::var_os("SEALGATE_DATA").map(PathBuf::from);
    let folder = flag.cloned().or_else(variable);
    folder.unwrap_or_else(|| PathBuf::from("sealgate-data"))
}

/// Reads the name of a host, or an address.
fn host_name(text: &str) -> Result<String, String> {
    let is_label = |label: &str| {
        let is_within = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(is_within)
    };
    let is_name = text.len() <= 253 && text.split('.').all(is_label);
    if is_name || text.parse::<IpAddr>().is_ok() {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!(
        "`{text}` is no name such as sealgate or s3.example.com, and no address; it has no scheme and no port"
    ))
}

/// Reads a factor on request quotas.
pub(crate) fn factor(text: &str) -> Result<f64, String> {
    let factor = text.parse::<f64>();
    let factor = factor.map_err(|_| format!("`{text}` is no number such as 0.001"))?;
    if factor.is_finite() && factor > 0.0 {
        return Ok(factor);
    }
    let way = "to refuse every call, use a fault plan (PUT /admin/faults)";
    Err(format!(
        "a factor is greater than 0, and {text} is not; {way}"
    ))
}

/// Reads the rate of one quota.
pub(crate) fn quota(text: &str) -> Result<Adjustment, String> {
    let form = || format!("`{text}` is not of the form CryptographicOperationsSymmetric=50");
    let (name, rate) = text.split_once('=').ok_or_else(form)?;
    let rate = rate.parse::<f64>().map_err(|_| form())?;
    kms::quota::Rate::per_second(rate).map_err(|error| error.to_string())?;
    let class = Class::from_name(name).ok_or_else(|| match Class::for_operation(name, None) {
        Some(class) => format!("{name} counts against the quota {}", class.name()),
        None => format!("there is no quota `{name}`: GET /admin/quotas lists them"),
    })?;
    Ok(Adjustment {
        class,
        account: None,
        region: None,
        rate,
    })
}

/// Flags of the KMS alone.
#[derive(Args)]
pub struct Kms {
    /// The KMS's TOML file; deploy/kms.toml shows every field. Variables such as SEALGATE_KMS__QUOTAS__SCALE set
    /// fields over it, or without it.
    #[arg(long, value_name = "FILE", env = "SEALGATE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Take the place of another emulator: its port, its account, and the behaviour its users rely
    /// on. With `local-kms`, its environment variables are read, too.
    #[arg(long, value_name = "EMULATOR", value_parser = ["localstack", "moto", "local-kms"])]
    pub compat: Option<String>,
    /// KMS keys to create at start: TOML, or local-kms's YAML.
    #[arg(long, value_name = "FILE")]
    pub seed: Option<PathBuf>,
    /// Factor on every KMS request quota: at 0.001, 100 requests a second act as AWS's 100,000.
    #[arg(long, value_name = "FACTOR", value_parser = factor)]
    pub quota_scale: Option<f64>,
    /// The rate of one quota in requests a second, such as CryptographicOperationsSymmetric=50; may be
    /// repeated. It is not scaled.
    #[arg(long, value_name = "CLASS=RATE", value_parser = quota)]
    pub quota: Vec<Adjustment>,
}

/// Flags of the gateway alone.
#[derive(Args)]
pub struct Gateway {
    /// The gateway's TOML file; deploy/gateway.toml shows every field. Variables such as
    /// SEALGATE_GATEWAY__BACKEND__URL set fields over it, or without it.
    #[arg(long, value_name = "FILE", env = "SEALGATE_CONFIG")]
    pub config: Option<PathBuf>,
    /// What to do instead of serving.
    #[command(subcommand)]
    pub task: Option<GatewayTask>,
}

/// What operators do to a state bucket.
#[derive(Subcommand)]
pub enum GatewayTask {
    /// Begin the state bucket before a backend that has buckets already. They belong to the account of
    /// the first user from then on.
    Init,
    /// Give buckets that nobody created through a gateway to an account.
    Adopt {
        /// The account, 12 digits.
        #[arg(long)]
        account: AccountId,
        /// The buckets.
        #[arg(required = true)]
        buckets: Vec<String>,
    },
    /// Make a new root key of SSE-S3. A minute later every gateway encrypts under it.
    RotateRootKey,
    /// Wrap the root keys of SSE-S3 under the KMS key kms.root_key, while no gateway runs.
    RewrapRootKeys {
        /// The KMS key that they were wrapped under.
        #[arg(long)]
        from: String,
    },
}

/// Flags of `health`.
#[derive(Args)]
pub struct Health {
    /// Only whether the processes answer, not whether they reach what they need.
    #[arg(long)]
    pub live: bool,
    /// The TOML file of `up`, of the KMS or of the gateway, which names the admin ports. Without it and without
    /// a URL, those of the default ports 9090 and 9091 that are there must be ready.
    #[arg(long, value_name = "FILE", env = "SEALGATE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Admin ports, such as http://127.0.0.1:9090.
    #[arg(value_name = "URL")]
    pub urls: Vec<String>,
}

/// Flags of `token`.
#[derive(Args)]
pub struct Token {
    /// The user: a name or an access key id. Without it, the one of AWS_ACCESS_KEY_ID and
    /// AWS_SECRET_ACCESS_KEY.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// The data folder of `sealgate up`, with its users [env: SEALGATE_DATA] [default: sealgate-data].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A TOML file with the users: of the KMS alone, or of `up` with a table [kms].
    #[arg(long, value_name = "FILE", env = "SEALGATE_CONFIG")]
    pub config: Option<PathBuf>,
    /// How long the token is good: a number with s, m, h or d. It ends earlier when its user's secret
    /// access key is changed or removed.
    #[arg(long, value_name = "TIME", default_value = "12h", value_parser = lifetime)]
    pub expires: Duration,
    /// The one Region that the token is for; every Region if left out.
    #[arg(long)]
    pub region: Option<Region>,
}

impl Token {
    /// The data folder.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        data_folder(self.data.as_ref())
    }
}

/// What is done with users.
#[derive(Subcommand)]
pub enum UserTask {
    /// Add a user and print its access key. A running `up` has it a second later.
    Add {
        /// The user's name, which no other user of the account has.
        name: String,
        /// The account, 12 digits; that of the first user if left out.
        #[arg(long)]
        account: Option<AccountId>,
        /// Make it the account's root user, which no policy of its own limits.
        #[arg(long)]
        root: bool,
        /// A file with an identity policy in JSON; may be repeated. Without one, the user may do everything
        /// that its account may.
        #[arg(long, value_name = "FILE", conflicts_with = "root")]
        policy: Vec<PathBuf>,
        /// Where the users are.
        #[command(flatten)]
        folder: UsersFolder,
    },
    /// List the users.
    List {
        /// Where the users are.
        #[command(flatten)]
        folder: UsersFolder,
    },
    /// Remove a user; its sessions end.
    Remove {
        /// The user: a name or an access key id.
        user: String,
        /// Where the users are.
        #[command(flatten)]
        folder: UsersFolder,
    },
}

/// What is done with MFA devices.
#[derive(Subcommand)]
pub enum MfaTask {
    /// Give a user a virtual device, and print its secret for an authenticator app, as a QR code too.
    Enable {
        /// The user: a name or an access key id.
        user: String,
        /// Where the users are.
        #[command(flatten)]
        folder: UsersFolder,
    },
    /// Take a user's devices away.
    Disable {
        /// The user: a name or an access key id.
        user: String,
        /// Where the users are.
        #[command(flatten)]
        folder: UsersFolder,
    },
}

/// Where the users of `up` are.
#[derive(Args)]
pub struct UsersFolder {
    /// The data folder of `sealgate up` [env: SEALGATE_DATA] [default: sealgate-data].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

impl UsersFolder {
    /// The data folder.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        data_folder(self.data.as_ref())
    }
}

/// Reads how long something lasts.
fn lifetime(text: &str) -> Result<Duration, String> {
    let units = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];
    let lifetime = units.iter().find_map(|(unit, seconds)| {
        let number: u32 = text.strip_suffix(*unit)?.parse().ok()?;
        (number > 0).then(|| Duration::from_secs(u64::from(number) * seconds))
    });
    lifetime.ok_or_else(|| format!("`{text}` is no time such as 12h, 30m or 7d"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn without_a_command_it_is_up() {
        let bare = Arguments::try_parse_from(["sealgate", "--fixture"]).unwrap();
        assert!(bare.command.is_none() && bare.up.fixture);
        let named = Arguments::try_parse_from(["sealgate", "up", "--ephemeral"]).unwrap();
        assert!(matches!(named.command, Some(Command::Up(up)) if up.ephemeral));
    }

    #[test]
    fn a_scale_of_nothing_is_refused_in_a_sentence() {
        for scale in ["0", "-1", "NaN", "inf", "many"] {
            let argument = format!("--quota-scale={scale}");
            let refusal = Arguments::try_parse_from(["sealgate", &argument]).err();
            let refusal = refusal.unwrap().to_string();
            assert!(
                refusal.contains("greater than 0") || refusal.contains("no number"),
                "{refusal}"
            );
        }
        assert!(Arguments::try_parse_from(["sealgate", "--quota-scale", "0.001"]).is_ok());
    }

    #[test]
    fn hosts_are_names_or_addresses_without_a_port() {
        let parse = |hosts: &[&str]| {
            let flags = hosts.iter().map(|host| format!("--host={host}"));
            let arguments =
                Arguments::try_parse_from(["sealgate".to_owned()].into_iter().chain(flags));
            arguments.map(|arguments| arguments.up.hosts)
        };
        let hosts = parse(&["Sealgate", "s3.example.com,10.1.2.3", "fd00::1"]).unwrap();
        assert_eq!(hosts, ["sealgate", "s3.example.com", "10.1.2.3", "fd00::1"]);
        for host in ["", "a:1", "https://a", "*.a", "a..b", "a b", "a/b", "a."] {
            let refusal = parse(&[host]).unwrap_err().to_string();
            assert!(
                refusal.contains("no scheme and no port"),
                "{host}: {refusal}"
            );
        }
    }

    #[test]
    fn a_folder_for_nothing_to_store_is_refused() {
        let both = ["sealgate", "up", "--ephemeral", "--data", "d"];
        let refusal = Arguments::try_parse_from(both).err().unwrap().to_string();
        assert!(refusal.contains("cannot be used with"), "{refusal}");
        let ephemeral = Arguments::try_parse_from(["sealgate", "--ephemeral"]).unwrap();
        assert_eq!(ephemeral.up.folder(), None);
        let stored = Arguments::try_parse_from(["sealgate", "--data", "d"]).unwrap();
        assert_eq!(stored.up.folder(), Some("d".into()));
    }

    #[test]
    fn a_token_lasts_a_number_of_seconds_minutes_hours_or_days() {
        for (text, seconds) in [
            ("90s", 90),
            ("30m", 1_800),
            ("12h", 43_200),
            ("7d", 604_800),
        ] {
            assert_eq!(lifetime(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "12", "0h", "-1h", "1.5h", "h", "1w", "99999999999d"] {
            assert!(lifetime(text).is_err(), "{text}");
        }
    }

    #[test]
    fn unknown_flags_are_refused() {
        assert!(Arguments::try_parse_from(["sealgate", "--secret", "x"]).is_err());
    }
}
