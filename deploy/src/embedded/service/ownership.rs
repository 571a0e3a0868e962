//! Ownership controls of buckets.
//!
//! All objects here have one owner, so the three values differ in nothing but what is returned.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>

use http::HeaderValue;
use s3s::S3ErrorCode;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::DeleteBucketOwnershipControlsInput;
use s3s::dto::DeleteBucketOwnershipControlsOutput;
use s3s::dto::GetBucketOwnershipControlsInput;
use s3s::dto::GetBucketOwnershipControlsOutput;
use s3s::dto::ObjectOwnership;
use s3s::dto::OwnershipControls;
use s3s::dto::OwnershipControlsRule;
use s3s::dto::PutBucketOwnershipControlsInput;
use s3s::dto::PutBucketOwnershipControlsOutput;

use crate::embedded::configurations::Ownership;
use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::service::Service;
use crate::embedded::service::configuring;

pub(super) async fn get_bucket_ownership_controls(
    service: &Service,
    request: S3Request<GetBucketOwnershipControlsInput>,
) -> S3Result<S3Response<GetBucketOwnershipControlsOutput>> {
    let ownership = configuring::read(service, &request.input.bucket)?;
    let value = match ownership.unwrap_or(Ownership::BucketOwnerEnforced) {
        Ownership::BucketOwnerEnforced => ObjectOwnership::BUCKET_OWNER_ENFORCED,
        Ownership::BucketOwnerPreferred => ObjectOwnership::BUCKET_OWNER_PREFERRED,
        Ownership::ObjectWriter => ObjectOwnership::OBJECT_WRITER,
        Ownership::Deleted => {
            let code = S3ErrorCode::OwnershipControlsNotFoundError;
            let message = "The bucket ownership controls were not found";
            return Err(Fault::message(code, message).into());
        }
    };
    let rule = OwnershipControlsRule {
        object_ownership: ObjectOwnership::from_static(value),
    };
    Ok(S3Response::new(GetBucketOwnershipControlsOutput {
        ownership_controls: Some(OwnershipControls { rules: vec![rule] }),
    }))
}

pub(super) async fn put_bucket_ownership_controls(
    service: &Service,
    request: S3Request<PutBucketOwnershipControlsInput>,
) -> S3Result<S3Response<PutBucketOwnershipControlsOutput>> {
    let input = request.input;
    let ownership = match input.ownership_controls.rules.as_slice() {
        [rule] => ownership(rule.object_ownership.as_str()),
        _ => None,
    };
    let ownership = ownership.ok_or_else(configuring::malformed)?;
    configuring::put(service, input.bucket, Some(ownership)).await?;
    Ok(S3Response::new(PutBucketOwnershipControlsOutput::default()))
}

pub(super) async fn delete_bucket_ownership_controls(
    service: &Service,
    request: S3Request<DeleteBucketOwnershipControlsInput>,
) -> S3Result<S3Response<DeleteBucketOwnershipControlsOutput>> {
    configuring::put(service, request.input.bucket, Some(Ownership::Deleted)).await?;
    Ok(S3Response::new(
        DeleteBucketOwnershipControlsOutput::default(),
    ))
}

/// The ownership that a new bucket is created with.
pub(super) fn for_new_bucket(header: Option<&HeaderValue>) -> Outcome<Ownership> {
    let Some(header) = header else {
        return Ok(Ownership::BucketOwnerEnforced);
    };
    let header = header.to_str().unwrap_or_default();
    let message = format!("Invalid x-amz-object-ownership header: {header}");
    let refusal = || {
        let refusal = Fault::message(S3ErrorCode::InvalidArgument, message);
        refusal.element("ArgumentName", "x-amz-object-ownership")
    };
    ownership(header).ok_or_else(refusal)
}

fn ownership(value: &str) -> Option<Ownership> {
    match value {
        ObjectOwnership::BUCKET_OWNER_ENFORCED => Some(Ownership::BucketOwnerEnforced),
        ObjectOwnership::BUCKET_OWNER_PREFERRED => Some(Ownership::BucketOwnerPreferred),
        ObjectOwnership::OBJECT_WRITER => Some(Ownership::ObjectWriter),
        _ => None,
    }
}
