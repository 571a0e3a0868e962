//! Who calls in tests about permissions.

use std::sync::Arc;

use proto::iam::Identity;
use proto::iam::Principals;
use proto::identity::PrincipalArn;
use proto::session::Session;
use proto::time::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::api::tests::ACCOUNT;
use crate::caller::Caller;

/// Another account than that of the keys.
pub(crate) const OTHER: &str = "444455556666";

/// A user with every right of its account.
pub(crate) fn user(account: &str, name: &str) -> Caller {
    let mut caller = Caller::fixture(account, "us-east-1");
    caller.principal_arn = format!("arn:aws:iam::{account}:user/{name}").into();
    caller
}

/// A caller of the keys' account with those identity policies, in a session with that policy if there is one.
pub(crate) fn limited(policies: &Value, session_policy: Option<&Value>) -> Caller {
    limited_in(ACCOUNT, policies, session_policy)
}

/// As [`limited`], of any account.
pub(crate) fn limited_in(
    account: &str,
    policies: &Value,
    session_policy: Option<&Value>,
) -> Caller {
    let documents: Vec<String> = policies
        .as_array()
        .unwrap()
        .iter()
        .map(|statement| format!("'{}'", json!({ "Statement": [statement] })))
        .collect();
    let file = format!(
        "[[user]]\nname = 'carl'\naccess_key_id = 'A'\nsecret_access_key = 's'\naccount = '{account}'\n\
         policies = [{}]",
        documents.join(",")
    );
    let principals = Principals::parse(&file).unwrap();
    let carl = &principals.users()[0];
    let identity = match session_policy {
        None => Identity::of_user(carl),
        Some(policy) => {
            let session = Session {
                policy: Some(json!({ "Statement": [policy] }).to_string()),
                ..session(&carl.arn, carl.unique_id())
            };
            Identity::of_session(session, &principals).unwrap()
        }
    };
    let mut caller = user(account, "carl");
    caller.identity = Some(Arc::new(identity));
    caller
}

/// A session without a policy.
fn session(source: &PrincipalArn, user_id: String) -> Session {
    Session {
        principal: source.clone(),
        source: source.clone(),
        user_id,
        issued: Timestamp::UNIX_EPOCH,
        expires: Timestamp::UNIX_EPOCH,
        mfa: false,
        policy: None,
        source_identity: None,
        tags: [].into(),
        transitive_tags: Vec::new(),
    }
}

/// A session of a role without policies.
pub(crate) fn session_of_role(path: &str, name: &str) -> Caller {
    let file = format!(
        "[[role]]\nname = '{name}'\npath = '{path}'\naccount = '{ACCOUNT}'\n\
         trust_policy = {{ Statement = {{ Effect = 'Allow', Action = 'sts:AssumeRole', Principal = '*' }} }}\n"
    );
    let principals = Principals::parse(&file).unwrap();
    let account = ACCOUNT.parse().unwrap();
    let role = PrincipalArn::role("aws", &account, path, name);
    let session = Session {
        principal: role.assumed_role("monday"),
        ..session(&role, "AROA:monday".to_owned())
    };
    let mut caller = user_caller();
    caller.principal_arn = session.principal.as_str().into();
    caller.identity = Some(Arc::new(
        Identity::of_session(session, &principals).unwrap(),
    ));
    caller
}

/// The caller that [`limited`] makes, without policies.
pub(crate) fn user_caller() -> Caller {
    user(ACCOUNT, "carl")
}
