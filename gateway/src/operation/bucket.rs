//! CreateBucket, DeleteBucket, HeadBucket, ListBuckets, GetBucketLocation and
//! GetBucketPolicyStatus.
//!
//! Each spends its permit; what is done is in [`crate::bucket`].
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>

use http::Response;

use crate::authorize::Permitted;
use crate::bucket::BucketConfigurations;
use crate::bucket::Buckets;
use crate::error::S3Error;
use crate::request::Body;
use crate::request::S3Request;

/// Creates a bucket without any configuration of an earlier bucket of its name.
///
/// # Errors
///
/// `BucketAlreadyExists` for another account's; `IllegalLocationConstraintException` for a Region that
/// is not the gateway's; the backend's S3 error; `ServiceUnavailable` when it, or the state, gives
/// no usable answer.
pub async fn create_bucket(
    buckets: &Buckets,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, _) = permitted.spend();
    buckets.create(request).await
}

/// Deletes a bucket, then what the gateway stores about it.
///
/// # Errors
///
/// The backend's S3 error; `ServiceUnavailable` when it, or the state, gives no usable answer.
pub async fn delete_bucket(
    buckets: &Buckets,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, _) = permitted.spend();
    buckets.delete(request).await
}

/// Whether a bucket exists, and the Region of the gateway.
///
/// # Errors
///
/// The backend's S3 error; `ServiceUnavailable` when it gives no usable answer.
pub async fn head_bucket(
    buckets: &Buckets,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, _) = permitted.spend();
    buckets.head(request).await
}

/// The buckets of the caller's account.
///
/// # Errors
///
/// The backend's S3 error; `ServiceUnavailable` when it gives no usable answer.
pub async fn list_buckets(
    buckets: &Buckets,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, _) = permitted.spend();
    buckets.list(&request).await
}

/// The Region of the gateway.
///
/// # Errors
///
/// `NoSuchBucket`, or the backend's other refusal.
pub async fn get_bucket_location(
    buckets: &Buckets,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, _) = permitted.spend();
    let bucket = request.target.bucket.unwrap_or_default();
    buckets.location(&bucket).await
}

/// Whether the policy of a bucket is public.
///
/// # Errors
///
/// `NoSuchBucketPolicy`; `ServiceUnavailable` when the policy cannot be read.
pub async fn get_bucket_policy_status(
    configurations: &BucketConfigurations,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, _) = permitted.spend();
    let bucket = request.target.bucket.unwrap_or_default();
    configurations.policies.status(&bucket).await
}
