//! Which room does which operation.

use http::Response;

use crate::authorize::Authorizer;
use crate::bucket::Buckets;
use crate::bucket::Kept;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::document;
use crate::request::Body;
use crate::request::Payload;
use crate::request::S3Request;
use crate::request::Target;
use crate::route::Operation;

/// The rooms that do operations.
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
            .permit(operation.name(), request, &self.objects)
            .await?;
        let (mut request, deletions) = permitted.into_inner();
        let bucket = request.target.bucket.clone().unwrap_or_default();
        // Each in a box of its own: else every request would carry the room of the largest.
        match operation {
            Operation::CopyObject => Box::pin(self.objects.copy(request)).await,
            Operation::AbortMultipartUpload => Box::pin(self.objects.abort_upload(request)).await,
            Operation::CompleteMultipartUpload => {
                Box::pin(self.objects.complete_upload(request)).await
            }
            Operation::CreateMultipartUpload => Box::pin(self.objects.create_upload(request)).await,
            Operation::ListMultipartUploads => Box::pin(self.objects.list_uploads(request)).await,
            Operation::ListParts => Box::pin(self.objects.list_parts(request)).await,
            Operation::UploadPart => Box::pin(self.objects.upload_part(request)).await,
            Operation::UploadPartCopy => Box::pin(self.objects.upload_part_copy(request)).await,
            Operation::DeleteBucketCors => Box::pin(self.kept.cors.delete(&bucket)).await,
            Operation::DeleteBucketEncryption => {
                Box::pin(self.kept.encryptions.delete(&bucket)).await
            }
            Operation::DeleteObject => Box::pin(self.objects.delete(&request)).await,
            Operation::DeleteBucketPolicy => Box::pin(self.kept.policies.delete(&bucket)).await,
            Operation::DeleteObjects => {
                let may = |key: &str, version: Option<&str>| deletions.may_delete(key, version);
                Box::pin(self.objects.delete_all(&mut request, &may)).await
            }
            Operation::GetBucketCors => Box::pin(self.kept.cors.get(&bucket)).await,
            Operation::GetBucketEncryption => Box::pin(self.kept.encryptions.get(&bucket)).await,
            Operation::GetBucketPolicy => Box::pin(self.kept.policies.get(&bucket)).await,
            Operation::GetBucketPolicyStatus => Box::pin(self.kept.policies.status(&bucket)).await,
            Operation::GetObject => Box::pin(self.objects.get(request)).await,
            Operation::GetObjectAttributes => Box::pin(self.objects.attributes(request)).await,
            Operation::HeadObject => Box::pin(self.objects.head(request)).await,
            Operation::ListBuckets => Box::pin(self.buckets.list(&request)).await,
            Operation::ListObjects | Operation::ListObjectsV2 | Operation::ListObjectVersions => {
                Box::pin(self.objects.list(&request)).await
            }
            Operation::PutBucketCors => {
                let document = document::read(&mut request).await?;
                Box::pin(self.kept.cors.put(&bucket, &document)).await
            }
            Operation::PutBucketEncryption => {
                let document = document::read(&mut request).await?;
                Box::pin(self.kept.encryptions.put(&bucket, &document)).await
            }
            Operation::PutBucketPolicy => {
                let document = document::read(&mut request).await?;
                Box::pin(self.kept.policies.put(&bucket, &document)).await
            }
            Operation::PutObject => Box::pin(self.objects.put(request)).await,
            Operation::PostObject => Box::pin(self.objects.post(request)).await,
            Operation::UpdateObjectEncryption => {
                Box::pin(self.objects.update_encryption(request)).await
            }
            Operation::PassThrough(name) => {
                let document = document::read(&mut request).await?;
                request.body = Payload::from_bytes(document);
                Box::pin(self.buckets.pass_through(name, request)).await
            }
        }
    }
}
