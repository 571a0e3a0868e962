//! Which room does which operation.

use std::sync::Arc;

use http::Response;

use crate::authorize::Authorizer;
use crate::bucket::Buckets;
use crate::bucket::encryption::DefaultEncryptions;
use crate::bucket::owner::BucketOwners;
use crate::bucket::policy::BucketPolicies;
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
    /// The default encryption of buckets.
    pub encryptions: Arc<DefaultEncryptions>,
    /// The policies of buckets.
    pub policies: Arc<BucketPolicies>,
    /// The owners of buckets.
    pub owners: Arc<BucketOwners>,
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
        match operation {
            Operation::CopyObject => self.objects.copy(request).await,
            Operation::AbortMultipartUpload => self.objects.abort_upload(request).await,
            Operation::CompleteMultipartUpload => self.objects.complete_upload(request).await,
            Operation::CreateMultipartUpload => self.objects.create_upload(request).await,
            Operation::ListMultipartUploads => self.objects.list_uploads(request).await,
            Operation::ListParts => self.objects.list_parts(request).await,
            Operation::UploadPart => self.objects.upload_part(request).await,
            Operation::UploadPartCopy => self.objects.upload_part_copy(request).await,
            Operation::DeleteBucketEncryption => self.encryptions.delete(&bucket).await,
            Operation::DeleteObject => self.objects.delete(&request).await,
            Operation::DeleteBucketPolicy => self.policies.delete(&bucket).await,
            Operation::DeleteObjects => {
                let may = |key: &str, version: Option<&str>| deletions.may_delete(key, version);
                self.objects.delete_all(&mut request, &may).await
            }
            Operation::GetBucketEncryption => self.encryptions.get(&bucket).await,
            Operation::GetBucketPolicy => self.policies.get(&bucket).await,
            Operation::GetBucketPolicyStatus => self.policies.status(&bucket).await,
            Operation::GetObject => self.objects.get(request).await,
            Operation::GetObjectAttributes => self.objects.attributes(request).await,
            Operation::HeadObject => self.objects.head(request).await,
            Operation::ListBuckets => self.buckets.list(&request).await,
            Operation::ListObjects | Operation::ListObjectsV2 | Operation::ListObjectVersions => {
                self.objects.list(&request).await
            }
            Operation::PutBucketEncryption => {
                let document = document::read(&mut request).await?;
                self.encryptions.put(&bucket, &document).await
            }
            Operation::PutBucketPolicy => {
                let document = document::read(&mut request).await?;
                self.policies.put(&bucket, &document).await
            }
            Operation::PutObject => self.objects.put(request).await,
            Operation::PostObject => self.objects.post(request).await,
            Operation::UpdateObjectEncryption => self.objects.update_encryption(request).await,
            Operation::PassThrough(name) => {
                let document = document::read(&mut request).await?;
                request.body = Payload::from_bytes(document);
                self.buckets.pass_through(name, request).await
            }
        }
    }
}
