//! Grants.

use serde_json::Value;
use serde_json::json;

use crate::api::tests::ACCOUNT;
use crate::api::tests::World;
use crate::api::tests::callers::OTHER;
use crate::api::tests::callers::limited;
use crate::api::tests::callers::limited_in;
use crate::api::tests::callers::session_of_role;
use crate::api::tests::callers::user;
use crate::api::tests::callers::user_caller;
use crate::api::tests::text;
use crate::caller::Caller;

fn encrypt(world: &World, caller: &Caller, key: &str) -> Result<Value, String> {
    let request = json!({"KeyId": key, "Plaintext": "AAAA", "EncryptionContext": {"a": "1"}});
    world
        .call_as(caller, "Encrypt", request)
        .map_err(|error| error.to_string())
}

#[test]
fn a_grant_permits_until_it_is_revoked() {
    let world = World::new();
    let (id, arn) = world.key();
    let bob = user(OTHER, "bob");
    let request = json!({
        "KeyId": id, "GranteePrincipal": bob.principal_arn.to_string(), "Operations": ["Encrypt"],
        "Constraints": {"EncryptionContextSubset": {"a": "1"}}, "Name": "for-bob",
    });
    let made = world.ok("CreateGrant", request.clone());
    let again = world.ok("CreateGrant", request);
    assert_eq!(made["GrantId"], again["GrantId"]);
    assert_ne!(made["GrantToken"], again["GrantToken"]);

    encrypt(&world, &bob, &arn).unwrap();
    let other = json!({"KeyId": arn, "Plaintext": "AAAA", "EncryptionContext": {"a": "2"}});
    world.call_as(&bob, "Encrypt", other).unwrap_err();
    let listed = world.ok("ListGrants", json!({"KeyId": id}));
    let expected = json!([{
        "Constraints": {"EncryptionContextSubset": {"a": "1"}},
        "CreationDate": 1_767_225_600.0,
        "GrantId": made["GrantId"],
        "GranteePrincipal": bob.principal_arn.to_string(),
        "IssuingAccount": format!("arn:aws:iam::{ACCOUNT}:root"),
        "KeyId": arn,
        "Name": "for-bob",
        "Operations": ["Encrypt"],
    }]);
    assert_eq!(listed["Grants"], expected);

    let revoke = json!({"KeyId": id, "GrantId": made["GrantId"]});
    world.ok("RevokeGrant", revoke.clone());
    assert!(encrypt(&world, &bob, &arn).is_err());
    assert_eq!(
        world.refusal("RevokeGrant", revoke),
        format!(
            "NotFoundException: Grant ID {} not found",
            text(&made["GrantId"])
        )
    );
}

#[test]
fn a_grant_is_retired_by_those_it_names() {
    let world = World::new();
    let (id, arn) = world.key();
    let (bob, eve) = (user(ACCOUNT, "bob"), user(ACCOUNT, "eve"));
    let grant = || {
        let request = json!({
            "KeyId": id, "GranteePrincipal": format!("arn:aws:iam::{OTHER}:root"),
            "RetiringPrincipal": bob.principal_arn.to_string(), "Operations": ["Decrypt"],
        });
        world.ok("CreateGrant", request)
    };
    let made = grant();
    let by_token = json!({"GrantToken": made["GrantToken"]});
    let refusal = world
        .call_as(&eve, "RetireGrant", by_token.clone())
        .unwrap_err();
    assert_eq!(refusal.code().name(), "AccessDeniedException");
    world
        .call_as(&bob, "RetireGrant", by_token.clone())
        .unwrap();
    let gone = world.call_as(&bob, "RetireGrant", by_token).unwrap_err();
    assert_eq!(gone.code().name(), "NotFoundException");

    let made = grant();
    let retirable = json!({"RetiringPrincipal": bob.principal_arn.to_string()});
    let listed = world.ok("ListRetirableGrants", retirable);
    assert_eq!(listed["Grants"][0]["GrantId"], made["GrantId"]);
    let by_id = json!({"KeyId": arn, "GrantId": made["GrantId"]});
    world.call_as(&bob, "RetireGrant", by_id).unwrap();
    let forged = json!({"GrantToken": "AAAA"});
    let refusal = world.call_as(&bob, "RetireGrant", forged).unwrap_err();
    assert_eq!(refusal.code().name(), "InvalidGrantTokenException");
}

#[test]
fn a_grant_needs_no_policy_of_its_grantee_and_does_not_outweigh_its_denials() {
    let world = World::new();
    let (id, arn) = world.key();
    world.ok(
        "CreateGrant",
        json!({
            "KeyId": id, "GranteePrincipal": user_caller().principal_arn.to_string(),
            "Operations": ["Encrypt"],
        }),
    );
    assert!(encrypt(&world, &limited(&json!([]), None), &arn).is_ok());
    let deny = json!({"Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*"});
    assert!(encrypt(&world, &limited(&json!([deny]), None), &arn).is_err());
    let other = json!({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"});
    let refusal = encrypt(&world, &limited(&json!([]), Some(&other)), &arn).unwrap_err();
    let because = "because no session policy allows the kms:Encrypt action";
    assert!(refusal.ends_with(because), "{refusal}");
}

/// Gives carl a grant for those operations and constraints.
fn give(world: &World, key: &str, operations: Value, constraints: Value) {
    let request = json!({
        "KeyId": key, "GranteePrincipal": user_caller().principal_arn.to_string(),
        "Operations": operations, "Constraints": constraints,
    });
    world.ok("CreateGrant", request);
}

#[test]
fn who_may_make_grants_by_a_grant_alone_gives_no_more_than_that_grant() {
    let world = World::new();
    let (id, arn) = world.key();
    let subset = json!({"EncryptionContextSubset": {"a": "1"}});
    give(
        &world,
        &id,
        json!(["Decrypt", "CreateGrant"]),
        subset.clone(),
    );
    // Not for making grants: what another grant allows is not added.
    give(&world, &id, json!(["Encrypt"]), json!({}));
    let make = |caller: &Caller, operations: Value, constraints: Value| {
        let request = json!({
            "KeyId": arn, "GranteePrincipal": user(OTHER, "bob").principal_arn.to_string(),
            "Operations": operations, "Constraints": constraints,
        });
        world.call_as(caller, "CreateGrant", request)
    };
    let by_grant = limited(&json!([]), None);
    let stricter = json!({"EncryptionContextEquals": {"a": "1", "b": "2"}});
    let both = || json!(["Decrypt", "CreateGrant"]);
    make(&by_grant, both(), subset.clone()).unwrap();
    make(&by_grant, json!(["Decrypt"]), stricter.clone()).unwrap();
    for (operations, constraints) in [
        (json!(["Encrypt"]), subset.clone()),
        (json!(["Decrypt", "Encrypt"]), subset.clone()),
        (json!(["Decrypt", "DescribeKey"]), stricter),
        (both(), json!({})),
        (both(), json!({"EncryptionContextSubset": {"a": "2"}})),
        (both(), json!({"EncryptionContextEquals": {"b": "2"}})),
    ] {
        let error = make(&by_grant, operations.clone(), constraints.clone()).unwrap_err();
        let expected = format!(
            "AccessDeniedException: User: {} is not authorized to perform: kms:CreateGrant on resource: {arn} because \
             no identity-based policy allows the kms:CreateGrant action",
            by_grant.principal_arn
        );
        assert_eq!(error.to_string(), expected, "{operations} {constraints}");
    }
    let allow = json!({"Effect": "Allow", "Action": "kms:CreateGrant", "Resource": arn});
    let by_policy = limited(&json!([allow]), None);
    make(&by_policy, json!(["Encrypt"]), json!({})).unwrap();
}

#[test]
fn a_grant_that_was_made_by_a_grant_bounds_the_next() {
    let world = World::new();
    let (id, arn) = world.key();
    give(
        &world,
        &id,
        json!(["Encrypt", "Decrypt", "CreateGrant"]),
        json!({}),
    );
    let ana = user(OTHER, "ana");
    let make = |caller: &Caller, grantee: &Caller, operations: Value| {
        let request = json!({
            "KeyId": arn, "GranteePrincipal": grantee.principal_arn.to_string(), "Operations": operations,
        });
        world.call_as(caller, "CreateGrant", request)
    };
    make(
        &limited(&json!([]), None),
        &ana,
        json!(["Decrypt", "CreateGrant"]),
    )
    .unwrap();
    let bob = user(OTHER, "bob");
    let error = make(&ana, &bob, json!(["Encrypt"])).unwrap_err();
    assert_eq!(error.code().name(), "AccessDeniedException");
    make(&ana, &bob, json!(["Decrypt"])).unwrap();
}

#[test]
fn a_grant_for_an_account_is_handed_on_by_the_accounts_policies() {
    let world = World::new();
    let (id, arn) = world.key();
    let root = format!("arn:aws:iam::{OTHER}:root");
    let request = json!({"KeyId": id, "GranteePrincipal": root, "Operations": ["Encrypt"]});
    world.ok("CreateGrant", request);
    let allow = json!({"Effect": "Allow", "Action": "kms:Encrypt", "Resource": arn});
    encrypt(&world, &user(OTHER, "bob"), &arn).unwrap();
    encrypt(&world, &limited_in(OTHER, &json!([allow]), None), &arn).unwrap();
    let refusal = encrypt(&world, &limited_in(OTHER, &json!([]), None), &arn).unwrap_err();
    let because = "because no identity-based policy allows the kms:Encrypt action";
    assert!(refusal.ends_with(because), "{refusal}");
}

#[test]
fn a_grant_that_another_account_made_needs_a_policy_of_the_grantee_too() {
    let world = World::new();
    let (id, arn) = world.key();
    let carl = limited_in(OTHER, &json!([]), None);
    let grant = |key: &str| {
        json!({
            "KeyId": key, "GranteePrincipal": carl.principal_arn.to_string(), "Operations": ["Encrypt"],
        })
    };
    world.ok("CreateGrant", grant(&id));
    let expected = format!(
        "AccessDeniedException: User: {} is not authorized to perform: kms:Encrypt on this resource \
         because no identity-based policy allows the kms:Encrypt action",
        carl.principal_arn
    );
    assert_eq!(encrypt(&world, &carl, &arn).unwrap_err(), expected);
    let allow = json!({"Effect": "Allow", "Action": "kms:Encrypt", "Resource": arn});
    encrypt(&world, &limited_in(OTHER, &json!([allow]), None), &arn).unwrap();

    // Its own account says by the grant that it may.
    let bob = user(OTHER, "bob");
    let parent = json!({
        "KeyId": id, "GranteePrincipal": bob.principal_arn.to_string(),
        "Operations": ["Encrypt", "CreateGrant"],
    });
    world.ok("CreateGrant", parent);
    world.call_as(&bob, "CreateGrant", grant(&arn)).unwrap();
    encrypt(&world, &carl, &arn).unwrap();
}

#[test]
fn a_grant_for_a_role_with_a_path_is_for_its_sessions() {
    let world = World::new();
    let (id, arn) = world.key();
    let role = format!("arn:aws:iam::{ACCOUNT}:role/team/reader");
    let request = json!({"KeyId": id, "GranteePrincipal": role, "Operations": ["Encrypt"]});
    world.ok("CreateGrant", request);
    let session = session_of_role("/team/", "reader");
    assert_eq!(
        *session.principal_arn,
        *format!("arn:aws:sts::{ACCOUNT}:assumed-role/reader/monday")
    );
    encrypt(&world, &session, &arn).unwrap();
}

#[test]
fn the_policies_of_who_a_grant_lets_retire_it_may_deny_that() {
    let world = World::new();
    let (id, arn) = world.key();
    let retire = |caller: &Caller, constraints: &Value| {
        let request = json!({
            "KeyId": id, "GranteePrincipal": caller.principal_arn.to_string(),
            "Operations": ["Decrypt", "RetireGrant"], "Constraints": constraints,
        });
        let made = world.ok("CreateGrant", request);
        let request = json!({"KeyId": arn, "GrantId": made["GrantId"]});
        let ended = world.call_as(caller, "RetireGrant", request);
        ended.map_err(|error| error.to_string())
    };
    let deny = |condition: Value| json!({"Effect": "Deny", "Action": "kms:RetireGrant", "Resource": "*", "Condition": condition});
    let none = json!({});
    let subset = json!({"EncryptionContextSubset": {"a": "1"}});
    retire(&limited(&json!([]), None), &none).unwrap();
    let refusal = retire(&limited(&json!([deny(none.clone())]), None), &none).unwrap_err();
    let expected = format!(
        "AccessDeniedException: User: {} is not authorized to perform: kms:RetireGrant on resource: {arn} \
         with an explicit deny in an identity-based policy",
        user_caller().principal_arn
    );
    assert_eq!(refusal, expected);
    let by_type = json!({"StringEquals": {"kms:GrantConstraintType": "EncryptionContextSubset"}});
    let by_context = json!({"StringEquals": {"kms:EncryptionContext:a": "1"}});
    for condition in [by_type, by_context] {
        let caller = limited(&json!([deny(condition)]), None);
        retire(&caller, &subset).unwrap_err();
        retire(&caller, &none).unwrap();
    }
    let other = json!({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"});
    let refusal = retire(&limited(&json!([]), Some(&other)), &none).unwrap_err();
    assert!(refusal.ends_with("because no session policy allows the kms:RetireGrant action"));
    let refusal = retire(&limited_in(OTHER, &json!([]), None), &none).unwrap_err();
    let because = "because no identity-based policy allows the kms:RetireGrant action";
    assert!(refusal.ends_with(because), "{refusal}");
    let allow = json!({"Effect": "Allow", "Action": "kms:RetireGrant", "Resource": "*"});
    retire(&limited_in(OTHER, &json!([allow]), None), &none).unwrap();
}

#[test]
fn what_is_no_grant_token_is_refused_wherever_a_request_gives_one() {
    let world = World::new();
    let (id, arn) = world.key();
    let sealed = world.ok("Encrypt", json!({"KeyId": id, "Plaintext": "AAAA"}));
    let blob = &sealed["CiphertextBlob"];
    let bob = user(ACCOUNT, "bob").principal_arn.to_string();
    let grant = json!({"KeyId": id, "GranteePrincipal": bob, "Operations": ["Encrypt"]});
    let made = world.ok("CreateGrant", grant.clone());
    let data_pair = json!({"KeyId": id, "KeyPairSpec": "ECC_NIST_P256"});
    for (operation, mut request) in [
        ("CreateGrant", grant),
        ("Decrypt", json!({"CiphertextBlob": blob})),
        ("DescribeKey", json!({"KeyId": arn})),
        ("Encrypt", json!({"KeyId": id, "Plaintext": "AAAA"})),
        (
            "GenerateDataKey",
            json!({"KeyId": id, "KeySpec": "AES_256"}),
        ),
        (
            "GenerateDataKeyWithoutPlaintext",
            json!({"KeyId": id, "KeySpec": "AES_256"}),
        ),
        ("GenerateDataKeyPair", data_pair.clone()),
        ("GenerateDataKeyPairWithoutPlaintext", data_pair),
        (
            "ReEncrypt",
            json!({"CiphertextBlob": blob, "DestinationKeyId": id}),
        ),
    ] {
        request["GrantTokens"] = json!([made["GrantToken"]]);
        world.ok(operation, request.clone());
        request["GrantTokens"] = json!([made["GrantToken"], "garbage"]);
        let refusal = world.refusal(operation, request);
        assert_eq!(refusal, "InvalidGrantTokenException", "{operation}");
    }
}

#[test]
fn what_is_no_grant_token_is_refused_for_pairs_and_mac_keys_too() {
    let world = World::new();
    let key = |spec: &str, usage: &str| {
        let made = world.ok("CreateKey", json!({"KeySpec": spec, "KeyUsage": usage}));
        made["KeyMetadata"]["KeyId"].clone()
    };
    let signing = key("ECC_NIST_P256", "SIGN_VERIFY");
    let mac = key("HMAC_256", "GENERATE_VERIFY_MAC");
    let agreeing = key("ECC_NIST_P256", "KEY_AGREEMENT");
    let encapsulating = key("ML_KEM_512", "ENCAPSULATE_DECAPSULATE");
    let sign = || json!({"Message": "AAAA", "SigningAlgorithm": "ECDSA_SHA_256"});
    let of_mac = || json!({"Message": "AAAA", "MacAlgorithm": "HMAC_SHA_256"});
    let agree = json!({"KeyAgreementAlgorithm": "ECDH", "PublicKey": "AAAA"});
    let ml_kem = || json!({"EncapsulationAlgorithm": "ML_KEM"});
    let with = |mut request: Value, member: &str| {
        request[member] = json!("AAAA");
        request
    };
    for (operation, key, mut request) in [
        ("Sign", &signing, sign()),
        ("Verify", &signing, with(sign(), "Signature")),
        ("GetPublicKey", &signing, json!({})),
        ("GenerateMac", &mac, of_mac()),
        ("VerifyMac", &mac, with(of_mac(), "Mac")),
        ("DeriveSharedSecret", &agreeing, agree),
        ("Encapsulate", &encapsulating, ml_kem()),
        (
            "Decapsulate",
            &encapsulating,
            with(ml_kem(), "SharedSecretCiphertextBlob"),
        ),
    ] {
        request["KeyId"] = key.clone();
        request["GrantTokens"] = json!(["garbage"]);
        let refusal = world.refusal(operation, request);
        assert_eq!(refusal, "InvalidGrantTokenException", "{operation}");
    }
}

#[test]
fn the_grants_that_a_principal_may_retire_are_listed_for_its_account_on_all_keys() {
    let world = World::new();
    let (id, arn) = world.key();
    let bob = user(OTHER, "bob");
    let retiring = bob.principal_arn.to_string();
    let made = world.ok(
        "CreateGrant",
        json!({
            "KeyId": id, "GranteePrincipal": format!("arn:aws:iam::{ACCOUNT}:root"),
            "RetiringPrincipal": retiring, "Operations": ["Decrypt"],
        }),
    );
    let list = json!({"RetiringPrincipal": retiring});
    let listed = world
        .call_as(&bob, "ListRetirableGrants", list.clone())
        .unwrap();
    assert_eq!(listed["Grants"][0]["GrantId"], made["GrantId"]);
    assert_eq!(listed["Grants"][0]["KeyId"], arn);
    let mut elsewhere = bob.clone();
    elsewhere.region = "eu-west-1".parse().unwrap();
    let listed = world.call_as(&elsewhere, "ListRetirableGrants", list.clone());
    assert_eq!(listed.unwrap()["Grants"], json!([]));
    // The principal is another account's.
    let refusal = world.refusal("ListRetirableGrants", list.clone());
    assert!(refusal.starts_with("AccessDeniedException"), "{refusal}");
    let of_ana = format!("arn:aws:iam::{OTHER}:user/ana");
    let deny = json!({"Effect": "Deny", "Action": "kms:*", "Resource": of_ana});
    let allow = json!({"Effect": "Allow", "Action": "kms:ListRetirableGrants", "Resource": "*"});
    let carl = limited_in(OTHER, &json!([allow, deny]), None);
    world.call_as(&carl, "ListRetirableGrants", list).unwrap();
    let list = json!({"RetiringPrincipal": of_ana});
    world
        .call_as(&carl, "ListRetirableGrants", list)
        .unwrap_err();
    assert_eq!(
        world.refusal("ListRetirableGrants", json!({"RetiringPrincipal": "bob"})),
        "InvalidArnException: ARN is not valid: bob"
    );
}

/// What a CreateGrant for a new key ends with; the grantee is an account unless it is given.
fn make_grant(world: &World, key: Value, grant: Value) -> Result<(), String> {
    let mut request = json!({"GranteePrincipal": format!("arn:aws:iam::{ACCOUNT}:root")});
    request["KeyId"] = world.ok("CreateKey", key)["KeyMetadata"]["KeyId"].clone();
    for (name, value) in grant.as_object().unwrap() {
        request[name] = value.clone();
    }
    let ended = world.call("CreateGrant", request);
    ended.map(drop).map_err(|error| error.to_string())
}

#[test]
fn a_grant_has_only_what_its_key_can_do() {
    let world = World::new();
    let make = |key, grant| make_grant(&world, key, grant);
    let kinds = [
        (
            "SYMMETRIC_DEFAULT",
            "ENCRYPT_DECRYPT",
            "GenerateDataKeyPair",
        ),
        ("RSA_2048", "ENCRYPT_DECRYPT", "ReEncryptTo"),
        ("RSA_2048", "SIGN_VERIFY", "Sign"),
        ("HMAC_256", "GENERATE_VERIFY_MAC", "VerifyMac"),
        ("ECC_NIST_P256", "KEY_AGREEMENT", "DeriveSharedSecret"),
        ("ML_KEM_512", "ENCAPSULATE_DECAPSULATE", "Decapsulate"),
    ];
    for (spec, usage, own) in kinds {
        let key = || json!({"KeySpec": spec, "KeyUsage": usage});
        let all = json!([own, "CreateGrant", "DescribeKey", "RetireGrant"]);
        make(key(), json!({"Operations": all})).unwrap();
        let others = kinds.map(|(_, _, other)| other);
        for other in others.into_iter().filter(|other| *other != own) {
            let ended = make(key(), json!({"Operations": ["DescribeKey", other]}));
            // Both kinds encrypt and decrypt.
            if (spec, other) == ("SYMMETRIC_DEFAULT", "ReEncryptTo") {
                ended.unwrap();
                continue;
            }
            let expected = format!(
                "ValidationException: Operation {other} is not supported by a key with KeySpec \
                 {spec} and KeyUsage {usage}."
            );
            assert_eq!(ended.unwrap_err(), expected);
        }
    }
    let public = || json!({"Operations": ["GetPublicKey"]});
    make(json!({}), public()).unwrap_err();
    let signing = || json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"});
    make(signing(), public()).unwrap();
    assert_eq!(
        make(json!({}), json!({"Operations": ["CreateGrant"]})).unwrap_err(),
        "ValidationException: Grants must not contain only the CreateGrant operation."
    );
    let constraints = json!({"EncryptionContextSubset": {"a": "1"}});
    make(
        signing(),
        json!({"Operations": ["DescribeKey"], "Constraints": constraints}),
    )
    .unwrap_err();
}

#[test]
fn a_grant_names_only_principals() {
    let world = World::new();
    let make = |grant| make_grant(&world, json!({}), grant);
    for member in ["GranteePrincipal", "RetiringPrincipal"] {
        let refusal = make(json!({"Operations": ["Decrypt"], member: "bob"}));
        let expected =
            format!("InvalidArnException: {member} does not refer to a valid principal.");
        assert_eq!(refusal.unwrap_err(), expected);
    }
    let bucket = json!({"Operations": ["Decrypt"], "GranteePrincipal": "arn:aws:s3:::bucket"});
    assert_eq!(
        make(bucket).unwrap_err(),
        "InvalidArnException: ARN is not valid: arn:aws:s3:::bucket"
    );
}
