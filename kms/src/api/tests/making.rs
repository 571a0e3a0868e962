//! Who may make keys and replicas, and move the primary Region.

use serde_json::Value;
use serde_json::json;

use crate::api::tests::ACCOUNT;
use crate::api::tests::World;
use crate::api::tests::callers::limited;
use crate::api::tests::text;
use crate::caller::Caller;

fn allow(actions: &Value) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": "*"})
}

/// A caller that may do everything but `action` where the condition holds.
fn denied(action: &str, condition: &str, value: &str) -> Caller {
    let deny = json!({
        "Effect": "Deny", "Action": format!("kms:{action}"), "Resource": "*",
        "Condition": {"ForAnyValue:StringEquals": {condition: value}},
    });
    limited(&json!([allow(&json!("kms:*")), deny]), None)
}

/// Whether the caller's policies refuse the call; no other refusal is expected.
#[track_caller]
fn is_refused(world: &World, caller: &Caller, operation: &str, request: &Value) -> bool {
    match world.call_as(caller, operation, request.clone()) {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error.code().name(), "AccessDeniedException", "{error}");
            true
        }
    }
}

fn tagged(mut request: Value) -> Value {
    request["Tags"] = json!([{"TagKey": "team", "TagValue": "red"}]);
    request
}

#[test]
fn a_user_s_policies_may_look_at_the_key_that_is_to_be_made() {
    let world = World::new();
    let signing = json!({
        "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "MultiRegion": true,
    });
    let former = json!({"CustomerMasterKeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"});
    let bypassing = json!({"BypassPolicyLockoutSafetyCheck": true});
    for (request, condition, value) in [
        (json!({}), "kms:KeySpec", "SYMMETRIC_DEFAULT"),
        (json!({}), "kms:KeyUsage", "ENCRYPT_DECRYPT"),
        (json!({}), "kms:KeyOrigin", "AWS_KMS"),
        (json!({}), "kms:MultiRegion", "false"),
        (json!({"Origin": "EXTERNAL"}), "kms:KeyOrigin", "EXTERNAL"),
        (signing.clone(), "kms:KeySpec", "ECC_NIST_P256"),
        (
            signing.clone(),
            "kms:CustomerMasterKeySpec",
            "ECC_NIST_P256",
        ),
        (signing.clone(), "kms:KeyUsage", "SIGN_VERIFY"),
        (signing.clone(), "kms:CustomerMasterKeyUsage", "SIGN_VERIFY"),
        (signing.clone(), "kms:MultiRegion", "true"),
        (signing, "kms:MultiRegionKeyType", "PRIMARY"),
        (former, "kms:KeySpec", "RSA_2048"),
        (bypassing, "kms:BypassPolicyLockoutSafetyCheck", "true"),
        (tagged(json!({})), "aws:RequestTag/team", "red"),
        (tagged(json!({})), "aws:ResourceTag/team", "red"),
        (tagged(json!({})), "aws:TagKeys", "team"),
        (json!({}), "kms:CallerAccount", ACCOUNT),
        (json!({}), "aws:RequestedRegion", "us-east-1"),
    ] {
        let caller = denied("CreateKey", condition, value);
        assert!(
            is_refused(&world, &caller, "CreateKey", &request),
            "{condition}"
        );
        let caller = denied("CreateKey", condition, "another");
        assert!(
            !is_refused(&world, &caller, "CreateKey", &request),
            "{condition}"
        );
    }
}

#[test]
fn whether_the_safety_check_is_passed_over_is_there_for_conditions_only_if_it_is_said() {
    let world = World::new();
    let unsaid = json!({
        "Effect": "Allow", "Action": "kms:CreateKey", "Resource": "*",
        "Condition": {"Null": {"kms:BypassPolicyLockoutSafetyCheck": "true"}},
    });
    let caller = limited(&json!([unsaid]), None);
    assert!(!is_refused(&world, &caller, "CreateKey", &json!({})));
    let said = json!({"BypassPolicyLockoutSafetyCheck": true});
    assert!(is_refused(&world, &caller, "CreateKey", &said));
}

#[test]
fn a_key_or_replica_with_tags_needs_the_right_to_tag_it() {
    let world = World::new();
    let caller = limited(
        &json!([allow(&json!(["kms:CreateKey", "kms:ReplicateKey"]))]),
        None,
    );
    let regional = json!({"MultiRegion": true});
    let made = world
        .call_as(&caller, "CreateKey", regional.clone())
        .unwrap();
    let id = text(&made["KeyMetadata"]["KeyId"]);
    let refusal = world
        .call_as(&caller, "CreateKey", tagged(regional.clone()))
        .unwrap_err();
    let because = "because no identity-based policy allows the kms:TagResource action";
    assert!(refusal.message().ends_with(because), "{refusal}");
    let about = format!("kms:TagResource on resource: arn:aws:kms:us-east-1:{ACCOUNT}:key/mrk-");
    assert!(refusal.message().contains(&about), "{refusal}");
    let replicate = json!({"KeyId": id, "ReplicaRegion": "eu-west-1"});
    let refusal = world
        .call_as(&caller, "ReplicateKey", tagged(replicate.clone()))
        .unwrap_err();
    let about = format!("kms:TagResource on resource: arn:aws:kms:eu-west-1:{ACCOUNT}:key/{id}");
    assert!(refusal.message().contains(&about), "{refusal}");

    let tag = json!({
        "Effect": "Allow", "Action": "kms:TagResource",
        "Resource": format!("arn:aws:kms:*:{ACCOUNT}:key/*"),
    });
    let making = allow(&json!(["kms:CreateKey", "kms:ReplicateKey"]));
    let caller = limited(&json!([making, tag]), None);
    assert!(!is_refused(&world, &caller, "CreateKey", &tagged(regional)));
    assert!(!is_refused(
        &world,
        &caller,
        "ReplicateKey",
        &tagged(replicate)
    ));
}

#[test]
fn a_replica_needs_the_right_to_make_keys_in_its_region() {
    let world = World::new();
    let made = world.ok("CreateKey", json!({"MultiRegion": true}));
    let id = text(&made["KeyMetadata"]["KeyId"]);
    let replicate = json!({
        "KeyId": id, "ReplicaRegion": "eu-west-1", "BypassPolicyLockoutSafetyCheck": true,
    });
    let replicate = tagged(replicate);
    for caller in [
        limited(
            &json!([allow(&json!(["kms:ReplicateKey", "kms:TagResource"]))]),
            None,
        ),
        denied("CreateKey", "aws:RequestedRegion", "eu-west-1"),
        denied("CreateKey", "kms:KeySpec", "SYMMETRIC_DEFAULT"),
        denied("CreateKey", "kms:KeyUsage", "ENCRYPT_DECRYPT"),
        denied("CreateKey", "kms:KeyOrigin", "AWS_KMS"),
        denied("CreateKey", "kms:MultiRegion", "true"),
        denied("CreateKey", "kms:MultiRegionKeyType", "REPLICA"),
        denied("CreateKey", "kms:BypassPolicyLockoutSafetyCheck", "true"),
        denied("CreateKey", "aws:RequestTag/team", "red"),
        denied("CreateKey", "aws:TagKeys", "team"),
        denied("TagResource", "aws:RequestedRegion", "eu-west-1"),
        denied("ReplicateKey", "kms:ReplicaRegion", "eu-west-1"),
        denied("ReplicateKey", "aws:RequestedRegion", "us-east-1"),
    ] {
        assert!(is_refused(&world, &caller, "ReplicateKey", &replicate));
    }
    // The key's own Region is another.
    let caller = denied("CreateKey", "aws:RequestedRegion", "us-east-1");
    assert!(!is_refused(&world, &caller, "ReplicateKey", &replicate));
}

#[test]
fn the_primary_region_moves_only_if_the_replica_s_policies_let_it_too() {
    let world = World::new();
    let made = world.ok("CreateKey", json!({"MultiRegion": true}));
    let id = text(&made["KeyMetadata"]["KeyId"]);
    let policy = |region: &str| {
        let root = format!("arn:aws:iam::{ACCOUNT}:root");
        let deny = json!({
            "Effect": "Deny", "Action": "kms:UpdatePrimaryRegion", "Resource": "*", "Principal": "*",
            "Condition": {"StringEquals": {"kms:PrimaryRegion": region}},
        });
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": {"AWS": root}}, deny,
        ]})
        .to_string()
    };
    let replicate =
        json!({"KeyId": id, "ReplicaRegion": "eu-west-1", "Policy": policy("eu-west-1")});
    world.ok("ReplicateKey", replicate);
    let update = json!({"KeyId": id, "PrimaryRegion": "eu-west-1"});
    let expected = format!(
        "AccessDeniedException: User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: \
         kms:UpdatePrimaryRegion on resource: arn:aws:kms:eu-west-1:{ACCOUNT}:key/{id} with an \
         explicit deny in a resource-based policy"
    );
    assert_eq!(
        world.refusal("UpdatePrimaryRegion", update.clone()),
        expected
    );
    let europe = Caller::fixture(ACCOUNT, "eu-west-1");
    let put = json!({"KeyId": id, "Policy": policy("ap-south-1")});
    world.call_as(&europe, "PutKeyPolicy", put).unwrap();
    let caller = denied("UpdatePrimaryRegion", "aws:RequestedRegion", "eu-west-1");
    assert!(is_refused(&world, &caller, "UpdatePrimaryRegion", &update));
    let caller = denied("UpdatePrimaryRegion", "kms:MultiRegionKeyType", "REPLICA");
    assert!(is_refused(&world, &caller, "UpdatePrimaryRegion", &update));
    world.ok("UpdatePrimaryRegion", update);
}
