//! Notifications of events: the configuration is stored and returned. Nobody is notified.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html>

use s3s::S3ErrorCode;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::GetBucketNotificationConfigurationInput;
use s3s::dto::GetBucketNotificationConfigurationOutput;
use s3s::dto::NotificationConfiguration;
use s3s::dto::NotificationConfigurationFilter;
use s3s::dto::PutBucketNotificationConfigurationInput;
use s3s::dto::PutBucketNotificationConfigurationOutput;

use crate::embedded::configurations::Notification;
use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::service::Service;
use crate::embedded::service::configuring;
use crate::embedded::service::names;

pub(super) async fn get_bucket_notification_configuration(
    service: &Service,
    request: S3Request<GetBucketNotificationConfigurationInput>,
) -> S3Result<S3Response<GetBucketNotificationConfigurationOutput>> {
    let stored: Option<Notification> = configuring::read(service, &request.input.bucket)?;
    let content = stored.map(|Notification(document)| configuring::content(ELEMENT, &document));
    let configuration: NotificationConfiguration = content.transpose()?.unwrap_or_default();
    Ok(S3Response::new(GetBucketNotificationConfigurationOutput {
        event_bridge_configuration: configuration.event_bridge_configuration,
        lambda_function_configurations: configuration.lambda_function_configurations,
        queue_configurations: configuration.queue_configurations,
        topic_configurations: configuration.topic_configurations,
    }))
}

/// Checks the targets of one kind, and gives an id to those that have none.
macro_rules! check_targets {
    ($targets:expr) => {
        for target in $targets.iter_mut().flatten() {
            if target.events.is_empty() {
                return Err(configuring::malformed());
            }
            check_filter(target.filter.as_ref())?;
            if target.id.is_none() {
                target.id = Some(names::random_id()?);
            }
        }
    };
}

pub(super) async fn put_bucket_notification_configuration(
    service: &Service,
    request: S3Request<PutBucketNotificationConfigurationInput>,
) -> S3Result<S3Response<PutBucketNotificationConfigurationOutput>> {
    let input = request.input;
    let configuration = checked(input.notification_configuration)?;
    let document = configuring::document(ELEMENT, &configuration)?;
    configuring::put(service, input.bucket, Some(Notification(document))).await?;
    Ok(S3Response::new(
        PutBucketNotificationConfigurationOutput::default(),
    ))
}

fn checked(mut configuration: NotificationConfiguration) -> Outcome<NotificationConfiguration> {
    check_targets!(configuration.lambda_function_configurations);
    check_targets!(configuration.queue_configurations);
    check_targets!(configuration.topic_configurations);
    Ok(configuration)
}

fn check_filter(filter: Option<&NotificationConfigurationFilter>) -> Outcome<()> {
    let key = filter.and_then(|filter| filter.key.as_ref());
    let rules = key.and_then(|key| key.filter_rules.as_ref());
    for rule in rules.into_iter().flatten() {
        let (Some(name), Some(_)) = (&rule.name, &rule.value) else {
            return Err(configuring::malformed());
        };
        let is_known = ["prefix", "suffix"]
            .iter()
            .any(|known| name.as_str().eq_ignore_ascii_case(known));
        if !is_known {
            let message = "filter rule name must be either prefix or suffix";
            return Err(Fault::message(S3ErrorCode::InvalidArgument, message));
        }
    }
    Ok(())
}

const ELEMENT: &str = "NotificationConfiguration";
