//! Which part of the gateway does which operation.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::Response;

use crate::authorize::Authorizer;
use crate::authorize::Permitted;
use crate::bucket::BucketConfigurations;
use crate::bucket::Buckets;
use crate::error::S3Error;
use crate::operation::bucket::run_on_bucket;
use crate::operation::bucket_configuration::configure_bucket;
use crate::operation::bucket_configuration::get_bucket_policy_status;
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
use crate::operation::versioning::get_bucket_versioning;
use crate::operation::versioning::put_bucket_lifecycle_configuration;
use crate::operation::versioning::put_bucket_versioning;
use crate::request::Body;
use crate::request::S3Request;
use crate::request::Target;
use crate::route::Handling;
use crate::route::Operation;

/// The parts that do operations.
pub struct Operations {
    /// Operations on objects.
    pub objects: Arc<ObjectStore>,
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
    pub(super) fn run(
        &self,
        operation: Operation,
        request: S3Request,
    ) -> BoxFuture<'_, Result<Response<Body>, S3Error>> {
        async move {
            let permit = self
                .authorizer
                .permit(operation, request, &self.objects.uploads);
            let mut permitted = permit.await?;
            let bucket = permitted.request_mut().target.bucket.clone();
            let _turn = self
                .objects
                .check_promises(operation, &mut permitted)
                .await?;
            let answer = match operation.row().handling {
                Handling::Configure(configuration, verb) => {
                    let configurations = &self.configurations;
                    configure_bucket(configurations, configuration, verb, permitted).boxed()
                }
                Handling::Pass => pass_through(&self.buckets, operation, permitted).boxed(),
                Handling::Own | Handling::Refuse(_) => self.run_own(operation, permitted),
            }
            .await;
            // Also after a failure, whose outcome at the backend may be unknown.
            self.objects.note_done(operation, bucket.as_deref());
            answer
        }
        .boxed()
    }

    /// Does an operation of the gateway's own.
    fn run_own(
        &self,
        operation: Operation,
        mut permitted: Permitted<S3Request>,
    ) -> BoxFuture<'_, Result<Response<Body>, S3Error>> {
        let store = &*self.objects;
        // Each in a box of its own: else every request would be as large as the largest.
        match operation {
            Operation::AbortMultipartUpload => abort_multipart_upload(store, permitted).boxed(),
            Operation::CompleteMultipartUpload => {
                complete_multipart_upload(store, permitted).boxed()
            }
            Operation::CopyObject => copy_object(store, permitted).boxed(),
            Operation::CreateMultipartUpload => create_multipart_upload(store, permitted).boxed(),
            Operation::DeleteObject => delete_object(store, permitted).boxed(),
            Operation::DeleteObjects => delete_objects(store, permitted).boxed(),
            Operation::GetObject => get_object(store, permitted).boxed(),
            Operation::GetObjectAttributes => get_object_attributes(store, permitted).boxed(),
            Operation::HeadObject => head_object(store, permitted).boxed(),
            Operation::ListMultipartUploads => list_multipart_uploads(store, permitted).boxed(),
            Operation::ListObjects | Operation::ListObjectsV2 | Operation::ListObjectVersions => {
                let bucket = permitted
                    .request_mut()
                    .target
                    .bucket
                    .clone()
                    .unwrap_or_default();
                let listing = list_objects(store, permitted);
                async move {
                    let mut answer = listing.await?;
                    self.buckets.place_in(&mut answer, &bucket).await?;
                    Ok(answer)
                }
                .boxed()
            }
            Operation::ListParts => list_parts(store, permitted).boxed(),
            Operation::PostObject => post_object(store, permitted).boxed(),
            Operation::PutObject => put_object(store, permitted).boxed(),
            Operation::UpdateObjectEncryption => update_object_encryption(store, permitted).boxed(),
            Operation::UploadPart => upload_part(store, permitted).boxed(),
            Operation::UploadPartCopy => upload_part_copy(store, permitted).boxed(),
            Operation::GetBucketPolicyStatus => {
                get_bucket_policy_status(&self.configurations, permitted).boxed()
            }
            Operation::GetBucketVersioning => {
                get_bucket_versioning(&self.configurations, permitted).boxed()
            }
            Operation::PutBucketVersioning => {
                put_bucket_versioning(&self.configurations, permitted).boxed()
            }
            Operation::PutBucketLifecycleConfiguration => {
                put_bucket_lifecycle_configuration(&self.configurations, permitted).boxed()
            }
            _ => run_on_bucket(&self.buckets, operation, permitted).boxed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of<A, B>(_: &impl Fn(A, Permitted<S3Request>) -> B) -> usize {
        size_of::<B>()
    }

    #[test]
    fn the_commonest_operations_carry_no_space_for_what_they_seldom_do() {
        // Each is moved into its box: from one page on, that shows in the benches.
        let sizes = [
            ("GetObject", bytes_of(&get_object)),
            ("PutObject", bytes_of(&put_object)),
            ("ListObjects", bytes_of(&list_objects)),
            ("HeadObject", bytes_of(&head_object)),
        ];
        for (operation, bytes) in sizes {
            assert!(bytes < 4_096, "{operation}: {bytes}");
        }
    }
}
