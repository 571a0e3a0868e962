//! Rotation by the clock and on demand.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::api::tests::World;
use crate::api::tests::text;

const DAY: Duration = Duration::from_secs(86_400);

fn material(world: &World, id: &str) -> String {
    let described = world.ok("DescribeKey", json!({"KeyId": id}));
    text(&described["KeyMetadata"]["CurrentKeyMaterialId"])
}

fn sealed(world: &World, id: &str) -> Value {
    world.ok("Encrypt", json!({"KeyId": id, "Plaintext": "AAAA"}))["CiphertextBlob"].clone()
}

#[test]
fn a_key_rotates_by_itself_when_its_period_is_over() {
    let world = World::new();
    let (id, arn) = world.key();
    world.ok(
        "EnableKeyRotation",
        json!({"KeyId": id, "RotationPeriodInDays": 90}),
    );
    let status = world.ok("GetKeyRotationStatus", json!({"KeyId": id}));
    let expected = json!({
        "KeyId": arn,
        "KeyRotationEnabled": true,
        "NextRotationDate": 1_767_225_600.0 + 90.0 * 86_400.0,
        "RotationPeriodInDays": 90,
    });
    assert_eq!(status, expected);
    let (first, old) = (material(&world, &id), sealed(&world, &id));
    world.clock.advance(90 * DAY - Duration::from_millis(1));
    assert_eq!(material(&world, &id), first);
    world.clock.advance(Duration::from_millis(1));
    let second = material(&world, &id);
    assert_ne!(second, first);
    let opened = world.ok("Decrypt", json!({"CiphertextBlob": old}));
    assert_eq!(opened["KeyMaterialId"], first);
    let fresh = world.ok("Decrypt", json!({"CiphertextBlob": sealed(&world, &id)}));
    assert_eq!(fresh["KeyMaterialId"], second);

    // A long leap does every rotation that would have been.
    world.clock.advance(270 * DAY);
    material(&world, &id);
    let listed = world.ok("ListKeyRotations", json!({"KeyId": id}));
    let dates: Vec<f64> = listed["Rotations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rotation| rotation["RotationDate"].as_f64().unwrap())
        .collect();
    let day = 86_400.0;
    let expected: Vec<f64> = [90.0, 180.0, 270.0, 360.0]
        .iter()
        .map(|days| 1_767_225_600.0 + days * day)
        .collect();
    assert_eq!(dates, expected);
    assert_eq!(listed["Rotations"][3]["RotationType"], "AUTOMATIC");
    assert_eq!(listed["Rotations"][3]["KeyMaterialState"], "CURRENT");
    assert_eq!(listed["Rotations"][0]["KeyMaterialState"], "NON_CURRENT");
}

#[test]
fn rotation_by_itself_stops_when_it_is_disabled() {
    let world = World::new();
    let (id, arn) = world.key();
    world.ok("EnableKeyRotation", json!({"KeyId": id}));
    world.ok("DisableKeyRotation", json!({"KeyId": id}));
    let status = world.ok("GetKeyRotationStatus", json!({"KeyId": id}));
    assert_eq!(status, json!({"KeyId": arn, "KeyRotationEnabled": false}));
    let first = material(&world, &id);
    world.clock.advance(1_000 * DAY);
    assert_eq!(material(&world, &id), first);
}

#[test]
fn a_key_rotates_on_demand_25_times() {
    let world = World::new();
    let (id, arn) = world.key();
    let old = sealed(&world, &id);
    for _ in 0..25 {
        let before = material(&world, &id);
        let rotated = world.ok("RotateKeyOnDemand", json!({"KeyId": id}));
        assert_eq!(rotated, json!({"KeyId": arn}));
        assert_ne!(material(&world, &id), before);
    }
    assert_eq!(
        world.refusal("RotateKeyOnDemand", json!({"KeyId": id})),
        format!(
            "LimitExceededException: The on-demand rotations limit has been reached for the given \
             keyId. No more on-demand rotations can be performed for this key: {arn}"
        )
    );
    world.ok("Decrypt", json!({"CiphertextBlob": old}));
    let page = world.ok("ListKeyRotations", json!({"KeyId": id, "Limit": 20}));
    assert_eq!(page["Rotations"].as_array().unwrap().len(), 20);
    let all = json!({"KeyId": id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"});
    let listed = world.ok("ListKeyRotations", all);
    assert_eq!(listed["Rotations"].as_array().unwrap().len(), 26);
    assert!(listed["Rotations"][0].get("RotationDate").is_none());
}

#[test]
fn a_rotation_of_a_key_that_does_not_rotate_is_refused() {
    let world = World::new();
    let request = json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"});
    let id = text(&world.ok("CreateKey", request)["KeyMetadata"]["KeyId"]);
    for name in [
        "EnableKeyRotation",
        "DisableKeyRotation",
        "RotateKeyOnDemand",
    ] {
        let refusal = world.refusal(name, json!({"KeyId": id}));
        assert_eq!(refusal, "UnsupportedOperationException", "{name}");
    }
    let (id, arn) = world.key();
    world.ok("DisableKey", json!({"KeyId": id}));
    let disabled = format!("DisabledException: {arn} is disabled.");
    assert_eq!(
        world.refusal("RotateKeyOnDemand", json!({"KeyId": id})),
        disabled
    );
    assert_eq!(
        world.refusal("EnableKeyRotation", json!({"KeyId": id})),
        disabled
    );
}

#[test]
fn a_disabled_key_is_refused_as_disabled_before_its_kind_matters() {
    let world = World::new();
    let request = json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"});
    let metadata = &world.ok("CreateKey", request)["KeyMetadata"];
    let (id, arn) = (text(&metadata["KeyId"]), text(&metadata["Arn"]));
    let rotate = json!({"KeyId": id});
    assert_eq!(
        world.refusal("RotateKeyOnDemand", rotate.clone()),
        "UnsupportedOperationException"
    );
    world.ok("DisableKey", rotate.clone());
    assert_eq!(
        world.refusal("RotateKeyOnDemand", rotate),
        format!("DisabledException: {arn} is disabled.")
    );
}

#[test]
fn a_key_that_waits_for_its_deletion_does_not_rotate_and_says_so() {
    let world = World::new();
    let (id, arn) = world.key();
    let period = json!({"KeyId": id, "RotationPeriodInDays": 90});
    world.ok("EnableKeyRotation", period);
    let status = || world.ok("GetKeyRotationStatus", json!({"KeyId": id}));
    let before = status();
    world.ok("ScheduleKeyDeletion", json!({"KeyId": id}));
    assert_eq!(status(), json!({"KeyId": arn, "KeyRotationEnabled": false}));
    world.ok("CancelKeyDeletion", json!({"KeyId": id}));
    assert_eq!(status(), before);

    let made = world.ok("CreateKey", json!({"MultiRegion": true}));
    let id = text(&made["KeyMetadata"]["KeyId"]);
    world.ok("EnableKeyRotation", json!({"KeyId": id}));
    let replicate = json!({"KeyId": id, "ReplicaRegion": "eu-west-1"});
    world.ok("ReplicateKey", replicate);
    let scheduled = world.ok("ScheduleKeyDeletion", json!({"KeyId": id}));
    assert_eq!(scheduled["KeyState"], "PendingReplicaDeletion");
    let status = world.ok("GetKeyRotationStatus", json!({"KeyId": id}));
    assert_eq!(status["KeyRotationEnabled"], true);
}
