//! What objects cost the KMS.

use serde::Serialize;

use crate::load::counts::BucketKeys;
use crate::load::counts::Counts;
use crate::load::objects;
use crate::load::recorder::Totals;

/// KMS calls for objects that were written or read.
#[derive(Debug, PartialEq, Serialize)]
pub(in crate::load) struct ObjectCosts {
    /// PutObject or GetObject.
    pub(in crate::load) operation: &'static str,
    /// Requests that were served.
    pub(in crate::load) served: u64,
    /// What S3 calls for them.
    pub(in crate::load) kms_operation: &'static str,
    /// Its calls with success, by the KMS's count.
    pub(in crate::load) kms_calls: u64,
    /// Its calls that were throttled.
    pub(in crate::load) kms_throttled: u64,
    /// Calls with success by objects that were served; none if none was.
    pub(in crate::load) kms_calls_per_object: Option<f64>,
}

/// What Bucket Keys saved, by the gateway's count.
#[derive(Debug, PartialEq, Serialize)]
pub(in crate::load) struct BucketKeyUse {
    /// Objects that needed no call of the KMS: the calls that were saved.
    pub(in crate::load) saved_calls: u64,
    /// Calls of the KMS that made or unwrapped a bucket key.
    pub(in crate::load) calls: u64,
}

impl ObjectCosts {
    /// The costs of writes and of reads.
    pub(super) fn of_both(totals: &Totals, counts: &Counts) -> Vec<Self> {
        let both = [(objects::PUT, "GenerateDataKey"), (objects::GET, "Decrypt")];
        let sent = both
            .into_iter()
            .filter(|(operation, _)| totals.operations.contains_key(operation));
        let costs = sent.map(|(operation, kms_operation)| {
            let served = totals.served.get(operation).copied().unwrap_or_default();
            let calls = counts.for_objects.get(kms_operation);
            let calls = calls.copied().unwrap_or_default();
            Self {
                operation,
                served,
                kms_operation,
                kms_calls: calls.served,
                kms_throttled: calls.throttled,
                kms_calls_per_object: (served > 0).then(|| calls.served as f64 / served as f64),
            }
        });
        costs.collect()
    }
}

impl From<BucketKeys> for BucketKeyUse {
    fn from(counted: BucketKeys) -> Self {
        Self {
            saved_calls: counted.hits,
            calls: counted.misses,
        }
    }
}
