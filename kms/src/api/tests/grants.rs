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
    let refusal = encrypt(&world, &carl, &arn).unwrap_err();
    let because = "because no identity-based policy allows the kms:Encrypt action";
    assert!(refusal.ends_with(because), "{refusal}");
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
