//! What callers may do by owners and policies, and which actions requests need.

use std::sync::Arc;
use std::sync::OnceLock;

use http::HeaderMap;
use http::HeaderValue;

use super::*;
use crate::authorize::access::Subject;
use crate::authorize::needs::hides_absence;
use crate::authorize::needs::may_always;
use crate::authorize::needs::needed;
use crate::authorize::needs::withheld;
use crate::error::S3Code;
use crate::request::Caller;
use crate::request::RequestId;
use crate::route::Needed;

fn caller(account: &str, name: &str) -> Caller {
    let arn = format!("arn:aws:iam::{account}:{name}");
    Caller::unlimited(arn.parse().unwrap())
}

fn user() -> Caller {
    caller("111122223333", "user/a")
}

fn user_of_another_account() -> Caller {
    caller("444455556666", "user/a")
}

fn access(caller: Caller, policy: Option<&str>) -> BucketAccess {
    let policy = policy.map(|text| {
        let record = serde_json::json!({ "policy": text }).to_string();
        Arc::new(serde_json::from_str(&record).unwrap())
    });
    let foreign = !caller.is_of("111122223333");
    BucketAccess {
        request_id: RequestId::from_number(1),
        caller,
        partition: "aws",
        bucket: "b".to_owned(),
        owner: "111122223333".into(),
        foreign,
        policy,
        context: Context::new(),
        prepared: OnceLock::new(),
        restricted: false,
        version_is_current: false,
        through: None,
        bucket_acl: Arc::new(BucketAcl::new("111122223333", None)),
        acl: None,
    }
}

fn check(access: &BucketAccess, operation: Operation, key: &str) -> Result<(), S3Error> {
    let action = operation.row().actions.first().unwrap();
    let subject = Subject {
        key: Some(key),
        version: None,
    };
    let outcome = access.check(action, subject);
    outcome.map_err(|refusal| access.denial(&refusal))
}

const READERS: &str = r#"{"Statement": [
    {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
     "Resource": "arn:aws:s3:::b/*"},
    {"Sid": "no-secrets", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
     "Resource": "arn:aws:s3:::b/secret/*"}]}"#;

#[test]
fn the_anonymous_caller_may_do_what_a_policy_allows_and_nothing_else() {
    let of_nobody = |policy| access(Caller::Anonymous, policy);
    let get = |access, key| check(&access, Operation::GetObject, key);
    assert!(get(of_nobody(None), "k").is_err());
    assert!(get(of_nobody(Some(READERS)), "k").is_ok());
    assert!(get(of_nobody(Some(READERS)), "secret/k").is_err());
    let put = check(&of_nobody(Some(READERS)), Operation::PutObject, "k");
    assert!(put.is_err());
}

#[test]
fn a_refusal_names_the_statement_that_denied() {
    let access = access(user(), Some(READERS));
    let action = Operation::PutObject.row().actions.first().unwrap();
    let subject = Subject {
        key: Some("secret/k"),
        version: None,
    };
    let refusal = access.check(action, subject).unwrap_err();
    let logged = format!("{refusal:?}");
    assert!(logged.contains(r#"statement 2 \"no-secrets\""#), "{logged}");
}

#[test]
fn what_a_policy_gives_to_everybody_does_not_count_where_that_is_restricted() {
    let mut restricted = access(Caller::Anonymous, Some(READERS));
    restricted.restricted = true;
    assert!(check(&restricted, Operation::GetObject, "k").is_err());
}

#[test]
fn a_user_may_do_all_that_no_policy_denies() {
    let put = |access, key| check(&access, Operation::PutObject, key);
    assert!(put(access(user(), None), "k").is_ok());
    assert!(put(access(user(), Some(READERS)), "k").is_ok());
    let error = put(access(user(), Some(READERS)), "secret/k").unwrap_err();
    assert_eq!(error.code(), S3Code::AccessDenied);
    assert!(error.message().contains("explicit deny"), "{error}");
}

#[test]
fn only_the_owners_root_user_can_always_mend_a_policy() {
    let of_root = access(caller("111122223333", "root"), None);
    assert!(may_always(Operation::PutBucketPolicy, &of_root));
    assert!(!may_always(Operation::PutObject, &of_root));
    assert!(!may_always(
        Operation::PutBucketPolicy,
        &access(user(), None)
    ));
    let other = caller("444455556666", "root");
    assert!(!may_always(
        Operation::PutBucketPolicy,
        &access(other, None)
    ));
}

#[test]
fn a_bucket_expected_to_be_someone_elses_is_refused() {
    let check = |owner: Option<&'static str>| {
        let mut headers = HeaderMap::new();
        if let Some(owner) = owner {
            headers.insert(&EXPECTED_OWNER, HeaderValue::from_static(owner));
        }
        access(user(), None).check_owner(&headers, &EXPECTED_OWNER)
    };
    assert!(check(None).is_ok());
    assert!(check(Some("111122223333")).is_ok());
    assert!(check(Some("444455556666")).is_err());
}

#[test]
fn a_user_of_another_account_may_do_what_a_policy_allows_and_nothing_else() {
    let other = user_of_another_account;
    let get = |access, key| check(&access, Operation::GetObject, key);
    let error = get(access(other(), None), "k").unwrap_err();
    assert!(
        error.message().contains("no resource-based policy"),
        "{error}"
    );
    assert!(get(access(other(), Some(READERS)), "k").is_ok());
    assert!(get(access(other(), Some(READERS)), "secret/k").is_err());
    let put = check(&access(other(), Some(READERS)), Operation::PutObject, "k");
    assert!(put.is_err());
    let mut restricted = access(other(), Some(READERS));
    restricted.restricted = true;
    assert!(get(restricted, "k").is_err());
}

#[test]
fn where_a_version_may_be_the_current_object_both_actions_are_checked() {
    let version_only = r#"{"Statement": {"Effect": "Allow", "Principal": "*",
        "Action": "s3:GetObjectVersion", "Resource": "arn:aws:s3:::b/*"}}"#;
    let action = Operation::GetObject.row().actions.first().unwrap();
    let subject = Subject {
        key: Some("k"),
        version: Some("v"),
    };
    let mut access = access(user_of_another_account(), Some(version_only));
    assert!(access.check(action, subject).is_ok());
    access.version_is_current = true;
    assert!(access.check(action, subject).is_err());
}

fn names(operation: Operation, headers: &[(&'static str, &'static str)]) -> Vec<&'static str> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, HeaderValue::from_static(value));
    }
    let actions = needed(operation.row().actions, &map);
    actions.iter().map(|action| action.name).collect()
}

#[test]
fn a_write_needs_an_action_for_everything_that_it_sets() {
    for (header, action) in [
        ("x-amz-acl", "s3:PutObjectAcl"),
        ("x-amz-grant-read", "s3:PutObjectAcl"),
        ("x-amz-object-lock-legal-hold", "s3:PutObjectLegalHold"),
        ("x-amz-object-lock-mode", "s3:PutObjectRetention"),
        (
            "x-amz-object-lock-retain-until-date",
            "s3:PutObjectRetention",
        ),
        ("x-amz-tagging", "s3:PutObjectTagging"),
    ] {
        for operation in [
            Operation::PutObject,
            Operation::PostObject,
            Operation::CreateMultipartUpload,
        ] {
            let found = names(operation, &[(header, "v")]);
            assert_eq!(found, ["s3:PutObject", action], "{operation:?} {header}");
        }
    }
}

#[test]
fn a_bypass_of_governance_needs_its_own_action_unless_it_is_switched_off() {
    let bypass = "s3:BypassGovernanceRetention";
    for operation in [
        Operation::DeleteObject,
        Operation::DeleteObjects,
        Operation::PutObjectRetention,
    ] {
        let found = |value| names(operation, &[("x-amz-bypass-governance-retention", value)]);
        assert!(found("true").contains(&bypass), "{operation:?}");
        assert!(found("TRUE").contains(&bypass), "{operation:?}");
        assert!(found("1").contains(&bypass), "{operation:?}");
        assert!(!found("false").contains(&bypass), "{operation:?}");
        assert!(!names(operation, &[]).contains(&bypass), "{operation:?}");
    }
}

#[test]
fn a_copy_needs_the_actions_on_tags_unless_it_replaces_them() {
    let tags = ["s3:GetObjectTagging", "s3:PutObjectTagging"];
    let found = names(Operation::CopyObject, &[]);
    assert_eq!(
        found,
        [
            &["s3:PutObject", "s3:GetObject"][..],
            &tags,
            &["s3:ListBucket"]
        ]
        .concat()
    );
    let replaces = [
        ("x-amz-tagging-directive", "REPLACE"),
        ("x-amz-tagging", "a=b"),
    ];
    let found = names(Operation::CopyObject, &replaces);
    assert_eq!(
        found,
        [
            "s3:PutObject",
            "s3:PutObjectTagging",
            "s3:GetObject",
            "s3:ListBucket"
        ]
    );
}

#[test]
fn an_answer_lacks_what_the_caller_may_not_see() {
    let subject = Subject {
        key: Some("k"),
        version: None,
    };
    let actions = needed(Operation::HeadObject.row().actions, &HeaderMap::new());
    let owner = access(user(), Some(READERS));
    assert!(withheld(&owner, subject, &actions).is_empty());
    let other = access(user_of_another_account(), Some(READERS));
    let withheld = withheld(&other, subject, &actions);
    assert!(withheld.contains(&"x-amz-tagging-count"));
    let terms = Terms {
        withheld,
        ..Terms::default()
    };
    let mut headers = HeaderMap::new();
    for name in ["x-amz-tagging-count", "x-amz-object-lock-mode", "etag"] {
        headers.insert(name, HeaderValue::from_static("v"));
    }
    terms.withhold(&mut headers);
    assert_eq!(headers.len(), 1);
}

#[test]
fn only_who_may_list_a_bucket_may_see_that_an_object_is_not_there() {
    let lists = r#"{"Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
         "Resource": "arn:aws:s3:::b/*"},
        {"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket",
         "Resource": "arn:aws:s3:::b"}]}"#;
    for operation in [
        Operation::GetObject,
        Operation::HeadObject,
        Operation::GetObjectAttributes,
        Operation::CopyObject,
        Operation::UploadPartCopy,
    ] {
        let actions = needed(operation.row().actions, &HeaderMap::new());
        let hides = |caller, policy| {
            hides_absence(&access(caller, Some(policy)), &actions, Needed::Absence)
        };
        assert!(!hides(user(), READERS), "{operation:?}");
        assert!(hides(user_of_another_account(), READERS), "{operation:?}");
        assert!(!hides(user_of_another_account(), lists), "{operation:?}");
    }
}

#[test]
fn an_action_on_a_version_has_its_own_name() {
    for (operation, versioned, action) in [
        (Operation::GetObject, false, "s3:GetObject"),
        (Operation::HeadObject, true, "s3:GetObjectVersion"),
        (
            Operation::GetObjectTagging,
            true,
            "s3:GetObjectVersionTagging",
        ),
        (Operation::DeleteObject, true, "s3:DeleteObjectVersion"),
        (Operation::UploadPart, false, "s3:PutObject"),
        (Operation::ListObjectsV2, false, "s3:ListBucket"),
        (Operation::PutObjectRetention, true, "s3:PutObjectRetention"),
    ] {
        let first = operation.row().actions.first().unwrap();
        assert_eq!(first.name(versioned), action, "{operation:?}");
    }
}
