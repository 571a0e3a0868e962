//! PutBucketLogging and GetBucketLogging.

use bytes::Bytes;
use http::Method;
use http::Response;
use sealgate::credentials::ALT_ACCOUNT;
use sealgate::credentials::MAIN_ACCOUNT;
use tests::expect::expect_s3_error;
use tests::signed::Draft;
use tests::world::World;

use crate::access_log::Logs;
use crate::access_log::enabled;

const EMPTY: &str = "<BucketLoggingStatus xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>";

/// A world with `src` and `dst` of one account and `others` of another.
async fn world() -> Logs {
    let logs = Logs::empty(World::setup()).await;
    for bucket in ["src", "dst"] {
        logs.put(bucket, "", "", "").await;
    }
    let create = Draft::new(Method::PUT, "others", "");
    assert_eq!(logs.send_as(&logs.world.alt, create).await.status(), 200);
    logs
}

async fn put(logs: &Logs, bucket: &str, document: &str) -> Response<Bytes> {
    let put = Draft::new(Method::PUT, bucket, "").query("logging", "");
    logs.world.send(put.body(document.to_owned())).await
}

async fn get(logs: &Logs, bucket: &str) -> String {
    let get = Draft::new(Method::GET, bucket, "").query("logging", "");
    let answer = logs.world.send(get).await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    let text = String::from_utf8(answer.body().to_vec()).unwrap();
    let (_, document) = text.split_once('\n').unwrap();
    document.to_owned()
}

fn grant(kind: &str, who: &str) -> String {
    format!(
        "<TargetGrants><Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xsi:type=\"{kind}\">{who}</Grantee><Permission>READ</Permission></Grant></TargetGrants>"
    )
}

#[tokio::test]
async fn a_configuration_is_returned_as_it_was_put_and_an_empty_one_switches_the_log_off() {
    let logs = world().await;
    assert_eq!(get(&logs, "src").await, EMPTY);
    for more in [
        "",
        "<TargetObjectKeyFormat><SimplePrefix/></TargetObjectKeyFormat>",
        "<TargetObjectKeyFormat><PartitionedPrefix><PartitionDateSource>DeliveryTime</PartitionDateSource>\
         </PartitionedPrefix></TargetObjectKeyFormat>",
    ] {
        let document = enabled("dst", more);
        let answer = put(&logs, "src", &document).await;
        assert_eq!(answer.status(), 200, "{answer:?}");
        assert!(answer.body().is_empty());
        assert_eq!(get(&logs, "src").await, document);
    }
    let older = enabled("dst", "").replace(
        "http://s3.amazonaws.com/doc/2006-03-01/",
        "http://doc.s3.amazonaws.com/2006-03-01",
    );
    assert_eq!(put(&logs, "src", &older).await.status(), 200);
    assert_eq!(get(&logs, "src").await, enabled("dst", ""));
    for empty in [EMPTY, "<BucketLoggingStatus/>"] {
        assert_eq!(put(&logs, "src", &enabled("dst", "")).await.status(), 200);
        assert_eq!(put(&logs, "src", empty).await.status(), 200);
        assert_eq!(get(&logs, "src").await, EMPTY);
    }
    let asked = logs.world.backend.requests();
    assert!(
        asked
            .iter()
            .all(|request| !request.query.contains("logging"))
    );
}

#[tokio::test]
async fn a_target_that_cannot_receive_the_log_is_refused() {
    let logs = world().await;
    for target in [
        "no-such-bucket",
        "sealgate-state",
        "../dst",
        "arn:aws:s3:::dst",
        "",
    ] {
        let answer = put(&logs, "src", &enabled(target, "")).await;
        expect_s3_error(&answer, "InvalidTargetBucketForLogging", 400);
        let text = String::from_utf8_lossy(answer.body());
        assert!(
            text.contains("The target bucket for logging does not exist"),
            "{text}"
        );
        assert!(text.contains("TargetBucket"), "{text}");
    }
    let answer = put(&logs, "src", &enabled("others", "")).await;
    expect_s3_error(&answer, "InvalidTargetBucketForLogging", 400);
    let text = String::from_utf8_lossy(answer.body());
    let message = "The owner for the bucket to be logged and the target bucket must be the same.";
    assert!(text.contains(message), "{text}");
    assert!(
        text.contains("<TargetBucket>others</TargetBucket>"),
        "{text}"
    );

    let answer = put(&logs, "no-such-bucket", &enabled("dst", "")).await;
    expect_s3_error(&answer, "NoSuchBucket", 404);
    let answer = put(
        &logs,
        "src",
        &enabled("dst", &grant("AmazonCustomerByEmail", "")),
    )
    .await;
    expect_s3_error(&answer, "MethodNotAllowed", 405);
    let document = "<BucketLoggingStatus><LoggingEnabled/></BucketLoggingStatus>";
    expect_s3_error(&put(&logs, "src", document).await, "MalformedXML", 400);
    assert_eq!(get(&logs, "src").await, EMPTY);
}

#[tokio::test]
async fn a_target_in_another_region_is_refused() {
    let logs = world().await;
    let location = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>\
        </CreateBucketConfiguration>";
    logs.put("far", "", "", location).await;
    for (source, target) in [("src", "far"), ("far", "dst")] {
        let answer = put(&logs, source, &enabled(target, "")).await;
        expect_s3_error(&answer, "CrossLocationLoggingProhibitted", 403);
        let text = String::from_utf8_lossy(answer.body());
        assert!(text.contains("Location>eu-west-1</"), "{text}");
    }
}

#[tokio::test]
async fn target_grants_need_a_target_with_access_control_lists() {
    let logs = world().await;
    let document = enabled("dst", "").replace(
        "<TargetPrefix>",
        &format!("{}<TargetPrefix>", grant("CanonicalUser", "<ID>abc</ID>")),
    );
    let controls = |ownership: &str| {
        format!(
            "<OwnershipControls><Rule><ObjectOwnership>{ownership}</ObjectOwnership></Rule></OwnershipControls>"
        )
    };
    let name = "ownershipControls";
    let enforced = controls("BucketOwnerEnforced");
    logs.put("dst", "", name, &enforced).await;
    let answer = put(&logs, "src", &document).await;
    expect_s3_error(&answer, "InvalidArgument", 400);
    let text = String::from_utf8_lossy(answer.body());
    let message = "Target grants not allowed for bucket owner enforced buckets";
    assert!(text.contains(message), "{text}");
    logs.put("dst", "", name, &controls("ObjectWriter")).await;
    let answer = put(&logs, "src", &document).await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert_eq!(get(&logs, "src").await, document);
}

#[tokio::test]
async fn only_the_owner_switches_a_log_on_whatever_the_policy_allows() {
    let logs = world().await;
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{ALT_ACCOUNT}"}},
        "Action":["s3:PutBucketLogging","s3:GetBucketLogging"],"Resource":"arn:aws:s3:::src"}}]}}"#
    );
    logs.put("src", "", "policy", &policy).await;
    let alt = &logs.world.alt;
    let draft = |method| Draft::new(method, "src", "").query("logging", "");
    for document in [enabled("others", ""), enabled("dst", ""), EMPTY.to_owned()] {
        let put = draft(Method::PUT).body(document);
        expect_s3_error(&logs.send_as(alt, put).await, "AccessDenied", 403);
    }
    assert_eq!(logs.send_as(alt, draft(Method::GET)).await.status(), 200);
    assert_ne!(MAIN_ACCOUNT, ALT_ACCOUNT);
}
