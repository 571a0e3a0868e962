//! Answers for enclaves.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::json;

use crate::api::tests::World;
use crate::api::tests::text;
use crate::crypto::import;
use crate::keys::metadata::KeySpec;

/// An attestation document with a fresh key and one register, in base64.
fn document(register_0: u8) -> String {
    let (_, public_key) = import::wrapping_pair(KeySpec::Rsa2048).unwrap();
    let bytes = |value: &[u8]| {
        let length = u16::try_from(value.len()).unwrap().to_be_bytes();
        [&[0x59], &length[..], value].concat()
    };
    let pcrs = [b"\xa2\x64pcrs\xa1\x00\x41".as_slice(), &[register_0]].concat();
    let payload = [&pcrs, b"\x6apublic_key".as_slice(), &bytes(&public_key)].concat();
    STANDARD.encode([b"\x84\x40\xa0".as_slice(), &bytes(&payload), b"\x40"].concat())
}

fn request(id: &str, document: &str) -> Value {
    json!({
        "KeyId": id, "KeySpec": "AES_256",
        "Recipient": {
            "AttestationDocument": document,
            "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
        },
    })
}

#[test]
fn an_answer_for_a_recipient_has_no_plaintext_and_a_document_without_a_key_is_refused() {
    let world = World::new();
    let (id, _) = world.key();
    let made = world.ok("GenerateDataKey", request(&id, &document(1)));
    assert_eq!(made["Plaintext"], Value::Null);
    assert!(made["CiphertextForRecipient"].is_string());
    let refused = world.refusal("GenerateDataKey", request(&id, "AAAA"));
    assert!(refused.starts_with("ValidationException"), "{refused}");
}

#[test]
fn a_policy_may_demand_what_an_attestation_document_measured() {
    let world = World::new();
    let (id, _) = world.key();
    let described = world.ok("GetKeyPolicy", json!({"KeyId": id}));
    let mut policy: Value = serde_json::from_str(&text(&described["Policy"])).unwrap();
    policy["Statement"].as_array_mut().unwrap().push(json!({
        "Effect": "Deny", "Principal": "*", "Action": "kms:GenerateDataKey", "Resource": "*",
        "Condition": {"StringNotEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": "AB"}},
    }));
    let put = json!({"KeyId": id, "Policy": policy.to_string()});
    world.ok("PutKeyPolicy", put);
    world.ok("GenerateDataKey", request(&id, &document(0xab)));
    for (document, what) in [
        (document(0xac), "another image"),
        ("AAAA".to_owned(), "none"),
    ] {
        let refused = world.refusal("GenerateDataKey", request(&id, &document));
        assert!(
            refused.starts_with("AccessDeniedException"),
            "{what}: {refused}"
        );
    }
}
