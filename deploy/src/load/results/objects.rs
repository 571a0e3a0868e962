//! What objects cost the KMS.

use crate::load::counts::BucketKeys;
use crate::load::counts::Counts;
use crate::load::objects;
use crate::load::recorder::Totals;
use crate::report::results::BucketKeyUse;
use crate::report::results::ObjectCosts;

/// The costs of writes and of reads.
pub(super) fn costs(totals: &Totals, counts: &Counts) -> Vec<ObjectCosts> {
    let both = [(objects::PUT, "GenerateDataKey"), (objects::GET, "Decrypt")];
    let sent = both
        .into_iter()
        .filter(|(operation, _)| totals.operations.contains_key(operation));
    let costs = sent.map(|(operation, kms_operation)| {
        let served = totals.served.get(operation).copied().unwrap_or_default();
        let calls = counts.for_objects.get(kms_operation);
        let calls = calls.copied().unwrap_or_default();
        ObjectCosts {
            operation: operation.to_owned(),
            served,
            kms_operation: kms_operation.to_owned(),
            kms_calls: calls.served,
            kms_throttled: calls.throttled,
            kms_calls_per_object: (served > 0).then(|| calls.served as f64 / served as f64),
        }
    });
    costs.collect()
}

/// What Bucket Keys saved.
pub(super) fn bucket_key_use(counted: BucketKeys) -> BucketKeyUse {
    BucketKeyUse {
        saved_calls: counted.hits,
        calls: counted.misses,
    }
}
