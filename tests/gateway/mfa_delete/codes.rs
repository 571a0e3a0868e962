//! Whose codes count, how often, and on which way they may come.

use proto::time::Clock as _;
use tests::expect::expect_s3_error;
use tests::signed::Draft;
use tests::signed::Target;
use tests::world::World;

use crate::mfa_delete::BUCKET;
use crate::mfa_delete::MISSING;
use crate::mfa_delete::Vault;
use crate::mfa_delete::delete;
use crate::mfa_delete::delete_all;
use crate::mfa_delete::expect;
use crate::mfa_delete::versioning;

#[tokio::test]
async fn a_wrong_code_is_refused_where_none_was_needed() {
    let vault = Vault::locked().await;
    vault.put("k").await;
    let wrong = vault.wrong_token();
    for draft in [delete("k", None), delete_all(&[("k", None)])] {
        let refused = vault.send(draft.header("x-amz-mfa", &wrong)).await;
        expect_s3_error(&refused, "TokenCodeInvalidError", 400);
    }
    assert_eq!(vault.versions("k"), 1);
}

#[tokio::test]
async fn one_code_serves_all_versions_of_one_request_and_no_second_request() {
    let vault = Vault::locked().await;
    let ids = [
        vault.put("k").await,
        vault.put("k").await,
        vault.put("k").await,
    ];
    let objects: Vec<_> = ids.iter().map(|id| ("k", Some(id.as_str()))).collect();
    let other = vault.put("other").await;
    let token = vault.token();
    let with_token = |draft: Draft| draft.header("x-amz-mfa", &token);
    let deleted = vault.send(with_token(delete_all(&objects))).await;
    assert_eq!(deleted.status(), 200);
    let body = String::from_utf8_lossy(deleted.body()).into_owned();
    assert_eq!(body.matches("<Deleted>").count(), 3, "{body}");

    let again = vault.send(with_token(delete("other", Some(&other)))).await;
    expect_s3_error(&again, "TokenCodeInvalidError", 400);
    assert_eq!(vault.versions("other"), 1);
}

#[tokio::test]
async fn a_user_with_a_device_of_its_own_is_not_the_bucket_owner() {
    let vault = Vault::locked().await;
    let id = vault.put("k").await;
    let message = "This operation may only be performed by the bucket owner";
    let serial = vault.admins.serial();
    // A right code, and a wrong one: whoever may not send codes cannot try them.
    for code in [vault.admins.code(vault.clock.now()), "000000".to_owned()] {
        for draft in [delete("k", Some(&id)), versioning("Suspended", None)] {
            let draft = draft.header("x-amz-mfa", &format!("{serial} {code}"));
            let refused = vault.send_as(&vault.admin, draft).await;
            expect(&refused, "AccessDenied", 403, message);
        }
    }
    // Root's own token in another's request.
    let stolen = vault.with_code(delete("k", Some(&id)));
    let refused = vault.send_as(&vault.admin, stolen).await;
    expect(&refused, "AccessDenied", 403, message);
    let refused = vault.send_as(&vault.admin, delete("k", Some(&id))).await;
    expect(&refused, "AccessDenied", 403, MISSING);
    // None of this used root's code up.
    let deleted = vault.send(vault.with_code(delete("k", Some(&id)))).await;
    assert_eq!(deleted.status(), 204);
}

#[tokio::test]
async fn a_header_of_another_form_is_refused_with_the_form() {
    let vault = Vault::locked().await;
    let id = vault.put("k").await;
    for value in ["123456", "a-serial", "serial  123456", "a b c"] {
        let refused = vault
            .send(delete("k", Some(&id)).header("x-amz-mfa", value))
            .await;
        let message = "Mfa header is invalid -- the header should be formatted as {serialNumber}\
                       (space){tokenCode}";
        expect(&refused, "InvalidArgument", 400, message);
        let body = String::from_utf8_lossy(refused.body());
        assert!(
            body.contains("<ArgumentName>x-amz-mfa</ArgumentName>"),
            "{body}"
        );
        assert!(
            body.contains(&format!("<ArgumentValue>{value}</ArgumentValue>")),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_device_that_is_unknown_or_another_users_is_refused() {
    let vault = Vault::locked().await;
    let id = vault.put("k").await;
    for serial in [
        "arn:aws:iam::000000000000:mfa/none",
        "GAHT12345678",
        vault.admins.serial(),
    ] {
        let code = vault.admins.code(vault.clock.now());
        let draft = delete("k", Some(&id)).header("x-amz-mfa", &format!("{serial} {code}"));
        let message = format!(
            "The device with serial number {serial} that generated token {code} is not owned by the \
             authenticated user"
        );
        expect(
            &vault.send(draft).await,
            "NotDeviceOwnerError",
            400,
            &message,
        );
    }
}

#[tokio::test]
async fn a_code_counts_for_one_step_behind_and_no_further() {
    let vault = Vault::locked().await;
    let ids = [vault.put("k").await, vault.put("k").await];
    let token = vault.token();
    vault.next_step();
    let older = delete("k", Some(&ids[0])).header("x-amz-mfa", &token);
    assert_eq!(vault.send(older).await.status(), 204);
    vault.next_step();
    let token = vault.token();
    vault.next_step();
    vault.next_step();
    let expired = delete("k", Some(&ids[1])).header("x-amz-mfa", &token);
    expect_s3_error(&vault.send(expired).await, "TokenCodeInvalidError", 400);
    assert_eq!(vault.versions("k"), 1);
}

#[tokio::test]
async fn a_code_that_two_gateways_receive_at_once_is_accepted_once() {
    let vault = Vault::locked().await;
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(vault.put("k").await);
    }
    let other = vault.world.another_gateway().await;
    let addresses = [vault.world.gateway.s3_addr.unwrap(), other.s3_addr.unwrap()];
    let sent = ids.iter().enumerate().map(|(number, id)| {
        let address = addresses[number % 2];
        let draft = vault.with_code(delete("k", Some(id)));
        let signed = draft.sign(&vault.world.main, vault.clock.now(), &address.to_string());
        async move { signed.send(&Target { address, tls: None }).await.unwrap() }
    });
    let answers = futures_util::future::join_all(sent).await;
    let accepted = answers.iter().filter(|answer| answer.status() == 204);
    assert_eq!(accepted.count(), 1);
    assert_eq!(vault.versions("k"), 7);
}

#[tokio::test]
async fn codes_cannot_be_tried_one_after_the_other_at_any_gateway() {
    let vault = Vault::locked().await;
    let id = vault.put("k").await;
    let wrong = vault.wrong_token();
    for _ in 0..5 {
        let refused = vault
            .send(delete("k", Some(&id)).header("x-amz-mfa", &wrong))
            .await;
        expect_s3_error(&refused, "TokenCodeInvalidError", 400);
    }
    let other = vault.world.another_gateway().await;
    let address = other.s3_addr.unwrap();
    let draft = vault.with_code(delete("k", Some(&id)));
    let signed = draft.sign(&vault.world.main, vault.clock.now(), &address.to_string());
    let refused = signed.send(&Target { address, tls: None }).await.unwrap();
    expect_s3_error(&refused, "TokenCodeInvalidError", 400);
    vault.next_step();
    let deleted = vault.send(vault.with_code(delete("k", Some(&id)))).await;
    assert_eq!(deleted.status(), 204);
}

#[tokio::test]
async fn a_code_that_sts_accepted_deletes_nothing() {
    let vault = Vault::locked().await;
    let id = vault.put("k").await;
    let (now, code) = (vault.clock.now(), vault.root.code(vault.clock.now()));
    // As GetSessionToken does.
    vault
        .iam
        .mfa()
        .accept(&vault.root, &code, now)
        .await
        .unwrap();
    let refused = vault.send(vault.with_code(delete("k", Some(&id)))).await;
    expect_s3_error(&refused, "TokenCodeInvalidError", 400);
    assert_eq!(vault.versions("k"), 1);
}

#[tokio::test]
async fn a_code_may_cross_plain_http_within_a_machine_only() {
    let vault = Vault::locked().await;
    let id = vault.put("k").await;
    let setup = World::setup().gateway(|config| {
        config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    });
    let world = setup.start().await;
    world.create_bucket(BUCKET).await;
    let remote = |protocol: &str| {
        let draft = vault.with_code(delete("k", Some(&id)));
        let draft = draft.header("x-forwarded-for", "203.0.113.7");
        draft.header("x-forwarded-proto", protocol)
    };
    expect(
        &world.send(remote("http")).await,
        "AccessDenied",
        403,
        "A request with x-amz-mfa must",
    );
    // That world has no devices.
    expect_s3_error(
        &world.send(remote("https")).await,
        "NotDeviceOwnerError",
        400,
    );
}
