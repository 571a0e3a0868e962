//! Keys, their names, states and policies.

use std::time::Duration;

use serde_json::json;

use crate::api::tests::ACCOUNT;
use crate::api::tests::World;
use crate::api::tests::text;
use crate::caller::Caller;

const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn a_new_key_is_described_as_aws_describes_it() {
    let world = World::new();
    let made = world.ok("CreateKey", json!({"Description": "mine"}))["KeyMetadata"].clone();
    let id = text(&made["KeyId"]);
    let expected = json!({
        "AWSAccountId": ACCOUNT,
        "Arn": format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/{id}"),
        "CreationDate": 1_767_225_600.0,
        "CurrentKeyMaterialId": made["CurrentKeyMaterialId"],
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "Description": "mine",
        "Enabled": true,
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "KeyId": id,
        "KeyManager": "CUSTOMER",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyState": "Enabled",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "MultiRegion": false,
        "Origin": "AWS_KMS",
    });
    assert_eq!(made, expected);
    assert_eq!(
        world.ok("DescribeKey", json!({"KeyId": id}))["KeyMetadata"],
        expected
    );
}

#[test]
fn keys_that_do_not_fit_together_are_refused_in_awss_words() {
    let world = World::new();
    assert_eq!(
        world.refusal("CreateKey", json!({"KeySpec": "HMAC_256"})),
        "ValidationException: You must specify a KeyUsage value for all KMS keys except for \
         symmetric encryption keys."
    );
    assert_eq!(
        world.refusal(
            "CreateKey",
            json!({"KeySpec": "RSA_2048", "KeyUsage": "KEY_AGREEMENT"})
        ),
        "ValidationException: KeyUsage KEY_AGREEMENT is not compatible with KeySpec RSA_2048"
    );
}

#[test]
fn a_key_is_named_by_id_arn_alias_or_alias_arn() {
    let world = World::new();
    let (id, arn) = world.key();
    world.ok(
        "CreateAlias",
        json!({"AliasName": "alias/a", "TargetKeyId": id}),
    );
    let alias_arn = format!("arn:aws:kms:us-east-1:{ACCOUNT}:alias/a");
    for name in [&id, &arn, "alias/a", &alias_arn] {
        let described = world.ok("DescribeKey", json!({"KeyId": name}));
        assert_eq!(described["KeyMetadata"]["Arn"], arn, "{name}");
    }
}

#[test]
fn an_arn_of_another_partition_names_no_key() {
    let world = World::new();
    let (id, arn) = world.key();
    world.ok(
        "CreateAlias",
        json!({"AliasName": "alias/a", "TargetKeyId": id}),
    );
    let alias_arn = format!("arn:aws:kms:us-east-1:{ACCOUNT}:alias/a");
    for named in [arn, alias_arn] {
        let named = named.replace("arn:aws:", "arn:aws-cn:");
        let expected = format!("InvalidArnException: Invalid arn '{named}'");
        let refusal = world.refusal("DescribeKey", json!({"KeyId": named}));
        assert_eq!(refusal, expected);
    }
}

#[test]
fn a_key_that_is_not_there_is_reported_as_by_aws() {
    let world = World::new();
    let describe = |key: &str| world.refusal("DescribeKey", json!({"KeyId": key}));
    let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
    let arn = format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/{id}");
    let missing = format!("NotFoundException: Key '{arn}' does not exist");
    assert_eq!(describe(id), missing);
    assert_eq!(describe(&arn), missing);
    assert_eq!(
        describe("fake-key-id"),
        "NotFoundException: Invalid keyId 'fake-key-id'"
    );
    assert_eq!(
        describe(&arn.replace("us-east-1", "eu-west-1")),
        "NotFoundException: Invalid arn eu-west-1"
    );
    assert_eq!(
        describe("alias/none"),
        format!(
            "NotFoundException: Alias arn:aws:kms:us-east-1:{ACCOUNT}:alias/none is not found."
        )
    );
    assert_eq!(
        world.refusal("EnableKey", json!({"KeyId": "alias/none"})),
        "NotFoundException: Invalid keyId 'alias/none'"
    );
}

#[test]
fn accounts_and_regions_do_not_see_each_others_keys() {
    let world = World::new();
    let (id, arn) = world.key();
    let other_region = Caller::fixture(ACCOUNT, "eu-west-1");
    let other_account = Caller::fixture("444455556666", "us-east-1");
    for caller in [&other_region, &other_account] {
        let listed = world.call_as(caller, "ListKeys", json!({})).unwrap();
        assert_eq!(listed["Keys"], json!([]));
        let refusal = world
            .call_as(caller, "DescribeKey", json!({"KeyId": id}))
            .unwrap_err();
        assert_eq!(refusal.code().name(), "NotFoundException");
    }
    let refusal = world
        .call_as(&other_account, "DescribeKey", json!({"KeyId": arn}))
        .unwrap_err();
    assert_eq!(
        refusal.to_string(),
        format!(
            "AccessDeniedException: User: arn:aws:iam::444455556666:root is not authorized to \
             perform: kms:DescribeKey on resource: {arn} because no resource-based policy allows \
             the kms:DescribeKey action"
        )
    );
}

#[test]
fn a_disabled_key_is_of_no_use_until_it_is_enabled() {
    let world = World::new();
    let (id, arn) = world.key();
    world.ok("DisableKey", json!({"KeyId": id}));
    let metadata = &world.ok("DescribeKey", json!({"KeyId": id}))["KeyMetadata"];
    assert_eq!(
        (&metadata["KeyState"], &metadata["Enabled"]),
        (&json!("Disabled"), &json!(false))
    );
    let encrypt = json!({"KeyId": id, "Plaintext": "AAAA"});
    let expected = format!("DisabledException: {arn} is disabled.");
    assert_eq!(world.refusal("Encrypt", encrypt.clone()), expected);
    let data_key = json!({"KeyId": id, "KeySpec": "AES_256"});
    assert_eq!(world.refusal("GenerateDataKey", data_key), expected);
    world.ok("EnableKey", json!({"KeyId": id}));
    world.ok("Encrypt", encrypt);
}

#[test]
fn a_key_is_deleted_when_its_waiting_period_is_over() {
    let world = World::new();
    let (id, arn) = world.key();
    world.ok(
        "CreateAlias",
        json!({"AliasName": "alias/a", "TargetKeyId": id}),
    );
    let blob =
        world.ok("Encrypt", json!({"KeyId": id, "Plaintext": "AAAA"}))["CiphertextBlob"].clone();
    let request = json!({"KeyId": id, "PendingWindowInDays": 7});
    let scheduled = world.ok("ScheduleKeyDeletion", request.clone());
    let expected = json!({
        "KeyId": arn,
        "DeletionDate": 1_767_225_600.0 + 7.0 * 86_400.0,
        "KeyState": "PendingDeletion",
        "PendingWindowInDays": 7,
    });
    assert_eq!(scheduled, expected);

    let pending = format!("KMSInvalidStateException: {arn} is pending deletion.");
    assert_eq!(world.refusal("ScheduleKeyDeletion", request), pending);
    assert_eq!(
        world.refusal("Decrypt", json!({"CiphertextBlob": blob})),
        pending
    );
    world.clock.advance(7 * DAY - Duration::from_millis(1));
    assert_eq!(world.refusal("EnableKey", json!({"KeyId": id})), pending);
    world.clock.advance(Duration::from_millis(1));
    let missing = format!("NotFoundException: Key '{arn}' does not exist");
    assert_eq!(world.refusal("DescribeKey", json!({"KeyId": id})), missing);
    assert_eq!(world.ok("ListKeys", json!({}))["Keys"], json!([]));
    assert_eq!(world.ok("ListAliases", json!({}))["Aliases"], json!([]));
    let refusal = world.refusal("Decrypt", json!({"CiphertextBlob": blob}));
    assert!(refusal.starts_with("AccessDeniedException: "), "{refusal}");
}

#[test]
fn a_key_saved_from_deletion_is_disabled() {
    let world = World::new();
    let (id, arn) = world.key();
    let cancel = || world.call("CancelKeyDeletion", json!({"KeyId": id}));
    assert_eq!(
        cancel().unwrap_err().to_string(),
        format!("KMSInvalidStateException: {arn} is not pending deletion.")
    );
    world.ok("ScheduleKeyDeletion", json!({"KeyId": id}));
    assert_eq!(cancel().unwrap(), json!({"KeyId": arn}));
    let metadata = &world.ok("DescribeKey", json!({"KeyId": id}))["KeyMetadata"];
    assert_eq!(metadata["KeyState"], "Disabled");
    assert!(metadata.get("DeletionDate").is_none());
}

#[test]
fn the_waiting_period_is_7_to_30_days() {
    let world = World::new();
    let (id, _) = world.key();
    for days in [1, 6, 31] {
        let request = json!({"KeyId": id, "PendingWindowInDays": days});
        let refusal = world.refusal("ScheduleKeyDeletion", request);
        assert!(refusal.starts_with("ValidationException: "), "{refusal}");
    }
    let scheduled = world.ok("ScheduleKeyDeletion", json!({"KeyId": id}));
    assert_eq!(scheduled["PendingWindowInDays"], 30);
}

#[test]
fn keys_are_listed_in_pages() {
    let world = World::new();
    let mut made: Vec<String> = (0..5).map(|_| world.key().0).collect();
    made.sort();
    let mut seen = Vec::new();
    let mut request = json!({"Limit": 2});
    loop {
        let page = world.ok("ListKeys", request.clone());
        seen.extend(
            page["Keys"]
                .as_array()
                .unwrap()
                .iter()
                .map(|key| text(&key["KeyId"])),
        );
        if page["Truncated"] == false {
            assert!(page.get("NextMarker").is_none());
            break;
        }
        request["Marker"] = page["NextMarker"].clone();
    }
    assert_eq!(seen, made);
    assert!(
        world
            .refusal("ListKeys", json!({"Marker": "%"}))
            .starts_with("InvalidMarker")
    );
}

#[test]
fn a_keys_policy_is_returned_as_it_was_given() {
    let world = World::new();
    let (id, _) = world.key();
    let policy = || text(&world.ok("GetKeyPolicy", json!({"KeyId": id}))["Policy"]);
    assert!(policy().contains(&format!("arn:aws:iam::{ACCOUNT}:root")));
    let given = policy_of_all();
    world.ok(
        "PutKeyPolicy",
        json!({"KeyId": id, "PolicyName": "default", "Policy": given}),
    );
    assert_eq!(policy(), given);
    let names = world.ok("ListKeyPolicies", json!({"KeyId": id}));
    assert_eq!(names["PolicyNames"], json!(["default"]));
    let refusal = world.refusal("PutKeyPolicy", json!({"KeyId": id, "Policy": "x"}));
    assert!(
        refusal.starts_with("MalformedPolicyDocumentException"),
        "{refusal}"
    );
}

#[test]
fn a_description_can_be_changed() {
    let world = World::new();
    let (id, _) = world.key();
    world.ok(
        "UpdateKeyDescription",
        json!({"KeyId": id, "Description": "new"}),
    );
    let metadata = &world.ok("DescribeKey", json!({"KeyId": id}))["KeyMetadata"];
    assert_eq!(metadata["Description"], "new");
}

#[test]
fn a_services_key_is_made_when_first_requested_and_used_by_that_service_only() {
    let world = World::new();
    let described = world.ok("DescribeKey", json!({"KeyId": "alias/aws/s3"}));
    assert_eq!(described["KeyMetadata"]["KeyManager"], "AWS");
    let again = world.ok("DescribeKey", json!({"KeyId": "alias/aws/s3"}));
    assert_eq!(described, again);

    let request = json!({"KeyId": "alias/aws/s3", "KeySpec": "AES_256"});
    let refusal = world.refusal("GenerateDataKey", request.clone());
    assert!(refusal.starts_with("AccessDeniedException: "), "{refusal}");
    let mut s3 = world.caller.clone();
    s3.via_service = Some("s3.us-east-1.amazonaws.com".into());
    world
        .call_as(&s3, "GenerateDataKey", request.clone())
        .unwrap();
    s3.via_service = Some("sqs.us-east-1.amazonaws.com".into());
    world.call_as(&s3, "GenerateDataKey", request).unwrap_err();
    assert!(
        world
            .refusal("DescribeKey", json!({"KeyId": "alias/aws/none"}))
            .contains("not found")
    );
}

#[test]
fn the_gateways_own_key_works_in_the_gateways_own_name_only() {
    let world = World::new();
    let alias = "alias/sealgate/sse-s3";
    let mut s3 = world.caller.clone();
    s3.via_service = Some("s3.us-east-1.amazonaws.com".into());
    let for_a_user = s3.clone();
    s3.in_own_name = true;
    let by_alias = json!({"KeyId": alias, "KeySpec": "AES_256"});
    let not_made = world.call_as(&for_a_user, "GenerateDataKey", by_alias.clone());
    let not_made = not_made.unwrap_err().to_string();
    assert!(not_made.starts_with("NotFoundException: "), "{not_made}");

    let made = world.call_as(&s3, "GenerateDataKey", by_alias).unwrap();
    let arn = text(&made["KeyId"]);
    let (prefix, id) = arn.split_once("key/").unwrap();
    let open = json!({"CiphertextBlob": made["CiphertextBlob"]});
    let opened = world.call_as(&s3, "Decrypt", open.clone()).unwrap();
    assert_eq!(opened["Plaintext"], made["Plaintext"]);

    for caller in [&world.caller, &for_a_user] {
        let refused = |name: &str, request: serde_json::Value| {
            let error = world.call_as(caller, name, request).unwrap_err();
            assert_eq!(error.code().name(), "AccessDeniedException", "{name}");
        };
        for named in [alias, id, &arn, &format!("{prefix}{alias}")] {
            refused(
                "GenerateDataKey",
                json!({"KeyId": named, "KeySpec": "AES_256"}),
            );
            refused("Encrypt", json!({"KeyId": named, "Plaintext": "AAAA"}));
            let mut with_key = open.clone();
            with_key["KeyId"] = named.into();
            refused("Decrypt", with_key);
            refused("DescribeKey", json!({"KeyId": named}));
        }
        refused("Decrypt", open.clone());
        let rewrap =
            json!({"CiphertextBlob": made["CiphertextBlob"], "DestinationKeyId": world.key().0});
        refused("ReEncrypt", rewrap);
        refused("ScheduleKeyDeletion", json!({"KeyId": id}));
        refused(
            "CreateGrant",
            json!({
                "KeyId": id, "GranteePrincipal": "arn:aws:iam::111122223333:root", "Operations": ["Decrypt"],
            }),
        );
    }
    assert_eq!(world.ok("ListAliases", json!({}))["Aliases"], json!([]));
    let listed = world.ok("ListKeys", json!({}))["Keys"].to_string();
    assert!(!listed.contains(id), "{listed}");
    let taken = json!({"AliasName": alias, "TargetKeyId": world.key().0});
    assert_eq!(
        world.refusal("CreateAlias", taken),
        "NotAuthorizedException"
    );
}

fn policy_of_all() -> String {
    let statement =
        json!({"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": "*"});
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

#[test]
fn a_key_that_is_enabled_and_scheduled_for_deletion_at_once_stays_disabled() {
    for _ in 0..100 {
        let world = World::new();
        let (id, _) = world.key();
        let by_id = json!({"KeyId": id});
        world.ok("DisableKey", by_id.clone());
        std::thread::scope(|threads| {
            threads.spawn(|| world.call("EnableKey", by_id.clone()));
            threads.spawn(|| world.ok("ScheduleKeyDeletion", by_id.clone()));
        });
        world.ok("CancelKeyDeletion", by_id.clone());
        let described = world.ok("DescribeKey", by_id);
        assert_eq!(described["KeyMetadata"]["KeyState"], "Disabled");
    }
}
