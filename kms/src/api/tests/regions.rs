//! Multi-Region keys.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::api::tests::ACCOUNT;
use crate::api::tests::World;
use crate::api::tests::text;
use crate::caller::Caller;

const DAY: Duration = Duration::from_secs(86_400);

fn arn(region: &str, id: &str) -> String {
    format!("arn:aws:kms:{region}:{ACCOUNT}:key/{id}")
}

/// A key in us-east-1 with a replica in eu-west-1, and a caller of each Region.
fn replicated(world: &World) -> (String, Caller, Caller) {
    let made = world.ok("CreateKey", json!({"MultiRegion": true}));
    let id = text(&made["KeyMetadata"]["KeyId"]);
    assert!(id.starts_with("mrk-") && id.len() == 36, "{id}");
    world.ok(
        "ReplicateKey",
        json!({"KeyId": id, "ReplicaRegion": "eu-west-1"}),
    );
    (
        id,
        world.caller.clone(),
        Caller::fixture(ACCOUNT, "eu-west-1"),
    )
}

fn metadata(world: &World, caller: &Caller, id: &str) -> Value {
    world
        .call_as(caller, "DescribeKey", json!({"KeyId": id}))
        .unwrap()["KeyMetadata"]
        .clone()
}

#[test]
fn a_key_is_not_replicated_to_a_region_that_aws_does_not_have() {
    let world = World::new();
    let (id, _, _) = replicated(&world);
    let to_mars = json!({"KeyId": id, "ReplicaRegion": "mars-north-1"});
    let refusal = world.refusal("ReplicateKey", to_mars);
    assert!(refusal.starts_with("ValidationException: "), "{refusal}");
}

#[test]
fn what_one_region_seals_the_other_opens() {
    let world = World::new();
    let (id, us, eu) = replicated(&world);
    let encrypt = json!({"KeyId": id, "Plaintext": "AAAA"});
    let sealed = world.call_as(&us, "Encrypt", encrypt).unwrap();
    let open = json!({"CiphertextBlob": sealed["CiphertextBlob"], "KeyId": id});
    let opened = world.call_as(&eu, "Decrypt", open).unwrap();
    assert_eq!(opened["KeyId"], arn("eu-west-1", &id));
    let configuration = json!({
        "MultiRegionKeyType": "REPLICA",
        "PrimaryKey": {"Arn": arn("us-east-1", &id), "Region": "us-east-1"},
        "ReplicaKeys": [{"Arn": arn("eu-west-1", &id), "Region": "eu-west-1"}],
    });
    assert_eq!(
        metadata(&world, &eu, &id)["MultiRegionConfiguration"],
        configuration
    );
    assert_eq!(
        metadata(&world, &us, &id)["MultiRegionConfiguration"]["MultiRegionKeyType"],
        "PRIMARY"
    );
}

#[test]
fn only_a_primary_key_is_replicated_and_only_once_to_a_region() {
    let world = World::new();
    let (id, us, eu) = replicated(&world);
    let to = |region: &str| json!({"KeyId": id, "ReplicaRegion": region});
    let refusal = world
        .call_as(&eu, "ReplicateKey", to("ap-south-1"))
        .unwrap_err()
        .to_string();
    let expected = format!(
        "UnsupportedOperationException: {} is not a multi-region primary key.",
        arn("eu-west-1", &id)
    );
    assert_eq!(refusal, expected);
    let again = world
        .call_as(&us, "ReplicateKey", to("eu-west-1"))
        .unwrap_err();
    assert_eq!(again.code().name(), "AlreadyExistsException");
    let (single, _) = world.key();
    let request = json!({"KeyId": single, "ReplicaRegion": "eu-west-1"});
    assert!(
        world
            .refusal("ReplicateKey", request)
            .starts_with("UnsupportedOperationException")
    );
}

#[test]
fn all_regions_rotate_together() {
    let world = World::new();
    let (id, us, eu) = replicated(&world);
    let material = |caller| metadata(&world, caller, &id)["CurrentKeyMaterialId"].clone();
    let first = material(&us);
    world.ok("RotateKeyOnDemand", json!({"KeyId": id}));
    assert_ne!(material(&us), first);
    assert_eq!(material(&us), material(&eu));
    world.ok(
        "EnableKeyRotation",
        json!({"KeyId": id, "RotationPeriodInDays": 90}),
    );
    let second = material(&eu);
    world.clock.advance(90 * DAY);
    assert_ne!(material(&eu), second);
    assert_eq!(material(&us), material(&eu));
}

#[test]
fn another_region_becomes_the_primary() {
    let world = World::new();
    let (id, us, eu) = replicated(&world);
    world.ok(
        "UpdatePrimaryRegion",
        json!({"KeyId": id, "PrimaryRegion": "eu-west-1"}),
    );
    let kind = |caller| {
        metadata(&world, caller, &id)["MultiRegionConfiguration"]["MultiRegionKeyType"].clone()
    };
    assert_eq!((kind(&us), kind(&eu)), (json!("REPLICA"), json!("PRIMARY")));
}

#[test]
fn a_primary_key_waits_for_its_last_replica_before_its_own_waiting_period() {
    let world = World::new();
    let (id, us, eu) = replicated(&world);
    let schedule = json!({"KeyId": id, "PendingWindowInDays": 7});
    let scheduled = world
        .call_as(&us, "ScheduleKeyDeletion", schedule.clone())
        .unwrap();
    let expected = json!({
        "KeyId": arn("us-east-1", &id),
        "KeyState": "PendingReplicaDeletion",
        "PendingWindowInDays": 7,
    });
    assert_eq!(scheduled, expected);
    world.clock.advance(100 * DAY);
    assert_eq!(
        metadata(&world, &us, &id)["KeyState"],
        "PendingReplicaDeletion"
    );

    world.call_as(&eu, "ScheduleKeyDeletion", schedule).unwrap();
    world.clock.advance(7 * DAY);
    let waiting = metadata(&world, &us, &id);
    assert_eq!(waiting["KeyState"], "PendingDeletion");
    assert_eq!(waiting["DeletionDate"], 1_767_225_600.0 + 114.0 * 86_400.0);
    world.clock.advance(7 * DAY);
    let gone = world
        .call_as(&us, "DescribeKey", json!({"KeyId": id}))
        .unwrap_err();
    assert_eq!(gone.code().name(), "NotFoundException");
}
