//! The S3 API of the store: each operation in the file of its kind.
//!
//! `s3s` reads requests and writes answers. What is not here it answers with `NotImplemented`.

use s3s::S3;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::*;

use crate::embedded::store::Store;

mod attributes;
mod buckets;
mod copying;
mod deleting;
mod intake;
mod listing;
mod locking;
mod names;
mod reading;
mod tagging;
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
