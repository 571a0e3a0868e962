//! Configurations of which a bucket has several, by id: of metrics, analytics, inventories and
//! Intelligent-Tiering. They are stored and returned; nothing is measured, reported or moved.
//!
//! Source: answers recorded from AWS (`tests/suites/README.md`).

use http::StatusCode;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::*;

use crate::embedded::buckets;
use crate::embedded::configurations;
use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::tables::Tables;
use crate::embedded::service::Service;
use crate::embedded::service::configuring;

/// The four operations on one kind of configurations.
macro_rules! several {
    ($($kind:literal $element:literal $field:ident $list_field:ident $check:ident:
        $get:ident $get_input:ident $get_output:ident,
        $list:ident $list_input:ident $list_output:ident,
        $put:ident $put_input:ident $put_output:ident,
        $delete:ident $delete_input:ident $delete_output:ident;)*) => {
        $(
            pub(super) async fn $get(
                service: &Service,
                request: S3Request<$get_input>,
            ) -> S3Result<S3Response<$get_output>> {
                let input = request.input;
                let document = find(service, &input.bucket, $kind, &input.id)?;
                let found = configuring::content($element, &document)?;
                Ok(S3Response::new($get_output { $field: Some(found) }))
            }

            pub(super) async fn $list(
                service: &Service,
                request: S3Request<$list_input>,
            ) -> S3Result<S3Response<$list_output>> {
                let input = request.input;
                let after = input.continuation_token.clone().unwrap_or_default();
                let (documents, next) = page(service, &input.bucket, $kind, &after)?;
                let documents = documents.iter();
                let found: Outcome<Vec<_>> = documents
                    .map(|document| configuring::content($element, document))
                    .collect();
                Ok(S3Response::new($list_output {
                    $list_field: Some(found?),
                    continuation_token: input.continuation_token,
                    is_truncated: Some(next.is_some()),
                    next_continuation_token: next,
                }))
            }

            pub(super) async fn $put(
                service: &Service,
                request: S3Request<$put_input>,
            ) -> S3Result<S3Response<$put_output>> {
                let input = request.input;
                configuring::find(service, &input.bucket)?;
                $check(&input.id, &input.$field)?;
                let document = configuring::document($element, &input.$field)?;
                store(service, input.bucket, $kind, input.id, document).await?;
                Ok(S3Response::new($put_output::default()))
            }

            pub(super) async fn $delete(
                service: &Service,
                request: S3Request<$delete_input>,
            ) -> S3Result<S3Response<$delete_output>> {
                let input = request.input;
                remove(service, input.bucket, $kind, input.id).await?;
                Ok(S3Response::new($delete_output::default()))
            }
        )*
    };
}

several! {
    "analytics" "AnalyticsConfiguration" analytics_configuration analytics_configuration_list check_analytics:
        get_bucket_analytics_configuration GetBucketAnalyticsConfigurationInput GetBucketAnalyticsConfigurationOutput,
        list_bucket_analytics_configurations ListBucketAnalyticsConfigurationsInput ListBucketAnalyticsConfigurationsOutput,
        put_bucket_analytics_configuration PutBucketAnalyticsConfigurationInput PutBucketAnalyticsConfigurationOutput,
        delete_bucket_analytics_configuration DeleteBucketAnalyticsConfigurationInput DeleteBucketAnalyticsConfigurationOutput;
    "intelligent-tiering" "IntelligentTieringConfiguration" intelligent_tiering_configuration intelligent_tiering_configuration_list check_tiering:
        get_bucket_intelligent_tiering_configuration GetBucketIntelligentTieringConfigurationInput GetBucketIntelligentTieringConfigurationOutput,
        list_bucket_intelligent_tiering_configurations ListBucketIntelligentTieringConfigurationsInput ListBucketIntelligentTieringConfigurationsOutput,
        put_bucket_intelligent_tiering_configuration PutBucketIntelligentTieringConfigurationInput PutBucketIntelligentTieringConfigurationOutput,
        delete_bucket_intelligent_tiering_configuration DeleteBucketIntelligentTieringConfigurationInput DeleteBucketIntelligentTieringConfigurationOutput;
    "inventory" "InventoryConfiguration" inventory_configuration inventory_configuration_list check_inventory:
        get_bucket_inventory_configuration GetBucketInventoryConfigurationInput GetBucketInventoryConfigurationOutput,
        list_bucket_inventory_configurations ListBucketInventoryConfigurationsInput ListBucketInventoryConfigurationsOutput,
        put_bucket_inventory_configuration PutBucketInventoryConfigurationInput PutBucketInventoryConfigurationOutput,
        delete_bucket_inventory_configuration DeleteBucketInventoryConfigurationInput DeleteBucketInventoryConfigurationOutput;
    "metrics" "MetricsConfiguration" metrics_configuration metrics_configuration_list check_metrics:
        get_bucket_metrics_configuration GetBucketMetricsConfigurationInput GetBucketMetricsConfigurationOutput,
        list_bucket_metrics_configurations ListBucketMetricsConfigurationsInput ListBucketMetricsConfigurationsOutput,
        put_bucket_metrics_configuration PutBucketMetricsConfigurationInput PutBucketMetricsConfigurationOutput,
        delete_bucket_metrics_configuration DeleteBucketMetricsConfigurationInput DeleteBucketMetricsConfigurationOutput;
}

fn find(service: &Service, bucket: &str, kind: &str, id: &str) -> Outcome<String> {
    let document = service.store.index.read(|snapshot| {
        let bucket = buckets::find(&snapshot.buckets()?, bucket)?;
        configurations::find_document(&snapshot.configurations()?, bucket.number, kind, id)
    })?;
    document.ok_or_else(no_configuration)
}

/// The documents of a page, and after which id the next one begins.
fn page(
    service: &Service,
    bucket: &str,
    kind: &str,
    after: &str,
) -> Outcome<(Vec<String>, Option<String>)> {
    let mut documents = service.store.index.read(|snapshot| {
        let number = buckets::find(&snapshot.buckets()?, bucket)?.number;
        let table = snapshot.configurations()?;
        configurations::list_documents(&table, number, kind, after, PAGE_MAX)
    })?;
    let is_truncated = documents.len() > PAGE_MAX;
    documents.truncate(PAGE_MAX);
    let last = documents.last().map(|(id, _)| id.clone());
    let documents = documents.into_iter().map(|(_, document)| document);
    Ok((documents.collect(), last.filter(|_| is_truncated)))
}

async fn store(
    service: &Service,
    bucket: String,
    kind: &'static str,
    id: String,
    document: String,
) -> Outcome<()> {
    let store = move |tables: &mut Tables<'_>| {
        let number = buckets::find(&*tables.buckets, &bucket)?.number;
        configurations::store_document(tables, number, kind, &id, &document)
    };
    service.store.index.change(store).await
}

async fn remove(service: &Service, bucket: String, kind: &'static str, id: String) -> Outcome<()> {
    let remove = move |tables: &mut Tables<'_>| {
        let number = buckets::find(&*tables.buckets, &bucket)?.number;
        match configurations::remove_document(tables, number, kind, &id)? {
            true => Ok(()),
            false => Err(no_configuration()),
        }
    };
    service.store.index.change(remove).await
}

fn check_analytics(id: &str, configuration: &AnalyticsConfiguration) -> Outcome<()> {
    check_id(id, &configuration.id, configuring::malformed)
}

fn check_tiering(id: &str, configuration: &IntelligentTieringConfiguration) -> Outcome<()> {
    check_id(id, &configuration.id, configuring::malformed)?;
    for tiering in &configuration.tierings {
        let tier = tiering.access_tier.as_str();
        let Some((_, least)) = TIERS.iter().find(|(name, _)| *name == tier) else {
            return Err(configuring::malformed());
        };
        if !(*least..=TIERING_DAYS_MAX).contains(&tiering.days) {
            let message = format!("'Days' of {tier} must be from {least} to {TIERING_DAYS_MAX}");
            return Err(Fault::argument(message, "Days", &tiering.days.to_string()));
        }
    }
    Ok(())
}

fn check_metrics(id: &str, configuration: &MetricsConfiguration) -> Outcome<()> {
    check_id(id, &configuration.id, configuring::malformed)
}

fn check_inventory(id: &str, configuration: &InventoryConfiguration) -> Outcome<()> {
    let refused = |code, message| Fault::custom(code, StatusCode::BAD_REQUEST, message);
    let other = "Document ID does not match the specified configuration ID.";
    check_id(id, &configuration.id, || refused("IdMismatch", other))?;
    let destination = &configuration.destination.s3_bucket_destination;
    let bucket = destination.bucket.split(':').collect::<Vec<_>>();
    if !matches!(bucket.as_slice(), ["arn", _, "s3", "", "", name] if !name.is_empty()) {
        let code = "InvalidS3DestinationBucket";
        return Err(refused(code, "Invalid bucket ARN."));
    }
    let fields = configuration.optional_fields.iter().flatten();
    let is_right = ["CSV", "ORC", "Parquet"].contains(&destination.format.as_str())
        && ["Daily", "Weekly"].contains(&configuration.schedule.frequency.as_str())
        && ["All", "Current"].contains(&configuration.included_object_versions.as_str())
        && fields
            .map(InventoryOptionalField::as_str)
            .all(|field| INVENTORY_FIELDS.contains(&field));
    match is_right {
        true => Ok(()),
        false => Err(configuring::malformed()),
    }
}

/// The id in a document must be that of the request.
fn check_id(id: &str, in_document: &str, refusal: impl Fn() -> Fault) -> Outcome<()> {
    match !id.is_empty() && id == in_document {
        true => Ok(()),
        false => Err(refusal()),
    }
}

fn no_configuration() -> Fault {
    let message = "The specified configuration does not exist.";
    Fault::custom("NoSuchConfiguration", StatusCode::NOT_FOUND, message)
}

/// The tiers that Intelligent-Tiering moves objects to where it is told so, and after how many days at least.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Tiering.html>
const TIERS: [(&str, i32); 2] = [("ARCHIVE_ACCESS", 90), ("DEEP_ARCHIVE_ACCESS", 180)];

/// After how many days at most.
const TIERING_DAYS_MAX: i32 = 730;

/// Most configurations of a page.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBucketMetricsConfigurations.html>
const PAGE_MAX: usize = 100;

/// What an inventory may list of objects besides their keys.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_InventoryConfiguration.html>
const INVENTORY_FIELDS: [&str; 15] = [
    "Size",
    "LastModifiedDate",
    "StorageClass",
    "ETag",
    "IsMultipartUploaded",
    "ReplicationStatus",
    "EncryptionStatus",
    "ObjectLockRetainUntilDate",
    "ObjectLockMode",
    "ObjectLockLegalHoldStatus",
    "IntelligentTieringAccessTier",
    "BucketKeyStatus",
    "ChecksumAlgorithm",
    "ObjectAccessControlList",
    "ObjectOwner",
];
