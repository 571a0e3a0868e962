//! The language, element by element, against what AWS documents.

mod bounds;
mod conditions;
mod documents;
mod globs;
mod matching;
mod principals;
mod public;

use crate::policy::Context;
use crate::policy::Decision;
use crate::policy::Policy;
use crate::policy::PolicyKind;
use crate::policy::Principal;
use crate::policy::Request;
use crate::policy::evaluate;

fn alice() -> Principal {
    let account = "111122223333".parse().unwrap();
    Principal::aws("arn:aws:iam::111122223333:user/alice", &account)
}

fn context(pairs: &[(&str, &str)]) -> Context {
    pairs.iter().copied().collect()
}

/// What `policy` decides of `principal` that gets the object `key` of the bucket `b`.
fn get(policy: &Policy, principal: &Principal, context: &Context) -> Decision {
    let (action, resource) = ("s3:GetObject", "arn:aws:s3:::b/key");
    evaluate(
        policy,
        &Request {
            principal,
            action,
            resource,
            context,
        },
    )
    .decision
}

fn policy(text: &str) -> Policy {
    Policy::parse(text, PolicyKind::Resource).unwrap()
}

/// A policy of one statement that allows all, with `more` members besides.
fn allow_all(more: &str) -> Policy {
    policy(&format!(
        r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", "Principal": "*",
            "Action": "*", "Resource": "*", {more}}}}}"#
    ))
}

/// Whether a condition holds for a request with this context.
fn holds(condition: &str, context: &Context) -> bool {
    let policy = allow_all(&format!(r#""Condition": {condition}"#));
    get(&policy, &Principal::Anonymous, context) == Decision::Allow
}
