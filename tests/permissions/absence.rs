//! Which objects are not in a bucket is shown to those only who may list it.

use http::Method;
use tests::signed::Draft;

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
