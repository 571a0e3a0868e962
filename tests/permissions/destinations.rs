//! Where a configuration lets a backend write: into buckets of the caller's account only.

use http::Method;
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
