//! Imported key material.

use std::time::Duration;

use aws_lc_rs::rsa::OAEP_SHA256_MGF1SHA256;
use aws_lc_rs::rsa::OaepPublicEncryptingKey;
use aws_lc_rs::rsa::PublicEncryptingKey;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::json;

use crate::api::tests::World;
use crate::api::tests::text;
use crate::caller::Caller;

const DAY: Duration = Duration::from_secs(86_400);
const NOW: f64 = 1_767_225_600.0;

fn external(world: &World) -> (String, String) {
    let made = world.ok("CreateKey", json!({"Origin": "EXTERNAL"}));
    let metadata = &made["KeyMetadata"];
    assert_eq!(metadata["KeyState"], "PendingImport");
    assert_eq!(metadata["Enabled"], false);
    (text(&metadata["KeyId"]), text(&metadata["Arn"]))
}

/// A request to import 32 bytes of `byte`, which still lacks its expiration.
fn wrapped(world: &World, id: &str, byte: u8) -> Value {
    wrapped_by(world, &world.caller, id, &[byte; 32])
}

/// As [`wrapped`], any bytes, by that caller.
pub(crate) fn wrapped_by(world: &World, caller: &Caller, id: &str, secret: &[u8]) -> Value {
    let request = json!({
        "KeyId": id, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048",
    });
    let parameters = world.call_as(caller, "GetParametersForImport", request);
    let parameters = parameters.unwrap();
    assert_eq!(parameters["ParametersValidTo"], NOW + 86_400.0);
    let public = STANDARD.decode(text(&parameters["PublicKey"])).unwrap();
    let key = PublicEncryptingKey::from_der(&public).unwrap();
    let key = OaepPublicEncryptingKey::new(key).unwrap();
    let mut out = vec![0; key.ciphertext_size()];
    key.encrypt(&OAEP_SHA256_MGF1SHA256, secret, &mut out, None)
        .unwrap();
    json!({
        "KeyId": id,
        "ImportToken": parameters["ImportToken"],
        "EncryptedKeyMaterial": STANDARD.encode(out),
    })
}

pub(crate) fn forever(mut request: Value) -> Value {
    request["ExpirationModel"] = json!("KEY_MATERIAL_DOES_NOT_EXPIRE");
    request
}

fn state(world: &World, id: &str) -> Value {
    world.ok("DescribeKey", json!({"KeyId": id}))["KeyMetadata"]["KeyState"].clone()
}

#[test]
fn imported_material_works_until_it_is_deleted_and_again_when_it_is_back() {
    let world = World::new();
    let (id, arn) = external(&world);
    let encrypt = json!({"KeyId": id, "Plaintext": "AAAA"});
    let pending = format!("KMSInvalidStateException: {arn} is pending import.");
    assert_eq!(world.refusal("Encrypt", encrypt.clone()), pending);
    let imported = world.ok("ImportKeyMaterial", forever(wrapped(&world, &id, 1)));
    let blob = world.ok("Encrypt", encrypt.clone())["CiphertextBlob"].clone();
    let metadata = &world.ok("DescribeKey", json!({"KeyId": id}))["KeyMetadata"];
    assert_eq!(metadata["ExpirationModel"], "KEY_MATERIAL_DOES_NOT_EXPIRE");
    assert_eq!(metadata["CurrentKeyMaterialId"], imported["KeyMaterialId"]);

    world.ok("DeleteImportedKeyMaterial", json!({"KeyId": id}));
    assert_eq!(world.refusal("Encrypt", encrypt), pending);
    let metadata = &world.ok("DescribeKey", json!({"KeyId": id}))["KeyMetadata"];
    assert_eq!(metadata["CurrentKeyMaterialId"], imported["KeyMaterialId"]);
    let other = forever(wrapped(&world, &id, 2));
    let unexpected = format!(
        "IncorrectKeyMaterialException: Imported key material does not have the expected \
         identifier ({}).",
        text(&imported["KeyMaterialId"])
    );
    assert_eq!(world.refusal("ImportKeyMaterial", other), unexpected);
    world.ok("ImportKeyMaterial", forever(wrapped(&world, &id, 1)));
    assert_eq!(
        world.ok("Decrypt", json!({"CiphertextBlob": blob}))["Plaintext"],
        "AAAA"
    );
}

#[test]
fn material_expires_by_the_clock() {
    let world = World::new();
    let (id, arn) = external(&world);
    assert_eq!(
        world.refusal("ImportKeyMaterial", wrapped(&world, &id, 1)),
        "ValidationException: A validTo date must be set if the ExpirationModel is \
         KEY_MATERIAL_EXPIRES"
    );
    let mut request = wrapped(&world, &id, 1);
    request["ValidTo"] = json!(NOW + 10.0 * 86_400.0);
    world.ok("ImportKeyMaterial", request);
    assert_eq!(state(&world, &id), "Enabled");
    world.clock.advance(10 * DAY);
    assert_eq!(state(&world, &id), "PendingImport");
    assert_eq!(
        world.refusal("Encrypt", json!({"KeyId": id, "Plaintext": "AAAA"})),
        format!("KMSInvalidStateException: {arn} is pending import.")
    );
}

#[test]
fn a_token_is_good_for_its_key_and_a_day() {
    let world = World::new();
    let (id, _) = external(&world);
    let (other, _) = external(&world);
    let mut request = forever(wrapped(&world, &id, 1));
    request["KeyId"] = json!(other);
    assert_eq!(
        world.refusal("ImportKeyMaterial", request.clone()),
        "InvalidImportTokenException"
    );
    request["KeyId"] = json!(id);
    let mut forged = request.clone();
    forged["ImportToken"] = json!("AAAA");
    assert_eq!(
        world.refusal("ImportKeyMaterial", forged),
        "InvalidImportTokenException"
    );
    let mut garbage = request.clone();
    garbage["EncryptedKeyMaterial"] = json!("AAAA");
    assert_eq!(
        world.refusal("ImportKeyMaterial", garbage),
        "InvalidCiphertextException"
    );
    world.clock.advance(DAY);
    assert_eq!(
        world.refusal("ImportKeyMaterial", request),
        "ExpiredImportTokenException"
    );
}

#[test]
fn imported_keys_rotate_to_material_imported_for_it() {
    let world = World::new();
    let (id, arn) = external(&world);
    let first = world.ok("ImportKeyMaterial", forever(wrapped(&world, &id, 1)));
    assert_eq!(
        world.refusal("RotateKeyOnDemand", json!({"KeyId": id})),
        format!(
            "KMSInvalidStateException: No available key material pending rotation for the key: \
             {arn}."
        )
    );
    let mut request = forever(wrapped(&world, &id, 2));
    request["ImportType"] = json!("NEW_KEY_MATERIAL");
    let second = world.ok("ImportKeyMaterial", request);
    let current = || {
        let described = world.ok("DescribeKey", json!({"KeyId": id}));
        described["KeyMetadata"]["CurrentKeyMaterialId"].clone()
    };
    assert_eq!(current(), first["KeyMaterialId"]);
    world.ok("RotateKeyOnDemand", json!({"KeyId": id}));
    assert_eq!(current(), second["KeyMaterialId"]);
    let listed = world.ok("ListKeyRotations", json!({"KeyId": id}));
    assert_eq!(listed["Rotations"][0]["ImportState"], "IMPORTED");
    assert_eq!(
        world.refusal("EnableKeyRotation", json!({"KeyId": id})),
        format!(
            "UnsupportedOperationException: {arn} origin is EXTERNAL which is not valid for this \
             operation."
        )
    );
}

#[test]
fn keys_made_here_take_no_material() {
    let world = World::new();
    let (id, arn) = world.key();
    let request = json!({
        "KeyId": id, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048",
    });
    assert_eq!(
        world.refusal("GetParametersForImport", request),
        format!(
            "UnsupportedOperationException: {arn} origin is AWS_KMS which is not valid for this \
             operation."
        )
    );
}

#[test]
fn an_import_token_for_the_largest_wrapping_key_fits_into_its_member() {
    let world = World::new();
    let (id, _) = external(&world);
    let request = json!({
        "KeyId": id, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_4096",
    });
    let parameters = world.ok("GetParametersForImport", request);
    let token = STANDARD.decode(text(&parameters["ImportToken"])).unwrap();
    assert!(token.len() <= 6_144, "{} bytes", token.len());
}

#[test]
fn material_that_waits_for_a_rotation_is_forgotten_when_it_is_deleted() {
    let world = World::new();
    let (id, arn) = external(&world);
    let first = world.ok("ImportKeyMaterial", forever(wrapped(&world, &id, 1)));
    let new = |byte| {
        let mut request = forever(wrapped(&world, &id, byte));
        request["ImportType"] = json!("NEW_KEY_MATERIAL");
        request
    };
    let second = text(&world.ok("ImportKeyMaterial", new(2))["KeyMaterialId"]);
    let refusal = world.refusal("ImportKeyMaterial", new(3));
    assert!(refusal.starts_with("KMSInvalidStateException"), "{refusal}");
    assert_eq!(
        world.refusal("ImportKeyMaterial", new(2)),
        format!(
            "IncorrectKeyMaterialException: Key material (id: {second}) being imported as \
             NEW_KEY_MATERIAL is already associated with KMS key {arn}."
        )
    );
    let delete = json!({"KeyId": id, "KeyMaterialId": second});
    world.ok("DeleteImportedKeyMaterial", delete.clone());
    let all = json!({"KeyId": id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"});
    let listed = world.ok("ListKeyRotations", all);
    assert_eq!(listed["Rotations"].as_array().unwrap().len(), 1);
    assert_eq!(state(&world, &id), "Enabled");
    assert_eq!(
        world.refusal("DeleteImportedKeyMaterial", delete),
        format!(
            "ValidationException: Key material (id: {second}) has never been imported into KMS \
             key {arn}."
        )
    );
    world.ok("ImportKeyMaterial", new(3));
    world.ok("RotateKeyOnDemand", json!({"KeyId": id}));
    let by_id = json!({"KeyId": id, "KeyMaterialId": first["KeyMaterialId"]});
    world.ok("DeleteImportedKeyMaterial", by_id.clone());
    world.ok("DeleteImportedKeyMaterial", by_id);
    assert_eq!(state(&world, &id), "PendingImport");
}

#[test]
fn an_import_says_what_it_brings_and_lets_the_key_be_used() {
    let world = World::new();
    let (id, _) = external(&world);
    let first =
        text(&world.ok("ImportKeyMaterial", forever(wrapped(&world, &id, 1)))["KeyMaterialId"]);
    let other = "0".repeat(64);
    let mut request = forever(wrapped(&world, &id, 1));
    request["KeyMaterialId"] = json!(other);
    let expected = format!(
        "IncorrectKeyMaterialException: Imported key material does not have the expected \
         identifier ({other})."
    );
    assert_eq!(
        world.refusal("ImportKeyMaterial", request.clone()),
        expected
    );
    request["ImportType"] = json!("NEW_KEY_MATERIAL");
    assert_eq!(
        world.refusal("ImportKeyMaterial", request),
        "ValidationException: Input parameter keyMaterialId cannot be used with NEW_KEY_MATERIAL \
         importType."
    );
    let short = forever(wrapped_by(&world, &world.caller, &id, &[1; 31]));
    assert_eq!(
        world.refusal("ImportKeyMaterial", short),
        "InvalidCiphertextException"
    );
    world.ok("DisableKey", json!({"KeyId": id}));
    let mut request = forever(wrapped(&world, &id, 1));
    request["KeyMaterialId"] = json!(first);
    world.ok("ImportKeyMaterial", request);
    assert_eq!(state(&world, &id), "Enabled");
}

#[test]
fn material_expires_in_the_future_and_within_a_year() {
    let world = World::new();
    let (id, _) = external(&world);
    let import = |days: f64| {
        let mut request = wrapped(&world, &id, 1);
        request["ValidTo"] = json!(NOW + days * 86_400.0);
        let ended = world.call("ImportKeyMaterial", request);
        ended.map_or_else(|error| error.to_string(), |_| "ok".to_owned())
    };
    assert_eq!(
        import(0.0),
        "ValidationException: ValidTo must be in the future"
    );
    let far = "ValidationException: ValidTo must be less than 365 days in the future";
    assert_eq!(import(365.1), far);
    assert_eq!(import(364.0), "ok");
    let mut request = forever(wrapped(&world, &id, 1));
    request["ValidTo"] = json!(NOW + 86_400.0);
    assert_eq!(
        world.refusal("ImportKeyMaterial", request),
        "ValidationException: A validTo date cannot be set if the ExpirationModel is \
         KEY_MATERIAL_DOES_NOT_EXPIRE"
    );
}
