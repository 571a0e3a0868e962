//! Each policy against its source's rule.

use super::*;

const THROTTLED: AttemptOutcome = AttemptOutcome::Throttled { retry_after: None };

/// The bounds of each wait of a request that is throttled for ever, in milliseconds: the least and the
/// most over many seeds.
fn waits(policy: &str) -> Vec<(u128, u128)> {
    let policy: Policy = policy.parse().unwrap();
    let mut bounds: Vec<(u128, u128)> = Vec::new();
    for seed in 0..400 {
        let mut client = Client::new(policy, seed);
        let mut attempts = Attempts::default();
        let mut retry = 0;
        while let Decision::Retry(wait) = client.after(0.0, &mut attempts, THROTTLED) {
            let ms = wait.as_millis();
            match bounds.get_mut(retry) {
                Some((least, most)) => (*least, *most) = ((*least).min(ms), (*most).max(ms)),
                None => bounds.push((ms, ms)),
            }
            retry += 1;
        }
    }
    bounds
}

/// Whether the waits spread from `least` to `most` for each retry, within a twentieth of the range.
fn spread(policy: &str, expected: &[(u128, u128)]) {
    let waits = waits(policy);
    assert_eq!(waits.len(), expected.len(), "{policy}: {waits:?}");
    for ((least, most), (low, high)) in waits.iter().zip(expected) {
        let near = (high - low) / 20 + 1;
        assert!(least >= low && *least <= low + near, "{policy}: {waits:?}");
        assert!(most <= high && *most + near >= *high, "{policy}: {waits:?}");
    }
}

#[test]
fn none_tries_once() {
    spread("none", &[]);
}

#[test]
fn legacy_python_tries_five_times_with_full_jitter_that_doubles() {
    spread(
        "legacy-python",
        &[(0, 1_000), (0, 2_000), (0, 4_000), (0, 8_000)],
    );
}

#[test]
fn legacy_java_tries_four_times_and_waits_at_least_half_of_the_bound() {
    spread("legacy-java", &[(250, 500), (500, 1_000), (1_000, 2_000)]);
}

#[test]
fn legacy_cpp_tries_eleven_times_without_jitter_and_the_first_retry_at_once() {
    let doubling = (1..10).map(|retry| (25 << retry, 25 << retry));
    let expected: Vec<_> = std::iter::once((0, 0)).chain(doubling).collect();
    spread("legacy-cpp", &expected);
}

#[test]
fn the_standard_modes_try_three_times_with_full_jitter() {
    for policy in ["standard-2025", "standard", "adaptive"] {
        spread(policy, &[(0, 1_000), (0, 2_000)]);
    }
}

#[test]
fn policies_of_ones_own_wait_as_they_are_written() {
    spread("fixed:200ms:3", &[(200, 200), (200, 200)]);
    spread(
        "full-jitter:100ms:1s:6",
        &[(0, 100), (0, 200), (0, 400), (0, 800), (0, 1_000)],
    );
}

/// Throttled first attempts in a row after which the client gives up at once.
fn retries_until_the_quota_is_used_up(policy: Policy, outcome: AttemptOutcome) -> u32 {
    let mut client = Client::new(policy, 1);
    let retries = |client: &mut Client| {
        let mut attempts = Attempts::default();
        client.after(0.0, &mut attempts, outcome) != Decision::Finish
    };
    (0..)
        .take_while(|_| retries(&mut client))
        .count()
        .try_into()
        .unwrap()
}

#[test]
fn a_retry_quota_of_500_tokens_ends_the_retries_of_a_client() {
    let until = retries_until_the_quota_is_used_up;
    assert_eq!(until(Policy::Standard2025, THROTTLED), 100);
    assert_eq!(until(Policy::Standard2025, AttemptOutcome::Transient), 100);
    assert_eq!(until(Policy::Standard, THROTTLED), 100);
    assert_eq!(until(Policy::Standard, AttemptOutcome::Transient), 35);
    assert_eq!(until(Policy::LegacyJava, AttemptOutcome::Transient), 100);
}

#[test]
fn a_success_gives_back_the_cost_of_its_retry_or_one_token() {
    let mut client = Client::new(Policy::Standard, 1);
    client.retry_tokens = 5.0;
    let mut attempts = Attempts::default();
    assert!(client.after(0.0, &mut attempts, THROTTLED) != Decision::Finish);
    assert!(client.retry_tokens.abs() < f64::EPSILON);
    client.after(0.0, &mut attempts, AttemptOutcome::Served);
    assert!((client.retry_tokens - 5.0).abs() < f64::EPSILON);
    client.after(0.0, &mut Attempts::default(), AttemptOutcome::Served);
    assert!((client.retry_tokens - 6.0).abs() < f64::EPSILON);
}

#[test]
fn only_the_standard_of_2026_honours_what_the_service_wants_and_at_most_5_seconds_more() {
    let wanted = |seconds| AttemptOutcome::Throttled {
        retry_after: Some(Duration::from_secs(seconds)),
    };
    let wait = |policy, outcome| match Client::new(policy, 1).after(
        0.0,
        &mut Attempts::default(),
        outcome,
    ) {
        Decision::Retry(wait) => wait.as_secs_f64(),
        Decision::Finish => panic!("it retries once"),
    };
    let own = wait(Policy::Standard, THROTTLED);
    assert!((wait(Policy::Standard, wanted(3)) - 3.0).abs() < 1e-9);
    assert!((wait(Policy::Standard, wanted(60)) - own - 5.0).abs() < 1e-6);
    assert!((wait(Policy::Standard, wanted(0)) - own).abs() < 1e-9);
    assert!(wait(Policy::Standard2025, wanted(60)) <= 1.0);
}

#[test]
fn a_seed_repeats_the_waits_of_a_client() {
    let wait = |seed| {
        Client::new(Policy::LegacyPython, seed).after(0.0, &mut Attempts::default(), THROTTLED)
    };
    assert_eq!(wait(7), wait(7));
    assert_ne!(wait(7), wait(8));
}

#[test]
fn what_is_no_policy_is_refused_with_the_list() {
    for text in [
        "",
        "fast",
        "fixed",
        "fixed:200:3",
        "fixed:1ms:2:3",
        "full-jitter:1ms:2s",
    ] {
        let error = text.parse::<Policy>().unwrap_err().to_string();
        assert!(error.contains("legacy-python"), "{error}");
    }
    for text in ["standard", "fixed:200ms:30", "full-jitter:100ms:20000ms:5"] {
        assert_eq!(text.parse::<Policy>().unwrap().to_string(), text);
    }
}
