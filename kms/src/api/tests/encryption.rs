//! Blobs, data keys and randomness.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::json;

use crate::api::tests::ACCOUNT;
use crate::api::tests::World;
use crate::api::tests::text;
use crate::caller::Caller;

const PLAINTEXT: &str = "c2VjcmV0";

fn encrypted(world: &World, key: &str, context: &Value) -> String {
    let request = json!({"KeyId": key, "Plaintext": PLAINTEXT, "EncryptionContext": context});
    text(&world.ok("Encrypt", request)["CiphertextBlob"])
}

#[test]
fn what_was_encrypted_decrypts_by_the_blob_alone() {
    let world = World::new();
    let (id, arn) = world.key();
    let blob = encrypted(&world, &id, &json!({"a": "1", "b": "2"}));
    let request = json!({"CiphertextBlob": blob, "EncryptionContext": {"b": "2", "a": "1"}});
    let answer = world.ok("Decrypt", request);
    assert_eq!(answer["Plaintext"], PLAINTEXT);
    assert_eq!(answer["KeyId"], arn);
    assert_eq!(answer["EncryptionAlgorithm"], "SYMMETRIC_DEFAULT");
    let metadata = &world.ok("DescribeKey", json!({"KeyId": id}))["KeyMetadata"];
    assert_eq!(answer["KeyMaterialId"], metadata["CurrentKeyMaterialId"]);
}

#[test]
fn another_context_does_not_open_a_blob() {
    let world = World::new();
    let (id, _) = world.key();
    let blob = encrypted(&world, &id, &json!({"a": "1"}));
    for context in [
        json!({}),
        json!({"A": "1"}),
        json!({"a": "2"}),
        json!({"a": "1", "b": ""}),
    ] {
        let request = json!({"CiphertextBlob": blob, "EncryptionContext": context});
        assert_eq!(
            world.refusal("Decrypt", request),
            "InvalidCiphertextException"
        );
    }
}

#[test]
fn a_blob_with_any_byte_flipped_or_cut_off_is_invalid() {
    let world = World::new();
    let (id, _) = world.key();
    let blob = STANDARD.decode(encrypted(&world, &id, &json!({}))).unwrap();
    for at in 0..blob.len() {
        let mut changed = blob.clone();
        changed[at] ^= 0x01;
        let request = json!({"CiphertextBlob": STANDARD.encode(&changed)});
        assert_eq!(
            world.refusal("Decrypt", request),
            "InvalidCiphertextException",
            "byte {at}"
        );
        if at > 0 {
            let request = json!({"CiphertextBlob": STANDARD.encode(&blob[..at])});
            let refusal = world.refusal("Decrypt", request);
            assert_eq!(refusal, "InvalidCiphertextException", "cut at {at}");
        }
    }
}

#[test]
fn a_blob_opens_under_the_named_key_only() {
    let world = World::new();
    let (id, arn) = world.key();
    let (other, _) = world.key();
    let blob = encrypted(&world, &id, &json!({}));
    world.ok("Decrypt", json!({"CiphertextBlob": blob, "KeyId": arn}));
    let expected = "IncorrectKeyException: The key ID in the request does not identify a CMK that \
                    can perform this operation.";
    assert_eq!(
        world.refusal("Decrypt", json!({"CiphertextBlob": blob, "KeyId": other})),
        expected
    );
}

#[test]
fn a_blob_is_of_no_use_in_another_account_or_region() {
    let world = World::new();
    let (id, _) = world.key();
    let blob = encrypted(&world, &id, &json!({}));
    for caller in [
        Caller::fixture("444455556666", "us-east-1"),
        Caller::fixture(ACCOUNT, "eu-west-1"),
    ] {
        let refusal = world
            .call_as(&caller, "Decrypt", json!({"CiphertextBlob": blob}))
            .unwrap_err();
        assert_eq!(refusal.code().name(), "AccessDeniedException");
        assert_eq!(
            refusal.message(),
            "The ciphertext refers to a customer master key that does not exist, does not exist in \
             this region, or you are not allowed to access."
        );
    }
}

#[test]
fn data_keys_have_the_requested_sizes_and_decrypt() {
    let world = World::new();
    let (id, _) = world.key();
    for (size, bytes) in [
        (json!({"KeySpec": "AES_256"}), 32),
        (json!({"KeySpec": "AES_128"}), 16),
        (json!({"NumberOfBytes": 1_024}), 1_024),
    ] {
        let mut request = size;
        request["KeyId"] = json!(id);
        request["EncryptionContext"] = json!({"k": "v"});
        let answer = world.ok("GenerateDataKey", request.clone());
        let plaintext = text(&answer["Plaintext"]);
        assert_eq!(STANDARD.decode(&plaintext).unwrap().len(), bytes);
        let request_open = json!({
            "CiphertextBlob": answer["CiphertextBlob"], "EncryptionContext": {"k": "v"},
        });
        assert_eq!(world.ok("Decrypt", request_open)["Plaintext"], plaintext);
        let sealed = world.ok("GenerateDataKeyWithoutPlaintext", request);
        assert!(sealed.get("Plaintext").is_none());
    }
}

#[test]
fn a_data_key_needs_exactly_one_size() {
    let world = World::new();
    let (id, _) = world.key();
    let expected = "ValidationException: Please specify either number of bytes or key spec.";
    assert_eq!(
        world.refusal("GenerateDataKey", json!({"KeyId": id})),
        expected
    );
    let both = json!({"KeyId": id, "KeySpec": "AES_256", "NumberOfBytes": 32});
    assert_eq!(world.refusal("GenerateDataKey", both), expected);
}

#[test]
fn random_bytes_are_as_many_as_requested() {
    let world = World::new();
    let answer = world.ok("GenerateRandom", json!({"NumberOfBytes": 1_024}));
    assert_eq!(
        STANDARD.decode(text(&answer["Plaintext"])).unwrap().len(),
        1_024
    );
    assert_eq!(
        world.refusal("GenerateRandom", json!({})),
        "ValidationException: NumberOfBytes is required."
    );
    assert_eq!(
        world.refusal("GenerateRandom", json!({"NumberOfBytes": 1_025})),
        "ValidationException: 1 validation error detected: Value '1025' at 'numberOfBytes' failed \
         to satisfy constraint: Member must have value less than or equal to 1024"
    );
}

#[test]
fn re_encryption_moves_a_blob_to_another_key_and_context() {
    let world = World::new();
    let (from, from_arn) = world.key();
    let (to, to_arn) = world.key();
    let blob = encrypted(&world, &from, &json!({"a": "1"}));
    let request = json!({
        "CiphertextBlob": blob,
        "SourceEncryptionContext": {"a": "1"},
        "DestinationKeyId": to,
        "DestinationEncryptionContext": {"b": "2"},
    });
    let answer = world.ok("ReEncrypt", request);
    assert_eq!(answer["SourceKeyId"], from_arn);
    assert_eq!(answer["KeyId"], to_arn);
    let open = json!({
        "CiphertextBlob": answer["CiphertextBlob"], "KeyId": to, "EncryptionContext": {"b": "2"},
    });
    assert_eq!(world.ok("Decrypt", open)["Plaintext"], PLAINTEXT);
    let wrong = json!({"CiphertextBlob": blob, "DestinationKeyId": to});
    assert_eq!(
        world.refusal("ReEncrypt", wrong),
        "InvalidCiphertextException"
    );
    let confused = json!({
        "CiphertextBlob": blob, "SourceEncryptionContext": {"a": "1"}, "SourceKeyId": to,
        "DestinationKeyId": to,
    });
    assert!(
        world
            .refusal("ReEncrypt", confused)
            .starts_with("IncorrectKeyException: ")
    );
}

#[test]
fn a_dry_run_does_all_checks_and_nothing_else() {
    let world = World::new();
    let (id, _) = world.key();
    let expected = "DryRunOperationException: The request would have succeeded, but the DryRun \
                    option is set.";
    let encrypt = json!({"KeyId": id, "Plaintext": PLAINTEXT, "DryRun": true});
    assert_eq!(world.refusal("Encrypt", encrypt), expected);
    let blob = encrypted(&world, &id, &json!({}));
    let decrypt = json!({"CiphertextBlob": blob, "DryRun": true});
    assert_eq!(world.refusal("Decrypt", decrypt), expected);
    let ignoring = json!({"KeyId": id, "DryRun": true, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]});
    assert_eq!(world.refusal("Decrypt", ignoring), expected);
    let wrong = json!({"CiphertextBlob": "AAAA", "DryRun": true});
    assert_eq!(
        world.refusal("Decrypt", wrong),
        "InvalidCiphertextException"
    );
}

#[test]
fn an_algorithm_of_other_keys_is_refused() {
    let world = World::new();
    let (id, _) = world.key();
    let request = json!({
        "KeyId": id, "Plaintext": PLAINTEXT, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256",
    });
    assert_eq!(
        world.refusal("Encrypt", request),
        "InvalidKeyUsageException: Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec \
         SYMMETRIC_DEFAULT."
    );
}

#[test]
fn an_encryption_context_over_8_kib_is_refused() {
    let world = World::new();
    let (id, _) = world.key();
    let context = |bytes: usize| json!({"k": "v".repeat(bytes - 1)});
    encrypted(&world, &id, &context(8_192));
    let request = json!({"KeyId": id, "Plaintext": PLAINTEXT, "EncryptionContext": context(8_193)});
    assert!(
        world
            .refusal("Encrypt", request)
            .starts_with("ValidationException: ")
    );
}

#[test]
fn the_latest_use_of_a_key_is_returned() {
    let world = World::new();
    let (id, _) = world.key();
    let before = world.ok("GetKeyLastUsage", json!({"KeyId": id}));
    assert!(before.get("KeyLastUsage").is_none());
    encrypted(&world, &id, &json!({}));
    let after = world.ok("GetKeyLastUsage", json!({"KeyId": id}));
    assert_eq!(after["KeyLastUsage"]["Operation"], "Encrypt");
    assert_eq!(after["KeyLastUsage"]["Timestamp"], 1_767_225_600.0);
}
