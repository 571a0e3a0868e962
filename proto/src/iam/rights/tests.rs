//! Which of a principal's policies, a resource's and a session's let a request through.

use super::*;
use crate::iam::Identity;
use crate::iam::Principals;
use crate::identity::PrincipalArn;
use crate::policy::PolicyKind;
use crate::policy::Request;
use crate::policy::evaluate;
use crate::session::Session;
use crate::time::Timestamp;

const OWN: &str = "111122223333";
const OTHER: &str = "444455556666";
const OBJECT: &str = "arn:aws:s3:::bucket/key";
const ALLOW: &str = r#"{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
const DENY: &str = r#"{"Statement":[{"Effect":"Deny","Action":"s3:GetObject","Resource":"*"}]}"#;

/// `None` leaves the user every right.
fn user(policies: Option<&[&str]>) -> Principals {
    let policies = policies.map_or_else(String::new, |all| format!("policies = {all:?}\n"));
    let file = format!(
        "[[user]]\nname = 'ana'\naccess_key_id = 'A'\nsecret_access_key = 's'\naccount = '{OWN}'\n{policies}"
    );
    Principals::parse(&file).unwrap()
}

fn resource(effect: &str, principal: &str) -> Policy {
    let text = format!(
        r#"{{"Statement":[{{"Effect":"{effect}","Action":"s3:GetObject","Resource":"*",
             "Principal":{{"AWS":"{principal}"}}}}]}}"#
    );
    Policy::parse(&text, PolicyKind::Resource).unwrap()
}

fn decide(
    identity: &Identity,
    policy: Option<&Policy>,
    owner: &str,
    delegation: Delegation,
) -> Decision {
    let context = Context::new();
    let principal = identity.principal();
    let request = Request {
        principal: &principal,
        action: "s3:GetObject",
        resource: OBJECT,
        context: &context,
    };
    let verdict = policy.map_or(Verdict::NONE, |policy| evaluate(policy, &request));
    let rights = identity.for_request(&context);
    rights.decide_with(&verdict, owner, delegation, "s3:GetObject", OBJECT)
}

fn identity(policies: Option<&[&str]>) -> Identity {
    Identity::of_user(&user(policies).users()[0])
}

#[test]
fn within_an_account_either_side_allows_and_any_denial_counts() {
    let (ana, account) = ("arn:aws:iam::111122223333:user/ana", OWN);
    let named = resource("Allow", ana);
    let delegated = resource("Allow", account);
    let denied = resource("Deny", account);
    let always = Delegation::Always;
    for (policies, policy, expected) in [
        (None, None, Decision::Allow),
        (None, Some(&denied), Decision::Deny),
        (Some(&[][..]), None, Decision::NoMatch),
        (Some(&[][..]), Some(&named), Decision::Allow),
        (
            Some(&[][..]),
            Some(&resource("Allow", "*")),
            Decision::Allow,
        ),
        (Some(&[][..]), Some(&delegated), Decision::NoMatch),
        (Some(&[ALLOW][..]), None, Decision::Allow),
        (Some(&[ALLOW][..]), Some(&denied), Decision::Deny),
        (Some(&[ALLOW, DENY][..]), Some(&named), Decision::Deny),
        (Some(&[DENY][..]), None, Decision::Deny),
    ] {
        let decision = decide(&identity(policies), policy, OWN, always);
        assert_eq!(decision, expected, "{policies:?} {policy:?}");
    }
}

#[test]
fn of_two_accounts_both_must_allow() {
    let named = resource("Allow", "arn:aws:iam::111122223333:user/ana");
    let account = resource("Allow", OWN);
    for delegation in [Delegation::Always, Delegation::ByResource] {
        for (policies, policy, expected) in [
            (None, None, Decision::NoMatch),
            (None, Some(&named), Decision::Allow),
            (None, Some(&account), Decision::Allow),
            (Some(&[][..]), Some(&named), Decision::NoMatch),
            (Some(&[ALLOW][..]), Some(&named), Decision::Allow),
            (Some(&[ALLOW][..]), None, Decision::NoMatch),
            (Some(&[DENY][..]), Some(&named), Decision::Deny),
        ] {
            let decision = decide(&identity(policies), policy, OTHER, delegation);
            assert_eq!(decision, expected, "{policies:?} {policy:?}");
        }
    }
}

#[test]
fn policies_of_users_count_for_a_key_only_where_its_policy_names_their_account() {
    let by_resource = Delegation::ByResource;
    let elsewhere = resource("Allow", "arn:aws:iam::111122223333:user/bob");
    let account = resource("Allow", OWN);
    for (policies, policy, expected) in [
        (None, None, Decision::NoMatch),
        (None, Some(&elsewhere), Decision::NoMatch),
        (None, Some(&account), Decision::Allow),
        (Some(&[ALLOW][..]), Some(&elsewhere), Decision::NoMatch),
        (Some(&[ALLOW][..]), Some(&account), Decision::Allow),
        (Some(&[][..]), Some(&account), Decision::NoMatch),
    ] {
        let decision = decide(&identity(policies), policy, OWN, by_resource);
        assert_eq!(decision, expected, "{policies:?} {policy:?}");
    }
}

fn session(principals: &Principals, source: &str, policy: Option<&str>) -> Identity {
    let source: PrincipalArn = source.parse().unwrap();
    let is_role = principals.role(&source).is_some();
    let session = Session {
        principal: if is_role {
            source.assumed_role("monday")
        } else {
            source.clone()
        },
        source,
        user_id: "AROAEXAMPLE:monday".to_owned(),
        issued: Timestamp::from_unix_seconds(1_000),
        expires: Timestamp::from_unix_seconds(2_000),
        mfa: is_role,
        policy: policy.map(str::to_owned),
        source_identity: None,
        tags: [("team".to_owned(), "blue".to_owned())].into(),
        transitive_tags: Vec::new(),
    };
    Identity::of_session(session, principals).unwrap()
}

#[test]
fn a_session_policy_narrows_and_never_widens() {
    let ana = "arn:aws:iam::111122223333:user/ana";
    let other = r#"{"Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}]}"#;
    let named = resource("Allow", ana);
    for (policies, policy, expected) in [
        (None, None, Decision::Allow),
        (None, Some(ALLOW), Decision::Allow),
        (None, Some(other), Decision::NoMatch),
        (None, Some(DENY), Decision::Deny),
        (Some(&[][..]), Some(ALLOW), Decision::NoMatch),
        (Some(&[DENY][..]), Some(ALLOW), Decision::Deny),
    ] {
        let principals = user(policies);
        let identity = session(&principals, ana, policy);
        let decision = decide(&identity, None, OWN, Delegation::Always);
        assert_eq!(decision, expected, "{policies:?} {policy:?}");
    }
    let narrowed = session(&user(None), ana, Some(other));
    let decision = decide(&narrowed, Some(&named), OWN, Delegation::Always);
    assert_eq!(
        decision,
        Decision::NoMatch,
        "a bucket policy opens no session policy"
    );
}

#[test]
fn a_refusal_names_the_session_policy_only_where_that_refuses() {
    let ana = "arn:aws:iam::111122223333:user/ana";
    let other = r#"{"Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}]}"#;
    let named = resource("Allow", ana);
    let account = resource("Allow", "arn:aws:iam::111122223333:root");
    for (policies, policy, by_resource, expected) in [
        (None, other, None, "session"),
        (None, DENY, None, "session"),
        (Some(&[ALLOW][..]), other, None, "session"),
        (Some(&[][..]), other, None, "identity-based"),
        (Some(&[][..]), other, Some(&named), "session"),
        (Some(&[][..]), other, Some(&account), "identity-based"),
        (Some(&[DENY][..]), DENY, None, "identity-based"),
        (Some(&[][..]), ALLOW, None, "identity-based"),
    ] {
        let identity = session(&user(policies), ana, Some(policy));
        let context = Context::new();
        let principal = identity.principal();
        let action = "s3:GetObject";
        let request = Request {
            principal: &principal,
            action,
            resource: OBJECT,
            context: &context,
        };
        let verdict = by_resource.map_or(Verdict::NONE, |policy| evaluate(policy, &request));
        let rights = identity.for_request(&context);
        let kind = rights.refusing_kind(&verdict, OWN, action, OBJECT);
        assert_eq!(kind, expected, "{policies:?} {policy} {by_resource:?}");
    }
}

const ROLE: &str = "[[role]]\nname = 'reader'\naccount = '111122223333'\npath = '/team/'\n\
    trust_policy = { Statement = { Effect = 'Allow', Action = 'sts:AssumeRole', Principal = '*' } }\n";

#[test]
fn the_policy_of_a_resource_names_a_role_with_its_path_or_one_of_its_sessions() {
    let principals = Principals::parse(ROLE).unwrap();
    let identity = session(
        &principals,
        "arn:aws:iam::111122223333:role/team/reader",
        None,
    );
    for (principal, expected) in [
        (
            "arn:aws:iam::111122223333:role/team/reader",
            Decision::Allow,
        ),
        (
            "arn:aws:sts::111122223333:assumed-role/reader/monday",
            Decision::Allow,
        ),
        (
            "arn:aws:sts::111122223333:assumed-role/reader/tuesday",
            Decision::NoMatch,
        ),
        ("arn:aws:iam::111122223333:role/reader", Decision::NoMatch),
    ] {
        let policy = resource("Allow", principal);
        let decision = decide(&identity, Some(&policy), OWN, Delegation::Always);
        assert_eq!(decision, expected, "{principal}");
    }
}

#[test]
fn the_condition_keys_of_long_term_keys_and_sessions_are_aws_s() {
    let now = Timestamp::from_unix_seconds(1_060);
    let keys = |identity: &Identity| {
        let mut context = Context::new();
        identity.write_conditions(now, &mut context);
        move |key: &str| context.get(key).map(|values| values.join(","))
    };
    let text = |text: &str| Some(text.to_owned());

    let long_term = keys(&identity(None));
    assert_eq!(long_term("aws:username"), text("ana"));
    assert_eq!(long_term("aws:PrincipalType"), text("User"));
    for absent in [
        "aws:MultiFactorAuthPresent",
        "aws:MultiFactorAuthAge",
        "aws:TokenIssueTime",
    ] {
        assert_eq!(long_term(absent), None, "{absent}");
    }

    let of_user = keys(&session(
        &user(None),
        "arn:aws:iam::111122223333:user/ana",
        None,
    ));
    assert_eq!(of_user("aws:MultiFactorAuthPresent"), text("false"));
    assert_eq!(of_user("aws:MultiFactorAuthAge"), None);
    assert_eq!(of_user("aws:username"), text("ana"));

    let principals = Principals::parse(ROLE).unwrap();
    let role = "arn:aws:iam::111122223333:role/team/reader";
    let of_role = keys(&session(&principals, role, None));
    assert_eq!(of_role("aws:PrincipalArn"), text(role));
    assert_eq!(of_role("aws:PrincipalType"), text("AssumedRole"));
    assert_eq!(of_role("aws:userid"), text("AROAEXAMPLE:monday"));
    assert_eq!(of_role("aws:username"), None);
    assert_eq!(of_role("aws:PrincipalTag/team"), text("blue"));
    assert_eq!(of_role("aws:MultiFactorAuthPresent"), text("true"));
    assert_eq!(of_role("aws:MultiFactorAuthAge"), text("60"));
    assert_eq!(of_role("aws:TokenIssueTime"), text("1970-01-01T00:16:40Z"));

    let root: PrincipalArn = "arn:aws:iam::111122223333:root".parse().unwrap();
    let root = keys(&Identity::unlimited(root));
    assert_eq!(root("aws:PrincipalType"), text("Account"));
    assert_eq!(root("aws:userid"), text(OWN));
    assert_eq!(root("aws:username"), None);
}
