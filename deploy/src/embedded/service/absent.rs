//! What buckets of the embedded backend never have: each read answers as AWS does of a bucket without
//! it, and each write says so and names the way out.

use http::StatusCode;
use s3s::S3ErrorCode;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::*;

use crate::embedded::fault::Fault;
use crate::embedded::service::Service;
use crate::embedded::service::buckets::find;

/// Operations on configurations of which a bucket has several, by id: it has none.
macro_rules! several {
    ($($what:literal: $get:ident $get_input:ident $get_output:ident,
        $list:ident $list_input:ident $list_output:ident,
        $put:ident $put_input:ident $put_output:ident,
        $delete:ident $delete_input:ident $delete_output:ident;)*) => {
        $(
            pub(super) async fn $get(
                service: &Service,
                request: S3Request<$get_input>,
            ) -> S3Result<S3Response<$get_output>> {
                find(service, &request.input.bucket)?;
                Err(no_configuration().into())
            }

            pub(super) async fn $list(
                service: &Service,
                request: S3Request<$list_input>,
            ) -> S3Result<S3Response<$list_output>> {
                find(service, &request.input.bucket)?;
                Ok(S3Response::new($list_output {
                    is_truncated: Some(false),
                    ..$list_output::default()
                }))
            }

            pub(super) async fn $put(
                service: &Service,
                request: S3Request<$put_input>,
            ) -> S3Result<S3Response<$put_output>> {
                find(service, &request.input.bucket)?;
                Err(not_implemented($what).into())
            }

            pub(super) async fn $delete(
                service: &Service,
                request: S3Request<$delete_input>,
            ) -> S3Result<S3Response<$delete_output>> {
                find(service, &request.input.bucket)?;
                Err(no_configuration().into())
            }
        )*
    };
}

several! {
    "Analytics configurations":
        get_bucket_analytics_configuration GetBucketAnalyticsConfigurationInput GetBucketAnalyticsConfigurationOutput,
        list_bucket_analytics_configurations ListBucketAnalyticsConfigurationsInput ListBucketAnalyticsConfigurationsOutput,
        put_bucket_analytics_configuration PutBucketAnalyticsConfigurationInput PutBucketAnalyticsConfigurationOutput,
        delete_bucket_analytics_configuration DeleteBucketAnalyticsConfigurationInput DeleteBucketAnalyticsConfigurationOutput;
    "Intelligent-Tiering configurations":
        get_bucket_intelligent_tiering_configuration GetBucketIntelligentTieringConfigurationInput GetBucketIntelligentTieringConfigurationOutput,
        list_bucket_intelligent_tiering_configurations ListBucketIntelligentTieringConfigurationsInput ListBucketIntelligentTieringConfigurationsOutput,
        put_bucket_intelligent_tiering_configuration PutBucketIntelligentTieringConfigurationInput PutBucketIntelligentTieringConfigurationOutput,
        delete_bucket_intelligent_tiering_configuration DeleteBucketIntelligentTieringConfigurationInput DeleteBucketIntelligentTieringConfigurationOutput;
    "Inventories":
        get_bucket_inventory_configuration GetBucketInventoryConfigurationInput GetBucketInventoryConfigurationOutput,
        list_bucket_inventory_configurations ListBucketInventoryConfigurationsInput ListBucketInventoryConfigurationsOutput,
        put_bucket_inventory_configuration PutBucketInventoryConfigurationInput PutBucketInventoryConfigurationOutput,
        delete_bucket_inventory_configuration DeleteBucketInventoryConfigurationInput DeleteBucketInventoryConfigurationOutput;
    "Metrics configurations":
        get_bucket_metrics_configuration GetBucketMetricsConfigurationInput GetBucketMetricsConfigurationOutput,
        list_bucket_metrics_configurations ListBucketMetricsConfigurationsInput ListBucketMetricsConfigurationsOutput,
        put_bucket_metrics_configuration PutBucketMetricsConfigurationInput PutBucketMetricsConfigurationOutput,
        delete_bucket_metrics_configuration DeleteBucketMetricsConfigurationInput DeleteBucketMetricsConfigurationOutput;
}

/// Operations that are refused with a code and a message once the bucket is found.
macro_rules! refused {
    ($($name:ident $input:ident $output:ident: $fault:expr;)*) => {
        $(
            pub(super) async fn $name(
                service: &Service,
                request: S3Request<$input>,
            ) -> S3Result<S3Response<$output>> {
                find(service, &request.input.bucket)?;
                Err($fault.into())
            }
        )*
    };
}

refused! {
    create_bucket_metadata_table_configuration CreateBucketMetadataTableConfigurationInput CreateBucketMetadataTableConfigurationOutput:
        not_implemented("Metadata tables");
    get_bucket_metadata_table_configuration GetBucketMetadataTableConfigurationInput GetBucketMetadataTableConfigurationOutput:
        no_metadata_table();
    get_bucket_policy_status GetBucketPolicyStatusInput GetBucketPolicyStatusOutput:
        Fault::message(S3ErrorCode::NoSuchBucketPolicy, "The bucket policy does not exist");
    get_bucket_replication GetBucketReplicationInput GetBucketReplicationOutput:
        Fault::message(S3ErrorCode::ReplicationConfigurationNotFoundError, "The replication configuration was not found");
    get_bucket_website GetBucketWebsiteInput GetBucketWebsiteOutput:
        Fault::message(S3ErrorCode::NoSuchWebsiteConfiguration, "The specified bucket does not have a website configuration");
    put_bucket_replication PutBucketReplicationInput PutBucketReplicationOutput: not_implemented("Replications");
    put_bucket_website PutBucketWebsiteInput PutBucketWebsiteOutput: not_implemented("Websites");
}

/// Operations that delete what is not there.
macro_rules! deleted {
    ($($name:ident $input:ident $output:ident;)*) => {
        $(
            pub(super) async fn $name(
                service: &Service,
                request: S3Request<$input>,
            ) -> S3Result<S3Response<$output>> {
                find(service, &request.input.bucket)?;
                Ok(S3Response::new($output::default()))
            }
        )*
    };
}

deleted! {
    delete_bucket_metadata_table_configuration DeleteBucketMetadataTableConfigurationInput DeleteBucketMetadataTableConfigurationOutput;
    delete_bucket_replication DeleteBucketReplicationInput DeleteBucketReplicationOutput;
    delete_bucket_website DeleteBucketWebsiteInput DeleteBucketWebsiteOutput;
}

pub(super) async fn restore_object(
    service: &Service,
    request: S3Request<RestoreObjectInput>,
) -> S3Result<S3Response<RestoreObjectOutput>> {
    find(service, &request.input.bucket)?;
    let message = "Restore is not allowed, as the object's storage class is not one that has to be \
                   restored: the embedded backend keeps all objects where they can be read at once.";
    Err(Fault::message(S3ErrorCode::InvalidObjectState, message).into())
}

/// The refusal of what the embedded backend does not do.
pub(super) fn not_implemented(what: &str) -> Fault {
    let message = format!(
        "{what} are not implemented by the embedded backend: start Sealgate with --backend and a \
         backend that has them."
    );
    Fault::message(S3ErrorCode::NotImplemented, message)
}

fn no_configuration() -> Fault {
    let message = "The specified configuration does not exist.";
    Fault::custom("NoSuchConfiguration", StatusCode::NOT_FOUND, message)
}

fn no_metadata_table() -> Fault {
    let message = "The metadata table configuration does not exist";
    let code = "MetadataTableConfigurationNotFound";
    Fault::custom(code, StatusCode::NOT_FOUND, message)
}
