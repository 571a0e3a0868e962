//! Buckets: created, found, listed, deleted, and with versions or without.

use s3s::S3ErrorCode;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::Bucket;
use s3s::dto::BucketLocationConstraint;
use s3s::dto::BucketVersioningStatus;
use s3s::dto::CreateBucketInput;
use s3s::dto::CreateBucketOutput;
use s3s::dto::DeleteBucketInput;
use s3s::dto::DeleteBucketOutput;
use s3s::dto::GetBucketLocationInput;
use s3s::dto::GetBucketLocationOutput;
use s3s::dto::GetBucketVersioningInput;
use s3s::dto::GetBucketVersioningOutput;
use s3s::dto::HeadBucketInput;
use s3s::dto::HeadBucketOutput;
use s3s::dto::ListBucketsInput;
use s3s::dto::ListBucketsOutput;
use s3s::dto::PutBucketVersioningInput;
use s3s::dto::PutBucketVersioningOutput;

use crate::embedded::buckets;
use crate::embedded::configurations;
use crate::embedded::fault::Fault;
use crate::embedded::index::record;
use crate::embedded::index::record::Versioning;
use crate::embedded::index::tables::Tables;
use crate::embedded::service::Service;
use crate::embedded::service::access_control;
pub(super) use crate::embedded::service::configuring::find;
use crate::embedded::service::names;
use crate::embedded::service::ownership;

pub(super) async fn create_bucket(
    service: &Service,
    request: S3Request<CreateBucketInput>,
) -> S3Result<S3Response<CreateBucketOutput>> {
    access_control::check_new_bucket(&request.headers)?;
    let store = &service.store;
    let ownership = ownership::for_new_bucket(request.headers.get("x-amz-object-ownership"))?;
    let input = request.input;
    let lock = input.object_lock_enabled_for_bucket == Some(true);
    let (name, now_ms) = (input.bucket, store.now_ms());
    let location = format!("/{name}");
    let create = move |tables: &mut Tables<'_>| {
        let number = buckets::create(tables, &name, lock, now_ms)?;
        configurations::store(tables, number, &ownership)
    };
    store.index.change(create).await?;
    Ok(S3Response::new(CreateBucketOutput {
        location: Some(location),
    }))
}

pub(super) async fn delete_bucket(
    service: &Service,
    request: S3Request<DeleteBucketInput>,
) -> S3Result<S3Response<DeleteBucketOutput>> {
    let name = request.input.bucket;
    let delete = move |tables: &mut Tables<'_>| buckets::delete(tables, &name);
    service.store.index.change(delete).await?;
    Ok(S3Response::new(DeleteBucketOutput::default()))
}

pub(super) async fn head_bucket(
    service: &Service,
    request: S3Request<HeadBucketInput>,
) -> S3Result<S3Response<HeadBucketOutput>> {
    find(service, &request.input.bucket)?;
    Ok(S3Response::new(HeadBucketOutput {
        bucket_region: Some(service.region.clone()),
        ..HeadBucketOutput::default()
    }))
}

pub(super) async fn get_bucket_location(
    service: &Service,
    request: S3Request<GetBucketLocationInput>,
) -> S3Result<S3Response<GetBucketLocationOutput>> {
    find(service, &request.input.bucket)?;
    // That of us-east-1 has no name.
    let region = Some(service.region.clone()).filter(|region| region != "us-east-1");
    Ok(S3Response::new(GetBucketLocationOutput {
        location_constraint: region.map(BucketLocationConstraint::from),
    }))
}

pub(super) async fn list_buckets(
    service: &Service,
    request: S3Request<ListBucketsInput>,
) -> S3Result<S3Response<ListBucketsOutput>> {
    let input = request.input;
    let all = service
        .store
        .index
        .read(|snapshot| buckets::all(&snapshot.buckets()?))?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let after = input.continuation_token.unwrap_or_default();
    let wanted = all
        .into_iter()
        .filter(|(name, _)| name.starts_with(&prefix) && *name > after);
    let mut page: Vec<(String, record::Bucket)> = wanted.collect();
    let max = input.max_buckets.and_then(|max| usize::try_from(max).ok());
    let max = max.unwrap_or(BUCKETS_MAX).clamp(1, BUCKETS_MAX);
    let is_truncated = page.len() > max;
    page.truncate(max);
    let last = page.last().map(|(name, _)| name.clone());
    let shown = page.into_iter().map(|(name, bucket)| Bucket {
        bucket_region: Some(service.region.clone()),
        creation_date: Some(names::timestamp(bucket.created_ms)),
        name: Some(name),
    });
    Ok(S3Response::new(ListBucketsOutput {
        buckets: Some(shown.collect()),
        continuation_token: last.filter(|_| is_truncated),
        owner: Some(names::owner()),
        prefix: input.prefix,
    }))
}

pub(super) async fn get_bucket_versioning(
    service: &Service,
    request: S3Request<GetBucketVersioningInput>,
) -> S3Result<S3Response<GetBucketVersioningOutput>> {
    let status = match find(service, &request.input.bucket)?.versioning {
        Versioning::Unversioned => None,
        Versioning::Enabled => Some(BucketVersioningStatus::ENABLED),
        Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED),
    };
    Ok(S3Response::new(GetBucketVersioningOutput {
        status: status.map(BucketVersioningStatus::from_static),
        ..GetBucketVersioningOutput::default()
    }))
}

pub(super) async fn put_bucket_versioning(
    service: &Service,
    request: S3Request<PutBucketVersioningInput>,
) -> S3Result<S3Response<PutBucketVersioningOutput>> {
    let input = request.input;
    let configuration = input.versioning_configuration;
    let asks_mfa = configuration.mfa_delete.as_ref();
    if asks_mfa.is_some_and(|mfa| mfa.as_str() == "Enabled") {
        return Err(Fault::message(
            S3ErrorCode::NotImplemented,
            "MFA Delete is not implemented by the embedded backend: put an Object Lock on what must \
             not be deleted.",
        )
        .into());
    }
    let status = configuration
        .status
        .as_ref()
        .map(BucketVersioningStatus::as_str);
    let versioning = match status {
        Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
        Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
        Some(_) => return Err(S3ErrorCode::MalformedXML.into()),
        None => {
            let code = S3ErrorCode::IllegalVersioningConfigurationException;
            return Err(Fault::message(code, "The Versioning element must be specified").into());
        }
    };
    let name = input.bucket;
    let set = move |tables: &mut Tables<'_>| buckets::set_versioning(tables, &name, versioning);
    service.store.index.change(set).await?;
    Ok(S3Response::new(PutBucketVersioningOutput::default()))
}

/// Most buckets of a page.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>
const BUCKETS_MAX: usize = 10_000;
