//! Which part of the gateway does which operation.

use http::Response;

use crate::authorize::Authorizer;
use crate::authorize::Permitted;
use crate::bucket::BucketConfigurations;
use crate::bucket::Buckets;
use crate::error::S3Error;
use crate::operation::bucket::create_bucket;
use crate::operation::bucket::delete_bucket;
use crate::operation::bucket::get_bucket_location;
use crate::operation::bucket::get_bucket_policy_status;
use crate::operation::bucket::head_bucket;
use crate::operation::bucket::list_buckets;
use crate::operation::bucket_configuration::configure_bucket;
use crate::operation::copy_object::copy_object;
use crate::operation::delete_objects::delete_object;
use crate::operation::delete_objects::delete_objects;
use crate::operation::get_object::get_object;
use crate::operation::get_object::head_object;
use crate::operation::get_object_attributes::get_object_attributes;
use crate::operation::list_objects::list_objects;
use crate::operation::pass_through::pass_through;
use crate::operation::post_object::post_object;
use crate::operation::put_object::put_object;
use crate::operation::store::ObjectStore;
use crate::operation::update_object_encryption::update_object_encryption;
use crate::operation::upload::abort::abort_multipart_upload;
use crate::operation::upload::complete::complete_multipart_upload;
use crate::operation::upload::create::create_multipart_upload;
use crate::operation::upload::list::list_multipart_uploads;
use crate::operation::upload::list::list_parts;
use crate::operation::upload::part::upload_part;
use crate::operation::upload::part_copy::upload_part_copy;
use crate::request::Body;
use crate::request::S3Request;
use crate::request::Target;
use crate::route::Handling;
use crate::route::Operation;

/// The parts that do operations.
pub struct Operations {
    /// Operations on objects.
    pub objects: ObjectStore,
    /// Operations on buckets.
    pub buckets: Buckets,
    /// What is stored about buckets.
    pub configurations: BucketConfigurations,
    /// Who may do what.
    pub authorizer: Authorizer,
}

impl Operations {
    /// Refuses a target that no client may name.
    pub(super) fn check_target(&self, target: &Target) -> Result<(), S3Error> {
        let bucket = target.bucket.as_deref();
        bucket.map_or(Ok(()), |bucket| self.buckets.refuse_reserved(bucket))
    }

    /// Does an operation, if it is permitted.
    pub(super) async fn run(
        &self,
        operation: Operation,
        request: S3Request,
    ) -> Result<Response<Body>, S3Error> {
        let permitted = self
            .authorizer
            .permit(operation, request, &self.objects.uploads)
            .await?;
        match operation.row().handling {
            Handling::Configure(configuration, verb) => {
                let configurations = &self.configurations;
                Box::pin(configure_bucket(
                    configurations,
                    configuration,
                    verb,
                    permitted,
                ))
                .await
            }
            Handling::Pass => Box::pin(pass_through(&self.buckets, permitted)).await,
            Handling::Own => self.run_on_objects(operation, permitted).await,
            Handling::Refuse(_) => Err(undone(operation)),
        }
    }

    /// Does an operation on objects.
    async fn run_on_objects(
        &self,
        operation: Operation,
        permitted: Permitted<S3Request>,
    ) -> Result<Response<Body>, S3Error> {
        // Each in a box of its own: else every request would be as large as the largest.
        let store = &self.objects;
        match operation {
            Operation::AbortMultipartUpload => {
                Box::pin(abort_multipart_upload(store, permitted)).await
            }
            Operation::CompleteMultipartUpload => {
                Box::pin(complete_multipart_upload(store, permitted)).await
            }
            Operation::CopyObject => Box::pin(copy_object(store, permitted)).await,
            Operation::CreateMultipartUpload => {
                Box::pin(create_multipart_upload(store, permitted)).await
            }
            Operation::DeleteObject => Box::pin(delete_object(store, permitted)).await,
            Operation::GetObject => Box::pin(get_object(store, permitted)).await,
            Operation::GetObjectAttributes => {
                Box::pin(get_object_attributes(store, permitted)).await
            }
            Operation::HeadObject => Box::pin(head_object(store, permitted)).await,
            Operation::ListParts => Box::pin(list_parts(store, permitted)).await,
            Operation::PutObject => Box::pin(put_object(store, permitted)).await,
            Operation::UpdateObjectEncryption => {
                Box::pin(update_object_encryption(store, permitted)).await
            }
            Operation::UploadPart => Box::pin(upload_part(store, permitted)).await,
            Operation::UploadPartCopy => Box::pin(upload_part_copy(store, permitted)).await,
            Operation::DeleteObjects => Box::pin(delete_objects(store, permitted)).await,
            Operation::ListMultipartUploads => {
                Box::pin(list_multipart_uploads(store, permitted)).await
            }
            Operation::ListObjects | Operation::ListObjectsV2 | Operation::ListObjectVersions => {
                Box::pin(list_objects(store, permitted)).await
            }
            Operation::PostObject => Box::pin(post_object(store, permitted)).await,
            _ => Box::pin(self.run_on_bucket(operation, permitted)).await,
        }
    }

    /// Does an operation on a bucket or on the service.
    async fn run_on_bucket(
        &self,
        operation: Operation,
        permitted: Permitted<S3Request>,
    ) -> Result<Response<Body>, S3Error> {
        let buckets = &self.buckets;
        match operation {
            Operation::CreateBucket => create_bucket(buckets, permitted).await,
            Operation::DeleteBucket => delete_bucket(buckets, permitted).await,
            Operation::GetBucketLocation => get_bucket_location(buckets, permitted).await,
            Operation::GetBucketPolicyStatus => {
                get_bucket_policy_status(&self.configurations, permitted).await
            }
            Operation::HeadBucket => head_bucket(buckets, permitted).await,
            Operation::ListBuckets => list_buckets(buckets, permitted).await,
            _ => Err(undone(operation)),
        }
    }
}

/// The error for an operation of the table that nothing does.
fn undone(operation: Operation) -> S3Error {
    tracing::error!(
        ?operation,
        "an operation of the table has no implementation"
    );
    S3Error::internal()
}
