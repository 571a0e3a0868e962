//! Imported material of multi-Region keys.

use serde_json::Value;
use serde_json::json;

use crate::api::tests::ACCOUNT;
use crate::api::tests::World;
use crate::api::tests::imports::forever;
use crate::api::tests::imports::wrapped_by;
use crate::api::tests::text;
use crate::caller::Caller;

/// A multi-Region key with imported material in us-east-1, and a replica of it in eu-west-1 without.
struct Pair {
    world: World,
    id: String,
    first: String,
    us: Caller,
    eu: Caller,
}

impl Pair {
    fn new() -> Self {
        let world = World::new();
        let external = json!({"Origin": "EXTERNAL", "MultiRegion": true});
        let id = text(&world.ok("CreateKey", external)["KeyMetadata"]["KeyId"]);
        let us = world.caller.clone();
        let request = forever(wrapped_by(&world, &us, &id, &[1; 32]));
        let first = text(&world.ok("ImportKeyMaterial", request)["KeyMaterialId"]);
        let replicate = json!({"KeyId": id, "ReplicaRegion": "eu-west-1"});
        world.ok("ReplicateKey", replicate);
        let eu = Caller::fixture(ACCOUNT, "eu-west-1");
        Self {
            world,
            id,
            first,
            us,
            eu,
        }
    }

    /// Imports 32 bytes of `byte`: the material's id, or the refusal.
    fn import(&self, caller: &Caller, byte: u8, more: &Value) -> Result<String, String> {
        let mut request = forever(wrapped_by(&self.world, caller, &self.id, &[byte; 32]));
        for (name, value) in more.as_object().unwrap() {
            request[name] = value.clone();
        }
        let ended = self.world.call_as(caller, "ImportKeyMaterial", request);
        ended
            .map(|answer| text(&answer["KeyMaterialId"]))
            .map_err(|error| error.to_string())
    }

    fn rotate(&self, caller: &Caller) -> Result<Value, String> {
        let request = json!({"KeyId": self.id});
        let ended = self.world.call_as(caller, "RotateKeyOnDemand", request);
        ended.map_err(|error| error.to_string())
    }

    fn delete(&self, caller: &Caller, material: &str) {
        let request = json!({"KeyId": self.id, "KeyMaterialId": material});
        self.world
            .call_as(caller, "DeleteImportedKeyMaterial", request)
            .unwrap();
    }

    /// Of each material that the key has in that Region: whether it is imported, its state and its description.
    fn materials(&self, caller: &Caller) -> Vec<(String, String, Value)> {
        let request = json!({"KeyId": self.id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"});
        let listed = self
            .world
            .call_as(caller, "ListKeyRotations", request)
            .unwrap();
        let rotations = listed["Rotations"].as_array().unwrap().iter();
        rotations
            .map(|entry| {
                assert_eq!(
                    entry["ExpirationModel"].is_null(),
                    entry["ImportState"] == "PENDING_IMPORT",
                    "{entry}"
                );
                let description = entry["KeyMaterialDescription"].clone();
                (
                    text(&entry["ImportState"]),
                    text(&entry["KeyMaterialState"]),
                    description,
                )
            })
            .collect()
    }

    fn key_state(&self, caller: &Caller) -> String {
        let request = json!({"KeyId": self.id});
        let described = self.world.call_as(caller, "DescribeKey", request).unwrap();
        text(&described["KeyMetadata"]["KeyState"])
    }
}

fn entry(import: &str, state: &str, description: Value) -> (String, String, Value) {
    (import.to_owned(), state.to_owned(), description)
}

const BOTH: &str = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION";

#[test]
fn new_material_comes_to_the_primary_key_and_rotates_once_each_replica_has_it() {
    let pair = Pair::new();
    let (us, eu) = (&pair.us, &pair.eu);
    assert_eq!(pair.key_state(eu), "PendingImport");
    assert_eq!(pair.import(eu, 1, &json!({})).unwrap(), pair.first);
    assert_eq!(pair.key_state(eu), "Enabled");
    let new = json!({
        "ImportType": "NEW_KEY_MATERIAL", "KeyMaterialDescription": "second",
    });
    let second = pair.import(us, 2, &new).unwrap();
    let current = entry("IMPORTED", "CURRENT", Value::Null);
    let waiting = |import| entry(import, BOTH, json!("second"));
    assert_eq!(pair.materials(us), [current.clone(), waiting("IMPORTED")]);
    assert_eq!(pair.materials(eu), [current, waiting("PENDING_IMPORT")]);
    assert_eq!(pair.key_state(eu), "Enabled");
    assert_eq!(
        pair.rotate(us).unwrap_err(),
        "KMSInvalidStateException: Cannot perform key material rotation: Key material has not been \
         imported for replicas of the Multi-Region key."
    );
    assert_eq!(pair.import(eu, 2, &json!({})).unwrap(), second);
    let waiting = entry("IMPORTED", "PENDING_ROTATION", json!("second"));
    assert_eq!(pair.materials(us)[1], waiting);
    assert_eq!(pair.materials(eu)[1], waiting);
    let refusal = pair.rotate(eu).unwrap_err();
    assert!(
        refusal.starts_with("UnsupportedOperationException"),
        "{refusal}"
    );

    pair.rotate(us).unwrap();
    for caller in [us, eu] {
        let expected = [
            entry("IMPORTED", "NON_CURRENT", Value::Null),
            entry("IMPORTED", "CURRENT", json!("second")),
        ];
        assert_eq!(pair.materials(caller), expected);
    }
    let encrypt = json!({"KeyId": pair.id, "Plaintext": "AAAA"});
    let sealed = pair.world.call_as(us, "Encrypt", encrypt).unwrap();
    let open = json!({"CiphertextBlob": sealed["CiphertextBlob"]});
    let opened = pair.world.call_as(eu, "Decrypt", open).unwrap();
    assert_eq!(opened["KeyMaterialId"], second);
}

#[test]
fn a_replica_takes_no_material_that_its_primary_key_does_not_have() {
    let pair = Pair::new();
    let (us, eu) = (&pair.us, &pair.eu);
    let unexpected = format!(
        "IncorrectKeyMaterialException: Imported key material does not have the expected \
         identifier ({}).",
        pair.first
    );
    assert_eq!(pair.import(eu, 9, &json!({})).unwrap_err(), unexpected);
    pair.import(eu, 1, &json!({})).unwrap();
    assert_eq!(pair.import(eu, 9, &json!({})).unwrap_err(), unexpected);
    let new = json!({"ImportType": "NEW_KEY_MATERIAL"});
    for byte in [1, 9] {
        assert_eq!(
            pair.import(eu, byte, &new).unwrap_err(),
            "ValidationException: Input parameter ImportType NEW_KEY_MATERIAL cannot be used on \
             replica Multi-Region keys"
        );
    }
    let described = json!({"KeyMaterialDescription": "mine"});
    assert_eq!(
        pair.import(eu, 1, &described).unwrap_err(),
        "ValidationException: Key material description can only be specified on primary \
         Multi-Region keys"
    );
    // The primary's description is that of all.
    pair.import(us, 1, &described).unwrap();
    let expected = [entry("IMPORTED", "CURRENT", json!("mine"))];
    assert_eq!(pair.materials(eu), expected);
}

#[test]
fn material_that_waits_is_forgotten_everywhere_with_the_primary_keys_and_else_waited_for() {
    let pair = Pair::new();
    let (us, eu) = (&pair.us, &pair.eu);
    pair.import(eu, 1, &json!({})).unwrap();
    let new = json!({"ImportType": "NEW_KEY_MATERIAL"});
    let second = pair.import(us, 2, &new).unwrap();
    pair.import(eu, 2, &json!({})).unwrap();
    pair.delete(eu, &second);
    assert_eq!(
        pair.materials(eu)[1],
        entry("PENDING_IMPORT", BOTH, Value::Null)
    );
    assert_eq!(pair.materials(us)[1], entry("IMPORTED", BOTH, Value::Null));
    pair.import(eu, 2, &json!({})).unwrap();
    pair.delete(us, &second);
    let first = [entry("IMPORTED", "CURRENT", Value::Null)];
    assert_eq!(
        (pair.materials(us), pair.materials(eu)),
        (first.to_vec(), first.to_vec())
    );
    pair.import(us, 3, &new).unwrap();
    pair.import(eu, 3, &json!({})).unwrap();
    pair.rotate(us).unwrap();
    // What is no longer waiting is each Region's own.
    pair.delete(eu, &pair.first);
    assert_eq!(
        (pair.key_state(us), pair.key_state(eu)),
        ("Enabled".to_owned(), "PendingImport".to_owned())
    );
}

#[test]
fn material_that_expires_while_it_waits_rotates_and_is_then_waited_for() {
    let pair = Pair::new();
    let (us, eu) = (&pair.us, &pair.eu);
    pair.import(eu, 1, &json!({})).unwrap();
    let short = json!({
        "ImportType": "NEW_KEY_MATERIAL", "ExpirationModel": "KEY_MATERIAL_EXPIRES",
        "ValidTo": 1_767_225_600 + 60,
    });
    pair.import(us, 2, &short).unwrap();
    pair.import(eu, 2, &json!({})).unwrap();
    pair.world.clock.advance(std::time::Duration::from_secs(60));
    let waiting = entry("IMPORTED", "PENDING_ROTATION", Value::Null);
    assert_eq!(pair.materials(us)[1], waiting);
    pair.rotate(us).unwrap();
    assert_eq!(
        (pair.key_state(us), pair.key_state(eu)),
        ("PendingImport".to_owned(), "Enabled".to_owned())
    );
}
