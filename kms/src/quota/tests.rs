//! The quotas on a clock that stands still unless it is moved.

use std::sync::Arc;
use std::time::Duration;

use proto::time::Clock;
use proto::time::ManualClock;
use proto::time::Timestamp;

use super::Adjustment;
use super::Class;
use super::Config;
use super::Quotas;
use super::Shape;
use super::Throttled;
use super::partitions::PARTITIONS_MAX;

const ACCOUNT: &str = "111122223333";
const REGION: &str = "us-east-1";

/// Quotas and the clock they run on, which stands at the start of a second.
fn quotas(config: Config) -> (Quotas, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_unix_millis(
        1_800_000_000_000,
    )));
    let quotas = Quotas::new(config, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    (quotas, clock)
}

fn charge(quotas: &Quotas, account: &str, region: &str, class: Class) -> Result<(), Throttled> {
    quotas.charge(&account.parse().unwrap(), &region.parse().unwrap(), class)
}

/// How many of `tries` requests pass.
fn passed(quotas: &Quotas, account: &str, region: &str, class: Class, tries: u32) -> u32 {
    let (account, region) = (account.parse().unwrap(), region.parse().unwrap());
    (0..tries)
        .map(|_| u32::from(quotas.charge(&account, &region, class).is_ok()))
        .sum()
}

#[test]
fn exactly_the_quota_passes_in_one_second_and_the_next_request_is_throttled() {
    let (quotas, clock) = quotas(Config::default());
    let class = Class::CryptographicOperationsSymmetric;
    assert_eq!(passed(&quotas, ACCOUNT, REGION, class, 100_000), 100_000);

    let refused = charge(&quotas, ACCOUNT, REGION, class).unwrap_err();
    assert_eq!(refused.class, class);
    assert_eq!(refused.retry_after, Duration::from_secs(1));

    clock.advance(Duration::from_millis(999));
    assert!(charge(&quotas, ACCOUNT, REGION, class).is_err());
    clock.advance(Duration::from_millis(1));
    assert_eq!(passed(&quotas, ACCOUNT, REGION, class, 100_001), 100_000);
}

#[test]
fn windows_are_aligned_to_the_second_so_twice_the_rate_fits_around_a_boundary() {
    let (quotas, clock) = quotas(Config::default());
    clock.advance(Duration::from_millis(999));
    assert_eq!(passed(&quotas, ACCOUNT, REGION, Class::CreateKey, 9), 5);
    clock.advance(Duration::from_millis(1));
    assert_eq!(passed(&quotas, ACCOUNT, REGION, Class::CreateKey, 9), 5);
}

#[test]
fn accounts_regions_and_classes_do_not_share() {
    let (quotas, _) = quotas(Config::default());
    assert_eq!(passed(&quotas, ACCOUNT, REGION, Class::CreateKey, 6), 5);
    assert_eq!(
        passed(&quotas, "444455556666", REGION, Class::CreateKey, 6),
        5
    );
    assert_eq!(
        passed(&quotas, ACCOUNT, "eu-west-1", Class::CreateKey, 6),
        5
    );
    assert_eq!(passed(&quotas, ACCOUNT, REGION, Class::CreateAlias, 6), 5);
}

#[test]
fn a_fractional_rate_is_one_request_in_a_longer_interval() {
    let config = Config {
        profile: "2023".to_owned(),
        ..Config::default()
    };
    let (quotas, clock) = quotas(config);
    let class = Class::GenerateDataKeyPairRsa4096;
    assert_eq!(passed(&quotas, ACCOUNT, REGION, class, 3), 1);
    clock.advance(Duration::from_millis(9_999));
    assert_eq!(passed(&quotas, ACCOUNT, REGION, class, 3), 0);
    clock.advance(Duration::from_millis(1));
    assert_eq!(passed(&quotas, ACCOUNT, REGION, class, 3), 1);
}

#[test]
fn a_bucket_refills_evenly_and_never_passes_twice_the_rate_at_once() {
    let (quotas, clock) = quotas(Config {
        shape: Shape::Bucket,
        ..Config::default()
    });
    clock.advance(Duration::from_millis(999));
    assert_eq!(passed(&quotas, ACCOUNT, REGION, Class::CreateKey, 9), 5);
    clock.advance(Duration::from_millis(1));
    let refused = charge(&quotas, ACCOUNT, REGION, Class::CreateKey).unwrap_err();
    assert_eq!(refused.retry_after, Duration::from_millis(199));
    clock.advance(Duration::from_millis(199));
    assert_eq!(passed(&quotas, ACCOUNT, REGION, Class::CreateKey, 9), 1);
    clock.advance(Duration::from_secs(1));
    assert_eq!(passed(&quotas, ACCOUNT, REGION, Class::CreateKey, 9), 5);
}

#[test]
fn a_bucket_holds_the_largest_quota_of_a_second() {
    let (quotas, clock) = quotas(Config {
        shape: Shape::Bucket,
        ..Config::default()
    });
    let class = Class::CryptographicOperationsSymmetric;
    assert_eq!(passed(&quotas, ACCOUNT, REGION, class, 100_001), 100_000);
    clock.advance(Duration::from_millis(1));
    assert_eq!(passed(&quotas, ACCOUNT, REGION, class, 101), 100);
}

#[test]
fn a_replica_costs_two_requests_of_its_region_or_none() {
    let (quotas, _) = quotas(Config::default());
    let replicate = || {
        let (account, region) = (ACCOUNT.parse().unwrap(), "eu-west-1".parse().unwrap());
        quotas.charge_times(&account, &region, Class::CreateKey, 2)
    };
    assert!(replicate().is_ok());
    assert!(replicate().is_ok());
    assert!(
        replicate().is_err(),
        "one request is left, and two are needed"
    );
    assert!(charge(&quotas, ACCOUNT, "eu-west-1", Class::CreateKey).is_ok());
}

#[test]
fn key_stores_count_by_themselves() {
    let (quotas, _) = quotas(Config::default());
    let charge = |store| {
        quotas
            .charge_key_store(store, Class::KeyStoreExternal)
            .is_ok()
    };
    assert_eq!((0..2_000).filter(|_| charge("cks-1")).count(), 1_800);
    assert!(charge("cks-2"));
}

#[test]
fn the_hot_key_rule_counts_one_key_and_is_off_by_default() {
    let key = "arn:aws:kms:us-east-1:111122223333:key/a";
    let (unlimited, _) = quotas(Config::default());
    assert!((0..50).all(|_| unlimited.charge_state_change(key, Class::EnableKey).is_ok()));

    let (limited, _) = quotas(Config {
        hot_key_rate: 2.0,
        ..Config::default()
    });
    assert!(limited.charge_state_change(key, Class::EnableKey).is_ok());
    assert!(limited.charge_state_change(key, Class::DisableKey).is_ok());
    assert!(limited.charge_state_change(key, Class::EnableKey).is_err());
    assert!(
        limited
            .charge_state_change("another key", Class::EnableKey)
            .is_ok()
    );
}

#[test]
fn sm2_keys_share_the_elliptic_curve_quota_in_2026() {
    let (quotas, _) = quotas(Config {
        scale: 0.001,
        ..Config::default()
    });
    assert!(charge(&quotas, ACCOUNT, REGION, Class::CryptographicOperationsSm).is_ok());
    assert!(charge(&quotas, ACCOUNT, REGION, Class::CryptographicOperationsEcc).is_err());
}

#[test]
fn a_scale_applies_to_every_rate() {
    let (quotas, _) = quotas(Config {
        scale: 0.001,
        ..Config::default()
    });
    let class = Class::CryptographicOperationsSymmetric;
    assert_eq!(passed(&quotas, ACCOUNT, REGION, class, 200), 100);
    assert_eq!(passed(&quotas, ACCOUNT, "sa-east-1", class, 200), 10);
}

#[test]
fn a_change_takes_effect_at_once_and_the_narrowest_wins() {
    let (quotas, clock) = quotas(Config::default());
    assert_eq!(passed(&quotas, ACCOUNT, REGION, Class::CreateKey, 9), 5);

    let adjust = |account: Option<&str>, rate| {
        let account = account.map(|account| account.parse().unwrap());
        let class = Class::CreateKey;
        quotas
            .adjust(Adjustment {
                class,
                account,
                region: None,
                rate,
            })
            .unwrap();
    };
    adjust(None, 7.0);
    assert_eq!(
        passed(&quotas, ACCOUNT, REGION, Class::CreateKey, 9),
        2,
        "5 of 7 are used"
    );
    adjust(Some(ACCOUNT), 1.0);
    clock.advance(Duration::from_secs(1));
    assert_eq!(passed(&quotas, ACCOUNT, REGION, Class::CreateKey, 9), 1);
    assert_eq!(
        passed(&quotas, "444455556666", REGION, Class::CreateKey, 9),
        7
    );
    let (account, region) = (ACCOUNT.parse().unwrap(), REGION.parse().unwrap());
    let rate = quotas.rate(&account, &region, Class::CreateKey);
    assert_eq!(rate.requests, 1);
}

#[test]
fn the_shape_can_change_while_running() {
    let (quotas, _) = quotas(Config::default());
    assert_eq!(passed(&quotas, ACCOUNT, REGION, Class::CreateKey, 9), 5);
    quotas
        .configure(Config {
            shape: Shape::Off,
            ..Config::default()
        })
        .unwrap();
    assert_eq!(passed(&quotas, ACCOUNT, REGION, Class::CreateKey, 9), 9);
    quotas
        .configure(Config {
            shape: Shape::Bucket,
            ..Config::default()
        })
        .unwrap();
    assert_eq!(passed(&quotas, ACCOUNT, REGION, Class::CreateKey, 9), 5);
}

#[test]
fn what_is_no_rate_or_class_changes_nothing() {
    let (quotas, _) = quotas(Config::default());
    let refused = quotas.adjust(Adjustment {
        class: Class::CreateKey,
        account: None,
        region: None,
        rate: -1.0,
    });
    assert!(refused.is_err());
    let unknown = serde_json::json!({"class": "NoSuchClass", "rate": 1});
    assert!(serde_json::from_value::<Adjustment>(unknown).is_err());
    assert!(
        quotas
            .configure(Config {
                scale: f64::NAN,
                ..Config::default()
            })
            .is_err()
    );
    assert_eq!(quotas.config(), Config::default());
}

#[test]
fn a_clock_that_steps_back_gains_nothing_and_one_that_is_set_back_starts_anew() {
    let (quotas, clock) = quotas(Config::default());
    clock.advance(Duration::from_secs(10));
    assert_eq!(passed(&quotas, ACCOUNT, REGION, Class::CreateKey, 9), 5);
    clock.set(clock.now().minus(Duration::from_millis(1)));
    assert_eq!(passed(&quotas, ACCOUNT, REGION, Class::CreateKey, 9), 0);
    clock.set(clock.now().minus(Duration::from_secs(3_600)));
    assert_eq!(passed(&quotas, ACCOUNT, REGION, Class::CreateKey, 9), 5);
}

#[test]
fn a_restart_forgets_what_was_used_and_usage_returns_it() {
    let (quotas, _) = quotas(Config::default());
    assert_eq!(passed(&quotas, ACCOUNT, REGION, Class::CreateKey, 7), 5);
    let usage = quotas.usage();
    assert_eq!(usage.len(), 1);
    assert_eq!(
        (usage[0].account.as_str(), usage[0].region.as_str()),
        (ACCOUNT, REGION)
    );
    assert_eq!(
        (usage[0].used, usage[0].allowed, usage[0].throttled),
        (5, 5, 2)
    );
    quotas.restart();
    assert_eq!(passed(&quotas, ACCOUNT, REGION, Class::CreateKey, 7), 5);
}

#[test]
fn many_threads_pass_exactly_the_quota_together() {
    let (quotas, _) = quotas(Config::default());
    let class = Class::CryptographicOperationsRsa;
    let sum = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| passed(&quotas, ACCOUNT, REGION, class, 700)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum::<u32>()
    });
    assert_eq!(sum, 1_000);
}

#[test]
fn made_up_accounts_and_regions_neither_fill_the_memory_nor_get_fresh_quotas() {
    let (quotas, clock) = quotas(Config::default());
    let class = Class::CreateKey;
    let account = |number: usize| format!("{number:012}");
    for number in 0..PARTITIONS_MAX {
        assert_eq!(passed(&quotas, &account(number), REGION, class, 6), 5);
    }
    let next = account(PARTITIONS_MAX);
    assert_eq!(
        passed(&quotas, &next, REGION, class, 1),
        0,
        "all are in use"
    );
    clock.advance(Duration::from_secs(1));
    assert_eq!(passed(&quotas, &account(0), REGION, class, 6), 5);
    clock.advance(Duration::from_millis(1_500));
    assert_eq!(
        passed(&quotas, &next, REGION, class, 6),
        5,
        "others are idle"
    );
    assert_eq!(passed(&quotas, &account(0), REGION, class, 6), 5);
    assert!(quotas.usage().len() < PARTITIONS_MAX);
}

#[test]
fn the_usage_of_a_full_second_is_exact_until_the_next_one_ends() {
    for shape in [Shape::Window, Shape::Bucket, Shape::Off] {
        let (quotas, clock) = quotas(Config {
            shape,
            ..Config::default()
        });
        assert_eq!(
            passed(&quotas, ACCOUNT, REGION, Class::CreateKey, 9) < 9,
            shape != Shape::Off
        );
        clock.advance(Duration::from_millis(1_999));
        let _ = charge(&quotas, ACCOUNT, REGION, Class::CreateKey);
        let usage = quotas.usage();
        let second = usage.first().unwrap().previous_second;
        assert_eq!(second.unix_s, 1_800_000_000);
        assert_eq!(second.allowed + second.throttled, 9, "{shape:?}");
        assert_eq!(second.allowed == 5, shape != Shape::Off, "{shape:?}");
        clock.advance(Duration::from_secs(2));
        assert_eq!(quotas.usage().first().unwrap().previous_second.allowed, 0);
    }
}
