//! Multi-Region keys.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use proto::time::Clock;
use proto::time::ManualClock;
use serde_json::Value;
use serde_json::json;

use crate::api::Kms;
use crate::api::tests::ACCOUNT;
use crate::api::tests::World;
use crate::api::tests::parts;
use crate::api::tests::text;
use crate::caller::Caller;
use crate::crypto::root_key::RootKey;
use crate::keys::key::default_policy;
use crate::keys::store::Change;
use crate::keys::store::MemoryStore;
use crate::keys::store::Row;
use crate::keys::store::Store;
use crate::keys::store::StoreError;

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
    assert_eq!(
        world.refusal("ReplicateKey", to_mars),
        "ValidationException: Region mars-north-1 is not a valid Region or multi-Region keys are \
         not supported in Region mars-north-1."
    );
    let home = json!({"KeyId": id, "ReplicaRegion": "us-east-1"});
    assert_eq!(
        world.refusal("ReplicateKey", home),
        "ValidationException: us-east-1 cannot have a replica because it contains the primary."
    );
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
        let expected = "ValidationException: The replica key Region must be in the same AWS \
                        partition as the primary key Region.";
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
    assert_eq!(
        again.to_string(),
        "AlreadyExistsException: You can create only one replica of each primary key in each AWS \
         Region."
    );
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
fn the_primary_region_moves_from_a_usable_primary_key_to_a_usable_replica_only() {
    let world = World::new();
    let (id, us, eu) = replicated(&world);
    let update = |caller: &Caller, region: &str| {
        let request = json!({"KeyId": id, "PrimaryRegion": region});
        let ended = world.call_as(caller, "UpdatePrimaryRegion", request);
        ended.map_or_else(|error| error.to_string(), |_| "ok".to_owned())
    };
    assert_eq!(update(&us, "us-east-1"), "ok");
    assert_eq!(
        update(&us, "ap-south-1"),
        format!("ValidationException: {id} does not have a replica key in the specified Region.")
    );
    let of_europe = arn("eu-west-1", &id);
    assert_eq!(
        update(&eu, "us-east-1"),
        format!("KMSInvalidStateException: {of_europe} is not a multi-Region primary key.")
    );
    let by_id = json!({"KeyId": id});
    world.call_as(&eu, "DisableKey", by_id.clone()).unwrap();
    assert_eq!(
        update(&us, "eu-west-1"),
        format!("DisabledException: {of_europe} is disabled.")
    );
    world
        .call_as(&eu, "ScheduleKeyDeletion", by_id.clone())
        .unwrap();
    assert_eq!(
        update(&us, "eu-west-1"),
        format!("KMSInvalidStateException: {of_europe} is pending deletion.")
    );
    world
        .call_as(&eu, "CancelKeyDeletion", by_id.clone())
        .unwrap();
    world.call_as(&eu, "EnableKey", by_id.clone()).unwrap();
    world.call_as(&us, "DisableKey", by_id).unwrap();
    assert_eq!(
        update(&us, "eu-west-1"),
        format!("DisabledException: {} is disabled.", arn("us-east-1", &id))
    );
    let (single, single_arn) = world.key();
    let request = json!({"KeyId": single, "PrimaryRegion": "eu-west-1"});
    assert_eq!(
        world.refusal("UpdatePrimaryRegion", request),
        format!("UnsupportedOperationException: {single_arn} is not a multi-region primary key.")
    );
}

#[test]
fn a_replica_is_refused_what_its_primary_key_decides() {
    let world = World::new();
    let (id, _, eu) = replicated(&world);
    for operation in [
        "EnableKeyRotation",
        "DisableKeyRotation",
        "RotateKeyOnDemand",
    ] {
        let refusal = world.call_as(&eu, operation, json!({"KeyId": id}));
        let expected = format!(
            "UnsupportedOperationException: {} is a multi-region replica key which is not valid \
             for {operation}.",
            arn("eu-west-1", &id)
        );
        assert_eq!(refusal.unwrap_err().to_string(), expected);
    }
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

const OTHERS: [&str; 6] = [
    "eu-west-1",
    "eu-central-1",
    "ap-south-1",
    "us-west-2",
    "us-east-2",
    "sa-east-1",
];

/// A store that counts its commits and can be made to fail.
#[derive(Default)]
struct Counting {
    rows: MemoryStore,
    commits: AtomicUsize,
    fails: AtomicBool,
}

impl Store for Counting {
    fn rows(&self) -> Result<Vec<Row>, StoreError> {
        self.rows.rows()
    }

    fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError("no space left on device".into()));
        }
        self.commits.fetch_add(1, Ordering::SeqCst);
        self.rows.commit(changes)
    }
}

#[test]
fn multi_region_keys_know_all_replicas_that_were_made_at_once() {
    let world = World::new();
    let made = world.ok("CreateKey", json!({"MultiRegion": true}));
    let id = text(&made["KeyMetadata"]["KeyId"]);
    std::thread::scope(|threads| {
        for region in OTHERS {
            let (world, id) = (&world, &id);
            threads.spawn(move || {
                let request = json!({"KeyId": id, "ReplicaRegion": region});
                world.ok("ReplicateKey", request);
            });
        }
    });
    world.ok("RotateKeyOnDemand", json!({"KeyId": id}));
    let encrypt = json!({"KeyId": id, "Plaintext": "AAAA"});
    let sealed = world.ok("Encrypt", encrypt)["CiphertextBlob"].clone();
    for region in OTHERS {
        let caller = Caller::fixture(ACCOUNT, region);
        let open = json!({"CiphertextBlob": sealed, "KeyId": id});
        world.call_as(&caller, "Decrypt", open).unwrap();
        let known = metadata(&world, &caller, &id)["MultiRegionConfiguration"].clone();
        assert_eq!(known["ReplicaKeys"].as_array().unwrap().len(), 6, "{known}");
    }
    let known = metadata(&world, &world.caller, &id)["MultiRegionConfiguration"].clone();
    assert_eq!(known["ReplicaKeys"].as_array().unwrap().len(), 6, "{known}");
}

#[test]
fn multi_region_keys_are_equal_after_rotations_at_once() {
    let world = World::new();
    let (id, us, eu) = replicated(&world);
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| world.ok("RotateKeyOnDemand", json!({"KeyId": id})));
        }
    });
    let rotations = |caller: &Caller| {
        let request = json!({"KeyId": id});
        let mut listed = world.call_as(caller, "ListKeyRotations", request).unwrap();
        for rotation in listed["Rotations"].as_array_mut().unwrap() {
            let own = arn(caller.region.as_str(), &id);
            assert_eq!(rotation["KeyId"].take(), own);
        }
        listed["Rotations"].clone()
    };
    assert_eq!(rotations(&us).as_array().unwrap().len(), 8);
    assert_eq!(rotations(&us), rotations(&eu));
}

#[test]
fn multi_region_keys_change_in_one_commit_or_not_at_all() {
    let (clock, quotas, audit) = parts();
    let store = Arc::new(Counting::default());
    let root_key = RootKey::from_bytes([1; 32]);
    let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let rows = Box::new(Arc::clone(&store));
    let kms = Kms::open(rows, &root_key, shared, quotas, audit).unwrap();
    let caller = Caller::fixture(ACCOUNT, "us-east-1");
    let world = World { kms, clock, caller };
    let (id, us, eu) = replicated(&world);
    let to = |name: &str, region| json!({"KeyId": id, name: region});
    let all = || [metadata(&world, &us, &id), metadata(&world, &eu, &id)];
    for (name, request) in [
        ("ReplicateKey", to("ReplicaRegion", "ap-south-1")),
        ("RotateKeyOnDemand", json!({"KeyId": id})),
        ("EnableKeyRotation", json!({"KeyId": id})),
        ("DisableKeyRotation", json!({"KeyId": id})),
        ("UpdatePrimaryRegion", to("PrimaryRegion", "eu-west-1")),
    ] {
        let before = all();
        store.fails.store(true, Ordering::SeqCst);
        world.call(name, request.clone()).unwrap_err();
        assert_eq!(all(), before, "{name}");
        store.fails.store(false, Ordering::SeqCst);
        let commits = store.commits.load(Ordering::SeqCst);
        world.ok(name, request);
        assert_eq!(store.commits.load(Ordering::SeqCst), commits + 1, "{name}");
    }
    let schedule = json!({"KeyId": id, "PendingWindowInDays": 7});
    world.call_as(&us, "ScheduleKeyDeletion", schedule).unwrap();
    world.clock.advance(7 * DAY);
    let commits = store.commits.load(Ordering::SeqCst);
    metadata(&world, &eu, &id);
    assert_eq!(store.commits.load(Ordering::SeqCst), commits + 1);
}

#[test]
fn a_primary_key_that_is_replicated_and_deleted_at_once_waits_for_that_replica() {
    for _ in 0..100 {
        let world = World::new();
        let made = world.ok("CreateKey", json!({"MultiRegion": true}));
        let id = text(&made["KeyMetadata"]["KeyId"]);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                let request = json!({"KeyId": id, "ReplicaRegion": "eu-west-1"});
                world.call("ReplicateKey", request)
            });
            threads.spawn(|| world.ok("ScheduleKeyDeletion", json!({"KeyId": id})));
        });
        let primary = metadata(&world, &world.caller, &id);
        let replicas = primary["MultiRegionConfiguration"]["ReplicaKeys"].as_array();
        let expected = match replicas.map_or(0, Vec::len) {
            0 => "PendingDeletion",
            _ => "PendingReplicaDeletion",
        };
        assert_eq!(primary["KeyState"], expected);
    }
}

#[test]
fn a_replica_that_becomes_the_primary_key_and_is_deleted_at_once_waits_for_the_other() {
    for _ in 0..100 {
        let world = World::new();
        let (id, us, eu) = replicated(&world);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                let request = json!({"KeyId": id, "PrimaryRegion": "eu-west-1"});
                world.call_as(&us, "UpdatePrimaryRegion", request)
            });
            threads.spawn(|| {
                let request = json!({"KeyId": id});
                world.call_as(&eu, "ScheduleKeyDeletion", request).unwrap()
            });
        });
        let deleted = metadata(&world, &eu, &id);
        let kind = text(&deleted["MultiRegionConfiguration"]["MultiRegionKeyType"]);
        let expected = match &*kind {
            "PRIMARY" => "PendingReplicaDeletion",
            _ => "PendingDeletion",
        };
        assert_eq!(deleted["KeyState"], expected, "{kind}");
    }
}
