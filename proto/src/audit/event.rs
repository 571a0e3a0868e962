//! One event, with CloudTrail's field names.
//!
//! Sources: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>,
//! <https://docs.aws.amazon.com/kms/latest/developerguide/understanding-kms-entries.html>

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use serde::Serialize;
use serde::Serializer;
use serde::ser::SerializeMap;
use serde_json::Value;
use uuid::Uuid;

use crate::audit::identity::Identity;
use crate::audit::identity::Source;
use crate::audit::tls::Tls;
use crate::identity::AccountId;
use crate::identity::Region;
use crate::time::Timestamp;

/// What one request did. Written as CloudTrail's record, version 1.11.
#[derive(Clone, Debug)]
pub struct Event {
    /// When it happened.
    pub time: Timestamp,
    /// The service that did it, such as `kms.amazonaws.com`.
    pub service: &'static str,
    /// The operation, such as `GenerateDataKey`.
    pub name: &'static str,
    /// Whether it is about the resource itself or about data in it.
    pub category: Category,
    /// Whether the operation changes nothing.
    pub read_only: bool,
    /// The Region that was called.
    pub region: Region,
    /// Account in whose trail the event stands.
    pub recipient_account: AccountId,
    /// Who called.
    pub identity: Identity,
    /// Where from.
    pub source: Source,
    /// With what program.
    pub user_agent: Arc<str>,
    /// The parameters to record, by their AWS names; never plaintext or ciphertext.
    pub request_parameters: Fields,
    /// Members of the answer, for operations that change something.
    pub response_elements: Fields,
    /// What else the service records, such as `keyMaterialId`.
    pub additional: Fields,
    /// The id that the answer carried.
    pub request_id: Arc<str>,
    /// The event's own id.
    pub id: EventId,
    /// The resources that it was about.
    pub resources: Vec<Resource>,
    /// AWS's error code and message, if it failed.
    pub error: Option<(Arc<str>, Arc<str>)>,
    /// The id it shares with the event in another account's trail.
    pub shared_id: Option<EventId>,
    /// How the connection was secured, if it was.
    pub tls: Option<Tls>,
}

impl Event {
    /// The value of [`Event::service`] for operations of KMS.
    pub const KMS: &'static str = "kms.amazonaws.com";
    /// The value of [`Resource::kind`] for keys.
    pub const KEY: &'static str = "AWS::KMS::Key";

    /// The event as it stands in the trail of the account that owns a resource of it, if that is another than the
    /// caller's. It shows which account called, and no more of the caller; both have one shared id.
    #[must_use]
    pub fn share_with_owner(&mut self) -> Option<Self> {
        let mut owners = self.resources.iter().filter_map(|it| it.account.as_ref());
        let owner = owners.find(|owner| **owner != self.recipient_account);
        let owner = owner?.clone();
        self.shared_id = Some(EventId::fresh());
        Some(Self {
            recipient_account: owner,
            identity: self.identity.of_account(),
            id: EventId::fresh(),
            ..self.clone()
        })
    }
}

/// Named values, stored as JSON: a request pays one allocation for all of them, and a reader of the
/// event pays for parsing them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<u8>);

impl Fields {
    /// Adds a value. Names are not escaped; those of AWS need no escaping.
    pub fn push(&mut self, name: &'static str, value: &impl Serialize) {
        if self.0.is_empty() {
            self.0.reserve(FIELDS_BYTES);
        }
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
        let start = self.0.len();
        if serde_json::to_writer(&mut self.0, value).is_err() {
            self.0.truncate(start);
            self.0.extend_from_slice(b"null");
        }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value> {
        self.object()?.get(name).cloned()
    }

    fn object(&self) -> Option<Value> {
        serde_json::from_slice(&[self.0.as_slice(), b"}"].concat()).ok()
    }
}

/// One object, or null if there are no fields, as CloudTrail writes them.
impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.object().serialize(serializer)
    }
}

/// What an event is about.
///
/// Management events are about resources, such as a key or a bucket; data events about what is in them, such as
/// an object. CloudTrail's event history (LookupEvents) has the former only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// `Management`.
    Management,
    /// `Data`.
    Data,
}

impl Category {
    /// The value of `eventCategory`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Management => "Management",
            Self::Data => "Data",
        }
    }
}

/// What an event is about: a key, a role, a bucket, an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its type, such as `AWS::KMS::Key`.
    pub kind: &'static str,
    /// Its ARN.
    pub arn: Arc<str>,
    /// Its account; S3 records none of objects.
    pub account: Option<AccountId>,
    /// Whether the ARN is the beginning of those of several resources.
    pub is_prefix: bool,
}

impl Resource {
    /// One resource of an account.
    #[must_use]
    pub fn new(kind: &'static str, arn: impl Into<Arc<str>>, account: Option<AccountId>) -> Self {
        Self {
            kind,
            arn: arn.into(),
            account,
            is_prefix: false,
        }
    }
}

/// The id of an event: unique, written as a UUID, and cheap to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventId(u128);

impl EventId {
    /// An id that no other event of this or another run has.
    #[must_use]
    pub fn fresh() -> Self {
        let run = *RUN.get_or_init(|| Uuid::new_v4().as_u128());
        let count = u128::from(COUNT.fetch_add(1, Ordering::Relaxed));
        // An odd multiplier permutes the ids, so that they do not look like a count.
        Self(run.wrapping_add(count.wrapping_mul(SPREAD)))
    }

    /// The id as a UUID.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        uuid::Builder::from_random_bytes(self.0.to_be_bytes()).into_uuid()
    }

    /// The id as text that is shared, not copied.
    #[must_use]
    pub fn shared_text(self) -> Arc<str> {
        let mut text = Uuid::encode_buffer();
        Arc::from(&*self.uuid().hyphenated().encode_lower(&mut text))
    }
}

impl std::fmt::Display for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.uuid().fmt(f)
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("eventVersion", EVENT_VERSION)?;
        map.serialize_entry("userIdentity", &self.identity)?;
        map.serialize_entry("eventTime", &self.time.iso8601())?;
        map.serialize_entry("eventSource", self.service)?;
        map.serialize_entry("eventName", self.name)?;
        map.serialize_entry("awsRegion", &self.region)?;
        map.serialize_entry("sourceIPAddress", &self.source)?;
        map.serialize_entry("userAgent", &*self.user_agent)?;
        if let Some((code, message)) = &self.error {
            map.serialize_entry("errorCode", &**code)?;
            map.serialize_entry("errorMessage", &**message)?;
        }

        map.serialize_entry("requestParameters", &self.request_parameters)?;
        map.serialize_entry("responseElements", &self.response_elements)?;
        if !self.additional.is_empty() {
            map.serialize_entry("additionalEventData", &self.additional)?;
        }

        map.serialize_entry("requestID", &*self.request_id)?;
        map.serialize_entry("eventID", &self.id.to_string())?;
        map.serialize_entry("readOnly", &self.read_only)?;
        if !self.resources.is_empty() {
            map.serialize_entry("resources", &self.resources)?;
        }

        map.serialize_entry("eventType", "AwsApiCall")?;
        map.serialize_entry("managementEvent", &(self.category == Category::Management))?;
        map.serialize_entry("recipientAccountId", &self.recipient_account)?;
        if let Some(shared) = &self.shared_id {
            map.serialize_entry("sharedEventID", &shared.to_string())?;
        }

        map.serialize_entry("eventCategory", self.category.as_str())?;
        if let Some(tls) = &self.tls {
            map.serialize_entry("tlsDetails", tls)?;
        }

        map.end()
    }
}

impl Serialize for Resource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(account) = &self.account {
            map.serialize_entry("accountId", account)?;
        }
        map.serialize_entry("type", self.kind)?;
        let name = if self.is_prefix { "ARNPrefix" } else { "ARN" };
        map.serialize_entry(name, &*self.arn)?;
        map.end()
    }
}

/// Capacity for the fields of most events, in bytes.
const FIELDS_BYTES: usize = 192;

/// Version of CloudTrail's record format that events follow.
const EVENT_VERSION: &str = "1.11";

/// An odd number of 128 bits without pattern (the golden ratio's).
const SPREAD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// Where this run's ids start.
static RUN: OnceLock<u128> = OnceLock::new();

/// Ids made by this run.
static COUNT: AtomicU64 = AtomicU64::new(0);
