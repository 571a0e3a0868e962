//! The parts of an upload are judged by what it was created with.

use http::Method;
use tests::signed::Draft;

use crate::buckets::KEY;
use crate::fixture::Caller;
use crate::fixture::Fixture;
use crate::outcome::Outcome;
use crate::policy::statement;
use crate::reference;

const ENCRYPTION: &str = "x-amz-server-side-encryption";

/// A denial of all that is not encrypted so.
fn demanding(bucket: &str, mode: &str) -> String {
    let condition = format!(r#"{{"StringNotEquals": {{"s3:{ENCRYPTION}": "{mode}"}}}}"#);
    statement("Deny", "\"*\"", "PutObject", bucket, &condition)
}

#[tokio::test]
async fn a_policy_that_demands_an_encryption_takes_the_parts_of_uploads_that_have_it_and_no_others()
{
    let fixture = Fixture::start().await;
    let operation = &reference::operations()["GetObject"];
    for caller in [Caller::Owner, Caller::Other] {
        let buckets = fixture.buckets(operation, caller).await;
        let bucket = buckets.bucket.as_str();
        let deny = demanding(bucket, "AES256");
        fixture.put_policy(bucket, Some(deny)).await;
        let create = || Draft::new(Method::POST, bucket, KEY).query("uploads", "");
        let refused = fixture.send_draft(caller, create()).await;
        assert!(refused.is_refused(&[403]), "{}", refused.describe());
        let created = fixture
            .send_draft(caller, create().header(ENCRYPTION, "AES256"))
            .await;
        let created = created.text();
        let (_, upload) = created.split_once("<UploadId>").unwrap();
        let upload = upload.split('<').next().unwrap();
        let of_upload = |method| Draft::new(method, bucket, KEY).query("uploadId", upload);
        // Neither names the encryption again.
        let part = || {
            of_upload(Method::PUT)
                .query("partNumber", "1")
                .body("a part")
        };
        let sent = fixture.send_draft(caller, part()).await;
        let etag = etag(&sent);

        let deny = demanding(bucket, "aws:kms");
        fixture.put_policy(bucket, Some(deny)).await;
        let refused = fixture.send_draft(caller, part()).await;
        assert!(refused.is_refused(&[403]), "{}", refused.describe());

        let deny = demanding(bucket, "AES256");
        fixture.put_policy(bucket, Some(deny)).await;
        let parts = format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>\
             </CompleteMultipartUpload>"
        );
        let complete = of_upload(Method::POST).body(parts);
        let completed = fixture.send_draft(caller, complete).await;
        assert_eq!(completed.status(), 200, "{}", completed.describe());
    }
}

fn etag(sent: &Outcome) -> String {
    assert_eq!(sent.status(), 200, "{}", sent.describe());
    let etag = &sent.response.headers()["etag"];
    etag.to_str().unwrap().to_owned()
}
