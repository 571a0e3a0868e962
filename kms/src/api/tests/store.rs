//! What survives a restart: the store and seeds.

use std::path::Path;
use std::sync::Arc;

use proto::time::Clock;
use serde_json::json;
use zeroize::Zeroizing;

use crate::api::Kms;
use crate::api::seed::Seed;
use crate::api::seed::plant;
use crate::api::tests::ACCOUNT;
use crate::api::tests::REGION;
use crate::api::tests::World;
use crate::api::tests::call;
use crate::api::tests::parts;
use crate::api::tests::text;
use crate::caller::Caller;
use crate::crypto::root_key::RootKey;
use crate::keys::key_sealer::OpenError;
use crate::keys::metadata::KeySpec;
use crate::keys::metadata::KeyUsage;
use crate::keys::metadata::Origin;
use crate::keys::redb_store::RedbStore;

fn open(path: &Path, root_key: u8) -> Result<Kms, OpenError> {
    let (clock, quotas, audit) = parts();
    let clock: Arc<dyn Clock> = clock;
    let store = Box::new(RedbStore::open(path)?);
    Kms::open(
        store,
        &RootKey::from_bytes([root_key; 32]),
        clock,
        quotas,
        audit,
    )
}

fn seed(key_id: &str, aliases: &[&str], material: Option<u8>) -> Seed {
    Seed {
        account: ACCOUNT.parse().unwrap(),
        region: REGION.parse().unwrap(),
        key_id: key_id.to_owned(),
        aliases: aliases.iter().map(|name| (*name).to_owned()).collect(),
        description: "seeded".to_owned(),
        tags: Vec::new(),
        spec: KeySpec::SymmetricDefault,
        usage: KeyUsage::EncryptDecrypt,
        materials: material
            .map(|byte| Zeroizing::new(vec![byte; 32]))
            .into_iter()
            .collect(),
        origin: Origin::AwsKms,
        next_rotation: None,
    }
}

#[test]
fn keys_aliases_and_blobs_survive_a_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kms.redb");
    let caller = Caller::fixture(ACCOUNT, REGION);
    let kms = open(&path, 1).unwrap();
    let made = call(&kms, &caller, "CreateKey", json!({"Description": "stored"})).unwrap();
    let id = text(&made["KeyMetadata"]["KeyId"]);
    let alias = json!({"AliasName": "alias/a", "TargetKeyId": id});
    call(&kms, &caller, "CreateAlias", alias).unwrap();
    let encrypt = json!({"KeyId": "alias/a", "Plaintext": "AAAA"});
    let blob = call(&kms, &caller, "Encrypt", encrypt).unwrap()["CiphertextBlob"].clone();
    drop(kms);

    let kms = open(&path, 1).unwrap();
    let described = call(&kms, &caller, "DescribeKey", json!({"KeyId": "alias/a"})).unwrap();
    assert_eq!(described, made);
    let opened = call(&kms, &caller, "Decrypt", json!({"CiphertextBlob": blob})).unwrap();
    assert_eq!(opened["Plaintext"], "AAAA");
    drop(kms);

    assert!(matches!(open(&path, 2), Err(OpenError::WrongRootKey)));
}

#[test]
fn key_material_is_not_in_the_store_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kms.redb");
    let kms = open(&path, 1).unwrap();
    plant(&kms, &[seed("testkey-1", &[], Some(0x5a))]).unwrap();
    drop(kms);
    let bytes = std::fs::read(&path).unwrap();
    assert!(!bytes.windows(16).any(|window| window == [0x5a; 16]));
    assert!(!bytes.windows(6).any(|window| window == b"seeded"));
}

#[test]
fn seeding_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kms.redb");
    let caller = Caller::fixture(ACCOUNT, REGION);
    let seeds = [seed("testkey-1", &["demo", "alias/other"], None)];
    let kms = open(&path, 1).unwrap();
    plant(&kms, &seeds).unwrap();
    let encrypt = json!({"KeyId": "testkey-1", "Plaintext": "AAAA"});
    let blob = call(&kms, &caller, "Encrypt", encrypt).unwrap()["CiphertextBlob"].clone();
    let listed = call(&kms, &caller, "ListAliases", json!({})).unwrap();
    assert_eq!(listed["Aliases"].as_array().unwrap().len(), 2);
    drop(kms);

    let kms = open(&path, 1).unwrap();
    plant(&kms, &seeds).unwrap();
    assert_eq!(
        call(&kms, &caller, "ListAliases", json!({})).unwrap(),
        listed
    );
    let opened = call(&kms, &caller, "Decrypt", json!({"CiphertextBlob": blob})).unwrap();
    assert_eq!(
        opened["KeyId"],
        format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/testkey-1")
    );
}

#[test]
fn the_same_seed_opens_blobs_of_another_run() {
    let seeds = [seed("testkey-1", &["demo"], Some(7))];
    let one = World::new();
    plant(&one.kms, &seeds).unwrap();
    let encrypt = json!({"KeyId": "alias/demo", "Plaintext": "AAAA"});
    let blob = one.ok("Encrypt", encrypt)["CiphertextBlob"].clone();

    let two = World::new();
    plant(&two.kms, &seeds).unwrap();
    assert_eq!(
        two.ok("Decrypt", json!({"CiphertextBlob": blob}))["Plaintext"],
        "AAAA"
    );
}

#[test]
fn a_seed_that_cannot_be_is_refused() {
    let world = World::new();
    plant(&world.kms, &[seed("testkey-1", &[], Some(7))]).unwrap();
    plant(&world.kms, &[seed("testkey-1", &[], Some(8))]).unwrap_err();
    plant(&world.kms, &[seed("a/b", &[], None)]).unwrap_err();
    plant(&world.kms, &[seed("a", &["aws/s3"], None)]).unwrap_err();
    let mut short = seed("b", &[], None);
    short.materials = vec![Zeroizing::new(vec![0; 31])];
    plant(&world.kms, &[short]).unwrap_err();
}

#[test]
fn a_seed_may_be_a_rotated_an_imported_or_a_waiting_key() {
    let world = World::new();
    let mut rotated = seed("rotated", &["alias/r"], Some(1));
    rotated.materials.push(Zeroizing::new(vec![2; 32]));
    rotated.next_rotation = Some(world.clock.now().plus(std::time::Duration::from_secs(60)));
    let mut imported = seed("imported", &[], Some(3));
    imported.origin = Origin::External;
    let mut waiting = seed("waiting", &[], None);
    waiting.origin = Origin::External;
    plant(&world.kms, &[rotated, imported, waiting]).unwrap();

    let listed = |key: &str| {
        let request = json!({"KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"});
        world.ok("ListKeyRotations", request)["Rotations"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(listed("rotated"), 2);
    world.clock.advance(std::time::Duration::from_secs(60));
    world.ok("Encrypt", json!({"KeyId": "alias/r", "Plaintext": "AAAA"}));
    assert_eq!(listed("rotated"), 3, "it rotates by itself when it is time");
    let state = |key: &str| {
        world.ok("DescribeKey", json!({"KeyId": key}))["KeyMetadata"]["KeyState"].clone()
    };
    assert_eq!(state("imported"), "Enabled");
    world.ok("DeleteImportedKeyMaterial", json!({"KeyId": "imported"}));
    assert_eq!(state("imported"), "PendingImport");
    assert_eq!(state("waiting"), "PendingImport");
}
