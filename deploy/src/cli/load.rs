//! The flags of `sealgate load`. The fields of a scenario file are these flags, too.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;
use kms::quota::Adjustment;
use proto::identity::Region;
use serde::Deserialize;
use serde::Serialize;

use crate::cli::change::Change;
use crate::cli::mode::Mode;
use crate::cli::threshold::Threshold;
use crate::retry::Policy;

/// Flags of `load`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub struct Load {
    /// What is called.
    #[command(subcommand)]
    pub service: Option<LoadService>,
    /// A TOML file with several streams of requests at once, and stages: deploy/LOAD.md.
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// Where its results go.
    #[command(flatten)]
    pub output: Output,
}

/// What is called.
#[derive(Subcommand)]
pub enum LoadService {
    /// Call a KMS at a fixed rate: an own one in this process, or that of --endpoint.
    Kms(LoadKms),
    /// Write and read objects at a fixed rate, and count the KMS calls: with an own KMS, gateway and backend in
    /// this process, or those of --endpoint.
    S3(LoadS3),
}

/// Flags of `load kms`.
#[derive(Args, Clone)]
pub struct LoadKms {
    /// Which calls.
    #[command(flatten)]
    pub calls: KmsCalls,
    /// When, and by whom.
    #[command(flatten)]
    pub traffic: Traffic,
    /// Where, and what is expected.
    #[command(flatten)]
    pub run: Run,
    /// Where results go.
    #[command(flatten)]
    pub output: Output,
}

/// Flags of `load s3`.
#[derive(Args, Clone)]
pub struct LoadS3 {
    /// Which objects.
    #[command(flatten)]
    pub objects: S3Objects,
    /// When, and by whom.
    #[command(flatten)]
    pub traffic: Traffic,
    /// Where, and what is expected.
    #[command(flatten)]
    pub run: Run,
    /// Where results go.
    #[command(flatten)]
    pub output: Output,
}

/// The fields of a scenario file beside its streams.
#[derive(Parser, Clone)]
#[command(no_binary_name = true, disable_help_flag = true)]
pub struct FileFields {
    /// Where, and what is expected.
    #[command(flatten)]
    pub run: Run,
    /// Where results go.
    #[command(flatten)]
    pub output: Output,
}

/// The fields of a stream of KMS calls.
#[derive(Parser, Clone)]
#[command(no_binary_name = true, disable_help_flag = true)]
pub struct KmsStream {
    /// Which calls.
    #[command(flatten)]
    pub calls: KmsCalls,
    /// When, and by whom.
    #[command(flatten)]
    pub traffic: Traffic,
}

/// The fields of a stream of requests for objects.
#[derive(Parser, Clone)]
#[command(no_binary_name = true, disable_help_flag = true)]
pub struct S3Stream {
    /// Which objects.
    #[command(flatten)]
    pub objects: S3Objects,
    /// When, and by whom.
    #[command(flatten)]
    pub traffic: Traffic,
}

/// Which KMS calls are made.
#[derive(Args, Clone, Debug)]
pub struct KmsCalls {
    /// Requests a second, whether the KMS keeps up or not.
    #[arg(long, value_name = "RATE", default_value_t = 1_000.0, value_parser = rate)]
    pub rate: f64,
    /// Operations and their weights.
    #[arg(long, value_name = "NAME=WEIGHT,...", value_delimiter = ',', default_value = "GenerateDataKey=1", value_parser = weighted)]
    pub op: Vec<(String, u32)>,
    /// How many KMS keys are used in turn. They are created, and scheduled for deletion after a run against
    /// --endpoint.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub keys: u32,
}

/// Which requests are made for objects.
#[derive(Args, Clone, Debug)]
pub struct S3Objects {
    /// Objects written a second.
    #[arg(long, value_name = "RATE", default_value_t = 0.0, value_parser = rate)]
    pub put: f64,
    /// Objects read a second.
    #[arg(long, value_name = "RATE", default_value_t = 0.0, value_parser = rate)]
    pub get: f64,
    /// Sizes of objects and their weights.
    #[arg(long, value_name = "SIZE=WEIGHT,...", value_delimiter = ',', default_value = "4KiB=1", value_parser = size)]
    pub size: Vec<(u64, u32)>,
    /// How objects are encrypted.
    #[arg(long, value_enum, default_value_t = Mode::SseKms)]
    pub mode: Mode,
    /// Buckets, used at random.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub buckets: u32,
    /// Users of one account who write and read, at random: a Bucket Key is for one of them. More than one need
    /// an own Sealgate.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub requesters: u32,
}

/// When requests are due, and how their clients act.
#[derive(Args, Clone, Debug)]
pub struct Traffic {
    /// How long, such as 30s or 5m.
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = super::lifetime)]
    pub duration: Duration,
    /// Before that, a rate that grows or falls evenly, such as 0:12000:60s; may be repeated. Of objects it is
    /// that of writes and reads together.
    #[arg(long, value_name = "FROM:TO:TIME", value_parser = ramp)]
    pub ramp: Vec<Stage>,
    /// Independent clients that share the requests, each with a retry quota and a rate limiter of its own.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub clients: u32,
    /// How clients retry: none, legacy-python, legacy-java, legacy-cpp, standard-2025, standard, adaptive,
    /// fixed:200ms:30 or full-jitter:100ms:20s:5.
    #[arg(long, value_name = "POLICY", default_value = "none")]
    pub retry: Policy,
    /// How requests arrive.
    #[arg(long, value_enum, default_value_t = Arrival::Constant)]
    pub arrival: Arrival,
}

/// Where requests go, and what is expected of a run.
#[derive(Args, Clone)]
pub struct Run {
    /// The seed of arrivals, operations and jitter: the same one repeats them.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How long requests are sent at a tenth of the first rate, and not counted, before the run.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = super::lifetime)]
    pub warmup: Duration,
    /// Most connections to a service.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: u32,
    /// The Region of the requests.
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1")]
    pub region: Region,
    /// The rate of one quota in requests a second, such as CryptographicOperationsSymmetric=50; may be
    /// repeated.
    #[arg(long, value_name = "CLASS=RATE", value_parser = super::quota, conflicts_with = "endpoint")]
    pub quota: Vec<Adjustment>,
    /// Factor on every KMS request quota.
    #[arg(long, value_name = "FACTOR", value_parser = super::factor, conflicts_with = "endpoint")]
    pub quota_scale: Option<f64>,
    /// How quotas are enforced: window, as at AWS, or bucket.
    #[arg(long, value_name = "SHAPE", value_parser = shape, conflicts_with = "endpoint")]
    pub shape: Option<kms::quota::Shape>,
    /// A running KMS, or a running gateway of S3, instead of an own one. Credentials come from AWS_ACCESS_KEY_ID
    /// and AWS_SECRET_ACCESS_KEY.
    #[arg(long, value_name = "URL", requires = "admin_endpoint")]
    pub endpoint: Option<String>,
    /// The admin port of the KMS that runs, whose clock, meters and counts are read.
    #[arg(long, value_name = "URL", requires = "endpoint")]
    pub admin_endpoint: Option<String>,
    /// The admin port of the gateway that runs, whose count of Bucket Keys is read.
    #[arg(long, value_name = "URL", requires = "endpoint")]
    pub gateway_admin_endpoint: Option<String>,
    /// The token of those admin ports, if they demand one.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "SEALGATE_ADMIN_TOKEN",
        hide_env_values = true
    )]
    pub admin_token: Option<String>,
    /// Allow an endpoint beyond loopback. AWS's own are refused always.
    #[arg(long)]
    pub allow_remote: bool,
    /// Exit with status 99 unless this holds, such as 'throttled<1%', 'p99<200ms' or 'served>=99% of quota';
    /// may be repeated.
    #[arg(long, value_name = "EXPRESSION")]
    pub threshold: Vec<Threshold>,
    /// Run again from the same seed with one change: bucket-key, quota=2x or retry=POLICY; may be repeated.
    #[arg(long, value_name = "CHANGE")]
    pub compare: Vec<Change>,
}

/// Where results go.
#[derive(Args, Clone, Default)]
pub struct Output {
    /// Write the results as JSON to a file, or to standard output for `-`.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write a report of one HTML file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Keep the report in the data folder of the `sealgate up` that runs here, whose console shows it.
    #[arg(long)]
    pub keep: bool,
    /// That folder [env: SEALGATE_DATA] [default: sealgate-data].
    #[arg(long, value_name = "DIR", requires = "keep")]
    pub data: Option<PathBuf>,
    /// No progress.
    #[arg(long)]
    pub quiet: bool,
}

impl Output {
    /// The data folder of the `up` that keeps the report.
    #[must_use]
    pub fn data_folder(&self) -> PathBuf {
        super::data_folder(self.data.as_ref())
    }
}

/// How requests arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrival {
    /// Evenly.
    Constant,
    /// At random, independently of each other.
    Poisson,
}

/// A stretch of time whose rate is constant, or grows or falls evenly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Requests a second at its beginning.
    pub from_per_s: f64,
    /// Requests a second at its end.
    pub to_per_s: f64,
    /// How long it lasts, in seconds.
    pub duration_s: f64,
}

/// Reads a rate of requests.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok();
    let usable = rate.filter(|rate| (0.0..=1_000_000.0).contains(rate));
    usable.ok_or_else(|| format!("`{text}` is no rate from 0 to 1000000 a second"))
}

/// Reads a stage such as 0:12000:60s.
fn ramp(text: &str) -> Result<Stage, String> {
    let form = || format!("`{text}` is not of the form 0:12000:60s");
    let mut fields = text.split(':');
    let mut field = || fields.next().ok_or_else(form);
    let (from_per_s, to_per_s) = (rate(field()?)?, rate(field()?)?);
    let duration_s = super::lifetime(field()?)?.as_secs_f64();
    Ok(Stage {
        from_per_s,
        to_per_s,
        duration_s,
    })
}

/// Reads the name of an operation and its weight.
fn weighted(text: &str) -> Result<(String, u32), String> {
    let (name, weight) = text.split_once('=').unwrap_or((text, "1"));
    let weight = weight.parse::<u32>().ok().filter(|weight| *weight > 0);
    let weight = weight.ok_or_else(|| format!("the weight of `{text}` is no number above 0"))?;
    Ok((name.to_owned(), weight))
}

/// Reads the size of an object and its weight.
fn size(text: &str) -> Result<(u64, u32), String> {
    let (size, weight) = weighted(text)?;
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("B", 1), ("", 1)];
    let bytes = units.iter().find_map(|(unit, bytes)| {
        let number: u64 = size.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*bytes)
    });
    let bytes = bytes.filter(|bytes| *bytes <= OBJECT_BYTES_MAX);
    let bytes = bytes.ok_or_else(|| format!("`{size}` is no size such as 4KiB, up to 16MiB"))?;
    Ok((bytes, weight))
}

/// Reads how quotas are enforced.
fn shape(text: &str) -> Result<kms::quota::Shape, String> {
    match text {
        "window" => Ok(kms::quota::Shape::Window),
        "bucket" => Ok(kms::quota::Shape::Bucket),
        _ => Err(format!("`{text}` is neither window nor bucket")),
    }
}

/// The largest object: what a run writes is in memory once.
const OBJECT_BYTES_MAX: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_and_weights() {
        assert_eq!(size("4KiB=70"), Ok((4_096, 70)));
        assert_eq!(size("1MiB"), Ok((1 << 20, 1)));
        assert_eq!((size("100B=2"), size("0")), (Ok((100, 2)), Ok((0, 1))));
        for text in [
            "17MiB",
            "4kb",
            "-1",
            "",
            "4KiB=0",
            "99999999999999999999MiB",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
