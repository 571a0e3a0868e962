//! `sealgate plan`: how many KMS calls a use of S3 makes, what the quota does to them, and what each
//! remedy brings. It calls nothing. `deploy/PLAN.md` is its page.

mod calls;
mod simulation;
mod trail;

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use kms::quota::Class;
use kms::quota::Config;
use kms::quota::Quotas;
use proto::identity::AccountId;
use proto::time::SystemClock;
use serde::Serialize;

use crate::announce;
use crate::cli::plan::Mode;
use crate::cli::plan::Plan;
use crate::plan::calls::Calls;
use crate::plan::simulation::Outcome;
use crate::plan::simulation::Situation;
use crate::retry::Policy;
use crate::single;

/// Prints the plan of the flags.
///
/// # Errors
///
/// When a file of records cannot be read.
pub fn run(flags: &Plan) -> anyhow::Result<()> {
    if let Some(file) = &flags.from {
        let report = trail::Report::read(&records(file)?, flags.bucket_key_lifetime)?;
        let text = if flags.json {
            serde_json::to_string_pretty(&report)?
        } else {
            report.text()
        };
        announce::print_line(&text);
        return Ok(());
    }
    let forecast = Forecast::new(flags)?;
    let text = if flags.json {
        serde_json::to_string_pretty(&forecast)?
    } else {
        forecast.text()
    };
    announce::print_line(&text);
    Ok(())
}

/// The text of a file, or of standard input.
fn records(file: &Path) -> anyhow::Result<String> {
    let context = || format!("reading {}", file.display());
    let mut bytes = Vec::new();
    match file == Path::new("-") {
        true => std::io::stdin()
            .read_to_end(&mut bytes)
            .with_context(context)?,
        false => {
            bytes = std::fs::read(file).with_context(context)?;
            bytes.len()
        }
    };
    anyhow::ensure!(
        !bytes.starts_with(&[0x1f, 0x8b]),
        "{} is compressed: gunzip -c FILE | sealgate plan --from -",
        file.display()
    );
    String::from_utf8(bytes).with_context(context)
}

/// What a use of S3 costs the KMS.
#[derive(Debug, Serialize)]
struct Forecast {
    /// The Region.
    region: String,
    /// Calls that S3 makes.
    calls: Calls,
    /// The quota's rate, in requests a second.
    quota: f64,
    /// AWS's name of the quota.
    quota_name: String,
    /// Its code.
    quota_code: Option<String>,
    /// What the quota does in the busiest seconds.
    outcome: Outcome,
    /// The same with one change each.
    remedies: Vec<Remedy>,
    /// Dollars a month at the mean rate.
    dollars_a_month: f64,
}

/// A change, and what the quota does after it.
#[derive(Debug, Serialize)]
struct Remedy {
    name: String,
    calls_per_s: f64,
    outcome: Outcome,
}

impl Forecast {
    fn new(flags: &Plan) -> anyhow::Result<Self> {
        let class = Class::CryptographicOperationsSymmetric;
        let mut config = Config::default();
        single::set_quotas(&mut config, None, &flags.quota);
        let quotas = Quotas::new(config, std::sync::Arc::new(SystemClock))?;
        let account: AccountId = "000000000000".parse()?;
        let quota = quotas.rate(&account, &flags.region, class).as_per_second();
        let calls = Calls::new(flags, flags.mode);
        let situation = Situation {
            rate_per_s: calls.per_s * flags.burst,
            quota_per_s: quota,
            retry: flags.retry,
            clients: flags.clients,
            arrival: flags.arrival,
            horizon_s: flags.horizon.as_secs(),
            seed: flags.seed,
        };
        let row = quotas.profile().row(class).clone();
        Ok(Self {
            region: flags.region.to_string(),
            quota,
            quota_name: row.name,
            quota_code: row.code,
            outcome: situation.simulate(),
            remedies: remedies(flags, situation),
            dollars_a_month: dollars_a_month(calls.per_s),
            calls,
        })
    }

    fn text(&self) -> String {
        let mut lines = vec![
            format!(
                "{} ({}) in {}: {}/s",
                self.quota_name,
                self.quota_code.as_deref().unwrap_or("no code"),
                self.region,
                self.quota
            ),
            format!(
                "KMS calls: {:.1}/s; a PUT {}, a GET {}, a COPY {}",
                self.calls.per_s, self.calls.per_put, self.calls.per_get, self.calls.per_copy
            ),
            String::new(),
            format!(
                "{:<42}{:>10}{:>10}{:>12}{:>12}{:>10}",
                "in the busiest seconds",
                "calls/s",
                "served/s",
                "throttled %",
                "given up %",
                "attempts"
            ),
        ];
        let row = |name: &str, calls: f64, it: &Outcome| {
            format!(
                "{name:<42}{calls:>10.0}{:>10.0}{:>12.1}{:>12.1}{:>10.2}",
                it.served_per_s,
                it.throttled_ratio * 100.0,
                it.given_up_ratio * 100.0,
                it.amplification
            )
        };
        lines.push(row("as it is", self.outcome.offered_per_s, &self.outcome));
        for remedy in &self.remedies {
            lines.push(row(&remedy.name, remedy.calls_per_s, &remedy.outcome));
        }
        lines.push(String::new());
        lines.push(format!(
            "${:.2} a month at the mean rate ($0.03 for 10,000 requests, 20,000 free)",
            self.dollars_a_month
        ));
        if let (true, Some(code)) = (self.outcome.throttled_ratio > 0.0, &self.quota_code) {
            let wanted = self.outcome.offered_per_s.ceil();
            lines.push(format!(
                "aws service-quotas request-service-quota-increase --service-code kms --quota-code {code} \
                 --region {} --desired-value {wanted}",
                self.region
            ));
        }
        if let Some(note) = &self.calls.note {
            lines.push(note.clone());
        }
        lines.join("\n")
    }
}

/// The same situation with one change each.
fn remedies(flags: &Plan, as_it_is: Situation) -> Vec<Remedy> {
    let remedy = |name: &str, situation: Situation| Remedy {
        name: name.to_owned(),
        calls_per_s: situation.rate_per_s,
        outcome: situation.simulate(),
    };
    let mut remedies = Vec::new();
    if matches!(flags.mode, Mode::SseKms | Mode::Dsse) {
        let rate_per_s = Calls::new(flags, Mode::BucketKey).per_s * flags.burst;
        let name = "with Bucket Keys";
        remedies.push(remedy(
            name,
            Situation {
                rate_per_s,
                ..as_it_is
            },
        ));
    }
    let quota_per_s = as_it_is.quota_per_s * 2.0;
    remedies.push(remedy(
        "with twice the quota",
        Situation {
            quota_per_s,
            ..as_it_is
        },
    ));
    if flags.retry != Policy::Adaptive {
        let retry = Policy::Adaptive;
        remedies.push(remedy(
            "with adaptive retries",
            Situation { retry, ..as_it_is },
        ));
    }
    if flags.burst > 1.0 {
        let rate_per_s = as_it_is.rate_per_s / flags.burst;
        remedies.push(remedy(
            "spread evenly, without bursts",
            Situation {
                rate_per_s,
                ..as_it_is
            },
        ));
    }
    remedies
}

/// Source: <https://aws.amazon.com/kms/pricing/>.
fn dollars_a_month(calls_per_s: f64) -> f64 {
    let calls = calls_per_s * 30.0 * 86_400.0;
    (calls - 20_000.0).max(0.0) / 10_000.0 * 0.03
}
