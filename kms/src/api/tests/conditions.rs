//! What the conditions of a key policy may look at.

use serde_json::Value;
use serde_json::json;

use crate::api::tests::ACCOUNT;
use crate::api::tests::World;
use crate::api::tests::callers::limited;
use crate::api::tests::text;

/// A request, and a condition that holds for it.
struct Case {
    key: Value,
    operation: &'static str,
    request: Value,
    condition: &'static str,
    value: &'static str,
}

fn case(
    key: Value,
    operation: &'static str,
    request: Value,
    (condition, value): (&'static str, &'static str),
) -> Case {
    Case {
        key,
        operation,
        request,
        condition,
        value,
    }
}

/// The default policy, and a statement that denies where the condition holds.
fn denying(action: &str, condition: &str, value: &str) -> String {
    json!({"Version": "2012-10-17", "Statement": [
        {
            "Effect": "Allow", "Action": "kms:*", "Resource": "*",
            "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")},
        },
        {
            "Effect": "Deny", "Action": format!("kms:{action}"), "Resource": "*", "Principal": "*",
            "Condition": {"ForAnyValue:StringEquals": {condition: value}},
        },
    ]})
    .to_string()
}

/// Checks that a policy can deny each request by its condition, and does not by another value.
#[track_caller]
fn each_can_be_denied(cases: impl IntoIterator<Item = Case>) {
    for case in cases {
        let world = World::new();
        let metadata = &world.ok("CreateKey", case.key)["KeyMetadata"];
        let id = text(&metadata["KeyId"]);
        world.ok(
            "CreateAlias",
            json!({"AliasName": "alias/named", "TargetKeyId": id}),
        );
        let mut request = case.request;
        let by = if case.operation == "ReEncrypt" {
            let plain = json!({"KeyId": id, "Plaintext": "AAAA"});
            request["CiphertextBlob"] = world.ok("Encrypt", plain)["CiphertextBlob"].clone();
            "DestinationKeyId"
        } else {
            "KeyId"
        };
        request[by] = json!(id);
        let action = match case.operation {
            "ReEncrypt" => "ReEncryptTo",
            other => other,
        };
        let refused = |value| {
            let policy = denying(action, case.condition, value);
            world.ok("PutKeyPolicy", json!({"KeyId": id, "Policy": policy}));
            let ended = world.call(case.operation, request.clone());
            ended.is_err_and(|error| error.code().name() == "AccessDeniedException")
        };
        let what = format!("{} by {}", case.operation, case.condition);
        assert!(!refused("another"), "{what} is denied by another value");
        assert!(refused(case.value), "{what} is not denied");
    }
}

#[test]
fn a_policy_may_look_at_what_a_pair_or_a_mac_key_is_used_for() {
    let key = |spec: &str, usage: &str| json!({"KeySpec": spec, "KeyUsage": usage});
    let signing = || key("ECC_NIST_P256", "SIGN_VERIFY");
    let sign = json!({
        "Message": "AAAA", "MessageType": "RAW", "SigningAlgorithm": "ECDSA_SHA_256",
    });
    let by_algorithm = ("kms:SigningAlgorithm", "ECDSA_SHA_256");
    each_can_be_denied([
        case(signing(), "Sign", sign.clone(), by_algorithm),
        case(signing(), "Sign", sign, ("kms:MessageType", "RAW")),
        case(
            key("HMAC_256", "GENERATE_VERIFY_MAC"),
            "GenerateMac",
            json!({"Message": "AAAA", "MacAlgorithm": "HMAC_SHA_256"}),
            ("kms:MacAlgorithm", "HMAC_SHA_256"),
        ),
        case(
            key("RSA_2048", "ENCRYPT_DECRYPT"),
            "Encrypt",
            json!({"Plaintext": "AAAA", "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}),
            ("kms:EncryptionAlgorithm", "RSAES_OAEP_SHA_256"),
        ),
        case(
            key("ECC_NIST_P256", "KEY_AGREEMENT"),
            "DeriveSharedSecret",
            json!({"KeyAgreementAlgorithm": "ECDH", "PublicKey": "AAAA"}),
            ("kms:KeyAgreementAlgorithm", "ECDH"),
        ),
    ]);
}

#[test]
fn a_policy_may_look_at_what_a_symmetric_key_is_used_for() {
    let symmetric = ("kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT");
    let same_key = ("kms:ReEncryptOnSameKey", "true");
    let pair_spec = ("kms:DataKeyPairSpec", "ECC_NIST_P256");
    let data_key = json!({"KeySpec": "AES_256"});
    let data_pair = json!({"KeyPairSpec": "ECC_NIST_P256"});
    each_can_be_denied([
        case(
            json!({}),
            "Encrypt",
            json!({"Plaintext": "AAAA"}),
            symmetric,
        ),
        case(json!({}), "GenerateDataKey", data_key, symmetric),
        case(json!({}), "ReEncrypt", json!({}), symmetric),
        case(json!({}), "ReEncrypt", json!({}), same_key),
        case(
            json!({}),
            "GenerateDataKeyPair",
            data_pair.clone(),
            pair_spec,
        ),
        case(json!({}), "GenerateDataKeyPair", data_pair, symmetric),
    ]);
}

#[test]
fn an_encryption_algorithm_is_what_a_request_names_and_only_for_a_symmetric_key_what_goes_without_saying()
 {
    let world = World::new();
    let (id, _) = world.key();
    let signing = json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"});
    let signing = text(&world.ok("CreateKey", signing)["KeyMetadata"]["KeyId"]);
    let named = json!({
        "KeyId": id, "Plaintext": "AAAA", "EncryptionAlgorithm": "RSAES_OAEP_SHA_256",
    });
    let sign = json!({
        "KeyId": signing, "Message": "AAAA", "MessageType": "RAW",
        "SigningAlgorithm": "ECDSA_SHA_256",
    });
    let name = "kms:EncryptionAlgorithm";
    for (operation, request, value, ended) in [
        (
            "Encrypt",
            named,
            "SYMMETRIC_DEFAULT",
            Some("InvalidKeyUsageException"),
        ),
        (
            "DescribeKey",
            json!({"KeyId": id}),
            "SYMMETRIC_DEFAULT",
            None,
        ),
        ("Sign", sign, "ECC_NIST_P256", None),
    ] {
        let policy = denying(operation, name, value);
        let put = json!({"KeyId": request["KeyId"], "Policy": policy});
        world.ok("PutKeyPolicy", put);
        let error = world.call(operation, request).err();
        let code = error.map(|error| error.code().name());
        assert_eq!(code, ended, "{operation}");
    }
}

#[test]
fn a_policy_may_look_at_the_key() {
    let tagged = json!({"Tags": [{"TagKey": "team", "TagValue": "red"}]});
    let regional = json!({"MultiRegion": true});
    let conditions = [
        (json!({}), ("kms:KeySpec", "SYMMETRIC_DEFAULT")),
        (json!({}), ("kms:KeyUsage", "ENCRYPT_DECRYPT")),
        (
            json!({}),
            ("kms:CustomerMasterKeySpec", "SYMMETRIC_DEFAULT"),
        ),
        (json!({}), ("kms:CustomerMasterKeyUsage", "ENCRYPT_DECRYPT")),
        (json!({}), ("kms:KeyOrigin", "AWS_KMS")),
        (json!({}), ("kms:MultiRegion", "false")),
        (regional, ("kms:MultiRegionKeyType", "PRIMARY")),
        (json!({}), ("kms:ResourceAliases", "alias/named")),
        (json!({}), ("kms:CallerAccount", ACCOUNT)),
        (tagged, ("aws:ResourceTag/team", "red")),
    ];
    let plain = json!({"Plaintext": "AAAA"});
    each_can_be_denied(
        conditions.map(|(key, condition)| case(key, "Encrypt", plain.clone(), condition)),
    );
}

#[test]
fn a_policy_may_look_at_the_keys_aliases_however_it_writes_that() {
    let world = World::new();
    let (id, arn) = world.key();
    let named = json!({"AliasName": "alias/named", "TargetKeyId": id});
    world.ok("CreateAlias", named);
    let request = json!({"KeyId": id, "Plaintext": "AAAA"});
    for name in [
        "kms:ResourceAliases",
        "KMS:RESOURCEALIASES",
        "kms:resourcealiases",
        "kms:Resource\\u0041liases",
    ] {
        let policy = denying("Encrypt", "CONDITION", "alias/named").replace("CONDITION", name);
        world.ok("PutKeyPolicy", json!({"KeyId": id, "Policy": policy}));
        let error = world.call("Encrypt", request.clone()).unwrap_err();
        assert_eq!(error.code().name(), "AccessDeniedException", "{name}");
    }
    let policy = denying("Decrypt", "kms:CallerAccount", ACCOUNT);
    world.ok("PutKeyPolicy", json!({"KeyId": id, "Policy": policy}));
    let allow = |alias: &str| {
        let condition = json!({"ForAnyValue:StringEquals": {"kms:resourceALIASES": alias}});
        let statement = json!({
            "Effect": "Allow", "Action": "kms:Encrypt", "Resource": arn, "Condition": condition,
        });
        world.call_as(
            &limited(&json!([statement]), None),
            "Encrypt",
            request.clone(),
        )
    };
    allow("alias/named").unwrap();
    allow("alias/other").unwrap_err();
}

#[test]
fn a_policy_may_look_at_what_is_requested_of_a_keys_manager() {
    let external = || json!({"Origin": "EXTERNAL"});
    let wrapping = json!({
        "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048",
    });
    let import = json!({
        "ImportToken": "AAAA", "EncryptedKeyMaterial": "AAAA",
        "ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": 1_767_312_000,
    });
    let primary = || json!({"MultiRegion": true});
    let ireland = |member: &str| json!({member: "eu-west-1"});
    let tag = json!({"Tags": [{"TagKey": "team", "TagValue": "red"}]});
    let tag_keys = json!({"TagKeys": ["team"]});
    let parameters = "GetParametersForImport";
    let algorithm = ("kms:WrappingAlgorithm", "RSAES_OAEP_SHA_256");
    let spec = ("kms:WrappingKeySpec", "RSA_2048");
    let expires = ("kms:ExpirationModel", "KEY_MATERIAL_EXPIRES");
    let valid_to = ("kms:ValidTo", "2026-01-02T00:00:00Z");
    let replica = ("kms:ReplicaRegion", "eu-west-1");
    let moved = ("kms:PrimaryRegion", "eu-west-1");
    let period = ("kms:RotationPeriodInDays", "365");
    each_can_be_denied([
        case(external(), parameters, wrapping.clone(), algorithm),
        case(external(), parameters, wrapping, spec),
        case(external(), "ImportKeyMaterial", import.clone(), expires),
        case(external(), "ImportKeyMaterial", import, valid_to),
        case(primary(), "ReplicateKey", ireland("ReplicaRegion"), replica),
        case(
            primary(),
            "UpdatePrimaryRegion",
            ireland("PrimaryRegion"),
            moved,
        ),
        case(json!({}), "EnableKeyRotation", json!({}), period),
        case(
            json!({}),
            "TagResource",
            tag.clone(),
            ("aws:RequestTag/team", "red"),
        ),
        case(json!({}), "TagResource", tag, ("aws:TagKeys", "team")),
        case(
            json!({}),
            "UntagResource",
            tag_keys,
            ("aws:TagKeys", "team"),
        ),
    ]);
}

#[test]
fn a_policy_may_look_at_the_grant_that_is_made() {
    let grantee = format!("arn:aws:iam::{ACCOUNT}:user/bob");
    let grant = json!({
        "GranteePrincipal": grantee, "RetiringPrincipal": grantee,
        "Operations": ["Encrypt", "Decrypt"],
        "Constraints": {"EncryptionContextSubset": {"a": "1"}},
    });
    each_can_be_denied(
        [
            ("kms:GrantOperations", "Decrypt"),
            ("kms:GranteePrincipal", "arn:aws:iam::111122223333:user/bob"),
            (
                "kms:RetiringPrincipal",
                "arn:aws:iam::111122223333:user/bob",
            ),
            ("kms:GrantConstraintType", "EncryptionContextSubset"),
            ("kms:GrantIsForAWSResource", "false"),
            ("kms:EncryptionContext:a", "1"),
            ("kms:EncryptionContextKeys", "a"),
        ]
        .map(|condition| case(json!({}), "CreateGrant", grant.clone(), condition)),
    );
    let for_a_service = json!({
        "GranteeServicePrincipal": "rds.us-east-1.amazonaws.com",
        "RetiringServicePrincipal": "rds.us-east-1.amazonaws.com", "Operations": ["Decrypt"],
        "Constraints": {"SourceArn": "arn:aws:rds:us-east-1:111122223333:db:orders"},
    });
    each_can_be_denied(
        [
            ("kms:GranteeServicePrincipal", "rds.us-east-1.amazonaws.com"),
            (
                "kms:RetiringServicePrincipal",
                "rds.us-east-1.amazonaws.com",
            ),
            (
                "kms:GrantConstraintSourceArn",
                "arn:aws:rds:us-east-1:111122223333:db:orders",
            ),
        ]
        .map(|condition| case(json!({}), "CreateGrant", for_a_service.clone(), condition)),
    );
}

#[test]
fn grants_may_be_left_to_the_services_that_need_them() {
    let world = World::new();
    let (id, _) = world.key();
    let policy = denying("CreateGrant", "kms:GrantIsForAWSResource", "false");
    world.ok("PutKeyPolicy", json!({"KeyId": id, "Policy": policy}));
    let request = json!({
        "KeyId": id, "GranteePrincipal": format!("arn:aws:iam::{ACCOUNT}:user/bob"),
        "Operations": ["Decrypt"],
    });
    assert!(world.call("CreateGrant", request.clone()).is_err());
    let mut service = world.caller.clone();
    service.via_service = Some("ec2.us-east-1.amazonaws.com".into());
    world.call_as(&service, "CreateGrant", request).unwrap();
}

#[test]
fn a_call_through_a_service_is_recognized_and_counts_as_secure() {
    let world = World::new();
    let (id, _) = world.key();
    let mut service = world.caller.clone();
    service.via_service = Some("s3.us-east-1.amazonaws.com".into());
    let request = json!({"KeyId": id, "Plaintext": "AAAA"});
    for (condition, directly, through) in [
        ("aws:SecureTransport", Some("false"), "true"),
        ("aws:ViaAWSService", Some("false"), "true"),
        ("kms:ViaService", None, "s3.us-east-1.amazonaws.com"),
        ("aws:CalledVia", None, "s3.amazonaws.com"),
        ("aws:CalledViaFirst", None, "s3.amazonaws.com"),
        ("aws:CalledViaLast", None, "s3.amazonaws.com"),
    ] {
        let deny = |value| {
            let policy = denying("Encrypt", condition, value);
            world.ok("PutKeyPolicy", json!({"KeyId": id, "Policy": policy}));
            let refused = |caller| world.call_as(caller, "Encrypt", request.clone()).is_err();
            (refused(&world.caller), refused(&service))
        };
        assert_eq!(deny(through), (false, true), "{condition} is {through}");
        if let Some(directly) = directly {
            assert_eq!(deny(directly), (true, false), "{condition} is {directly}");
        }
    }
}

#[test]
fn the_safety_check_of_policies_and_the_waiting_period_can_be_demanded() {
    let world = World::new();
    let (id, _) = world.key();
    let policy = denying("PutKeyPolicy", "kms:BypassPolicyLockoutSafetyCheck", "true");
    let mut put = json!({"KeyId": id, "Policy": policy});
    world.ok("PutKeyPolicy", put.clone());
    put["BypassPolicyLockoutSafetyCheck"] = json!(true);
    let refusal = world.refusal("PutKeyPolicy", put);
    assert!(refusal.starts_with("AccessDeniedException"), "{refusal}");

    let days = "kms:ScheduleKeyDeletionPendingWindowInDays";
    let policy = denying("ScheduleKeyDeletion", days, "7");
    world.ok("PutKeyPolicy", json!({"KeyId": id, "Policy": policy}));
    let refusal = world.refusal(
        "ScheduleKeyDeletion",
        json!({"KeyId": id, "PendingWindowInDays": 7}),
    );
    assert!(refusal.starts_with("AccessDeniedException"), "{refusal}");
    world.ok("ScheduleKeyDeletion", json!({"KeyId": id}));
}

#[test]
fn an_alias_goes_and_moves_only_if_its_keys_policy_lets_it() {
    let world = World::new();
    let (id, _) = world.key();
    let (other, _) = world.key();
    let named = json!({"AliasName": "alias/named", "TargetKeyId": id});
    world.ok("CreateAlias", named);
    for (action, request) in [
        ("DeleteAlias", json!({"AliasName": "alias/named"})),
        (
            "UpdateAlias",
            json!({"AliasName": "alias/named", "TargetKeyId": other}),
        ),
    ] {
        let policy = denying(action, "kms:CallerAccount", ACCOUNT);
        world.ok("PutKeyPolicy", json!({"KeyId": id, "Policy": policy}));
        let refusal = world.refusal(action, request.clone());
        assert!(refusal.starts_with("AccessDeniedException"), "{refusal}");
    }
}

#[test]
fn a_condition_whose_variables_stand_for_too_much_denies() {
    let world = World::new();
    let (id, _) = world.key();
    let value = "${kms:EncryptionContext:b}".repeat(400);
    let policy = denying("Encrypt", "kms:EncryptionContext:a", &value);
    world.ok("PutKeyPolicy", json!({"KeyId": id, "Policy": policy}));
    let encrypt = |bytes: usize| {
        let context = json!({"a": "x", "b": "y".repeat(bytes)});
        let request = json!({"KeyId": id, "Plaintext": "AAAA", "EncryptionContext": context});
        world.call("Encrypt", request)
    };
    // 400 bytes are compared, 400,000 are not.
    assert!(encrypt(1).is_ok());
    let error = encrypt(1_000).unwrap_err();
    assert_eq!(error.code().name(), "AccessDeniedException");
}
