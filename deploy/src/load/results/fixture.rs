//! A run that was made up.

use kms::quota::SecondUsage;
use tokio::sync::mpsc;

use super::*;
use crate::load::recorder::Recorder;

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
        scenario: BTreeMap::from([("seed", "1".to_owned())]),
        duration_s: 3.0,
        clients: vec![client(0.4), client(80.0), client(0.5)],
        meters: vec![meter(0, 10), meter(1, 4), meter(2, 10)],
        totals: Recorder::new(mpsc::unbounded_channel().0).into_totals(),
    }
}

pub(in crate::load) fn results(thresholds: &[&str]) -> Results {
    let thresholds: Vec<_> = thresholds
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
    Results::new(&measured(), &thresholds)
}
