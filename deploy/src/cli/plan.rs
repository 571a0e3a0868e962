//! The flags of `sealgate plan`.

use std::path::PathBuf;

use clap::Args;
use clap::Parser;
use kms::quota::Adjustment;
use proto::identity::Region;

use crate::cli::load::Arrival;
use crate::cli::mode::Mode;
use crate::retry::Policy;

/// Flags of `plan`.
#[derive(Args, Clone)]
pub struct Plan {
    /// The Region, whose quotas apply.
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1")]
    pub region: Region,
    /// Objects written a second.
    #[arg(long, value_name = "RATE", default_value_t = 0.0, value_parser = super::load::rate)]
    pub put: f64,
    /// Objects read a second.
    #[arg(long, value_name = "RATE", default_value_t = 0.0, value_parser = super::load::rate)]
    pub get: f64,
    /// Objects copied a second.
    #[arg(long, value_name = "RATE", default_value_t = 0.0, value_parser = super::load::rate)]
    pub copy: f64,
    /// Parts of each object that is written; 1 is a PutObject.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub parts: u32,
    /// GetObject requests for each object that is read: a Parquet reader makes one for the footer and one
    /// a column.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub ranges: u32,
    /// How objects are encrypted.
    #[arg(long, value_enum, default_value_t = Mode::SseKms)]
    pub mode: Mode,
    /// Principals that write and read: a Bucket Key is for each of them.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub requesters: u32,
    /// Buckets in use.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub buckets: u32,
    /// Bucket keys that the objects read in one bucket are sealed under: old data is spread over many.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub bucket_keys_read: u32,
    /// How long a Bucket Key is used. AWS does not publish it.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = super::lifetime)]
    pub bucket_key_lifetime: std::time::Duration,
    /// Other KMS requests a second against the same quota.
    #[arg(long, value_name = "RATE", default_value_t = 0.0, value_parser = super::load::rate)]
    pub other: f64,
    /// The busiest second by the mean one.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = burst)]
    pub burst: f64,
    /// How requests arrive.
    #[arg(long, value_enum, default_value_t = Arrival::Poisson)]
    pub arrival: Arrival,
    /// How clients retry.
    #[arg(long, value_name = "POLICY", default_value = "standard")]
    pub retry: Policy,
    /// Independent clients that share the requests.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub clients: u32,
    /// A quota that AWS raised, such as CryptographicOperationsSymmetric=20000.
    #[arg(long, value_name = "CLASS=RATE", value_parser = super::quota)]
    pub quota: Vec<Adjustment>,
    /// Seconds that are simulated.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = super::lifetime)]
    pub horizon: std::time::Duration,
    /// The seed of arrivals and jitter.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// CloudTrail records instead: a file of `Records`, of one record a line, or `-`, compressed by gzip or not;
    /// may be repeated. It reports who used the quota, and what Bucket Keys would save.
    #[arg(long, value_name = "FILE")]
    pub from: Vec<PathBuf>,
    /// A TOML file whose fields are these flags, with `_` for `-`. Flags beside it are of output only.
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "put", "get", "copy", "parts", "ranges", "mode", "requesters", "buckets", "bucket_keys_read",
        "bucket_key_lifetime", "other", "burst", "arrival", "retry", "clients", "quota", "horizon", "seed", "from",
    ])]
    pub profile: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Write a report of one HTML file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// The fields of a file of `--profile`.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
pub struct PlanFields {
    /// They are the flags.
    #[command(flatten)]
    pub plan: Plan,
}

/// Reads a factor of at least 1.
fn burst(text: &str) -> Result<f64, String> {
    let factor = text.parse::<f64>().ok();
    let usable = factor.filter(|factor| (1.0..=1_000.0).contains(factor));
    usable.ok_or_else(|| format!("`{text}` is no factor from 1 to 1000"))
}
