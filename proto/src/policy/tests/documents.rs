//! What is a policy and what is none.

use super::get;
use super::policy;
use crate::policy::Context;
use crate::policy::Decision;
use crate::policy::Effect;
use crate::policy::Policy;
use crate::policy::PolicyFault;
use crate::policy::PolicyKind;
use crate::policy::Principal;
use crate::policy::Statement;

const STATEMENT: &str =
    r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}"#;

fn fault(text: &str) -> PolicyFault {
    Policy::parse(text, PolicyKind::Resource).unwrap_err().fault
}

/// The fault of a policy whose one statement is `STATEMENT` with `from` replaced by `to`.
fn changed(from: &str, to: &str) -> PolicyFault {
    assert!(STATEMENT.contains(from), "{from}");
    fault(&format!(
        r#"{{"Statement": [{}]}}"#,
        STATEMENT.replace(from, to)
    ))
}

#[test]
fn a_statement_may_stand_alone_or_in_a_list() {
    for text in [
        format!(r#"{{"Statement": {STATEMENT}}}"#),
        format!(r#"{{"Statement": [{STATEMENT}, {STATEMENT}]}}"#),
    ] {
        assert_eq!(
            get(&policy(&text), &Principal::Anonymous, &Context::new()),
            Decision::Allow
        );
    }
}

#[test]
fn a_policy_has_its_id_and_its_statements_their_elements() {
    let policy = policy(
        r#"{"Version": "2008-10-17", "Id": "p", "Statement": [{"Sid": "Allow all of it",
            "Effect": "Deny", "Principal": "*", "Action": ["s3:Get*", "s3:Put*"],
            "NotResource": "arn:aws:s3:::b"}]}"#,
    );
    assert_eq!(policy.id(), Some("p"));
    let [statement] = policy.statements() else {
        panic!("one statement")
    };
    assert_eq!(statement.sid(), Some("Allow all of it"));
    assert_eq!(statement.effect(), Effect::Deny);
    assert_eq!(statement.position(), 0);
    assert_eq!(statement.to_string(), r#"statement 1 "Allow all of it""#);
    assert!(statement.actions().eq(["s3:Get*", "s3:Put*"]));
    assert_eq!(statement.resources().count(), 0);
}

#[test]
fn kmss_default_key_policy_is_a_policy() {
    let policy = policy(
        r#"{"Version": "2012-10-17", "Id": "key-default-1", "Statement": [{
            "Sid": "Enable IAM User Permissions", "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Action": "kms:*", "Resource": "*"}]}"#,
    );
    assert_eq!(policy.statements().len(), 1);
}

#[test]
fn a_document_that_is_no_json_object_is_refused_with_s3s_text() {
    let text = "Policies must be valid JSON and the first byte must be '{'";
    for document in [
        "",
        "invalid json",
        "[]",
        "null",
        "{",
        "{}x",
        r#""{}""#,
        "{'a': 1}",
    ] {
        assert_eq!(fault(document).to_string(), text, "{document}");
    }
    let error = Policy::parse("{\n  \"Id\": }", PolicyKind::Resource).unwrap_err();
    assert_eq!(error.fault, PolicyFault::Json { line: 2, column: 9 });
}

#[test]
fn an_id_that_is_no_text_is_a_fault_of_its_own() {
    let text = format!(r#"{{"Id": 1, "Statement": {STATEMENT}}}"#);
    assert_eq!(fault(&text), PolicyFault::Syntax { element: "Id" });
}

#[test]
fn statements_have_their_places_in_the_document() {
    let policy = policy(&format!(r#"{{"Statement": [{STATEMENT}, {STATEMENT}]}}"#));
    let places: Vec<_> = policy
        .statements()
        .iter()
        .map(Statement::position)
        .collect();
    assert_eq!(places, [0, 1]);
}

#[test]
fn a_key_of_the_context_is_found_in_any_case() {
    let context: Context = [("aws:Referer", "a")].into_iter().collect();
    assert_eq!(context.get("AWS:referer"), Some(&["a".to_owned()][..]));
    assert_eq!(context.get("aws:Refere"), None);
}

#[test]
fn json_nested_without_end_is_refused() {
    let deep = format!(r#"{{"Statement": {}"#, "[".repeat(100_000));
    assert!(matches!(fault(&deep), PolicyFault::Json { .. }));
}

#[test]
fn a_number_of_more_digits_than_it_is_written_with_is_refused() {
    let with = |number: &str| {
        let condition = format!(r#"{{"NumericEquals": {{"aws:a": {number}}}}}"#);
        let statement = STATEMENT.replace('{', &format!(r#"{{"Condition": {condition}, "#));
        Policy::parse(
            &format!(r#"{{"Statement": {statement}}}"#),
            PolicyKind::Resource,
        )
    };
    for number in ["1e308", "-1e21", "1e-10", "5e-324"] {
        let fault = with(number).unwrap_err().fault;
        assert!(matches!(fault, PolicyFault::Json { .. }), "{number}");
    }
    for number in ["0.0", "-0.5", "1e3", "1e-9", "12345678901234567890"] {
        with(number).unwrap();
    }
}

#[test]
fn a_member_that_stands_there_twice_is_refused() {
    let name = "Statement".to_owned();
    let text = format!(r#"{{"Statement": {STATEMENT}, "Statement": {STATEMENT}}}"#);
    assert_eq!(fault(&text), PolicyFault::Repeated { name });
    let name = "Effect".to_owned();
    let twice = changed(r#""Effect""#, r#""Effect": "Deny", "Effect""#);
    assert_eq!(twice, PolicyFault::Repeated { name });
    // Escapes do not hide it.
    let name = "Effect".to_owned();
    let twice = changed(r#""Effect""#, r#""\u0045ffect": "Deny", "Effect""#);
    assert_eq!(twice, PolicyFault::Repeated { name });
}

#[test]
fn a_version_is_one_of_two() {
    for version in [
        r#""2012-10-18""#,
        r#""""#,
        "2012",
        "null",
        r#"["2012-10-17"]"#,
    ] {
        let text = format!(r#"{{"Version": {version}, "Statement": {STATEMENT}}}"#);
        assert_eq!(
            fault(&text).to_string(),
            "The policy must contain a valid version string"
        );
    }
}

#[test]
fn elements_the_language_does_not_have_are_refused() {
    let unknown = |name: &str| PolicyFault::UnknownElement {
        name: name.to_owned(),
    };
    let text = format!(r#"{{"Statement": {STATEMENT}, "Statements": []}}"#);
    assert_eq!(fault(&text), unknown("Statements"));
    assert_eq!(changed("Effect", "effect"), unknown("effect"));
    assert_eq!(changed("Resource", "Resources"), unknown("Resources"));
}

#[test]
fn an_element_that_is_missing_is_named() {
    assert_eq!(fault("{}").to_string(), "Missing required field Statement");
    assert_eq!(fault(r#"{"Statement": []}"#), PolicyFault::NoStatement);
    for (element, from) in [
        ("Effect", r#""Effect": "Allow", "#),
        ("Principal", r#""Principal": "*", "#),
        ("Action", r#""Action": "s3:*", "#),
        ("Resource", r#", "Resource": "*""#),
    ] {
        let fault = changed(from, "");
        assert_eq!(fault, PolicyFault::Missing { element });
        assert_eq!(
            fault.to_string(),
            format!("Missing required field {element}")
        );
    }
}

#[test]
fn an_element_and_its_opposite_exclude_each_other() {
    for element in ["Principal", "Action", "Resource"] {
        let member = format!(r#""{element}""#);
        let both = format!(r#""Not{element}": "*", {member}"#);
        let fault = changed(&member, &both);
        assert!(matches!(fault, PolicyFault::Both { element: named, .. } if named == element));
    }
}

#[test]
fn allow_with_not_principal_is_refused_and_deny_is_not() {
    let fault = changed(
        r#""Principal": "*""#,
        r#""NotPrincipal": {"AWS": "111122223333"}"#,
    );
    assert_eq!(fault, PolicyFault::AllowNotPrincipal);
    policy(
        r#"{"Statement": {"Effect": "Deny", "NotPrincipal": {"AWS": "111122223333"},
            "Action": "*", "Resource": "*"}}"#,
    );
}

#[test]
fn an_effect_is_spelt_exactly() {
    assert_eq!(
        changed(r#""Allow""#, r#""allow""#).to_string(),
        "Invalid effect: allow"
    );
    assert_eq!(
        changed(r#""Allow""#, "1"),
        PolicyFault::Syntax { element: "Effect" }
    );
}

#[test]
fn an_action_is_a_star_or_a_service_and_a_name() {
    for action in [
        "s3",
        ":Get",
        "s3:",
        "s3:Get Object",
        "arn:aws:s3",
        "",
        "${aws:username}",
    ] {
        let fault = changed(r#""s3:*""#, &format!(r#""{action}""#));
        assert_eq!(fault.to_string(), "Policy has invalid action", "{action}");
    }
    for action in ["null", "[]", "{}", "[1]", "true"] {
        let fault = changed(r#""s3:*""#, action);
        assert_eq!(fault.to_string(), "Invalid policy syntax.", "{action}");
    }
}

#[test]
fn a_resource_is_a_star_or_an_arn() {
    for resource in ["", "b", "s3:::b", "arn:aws:s3:b", "ARN:aws:s3:::b", "**"] {
        let fault = changed(
            r#""Resource": "*""#,
            &format!(r#""Resource": "{resource}""#),
        );
        assert_eq!(
            fault.to_string(),
            "Policy has invalid resource",
            "{resource}"
        );
    }
}

#[test]
fn a_statement_of_an_identity_names_no_principal() {
    let parse = |text: &str| Policy::parse(text, PolicyKind::Identity);
    let named = parse(&format!(r#"{{"Statement": {STATEMENT}}}"#)).unwrap_err();
    assert_eq!(named.fault, PolicyFault::UnexpectedPrincipal);
    let policy = parse(r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#);
    let decision = get(&policy.unwrap(), &super::alice(), &Context::new());
    assert_eq!(decision, Decision::Allow);
}

#[test]
fn conditions_that_cannot_be_are_refused() {
    let with = |condition: &str| {
        changed(
            r#""Effect""#,
            &format!(r#""Condition": {condition}, "Effect""#),
        )
    };
    for operator in [
        "StringSame",
        "stringequals",
        "ForAllValues:Null",
        "ForSomeValues:StringEquals",
        "NullIfExists",
        "IfExists",
        "",
        "StringEqualsIfExistsIfExists",
        "ForAnyValue:ForAnyValue:StringEquals",
        "NumericLike",
        "ForAnyValue:",
    ] {
        let fault = with(&format!(r#"{{"{operator}": {{"aws:a": "true"}}}}"#));
        assert_eq!(
            fault.to_string(),
            format!("Invalid Condition type : {operator}")
        );
    }
    for (operator, value) in [
        ("NumericEquals", r#""ten""#),
        ("NumericEquals", r#""1e3""#),
        ("NumericEquals", r#""""#),
        ("DateEquals", r#""yesterday""#),
        ("DateEquals", r#""2013-02-30""#),
        ("Bool", r#""yes""#),
        ("Null", "1"),
        ("BinaryEquals", r#""%""#),
        ("IpAddress", r#""10.0.0.0/33""#),
        ("IpAddress", r#""10.0.0""#),
        ("IpAddress", r#""10.0.0.0/+8""#),
        ("StringEquals", "[]"),
        ("StringEquals", "null"),
        ("StringEquals", r#"[["a"]]"#),
        ("StringEquals", "{}"),
    ] {
        let fault = with(&format!(r#"{{"{operator}": {{"aws:a": {value}}}}}"#));
        assert!(
            matches!(fault, PolicyFault::ConditionValue { .. }),
            "{operator} {value}"
        );
    }
    assert!(matches!(
        with("[]"),
        PolicyFault::Syntax {
            element: "Condition"
        }
    ));
    assert!(matches!(
        with(r#"{"Bool": "true"}"#),
        PolicyFault::Syntax { .. }
    ));
    let key = with(r#"{"StringEquals": {"username": "a"}}"#);
    assert_eq!(key.to_string(), "Policy has an invalid condition key");
}

#[test]
fn an_error_names_the_statement_it_is_in() {
    let text = format!(r#"{{"Statement": [{STATEMENT}, {{}}]}}"#);
    let error = Policy::parse(&text, PolicyKind::Resource).unwrap_err();
    assert_eq!(error.statement, Some(1));
    assert_eq!(
        error.to_string(),
        "Missing required field Effect (statement 2)"
    );
}

#[test]
fn a_policy_reads_condition_keys_if_a_statement_has_conditions_or_variables() {
    let reads = |version: &str, more: &str| {
        let second = STATEMENT.replace(r#""Resource": "*""#, more);
        let text = format!(r#"{{"Version": "{version}", "Statement": [{STATEMENT}, {second}]}}"#);
        Policy::parse(&text, PolicyKind::Resource)
            .unwrap()
            .reads_context()
    };
    let conditions = r#""Resource": "*", "Condition": {"Null": {"aws:TokenIssueTime": "true"}}"#;
    let variable = r#""Resource": "arn:aws:s3:::b/${aws:username}/*""#;
    let excepted = r#""NotResource": ["arn:aws:s3:::b/*", "arn:aws:s3:::b/${aws:username}"]"#;
    assert!(!reads("2012-10-17", r#""Resource": "*""#));
    assert!(reads("2008-10-17", conditions));
    assert!(reads("2012-10-17", variable));
    assert!(reads("2012-10-17", excepted));
    // Without variables in the language, it is a text like others.
    assert!(!reads("2008-10-17", variable));
}
