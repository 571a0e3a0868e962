//! Vault Lock: its states by the clock, and what its policy denies.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::vaults::Call;
use crate::vaults::DAY;
use crate::vaults::Glacier;
use crate::vaults::header;
use crate::vaults::policy;

const DENIED: &str = "AccessDeniedException";
const MISSING: &str = "ResourceNotFoundException";

/// Nobody may delete archives younger than so many days.
fn retention(days: u32) -> Value {
    policy(json!({
        "Effect": "Deny",
        "Action": "glacier:DeleteArchive",
        "Condition": {"NumericLessThan": {"glacier:ArchiveAgeinDays": days.to_string()}},
    }))
}

fn initiate(policy: &Value) -> Call {
    Call::post("vaults/v/lock-policy").json(policy)
}

fn complete(id: &str) -> Call {
    Call::post(&format!("vaults/v/lock-policy/{id}"))
}

fn delete(archive: &str) -> Call {
    Call::delete(&format!("vaults/v/archives/{archive}"))
}

impl Glacier {
    /// Initiates a lock; its id.
    async fn begin(&self, policy: &Value) -> String {
        header(&self.expect(initiate(policy), 201).await, "x-amz-lock-id")
    }
}

#[tokio::test]
async fn a_lock_is_in_force_from_its_initiation_until_it_is_aborted() {
    let glacier = Glacier::with_vault().await;
    let archive = glacier.upload("kept").await;
    let id = glacier.begin(&retention(1)).await;
    assert_eq!(id.len(), 24);
    let lock = glacier.document(Call::get("vaults/v/lock-policy")).await;
    assert_eq!(lock["State"], "InProgress");
    assert_eq!(lock["Policy"], retention(1)["Policy"]);
    assert!(lock["ExpirationDate"].is_string());
    let message = glacier.refuse(delete(&archive), DENIED, 403).await;
    assert!(
        message.contains("explicit deny in a resource-based policy"),
        "{message}"
    );
    glacier
        .expect(Call::delete("vaults/v/lock-policy"), 204)
        .await;
    glacier
        .expect(Call::delete("vaults/v/lock-policy"), 204)
        .await;
    glacier.expect(delete(&archive), 204).await;
}

#[tokio::test]
async fn a_lock_is_completed_by_its_id_and_then_nobody_changes_it() {
    let glacier = Glacier::with_vault().await;
    glacier.refuse(complete("any"), MISSING, 404).await;
    let id = glacier.begin(&retention(1)).await;
    glacier.refuse(initiate(&retention(2)), DENIED, 403).await;
    let wrong = "InvalidParameterValueException";
    glacier.refuse(complete("wrong"), wrong, 400).await;
    for _ in 0..2 {
        glacier.expect(complete(&id), 204).await;
    }
    glacier.refuse(complete("wrong"), DENIED, 403).await;
    glacier
        .refuse(Call::delete("vaults/v/lock-policy"), DENIED, 403)
        .await;
    glacier.refuse(initiate(&retention(2)), DENIED, 403).await;
    let lock = glacier.document(Call::get("vaults/v/lock-policy")).await;
    assert_eq!(
        (&lock["State"], &lock["ExpirationDate"]),
        (&json!("Locked"), &Value::Null)
    );
    let open = policy(json!({"Effect": "Allow", "Action": "glacier:*"}));
    let access = Call::put("vaults/v/access-policy").json(&open);
    glacier.expect(access, 204).await;
    let archive = glacier.upload("kept").await;
    glacier.refuse(delete(&archive), DENIED, 403).await;
}

#[tokio::test]
async fn a_lock_that_is_not_completed_in_a_day_is_gone_with_its_policy_and_id() {
    let glacier = Glacier::with_vault().await;
    let archive = glacier.upload("kept").await;
    let id = glacier.begin(&retention(365)).await;
    glacier.clock.advance(DAY - Duration::from_secs(1));
    glacier.refuse(delete(&archive), DENIED, 403).await;
    glacier.expect(Call::get("vaults/v/lock-policy"), 200).await;
    glacier.clock.advance(Duration::from_secs(1));
    glacier
        .refuse(Call::get("vaults/v/lock-policy"), MISSING, 404)
        .await;
    glacier.refuse(complete(&id), MISSING, 404).await;
    glacier.expect(delete(&archive), 204).await;
    let next = glacier.begin(&retention(1)).await;
    assert_ne!(next, id);
    glacier.expect(complete(&next), 204).await;
    glacier.clock.advance(400 * DAY);
    glacier.expect(Call::get("vaults/v/lock-policy"), 200).await;
}

#[tokio::test]
async fn the_age_of_an_archive_is_whole_days_since_its_upload() {
    let glacier = Glacier::with_vault().await;
    let id = glacier.begin(&retention(2)).await;
    glacier.expect(complete(&id), 204).await;
    let archive = glacier.upload("kept").await;
    glacier.clock.advance(2 * DAY - Duration::from_secs(1));
    glacier.refuse(delete(&archive), DENIED, 403).await;
    glacier.clock.advance(Duration::from_secs(1));
    glacier.expect(delete(&archive), 204).await;
}

#[tokio::test]
async fn of_two_completions_at_once_both_hold_and_of_two_initiations_one() {
    let glacier = Glacier::with_vault().await;
    let policy = retention(1);
    let (one, other) = tokio::join!(
        glacier.send(initiate(&policy)),
        glacier.send(initiate(&policy))
    );
    let mut statuses = [one.status().as_u16(), other.status().as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 403]);
    let winner = if one.status() == 201 { one } else { other };
    let id = header(&winner, "x-amz-lock-id");
    let (one, other) = tokio::join!(glacier.send(complete(&id)), glacier.send(complete(&id)));
    assert_eq!((one.status().as_u16(), other.status().as_u16()), (204, 204));
}

#[tokio::test]
async fn a_lock_is_seen_by_another_gateway_at_once() {
    let glacier = Glacier::with_vault().await;
    let archive = glacier.upload("kept").await;
    let other = glacier.world.another_gateway().await;
    let host = other.s3_addr.unwrap();
    glacier.begin(&retention(1)).await;
    let signed = delete(&archive).sign(&glacier.world.main, glacier.world.now(), &host.to_string());
    let target = tests::signed::Target {
        address: host,
        tls: None,
    };
    let answer = signed.send(&target).await.unwrap();
    crate::vaults::expect_error(&answer, DENIED, 403);
}

#[tokio::test]
async fn a_legal_hold_is_a_tag_of_the_vault() {
    let glacier = Glacier::with_vault().await;
    let archive = glacier.upload("held").await;
    let hold = policy(json!({
        "Effect": "Deny",
        "Action": "glacier:DeleteArchive",
        "Condition": {"StringLike": {"glacier:ResourceTag/LegalHold": ["true", ""]}},
    }));
    let id = glacier.begin(&hold).await;
    glacier.expect(complete(&id), 204).await;
    for value in ["true", ""] {
        let tags = json!({"Tags": {"LegalHold": value}});
        let tag = Call::post("vaults/v/tags").query("operation", "add");
        glacier.expect(tag.json(&tags), 204).await;
        glacier.refuse(delete(&archive), DENIED, 403).await;
    }
    let keys = json!({"TagKeys": ["LegalHold"]});
    let untag = Call::post("vaults/v/tags").query("operation", "remove");
    glacier.expect(untag.json(&keys), 204).await;
    glacier.expect(delete(&archive), 204).await;
}

#[tokio::test]
async fn an_empty_vault_is_deleted_though_it_is_locked() {
    let glacier = Glacier::with_vault().await;
    let id = glacier.begin(&retention(1)).await;
    glacier.expect(complete(&id), 204).await;
    glacier.expect(Call::delete("vaults/v"), 204).await;
}

#[tokio::test]
async fn a_policy_that_cannot_be_judged_is_not_taken() {
    let glacier = Glacier::with_vault().await;
    let wrong = "InvalidParameterValueException";
    let deny = |more: Value| {
        let mut statement = json!({"Effect": "Deny", "Action": "glacier:DeleteArchive"});
        statement
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        policy(statement)
    };
    let other = "arn:aws:glacier:us-east-1:999999999999:vaults/w";
    for document in [
        json!({"Policy": "no JSON"}),
        json!({"Policy": "{}"}),
        deny(json!({"Resource": other})),
        deny(json!({"Action": "s3:*"})),
        deny(json!({"Condition": {"NumericLessThan": {"glacier:Colour": "1"}}})),
        deny(json!({"Condition": {"NumericLessThan": {"glacier:ArchiveAgeInDays": "x"}}})),
        deny(json!({"Sid": "s".repeat(20_480)})),
    ] {
        glacier.refuse(initiate(&document), wrong, 400).await;
        let access = Call::put("vaults/v/access-policy").json(&document);
        glacier.refuse(access, wrong, 400).await;
    }
    let none = initiate(&json!({}));
    glacier
        .refuse(none, "MissingParameterValueException", 400)
        .await;
    glacier
        .refuse(Call::get("vaults/v/lock-policy"), MISSING, 404)
        .await;
}
