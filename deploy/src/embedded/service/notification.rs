//! Notifications of events: the configuration is stored and returned. Nobody is notified.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html>

use s3s::S3ErrorCode;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::Event;
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

/// Checks the targets of one kind, gives an id to those that have none, and adds what they are told of.
macro_rules! check_targets {
    ($targets:expr, $scopes:expr) => {
        for target in $targets.iter_mut().flatten() {
            $scopes.push(Scope::new(&target.events, target.filter.as_ref())?);
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
    let mut scopes = Vec::new();
    check_targets!(configuration.lambda_function_configurations, scopes);
    check_targets!(configuration.queue_configurations, scopes);
    check_targets!(configuration.topic_configurations, scopes);
    for (index, scope) in scopes.iter().enumerate() {
        for other in scopes.iter().skip(index + 1) {
            scope.check_beside(other)?;
        }
    }
    Ok(configuration)
}

/// What a target is told of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Scope {
    events: Vec<String>,
    /// How the keys begin; none for any.
    prefix: Option<String>,
    /// How the keys end; none for any.
    suffix: Option<String>,
}

impl Scope {
    fn new(events: &[Event], filter: Option<&NotificationConfigurationFilter>) -> Outcome<Self> {
        if events.is_empty() {
            return Err(configuring::malformed());
        }
        let events: Vec<_> = events
            .iter()
            .map(|event| AsRef::<str>::as_ref(event).to_owned())
            .collect();
        if let Some(event) = events
            .iter()
            .find(|event| !EVENTS.contains(&event.as_str()))
        {
            let message = "The event is not supported for notifications";
            return Err(Fault::argument(message, "Event", event));
        }
        let mut scope = Self {
            events,
            ..Self::default()
        };
        let key = filter.and_then(|filter| filter.key.as_ref());
        for rule in key
            .and_then(|key| key.filter_rules.as_ref())
            .into_iter()
            .flatten()
        {
            let (Some(name), Some(value)) = (&rule.name, &rule.value) else {
                return Err(configuring::malformed());
            };
            let refused = |message: String| Fault::message(S3ErrorCode::InvalidArgument, message);
            let name = name.as_str().to_ascii_lowercase();
            let place = match name.as_str() {
                "prefix" => &mut scope.prefix,
                "suffix" => &mut scope.suffix,
                _ => {
                    let message = "filter rule name must be either prefix or suffix";
                    return Err(refused(message.to_owned()));
                }
            };
            if place.replace(value.clone()).is_some() {
                let message = format!("Cannot specify more than one {name} rule in a filter.");
                return Err(refused(message));
            }
        }
        Ok(scope)
    }

    /// Whether another target may be told of the same events: not where a key can be both's.
    ///
    /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html>
    fn check_beside(&self, other: &Self) -> Outcome<()> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (prefix, other_prefix) = (text(&self.prefix), text(&other.prefix));
        let (suffix, other_suffix) = (text(&self.suffix), text(&other.suffix));
        let may_be_one = (prefix.starts_with(&other_prefix) || other_prefix.starts_with(&prefix))
            && (suffix.ends_with(&other_suffix) || other_suffix.ends_with(&suffix));
        let mut events = self.events.iter();
        if !may_be_one || !events.any(|it| other.events.iter().any(|that| is_common(it, that))) {
            return Ok(());
        }
        let is_unfiltered = |it: &Self| it.prefix.is_none() && it.suffix.is_none();
        let message = match is_unfiltered(self) && is_unfiltered(other) {
            true => {
                "Configurations overlap. Configurations on the same bucket cannot share a common event type."
            }
            false => {
                "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the \
                 prefixes are overlapping for the same event type."
            }
        };
        Err(Fault::message(S3ErrorCode::InvalidArgument, message))
    }
}

/// Whether two event types have an event in common.
fn is_common(one: &str, other: &str) -> bool {
    let covers = |all: &str, event: &str| {
        let family = all.strip_suffix('*');
        family.is_some_and(|family| event.starts_with(family))
    };
    one == other || covers(one, other) || covers(other, one)
}

const ELEMENT: &str = "NotificationConfiguration";

/// The events that a target may be told of.
///
/// Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html>,
/// and botocore's model of S3.
const EVENTS: [&str; 31] = [
    "s3:IntelligentTiering",
    "s3:LifecycleExpiration:*",
    "s3:LifecycleExpiration:Delete",
    "s3:LifecycleExpiration:DeleteMarkerCreated",
    "s3:LifecycleTransition",
    "s3:ObjectAcl:Put",
    "s3:ObjectAnnotation:*",
    "s3:ObjectAnnotation:Delete",
    "s3:ObjectAnnotation:Put",
    "s3:ObjectCreated:*",
    "s3:ObjectCreated:CompleteMultipartUpload",
    "s3:ObjectCreated:Copy",
    "s3:ObjectCreated:Post",
    "s3:ObjectCreated:Put",
    "s3:ObjectRemoved:*",
    "s3:ObjectRemoved:Delete",
    "s3:ObjectRemoved:DeleteMarkerCreated",
    "s3:ObjectRestore:*",
    "s3:ObjectRestore:Completed",
    "s3:ObjectRestore:Delete",
    "s3:ObjectRestore:Post",
    "s3:ObjectRetention:Put",
    "s3:ObjectTagging:*",
    "s3:ObjectTagging:Delete",
    "s3:ObjectTagging:Put",
    "s3:ReducedRedundancyLostObject",
    "s3:Replication:*",
    "s3:Replication:OperationFailedReplication",
    "s3:Replication:OperationMissedThreshold",
    "s3:Replication:OperationNotTracked",
    "s3:Replication:OperationReplicatedAfterThreshold",
];
