//! Each condition operator, on values that match, values that do not, and no values.

use super::context;
use super::holds;
use crate::policy::Context;

/// Whether `operator` with `wanted` on the key `aws:k` holds for a request where the key is `value`.
fn test(operator: &str, wanted: &str, value: &str) -> bool {
    holds(
        &format!(r#"{{"{operator}": {{"aws:k": {wanted}}}}}"#),
        &context(&[("aws:k", value)]),
    )
}

fn missing(operator: &str, wanted: &str) -> bool {
    holds(
        &format!(r#"{{"{operator}": {{"aws:k": {wanted}}}}}"#),
        &Context::new(),
    )
}

fn many(operator: &str, wanted: &str, values: &[&str]) -> bool {
    let mut context = Context::new();
    context.insert_all("aws:k", values.iter().copied());
    holds(
        &format!(r#"{{"{operator}": {{"aws:k": {wanted}}}}}"#),
        &context,
    )
}

/// An operator, its negation, a wanted value, a value that matches, one that does not.
const PAIRS: [(&str, &str, &str, &str, &str); 8] = [
    ("StringEquals", "StringNotEquals", r#""a""#, "a", "A"),
    (
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
        r#""aÜ""#,
        "Aü",
        "b",
    ),
    ("StringLike", "StringNotLike", r#""a*c?""#, "abcd", "abc"),
    ("NumericEquals", "NumericNotEquals", "10", "10.0", "10.1"),
    (
        "DateEquals",
        "DateNotEquals",
        r#""2013-05-24T00:00:00Z""#,
        "1369353600",
        "1369353601",
    ),
    (
        "IpAddress",
        "NotIpAddress",
        r#""203.0.113.0/24""#,
        "203.0.113.9",
        "203.0.114.9",
    ),
    (
        "ArnEquals",
        "ArnNotEquals",
        r#""arn:aws:s3:::b*""#,
        "arn:aws:s3:::b",
        "arn:aws:s3:::c",
    ),
    (
        "ArnLike",
        "ArnNotLike",
        r#""arn:*:s3:::b""#,
        "arn:aws-cn:s3:::b",
        "arn:aws:s3:::c",
    ),
];

#[test]
fn a_negated_operator_holds_where_the_other_does_not() {
    for (operator, negated, wanted, like, unlike) in PAIRS {
        assert!(test(operator, wanted, like), "{operator}");
        assert!(!test(operator, wanted, unlike), "{operator}");
        assert!(!test(negated, wanted, like), "{negated}");
        assert!(test(negated, wanted, unlike), "{negated}");
    }
}

#[test]
fn a_missing_key_fails_an_operator_and_satisfies_its_negation() {
    for (operator, negated, wanted, ..) in PAIRS {
        assert!(!missing(operator, wanted), "{operator}");
        assert!(missing(negated, wanted), "{negated}");
        assert!(
            missing(&format!("{operator}IfExists"), wanted),
            "{operator}IfExists"
        );
        assert!(
            missing(&format!("{negated}IfExists"), wanted),
            "{negated}IfExists"
        );
    }
    for (operator, wanted) in [
        ("Bool", "true"),
        ("Bool", "false"),
        ("BinaryEquals", r#""AA==""#),
        ("NumericLessThan", "1"),
        ("DateGreaterThan", r#""2013-05-24""#),
    ] {
        assert!(!missing(operator, wanted), "{operator}");
        assert!(
            missing(&format!("{operator}IfExists"), wanted),
            "{operator}IfExists"
        );
    }
}

#[test]
fn if_exists_changes_nothing_where_the_key_exists() {
    for (operator, negated, wanted, like, unlike) in PAIRS {
        assert!(test(&format!("{operator}IfExists"), wanted, like));
        assert!(!test(&format!("{operator}IfExists"), wanted, unlike));
        assert!(!test(&format!("{negated}IfExists"), wanted, like));
        assert!(test(&format!("{negated}IfExists"), wanted, unlike));
    }
}

#[test]
fn of_several_values_one_must_match_and_for_a_negation_none_may() {
    let wanted = r#"["a", "b"]"#;
    assert!(test("StringEquals", wanted, "b"));
    assert!(!test("StringEquals", wanted, "c"));
    assert!(!test("StringNotEquals", wanted, "b"));
    assert!(test("StringNotEquals", wanted, "c"));
}

#[test]
fn a_star_is_a_star_where_the_operator_is_not_a_like() {
    assert!(!test("StringEquals", r#""a*""#, "ab"));
    assert!(test("StringEquals", r#""a*""#, "a*"));
    assert!(test("StringLike", r#""*""#, ""));
    assert!(!test("StringLike", r#""?""#, ""));
    assert!(test("StringLike", r#""a${*}""#, "a*"));
    assert!(!test("StringLike", r#""a${*}""#, "ab"));
}

#[test]
fn numbers_are_compared_as_numbers() {
    for (operator, wanted, below, same, above) in [
        ("NumericLessThan", "10", true, false, false),
        ("NumericLessThanEquals", "10", true, true, false),
        ("NumericGreaterThan", "10", false, false, true),
        ("NumericGreaterThanEquals", r#""10""#, false, true, true),
        ("NumericEquals", "10.0", false, true, false),
        ("NumericNotEquals", "10", true, false, true),
    ] {
        assert_eq!(test(operator, wanted, "9.999999999"), below, "{operator}");
        assert_eq!(test(operator, wanted, "010"), same, "{operator}");
        assert_eq!(test(operator, wanted, "100"), above, "{operator}");
        assert_eq!(test(operator, wanted, "-100"), below, "{operator}");
    }
    // Beyond what a float can distinguish.
    assert!(!test(
        "NumericEquals",
        "9007199254740993",
        "9007199254740992"
    ));
    for text in ["", "ten", "1e1", "0x0a", " 10", "10.", "1.0000000001"] {
        assert!(!test("NumericLessThan", "1000", text), "{text}");
        assert!(test("NumericNotEquals", "1000", text), "{text}");
    }
}

#[test]
fn times_are_compared_whatever_their_form() {
    for wanted in [
        r#""2013-05-24T00:00:00Z""#,
        r#""2013-05-24""#,
        r#""2013-05-24T02:00+02:00""#,
        "1369353600",
        r#""1369353600""#,
        r#""2013-05-24T00:00:00.000Z""#,
    ] {
        assert!(
            test("DateEquals", wanted, "2013-05-24T00:00:00Z"),
            "{wanted}"
        );
        assert!(
            test("DateLessThan", wanted, "2013-05-23T23:59:59Z"),
            "{wanted}"
        );
        assert!(
            test("DateLessThanEquals", wanted, "2013-05-24T00:00:00Z"),
            "{wanted}"
        );
        assert!(
            test("DateGreaterThan", wanted, "2013-05-24T00:00:01Z"),
            "{wanted}"
        );
        assert!(
            !test("DateGreaterThan", wanted, "2013-05-24T00:00:00Z"),
            "{wanted}"
        );
        assert!(
            test("DateGreaterThanEquals", wanted, "2013-05-24"),
            "{wanted}"
        );
    }
    assert!(test("DateEquals", r#""2013-05""#, "2013-05-01T00:00:00Z"));
    assert!(!test("DateEquals", r#""2013-05-24""#, "soon"));
}

#[test]
fn booleans_are_compared_without_regard_to_case() {
    assert!(test("Bool", "true", "true"));
    assert!(test("Bool", r#""TRUE""#, "true"));
    assert!(!test("Bool", "true", "false"));
    assert!(test("Bool", r#""false""#, "False"));
    assert!(!test("Bool", "false", "no"));
}

#[test]
fn binaries_are_compared_as_bytes() {
    assert!(test("BinaryEquals", r#""QmluYXJ5""#, "QmluYXJ5"));
    assert!(!test("BinaryEquals", r#""QmluYXJ5""#, "Qmluyxj5"));
    assert!(!test("BinaryEquals", r#""QmluYXJ5""#, "%"));
}

#[test]
fn addresses_lie_in_networks_of_their_family() {
    for (network, address, inside) in [
        ("203.0.113.7", "203.0.113.7", true),
        ("203.0.113.7", "203.0.113.8", false),
        ("203.0.113.7/24", "203.0.113.8", true),
        ("203.0.113.0/25", "203.0.113.128", false),
        ("0.0.0.0/0", "255.255.255.255", true),
        ("0.0.0.0/0", "2001:db8::1", false),
        ("0.0.0.0/0", "::ffff:203.0.113.7", true),
        ("::ffff:203.0.113.0/120", "203.0.113.7", true),
        ("2001:db8::/32", "2001:db8:ffff::1", true),
        ("2001:db8::/32", "2001:db9::1", false),
        ("2001:db8::1", "2001:0DB8:0:0:0:0:0:1", true),
        ("2001:db8::1", "2001:db8::2", false),
        ("2001:db8::/97", "2001:db8::8000:0", false),
        ("::/0", "2001:db8::1", true),
        ("::/0", "203.0.113.7", false),
    ] {
        let wanted = format!(r#""{network}""#);
        assert_eq!(
            test("IpAddress", &wanted, address),
            inside,
            "{network} {address}"
        );
        assert_eq!(
            test("NotIpAddress", &wanted, address),
            !inside,
            "{network} {address}"
        );
    }
    assert!(!test("IpAddress", r#""0.0.0.0/0""#, "unknown"));
    assert!(test("NotIpAddress", r#""0.0.0.0/0""#, "unknown"));
}

#[test]
fn arns_are_compared_part_by_part() {
    let arn = "arn:aws:sns:us-east-1:111122223333:topic:x";
    for operator in ["ArnEquals", "ArnLike"] {
        assert!(test(operator, r#""arn:aws:sns:*:111122223333:*""#, arn));
        assert!(test(operator, r#""arn:aws:sns:*""#, arn));
        assert!(test(operator, r#""*""#, arn));
        assert!(!test(operator, r#""arn:aws:sns:*:topic:x""#, arn));
        assert!(!test(operator, r#""arn:aws:sns:us-east-1*3:*""#, arn));
        assert!(!test(
            operator,
            r#""arn:aws:sns:us-east-1?111122223333:topic:x""#,
            arn
        ));
        for value in ["no arn", "arn:aws:sns", "a:b:c:d:e:f"] {
            assert!(!test(operator, r#""*""#, value), "{value}");
        }
    }
}

#[test]
fn only_operators_of_likeness_have_wildcards() {
    for operator in ["StringEquals", "StringEqualsIgnoreCase"] {
        for (wanted, value) in [("a*", "ab"), ("a?", "ab"), ("*", "a"), ("?", "a")] {
            let quoted = format!(r#""{wanted}""#);
            assert!(!test(operator, &quoted, value), "{operator} {wanted}");
            assert!(test(operator, &quoted, wanted), "{operator} {wanted}");
        }
    }
}

#[test]
fn null_is_about_whether_the_key_exists() {
    assert!(missing("Null", "true"));
    assert!(!missing("Null", "false"));
    assert!(test("Null", "false", "a"));
    assert!(!test("Null", r#""true""#, "a"));
    assert!(many("Null", "true", &[]));
    assert!(test("Null", "true", ""));
}

#[test]
fn for_all_values_wants_each_of_the_requests_values_among_the_policys() {
    let wanted = r#"["a", "b"]"#;
    assert!(many("ForAllValues:StringEquals", wanted, &["a"]));
    assert!(many("ForAllValues:StringEquals", wanted, &["b", "a"]));
    assert!(!many("ForAllValues:StringEquals", wanted, &["a", "c"]));
    assert!(!many("ForAllValues:StringEquals", wanted, &["c"]));
}

#[test]
fn for_all_values_holds_for_no_values() {
    for operator in [
        "ForAllValues:StringEquals",
        "ForAllValues:StringNotEquals",
        "ForAllValues:StringEqualsIfExists",
        "ForAllValues:NumericLessThan",
    ] {
        assert!(missing(operator, r#""1""#), "{operator}");
        assert!(many(operator, r#""1""#, &[]), "{operator}");
        assert!(many(operator, r#""1""#, &[""]), "{operator}");
    }
}

#[test]
fn for_any_value_wants_one_of_the_requests_values_among_the_policys() {
    let wanted = r#"["a", "b"]"#;
    assert!(many("ForAnyValue:StringEquals", wanted, &["a", "c"]));
    assert!(!many("ForAnyValue:StringEquals", wanted, &["c", "d"]));
}

#[test]
fn for_any_value_fails_for_no_values_whatever_the_operator() {
    for operator in [
        "ForAnyValue:StringEquals",
        "ForAnyValue:StringNotEquals",
        "ForAnyValue:StringEqualsIfExists",
        "ForAnyValue:StringNotLikeIfExists",
    ] {
        assert!(!missing(operator, r#""1""#), "{operator}");
        assert!(!many(operator, r#""1""#, &[]), "{operator}");
    }
}

#[test]
fn negated_set_operators_look_at_each_value_of_partly_overlapping_sets() {
    let wanted = r#"["a", "b"]"#;
    for (values, all, any) in [
        (["c", "d"], true, true),
        (["a", "c"], false, true),
        (["a", "b"], false, false),
        (["b", "b"], false, false),
    ] {
        assert_eq!(
            many("ForAllValues:StringNotEquals", wanted, &values),
            all,
            "{values:?}"
        );
        assert_eq!(
            many("ForAnyValue:StringNotEquals", wanted, &values),
            any,
            "{values:?}"
        );
        assert_eq!(
            many("ForAllValues:StringNotLike", wanted, &values),
            all,
            "{values:?}"
        );
        assert_eq!(
            many("ForAnyValue:StringNotLike", wanted, &values),
            any,
            "{values:?}"
        );
    }
}

#[test]
fn keys_are_found_without_regard_to_case() {
    let context = context(&[("kms:EncryptionContext:AppName", "x")]);
    let condition = |key: &str| format!(r#"{{"StringEquals": {{"{key}": "x"}}}}"#);
    assert!(holds(&condition("kms:encryptioncontext:appname"), &context));
    assert!(holds(&condition("KMS:EncryptionContext:AppName"), &context));
    assert!(!holds(&condition("kms:EncryptionContext:App"), &context));
}

#[test]
fn a_variable_stands_for_its_value_in_a_condition() {
    let holds_for = |operator: &str, pairs: &[(&str, &str)]| {
        let condition = format!(r#"{{"{operator}": {{"s3:prefix": "home/${{aws:username}}/*"}}}}"#);
        holds(&condition, &context(pairs))
    };
    let own = [("s3:prefix", "home/alice/x"), ("aws:username", "alice")];
    assert!(holds_for("StringLike", &own));
    let others = [("s3:prefix", "home/bob/x"), ("aws:username", "alice")];
    assert!(!holds_for("StringLike", &others));
    assert!(holds_for("StringNotLike", &others));
    let star = [("s3:prefix", "home/bob/x"), ("aws:username", "*")];
    assert!(!holds_for("StringLike", &star));
}

#[test]
fn a_variable_without_a_value_is_like_nothing() {
    let condition =
        |operator: &str| format!(r#"{{"{operator}": {{"aws:k": "${{aws:username}}"}}}}"#);
    for value in ["", "alice", "${aws:username}"] {
        let context = context(&[("aws:k", value)]);
        assert!(!holds(&condition("StringEquals"), &context));
        assert!(!holds(&condition("StringLike"), &context));
        assert!(holds(&condition("StringNotEquals"), &context));
        assert!(holds(&condition("StringNotLike"), &context));
    }
}
