//! Signatures, codes, public keys, shared secrets and data key pairs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;

use crate::api::tests::World;
use crate::api::tests::text;

/// A key of that spec and usage; its ARN.
fn key(world: &World, spec: &str, usage: &str) -> String {
    let made = world.ok("CreateKey", json!({"KeySpec": spec, "KeyUsage": usage}));
    assert!(made["KeyMetadata"].get("CurrentKeyMaterialId").is_none());
    text(&made["KeyMetadata"]["Arn"])
}

fn blob(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[test]
fn what_was_signed_verifies_and_nothing_else_does() {
    let world = World::new();
    for (spec, algorithms) in [
        (
            "RSA_2048",
            &["RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PSS_SHA_512"][..],
        ),
        ("ECC_NIST_P256", &["ECDSA_SHA_256"]),
        ("ECC_NIST_P384", &["ECDSA_SHA_384"]),
        ("ECC_NIST_P521", &["ECDSA_SHA_512"]),
        ("ECC_SECG_P256K1", &["ECDSA_SHA_256"]),
        ("ECC_NIST_EDWARDS25519", &["ED25519_SHA_512"]),
        ("ML_DSA_44", &["ML_DSA_SHAKE_256"]),
        ("ML_DSA_65", &["ML_DSA_SHAKE_256"]),
        ("ML_DSA_87", &["ML_DSA_SHAKE_256"]),
    ] {
        let arn = key(&world, spec, "SIGN_VERIFY");
        for algorithm in algorithms {
            let mut request = json!({
                "KeyId": arn, "Message": blob(b"message"), "SigningAlgorithm": algorithm,
            });
            let signed = world.ok("Sign", request.clone());
            assert_eq!(signed["KeyId"], arn);
            request["Signature"] = signed["Signature"].clone();
            let expected =
                json!({"KeyId": arn, "SignatureValid": true, "SigningAlgorithm": algorithm});
            assert_eq!(
                world.ok("Verify", request.clone()),
                expected,
                "{spec} {algorithm}"
            );
            request["Message"] = json!(blob(b"another"));
            let refusal = world.refusal("Verify", request);
            assert_eq!(
                refusal, "KMSInvalidSignatureException",
                "{spec} {algorithm}"
            );
        }
    }
}

#[test]
fn a_signed_digest_verifies_as_the_message_does() {
    let world = World::new();
    let digest = blob(&sha2::Sha256::digest(b"message"));
    for (spec, algorithm) in [
        ("RSA_2048", "RSASSA_PSS_SHA_256"),
        ("ECC_NIST_P256", "ECDSA_SHA_256"),
    ] {
        let arn = key(&world, spec, "SIGN_VERIFY");
        let request = json!({
            "KeyId": arn, "Message": digest, "MessageType": "DIGEST", "SigningAlgorithm": algorithm,
        });
        let signature = world.ok("Sign", request)["Signature"].clone();
        let request = json!({
            "KeyId": arn, "Message": blob(b"message"), "Signature": signature,
            "SigningAlgorithm": algorithm,
        });
        world.ok("Verify", request);
        let short = json!({
            "KeyId": arn, "Message": "AAAA", "MessageType": "DIGEST", "SigningAlgorithm": algorithm,
        });
        assert_eq!(
            world.refusal("Sign", short),
            format!("ValidationException: Digest is invalid length for algorithm {algorithm}.")
        );
    }
}

#[test]
fn a_key_is_of_no_use_for_what_it_is_not_for() {
    let world = World::new();
    let signing = key(&world, "RSA_2048", "SIGN_VERIFY");
    assert_eq!(
        world.refusal("Encrypt", json!({"KeyId": signing, "Plaintext": "AAAA"})),
        format!(
            "InvalidKeyUsageException: {signing} key usage is SIGN_VERIFY which is not valid for \
             Encrypt."
        )
    );
    let request = json!({"KeyId": signing, "Message": "AAAA", "MacAlgorithm": "HMAC_SHA_256"});
    assert_eq!(
        world.refusal("GenerateMac", request),
        format!(
            "InvalidKeyUsageException: {signing} key usage is SIGN_VERIFY which is not valid for \
             GenerateMac."
        )
    );
    let request = json!({"KeyId": signing, "Message": "AAAA", "SigningAlgorithm": "ECDSA_SHA_256"});
    assert_eq!(
        world.refusal("Sign", request),
        "InvalidKeyUsageException: Algorithm ECDSA_SHA_256 is incompatible with key spec RSA_2048."
    );
}

#[test]
fn codes_verify_under_their_key_and_algorithm_only() {
    let world = World::new();
    for (spec, algorithm, bytes) in [
        ("HMAC_224", "HMAC_SHA_224", 28),
        ("HMAC_256", "HMAC_SHA_256", 32),
        ("HMAC_384", "HMAC_SHA_384", 48),
        ("HMAC_512", "HMAC_SHA_512", 64),
    ] {
        let arn = key(&world, spec, "GENERATE_VERIFY_MAC");
        let mut request =
            json!({"KeyId": arn, "Message": blob(b"message"), "MacAlgorithm": algorithm});
        let code = text(&world.ok("GenerateMac", request.clone())["Mac"]);
        assert_eq!(STANDARD.decode(&code).unwrap().len(), bytes);
        request["Mac"] = json!(code);
        let expected = json!({"KeyId": arn, "MacValid": true, "MacAlgorithm": algorithm});
        assert_eq!(world.ok("VerifyMac", request.clone()), expected);
        request["Message"] = json!(blob(b"another"));
        assert_eq!(
            world.refusal("VerifyMac", request),
            "KMSInvalidMacException"
        );
    }
    let arn = key(&world, "HMAC_224", "GENERATE_VERIFY_MAC");
    let request = json!({"KeyId": arn, "Message": "AAAA", "MacAlgorithm": "HMAC_SHA_256"});
    assert_eq!(
        world.refusal("GenerateMac", request),
        "InvalidKeyUsageException: Algorithm HMAC_SHA_256 is incompatible with key spec HMAC_224."
    );
}

#[test]
fn a_public_key_is_returned_with_what_it_is_for() {
    let world = World::new();
    let arn = key(&world, "ECC_NIST_P256", "SIGN_VERIFY");
    let mut described = world.ok("GetPublicKey", json!({"KeyId": arn}));
    let public = STANDARD
        .decode(text(&described["PublicKey"].take()))
        .unwrap();
    assert_eq!(public.len(), 91);
    let expected = json!({
        "CustomerMasterKeySpec": "ECC_NIST_P256",
        "KeyId": arn,
        "KeySpec": "ECC_NIST_P256",
        "KeyUsage": "SIGN_VERIFY",
        "PublicKey": null,
        "SigningAlgorithms": ["ECDSA_SHA_256"],
    });
    assert_eq!(described, expected);
    let (symmetric, _) = world.key();
    let refusal = world.refusal("GetPublicKey", json!({"KeyId": symmetric}));
    assert!(
        refusal.starts_with("UnsupportedOperationException"),
        "{refusal}"
    );
}

#[test]
fn rsa_keys_encrypt_as_much_as_oaep_can() {
    let world = World::new();
    let arn = key(&world, "RSA_2048", "ENCRYPT_DECRYPT");
    for (algorithm, most) in [("RSAES_OAEP_SHA_1", 214), ("RSAES_OAEP_SHA_256", 190)] {
        let request = |bytes: usize| {
            json!({
                "KeyId": arn, "Plaintext": blob(&vec![7; bytes]), "EncryptionAlgorithm": algorithm,
            })
        };
        let sealed = world.ok("Encrypt", request(most));
        assert_eq!(sealed["EncryptionAlgorithm"], algorithm);
        let open = json!({
            "CiphertextBlob": sealed["CiphertextBlob"], "KeyId": arn,
            "EncryptionAlgorithm": algorithm,
        });
        let opened = world.ok("Decrypt", open);
        assert_eq!(opened["Plaintext"], blob(&vec![7; most]));
        assert!(opened.get("KeyMaterialId").is_none());
        assert_eq!(
            world.refusal("Encrypt", request(most + 1)),
            format!(
                "ValidationException: Algorithm {algorithm} and key spec RSA_2048 cannot encrypt \
                 data larger than {most} bytes."
            )
        );
        let unnamed = json!({
            "CiphertextBlob": sealed["CiphertextBlob"], "EncryptionAlgorithm": algorithm,
        });
        assert_eq!(
            world.refusal("Decrypt", unnamed),
            "InvalidCiphertextException"
        );
    }
    let garbage = json!({
        "CiphertextBlob": blob(&[1; 256]), "KeyId": arn,
        "EncryptionAlgorithm": "RSAES_OAEP_SHA_256",
    });
    assert_eq!(
        world.refusal("Decrypt", garbage),
        "InvalidCiphertextException"
    );
}

#[test]
fn two_keys_agree_on_one_secret() {
    let world = World::new();
    for spec in ["ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"] {
        let one = key(&world, spec, "KEY_AGREEMENT");
        let two = key(&world, spec, "KEY_AGREEMENT");
        let secret = |mine: &str, theirs: &str| {
            let public = world.ok("GetPublicKey", json!({"KeyId": theirs}))["PublicKey"].clone();
            let request =
                json!({"KeyId": mine, "KeyAgreementAlgorithm": "ECDH", "PublicKey": public});
            world.ok("DeriveSharedSecret", request)["SharedSecret"].clone()
        };
        assert_eq!(secret(&one, &two), secret(&two, &one));
        let request = json!({"KeyId": one, "KeyAgreementAlgorithm": "ECDH", "PublicKey": "AAAA"});
        assert!(
            world
                .refusal("DeriveSharedSecret", request)
                .starts_with("ValidationException")
        );
    }
}

#[test]
fn an_encapsulated_secret_is_decapsulated() {
    let world = World::new();
    for spec in ["ML_KEM_512", "ML_KEM_768", "ML_KEM_1024"] {
        let arn = key(&world, spec, "ENCAPSULATE_DECAPSULATE");
        let request = json!({"KeyId": arn, "EncapsulationAlgorithm": "ML_KEM"});
        let sealed = world.ok("Encapsulate", request.clone());
        let mut open = request;
        open["SharedSecretCiphertextBlob"] = sealed["SharedSecretCiphertextBlob"].clone();
        let opened = world.ok("Decapsulate", open.clone());
        assert_eq!(opened["SharedSecret"], sealed["SharedSecret"]);
        open["SharedSecretCiphertextBlob"] = json!("AAAA");
        assert_eq!(
            world.refusal("Decapsulate", open),
            "InvalidCiphertextException"
        );
    }
}

#[test]
fn a_data_key_pairs_private_key_decrypts() {
    let world = World::new();
    let (id, arn) = world.key();
    for spec in [
        "RSA_2048",
        "ECC_NIST_P256",
        "ECC_NIST_EDWARDS25519",
        "ML_KEM_768",
    ] {
        let request = json!({
            "KeyId": id, "KeyPairSpec": spec, "EncryptionContext": {"a": "1"},
        });
        let made = world.ok("GenerateDataKeyPair", request.clone());
        assert_eq!(
            (&made["KeyId"], &made["KeyPairSpec"]),
            (&json!(arn), &json!(spec))
        );
        let open = json!({
            "CiphertextBlob": made["PrivateKeyCiphertextBlob"], "EncryptionContext": {"a": "1"},
        });
        assert_eq!(
            world.ok("Decrypt", open)["Plaintext"],
            made["PrivateKeyPlaintext"]
        );
        let sealed = world.ok("GenerateDataKeyPairWithoutPlaintext", request);
        assert_eq!(sealed.get("PrivateKeyPlaintext"), None::<&Value>);
    }
    let sm2 = json!({"KeyId": id, "KeyPairSpec": "SM2"});
    let refusal = world.refusal("GenerateDataKeyPair", sm2);
    assert!(
        refusal.starts_with("UnsupportedOperationException"),
        "{refusal}"
    );
}
