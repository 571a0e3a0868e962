//! Lifecycle configurations of buckets.

use std::collections::HashSet;

use s3s::S3ErrorCode;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::DeleteBucketLifecycleInput;
use s3s::dto::DeleteBucketLifecycleOutput;
use s3s::dto::GetBucketLifecycleConfigurationInput;
use s3s::dto::GetBucketLifecycleConfigurationOutput;
use s3s::dto::PutBucketLifecycleConfigurationInput;
use s3s::dto::PutBucketLifecycleConfigurationOutput;
use s3s::dto::TransitionDefaultMinimumObjectSize;

use crate::embedded::buckets;
use crate::embedded::configurations;
use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::tables::Tables;
use crate::embedded::lifecycle::Lifecycle;
use crate::embedded::service::Service;
use crate::embedded::service::configuring;
use crate::embedded::service::lifecycle_rule;

pub(super) async fn get_bucket_lifecycle_configuration(
    service: &Service,
    request: S3Request<GetBucketLifecycleConfigurationInput>,
) -> S3Result<S3Response<GetBucketLifecycleConfigurationOutput>> {
    let lifecycle: Option<Lifecycle> = configuring::read(service, &request.input.bucket)?;
    let missing = || {
        let message = "The lifecycle configuration does not exist";
        Fault::message(S3ErrorCode::NoSuchLifecycleConfiguration, message)
    };
    let lifecycle = lifecycle.ok_or_else(missing)?;
    let minimum = minimum(&lifecycle);
    let rules = lifecycle.rules.into_iter().map(lifecycle_rule::shown);
    Ok(S3Response::new(GetBucketLifecycleConfigurationOutput {
        rules: Some(rules.collect()),
        transition_default_minimum_object_size: Some(minimum),
    }))
}

pub(super) async fn put_bucket_lifecycle_configuration(
    service: &Service,
    request: S3Request<PutBucketLifecycleConfigurationInput>,
) -> S3Result<S3Response<PutBucketLifecycleConfigurationOutput>> {
    let input = request.input;
    let minimum = input.transition_default_minimum_object_size;
    let varies_by_storage_class = match minimum.as_ref().map(|minimum| minimum.as_str()) {
        None | Some(TransitionDefaultMinimumObjectSize::ALL_STORAGE_CLASSES_128K) => false,
        Some(TransitionDefaultMinimumObjectSize::VARIES_BY_STORAGE_CLASS) => true,
        Some(other) => {
            let message = format!("Invalid TransitionDefaultMinimumObjectSize found: {other}");
            return Err(Fault::message(S3ErrorCode::InvalidRequest, message).into());
        }
    };
    let configuration = input.lifecycle_configuration;
    let rules = configuration
        .map(|configuration| configuration.rules)
        .unwrap_or_default();
    if rules.is_empty() || rules.len() > RULES_MAX {
        return Err(configuring::malformed().into());
    }
    let rules = rules.into_iter().map(lifecycle_rule::checked);
    let lifecycle = Lifecycle {
        rules: rules.collect::<Outcome<_>>()?,
        varies_by_storage_class,
    };
    let ids: HashSet<&str> = lifecycle
        .rules
        .iter()
        .map(|rule| rule.id.as_str())
        .collect();
    if ids.len() < lifecycle.rules.len() {
        let message = "Rule ID must be unique. Found same ID for more than one rule";
        return Err(Fault::message(S3ErrorCode::InvalidArgument, message).into());
    }
    let minimum = self::minimum(&lifecycle);
    put(service, input.bucket, Some(lifecycle)).await?;
    Ok(S3Response::new(PutBucketLifecycleConfigurationOutput {
        transition_default_minimum_object_size: Some(minimum),
    }))
}

pub(super) async fn delete_bucket_lifecycle(
    service: &Service,
    request: S3Request<DeleteBucketLifecycleInput>,
) -> S3Result<S3Response<DeleteBucketLifecycleOutput>> {
    put(service, request.input.bucket, None).await?;
    Ok(S3Response::new(DeleteBucketLifecycleOutput::default()))
}

async fn put(service: &Service, name: String, lifecycle: Option<Lifecycle>) -> Outcome<()> {
    let put = move |tables: &mut Tables<'_>| {
        let mut bucket = buckets::find(&*tables.buckets, &name)?;
        bucket.has_lifecycle = lifecycle.is_some();
        match &lifecycle {
            Some(lifecycle) => configurations::store(tables, bucket.number, lifecycle)?,
            None => configurations::remove::<Lifecycle>(tables, bucket.number)?,
        }
        buckets::store(tables, &name, &bucket)
    };
    service.store.index.change(put).await
}

fn minimum(lifecycle: &Lifecycle) -> TransitionDefaultMinimumObjectSize {
    TransitionDefaultMinimumObjectSize::from_static(match lifecycle.varies_by_storage_class {
        true => TransitionDefaultMinimumObjectSize::VARIES_BY_STORAGE_CLASS,
        false => TransitionDefaultMinimumObjectSize::ALL_STORAGE_CLASSES_128K,
    })
}

/// Most rules of a bucket.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html>
const RULES_MAX: usize = 1_000;
