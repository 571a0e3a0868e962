//! Who may do what with vaults: identity policies, access policies, other accounts.

use http::Method;
use sealgate::credentials::ALT_ACCOUNT;
use sealgate::credentials::MAIN_ACCOUNT;
use serde_json::json;

use crate::vaults::Call;
use crate::vaults::DAY;
use crate::vaults::Glacier;
use crate::vaults::expect_error;
use crate::vaults::few;
use crate::vaults::policy;

const DENIED: &str = "AccessDeniedException";

#[tokio::test]
async fn the_account_in_the_path_is_the_callers_or_needs_a_policy_of_the_vault() {
    let glacier = Glacier::with_vault().await;
    let own = format!("/{MAIN_ACCOUNT}/vaults/v");
    glacier.expect(Call::raw(Method::GET, &own), 200).await;
    let alt = &glacier.world.alt;
    for call in [
        Call::raw(Method::GET, &own),
        Call::raw(Method::GET, &format!("/{MAIN_ACCOUNT}/vaults")),
        Call::raw(Method::GET, &format!("/{MAIN_ACCOUNT}/vaults/none")),
        Call::raw(Method::PUT, &format!("/{MAIN_ACCOUNT}/vaults/w")),
        Call::raw(Method::DELETE, &own),
    ] {
        expect_error(&glacier.send_as(alt, call).await, DENIED, 403);
    }
    let wrong = Call::raw(Method::GET, "/12/vaults/v");
    glacier
        .refuse(wrong, "InvalidParameterValueException", 400)
        .await;
    let allow = policy(json!({
        "Effect": "Allow",
        "Principal": {"AWS": format!("arn:aws:iam::{ALT_ACCOUNT}:root")},
        "Action": "glacier:DescribeVault",
    }));
    let set = Call::put("vaults/v/access-policy").json(&allow);
    glacier.expect(set, 204).await;
    let answer = glacier.send_as(alt, Call::raw(Method::GET, &own)).await;
    assert_eq!(answer.status(), 200);
    let tags = Call::raw(Method::GET, &format!("{own}/tags"));
    expect_error(&glacier.send_as(alt, tags).await, DENIED, 403);
}

#[tokio::test]
async fn the_access_policy_is_put_shown_and_removed() {
    let glacier = Glacier::with_vault().await;
    let missing = "ResourceNotFoundException";
    let get = || Call::get("vaults/v/access-policy");
    glacier.refuse(get(), missing, 404).await;
    let deny = policy(json!({"Effect": "Deny", "Action": "glacier:UploadArchive"}));
    glacier
        .expect(Call::put("vaults/v/access-policy").json(&deny), 204)
        .await;
    assert_eq!(glacier.document(get()).await, deny);
    let upload = Call::post("vaults/v/archives").content("x");
    glacier.refuse(upload, DENIED, 403).await;
    for _ in 0..2 {
        glacier
            .expect(Call::delete("vaults/v/access-policy"), 204)
            .await;
    }
    glacier.upload("x").await;
}

#[tokio::test]
async fn a_denial_of_the_access_policy_outweighs_what_the_lock_allows_and_the_other_way_round() {
    let glacier = Glacier::with_vault().await;
    let archive = glacier.upload("x").await;
    let delete = || Call::delete(&format!("vaults/v/archives/{archive}"));
    let rule = |effect: &str| policy(json!({"Effect": effect, "Action": "glacier:DeleteArchive"}));
    for (access, lock) in [("Deny", "Allow"), ("Allow", "Deny")] {
        let set = Call::put("vaults/v/access-policy").json(&rule(access));
        glacier.expect(set, 204).await;
        let begin = Call::post("vaults/v/lock-policy").json(&rule(lock));
        glacier.expect(begin, 201).await;
        glacier.refuse(delete(), DENIED, 403).await;
        glacier
            .expect(Call::delete("vaults/v/lock-policy"), 204)
            .await;
    }
    glacier.expect(delete(), 204).await;
}

#[tokio::test]
async fn identity_policies_decide_by_action_vault_and_age() {
    let glacier = Glacier::with_vault().await;
    let archive = glacier.upload("x").await;
    let send = |call| async { glacier.send_as(&few(), call).await };
    assert_eq!(send(Call::get("vaults/v")).await.status(), 200);
    for call in [
        Call::get("vaults"),
        Call::put("vaults/w"),
        Call::post("vaults/v/archives").content("x"),
        Call::get("vaults/v/lock-policy"),
        Call::delete(&format!("vaults/v/archives/{archive}")),
    ] {
        let message = expect_error(&send(call).await, DENIED, 403);
        assert!(
            message.contains("no identity-based policy allows"),
            "{message}"
        );
    }
    glacier.clock.advance(DAY);
    let delete = Call::delete(&format!("vaults/v/archives/{archive}"));
    assert_eq!(send(delete).await.status(), 204);
}

#[tokio::test]
async fn a_policy_of_the_vault_allows_a_user_what_its_own_do_not() {
    let glacier = Glacier::with_vault().await;
    let user = format!("arn:aws:iam::{MAIN_ACCOUNT}:user/few");
    let allow = policy(json!({
        "Effect": "Allow",
        "Principal": {"AWS": user},
        "Action": "glacier:UploadArchive",
    }));
    glacier
        .expect(Call::put("vaults/v/access-policy").json(&allow), 204)
        .await;
    let upload = Call::post("vaults/v/archives").content("x");
    assert_eq!(glacier.send_as(&few(), upload).await.status(), 201);
}

#[tokio::test]
async fn a_policy_of_the_vault_may_demand_a_second_factor_of_sessions() {
    let glacier = Glacier::with_vault().await;
    let demand = policy(json!({
        "Effect": "Deny",
        "Action": "glacier:DescribeVault",
        "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
    }));
    let set = Call::put("vaults/v/access-policy").json(&demand);
    glacier.expect(set, 204).await;
    let describe = || Call::get("vaults/v");
    let with = glacier.session(true);
    assert_eq!(glacier.send_as(&with, describe()).await.status(), 200);
    let without = glacier.session(false);
    expect_error(&glacier.send_as(&without, describe()).await, DENIED, 403);
    glacier.clock.advance(DAY);
    let ended = glacier.send_as(&with, describe()).await;
    expect_error(&ended, "ExpiredTokenException", 403);
}
