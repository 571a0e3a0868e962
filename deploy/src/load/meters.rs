//! The meters of a KMS, read in each second: what it served and throttled in the one before.
//!
//! A client receives the answers of one window in two of its own seconds; the KMS counts when it decides.

use std::time::Duration;

use anyhow::Context as _;
use kms::quota::SecondUsage;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::load::world::World;

/// What one quota counted in one second of a run.
#[derive(Clone, Debug)]
pub(super) struct MeterSecond {
    /// The second since the start of the run.
    pub(super) t: u64,
    /// The quota.
    pub(super) quota: Quota,
    /// What was counted.
    pub(super) usage: SecondUsage,
}

/// A quota that was used.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quota {
    /// The account.
    pub(super) account: String,
    /// The Region.
    pub(super) region: String,
    /// The class.
    pub(super) class: String,
    /// AWS's name of it.
    pub(super) name: String,
    /// Service Quotas' code of it, where it has one.
    pub(super) code: Option<String>,
    /// Requests a second in force.
    pub(super) rate: f64,
}

/// When a run starts: a whole second of the KMS's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    /// By the clock of this process.
    pub(super) at: Instant,
    /// The same, by the KMS's clock: seconds since 1970.
    pub(super) unix_s: i64,
}

impl Start {
    /// The first whole second of the KMS's clock that is at least `after` from now.
    ///
    /// # Errors
    ///
    /// When the clock cannot be read, or stands still.
    pub(super) async fn align(world: &World, after: Duration) -> anyhow::Result<Self> {
        let before = Instant::now();
        let clock = world.admin("/admin/clock").await?;
        let read_at = before + before.elapsed() / 2;
        let frozen = clock.get("frozen").and_then(Value::as_bool);
        anyhow::ensure!(
            frozen == Some(false),
            "the KMS's clock is frozen, so that its quotas never begin anew: POST /admin/clock with \
             {{\"frozen\": false}}"
        );
        let unix_ms = clock.get("unix_ms").and_then(Value::as_i64);
        let unix_ms = unix_ms.context("the admin port's clock has no unix_ms")?;
        let after_ms = i64::try_from(after.as_millis())?;
        let unix_s = (unix_ms + after_ms).div_euclid(1_000) + 1;
        let until = Duration::from_millis((unix_s * 1_000 - unix_ms).unsigned_abs());
        Ok(Self {
            at: read_at + until,
            unix_s,
        })
    }

    /// Reads the meters once in each second, in its middle, until dropped; each full second goes to
    /// `seconds` with its number, without meters if they could not be read in time.
    pub(super) async fn watch(
        self,
        world: &World,
        mut seconds: impl FnMut(u64, Option<Vec<MeterSecond>>),
    ) {
        for t in 0.. {
            let middle = self.at + Duration::from_secs(t) + Duration::from_millis(1_500);
            tokio::time::sleep_until(middle).await;
            match read(world).await {
                Ok(report) => seconds(t, report.of_second(t, self.unix_s)),
                // The results state that the second has no meters.
                Err(error) => {
                    tracing::warn!("the meters of second {t} are missing: {error:#}");
                    seconds(t, None);
                }
            }
        }
    }
}

async fn read(world: &World) -> anyhow::Result<Report> {
    let report = world.admin("/admin/quotas").await?;
    serde_json::from_value(report).context("the admin port's quotas: another version of Sealgate?")
}

/// What the admin port reports.
#[derive(Deserialize)]
struct Report {
    usage: Vec<UsageRow>,
    quotas: Vec<QuotaRow>,
}

#[derive(Deserialize)]
struct UsageRow {
    account: String,
    region: String,
    class: String,
    rate: f64,
    previous_second: SecondUsage,
}

#[derive(Deserialize)]
struct QuotaRow {
    class: String,
    name: String,
    code: Option<String>,
}

impl Report {
    /// What was counted in a second; none if a later one has ended since.
    fn of_second(self, t: u64, start_unix_s: i64) -> Option<Vec<MeterSecond>> {
        let unix_s = start_unix_s.saturating_add_unsigned(t);
        let Self { usage, quotas } = self;
        let is_later = |row: &UsageRow| i64::from(row.previous_second.unix_s) > unix_s;
        if usage.iter().any(is_later) {
            return None;
        }
        let used = usage.into_iter().filter(|row| {
            let counted = row.previous_second;
            i64::from(counted.unix_s) == unix_s && counted.allowed + counted.throttled > 0
        });
        let second = |row: UsageRow| {
            let named = quotas.iter().find(|quota| quota.class == row.class);
            MeterSecond {
                t,
                usage: row.previous_second,
                quota: Quota {
                    account: row.account,
                    region: row.region,
                    name: named.map_or_else(String::new, |quota| quota.name.clone()),
                    code: named.and_then(|quota| quota.code.clone()),
                    class: row.class,
                    rate: row.rate,
                },
            }
        };
        Some(used.map(second).collect())
    }
}
