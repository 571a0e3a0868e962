//! A run that was made up.

use kms::quota::SecondUsage;
use tokio::sync::mpsc;

use super::*;
use crate::load::counts::BucketKeys;
use crate::load::counts::Calls;
use crate::load::objects::PUT;
use crate::load::recorder::Recorder;
use crate::report::results::Comparison;

fn quota(rate: f64) -> Quota {
    Quota {
        account: "111122223333".to_owned(),
        region: "us-east-1".to_owned(),
        class: "CryptographicOperationsSymmetric".to_owned(),
        name: "Cryptographic operations (symmetric) request rate".to_owned(),
        code: Some("L-6E3AF000".to_owned()),
        rate,
    }
}

/// A run of three seconds at 15 requests a second against a quota of 10, in whose second number 1 the
/// generator was late and little was served.
fn measured() -> Measured {
    let client = |late_p99_ms| ClientSecond {
        offered: 15,
        first_attempts: 15,
        retries: 3,
        served: 10,
        throttled: 8,
        given_up: 5,
        late_p99_ms,
        ..ClientSecond::default()
    };
    let meter = |t: u64, allowed| MeterSecond {
        t,
        quota: quota(10.0),
        usage: SecondUsage {
            unix_s: 1_800_000_000 + u32::try_from(t).unwrap(),
            allowed,
            throttled: 8,
        },
    };
    Measured {
        started_at: Timestamp::from_unix_seconds(1_800_000_000),
        scenario: BTreeMap::from([("seed".to_owned(), "1".to_owned())]),
        streams: vec!["kms".to_owned()],
        duration_s: 3.0,
        clients: vec![client(0.4), client(80.0), client(0.5)],
        meters: vec![meter(0, 10), meter(1, 4), meter(2, 10)],
        unread: Vec::new(),
        totals: Recorder::new(mpsc::unbounded_channel().0, 1).into_totals(),
        counts: None,
    }
}

/// The same, with ten objects written that made as many calls, and a comparison whose Bucket Keys saved nine of
/// them.
pub(in crate::load) fn results_of_objects() -> Results {
    let run = |calls: u64| {
        let mut measured = measured();
        measured.totals.operations.insert(PUT, 12);
        measured.totals.served.insert(PUT, 10);
        let served = Calls {
            served: calls,
            ..Calls::default()
        };
        let calls_of = BTreeMap::from([("GenerateDataKey".to_owned(), served)]);
        measured.counts = Some(Counts {
            calls: calls_of.clone(),
            for_objects: calls_of,
            bucket_keys: Some(BucketKeys {
                hits: 10 - calls,
                misses: calls % 10,
            }),
        });
        Results::new(&measured, &[]).unwrap()
    };
    let mut results = run(10);
    results.comparisons.push(Comparison {
        change: "bucket-key".to_owned(),
        results: run(1),
    });
    results
}

pub(in crate::load) fn results(thresholds: &[&str]) -> Results {
    let thresholds: Vec<_> = thresholds
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
    Results::new(&measured(), &thresholds).unwrap()
}
