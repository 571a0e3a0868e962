//! Which objects are not in a bucket is shown to those only who may list it.

use http::Method;
use tests::signed::Draft;

use crate::buckets::KEY;
use crate::buckets::digest;
use crate::fixture::Caller;
use crate::fixture::Fixture;
use crate::policy::statement;
use crate::reference;

#[tokio::test]
async fn an_object_that_is_not_there_is_denied_to_who_may_not_list_the_bucket() {
    let fixture = Fixture::start().await;
    let operation = &reference::operations()["ListObjects"];
    for caller in [Caller::Owner, Caller::Other] {
        let buckets = fixture.buckets(operation, caller).await;
        let bucket = buckets.bucket.as_str();
        let put = Draft::new(Method::PUT, bucket, "there").body("content");
        fixture.prepare(&fixture.world.main, put).await;
        for denied in [false, true] {
            let deny = statement("Deny", "\"*\"", "ListBucket", bucket, "");
            fixture.put_policy(bucket, denied.then_some(deny)).await;
            let read = |method, key: &str| Draft::new(method, bucket, key);
            let attributes = read(Method::GET, "missing").query("attributes", "");
            let copy = read(Method::PUT, "copy");
            let expected = if denied { 403 } else { 404 };
            for (draft, expected) in [
                (read(Method::GET, "there"), 200),
                (read(Method::GET, "missing"), expected),
                (read(Method::HEAD, "missing"), expected),
                (
                    read(Method::GET, "missing").header("range", "bytes=0-1"),
                    expected,
                ),
                (
                    attributes.header("x-amz-object-attributes", "ETag"),
                    expected,
                ),
                (
                    copy.header("x-amz-copy-source", &format!("/{bucket}/missing")),
                    expected,
                ),
            ] {
                let what = format!("{caller:?}, denied {denied}: {draft:?}");
                let outcome = fixture.send_draft(caller, draft).await;
                assert_eq!(outcome.status(), expected, "{what}: {}", outcome.describe());
            }
        }
    }
}

#[tokio::test]
async fn a_condition_on_an_object_that_is_not_there_is_denied_to_who_may_not_list_the_bucket() {
    let fixture = Fixture::start().await;
    let operation = &reference::operations()["ListParts"];
    for caller in [Caller::Owner, Caller::Other] {
        let buckets = fixture.buckets(operation, caller).await;
        let bucket = buckets.bucket.as_str();
        // Of the key of the upload nothing must be there.
        let delete = Draft::new(Method::DELETE, bucket, KEY);
        fixture.prepare(&fixture.world.main, delete).await;
        for denied in [false, true] {
            let deny = statement("Deny", "\"*\"", "ListBucket", bucket, "");
            fixture.put_policy(bucket, denied.then_some(deny)).await;
            let expected = if denied { 403 } else { 404 };
            let on = |method, key: &str| Draft::new(method, bucket, key);
            let copy =
                on(Method::PUT, "missing").header("x-amz-copy-source", &format!("/{bucket}/there"));
            let there = on(Method::PUT, "there").body("content");
            fixture.prepare(&fixture.world.main, there).await;
            let complete = buckets.fill(COMPLETE);
            let complete = on(Method::POST, KEY)
                .query("uploadId", &buckets.fill("{upload}"))
                .body(complete);
            for (draft, conditions) in [
                (on(Method::PUT, "missing"), &["\"a\""][..]),
                (on(Method::DELETE, "missing"), &["\"a\"", "*"]),
                (copy, &["\"a\""]),
                (complete, &["\"a\""]),
            ] {
                for condition in conditions {
                    let draft = draft.clone().header("if-match", condition);
                    let what = format!("{caller:?}, denied {denied}: {draft:?}");
                    let outcome = fixture.send_draft(caller, draft).await;
                    assert_eq!(outcome.status(), expected, "{what}: {}", outcome.describe());
                }
            }
            for condition in ["a", "*"] {
                let body = format!(
                    "<Delete><Object><Key>missing</Key><ETag>{condition}</ETag></Object></Delete>"
                );
                let draft = on(Method::POST, "").query("delete", "");
                let draft = draft.header("content-md5", &digest(&body));
                let outcome = fixture.send_draft(caller, draft.body(body)).await;
                let code = if denied { "AccessDenied" } else { "NoSuchKey" };
                let code = format!("<Code>{code}</Code>");
                assert!(outcome.text().contains(&code), "{}", outcome.text());
            }
        }
    }
}

const COMPLETE: &str = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>";
