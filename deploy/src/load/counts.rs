//! What the KMS and the gateway count over a whole run: calls by operation, and uses of Bucket Keys.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Deserialize;
use tokio::time::Instant;

use crate::load::world::World;

/// Where counting begins.
pub(super) struct Mark {
    kms: u64,
    bucket_keys: Option<BucketKeys>,
}

/// What was counted from a mark on.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    /// Calls of the KMS by operation.
    pub(super) calls: BTreeMap<String, Calls>,
    /// Of these, what S3 called for its clients.
    pub(super) for_objects: BTreeMap<String, Calls>,
    /// Uses of Bucket Keys; none if the gateway's admin port is not known.
    pub(super) bucket_keys: Option<BucketKeys>,
}

/// Calls of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Calls {
    /// With success.
    pub(super) served: u64,
    /// Throttled.
    pub(super) throttled: u64,
    /// With another error.
    pub(super) failed: u64,
}

/// Uses of Bucket Keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BucketKeys {
    /// Objects that needed no call of the KMS.
    pub(super) hits: u64,
    /// Calls of the KMS.
    pub(super) misses: u64,
}

/// What the admin port reports of calls.
#[derive(Deserialize)]
struct Report {
    calls: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    operation: String,
    outcome: String,
    via_service: Option<String>,
    count: u64,
}

impl Mark {
    /// Sets a mark at a time.
    ///
    /// # Errors
    ///
    /// When an admin port does not answer.
    pub(super) async fn set(world: &World, at: Instant) -> anyhow::Result<Self> {
        tokio::time::sleep_until(at).await;
        Ok(Self {
            kms: world.mark().await?,
            bucket_keys: bucket_keys(world).await?,
        })
    }

    /// What was counted since.
    ///
    /// # Errors
    ///
    /// When an admin port does not answer.
    pub(super) async fn counts(self, world: &World) -> anyhow::Result<Counts> {
        let report = world
            .admin(&format!("/admin/calls?since={}", self.kms))
            .await?;
        let report: Report =
            serde_json::from_value(report).context("the admin port's calls: another version?")?;
        let mut counts = Counts::default();
        for row in &report.calls {
            let operation = || row.operation.clone();
            counts.calls.entry(operation()).or_default().add(row);
            if row.via_service.is_some() {
                counts.for_objects.entry(operation()).or_default().add(row);
            }
        }
        let now = bucket_keys(world).await?;
        let since = |(now, then): (BucketKeys, BucketKeys)| BucketKeys {
            hits: now.hits.saturating_sub(then.hits),
            misses: now.misses.saturating_sub(then.misses),
        };
        counts.bucket_keys = now.zip(self.bucket_keys).map(since);
        Ok(counts)
    }
}

impl Calls {
    fn add(&mut self, row: &Row) {
        match &*row.outcome {
            "OK" => self.served += row.count,
            "ThrottlingException" => self.throttled += row.count,
            _ => self.failed += row.count,
        }
    }

    /// Of every outcome.
    #[must_use]
    pub(super) fn all(&self) -> u64 {
        self.served + self.throttled + self.failed
    }
}

async fn bucket_keys(world: &World) -> anyhow::Result<Option<BucketKeys>> {
    let metrics = world.gateway_metrics().await?;
    let read = |metrics: String| {
        let counted = BucketKeys::read(&metrics);
        counted.context(
            "the port of --gateway-admin-endpoint has no counts of Bucket Keys: is it a gateway's?",
        )
    };
    metrics.map(read).transpose()
}

impl BucketKeys {
    /// Reads metrics in Prometheus's text format; none without both, which a gateway has from its start.
    fn read(metrics: &str) -> Option<Self> {
        let value = |name: &str| {
            let mut lines = metrics.lines();
            let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value?.trim().parse().ok()
        };
        Some(Self {
            hits: value("sealgate_bucket_key_hits_total")?,
            misses: value("sealgate_bucket_key_misses_total")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read_by_their_whole_names_and_another_port_has_none() {
        let text = "# TYPE sealgate_bucket_key_hits_total counter\nsealgate_bucket_key_hits_total_x 9\n\
                    sealgate_bucket_key_hits_total 12\nsealgate_bucket_key_misses_total 0\n";
        let expected = BucketKeys {
            hits: 12,
            misses: 0,
        };
        assert_eq!(BucketKeys::read(text), Some(expected));
        assert_eq!(BucketKeys::read("sealgate_kms_calls_total 5\n"), None);
    }
}
