//! In the place of another emulator.

use serde_json::Value;
use serde_json::json;

use crate::api::tests::ACCOUNT;
use crate::api::tests::REGION;
use crate::api::tests::World;
use crate::api::tests::text;
use crate::authorize::Enforcement;
use crate::caller::Caller;
use crate::compat::Compat;

fn world(compat: Compat) -> World {
    let mut world = World::new();
    world.kms = world.kms.compatible(compat);
    world
}

fn tags(id: &str, material: &str) -> Value {
    json!([
        {"TagKey": "_custom_id_", "TagValue": id},
        {"TagKey": "_custom_key_material_", "TagValue": material},
    ])
}

#[test]
fn with_localstack_tags_choose_the_id_and_the_material() {
    let world = world(Compat::LocalStack);
    let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
    // "custom test key material": no length that AWS has.
    let tags = tags(id, "Y3VzdG9tIHRlc3Qga2V5IG1hdGVyaWFs");
    let hmac = json!({"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC", "Tags": tags});
    let made = world.ok("CreateKey", hmac.clone());
    assert_eq!(made["KeyMetadata"]["KeyId"], id);
    let again = format!(
        "AlreadyExistsException: Key 'arn:aws:kms:{REGION}:{ACCOUNT}:key/{id}' already exists"
    );
    assert_eq!(world.refusal("CreateKey", hmac), again);

    // The code of b"a" by Python's hmac module under the same key.
    let mac = json!({"KeyId": id, "Message": "YQ==", "MacAlgorithm": "HMAC_SHA_256"});
    let expected = "kBFXt7ARFaOvXNcGres8TIkyrzvdltY0702Yl4j3IjM=";
    assert_eq!(world.ok("GenerateMac", mac)["Mac"], expected);
    let listed = world.ok("ListResourceTags", json!({"KeyId": id}));
    let only = json!([{"TagKey": "_custom_id_", "TagValue": id}]);
    assert_eq!(listed["Tags"], only, "nobody reads the material");
}

#[test]
fn without_a_switch_those_tags_are_tags() {
    let world = world(Compat::Aws);
    let made = world.ok("CreateKey", json!({"Tags": tags("a", "AAAA")}));
    let id = text(&made["KeyMetadata"]["KeyId"]);
    assert_ne!(id, "a");
    let listed = world.ok("ListResourceTags", json!({"KeyId": id}));
    assert_eq!(listed["Tags"].as_array().unwrap().len(), 2);
}

#[test]
fn with_localstack_answers_are_those_of_2023() {
    let world = world(Compat::LocalStack);
    let (id, _) = world.key();
    let made = world.ok(
        "GenerateDataKey",
        json!({"KeyId": id, "KeySpec": "AES_256"}),
    );
    assert_eq!(made["KeyMaterialId"], Value::Null);
    assert!(
        world
            .refusal("CreateKey", json!({"KeyUsage": "A"}))
            .ends_with("set: [ENCRYPT_DECRYPT, SIGN_VERIFY, GENERATE_VERIFY_MAC]")
    );
    for _ in 0..10 {
        world.ok("RotateKeyOnDemand", json!({"KeyId": id}));
    }
    let over = world.refusal("RotateKeyOnDemand", json!({"KeyId": id}));
    assert!(over.starts_with("LimitExceededException"), "{over}");
}

#[test]
fn with_moto_any_text_is_a_policy_and_only_denials_count() {
    let world = world(Compat::Moto);
    world.kms.enforce(Enforcement::DenialsOnly);
    let made = world.ok("CreateKey", json!({"Policy": "my policy"}));
    let id = text(&made["KeyMetadata"]["KeyId"]);
    let arn = text(&made["KeyMetadata"]["Arn"]);
    let described = world.ok("GetKeyPolicy", json!({"KeyId": id}));
    assert_eq!(described["Policy"], "my policy");
    let other = Caller::fixture("222233334444", REGION);
    world
        .call_as(&other, "DescribeKey", json!({"KeyId": arn}))
        .unwrap();
    let denies = r#"{"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "kms:Describe*",
                     "Resource": "*"}]}"#;
    world.ok("PutKeyPolicy", json!({"KeyId": id, "Policy": denies}));
    let denied = world.refusal("DescribeKey", json!({"KeyId": id}));
    assert!(denied.starts_with("AccessDeniedException"), "{denied}");
}

#[test]
fn without_a_switch_a_policy_must_be_one() {
    let refusal = world(Compat::Aws).refusal("CreateKey", json!({"Policy": "my policy"}));
    assert!(
        refusal.starts_with("MalformedPolicyDocumentException"),
        "{refusal}"
    );
}

#[test]
fn with_localstack_what_it_lets_pass_passes() {
    let world = world(Compat::LocalStack);
    let (id, arn) = world.key();
    let public = world.ok("GetPublicKey", json!({"KeyId": id}));
    assert_eq!(
        (&public["KeyId"], &public["PublicKey"]),
        (&json!(arn), &Value::Null)
    );
    let made = world.ok("GenerateDataKey", json!({"KeyId": id}));
    let decrypt = json!({
        "CiphertextBlob": made["CiphertextBlob"],
        "Recipient": {"AttestationDocument": "AAAA"},
    });
    assert_eq!(world.ok("Decrypt", decrypt)["Plaintext"], made["Plaintext"]);
}

#[test]
fn the_suites_of_localstack_and_moto_name_any_text_as_the_principal_of_a_grant_and_as_a_token() {
    for (compat, is_taken) in [
        (Compat::LocalStack, true),
        (Compat::Moto, true),
        (Compat::LocalKms, false),
        (Compat::Aws, false),
    ] {
        let world = world(compat);
        let (id, _) = world.key();
        let principal = "arn:aws:kms:eu-central-1:123456789876:key/198a5a78";
        let request = json!({
            "KeyId": id, "GranteePrincipal": principal, "RetiringPrincipal": principal,
            "Operations": ["Encrypt"], "GrantTokens": ["any"],
        });
        let made = world.call("CreateGrant", request);
        assert_eq!(made.is_ok(), is_taken, "{compat:?}: {made:?}");
        let retirable = json!({"RetiringPrincipal": principal});
        let listed = world.call("ListRetirableGrants", retirable);
        let listed = listed.map(|listed| listed["Grants"].as_array().unwrap().len());
        assert_eq!(listed.ok(), is_taken.then_some(1), "{compat:?}");
    }
}
