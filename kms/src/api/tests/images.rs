//! Reset, restore and fork.

use std::sync::Arc;

use proto::time::Clock;
use serde_json::Value;
use serde_json::json;

use crate::api::Kms;
use crate::api::tests::ACCOUNT;
use crate::api::tests::REGION;
use crate::api::tests::World;
use crate::api::tests::call;
use crate::api::tests::parts;
use crate::caller::Caller;
use crate::crypto::root_key::RootKey;
use crate::keys::Image;
use crate::keys::redb_store::RedbStore;

/// A key with an alias, and a blob under it.
fn filled(world: &World) -> (String, Value) {
    let (id, _) = world.key();
    let alias = json!({"AliasName": "alias/a", "TargetKeyId": id});
    world.ok("CreateAlias", alias);
    let sealed = world.ok("Encrypt", json!({"KeyId": id, "Plaintext": "AAAA"}));
    (id, sealed["CiphertextBlob"].clone())
}

#[test]
fn a_restored_image_is_all_there_was_and_nothing_that_came_later() {
    let world = World::new();
    let (id, blob) = filled(&world);
    let image = world.kms.image();
    assert_eq!((image.keys(), image.aliases()), (1, 1));
    let (later, _) = world.key();
    world.ok("DeleteAlias", json!({"AliasName": "alias/a"}));
    world.ok("ScheduleKeyDeletion", json!({"KeyId": id}));
    world.kms.restore(&image).unwrap();
    world.ok("Encrypt", json!({"KeyId": "alias/a", "Plaintext": "AAAA"}));
    world.ok("Decrypt", json!({"CiphertextBlob": blob}));
    let gone = world.refusal("DescribeKey", json!({"KeyId": later}));
    assert!(gone.starts_with("NotFoundException"), "{gone}");
}

#[test]
fn a_reset_forgets_every_key_alias_and_event() {
    let world = World::new();
    filled(&world);
    world.kms.reset().unwrap();
    assert_eq!(world.ok("ListKeys", json!({}))["Keys"], json!([]));
    assert_eq!(world.ok("ListAliases", json!({}))["Aliases"], json!([]));
    let described = world
        .kms
        .audit
        .lookup(10, |event| event.name == "CreateKey");
    assert!(described.is_empty());
}

#[test]
fn a_reset_and_a_restore_leave_the_aws_owned_key_under_which_s3_wrapped_its_root_keys() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.redb");
    let root_key = RootKey::generate();
    let open = || {
        let (clock, quotas, audit) = parts();
        let store = Box::new(RedbStore::open(&file).unwrap());
        Kms::open(store, &root_key, clock, quotas, audit).unwrap()
    };
    let mut s3 = Caller::fixture(ACCOUNT, REGION);
    s3.via_service = Some("s3.us-east-1.amazonaws.com".into());
    s3.in_own_name = true;
    let wrap = json!({"KeyId": "alias/sealgate/sse-s3", "Plaintext": "AAAA"});
    let kms = open();
    let before = kms.image();
    let sealed = call(&kms, &s3, "Encrypt", wrap).unwrap();
    let unwrap = json!({
        "KeyId": "alias/sealgate/sse-s3",
        "CiphertextBlob": sealed["CiphertextBlob"],
    });
    kms.reset().unwrap();
    call(&kms, &s3, "Decrypt", unwrap.clone()).unwrap();
    kms.restore(&before).unwrap();
    call(&kms, &s3, "Decrypt", unwrap.clone()).unwrap();
    drop(kms);
    call(&open(), &s3, "Decrypt", unwrap).unwrap();
}

#[test]
fn a_fork_has_the_same_keys_and_a_life_of_its_own() {
    let world = World::new();
    let (id, blob) = filled(&world);
    let (clock, quotas, audit) = parts();
    let clock: Arc<dyn Clock> = clock;
    let image = world.kms.image();
    let fork = world.kms.fork(&image, clock, quotas, audit);
    let on_fork = |name: &str, request: Value| call(&fork, &world.caller, name, request);
    on_fork("Decrypt", json!({"CiphertextBlob": blob})).unwrap();
    on_fork("DisableKey", json!({"KeyId": id})).unwrap();
    on_fork("CreateKey", json!({})).unwrap();
    assert_eq!(
        world.ok("ListKeys", json!({}))["Keys"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    world.ok("Decrypt", json!({"CiphertextBlob": blob}));
    world.ok("ScheduleKeyDeletion", json!({"KeyId": id}));
    let described = on_fork("DescribeKey", json!({"KeyId": id})).unwrap();
    assert_eq!(described["KeyMetadata"]["KeyState"], "Disabled");
}

#[test]
fn an_image_survives_its_rows_under_its_root_key_only() {
    let world = World::new();
    let (_, blob) = filled(&world);
    let root_key = RootKey::from_bytes([1; 32]);
    let rows = world.kms.image().to_rows(&root_key).unwrap();
    assert!(Image::from_rows(rows.clone(), &RootKey::from_bytes([2; 32])).is_err());
    let mut changed = rows.clone();
    changed.retain(|row| row.table != crate::keys::store::Table::Materials);
    assert!(Image::from_rows(changed, &root_key).is_err());
    let image = Image::from_rows(rows, &root_key).unwrap();
    let other = World::new();
    other.kms.restore(&image).unwrap();
    other.ok("Decrypt", json!({"CiphertextBlob": blob}));
}

#[test]
fn a_change_to_a_key_that_a_restore_took_away_is_refused() {
    let world = World::new();
    let (id, _) = world.key();
    let (account, region) = world.caller.place();
    let now = world.clock.now();
    let key = world.kms.keys.find(account, region, &id, now).unwrap();
    world.kms.reset().unwrap();
    let refused = world.kms.keys.change(&key, |_| Ok(())).unwrap_err();
    assert_eq!(refused.code().name(), "NotFoundException");
    let caller = Caller::fixture(ACCOUNT, REGION);
    let listed = call(&world.kms, &caller, "ListKeys", json!({})).unwrap();
    assert_eq!(listed["Keys"], json!([]));
}

#[test]
fn a_restored_image_is_what_a_restart_finds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kms.redb");
    let open = || {
        let (clock, quotas, audit) = parts();
        let clock: Arc<dyn Clock> = clock;
        let store = Box::new(RedbStore::open(&path).unwrap());
        Kms::open(store, &RootKey::from_bytes([1; 32]), clock, quotas, audit).unwrap()
    };
    let caller = Caller::fixture(ACCOUNT, REGION);
    let kms = open();
    let on_kms = |name: &str, request: Value| call(&kms, &caller, name, request).unwrap();
    let made = on_kms("CreateKey", json!({}));
    let id = &made["KeyMetadata"]["KeyId"];
    on_kms(
        "CreateAlias",
        json!({"AliasName": "alias/a", "TargetKeyId": id}),
    );
    let image = kms.image();
    on_kms("CreateKey", json!({}));
    on_kms("DeleteAlias", json!({"AliasName": "alias/a"}));
    on_kms("RotateKeyOnDemand", json!({"KeyId": id}));
    kms.restore(&image).unwrap();
    let listed = on_kms("ListAliases", json!({}));
    drop(kms);

    let again = open();
    let on_again = |name: &str, request: Value| call(&again, &caller, name, request).unwrap();
    assert_eq!(on_again("ListAliases", json!({})), listed);
    let described = on_again("DescribeKey", json!({"KeyId": "alias/a"}));
    assert_eq!(described["KeyMetadata"], made["KeyMetadata"]);
    assert_eq!(
        on_again("ListKeys", json!({}))["Keys"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}
