//! Logging of buckets: the configuration is stored and returned. No logs are written.

use s3s::S3ErrorCode;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::GetBucketLoggingInput;
use s3s::dto::GetBucketLoggingOutput;
use s3s::dto::PutBucketLoggingInput;
use s3s::dto::PutBucketLoggingOutput;

use crate::embedded::configurations::Logging;
use crate::embedded::fault::Fault;
use crate::embedded::service::Service;
use crate::embedded::service::buckets::find;
use crate::embedded::service::configuring;

pub(super) async fn get_bucket_logging(
    service: &Service,
    request: S3Request<GetBucketLoggingInput>,
) -> S3Result<S3Response<GetBucketLoggingOutput>> {
    let logging: Option<Logging> = configuring::read(service, &request.input.bucket)?;
    let enabled = logging.map(|Logging(document)| configuring::content(ENABLED, &document));
    Ok(S3Response::new(GetBucketLoggingOutput {
        logging_enabled: enabled.transpose()?,
    }))
}

pub(super) async fn put_bucket_logging(
    service: &Service,
    request: S3Request<PutBucketLoggingInput>,
) -> S3Result<S3Response<PutBucketLoggingOutput>> {
    let input = request.input;
    find(service, &input.bucket)?;
    let enabled = input.bucket_logging_status.logging_enabled;
    if let Some(enabled) = &enabled
        && find(service, &enabled.target_bucket).is_err()
    {
        let code = S3ErrorCode::InvalidTargetBucketForLogging;
        let message = "The target bucket for logging does not exist";
        return Err(Fault::message(code, message).into());
    }
    let document = enabled.map(|enabled| configuring::document(ENABLED, &enabled));
    let logging = document.transpose()?.map(Logging);
    configuring::put(service, input.bucket, logging).await?;
    Ok(S3Response::new(PutBucketLoggingOutput::default()))
}

const ENABLED: &str = "LoggingEnabled";
