//! Key policies.

use std::sync::Arc;

use proto::iam::Identity;
use proto::iam::Principals;
use proto::session::Session;
use serde_json::Value;
use serde_json::json;

use crate::api::tests::ACCOUNT;
use crate::api::tests::World;
use crate::api::tests::callers::OTHER;
use crate::api::tests::callers::limited;
use crate::api::tests::callers::user;
use crate::api::tests::text;
use crate::authorize::Enforcement;
use crate::caller::Caller;

fn policy(statements: &Value) -> String {
    let own = json!({
        "Effect": "Allow", "Action": "kms:*", "Resource": "*",
        "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")},
    });
    let mut all = vec![own];
    all.extend(statements.as_array().unwrap().clone());
    json!({"Version": "2012-10-17", "Statement": all}).to_string()
}

fn encrypt(world: &World, caller: &Caller, key: &str) -> Result<Value, String> {
    let request = json!({"KeyId": key, "Plaintext": "AAAA", "EncryptionContext": {"a": "1"}});
    world
        .call_as(caller, "Encrypt", request)
        .map_err(|error| error.to_string())
}

#[test]
fn another_account_uses_a_key_that_its_policy_opens() {
    let world = World::new();
    let (id, arn) = world.key();
    let bob = user(OTHER, "bob");
    assert!(encrypt(&world, &bob, &arn).is_err());
    let open = json!([{
        "Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": "*",
        "Principal": {"AWS": format!("arn:aws:iam::{OTHER}:root")},
    }]);
    world.ok(
        "PutKeyPolicy",
        json!({"KeyId": id, "Policy": policy(&open)}),
    );
    let sealed = encrypt(&world, &bob, &arn).unwrap();
    assert_eq!(sealed["KeyId"], arn);
    let open = json!({
        "CiphertextBlob": sealed["CiphertextBlob"], "EncryptionContext": {"a": "1"},
    });
    world.call_as(&bob, "Decrypt", open).unwrap();
    let data_key = json!({"KeyId": arn, "KeySpec": "AES_256"});
    let refusal = world
        .call_as(&bob, "GenerateDataKey", data_key)
        .unwrap_err();
    assert_eq!(refusal.code().name(), "AccessDeniedException");
}

#[test]
fn a_statement_that_denies_outweighs_all() {
    let world = World::new();
    let (id, arn) = world.key();
    let deny = json!([{
        "Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*", "Principal": "*",
        "Condition": {"StringEquals": {"kms:EncryptionContext:a": "1"}},
    }]);
    world.ok(
        "PutKeyPolicy",
        json!({"KeyId": id, "Policy": policy(&deny)}),
    );
    let expected = format!(
        "AccessDeniedException: User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: \
         kms:Encrypt on resource: {arn} with an explicit deny in a resource-based policy"
    );
    assert_eq!(encrypt(&world, &world.caller, &id).unwrap_err(), expected);
    world.ok("Encrypt", json!({"KeyId": id, "Plaintext": "AAAA"}));

    world.kms.enforce(Enforcement::Warn);
    encrypt(&world, &world.caller, &id).unwrap();
    world.kms.enforce(Enforcement::Off);
    encrypt(&world, &world.caller, &id).unwrap();
    assert!(encrypt(&world, &user(OTHER, "bob"), &arn).is_err());
}

#[test]
fn a_policy_may_demand_the_service_that_calls() {
    let world = World::new();
    let (id, _) = world.key();
    let deny = json!([{
        "Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*", "Principal": "*",
        "Condition": {"StringNotEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}},
    }]);
    world.ok(
        "PutKeyPolicy",
        json!({"KeyId": id, "Policy": policy(&deny)}),
    );
    assert!(encrypt(&world, &world.caller, &id).is_err());
    let mut s3 = world.caller.clone();
    s3.via_service = Some("s3.us-east-1.amazonaws.com".into());
    encrypt(&world, &s3, &id).unwrap();
}

#[test]
fn a_policy_that_locks_its_maker_out_is_refused_unless_that_is_wanted() {
    let world = World::new();
    let (id, _) = world.key();
    let locked = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*", "Principal": "*",
    }]})
    .to_string();
    let mut request = json!({"KeyId": id, "Policy": locked});
    assert_eq!(
        world.refusal("PutKeyPolicy", request.clone()),
        "MalformedPolicyDocumentException: The new key policy will not allow you to update the key \
         policy in the future."
    );
    request["BypassPolicyLockoutSafetyCheck"] = json!(true);
    world.ok("PutKeyPolicy", request);
}

#[test]
fn a_call_across_accounts_stands_in_both_trails() {
    let world = World::new();
    let (id, arn) = world.key();
    let bob = user(OTHER, "bob");
    let open = json!([{
        "Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*",
        "Principal": {"AWS": format!("arn:aws:iam::{OTHER}:root")},
    }]);
    world.ok(
        "PutKeyPolicy",
        json!({"KeyId": id, "Policy": policy(&open)}),
    );
    encrypt(&world, &bob, &arn).unwrap();
    encrypt(&world, &world.caller, &arn).unwrap();

    let events = world
        .kms
        .audit
        .lookup(usize::MAX, |event| event.name == "Encrypt");
    let events: Vec<Value> = events
        .iter()
        .map(|event| serde_json::to_value(&**event).unwrap())
        .collect();
    let [own, callers, owners] = &*events else {
        panic!("{events:?}")
    };
    assert_eq!(own["sharedEventID"], Value::Null);
    assert_eq!(callers["recipientAccountId"], OTHER);
    assert_eq!(callers["userIdentity"]["userName"], "bob");
    assert_eq!(owners["recipientAccountId"], ACCOUNT);
    let account = json!({"type": "AWSAccount", "principalId": OTHER, "accountId": OTHER});
    assert_eq!(owners["userIdentity"], account);
    assert!(callers["sharedEventID"].is_string());
    assert_eq!(callers["sharedEventID"], owners["sharedEventID"]);
    assert_ne!(callers["eventID"], owners["eventID"]);
}

#[test]
fn where_the_key_policy_leaves_it_to_the_account_a_user_s_own_policies_decide() {
    let world = World::new();
    let (_, arn) = world.key();
    let allow = json!({"Effect": "Allow", "Action": "kms:Encrypt", "Resource": arn});
    let deny = json!({"Effect": "Deny", "Action": "kms:*", "Resource": "*"});
    assert!(encrypt(&world, &limited(&json!([allow]), None), &arn).is_ok());
    let refusal = encrypt(&world, &limited(&json!([]), None), &arn).unwrap_err();
    assert!(
        refusal.ends_with("because no identity-based policy allows the kms:Encrypt action"),
        "{refusal}"
    );
    let refusal = encrypt(&world, &limited(&json!([allow, deny]), None), &arn).unwrap_err();
    assert!(
        refusal.ends_with("with an explicit deny in an identity-based policy"),
        "{refusal}"
    );
    let refusal = encrypt(&world, &limited(&json!([allow]), Some(&deny)), &arn).unwrap_err();
    let text = "with an explicit deny in a session policy";
    assert!(refusal.ends_with(text), "{refusal}");
    let other = json!({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"});
    let refusal = encrypt(&world, &limited(&json!([allow]), Some(&other)), &arn).unwrap_err();
    let text = "because no session policy allows the kms:Encrypt action";
    assert!(refusal.ends_with(text), "{refusal}");
    let refusal = encrypt(&world, &limited(&json!([other]), Some(&other)), &arn).unwrap_err();
    let text = "because no identity-based policy allows the kms:Encrypt action";
    assert!(refusal.ends_with(text), "{refusal}");
    let wide = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let refusal = encrypt(&world, &limited(&json!([]), Some(&wide)), &arn);
    assert!(refusal.is_err(), "a session policy gives no right");
}

#[test]
fn a_user_s_policies_count_for_no_key_whose_policy_does_not_name_the_account() {
    let world = World::new();
    let (id, arn) = world.key();
    let carl = format!("arn:aws:iam::{ACCOUNT}:user/carl");
    let statement = |principal: &str| {
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": {"AWS": principal},
        }]})
    };
    let put = |principal: &str| {
        let policy = statement(principal).to_string();
        let request = json!({
            "KeyId": id, "Policy": policy, "BypassPolicyLockoutSafetyCheck": true,
        });
        world.ok("PutKeyPolicy", request);
    };
    put(&carl);
    assert!(
        encrypt(&world, &limited(&json!([]), None), &arn).is_ok(),
        "named itself"
    );
    let deny = json!({"Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*"});
    assert!(encrypt(&world, &limited(&json!([deny]), None), &arn).is_err());

    let (id, arn) = world.key();
    let policy = statement(&format!("arn:aws:iam::{ACCOUNT}:user/dora")).to_string();
    let request = json!({"KeyId": id, "Policy": policy, "BypassPolicyLockoutSafetyCheck": true});
    world.ok("PutKeyPolicy", request);
    let wide = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    assert!(encrypt(&world, &limited(&json!([wide]), None), &arn).is_err());
}

#[test]
fn what_is_about_no_key_needs_a_policy_of_the_user() {
    let world = World::new();
    let list = json!({"Effect": "Allow", "Action": "kms:List*", "Resource": "*"});
    let caller = limited(&json!([list]), None);
    assert!(world.call_as(&caller, "ListKeys", json!({})).is_ok());
    for (operation, request) in [
        ("CreateKey", json!({})),
        ("GenerateRandom", json!({"NumberOfBytes": 1})),
        ("DescribeCustomKeyStores", json!({})),
    ] {
        let refusal = world.call_as(&caller, operation, request).unwrap_err();
        let text = format!("no identity-based policy allows the kms:{operation} action");
        assert!(refusal.to_string().contains(&text), "{refusal}");
    }
    let (id, arn) = world.key();
    let on_key = json!({"Effect": "Allow", "Action": "kms:CreateAlias", "Resource": arn});
    let alias = json!({"AliasName": "alias/x", "TargetKeyId": id});
    let caller = limited(&json!([on_key]), None);
    let refusal = world
        .call_as(&caller, "CreateAlias", alias.clone())
        .unwrap_err();
    assert!(refusal.to_string().contains(":alias/x"), "{refusal}");
    let anywhere = json!({"Effect": "Allow", "Action": "kms:CreateAlias", "Resource": "*"});
    let caller = limited(&json!([anywhere]), None);
    assert!(world.call_as(&caller, "CreateAlias", alias).is_ok());
}

#[test]
fn a_key_policy_may_demand_mfa_which_only_sessions_have() {
    let world = World::new();
    let (id, arn) = world.key();
    let demand = json!([{
        "Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*", "Principal": "*",
        "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
    }]);
    world.ok(
        "PutKeyPolicy",
        json!({"KeyId": id, "Policy": policy(&demand)}),
    );
    let wide = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    // BoolIfExists holds for requests without the key, as those of long-term keys are.
    assert!(encrypt(&world, &limited(&json!([wide]), None), &arn).is_err());
    assert!(encrypt(&world, &limited(&json!([wide]), Some(&wide)), &arn).is_err());
    let mut caller = limited(&json!([wide]), Some(&wide));
    let identity = caller.identity.as_deref().unwrap();
    let session = Session {
        mfa: true,
        ..identity.session().unwrap().clone()
    };
    let file = format!(
        "[[user]]\nname = 'carl'\naccess_key_id = 'A'\nsecret_access_key = 's'\naccount = '{ACCOUNT}'\n"
    );
    let principals = Principals::parse(&file).unwrap();
    caller.identity = Some(Arc::new(
        Identity::of_session(session, &principals).unwrap(),
    ));
    assert!(encrypt(&world, &caller, &arn).is_ok());
}

#[test]
fn a_services_key_is_open_to_users_of_its_account_whose_own_policies_and_session_do_not_refuse_it()
{
    let world = World::new();
    let described = world.ok("DescribeKey", json!({"KeyId": "alias/aws/s3"}));
    let arn = text(&described["KeyMetadata"]["Arn"]);
    let deny = json!({"Effect": "Deny", "Action": "kms:*", "Resource": arn});
    let other = json!({"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"});
    for (operation, request) in [
        (
            "GenerateDataKey",
            json!({"KeyId": arn, "KeySpec": "AES_256"}),
        ),
        ("DescribeKey", json!({"KeyId": arn})),
    ] {
        let call = |policies: Value, session: Option<&Value>| {
            let mut caller = limited(&policies, session);
            caller.via_service = Some("s3.us-east-1.amazonaws.com".into());
            let outcome = world.call_as(&caller, operation, request.clone());
            outcome.map_err(|error| error.to_string())
        };
        call(json!([]), None).unwrap();
        let refusal = call(json!([deny]), None).unwrap_err();
        let because = "with an explicit deny in an identity-based policy";
        assert!(refusal.ends_with(because), "{refusal}");
        let refusal = call(json!([]), Some(&other)).unwrap_err();
        let because = format!("because no session policy allows the kms:{operation} action");
        assert!(refusal.ends_with(&because), "{refusal}");
    }
}

#[test]
fn a_services_key_is_described_directly_by_users_whose_own_policies_and_session_allow_that() {
    let world = World::new();
    let described = world.ok("DescribeKey", json!({"KeyId": "alias/aws/s3"}));
    let arn = text(&described["KeyMetadata"]["Arn"]);
    let statement =
        |effect: &str, action: &str| json!({"Effect": effect, "Action": action, "Resource": arn});
    for operation in ["DescribeKey", "GetKeyPolicy", "ListGrants"] {
        let allow = statement("Allow", &format!("kms:{operation}"));
        let deny = statement("Deny", &format!("kms:{operation}"));
        let other = statement("Allow", "kms:Encrypt");
        let call = |policies: Value, session: Option<&Value>, via: Option<&str>| {
            let mut caller = limited(&policies, session);
            caller.via_service = via.map(Into::into);
            let outcome = world.call_as(&caller, operation, json!({"KeyId": arn}));
            outcome.map_err(|error| error.to_string())
        };
        let action = format!("allows the kms:{operation} action");
        for other_service in [None, Some("sqs.us-east-1.amazonaws.com")] {
            for policies in [json!([]), json!([other])] {
                let refusal = call(policies, None, other_service).unwrap_err();
                let because = format!("because no identity-based policy {action}");
                assert!(refusal.ends_with(&because), "{refusal}");
            }
        }
        call(json!([allow]), None, None).unwrap();
        call(json!([allow]), Some(&allow), None).unwrap();
        let refusal = call(json!([allow]), Some(&other), None).unwrap_err();
        let because = format!("because no session policy {action}");
        assert!(refusal.ends_with(&because), "{refusal}");
        let refusal = call(json!([allow, deny]), None, None).unwrap_err();
        let because = "with an explicit deny in an identity-based policy";
        assert!(refusal.ends_with(because), "{refusal}");
        // Through the service, only what it needs.
        let through = call(json!([]), None, Some("s3.us-east-1.amazonaws.com"));
        assert_eq!(through.is_ok(), operation == "DescribeKey", "{through:?}");
    }
}

#[test]
fn the_key_that_s3_owns_serves_s3_of_its_account_alone_and_for_cryptography_alone() {
    let world = World::new();
    let s3 = |account: &str| {
        let mut caller = Caller::fixture(account, "us-east-1");
        caller.via_service = Some("s3.us-east-1.amazonaws.com".into());
        caller.in_own_name = true;
        caller
    };
    let request = |key: &str| json!({"KeyId": key, "KeySpec": "AES_256"});
    let alias = request("alias/sealgate/sse-s3");
    let made = world.call_as(&s3(ACCOUNT), "GenerateDataKey", alias);
    let arn = text(&made.unwrap()["KeyId"]);
    world
        .call_as(&s3(ACCOUNT), "GenerateDataKey", request(&arn))
        .unwrap();
    for (account, operation, request) in [
        (OTHER, "GenerateDataKey", request(&arn)),
        (ACCOUNT, "DescribeKey", json!({"KeyId": arn})),
        (ACCOUNT, "ScheduleKeyDeletion", json!({"KeyId": arn})),
    ] {
        let refusal = world.call_as(&s3(account), operation, request).unwrap_err();
        assert_eq!(
            refusal.code().name(),
            "AccessDeniedException",
            "{operation}"
        );
    }
    // Not even where everybody may do everything.
    world.kms.enforce(Enforcement::Open);
    for account in [ACCOUNT, OTHER] {
        let delete = json!({"KeyId": arn});
        let refusal = world.call_as(&s3(account), "ScheduleKeyDeletion", delete);
        let code = refusal.unwrap_err().code().name();
        assert_eq!(code, "AccessDeniedException", "{account}");
    }
}

#[test]
fn where_policies_only_warn_callers_of_other_accounts_are_refused_and_where_all_is_open_nobody_is()
{
    let world = World::new();
    let (id, arn) = world.key();
    let deny =
        json!([{"Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*", "Principal": "*"}]);
    let request = json!({"KeyId": id, "Policy": policy(&deny)});
    world.ok("PutKeyPolicy", request);
    let bob = user(OTHER, "bob");
    let outcomes = |enforcement| {
        world.kms.enforce(enforcement);
        let of_own = encrypt(&world, &world.caller, &arn).is_ok();
        (of_own, encrypt(&world, &bob, &arn).is_ok())
    };
    assert_eq!(outcomes(Enforcement::Enforce), (false, false));
    assert_eq!(outcomes(Enforcement::DenialsOnly), (false, false));
    assert_eq!(outcomes(Enforcement::Off), (true, false));
    assert_eq!(outcomes(Enforcement::Warn), (true, false));
    assert_eq!(outcomes(Enforcement::Open), (true, true));
}

#[test]
fn what_works_within_an_account_only_is_refused_to_others_whatever_the_key_policy_allows() {
    let world = World::new();
    let (id, arn) = world.key();
    let open = json!([{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": "*"}]);
    let open = policy(&open);
    world.ok("PutKeyPolicy", json!({"KeyId": id, "Policy": open}));
    let bob = user(OTHER, "bob");
    let with = |more: Value| {
        let mut request = more;
        request["KeyId"] = json!(arn);
        request
    };
    let tags = json!([{"TagKey": "team", "TagValue": "red"}]);
    let import = json!({
        "ImportToken": "AAAA", "EncryptedKeyMaterial": "AAAA",
        "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
    });
    let wrapping = json!({
        "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048",
    });
    for (operation, request) in [
        ("CancelKeyDeletion", json!({})),
        ("DeleteImportedKeyMaterial", json!({})),
        ("DisableKey", json!({})),
        ("DisableKeyRotation", json!({})),
        ("EnableKey", json!({})),
        ("EnableKeyRotation", json!({})),
        ("GetKeyLastUsage", json!({})),
        ("GetKeyPolicy", json!({})),
        ("GetParametersForImport", wrapping),
        ("ImportKeyMaterial", import),
        ("ListAliases", json!({})),
        ("ListKeyPolicies", json!({})),
        ("ListKeyRotations", json!({})),
        ("ListResourceTags", json!({})),
        ("PutKeyPolicy", json!({"Policy": open})),
        ("ReplicateKey", json!({"ReplicaRegion": "eu-west-1"})),
        ("RotateKeyOnDemand", json!({})),
        ("ScheduleKeyDeletion", json!({})),
        ("TagResource", json!({"Tags": tags})),
        ("UntagResource", json!({"TagKeys": ["team"]})),
        ("UpdateKeyDescription", json!({"Description": "mine"})),
        ("UpdatePrimaryRegion", json!({"PrimaryRegion": "eu-west-1"})),
    ] {
        let refusal = world.call_as(&bob, operation, with(request)).unwrap_err();
        let expected = format!(
            "AccessDeniedException: User: {} is not authorized to perform: kms:{operation} on \
             resource: {arn} because no resource-based policy allows the kms:{operation} action",
            bob.principal_arn
        );
        assert_eq!(refusal.to_string(), expected);
    }
    let alias = json!({"AliasName": "alias/mine", "TargetKeyId": arn});
    for operation in ["CreateAlias", "UpdateAlias"] {
        let refusal = world.call_as(&bob, operation, alias.clone()).unwrap_err();
        let expected = format!("NotFoundException: Key '{arn}' does not exist");
        assert_eq!(refusal.to_string(), expected);
    }
    for operation in ["DescribeKey", "GetKeyRotationStatus", "ListGrants"] {
        world.call_as(&bob, operation, with(json!({}))).unwrap();
    }
    encrypt(&world, &bob, &arn).unwrap();
    world.kms.enforce(Enforcement::Off);
    let delete = with(json!({}));
    world
        .call_as(&bob, "ScheduleKeyDeletion", delete.clone())
        .unwrap_err();
    world.kms.enforce(Enforcement::Open);
    world.call_as(&bob, "ScheduleKeyDeletion", delete).unwrap();
}
