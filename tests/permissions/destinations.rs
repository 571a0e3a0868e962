//! Where a configuration lets a backend write or send to: what is of the caller's account only.

use http::Method;
use sealgate::credentials::ALT_ACCOUNT;
use sealgate::credentials::MAIN_ACCOUNT;
use tests::backend::Action;
use tests::backend::Fault;
use tests::signed::Draft;

use crate::fixture::Caller;
use crate::fixture::Fixture;
use crate::reference;

/// Subresource and body of each configuration that names a bucket, the bucket as `{}`.
const CONFIGURATIONS: [(&str, &str); 7] = [
    (
        "inventory",
        "<InventoryConfiguration><Id>a</Id><IsEnabled>true</IsEnabled><Destination><S3BucketDestination>\
         <Bucket>arn:aws:s3:::{}</Bucket><Format>CSV</Format></S3BucketDestination></Destination>\
         <Schedule><Frequency>Daily</Frequency></Schedule>\
         <IncludedObjectVersions>All</IncludedObjectVersions></InventoryConfiguration>",
    ),
    (
        "inventory",
        "<i:InventoryConfiguration xmlns:i=\"http://s3.amazonaws.com/doc/2006-03-01/\"><i:Id>a</i:Id>\
         <i:Destination><i:S3BucketDestination><i:Bucket>arn:aws:s3:::{}</i:Bucket>\
         </i:S3BucketDestination></i:Destination></i:InventoryConfiguration>",
    ),
    (
        "inventory",
        "<InventoryConfiguration><Id>a</Id><Destination><S3BucketDestination>\
         <Bucket>arn:aws:s3:::{own}</Bucket></S3BucketDestination></Destination><Destination>\
         <S3BucketDestination><Bucket>arn:aws:s3:::{}</Bucket></S3BucketDestination></Destination>\
         </InventoryConfiguration>",
    ),
    (
        "inventory",
        "<InventoryConfiguration><Id>a</Id><Destination><S3BucketDestination>\
         <Bucket><![CDATA[arn:aws:s3:::{}]]></Bucket></S3BucketDestination></Destination>\
         </InventoryConfiguration>",
    ),
    (
        "analytics",
        "<AnalyticsConfiguration><Id>a</Id><StorageClassAnalysis><DataExport>\
         <OutputSchemaVersion>V_1</OutputSchemaVersion><Destination><S3BucketDestination>\
         <Format>CSV</Format><Bucket>arn:aws:s3:::{}</Bucket></S3BucketDestination></Destination>\
         </DataExport></StorageClassAnalysis></AnalyticsConfiguration>",
    ),
    (
        "logging",
        "<BucketLoggingStatus><LoggingEnabled><TargetBucket>{}</TargetBucket><TargetPrefix/>\
         </LoggingEnabled></BucketLoggingStatus>",
    ),
    (
        "logging",
        "<BucketLoggingStatus><LoggingEnabled><TargetPrefix/><TargetBucket>\n {}\n </TargetBucket>\
         </LoggingEnabled></BucketLoggingStatus>",
    ),
];

#[tokio::test]
async fn a_destination_of_another_account_or_of_the_gateway_is_refused() {
    let fixture = Fixture::start().await;
    let operation = &reference::operations()["PutBucketLogging"];
    let mut wrong = Vec::new();
    for caller in [Caller::Owner, Caller::Other] {
        let buckets = fixture.buckets(operation, caller).await;
        fixture.put_policies(&buckets, None).await;
        let foreign = match caller {
            Caller::Owner => "others-own",
            Caller::Other => "owners-own",
        };
        for (subresource, body) in CONFIGURATIONS {
            for destination in [
                foreign,
                "sealgate-state",
                "se&#97;lgate-state",
                "no-such-bucket",
            ] {
                if body.contains("CDATA") && destination.contains('&') {
                    // There it is no entity.
                    continue;
                }
                let body = buckets.fill(&body.replace("{}", destination));
                let put = Draft::new(Method::PUT, &buckets.bucket, "").query(subresource, "");
                let put = if subresource == "logging" {
                    put
                } else {
                    put.query("id", "a")
                };
                let put = put.header("content-md5", &crate::buckets::digest(&body));
                let outcome = fixture.send_draft(caller, put.body(body)).await;
                let (status, code) = match subresource {
                    "logging" if caller == Caller::Owner => (400, "InvalidTargetBucketForLogging"),
                    _ => (403, "AccessDenied"),
                };
                if !outcome.is_refused(&[status]) || !outcome.text().contains(code) {
                    let row = format!("{caller:?} {subresource} {destination}");
                    wrong.push(format!("{row}: {}", outcome.describe()));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} requests\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[tokio::test]
async fn a_destination_of_the_callers_account_is_taken() {
    let fixture = Fixture::start().await;
    let operation = &reference::operations()["PutBucketLogging"];
    for caller in [Caller::Owner, Caller::Other] {
        let buckets = fixture.buckets(operation, caller).await;
        fixture.put_policies(&buckets, None).await;
        let (subresource, body) = CONFIGURATIONS[0];
        let body = buckets.fill(&body.replace("{}", "{own}"));
        let put = Draft::new(Method::PUT, &buckets.bucket, "").query(subresource, "");
        let put = put.query("id", "a");
        let put = put.header("content-md5", &crate::buckets::digest(&body));
        let outcome = fixture.send_draft(caller, put.body(body)).await;
        assert_ne!(outcome.status(), 403, "{}", outcome.describe());
        assert_eq!(outcome.received.len(), 1, "{}", outcome.describe());
    }
}

/// PutBucketNotificationConfiguration for a queue of this ARN.
fn notification(bucket: &str, queue: &str) -> Draft {
    let body = format!(
        "<NotificationConfiguration><QueueConfiguration><Queue>{queue}</Queue>\
         <Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>"
    );
    let put = Draft::new(Method::PUT, bucket, "").query("notification", "");
    let put = put.header("content-md5", &crate::buckets::digest(&body));
    put.body(body)
}

#[tokio::test]
async fn a_queue_is_taken_that_is_of_the_callers_account_or_of_none() {
    let fixture = Fixture::start().await;
    let operation = &reference::operations()["PutBucketNotificationConfiguration"];
    for (caller, own, other) in [
        (Caller::Owner, MAIN_ACCOUNT, ALT_ACCOUNT),
        (Caller::Other, ALT_ACCOUNT, MAIN_ACCOUNT),
    ] {
        let buckets = fixture.buckets(operation, caller).await;
        fixture.put_policies(&buckets, None).await;
        let queue_of = |account: &str| format!("arn:aws:sqs:us-east-1:{account}:events");
        let of_minio = "arn:minio:sqs::1:webhook".to_owned();
        for (queue, is_taken) in [
            (queue_of(own), true),
            (of_minio, true),
            (queue_of(other), false),
        ] {
            let put = notification(&buckets.bucket, &queue);
            let outcome = fixture.send_draft(caller, put).await;
            let described = format!("{caller:?} {queue}: {}", outcome.describe());
            match is_taken {
                true => assert_eq!(outcome.received.len(), 1, "{described}"),
                false => assert!(outcome.is_refused(&[403]), "{described}"),
            }
        }
    }
}

#[tokio::test]
async fn a_destination_that_is_gone_is_denied_and_one_that_cannot_be_looked_up_is_unavailable() {
    let fixture = Fixture::start().await;
    let operation = &reference::operations()["PutBucketLogging"];
    let buckets = fixture.buckets(operation, Caller::Owner).await;
    fixture.put_policies(&buckets, None).await;
    let send = async || {
        let (subresource, body) = CONFIGURATIONS[0];
        let body = buckets.fill(&body.replace("{}", "{own}"));
        let put = Draft::new(Method::PUT, &buckets.bucket, "").query(subresource, "");
        let put = put.query("id", "a");
        let put = put.header("content-md5", &crate::buckets::digest(&body));
        fixture.send_draft(Caller::Owner, put.body(body)).await
    };
    let backend = &fixture.world.backend;
    let path = buckets.fill("/{own}");
    let refuse = Action::Refuse(503, "SlowDown");
    backend.inject(Fault::on(move |request| request.path == path, refuse));
    let unavailable = send().await;
    let described = unavailable.describe();
    assert!(unavailable.is_refused(&[503]), "{described}");
    backend.heal();
    backend.remove_bucket(&buckets.fill("{own}"));
    let denied = send().await;
    assert!(denied.is_refused(&[403]), "{}", denied.describe());
}
