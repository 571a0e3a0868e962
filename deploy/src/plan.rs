//! `sealgate plan`: how many KMS calls a use of S3 makes, what the quota does to them, and what each
//! remedy brings. It calls nothing. `deploy/PLAN.md` is its page.

mod calls;
mod page;
mod simulation;
mod trail;

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use flate2::read::MultiGzDecoder;
use kms::quota::Class;
use kms::quota::Config;
use kms::quota::Quotas;
use proto::identity::AccountId;
use proto::time::SystemClock;
use serde::Serialize;

use crate::announce;
use crate::cli::fields;
use crate::cli::mode::Mode;
use crate::cli::plan::Plan;
use crate::cli::plan::PlanFields;
use crate::plan::calls::Calls;
use crate::plan::simulation::Outcome;
use crate::plan::simulation::Situation;
use crate::retry::Policy;
use crate::single;

/// Prints the plan of the flags.
///
/// # Errors
///
/// When a file cannot be read or written.
pub fn run(flags: &Plan) -> anyhow::Result<()> {
    let flags = &with_profile(flags)?;
    let (text, page) = if flags.from.is_empty() {
        let forecast = Forecast::new(flags)?;
        let text = match flags.json {
            true => serde_json::to_string_pretty(&forecast)?,
            false => forecast.text(),
        };
        (text, page::forecast(&forecast)?)
    } else {
        let files = flags.from.iter().map(|file| records(file));
        let files = files.collect::<anyhow::Result<Vec<_>>>()?;
        let report = trail::Report::read(&files, flags.bucket_key_lifetime)?;
        let text = match flags.json {
            true => serde_json::to_string_pretty(&report)?,
            false => report.text(),
        };
        (text, page::records(&report)?)
    };
    if let Some(file) = &flags.html {
        let context = || format!("writing {}", file.display());
        std::fs::write(file, page).with_context(context)?;
    }
    announce::print_line(&text);
    Ok(())
}

/// The flags, or those of their file.
fn with_profile(flags: &Plan) -> anyhow::Result<Plan> {
    let Some(file) = &flags.profile else {
        return Ok(flags.clone());
    };
    let context = || format!("in {}", file.display());
    let text = std::fs::read_to_string(file).with_context(context)?;
    let mut plan = of_profile(&text).with_context(context)?;
    plan.json |= flags.json;
    plan.html = flags.html.clone().or(plan.html);
    Ok(plan)
}

/// The flags of a profile's text.
fn of_profile(text: &str) -> anyhow::Result<Plan> {
    let table = fields::table(text)?;
    anyhow::ensure!(
        !table.contains_key("profile"),
        "a profile cannot name another: there is no field `profile`"
    );
    Ok(fields::read::<PlanFields>(&table, &[])?.plan)
}

/// The text of a file, or of standard input; decompressed if gzip compressed it.
fn records(file: &Path) -> anyhow::Result<String> {
    let context = || format!("reading {}", file.display());
    let bytes = match file == Path::new("-") {
        true => {
            let mut bytes = Vec::new();
            let read = std::io::stdin().read_to_end(&mut bytes);
            read.map(|_| bytes)
        }
        false => std::fs::read(file),
    };
    decompressed(bytes.with_context(context)?).with_context(context)
}

/// The text of bytes.
fn decompressed(bytes: Vec<u8>) -> anyhow::Result<String> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(String::from_utf8(bytes)?);
    }
    let mut text = String::new();
    // Files that were put one after another are one, as gunzip has it.
    let mut gzip = MultiGzDecoder::new(bytes.as_slice()).take(TEXT_BYTES_MAX);
    gzip.read_to_string(&mut text)?;
    anyhow::ensure!(
        (text.len() as u64) < TEXT_BYTES_MAX,
        "it has more than 2 GiB of text: name its files one by one"
    );
    Ok(text)
}

/// More text would fill the memory of a small machine.
const TEXT_BYTES_MAX: u64 = 2 << 30;

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

    /// What asks AWS for a higher quota, if the one in force is met.
    fn command(&self) -> Option<String> {
        let code = self.quota_code.as_ref()?;
        let wanted = self.outcome.offered_per_s.ceil();
        (self.outcome.throttled_ratio > 0.0).then(|| {
            format!(
                "aws service-quotas request-service-quota-increase --service-code kms --quota-code {code} \
                 --region {} --desired-value {wanted}",
                self.region
            )
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
        lines.extend(self.command());
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn a_profile_has_the_flags_as_fields_and_names_what_is_wrong() {
        let plan = of_profile("put = 40\nbucket_keys_read = 3\nmode = \"bucket-key\"").unwrap();
        assert_eq!(
            (plan.put.to_string().as_str(), plan.bucket_keys_read),
            ("40", 3)
        );
        assert_eq!(plan.mode, Mode::BucketKey);
        for (text, expected) in [
            ("putt = 1", "is `put` meant?"),
            ("put = -1", "field `put`"),
            ("profile = \"x\"", "no field `profile`"),
            ("put = ", "line 1"),
        ] {
            let refusal = format!("{:#}", of_profile(text).err().unwrap());
            assert!(refusal.contains(expected), "{refusal}");
        }
    }

    #[test]
    fn records_may_be_compressed_and_several_files_in_one() {
        let gzip = |text: &str| {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(text.as_bytes()).unwrap();
            gzip.finish().unwrap()
        };
        let both = [gzip("one\n"), gzip("two\n")].concat();
        assert_eq!(decompressed(both).unwrap(), "one\ntwo\n");
        assert_eq!(decompressed(b"one".to_vec()).unwrap(), "one");
        let mut cut = gzip("one");
        cut.pop();
        assert!(decompressed(cut).is_err());
    }
}
