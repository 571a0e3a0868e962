//! Who calls in tests about permissions.

use std::sync::Arc;

use proto::iam::Identity;
use proto::iam::Principals;
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
    let documents: Vec<String> = policies
        .as_array()
        .unwrap()
        .iter()
        .map(|statement| format!("'{}'", json!({ "Statement": [statement] })))
        .collect();
    let file = format!(
        "[[user]]\nname = 'carl'\naccess_key_id = 'A'\nsecret_access_key = 's'\naccount = '{ACCOUNT}'\n\
         policies = [{}]",
        documents.join(",")
    );
    let principals = Principals::parse(&file).unwrap();
    let user = &principals.users()[0];
    let identity = match session_policy {
        None => Identity::of_user(user),
        Some(policy) => {
            let session = Session {
                principal: user.arn.clone(),
                source: user.arn.clone(),
                user_id: user.unique_id(),
                issued: Timestamp::UNIX_EPOCH,
                expires: Timestamp::UNIX_EPOCH,
                mfa: false,
                policy: Some(json!({ "Statement": [policy] }).to_string()),
                source_identity: None,
                tags: [].into(),
                transitive_tags: Vec::new(),
            };
            Identity::of_session(session, &principals).unwrap()
        }
    };
    let mut caller = user_caller();
    caller.identity = Some(Arc::new(identity));
    caller
}

/// The caller that [`limited`] makes, without policies.
pub(crate) fn user_caller() -> Caller {
    user(ACCOUNT, "carl")
}
