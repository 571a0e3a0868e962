//! DeleteObjects: the policy decides about each key, and is resolved once.

use http::Method;
use md5::Digest as _;
use md5::Md5;
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

#[tokio::test]
async fn a_condition_shows_nothing_of_an_object_whose_tags_keep_it_from_being_read() {
    let fixture = Fixture::start().await;
    let operation = &reference::operations()["ListObjects"];
    for caller in [Caller::Owner, Caller::Other] {
        let buckets = fixture.buckets(operation, caller).await;
        let bucket = buckets.bucket.as_str();
        for (key, tag) in [
            ("a", "secret"),
            ("b", "open"),
            ("c", "secret"),
            ("d", "open"),
        ] {
            let put = Draft::new(Method::PUT, bucket, key).body(CONTENT);
            let put = put.header("x-amz-tagging", &format!("class={tag}"));
            fixture.prepare(&fixture.world.main, put).await;
        }
        let condition = r#"{"StringEquals": {"s3:ExistingObjectTag/class": "secret"}}"#;
        let deny = statement("Deny", "\"*\"", "GetObject", bucket, condition);
        fixture.put_policy(bucket, Some(deny)).await;
        let wrong = "0".repeat(32);
        let etag = hex::encode(Md5::digest(CONTENT));
        for guess in [&wrong, &etag] {
            let draft = Draft::new(Method::PUT, bucket, "a").body("other");
            let outcome = fixture
                .send_draft(caller, draft.header("if-match", guess))
                .await;
            assert_eq!(outcome.status(), 403, "{}", outcome.describe());
            let draft = Draft::new(Method::DELETE, bucket, "a").header("if-match", guess);
            let outcome = fixture.send_draft(caller, draft).await;
            assert_eq!(outcome.status(), 403, "{}", outcome.describe());
        }
        let object = |key| format!("<Object><Key>{key}</Key><ETag>{etag}</ETag></Object>");
        let objects: String = ["a", "b", "c", "d"].map(object).concat();
        let body = format!("<Delete>{objects}<Object><Key>c</Key></Object></Delete>");
        let draft = Draft::new(Method::POST, bucket, "").query("delete", "");
        let draft = draft.header("content-md5", &crate::buckets::digest(&body));
        let outcome = fixture.send_draft(caller, draft.body(body)).await;
        assert_eq!(outcome.status(), 200, "{}", outcome.describe());
        let text = outcome.text();
        let keys = |element: &str| {
            let mut keys: Vec<_> = text.split(element).skip(1).collect();
            keys.iter_mut()
                .for_each(|it| *it = &it["<Key>".len()..][..1]);
            keys.concat()
        };
        assert_eq!(
            (&*keys("<Deleted>"), &*keys("<Error>")),
            ("bdc", "ac"),
            "{text}"
        );
    }
}

const CONTENT: &str = "content";

async fn enable_versions(fixture: &Fixture, bucket: &str) {
    let body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let put = Draft::new(Method::PUT, bucket, "").query("versioning", "");
    let put = put.header("content-md5", &crate::buckets::digest(body));
    fixture.prepare(&fixture.world.main, put.body(body)).await;
}
