//! GetBucketVersioning, PutBucketVersioning, and PutBucketLifecycleConfiguration, which MFA Delete excludes.
//!
//! What is done is in [`crate::bucket::versioning`].
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html>

use http::Response;

use crate::authorize::Permitted;
use crate::bucket::BucketConfigurations;
use crate::bucket::document::versioning::MfaDelete;
use crate::bucket::versioning::VersioningConfiguration;
use crate::error::S3Error;
use crate::protocol::document;
use crate::request::Body;
use crate::request::Payload;
use crate::request::S3Request;

/// Answers GetBucketVersioning.
///
/// # Errors
///
/// The backend's S3 error; `ServiceUnavailable` when the state cannot be read.
pub async fn get_bucket_versioning(
    configurations: &BucketConfigurations,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, _) = permitted.spend();
    let bucket = request.target.bucket.unwrap_or_default();
    configurations.versioning.get(&bucket).await
}

/// Answers PutBucketVersioning.
///
/// # Errors
///
/// `MalformedXML`, `IllegalVersioningConfigurationException`, those of a document that does not have its
/// digests; as [`Terms::check_second_factor`]; `InvalidBucketState` for MFA Delete beside a lifecycle;
/// the backend's S3 error.
///
/// [`Terms::check_second_factor`]: crate::authorize::Terms::check_second_factor
pub async fn put_bucket_versioning(
    configurations: &BucketConfigurations,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (mut request, terms) = permitted.spend();
    let document = document::read(&mut request).await?;
    let configuration = VersioningConfiguration::parse(&document)?;
    match configuration.mfa_delete {
        // Also where it is off: only who can delete may switch it on.
        Some(MfaDelete::Enabled) => terms.demand_second_factor().await?,
        _ => terms.check_second_factor(true).await?,
    }
    let bucket = request.target.bucket.unwrap_or_default();
    configurations.versioning.put(&bucket, configuration).await
}

/// Answers PutBucketLifecycleConfiguration.
///
/// # Errors
///
/// Those of a document that is too long or does not have its digests; `InvalidBucketState` in a bucket with
/// MFA Delete; the backend's S3 error.
pub async fn put_bucket_lifecycle_configuration(
    configurations: &BucketConfigurations,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (mut request, _) = permitted.spend();
    let document = document::read(&mut request).await?;
    request.body = Payload::from_bytes(document);
    let bucket = request.target.bucket.clone().unwrap_or_default();
    let versioning = &configurations.versioning;
    versioning.put_lifecycle(&bucket, *request).await
}
