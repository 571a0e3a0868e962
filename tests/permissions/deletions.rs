//! DeleteObjects: the policy decides about each key, and is resolved once.

use http::Method;
use tests::signed::Draft;

use crate::fixture::Caller;
use crate::fixture::Fixture;
use crate::policy::document;
use crate::policy::statement;
use crate::reference;

#[tokio::test]
async fn a_policy_of_many_statements_decides_about_a_thousand_keys_in_one_request_to_the_backend() {
    let fixture = Fixture::start().await;
    let operation = &reference::operations()["ListObjects"];
    let buckets = fixture.buckets(operation, Caller::Owner).await;
    let bucket = buckets.bucket.as_str();
    let deny = |number: usize| {
        format!(
            r#"{{"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject",
            "Resource": "arn:aws:s3:::{bucket}/k{number:04}"}}"#
        )
    };
    let statements: Vec<_> = (0..DENIED).map(deny).collect();
    let put = Draft::new(Method::PUT, bucket, "").query("policy", "");
    let put = put.body(document(&statements));
    fixture.prepare(&fixture.world.main, put).await;

    let objects: String = (0..KEYS)
        .map(|number| format!("<Object><Key>k{number:04}</Key></Object>"))
        .collect();
    let body = format!("<Delete>{objects}</Delete>");
    let draft = Draft::new(Method::POST, bucket, "").query("delete", "");
    let draft = draft.header("content-md5", &crate::buckets::digest(&body));
    let outcome = fixture.send_draft(Caller::Owner, draft.body(body)).await;

    assert_eq!(outcome.status(), 200, "{}", outcome.describe());
    let text = outcome.text();
    assert_eq!(text.matches("<Code>AccessDenied</Code>").count(), DENIED);
    assert_eq!(text.matches("<Deleted>").count(), KEYS - DENIED);
    let received = fixture.world.backend.requests();
    let deletions: Vec<_> = received
        .iter()
        .filter(|request| request.method == Method::POST)
        .collect();
    let [deletion] = deletions.as_slice() else {
        panic!("the backend received {received:?}")
    };
    let sent = String::from_utf8_lossy(&deletion.body);
    assert_eq!(sent.matches("<Object>").count(), KEYS - DENIED);
    // What the policy needs to be looked up does not grow with the keys.
    assert!(received.len() <= 4, "{received:?}");
}

const KEYS: usize = 1_000;
const DENIED: usize = 100;

#[tokio::test]
async fn a_version_is_deleted_by_its_own_permission_and_where_there_are_none_also_by_that_for_the_object()
 {
    for has_versions in [true, false] {
        let fixture = Fixture::start().await;
        let operation = &reference::operations()["GetObject"];
        let buckets = fixture.buckets(operation, Caller::Owner).await;
        let bucket = buckets.bucket.as_str();
        match has_versions {
            true => enable_versions(&fixture, bucket).await,
            false => fixture.world.backend.ignore_versions(),
        }
        let deny = statement("Deny", "\"*\"", "DeleteObject", bucket, "");
        fixture.put_policy(bucket, Some(deny)).await;
        let body =
            "<Delete><Object><Key>key</Key><VersionId>{version}</VersionId></Object></Delete>";
        let body = buckets.fill(body);
        let draft = Draft::new(Method::POST, bucket, "").query("delete", "");
        let draft = draft.header("content-md5", &crate::buckets::digest(&body));
        let outcome = fixture.send_draft(Caller::Owner, draft.body(body)).await;
        assert_eq!(outcome.status(), 200, "{}", outcome.describe());
        let text = outcome.text();
        assert_eq!(text.contains("<Deleted>"), has_versions, "{text}");
        assert_eq!(text.contains("AccessDenied"), !has_versions, "{text}");
    }
}

async fn enable_versions(fixture: &Fixture, bucket: &str) {
    let body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let put = Draft::new(Method::PUT, bucket, "").query("versioning", "");
    let put = put.header("content-md5", &crate::buckets::digest(body));
    fixture.prepare(&fixture.world.main, put.body(body)).await;
}
