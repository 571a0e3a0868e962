//! Which part of the gateway does which operation.

use http::Response;

use crate::authorize::Authorizer;
use crate::authorize::Terms;
use crate::bucket::Buckets;
use crate::bucket::Kept;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::document;
use crate::request::Body;
use crate::request::Payload;
use crate::request::S3Request;
use crate::request::Target;
use crate::route::Handling;
use crate::route::Level;
use crate::route::Operation;

/// The parts that do operations.
pub struct Operations {
    /// Operations on objects.
    pub objects: Objects,
    /// Operations on buckets.
    pub buckets: Buckets,
    /// What is kept about buckets.
    pub kept: Kept,
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
            .permit(operation, request, &self.objects)
            .await?;
        let (mut request, terms) = permitted.into_inner();
        let row = operation.row();
        if row.handling == Handling::Pass {
            let document = document::read(&mut request).await?;
            request.body = Payload::from_bytes(document);
            return Box::pin(self.buckets.forward(request)).await;
        }
        if row.level != Level::Object && operation != Operation::PostObject {
            return Box::pin(self.run_on_bucket(operation, request, &terms)).await;
        }
        // Each in a box of its own: else every request would be as large as the largest.
        let objects = &self.objects;
        match operation {
            Operation::AbortMultipartUpload => Box::pin(objects.abort_upload(request)).await,
            Operation::CompleteMultipartUpload => Box::pin(objects.complete_upload(request)).await,
            Operation::CopyObject => Box::pin(objects.copy(request)).await,
            Operation::CreateMultipartUpload => Box::pin(objects.create_upload(request)).await,
            Operation::DeleteObject => Box::pin(objects.delete(&request)).await,
            Operation::GetObject => {
                let mut answer = Box::pin(objects.get(request)).await?;
                terms.withhold(answer.headers_mut());
                Ok(answer)
            }
            Operation::GetObjectAttributes => Box::pin(objects.attributes(request)).await,
            Operation::HeadObject => {
                let mut answer = Box::pin(objects.head(request)).await?;
                terms.withhold(answer.headers_mut());
                Ok(answer)
            }
            Operation::ListParts => Box::pin(objects.list_parts(request)).await,
            Operation::PostObject => Box::pin(objects.post(request)).await,
            Operation::PutObject => Box::pin(objects.put(request)).await,
            Operation::UpdateObjectEncryption => Box::pin(objects.update_encryption(request)).await,
            Operation::UploadPart => Box::pin(objects.upload_part(request)).await,
            Operation::UploadPartCopy => Box::pin(objects.upload_part_copy(request)).await,
            _ => Err(undone(operation)),
        }
    }

    /// Does an operation on a bucket or on the service.
    async fn run_on_bucket(
        &self,
        operation: Operation,
        mut request: S3Request,
        terms: &Terms,
    ) -> Result<Response<Body>, S3Error> {
        let bucket = request.target.bucket.clone().unwrap_or_default();
        let Kept {
            cors,
            encryptions,
            policies,
            ..
        } = &self.kept;
        match operation {
            Operation::CreateBucket => self.buckets.create(request).await,
            Operation::DeleteBucket => self.buckets.delete(request).await,
            Operation::DeleteBucketCors => cors.delete(&bucket).await,
            Operation::DeleteBucketEncryption => encryptions.delete(&bucket).await,
            Operation::DeleteBucketPolicy => policies.delete(&bucket).await,
            Operation::DeleteObjects => {
                let may = |key: &str, version: Option<&str>| terms.may_delete(key, version);
                Box::pin(self.objects.delete_all(&mut request, &may)).await
            }
            Operation::GetBucketCors => cors.get(&bucket).await,
            Operation::GetBucketEncryption => encryptions.get(&bucket).await,
            Operation::GetBucketLocation => self.buckets.location(&bucket).await,
            Operation::GetBucketPolicy => policies.get(&bucket).await,
            Operation::GetBucketPolicyStatus => policies.status(&bucket).await,
            Operation::HeadBucket => self.buckets.head(request).await,
            Operation::ListBuckets => self.buckets.list(&request).await,
            Operation::ListMultipartUploads => Box::pin(self.objects.list_uploads(request)).await,
            Operation::ListObjects | Operation::ListObjectsV2 | Operation::ListObjectVersions => {
                Box::pin(self.objects.list(&request)).await
            }
            Operation::PutBucketCors => {
                let document = document::read(&mut request).await?;
                cors.put(&bucket, &document).await
            }
            Operation::PutBucketEncryption => {
                let document = document::read(&mut request).await?;
                encryptions.put(&bucket, &document).await
            }
            Operation::PutBucketPolicy => {
                let document = document::read(&mut request).await?;
                policies.put(&bucket, &document).await
            }
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
