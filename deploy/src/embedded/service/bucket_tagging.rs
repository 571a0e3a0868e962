//! Tags of buckets.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html>

use http::StatusCode;
use s3s::S3ErrorCode;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::DeleteBucketTaggingInput;
use s3s::dto::DeleteBucketTaggingOutput;
use s3s::dto::GetBucketTaggingInput;
use s3s::dto::GetBucketTaggingOutput;
use s3s::dto::PutBucketTaggingInput;
use s3s::dto::PutBucketTaggingOutput;

use crate::embedded::configurations::BucketTags;
use crate::embedded::fault::Fault;
use crate::embedded::service::Service;
use crate::embedded::service::configuring;
use crate::embedded::service::tagging;

pub(super) async fn get_bucket_tagging(
    service: &Service,
    request: S3Request<GetBucketTaggingInput>,
) -> S3Result<S3Response<GetBucketTaggingOutput>> {
    let tags: Option<BucketTags> = configuring::read(service, &request.input.bucket)?;
    let missing = || Fault::message(S3ErrorCode::NoSuchTagSet, "The TagSet does not exist");
    let BucketTags(tags) = tags.ok_or_else(missing)?;
    Ok(S3Response::new(GetBucketTaggingOutput {
        tag_set: tagging::shown(tags),
    }))
}

pub(super) async fn put_bucket_tagging(
    service: &Service,
    request: S3Request<PutBucketTaggingInput>,
) -> S3Result<S3Response<PutBucketTaggingOutput>> {
    let input = request.input;
    let tags = tagging::from_set(input.tagging.tag_set)?;
    if tags.len() > TAGS_MAX {
        let message = format!("Bucket tag count cannot be greater than {TAGS_MAX}");
        return Err(Fault::custom("BadRequest", StatusCode::BAD_REQUEST, message).into());
    }
    let reserved = "System tags cannot be added/updated by requester";
    let tags = tagging::checked_saying(tags, TAGS_MAX, reserved)?;
    // No tags are no tag set.
    let configuration = (!tags.is_empty()).then_some(BucketTags(tags));
    configuring::put(service, input.bucket, configuration).await?;
    Ok(S3Response::new(PutBucketTaggingOutput::default()))
}

pub(super) async fn delete_bucket_tagging(
    service: &Service,
    request: S3Request<DeleteBucketTaggingInput>,
) -> S3Result<S3Response<DeleteBucketTaggingOutput>> {
    configuring::put::<BucketTags>(service, request.input.bucket, None).await?;
    Ok(S3Response::new(DeleteBucketTaggingOutput::default()))
}

/// Most tags of a bucket.
const TAGS_MAX: usize = 50;
