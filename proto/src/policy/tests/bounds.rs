//! No policy and no request makes an evaluation expensive, and none gains by trying.

use super::alice;
use super::context;
use super::policy;
use crate::policy::Context;
use crate::policy::Decision;
use crate::policy::Policy;
use crate::policy::Principal;
use crate::policy::Request;
use crate::policy::budget::Budget;
use crate::policy::evaluate;
use crate::policy::operator::Operator;
use crate::policy::pattern::Meaning;
use crate::policy::pattern::Pattern;
use crate::policy::pattern::VARIABLES_BYTES_MAX;
use crate::policy::pattern::Wildcards;
use crate::policy::prepared::STEPS_PER_DECISION;
use crate::policy::prepared::STEPS_PER_REQUEST;

/// A policy of one statement for everybody and all actions.
fn statement(effect: &str, members: &str) -> Policy {
    policy(&format!(
        r#"{{"Version": "2012-10-17", "Statement": {{"Sid": "it", "Effect": "{effect}",
            "Principal": "*", "Action": "*", {members}}}}}"#
    ))
}

fn decide(policy: &Policy, context: &Context) -> (Decision, bool) {
    let request = Request {
        principal: &Principal::Anonymous,
        action: "s3:GetObject",
        resource: "arn:aws:s3:::b/key",
        context,
    };
    let verdict = evaluate(policy, &request);
    (verdict.decision, verdict.unresolved)
}

/// A condition on the referer with the user agent `times` times.
fn agents(operator: &str, times: usize) -> String {
    let value = format!("{}z", "${aws:useragent}".repeat(times));
    format!(r#""Resource": "*", "Condition": {{"{operator}": {{"aws:Referer": "{value}"}}}}"#)
}

fn headers(bytes: usize) -> Context {
    let value = "a".repeat(bytes);
    context(&[("aws:UserAgent", &value), ("aws:Referer", &value)])
}

#[test]
fn variables_that_stand_for_too_much_deny_and_never_allow() {
    for operator in [
        "StringLike",
        "StringNotLike",
        "StringEquals",
        "StringEqualsIgnoreCase",
        "ForAnyValue:StringLike",
        "ForAllValues:StringNotEquals",
    ] {
        let condition = agents(operator, 1_000);
        let deny = decide(&statement("Deny", &condition), &headers(5_000));
        assert_eq!(deny, (Decision::Deny, true), "{operator}");
        let allow = decide(&statement("Allow", &condition), &headers(5_000));
        assert_eq!(allow, (Decision::NoMatch, true), "{operator}");
    }
    for element in ["Resource", "NotResource"] {
        let arn = format!("arn:aws:s3:::b/{}", "${aws:useragent}".repeat(1_000));
        let resource = format!(r#""{element}": "{arn}""#);
        let deny = decide(&statement("Deny", &resource), &headers(5_000));
        assert_eq!(deny, (Decision::Deny, true), "{element}");
        let allow = decide(&statement("Allow", &resource), &headers(5_000));
        assert_eq!(allow, (Decision::NoMatch, true), "{element}");
    }
}

#[test]
fn variables_up_to_the_bound_stand_for_their_values() {
    let deny = statement("Deny", &agents("StringLike", 1));
    let settled = (Decision::NoMatch, false);
    assert_eq!(decide(&deny, &headers(VARIABLES_BYTES_MAX)), settled);
    let unsettled = (Decision::Deny, true);
    assert_eq!(decide(&deny, &headers(VARIABLES_BYTES_MAX + 1)), unsettled);
}

#[test]
fn a_variable_without_a_value_is_settled_whatever_the_others_are() {
    let value = format!("{}${{aws:username}}", "${aws:useragent}".repeat(1_000));
    let members = format!(
        r#""Resource": "*", "Condition": {{"StringEquals": {{"aws:Referer": "{value}"}}}}"#
    );
    let deny = decide(&statement("Deny", &members), &headers(5_000));
    assert_eq!(deny, (Decision::NoMatch, false));
}

#[test]
fn a_statement_that_cannot_match_otherwise_does_not_deny_unresolved() {
    let members = format!(
        r#""Resource": "*", "Condition": {{"StringEquals": {{"aws:Referer": "{}"}},
            "Bool": {{"aws:SecureTransport": false}}}}"#,
        "${aws:useragent}".repeat(1_000)
    );
    let mut context = headers(5_000);
    context.insert("aws:SecureTransport", "true");
    let deny = statement("Deny", &members);
    assert_eq!(decide(&deny, &context), (Decision::NoMatch, false));
    let elsewhere = agents("StringEquals", 1_000).replace(
        r#""Resource": "*""#,
        r#""Resource": "arn:aws:s3:::b/other""#,
    );
    let deny = statement("Deny", &elsewhere);
    assert_eq!(decide(&deny, &headers(5_000)), (Decision::NoMatch, false));
}

/// Conditions and contexts of at most 64 KiB together whose evaluation multiplies one by the other.
fn hostile() -> Vec<(String, Context)> {
    let mut tags = Context::new();
    tags.insert_all("aws:TagKeys", (0..8_000).map(|it| format!("{it:x}")));
    let ones = format!(r#""*a?{}b*""#, "a".repeat(300));
    let (agent, zz) = (r#""${aws:useragent}""#, r#""zz""#);
    let mut all: Vec<_> = [
        ("StringLike", "aws:Referer", r#""*ab*""#, 4_000),
        ("StringLike", "aws:Referer", &ones, 80),
        ("StringLike", "aws:Referer", agent, 2_500),
        ("StringEqualsIgnoreCase", "aws:Referer", agent, 2_500),
        ("ForAnyValue:StringEquals", "aws:TagKeys", zz, 6_000),
        ("ForAllValues:StringNotEquals", "aws:TagKeys", zz, 6_000),
        ("ForAnyValue:NumericEquals", "aws:TagKeys", "77777", 6_000),
        ("ForAnyValue:IpAddress", "aws:TagKeys", r#""::""#, 6_000),
    ]
    .into_iter()
    .map(|(operator, key, value, count)| {
        let values = vec![value; count].join(",");
        let condition = format!(r#"{{"{operator}": {{"{key}": [{values}]}}}}"#);
        let context = match key {
            "aws:TagKeys" => tags.clone(),
            _ => headers(8_000),
        };
        (condition, context)
    })
    .collect();
    // The name of a key in other cases is another member of the document.
    let spelling = |number: usize| -> String {
        let upper = |(at, char): (usize, char)| match number >> at & 1 {
            1 => char.to_ascii_uppercase(),
            _ => char,
        };
        "useragent".chars().enumerate().map(upper).collect()
    };
    let dates: Vec<_> = (0..512)
        .map(|it| format!(r#""aws:{}": 1"#, spelling(it)))
        .collect();
    let dates = format!(r#"{{"DateNotEquals": {{{}}}}}"#, dates.join(","));
    all.push((dates, headers(16_000)));
    all
}

#[test]
fn an_evaluation_ends_within_its_steps_and_then_denies() {
    for (condition, context) in hostile() {
        let name: String = condition.chars().take(60).collect();
        let members = format!(r#""Resource": "*", "Condition": {condition}"#);
        let deny = decide(&statement("Deny", &members), &context);
        assert_eq!(deny, (Decision::Deny, true), "{name}");
        let allow = decide(&statement("Allow", &members), &context);
        assert_eq!(allow, (Decision::NoMatch, true), "{name}");
    }
}

#[test]
fn the_last_of_a_thousand_keys_is_decided_like_the_first() {
    let resources = (0..300).map(|it| format!(r#""arn:aws:s3:::b/*/{it}/*""#));
    let resources: Vec<String> = resources.collect();
    let allow = statement(
        "Allow",
        &format!(r#""Resource": [{}]"#, resources.join(",")),
    );
    let prepared = allow.for_request(&alice(), &Context::new());
    for number in 0..1_000 {
        let key = format!("arn:aws:s3:::b/{}/299/{number}", "x".repeat(60));
        let verdict = prepared.decide("s3:DeleteObject", &key);
        assert_eq!(verdict.decision, Decision::Allow, "{number}");
        let key = format!("arn:aws:s3:::b/{}/300/{number}", "x".repeat(60));
        let verdict = prepared.decide("s3:DeleteObject", &key);
        assert_eq!(verdict.decision, Decision::NoMatch, "{number}");
    }
}

#[test]
fn a_thousand_long_keys_under_nine_thousand_stars_take_few_steps() {
    let arn = format!("arn:aws:s3:::b/{}", "*a".repeat(9_000));
    let deny = statement("Deny", &format!(r#""Resource": "{arn}""#));
    let prepared = deny.for_request(&alice(), &Context::new());
    let key = format!("arn:aws:s3:::b/{}", "a".repeat(1_024));
    for _ in 0..1_000 {
        let verdict = prepared.decide("s3:DeleteObject", &key);
        assert_eq!(verdict.decision, Decision::NoMatch);
    }
    // Its own steps were enough for each of them.
    assert_eq!(prepared.steps_left(), STEPS_PER_REQUEST);
}

#[test]
fn decisions_that_are_too_expensive_deny_and_leave_the_next_its_own_steps() {
    let searches = vec![r#""arn:aws:s3:::b/*ab*""#; 900].join(",");
    let policy = policy(&format!(
        r#"{{"Statement": [
            {{"Sid": "searches", "Effect": "Deny", "Principal": "*", "Action": "s3:Delete*",
              "Resource": [{searches}]}},
            {{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}]}}"#
    ));
    let prepared = policy.for_request(&alice(), &Context::new());
    let key = format!("arn:aws:s3:::b/{}", "a".repeat(1_024));
    let verdicts: Vec<_> = (0..10)
        .map(|_| prepared.decide("s3:DeleteObject", &key))
        .collect();
    assert_eq!(verdicts[0].decision, Decision::Allow);
    assert_eq!(verdicts[9].decision, Decision::Deny);
    assert!(verdicts[9].unresolved);
    assert_eq!(verdicts[9].sid(), Some("searches"));
    assert!(prepared.steps_left() < STEPS_PER_DECISION);
    let other = prepared.decide("s3:GetObject", &key);
    assert_eq!(other.decision, Decision::Allow);
}

/// The steps of an operator on one value, and of a pattern with variables, as their sizes make them.
#[test]
fn a_value_and_a_variable_cost_as_many_steps_as_their_bytes_and_those_they_are_compared_with() {
    let all = 1_000_000;
    for (operator, wanted, value, steps) in [
        ("NumericEquals", &["1", "2", "3"][..], "12", 256 + 2 + 3),
        ("StringEqualsIgnoreCase", &[], "abcd", 256 + 4 + 4 * 8),
        ("BinaryEquals", &["AAAA", "AAAA"], "AAAA", 256 + 4 + 2 * 4),
        ("IpAddress", &["::1", "::2", "::3"], "::1", 256 + 3 + 3 * 4),
    ] {
        let wanted: Vec<String> = wanted.iter().map(|&it| it.to_owned()).collect();
        let parsed = Operator::parse(operator, "k", &wanted, true).unwrap();
        let mut budget = Budget::new(all);
        parsed.unwrap().matches(value, &[], &mut budget).unwrap();
        assert_eq!(all - budget.left(), steps, "{operator}");
    }
    for (ignore_case, steps_per_byte) in [(false, 1), (true, 8)] {
        let meaning = Meaning {
            wildcards: Wildcards::None,
            variables: true,
            ignore_case,
        };
        let text = "a${aws:k}b${aws:k}c";
        let pattern = Pattern::parse(text, meaning);
        let mut budget = Budget::new(all);
        let context = context(&[("aws:k", "12345")]);
        let resolved = pattern.resolve(&context, &mut budget).unwrap();
        assert!(resolved.is_some());
        let steps = 5 * 64 + text.len() + 10 * steps_per_byte;
        assert_eq!(all - budget.left(), steps);
    }
}

#[test]
fn a_condition_on_a_key_that_is_missing_is_not_free() {
    let steps = |conditions: usize| {
        let keys: Vec<_> = (0..conditions)
            .map(|it| format!(r#""aws:k{it}": "true""#))
            .collect();
        let members = format!(
            r#""Resource": "*", "Condition": {{"Null": {{{}}}}}"#,
            keys.join(",")
        );
        let prepared = statement("Deny", &members).for_request(&alice(), &Context::new());
        STEPS_PER_REQUEST - prepared.steps_left()
    };
    assert_eq!(steps(11) - steps(1), 10 * (128 + 1));
}
