//! Results as a file has them, for tests.

use crate::report::results::Results;

/// The file: a run of objects whose KMS throttled, and the same with Bucket Keys.
pub(crate) const TEXT: &str = include_str!("sample.json");

/// The results of that file.
pub(crate) fn of_objects() -> Results {
    serde_json::from_str(TEXT).unwrap()
}

/// The same of a run that called the KMS alone.
pub(crate) fn of_kms() -> Results {
    let mut results = of_objects();
    results.scenario.clear();
    results.objects.clear();
    results.bucket_keys = None;
    results.streams.clear();
    results.comparisons.clear();
    results
}
