//! Actions, resources, variables, and which statement wins.

use proptest::prelude::Strategy;
use proptest::prop_assert_eq;
use proptest::proptest;

use super::alice;
use super::allow_all;
use super::context;
use super::policy;
use crate::policy::Context;
use crate::policy::Decision;
use crate::policy::Principal;
use crate::policy::Request;
use crate::policy::evaluate;

fn decide(members: &str, action: &str, resource: &str, context: &Context) -> Decision {
    let policy = policy(&format!(
        r#"{{"Version": "2012-10-17", "Statement":
            {{"Effect": "Allow", "Principal": "*", {members}}}}}"#
    ));
    evaluate(
        &policy,
        &Request {
            principal: &alice(),
            action,
            resource,
            context,
        },
    )
    .decision
}

fn action(pattern: &str, action: &str) -> bool {
    let members = format!(r#""Action": {pattern}, "Resource": "*""#);
    decide(&members, action, "r", &Context::new()) == Decision::Allow
}

fn resource_in(pattern: &str, resource: &str, context: &Context) -> bool {
    let members = format!(r#""Action": "*", "Resource": "{pattern}""#);
    decide(&members, "s3:GetObject", resource, context) == Decision::Allow
}

fn resource(pattern: &str, resource: &str) -> bool {
    resource_in(pattern, resource, &Context::new())
}

#[test]
fn actions_are_matched_without_regard_to_case() {
    assert!(action(r#""s3:GetObject""#, "s3:GetObject"));
    assert!(action(r#""S3:getobject""#, "s3:GetObject"));
    assert!(!action(r#""s3:GetObject""#, "s3:GetObjectVersion"));
    assert!(!action(r#""kms:*""#, "s3:GetObject"));
    assert!(action(r#"["kms:Decrypt", "s3:Get*"]"#, "s3:GetObject"));
    assert!(action(r#""s3:Get?bject""#, "s3:GetObject"));
    assert!(action(r#""*""#, "s3:GetObject"));
    assert!(action(r#""*:*""#, "s3:GetObject"));
}

#[test]
fn not_action_is_all_others() {
    let members = r#""NotAction": ["s3:Delete*", "s3:PutObject"], "Resource": "*""#;
    let decide = |action| decide(members, action, "r", &Context::new());
    assert_eq!(decide("s3:GetObject"), Decision::Allow);
    assert_eq!(decide("s3:DeleteObject"), Decision::NoMatch);
    assert_eq!(decide("s3:putobject"), Decision::NoMatch);
}

#[test]
fn resources_are_matched_with_regard_to_case_and_to_the_end() {
    assert!(resource("arn:aws:s3:::b/*", "arn:aws:s3:::b/k/a:b"));
    assert!(resource("arn:aws:s3:::b/*", "arn:aws:s3:::b/"));
    assert!(!resource("arn:aws:s3:::b/*", "arn:aws:s3:::b"));
    assert!(!resource("arn:aws:s3:::b/*", "arn:aws:s3:::B/k"));
    assert!(!resource("arn:aws:s3:::b", "arn:aws:s3:::b/k"));
    assert!(resource("arn:aws:s3:::*", "arn:aws:s3:::b/k"));
    assert!(resource("arn:aws:s3:::b/?", "arn:aws:s3:::b/ü"));
    assert!(!resource("arn:aws:s3:::b/?", "arn:aws:s3:::b/ab"));
    assert!(resource("*", "anything"));
}

#[test]
fn awss_example_of_stars_among_slashes_holds() {
    let pattern = "arn:aws:s3:::b/*/test/*";
    for key in [
        "1/test/object.jpg",
        "1///test///object.jpg",
        "/test/object.jpg",
        "1/test/",
    ] {
        assert!(resource(pattern, &format!("arn:aws:s3:::b/{key}")), "{key}");
    }
    for key in ["1-test/object.jpg", "test/object.jpg", "1/2/test.jpg"] {
        assert!(
            !resource(pattern, &format!("arn:aws:s3:::b/{key}")),
            "{key}"
        );
    }
}

#[test]
fn wildcards_before_the_resource_stay_within_their_part() {
    let arn = "arn:aws:kms:us-east-1:111122223333:key/1";
    assert!(resource("arn:aws:kms:us-*-1:111122223333:key/1", arn));
    assert!(resource("arn:aws:kms:*:*:key/*", arn));
    assert!(!resource("arn:aws:kms:us*1:x:y:key/1", arn));
    assert!(!resource("arn:aws:kms:us-east-1?111122223333::key/1", arn));
    assert!(!resource("arn:aws:kms:u*3:key/1:", arn));
    // A star that ends its part may run on, as in IAM.
    assert!(resource(
        "arn:aws:dynamodb:*:table/a:",
        "arn:aws:dynamodb:us-east-1:1:table/a:"
    ));
}

#[test]
fn not_resource_is_all_others() {
    let members = r#""Action": "*", "NotResource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]"#;
    let decide = |resource| decide(members, "s3:GetObject", resource, &Context::new());
    assert_eq!(decide("arn:aws:s3:::c/k"), Decision::Allow);
    assert_eq!(decide("arn:aws:s3:::b/k"), Decision::NoMatch);
}

#[test]
fn a_variable_stands_for_its_value() {
    let pattern = "arn:aws:s3:::b/home/${aws:username}/*";
    let alice = context(&[("aws:username", "alice")]);
    assert!(resource_in(pattern, "arn:aws:s3:::b/home/alice/k", &alice));
    assert!(!resource_in(pattern, "arn:aws:s3:::b/home/bob/k", &alice));
    let upper = "arn:aws:s3:::b/home/${AWS:UserName}/*";
    assert!(resource_in(upper, "arn:aws:s3:::b/home/alice/k", &alice));
}

#[test]
fn wildcards_in_the_value_of_a_variable_are_no_wildcards() {
    let pattern = "arn:aws:s3:::b/${aws:username}";
    for name in ["*", "?", "a*", "${aws:userid}", "${*}"] {
        let context = context(&[("aws:username", name), ("aws:userid", "z")]);
        assert!(
            !resource_in(pattern, "arn:aws:s3:::b/z", &context),
            "{name}"
        );
        assert!(
            resource_in(pattern, &format!("arn:aws:s3:::b/{name}"), &context),
            "{name}"
        );
    }
}

#[test]
fn a_variable_without_a_value_matches_no_resource_unless_it_has_a_default() {
    let missing = Context::new();
    assert!(!resource_in(
        "arn:aws:s3:::b/${aws:username}",
        "arn:aws:s3:::b/",
        &missing
    ));
    assert!(!resource_in(
        "arn:aws:s3:::b/${aws:username}*",
        "arn:aws:s3:::b/k",
        &missing
    ));
    let default = "arn:aws:s3:::b/${aws:PrincipalTag/team, 'every*one'}/*";
    assert!(resource_in(default, "arn:aws:s3:::b/every*one/k", &missing));
    assert!(!resource_in(default, "arn:aws:s3:::b/everyone/k", &missing));
    let team = context(&[("aws:PrincipalTag/team", "blue")]);
    assert!(resource_in(default, "arn:aws:s3:::b/blue/k", &team));
}

#[test]
fn a_multivalued_key_is_no_variable() {
    let mut context = Context::new();
    context.insert_all("aws:TagKeys", ["a", "b"]);
    assert!(!resource_in(
        "arn:aws:s3:::b/${aws:TagKeys}",
        "arn:aws:s3:::b/a",
        &context
    ));
}

#[test]
fn three_escapes_stand_for_themselves() {
    assert!(resource(
        "arn:aws:s3:::b/${*}${?}${$}",
        "arn:aws:s3:::b/*?$"
    ));
    assert!(!resource("arn:aws:s3:::b/${*}", "arn:aws:s3:::b/k"));
    assert!(resource("arn:aws:s3:::b/${open", "arn:aws:s3:::b/${open"));
}

#[test]
fn the_old_version_has_no_variables() {
    for version in [r#""Version": "2008-10-17","#, ""] {
        let policy = policy(&format!(
            r#"{{{version} "Statement": {{"Effect": "Allow", "Principal": "*", "Action": "*",
                "Resource": "arn:aws:s3:::b/${{aws:username}}"}}}}"#
        ));
        let context = context(&[("aws:username", "alice")]);
        let decide = |resource| {
            let action = "s3:GetObject";
            let request = Request {
                principal: &alice(),
                action,
                resource,
                context: &context,
            };
            evaluate(&policy, &request).decision
        };
        assert_eq!(decide("arn:aws:s3:::b/alice"), Decision::NoMatch);
        assert_eq!(decide("arn:aws:s3:::b/${aws:username}"), Decision::Allow);
    }
}

#[test]
fn a_denial_wins_wherever_it_stands_and_is_named() {
    let allow =
        r#"{"Sid": "a", "Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}"#;
    let deny =
        r#"{"Sid": "d", "Effect": "Deny", "Principal": "*", "Action": "s3:Put*", "Resource": "*"}"#;
    for order in [format!("{allow}, {deny}"), format!("{deny}, {allow}")] {
        let policy = policy(&format!(r#"{{"Statement": [{order}]}}"#));
        let context = Context::new();
        let decide = |action| {
            let request = Request {
                principal: &Principal::Anonymous,
                action,
                resource: "r",
                context: &context,
            };
            let verdict = evaluate(&policy, &request);
            (verdict.decision, verdict.sid())
        };
        assert_eq!(decide("s3:PutObject"), (Decision::Deny, Some("d")));
        assert_eq!(decide("s3:GetObject"), (Decision::Allow, Some("a")));
        assert_eq!(decide("kms:Decrypt"), (Decision::NoMatch, None));
    }
}

#[test]
fn policies_together_deny_first_and_never_allow_by_silence() {
    use Decision::Allow;
    use Decision::Deny;
    use Decision::NoMatch;
    for one in [Allow, Deny, NoMatch] {
        assert_eq!(one.or(Deny), Deny);
        assert_eq!(Deny.and(one), Deny);
        assert_eq!(one.or(NoMatch), one);
        assert_ne!(one.and(NoMatch), Allow);
        assert_ne!(NoMatch.and(one), Allow);
    }
    assert_eq!(Allow.and(Allow), Allow);
    assert_eq!(NoMatch.or(Allow), Allow);
}

proptest! {
    #[test]
    fn no_value_of_a_variable_matches_more_than_itself(value in proptest::prelude::any::<String>()
        .prop_filter("a key without a slash of its own", |value| value != "k")) {
        let context = context(&[("aws:username", &value)]);
        prop_assert_eq!(
            resource_in("arn:aws:s3:::b/${aws:username}", "arn:aws:s3:::b/k", &context),
            false
        );
    }

    #[test]
    fn no_document_makes_the_reader_panic(text in ".{0,200}", members in "[{}\\[\\]\":,a-zA-Z$*?]{0,80}") {
        let _ = crate::policy::Policy::parse(&text, crate::policy::PolicyKind::Resource);
        let text = format!(r#"{{"Statement": {{"Effect": "Allow", {members}}}}}"#);
        let _ = crate::policy::Policy::parse(&text, crate::policy::PolicyKind::Identity);
    }
}

#[test]
fn all_conditions_of_a_statement_must_hold() {
    let policy = allow_all(
        r#""Condition": {"Bool": {"aws:SecureTransport": true},
            "StringEquals": {"aws:a": ["1", "2"], "aws:b": "3"}}"#,
    );
    let decide = |pairs: &[(&str, &str)]| super::get(&policy, &alice(), &context(pairs));
    let all = [
        ("aws:SecureTransport", "true"),
        ("aws:a", "2"),
        ("aws:b", "3"),
    ];
    assert_eq!(decide(&all), Decision::Allow);
    for left_out in 0..all.len() {
        let mut some = all.to_vec();
        some.remove(left_out);
        assert_eq!(decide(&some), Decision::NoMatch);
    }
}
