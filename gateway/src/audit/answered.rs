//! A request that was answered, as the trail keeps it until somebody reads its event.

use std::net::IpAddr;
use std::sync::Arc;

use proto::audit::Category;
use proto::audit::DeferredEvent;
use proto::audit::Event;
use proto::audit::EventId;
use proto::audit::Fields;
use proto::audit::Identity;
use proto::audit::Resource;
use proto::audit::Source;
use proto::audit::Tls;
use proto::audit::TlsSession;
use proto::iam;
use proto::identity::AccountId;
use proto::identity::Region;
use proto::time::Timestamp;

use crate::access_log::request::AnsweredRequest;
use crate::access_log::request::Authentication;
use crate::audit::event_name;
use crate::audit::parameters;
use crate::audit::parameters::TakenHeaders;
use crate::request::RequestId;
use crate::request::TlsParameters;
use crate::route::Operation;

/// What an event is made of: a few values and two allocations, because most are never read.
pub(super) struct AnsweredEvent {
    pub(super) operation: Operation,
    pub(super) time: Timestamp,
    pub(super) region: Region,
    pub(super) partition: &'static str,
    pub(super) recipient: AccountId,
    /// The owner of the bucket, as far as it is known.
    pub(super) owner: Option<AccountId>,
    /// Who called; nobody in particular if absent.
    pub(super) principal: Option<Arc<iam::Identity>>,
    pub(super) client: IpAddr,
    pub(super) tls: Option<TlsParameters>,
    pub(super) authentication: Authentication,
    pub(super) request_id: RequestId,
    pub(super) received_bytes: u64,
    pub(super) sent_bytes: u64,
    pub(super) headers: TakenHeaders,
    pub(super) response: Fields,
    pub(super) sse_applied: Option<&'static str>,
    /// The object that was copied, and its bucket.
    pub(super) sources: Vec<Resource>,
    pub(super) error: Option<Box<(String, String)>>,
    pub(super) id: EventId,
    pub(super) texts: Texts,
}

impl DeferredEvent for AnsweredEvent {
    fn category(&self) -> Category {
        event_name::category(self.operation)
    }

    fn event(&self) -> Event {
        let host = self.texts.get(self.texts.host).unwrap_or_default();
        let error = self.error.as_deref();
        Event {
            time: self.time,
            service: SERVICE,
            name: event_name::event_name(self.operation),
            category: self.category(),
            read_only: event_name::is_read_only(self.operation),
            region: self.region.clone(),
            recipient_account: self.recipient.clone(),
            identity: match &self.principal {
                Some(principal) => Identity::of_principal(principal),
                None => Identity::anonymous(),
            },
            source: Source::Address(self.client),
            // In brackets, as S3 records it.
            user_agent: format!("[{}]", self.texts.of(self.texts.user_agent)).into(),
            request_parameters: self.parameters(),
            response_elements: self.response.clone(),
            additional: self.additional(),
            request_id: self.request_id.as_str().into(),
            id: self.id,
            resources: self.resources(),
            error: error.map(|(code, message)| (code.as_str().into(), message.as_str().into())),
            shared_id: None,
            tls: self.tls.map(|tls| Tls {
                session: TlsSession {
                    version: tls.version,
                    cipher_suite: tls.cipher_suite,
                },
                host: host.into(),
            }),
        }
    }
}

impl AnsweredEvent {
    /// The value of `requestParameters`.
    fn parameters(&self) -> Fields {
        let texts = &self.texts;
        let mut fields = Fields::default();
        for (name, piece) in [
            ("bucketName", texts.bucket),
            ("Host", texts.host),
            ("key", texts.key),
        ] {
            if let Some(text) = texts.get(piece) {
                fields.push(name, &text);
            }
        }
        for (name, piece) in &texts.query {
            fields.push(name, &texts.of(*piece));
        }
        for (name, value) in &self.headers {
            fields.push(name, value);
        }
        fields
    }

    /// The object or the objects, the bucket, and what a copy was made from.
    fn resources(&self) -> Vec<Resource> {
        let texts = &self.texts;
        let Some(bucket) = texts.get(texts.bucket) else {
            return Vec::new();
        };
        let mut resources = Vec::with_capacity(2 + self.sources.len());
        if event_name::is_of_prefix(self.operation) {
            let prefix = texts.query.iter().find(|(name, _)| *name == "prefix");
            let prefix = prefix.map_or("", |(_, piece)| texts.of(*piece));
            resources.push(Resource {
                is_prefix: true,
                ..object(self.partition, bucket, prefix)
            });
        } else if let Some(key) = texts.get(texts.key) {
            resources.push(object(self.partition, bucket, key));
        }
        let owner = self.owner.clone();
        resources.push(bucket_resource(self.partition, bucket, owner));
        resources.extend_from_slice(&self.sources);
        resources
    }

    /// The value of `additionalEventData`.
    fn additional(&self) -> Fields {
        let mut fields = Fields::default();
        if let Some(version) = self.authentication.signature {
            fields.push("SignatureVersion", &version);
        }
        if let Some(tls) = &self.tls {
            fields.push("CipherSuite", &tls.cipher_suite);
        }
        fields.push("bytesTransferredIn", &self.received_bytes);
        if let Some(applied) = self.sse_applied {
            fields.push("SSEApplied", &applied);
        }
        if let Some(kind) = self.authentication.kind {
            fields.push("AuthenticationMethod", &kind);
        }
        fields.push("x-amz-id-2", &self.texts.of(self.texts.host_id));
        fields.push("bytesTransferredOut", &self.sent_bytes);
        fields
    }
}

/// An object, or the objects whose keys begin with `key`.
pub(super) fn object(partition: &str, bucket: &str, key: &str) -> Resource {
    let arn = format!("arn:{partition}:s3:::{bucket}/{key}");
    Resource::new("AWS::S3::Object", arn, None)
}

/// A bucket, and its owner.
pub(super) fn bucket_resource(partition: &str, bucket: &str, owner: Option<AccountId>) -> Resource {
    let arn = format!("arn:{partition}:s3:::{bucket}");
    Resource::new("AWS::S3::Bucket", arn, owner)
}

/// The texts of a request, one behind the other.
#[derive(Default)]
pub(super) struct Texts {
    all: String,
    bucket: Option<Piece>,
    key: Option<Piece>,
    host: Option<Piece>,
    user_agent: Piece,
    host_id: Piece,
    /// Of its query, what the event has.
    query: Vec<(&'static str, Piece)>,
}

/// Where a text lies.
#[derive(Clone, Copy, Default)]
struct Piece {
    start: u32,
    end: u32,
}

impl Texts {
    /// The texts of a request for an operation.
    pub(super) fn of_request(operation: Operation, request: &AnsweredRequest<'_>) -> Self {
        let (head, target) = (request.head, request.target);
        let lossy = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).len();
        let known = parameters::of_query(operation.row(), &target.query);
        let bytes = target.bucket.as_ref().map_or(0, String::len)
            + target.key.as_ref().map_or(0, String::len)
            + head.host.as_ref().map_or(0, lossy)
            + head.user_agent.as_ref().map_or(0, lossy)
            + request.host_id.len()
            + known.iter().map(|(_, value)| value.len()).sum::<usize>();
        let mut texts = Self {
            all: String::with_capacity(bytes),
            ..Self::default()
        };
        texts.bucket = target.bucket.as_deref().map(|text| texts.add(text));
        texts.key = target.key.as_deref().map(|text| texts.add(text));
        texts.host = head.host.as_ref().map(|value| texts.add_value(value));
        let agent = head.user_agent.as_ref();
        texts.user_agent = agent.map_or_else(Piece::default, |value| texts.add_value(value));
        texts.host_id = texts.add(request.host_id);
        for (name, value) in known {
            let piece = texts.add(value);
            texts.query.push((name, piece));
        }
        texts
    }

    fn add(&mut self, text: &str) -> Piece {
        let start = self.all.len();
        self.all.push_str(text);
        // What is longer than 4 GiB is no request.
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Piece {
            start: place(start),
            end: place(self.all.len()),
        }
    }

    fn add_value(&mut self, value: &http::HeaderValue) -> Piece {
        self.add(&String::from_utf8_lossy(value.as_bytes()))
    }

    fn of(&self, piece: Piece) -> &str {
        let place = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        let range = place(piece.start)..place(piece.end);
        self.all.get(range).unwrap_or_default()
    }

    fn get(&self, piece: Option<Piece>) -> Option<&str> {
        piece.map(|piece| self.of(piece))
    }
}

/// The value of `eventSource`.
const SERVICE: &str = "s3.amazonaws.com";
