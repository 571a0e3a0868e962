//! Multi-Region keys.

use std::time::Duration;

use proto::time::Clock as _;
use serde_json::Value;
use serde_json::json;

use crate::api::tests::ACCOUNT;
use crate::api::tests::World;
use crate::api::tests::text;
use crate::caller::Caller;
use crate::keys::key::default_policy;

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
fn a_key_is_replicated_within_its_partition_only() {
    let world = World::new();
    let (id, _, _) = replicated(&world);
    for region in ["cn-north-1", "us-gov-west-1", "eusc-de-east-1"] {
        let refusal = world.refusal(
            "ReplicateKey",
            json!({"KeyId": id, "ReplicaRegion": region}),
        );
        let expected = format!("ValidationException: Invalid Region: {region}");
        assert_eq!(refusal, expected);
    }
}

#[test]
fn a_key_has_the_partition_of_its_region_in_its_arn_and_its_default_policy() {
    let world = World::new();
    for (region, partition) in [
        ("eu-central-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("eusc-de-east-1", "aws-eusc"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
    ] {
        let caller = Caller::fixture(ACCOUNT, region);
        let made = world.call_as(&caller, "CreateKey", json!({})).unwrap();
        let id = text(&made["KeyMetadata"]["KeyId"]);
        let arn = format!("arn:{partition}:kms:{region}:{ACCOUNT}:key/{id}");
        assert_eq!(made["KeyMetadata"]["Arn"], arn);
        let policy = world.call_as(&caller, "GetKeyPolicy", json!({"KeyId": id}));
        let root = format!("arn:{partition}:iam::{ACCOUNT}:root");
        assert!(policy.unwrap()["Policy"].to_string().contains(&root));
        let encrypt = json!({"KeyId": id, "Plaintext": "AAAA"});
        world.call_as(&caller, "Encrypt", encrypt).unwrap();
    }
}

#[test]
fn a_default_policy_that_names_the_partition_aws_leaves_a_key_of_another_one_open() {
    let world = World::new();
    let caller = Caller::fixture(ACCOUNT, "eusc-de-east-1");
    let made = world.call_as(&caller, "CreateKey", json!({})).unwrap();
    let id = text(&made["KeyMetadata"]["KeyId"]);
    let (account, region) = caller.place();
    let keys = &world.kms.keys;
    let key = keys.find(account, region, &id, world.clock.now()).unwrap();
    let us_east_1 = world.caller.place().1;
    keys.change(&key, |record| {
        record.policy = default_policy(account, us_east_1);
        Ok(())
    })
    .unwrap();
    let encrypt = json!({"KeyId": id, "Plaintext": "AAAA"});
    world.call_as(&caller, "Encrypt", encrypt).unwrap();
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
