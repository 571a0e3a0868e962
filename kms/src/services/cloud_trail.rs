//! CloudTrail's LookupEvents over the latest events, so that an AWS SDK whose CloudTrail endpoint is
//! the admin port can look up which calls were made.
//!
//! It returns management events of all accounts and Regions, newest first: those of this process, which may be a
//! gateway, too. It needs no signature; the admin port's own rules hold. Data events are never in the event
//! history, as at AWS.
//!
//! Source: <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html>

use http::StatusCode;
use proto::audit::Audit;
use proto::audit::Event;
use proto::audit::Resource;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

/// The answer to a request whose `X-Amz-Target` is `target`: its status and its body.
#[must_use]
pub fn respond(audit: &Audit, target: &[u8], body: &[u8]) -> (StatusCode, Value) {
    if target != [TARGET_PREFIX, b"LookupEvents"].concat() {
        return refused(
            "UnsupportedOperationException",
            "Only LookupEvents is served.",
        );
    }
    let request = match serde_json::from_slice::<LookupRequest>(body) {
        Ok(request) => request,
        Err(error) => return refused("SerializationException", &error.to_string()),
    };
    let known = |attribute: &Attribute| ATTRIBUTES.contains(&&*attribute.attribute_key);
    if !request.lookup_attributes.iter().all(known) {
        let text = format!("An attribute key is one of {}.", ATTRIBUTES.join(", "));
        return refused("InvalidLookupAttributesException", &text);
    }
    let most = request.max_results.unwrap_or(RESULTS_MAX);
    if !(1..=RESULTS_MAX).contains(&most) {
        let text = format!("MaxResults is from 1 to {RESULTS_MAX}.");
        return refused("InvalidMaxResultsException", &text);
    }
    if request
        .start_time
        .zip(request.end_time)
        .is_some_and(|(start, end)| start > end)
    {
        let text = "The start time is after the end time.";
        return refused("InvalidTimeRangeException", text);
    }

    if let Some(category) = &request.event_category {
        let text =
            format!("There are no events of the category {category}, only management events.");
        return refused("InvalidEventCategoryException", &text);
    }

    let found = audit.lookup(usize::MAX, |event| request.matches(event));
    let start = match &request.next_token {
        None => 0,
        Some(last) => {
            let at = found.iter().position(|event| event.id.to_string() == *last);
            match at {
                Some(at) => at + 1,
                None => return refused("InvalidNextTokenException", "The token has expired."),
            }
        }
    };
    let rest = found.get(start..).unwrap_or_default();
    let page = rest.get(..most).unwrap_or(rest);
    let mut answer = json!({ "Events": page.iter().map(|event| entry(event)).collect::<Vec<_>>() });
    if page.len() < rest.len()
        && let Some(last) = page.last()
    {
        put(&mut answer, "NextToken", &last.id.to_string());
    }
    (StatusCode::OK, answer)
}

/// Members of a LookupEvents request.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct LookupRequest {
    lookup_attributes: Vec<Attribute>,
    /// Seconds since 1970.
    start_time: Option<f64>,
    /// Seconds since 1970.
    end_time: Option<f64>,
    max_results: Option<usize>,
    /// `insight`, or none for management events.
    event_category: Option<String>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    attribute_key: String,
    attribute_value: String,
}

impl LookupRequest {
    fn matches(&self, event: &Event) -> bool {
        let at = event.time.unix_seconds_f64();
        self.start_time.is_none_or(|start| at >= start)
            && self.end_time.is_none_or(|end| at <= end)
            && self
                .lookup_attributes
                .iter()
                .all(|attribute| attribute.matches(event))
    }
}

impl Attribute {
    fn matches(&self, event: &Event) -> bool {
        let value = &*self.attribute_value;
        let is = |text: Option<&str>| text == Some(value);
        match &*self.attribute_key {
            "AccessKeyId" => is(event.identity.access_key_id.as_deref()),
            "EventId" => event.id.to_string() == value,
            "EventName" => event.name == value,
            "EventSource" => value == event.service,
            "ReadOnly" => event.read_only.to_string() == value,
            "ResourceName" => {
                let mut resources = event.resources.iter();
                resources.any(|it| *it.arn == *value || name_of(&it.arn) == value)
            }
            "ResourceType" => event.resources.iter().any(|it| it.kind == value),
            "Username" => is(event.identity.name()),
            _ => false,
        }
    }
}

/// An event as LookupEvents returns it, with the whole record as a text in it.
fn entry(event: &Event) -> Value {
    let resource = |it: &Resource| {
        // S3 names its buckets, others the ARN.
        let is_bucket = it.kind == "AWS::S3::Bucket";
        let name = if is_bucket { name_of(&it.arn) } else { &it.arn };
        json!({ "ResourceType": it.kind, "ResourceName": name })
    };
    let resources = event.resources.iter().map(resource);
    let mut entry = json!({
        "EventId": event.id.to_string(),
        "EventName": event.name,
        "ReadOnly": event.read_only.to_string(),
        "EventTime": event.time.unix_seconds_f64(),
        "EventSource": event.service,
        "Resources": resources.collect::<Vec<_>>(),
        "CloudTrailEvent": serde_json::to_string(event).unwrap_or_default(),
    });
    if let Some(name) = event.identity.name() {
        put(&mut entry, "Username", name);
    }
    if let Some(key) = &event.identity.access_key_id {
        put(&mut entry, "AccessKeyId", key);
    }
    entry
}

fn put(object: &mut Value, name: &str, text: &str) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), text.into());
    }
}

/// What an ARN ends in: the id of a key, the name of a role or of a bucket.
fn name_of(arn: &str) -> &str {
    arn.rsplit(['/', ':']).next().unwrap_or_default()
}

fn refused(code: &str, message: &str) -> (StatusCode, Value) {
    let body = json!({ "__type": code, "message": message });
    (StatusCode::BAD_REQUEST, body)
}

/// What stands before the operation's name in `X-Amz-Target`.
pub const TARGET_PREFIX: &[u8] = b"com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.";

/// Most events of one answer, and how many there are unless the request has a limit.
const RESULTS_MAX: usize = 50;

const ATTRIBUTES: [&str; 8] = [
    "AccessKeyId",
    "EventId",
    "EventName",
    "EventSource",
    "ReadOnly",
    "ResourceName",
    "ResourceType",
    "Username",
];
