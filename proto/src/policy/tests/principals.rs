//! Whom a statement means.

use super::alice;
use crate::policy::Context;
use crate::policy::Decision;
use crate::policy::Policy;
use crate::policy::PolicyFault;
use crate::policy::PolicyKind;
use crate::policy::Principal;
use crate::policy::PrincipalMatch;
use crate::policy::Request;
use crate::policy::evaluate;

const BOB: &str = "arn:aws:iam::111122223333:user/bob";
const OTHER: &str = "arn:aws:iam::444455556666:user/alice";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/app/session";

fn parse(effect: &str, element: &str, value: &str) -> Result<Policy, PolicyFault> {
    let text = format!(
        r#"{{"Statement": {{"Effect": "{effect}", "{element}": {value}, "Action": "*",
            "Resource": "*"}}}}"#
    );
    Policy::parse(&text, PolicyKind::Resource).map_err(|error| error.fault)
}

fn named(value: &str, principal: &Principal) -> Option<PrincipalMatch> {
    let policy = parse("Allow", "Principal", value).unwrap();
    let context = Context::new();
    let request = Request {
        principal,
        action: "s3:GetObject",
        resource: "r",
        context: &context,
    };
    evaluate(&policy, &request).principal
}

/// Whether a denial of all but these hits `principal`.
fn denied(except: &str, principal: &Principal) -> bool {
    let policy = parse("Deny", "NotPrincipal", except).unwrap();
    let context = Context::new();
    let request = Request {
        principal,
        action: "s3:GetObject",
        resource: "r",
        context: &context,
    };
    evaluate(&policy, &request).decision == Decision::Deny
}

fn user(arn: &str) -> Principal {
    let account = arn.split(':').nth(4).unwrap();
    Principal::aws(arn, &account.parse().unwrap())
}

#[test]
fn a_star_is_anyone_in_both_its_forms() {
    for value in [r#""*""#, r#"{"AWS": "*"}"#, r#"{"AWS": ["*"]}"#] {
        for principal in [
            Principal::Anonymous,
            alice(),
            Principal::Service("s".to_owned()),
        ] {
            assert_eq!(
                named(value, &principal),
                Some(PrincipalMatch::Anyone),
                "{value}"
            );
        }
    }
}

#[test]
fn an_account_stands_for_all_its_principals_and_no_others() {
    for value in [
        r#"{"AWS": "111122223333"}"#,
        r#"{"AWS": "arn:aws:iam::111122223333:root"}"#,
    ] {
        assert_eq!(named(value, &alice()), Some(PrincipalMatch::Account));
        assert_eq!(named(value, &user(SESSION)), Some(PrincipalMatch::Account));
        assert_eq!(named(value, &user(OTHER)), None);
        assert_eq!(named(value, &Principal::Anonymous), None);
        let root = user("arn:aws:iam::111122223333:root");
        assert_eq!(named(value, &root), Some(PrincipalMatch::Named));
    }
}

#[test]
fn a_user_is_itself_alone() {
    let value = r#"{"AWS": "arn:aws:iam::111122223333:user/alice"}"#;
    assert_eq!(named(value, &alice()), Some(PrincipalMatch::Named));
    for arn in [
        BOB,
        OTHER,
        "arn:aws:iam::111122223333:user/path/alice",
        "arn:aws:iam::111122223333:user/Alice",
        "arn:aws:iam::111122223333:root",
    ] {
        assert_eq!(named(value, &user(arn)), None, "{arn}");
    }
}

#[test]
fn a_list_names_any_of_its_entries() {
    let value = format!(r#"{{"AWS": ["{BOB}", "444455556666"], "Service": "s3.amazonaws.com"}}"#);
    assert_eq!(named(&value, &user(BOB)), Some(PrincipalMatch::Named));
    assert_eq!(named(&value, &user(OTHER)), Some(PrincipalMatch::Account));
    assert_eq!(named(&value, &alice()), None);
    let service = Principal::Service("s3.amazonaws.com".to_owned());
    assert_eq!(named(&value, &service), Some(PrincipalMatch::Named));
}

#[test]
fn a_session_is_meant_by_its_role_and_by_itself() {
    let role = r#"{"AWS": "arn:aws:iam::111122223333:role/app"}"#;
    assert_eq!(named(role, &user(SESSION)), Some(PrincipalMatch::Named));
    assert_eq!(
        named(&format!(r#"{{"AWS": "{SESSION}"}}"#), &user(SESSION)),
        Some(PrincipalMatch::Named)
    );
    assert_eq!(
        named(
            r#"{"AWS": "arn:aws:iam::111122223333:role/ap"}"#,
            &user(SESSION)
        ),
        None
    );
    assert_eq!(
        named(
            r#"{"AWS": "arn:aws:iam::444455556666:role/app"}"#,
            &user(SESSION)
        ),
        None
    );
    let other = user("arn:aws:sts::111122223333:assumed-role/app/other");
    assert_eq!(named(&format!(r#"{{"AWS": "{SESSION}"}}"#), &other), None);
}

#[test]
fn a_role_with_a_path_is_meant_with_its_path() {
    let path = "arn:aws:iam::111122223333:role/team/app";
    let principal = Principal::Aws {
        arn: SESSION.to_owned(),
        account: "111122223333".to_owned(),
        role_arn: Some(path.to_owned()),
        canonical_user: None,
    };
    assert_eq!(
        named(&format!(r#"{{"AWS": "{path}"}}"#), &principal),
        Some(PrincipalMatch::Named)
    );
    assert_eq!(
        named(
            r#"{"AWS": "arn:aws:iam::111122223333:role/app"}"#,
            &principal
        ),
        None
    );
}

#[test]
fn services_and_providers_are_meant_by_name_and_kind() {
    let service = Principal::Service("logging.s3.amazonaws.com".to_owned());
    let value = r#"{"Service": "logging.s3.amazonaws.com"}"#;
    assert_eq!(named(value, &service), Some(PrincipalMatch::Named));
    assert_eq!(named(value, &alice()), None);
    assert_eq!(
        named(
            value,
            &Principal::Federated("logging.s3.amazonaws.com".to_owned())
        ),
        None
    );
    assert_eq!(named(r#"{"Service": "s3.amazonaws.com"}"#, &service), None);
    let provider = Principal::Federated("cognito-identity.amazonaws.com".to_owned());
    let value = r#"{"Federated": "cognito-identity.amazonaws.com"}"#;
    assert_eq!(named(value, &provider), Some(PrincipalMatch::Named));
}

#[test]
fn a_canonical_user_is_an_account() {
    let id = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be";
    let Principal::Aws {
        arn,
        account,
        role_arn,
        ..
    } = alice()
    else {
        panic!("a user")
    };
    let principal = Principal::Aws {
        arn,
        account,
        role_arn,
        canonical_user: Some(id.to_owned()),
    };
    let value = format!(r#"{{"CanonicalUser": "{id}"}}"#);
    assert_eq!(named(&value, &principal), Some(PrincipalMatch::Account));
    assert_eq!(named(&value, &alice()), None);
}

#[test]
fn all_but_a_user_needs_its_account_named_too() {
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
    let both = format!(r#"{{"AWS": ["{BOB}", "arn:aws:iam::111122223333:root"]}}"#);
    assert!(!denied(&both, &user(BOB)));
    assert!(denied(&both, &alice()));
    assert!(denied(&both, &user(OTHER)));
    assert!(denied(&both, &Principal::Anonymous));
    assert!(!denied(&both, &user("arn:aws:iam::111122223333:root")));
    // Without the account, the denial hits the account the user acts in.
    assert!(denied(&format!(r#"{{"AWS": "{BOB}"}}"#), &user(BOB)));
}

#[test]
fn all_but_a_session_needs_its_role_and_account_named_too() {
    let (role, root) = (
        "arn:aws:iam::111122223333:role/app",
        "arn:aws:iam::111122223333:root",
    );
    let all = format!(r#"{{"AWS": ["{SESSION}", "{role}", "{root}"]}}"#);
    assert!(!denied(&all, &user(SESSION)));
    for some in [
        format!(r#"["{SESSION}", "{root}"]"#),
        format!(r#"["{role}", "{root}"]"#),
    ] {
        assert!(
            denied(&format!(r#"{{"AWS": {some}}}"#), &user(SESSION)),
            "{some}"
        );
    }
}

#[test]
fn all_but_anyone_is_nobody() {
    assert!(!denied(r#""*""#, &Principal::Anonymous));
    assert!(!denied(r#""*""#, &alice()));
}

#[test]
fn principals_that_cannot_be_are_refused_with_s3s_text() {
    for value in [
        r#""""#,
        r#""111122223333""#,
        r#""arn:aws:iam::111122223333:root""#,
        "{}",
        "[]",
        "null",
        "1",
        r#"["*"]"#,
        r#"{"AWS": []}"#,
        r#"{"AWS": ""}"#,
        r#"{"AWS": 111122223333}"#,
        r#"{"AWS": "11112222333"}"#,
        r#"{"AWS": "alice"}"#,
        r#"{"Aws": "*"}"#,
        r#"{"Everyone": "*"}"#,
        r#"{"AWS": "arn:aws:iam::111122223333:user/*"}"#,
        r#"{"AWS": "arn:aws:iam::*:root"}"#,
        r#"{"AWS": "arn:aws:iam::111122223333:user/"}"#,
        r#"{"AWS": "arn:aws:iam::111122223333:group/g"}"#,
        r#"{"AWS": "arn:aws:s3:::b"}"#,
        r#"{"AWS": "arn:aws:iam:::user/a"}"#,
        r#"{"Service": "*"}"#,
        r#"{"AWS": "arn:aws:iam:us-east-1:111122223333:root"}"#,
        r#"{"CanonicalUser": "*"}"#,
        r#"{"AWS": "ALICE"}"#,
        r#"{"AWS": "BIDACKCEVSQ6C2EXAMPLE"}"#,
        r#"{"AWS": "arn:aws:iam::111122223333:alice"}"#,
        r#"{"AWS": "arn:aws:sts::111122223333:root"}"#,
    ] {
        let fault = parse("Allow", "Principal", value).unwrap_err();
        assert_eq!(fault.to_string(), "Invalid principal in policy", "{value}");
    }
}

#[test]
fn a_deleted_principal_is_nobody_and_no_fault() {
    assert_eq!(named(r#"{"AWS": "AIDACKCEVSQ6C2EXAMPLE"}"#, &alice()), None);
}

#[test]
fn of_several_that_allow_the_most_direct_counts() {
    let value = r#"{"AWS": ["111122223333", "arn:aws:iam::111122223333:user/alice"]}"#;
    assert_eq!(named(value, &alice()), Some(PrincipalMatch::Named));
}

#[test]
fn a_text_that_is_not_a_star_is_named_in_the_fault() {
    let principal = "111122223333".to_owned();
    let fault = parse("Allow", "Principal", r#""111122223333""#).unwrap_err();
    assert_eq!(fault, PolicyFault::Principal { principal });
}

/// The sids of the statement that decides between two that allow, in both orders.
#[test]
fn of_two_statements_that_allow_the_more_direct_decides_and_of_like_ones_the_first() {
    let account = r#"{"AWS": "111122223333"}"#;
    let user = r#"{"AWS": "arn:aws:iam::111122223333:user/alice"}"#;
    for (first, second, decides, by) in [
        (account, user, "second", PrincipalMatch::Named),
        (user, account, "first", PrincipalMatch::Named),
        (account, account, "first", PrincipalMatch::Account),
        (user, user, "first", PrincipalMatch::Named),
        (account, r#""*""#, "second", PrincipalMatch::Anyone),
        (r#""*""#, account, "first", PrincipalMatch::Anyone),
    ] {
        let text = format!(
            r#"{{"Statement": [
                {{"Sid": "first", "Effect": "Allow", "Principal": {first}, "Action": "*",
                  "Resource": "*"}},
                {{"Sid": "second", "Effect": "Allow", "Principal": {second}, "Action": "*",
                  "Resource": "*"}}]}}"#
        );
        let policy = Policy::parse(&text, PolicyKind::Resource).unwrap();
        let request = Request {
            principal: &alice(),
            action: "s3:GetObject",
            resource: "r",
            context: &Context::new(),
        };
        let verdict = evaluate(&policy, &request);
        assert_eq!(verdict.sid(), Some(decides), "{first} {second}");
        assert_eq!(verdict.principal, Some(by), "{first} {second}");
    }
}
