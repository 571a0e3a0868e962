//! What an answer shows of an object beside its bytes needs permissions of its own.

use http::Method;
use tests::signed::Draft;

use crate::buckets::KEY;
use crate::fixture::Caller;
use crate::fixture::Fixture;
use crate::policy::statement;
use crate::reference;

#[tokio::test]
async fn how_many_tags_an_object_has_is_shown_to_who_may_read_them() {
    let fixture = Fixture::start().await;
    let operation = &reference::operations()["GetObject"];
    for caller in [Caller::Owner, Caller::Other] {
        let buckets = fixture.buckets(operation, caller).await;
        let bucket = buckets.bucket.as_str();
        for denied in [false, true] {
            let deny = statement("Deny", "\"*\"", "GetObjectTagging", bucket, "");
            fixture.put_policy(bucket, denied.then_some(deny)).await;
            for method in [Method::GET, Method::HEAD] {
                let read = Draft::new(method, bucket, KEY);
                let outcome = fixture.send_draft(caller, read).await;
                assert_eq!(outcome.status(), 200, "{}", outcome.describe());
                let headers = outcome.response.headers();
                let is_shown = headers.contains_key("x-amz-tagging-count");
                assert_eq!(is_shown, !denied, "{caller:?}, denied {denied}");
            }
        }
    }
}
