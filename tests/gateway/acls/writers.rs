//! What those may do who write into a bucket of another account, and what becomes of lists after deletions.

use super::*;

#[tokio::test]
async fn a_policy_lets_others_delete_what_another_account_wrote() {
    let lists = Lists::of_object_writers().await;
    lists
        .does(Sender::Main, canned(put_acl(""), "public-read-write"))
        .await;
    lists.does(Sender::Alt, put("k")).await;
    lists
        .is_refused(Sender::Anonymous, delete("k"), "AccessDenied", 403)
        .await;
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
        "Action":"s3:DeleteObject","Resource":"arn:aws:s3:::lists/*"}]}"#;
    let policy = Draft::new(Method::PUT, BUCKET, "")
        .query("policy", "")
        .body(policy);
    lists.does(Sender::Main, policy).await;
    lists.does(Sender::Anonymous, delete("k")).await;
    assert!(lists.world.backend.object(BUCKET, "k").is_none());
}

#[tokio::test]
async fn who_may_write_into_a_bucket_and_not_list_it_sets_the_list_of_what_it_writes() {
    let lists = Lists::of_object_writers().await;
    let grants = [("CanonicalUser", &*alt_id(), "WRITE")];
    let list = document(&main_id(), &grants);
    lists.does(Sender::Main, put_acl("").body(list)).await;
    lists
        .does(Sender::Alt, canned(put("k"), "public-read"))
        .await;
    assert_eq!(lists.does(Sender::Anonymous, get("k")).await, "an object");
    // Of an object that is there, its own list decides.
    lists.does(Sender::Main, put("k")).await;
    let open = canned(put_acl("k"), "public-read");
    lists
        .is_refused(Sender::Alt, open, "AccessDenied", 403)
        .await;
}

#[tokio::test]
async fn the_list_of_an_object_is_removed_with_it() {
    let lists = Lists::of_object_writers().await;
    let stored = || {
        let keys = lists.world.backend.keys("sealgate-state").into_iter();
        keys.filter(|key| key.contains("/acls/")).count()
    };
    lists
        .does(Sender::Main, canned(put("k"), "public-read"))
        .await;
    assert_eq!(stored(), 1);
    lists.does(Sender::Main, delete("k")).await;
    assert_eq!(stored(), 0);
}
