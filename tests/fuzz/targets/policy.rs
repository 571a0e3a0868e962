//! Policy documents and their evaluation.
//!
//! Input: a document, an action, a resource, a principal's ARN and pairs `key=value` of the
//! context, with a zero byte between them.
//!
//! The verdict does not depend on the order of the statements, unless one was too expensive to
//! evaluate, and a statement that denies everything to everybody makes it a denial.

#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::policy;
use proto::policy::Context;
use proto::policy::Decision;
use proto::policy::Policy;
use proto::policy::PolicyKind;
use proto::policy::Principal;
use proto::policy::Request;
use serde_json::Value;

fuzz_target!(|input: &str| {
    let mut parts = input.split('\0');
    let mut next = || parts.next().unwrap_or_default();
    let (document, action, resource, arn) = (next(), next(), next(), next());
    let context: Context = parts.filter_map(|pair| pair.split_once('=')).collect();
    let principal = match arn {
        "" => Principal::Anonymous,
        arn => Principal::aws(arn, &"111122223333".parse().expect("12 digits")),
    };
    let decide = |policy: &Policy| {
        let request = Request {
            principal: &principal,
            action,
            resource,
            context: &context,
        };
        let verdict = policy::evaluate(policy, &request);
        (verdict.decision, verdict.unresolved)
    };

    let Ok(read) = Policy::parse(document, PolicyKind::Resource) else {
        return;
    };
    let (decision, unresolved) = decide(&read);

    let mut json: Value = serde_json::from_str(document).expect("a policy is JSON");
    let Some(Value::Array(statements)) = json.get_mut("Statement") else {
        return;
    };
    statements.reverse();
    let reversed = Policy::parse(&json.to_string(), PolicyKind::Resource);
    let reversed = reversed.expect("the order of statements is free");
    let (of_reversed, reversed_unresolved) = decide(&reversed);
    assert!(of_reversed == decision || unresolved || reversed_unresolved);

    let deny = r#"{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}"#;
    let Some(Value::Array(statements)) = json.get_mut("Statement") else {
        return;
    };
    statements.push(serde_json::from_str(deny).expect("it is JSON"));
    let denied = Policy::parse(&json.to_string(), PolicyKind::Resource);
    let denied = denied.expect("one more statement is allowed");
    assert_eq!(decide(&denied).0, Decision::Deny);
});
