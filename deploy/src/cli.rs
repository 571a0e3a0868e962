//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// A local AWS KMS and an encrypting S3 gateway.
///
/// Without a command it is `up`: both, and a backend in a folder, on this machine.
#[derive(Parser)]
#[command(name = "sealgate", version, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    /// What to run.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The flags of `up`, which need not be named.
    #[command(flatten)]
    pub up: Up,
}

/// What to run.
#[derive(Subcommand)]
pub enum Command {
    /// KMS and gateway in one process, with a backend in a folder unless one is named.
    Up(Up),
    /// The KMS alone, as its file says, or in the place of another emulator.
    Kms(Kms),
    /// The gateway alone, as its file says.
    Gateway(House),
}

/// Flags of `up`.
#[derive(Args, Clone)]
pub struct Up {
    /// Where users, keys and the backend's folder are kept.
    #[arg(
        long,
        value_name = "DIR",
        env = "SEALGATE_DATA",
        default_value = "sealgate-data"
    )]
    pub data: PathBuf,
    /// A TOML file; its fields stand in deploy/README.md.
    #[arg(long, value_name = "FILE", env = "SEALGATE_CONFIG")]
    pub config: Option<PathBuf>,
    /// A foreign S3 to stand before, instead of the folder. Its credentials come from
    /// SEALGATE_BACKEND_ACCESS_KEY_ID and SEALGATE_BACKEND_SECRET_ACCESS_KEY, or from
    /// --backend-credentials.
    #[arg(long, value_name = "URL", env = "SEALGATE_BACKEND")]
    pub backend: Option<String>,
    /// A TOML file with `access_key_id` and `secret_access_key` of the backend, readable by its
    /// owner alone.
    #[arg(long, value_name = "FILE", requires = "backend")]
    pub backend_credentials: Option<PathBuf>,
    /// The Region of both houses.
    #[arg(long, env = "SEALGATE_REGION", default_value = "us-east-1")]
    pub region: String,
    /// Take SSE-C and SSE-KMS over plain HTTP too: customer keys then cross the wire in clear.
    #[arg(long)]
    pub allow_insecure_sse: bool,
    /// Factor on every KMS request quota: at 0.001, 100 requests a second act as AWS's 100,000.
    #[arg(long, value_name = "FACTOR")]
    pub quota_scale: Option<f64>,
    /// KMS keys to make at start: TOML, or local-kms's YAML.
    #[arg(long, value_name = "FILE")]
    pub seed: Option<PathBuf>,
    /// Keep nothing: KMS keys in memory, the rest in a temporary folder.
    #[arg(long)]
    pub ephemeral: bool,
    /// For scripts: ephemeral ports, one JSON line on standard output when ready, and an end with
    /// status 0 when standard input closes.
    #[arg(long)]
    pub fixture: bool,
}

/// Flags of the KMS alone.
#[derive(Args)]
pub struct Kms {
    /// The KMS's TOML file; deploy/kms.toml shows every field.
    #[arg(
        long,
        value_name = "FILE",
        env = "SEALGATE_CONFIG",
        required_unless_present = "compat"
    )]
    pub config: Option<PathBuf>,
    /// Take the place of another emulator: its port, its account, and what its users rely on. With
    /// `local-kms`, its environment names are read, too.
    #[arg(long, value_name = "EMULATOR", value_parser = ["localstack", "moto", "local-kms"])]
    pub compat: Option<String>,
    /// KMS keys to make at start: TOML, or local-kms's YAML.
    #[arg(long, value_name = "FILE")]
    pub seed: Option<PathBuf>,
    /// Factor on every KMS request quota: at 0.001, 100 requests a second act as AWS's 100,000.
    #[arg(long, value_name = "FACTOR")]
    pub quota_scale: Option<f64>,
}

/// Flags of a house alone.
#[derive(Args)]
pub struct House {
    /// The house's TOML file; deploy/kms.toml and deploy/gateway.toml show every field.
    #[arg(long, value_name = "FILE", env = "SEALGATE_CONFIG")]
    pub config: PathBuf,
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
    fn unknown_flags_are_refused() {
        assert!(Arguments::try_parse_from(["sealgate", "--secret", "x"]).is_err());
    }
}
