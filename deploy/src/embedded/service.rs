//! The S3 API of the store: each operation in the file of its kind.
//!
//! `s3s` reads requests and writes answers. What is not here it answers with `NotImplemented`.

use s3s::S3;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::*;
use s3s::service::S3ServiceBuilder;

use crate::embedded::service::unrouted::Unrouted;
use crate::embedded::store::Store;

mod absent;
mod acceleration;
mod access_control;
mod attributes;
mod bucket_tagging;
mod buckets;
mod configuring;
mod configuring_by_id;
mod copying;
mod deleting;
mod intake;
mod lifecycle;
mod lifecycle_headers;
mod lifecycle_rule;
mod lifecycle_transition;
mod listing;
mod locking;
mod names;
mod notification;
mod ownership;
mod reading;
mod tagging;
mod unrouted;
mod uploading;
mod uploads_listing;
mod writing;

/// The S3 API of a store.
pub struct Service {
    store: Store,
    region: String,
}

impl Service {
    /// The API of a store whose buckets are in a Region.
    #[must_use]
    pub fn new(store: Store, region: String) -> Self {
        Self { store, region }
    }

    /// Its protocol: reads requests, writes answers.
    #[must_use]
    pub fn into_protocol(self) -> S3ServiceBuilder {
        let mut builder = S3ServiceBuilder::new(self);
        builder.set_route(Unrouted);
        builder
    }
}

/// Marks a request of the gateway in the same process. It seals what it sends, so nobody looks for an
/// MD5 in the ETags of this backend, and none is computed.
#[derive(Clone, Copy, Debug)]
pub struct InProcess;

/// Implements [`S3`]: each operation by the function of its name in a module.
macro_rules! serve {
    ($($module:ident::$name:ident: $input:ident => $output:ident,)*) => {
        #[async_trait::async_trait]
        impl S3 for Service {
            $(
                async fn $name(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                    $module::$name(self, request).await
                }
            )*
        }
    };
}

serve! {
    configuring_by_id::delete_bucket_analytics_configuration: DeleteBucketAnalyticsConfigurationInput => DeleteBucketAnalyticsConfigurationOutput,
    configuring_by_id::get_bucket_analytics_configuration: GetBucketAnalyticsConfigurationInput => GetBucketAnalyticsConfigurationOutput,
    configuring_by_id::list_bucket_analytics_configurations: ListBucketAnalyticsConfigurationsInput => ListBucketAnalyticsConfigurationsOutput,
    configuring_by_id::put_bucket_analytics_configuration: PutBucketAnalyticsConfigurationInput => PutBucketAnalyticsConfigurationOutput,
    configuring_by_id::delete_bucket_intelligent_tiering_configuration: DeleteBucketIntelligentTieringConfigurationInput => DeleteBucketIntelligentTieringConfigurationOutput,
    configuring_by_id::get_bucket_intelligent_tiering_configuration: GetBucketIntelligentTieringConfigurationInput => GetBucketIntelligentTieringConfigurationOutput,
    configuring_by_id::list_bucket_intelligent_tiering_configurations: ListBucketIntelligentTieringConfigurationsInput => ListBucketIntelligentTieringConfigurationsOutput,
    configuring_by_id::put_bucket_intelligent_tiering_configuration: PutBucketIntelligentTieringConfigurationInput => PutBucketIntelligentTieringConfigurationOutput,
    configuring_by_id::delete_bucket_inventory_configuration: DeleteBucketInventoryConfigurationInput => DeleteBucketInventoryConfigurationOutput,
    configuring_by_id::get_bucket_inventory_configuration: GetBucketInventoryConfigurationInput => GetBucketInventoryConfigurationOutput,
    configuring_by_id::list_bucket_inventory_configurations: ListBucketInventoryConfigurationsInput => ListBucketInventoryConfigurationsOutput,
    configuring_by_id::put_bucket_inventory_configuration: PutBucketInventoryConfigurationInput => PutBucketInventoryConfigurationOutput,
    configuring_by_id::delete_bucket_metrics_configuration: DeleteBucketMetricsConfigurationInput => DeleteBucketMetricsConfigurationOutput,
    configuring_by_id::get_bucket_metrics_configuration: GetBucketMetricsConfigurationInput => GetBucketMetricsConfigurationOutput,
    configuring_by_id::list_bucket_metrics_configurations: ListBucketMetricsConfigurationsInput => ListBucketMetricsConfigurationsOutput,
    configuring_by_id::put_bucket_metrics_configuration: PutBucketMetricsConfigurationInput => PutBucketMetricsConfigurationOutput,
    absent::create_bucket_metadata_table_configuration: CreateBucketMetadataTableConfigurationInput => CreateBucketMetadataTableConfigurationOutput,
    absent::delete_bucket_metadata_table_configuration: DeleteBucketMetadataTableConfigurationInput => DeleteBucketMetadataTableConfigurationOutput,
    absent::delete_bucket_replication: DeleteBucketReplicationInput => DeleteBucketReplicationOutput,
    absent::delete_bucket_website: DeleteBucketWebsiteInput => DeleteBucketWebsiteOutput,
    absent::get_bucket_metadata_table_configuration: GetBucketMetadataTableConfigurationInput => GetBucketMetadataTableConfigurationOutput,
    absent::get_bucket_policy_status: GetBucketPolicyStatusInput => GetBucketPolicyStatusOutput,
    absent::get_bucket_replication: GetBucketReplicationInput => GetBucketReplicationOutput,
    absent::get_bucket_website: GetBucketWebsiteInput => GetBucketWebsiteOutput,
    absent::put_bucket_replication: PutBucketReplicationInput => PutBucketReplicationOutput,
    absent::put_bucket_website: PutBucketWebsiteInput => PutBucketWebsiteOutput,
    absent::restore_object: RestoreObjectInput => RestoreObjectOutput,
    acceleration::get_bucket_accelerate_configuration: GetBucketAccelerateConfigurationInput => GetBucketAccelerateConfigurationOutput,
    acceleration::get_bucket_request_payment: GetBucketRequestPaymentInput => GetBucketRequestPaymentOutput,
    acceleration::put_bucket_accelerate_configuration: PutBucketAccelerateConfigurationInput => PutBucketAccelerateConfigurationOutput,
    acceleration::put_bucket_request_payment: PutBucketRequestPaymentInput => PutBucketRequestPaymentOutput,
    access_control::get_bucket_acl: GetBucketAclInput => GetBucketAclOutput,
    access_control::get_object_acl: GetObjectAclInput => GetObjectAclOutput,
    access_control::put_bucket_acl: PutBucketAclInput => PutBucketAclOutput,
    access_control::put_object_acl: PutObjectAclInput => PutObjectAclOutput,
    bucket_tagging::delete_bucket_tagging: DeleteBucketTaggingInput => DeleteBucketTaggingOutput,
    bucket_tagging::get_bucket_tagging: GetBucketTaggingInput => GetBucketTaggingOutput,
    bucket_tagging::put_bucket_tagging: PutBucketTaggingInput => PutBucketTaggingOutput,
    lifecycle::delete_bucket_lifecycle: DeleteBucketLifecycleInput => DeleteBucketLifecycleOutput,
    lifecycle::get_bucket_lifecycle_configuration: GetBucketLifecycleConfigurationInput => GetBucketLifecycleConfigurationOutput,
    lifecycle::put_bucket_lifecycle_configuration: PutBucketLifecycleConfigurationInput => PutBucketLifecycleConfigurationOutput,
    notification::get_bucket_notification_configuration: GetBucketNotificationConfigurationInput => GetBucketNotificationConfigurationOutput,
    notification::put_bucket_notification_configuration: PutBucketNotificationConfigurationInput => PutBucketNotificationConfigurationOutput,
    ownership::delete_bucket_ownership_controls: DeleteBucketOwnershipControlsInput => DeleteBucketOwnershipControlsOutput,
    ownership::get_bucket_ownership_controls: GetBucketOwnershipControlsInput => GetBucketOwnershipControlsOutput,
    ownership::put_bucket_ownership_controls: PutBucketOwnershipControlsInput => PutBucketOwnershipControlsOutput,
    buckets::create_bucket: CreateBucketInput => CreateBucketOutput,
    buckets::delete_bucket: DeleteBucketInput => DeleteBucketOutput,
    buckets::get_bucket_location: GetBucketLocationInput => GetBucketLocationOutput,
    buckets::get_bucket_versioning: GetBucketVersioningInput => GetBucketVersioningOutput,
    buckets::head_bucket: HeadBucketInput => HeadBucketOutput,
    buckets::list_buckets: ListBucketsInput => ListBucketsOutput,
    buckets::put_bucket_versioning: PutBucketVersioningInput => PutBucketVersioningOutput,
    attributes::get_object_attributes: GetObjectAttributesInput => GetObjectAttributesOutput,
    copying::copy_object: CopyObjectInput => CopyObjectOutput,
    copying::upload_part_copy: UploadPartCopyInput => UploadPartCopyOutput,
    deleting::delete_object: DeleteObjectInput => DeleteObjectOutput,
    deleting::delete_objects: DeleteObjectsInput => DeleteObjectsOutput,
    listing::list_object_versions: ListObjectVersionsInput => ListObjectVersionsOutput,
    listing::list_objects: ListObjectsInput => ListObjectsOutput,
    listing::list_objects_v2: ListObjectsV2Input => ListObjectsV2Output,
    locking::get_object_legal_hold: GetObjectLegalHoldInput => GetObjectLegalHoldOutput,
    locking::get_object_lock_configuration: GetObjectLockConfigurationInput => GetObjectLockConfigurationOutput,
    locking::get_object_retention: GetObjectRetentionInput => GetObjectRetentionOutput,
    locking::put_object_legal_hold: PutObjectLegalHoldInput => PutObjectLegalHoldOutput,
    locking::put_object_lock_configuration: PutObjectLockConfigurationInput => PutObjectLockConfigurationOutput,
    locking::put_object_retention: PutObjectRetentionInput => PutObjectRetentionOutput,
    reading::get_object: GetObjectInput => GetObjectOutput,
    reading::head_object: HeadObjectInput => HeadObjectOutput,
    tagging::delete_object_tagging: DeleteObjectTaggingInput => DeleteObjectTaggingOutput,
    tagging::get_object_tagging: GetObjectTaggingInput => GetObjectTaggingOutput,
    tagging::put_object_tagging: PutObjectTaggingInput => PutObjectTaggingOutput,
    uploading::abort_multipart_upload: AbortMultipartUploadInput => AbortMultipartUploadOutput,
    uploading::complete_multipart_upload: CompleteMultipartUploadInput => CompleteMultipartUploadOutput,
    uploading::create_multipart_upload: CreateMultipartUploadInput => CreateMultipartUploadOutput,
    uploading::upload_part: UploadPartInput => UploadPartOutput,
    uploads_listing::list_multipart_uploads: ListMultipartUploadsInput => ListMultipartUploadsOutput,
    uploads_listing::list_parts: ListPartsInput => ListPartsOutput,
    writing::put_object: PutObjectInput => PutObjectOutput,
}
