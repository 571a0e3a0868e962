//! Transfer acceleration and who pays for requests.
//!
//! Acceleration is stored and returned: there is one endpoint, on this machine.

use s3s::S3ErrorCode;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::BucketAccelerateStatus;
use s3s::dto::GetBucketAccelerateConfigurationInput;
use s3s::dto::GetBucketAccelerateConfigurationOutput;
use s3s::dto::GetBucketRequestPaymentInput;
use s3s::dto::GetBucketRequestPaymentOutput;
use s3s::dto::Payer;
use s3s::dto::PutBucketAccelerateConfigurationInput;
use s3s::dto::PutBucketAccelerateConfigurationOutput;
use s3s::dto::PutBucketRequestPaymentInput;
use s3s::dto::PutBucketRequestPaymentOutput;

use crate::embedded::configurations::Acceleration;
use crate::embedded::fault::Fault;
use crate::embedded::service::Service;
use crate::embedded::service::buckets::find;
use crate::embedded::service::configuring;

pub(super) async fn get_bucket_accelerate_configuration(
    service: &Service,
    request: S3Request<GetBucketAccelerateConfigurationInput>,
) -> S3Result<S3Response<GetBucketAccelerateConfigurationOutput>> {
    let acceleration: Option<Acceleration> = configuring::read(service, &request.input.bucket)?;
    let status = acceleration.map(|acceleration| match acceleration {
        Acceleration::Enabled => BucketAccelerateStatus::ENABLED,
        Acceleration::Suspended => BucketAccelerateStatus::SUSPENDED,
    });
    Ok(S3Response::new(GetBucketAccelerateConfigurationOutput {
        status: status.map(BucketAccelerateStatus::from_static),
        ..GetBucketAccelerateConfigurationOutput::default()
    }))
}

pub(super) async fn put_bucket_accelerate_configuration(
    service: &Service,
    request: S3Request<PutBucketAccelerateConfigurationInput>,
) -> S3Result<S3Response<PutBucketAccelerateConfigurationOutput>> {
    let input = request.input;
    if input.bucket.contains('.') {
        let message =
            "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names";
        return Err(Fault::message(S3ErrorCode::InvalidRequest, message).into());
    }
    let status = input.accelerate_configuration.status;
    let acceleration = match status.as_ref().map(BucketAccelerateStatus::as_str) {
        Some(BucketAccelerateStatus::ENABLED) => Acceleration::Enabled,
        Some(BucketAccelerateStatus::SUSPENDED) => Acceleration::Suspended,
        _ => return Err(configuring::malformed().into()),
    };
    configuring::put(service, input.bucket, Some(acceleration)).await?;
    Ok(S3Response::new(
        PutBucketAccelerateConfigurationOutput::default(),
    ))
}

pub(super) async fn get_bucket_request_payment(
    service: &Service,
    request: S3Request<GetBucketRequestPaymentInput>,
) -> S3Result<S3Response<GetBucketRequestPaymentOutput>> {
    find(service, &request.input.bucket)?;
    Ok(S3Response::new(GetBucketRequestPaymentOutput {
        payer: Some(Payer::from_static(Payer::BUCKET_OWNER)),
    }))
}

pub(super) async fn put_bucket_request_payment(
    service: &Service,
    request: S3Request<PutBucketRequestPaymentInput>,
) -> S3Result<S3Response<PutBucketRequestPaymentOutput>> {
    let input = request.input;
    find(service, &input.bucket)?;
    match input.request_payment_configuration.payer.as_str() {
        Payer::BUCKET_OWNER => Ok(S3Response::new(PutBucketRequestPaymentOutput::default())),
        Payer::REQUESTER => {
            let message = "Nobody pays for requests to the embedded backend, so the requester cannot: \
                           leave BucketOwner, or put the gateway before a backend that bills.";
            Err(Fault::message(S3ErrorCode::NotImplemented, message).into())
        }
        _ => Err(configuring::malformed().into()),
    }
}
