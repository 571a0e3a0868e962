//! PutBucketPolicy takes what the service authorization reference lists, and nothing that can never apply.

use gateway::bucket::document::Document as _;
use gateway::bucket::policy::BucketPolicy;

use crate::policy::document;
use crate::reference;

const NO_FIT: &str = "Action does not apply to any resource(s) in statement";
const NO_KEY: &str = "Conditions do not apply to combination of actions and resources in statement";

/// What is wrong with a policy of one statement; nothing, if it is taken or has a key that is not judged.
fn fault(action: &str, resource: &str, key: Option<&str>) -> String {
    let condition = key.map_or_else(String::new, |key| {
        format!(r#", "Condition": {{"StringEquals": {{"{key}": "x"}}}}"#)
    });
    let statement = format!(
        r#"{{"Effect": "Deny", "Principal": "*", "Action": "s3:{action}", "Resource": "{resource}"{condition}}}"#
    );
    let parsed = BucketPolicy::parse(document(&[statement]).as_bytes(), "b", "aws");
    match parsed {
        Err(error) if error.message().contains("not judged") => String::new(),
        Err(error) => error.message().to_owned(),
        Ok(_) => String::new(),
    }
}

const fn resource(kind: &str) -> &'static str {
    match kind.as_bytes() {
        b"bucket" => "arn:aws:s3:::b",
        _ => "arn:aws:s3:::b/*",
    }
}

#[test]
fn every_action_of_the_reference_is_taken_on_its_own_kind_of_resource_and_on_no_other() {
    for (name, action) in &reference::actions().actions {
        for kind in ["bucket", "object"] {
            let is_its_own = action.resources.iter().any(|it| it == kind);
            let expected = if is_its_own { "" } else { NO_FIT };
            assert_eq!(fault(name, resource(kind), None), expected, "{name} {kind}");
        }
    }
}

#[test]
fn actions_on_neither_buckets_nor_objects_apply_to_nothing_in_a_bucket_s_policy() {
    for name in &reference::actions().elsewhere {
        assert_eq!(fault(name, "*", None), NO_FIT, "{name}");
    }
}

#[test]
fn every_action_of_the_reference_has_its_own_condition_keys_and_no_others() {
    let actions = reference::actions();
    let key_of = |key: &String| key.replace("<key>", "a").replace("${TagKey}", "a");
    let mut all: Vec<_> = actions.actions.values().flat_map(|it| &it.keys).collect();
    all.sort();
    all.dedup();
    // The reference has them under access points, by which any of these actions may come.
    let is_of_all = |key: &str| {
        let of_all = ["s3:AccessPoint", "s3:DataAccessPoint", "s3:AccessGrants"];
        of_all.iter().any(|start| key.starts_with(start))
    };
    for (name, action) in &actions.actions {
        let resource = resource(&action.resources[0]);
        for key in &actions.common {
            assert_eq!(
                fault(name, resource, Some(&key_of(key))),
                "",
                "{name} {key}"
            );
        }
        for key in &all {
            let has = action.keys.contains(key) || is_of_all(key);
            let expected = if has { "" } else { NO_KEY };
            assert_eq!(
                fault(name, resource, Some(&key_of(key))),
                expected,
                "{name} {key}"
            );
        }
    }
}
