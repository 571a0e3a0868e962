//! GET, PUT and DELETE of every configuration of a bucket that the gateway stores itself.
//!
//! One operation for all kinds: what differs is in [`crate::bucket::configuration::BucketConfiguration`].

use http::Response;

use crate::authorize::Permitted;
use crate::bucket::BucketConfigurations;
use crate::bucket::configuration::Configuration;
use crate::bucket::configuration::Verb;
use crate::error::S3Error;
use crate::protocol::document;
use crate::request::Body;
use crate::request::S3Request;

/// Reads, replaces or removes a configuration of a bucket.
///
/// # Errors
///
/// Those of the kind; for PUT also those of a document that is too long or does not have its
/// digests.
pub async fn configure_bucket(
    configurations: &BucketConfigurations,
    configuration: Configuration,
    verb: Verb,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (mut request, _) = permitted.spend();
    let bucket = request.target.bucket.clone().unwrap_or_default();
    let kind = configurations.kind(configuration);
    match verb {
        Verb::Get => kind.get(&bucket).await,
        Verb::Put => {
            let document = document::read(&mut request).await?;
            kind.put(&bucket, &document).await
        }
        Verb::Delete => kind.delete(&bucket).await,
    }
}

/// Whether the policy of a bucket is public.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicyStatus.html>
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
