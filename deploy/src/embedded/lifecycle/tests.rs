//! What rules say at which time.

use super::*;

const HOUR_MS: i64 = 3_600_000;

fn rule(expiration: Option<Expiration>) -> Rule {
    Rule {
        id: "rule".to_owned(),
        is_enabled: true,
        filter: Filter::default(),
        expiration,
        noncurrent: None,
        abort_days: None,
    }
}

fn lifecycle(rules: Vec<Rule>) -> Lifecycle {
    Lifecycle {
        rules,
        varies_by_storage_class: false,
    }
}

fn object(id: u128, modified_ms: i64) -> Version {
    Version {
        id,
        modified_ms,
        object: Some(Object::default()),
    }
}

fn marker(id: u128, modified_ms: i64) -> Version {
    Version {
        id,
        modified_ms,
        object: None,
    }
}

#[test]
fn days_end_at_the_midnight_after_them() {
    assert_eq!(midnight_after(10 * HOUR_MS, 3), 4 * DAY_MS);
    assert_eq!(midnight_after(0, 1), DAY_MS);
    assert_eq!(midnight_after(1, 1), 2 * DAY_MS);
}

#[test]
fn the_first_of_several_expirations_counts() {
    let mut late = rule(Some(Expiration::Days(5)));
    late.id = "late".to_owned();
    let mut disabled = rule(Some(Expiration::Days(1)));
    disabled.is_enabled = false;
    let soon = rule(Some(Expiration::Date(2 * DAY_MS)));
    let rules = lifecycle(vec![late, disabled, soon]);
    let expiration = rules.expiration("key", &Object::default(), 0);
    assert_eq!(expiration, Some((2 * DAY_MS, "rule")));
}

#[test]
fn a_rule_applies_where_all_of_its_filter_does() {
    let tag = |key: &str| (key.to_owned(), "v".to_owned());
    let filter = Filter {
        prefix: Some("a/".to_owned()),
        tags: vec![tag("t")],
        larger_than: Some(5),
        smaller_than: Some(10),
        ..Filter::default()
    };
    let tagged = |length, tags| Object {
        length,
        tags,
        ..Object::default()
    };
    for (key, length, tags, applies) in [
        ("a/b", 6, vec![tag("s"), tag("t")], true),
        ("b", 6, vec![tag("t")], false),
        ("a/b", 5, vec![tag("t")], false),
        ("a/b", 10, vec![tag("t")], false),
        ("a/b", 6, vec![tag("s")], false),
    ] {
        let object = tagged(length, tags);
        assert_eq!(filter.applies_to(key, Some(&object)), applies, "{object:?}");
    }
    assert!(!filter.applies_to("a/b", None));
}

#[test]
fn a_current_version_expires_at_its_time_and_a_delete_marker_does_not() {
    let rules = lifecycle(vec![rule(Some(Expiration::Days(1)))]);
    let versions = [object(2, 0), object(1, 0)];
    assert_eq!(rules.due("key", &versions, DAY_MS - 1), []);
    assert_eq!(rules.due("key", &versions, DAY_MS), [Action::Expire]);
    let versions = [marker(3, 0), object(2, 0)];
    assert_eq!(rules.due("key", &versions, 9 * DAY_MS), []);
}

#[test]
fn a_delete_marker_is_removed_once_nothing_is_below_it() {
    let rules = lifecycle(vec![rule(Some(Expiration::DeleteMarker(true)))]);
    assert_eq!(rules.due("key", &[marker(2, 0), object(1, 0)], DAY_MS), []);
    assert_eq!(
        rules.due("key", &[marker(2, 0)], DAY_MS),
        [Action::Remove(2)]
    );
    let rules = lifecycle(vec![rule(Some(Expiration::DeleteMarker(false)))]);
    assert_eq!(rules.due("key", &[marker(2, 0)], DAY_MS), []);
    let rules = lifecycle(vec![rule(Some(Expiration::Days(2)))]);
    assert_eq!(rules.due("key", &[marker(2, 0)], DAY_MS), []);
    assert_eq!(
        rules.due("key", &[marker(2, 0)], 2 * DAY_MS),
        [Action::Remove(2)]
    );
}

#[test]
fn noncurrent_versions_are_removed_by_the_time_of_their_successor_but_not_the_newest_of_them() {
    let mut noncurrent = rule(None);
    noncurrent.noncurrent = Some(NoncurrentExpiration {
        days: 1,
        newer: None,
    });
    let versions = [
        object(4, 9 * DAY_MS),
        object(3, 0),
        marker(2, 0),
        object(1, 0),
    ];
    let due = lifecycle(vec![noncurrent.clone()]).due("key", &versions, 9 * DAY_MS);
    assert_eq!(due, [Action::Remove(2), Action::Remove(1)]);
    let due = lifecycle(vec![noncurrent.clone()]).due("key", &versions, 10 * DAY_MS);
    assert_eq!(due.len(), 3);
    noncurrent.noncurrent = Some(NoncurrentExpiration {
        days: 1,
        newer: Some(2),
    });
    let due = lifecycle(vec![noncurrent]).due("key", &versions, 99 * DAY_MS);
    assert_eq!(due, [Action::Remove(1)]);
}

#[test]
fn an_upload_is_aborted_by_its_prefix_alone() {
    let mut abort = rule(None);
    abort.abort_days = Some(7);
    abort.filter.prefix = Some("a".to_owned());
    let rules = lifecycle(vec![abort]);
    assert_eq!(rules.abort("ab", 1), Some((8 * DAY_MS, "rule")));
    assert_eq!(rules.abort("b", 1), None);
}
