//! Events of requests: begun when the operation is known, handed over when the request ends.

use std::sync::Arc;

use http::HeaderMap;
use proto::audit::Audit;
use proto::audit::Category;
use proto::audit::DeferredEvent as _;
use proto::audit::Event;
use proto::audit::EventId;
use proto::audit::Fields;
use proto::audit::Resource;
use proto::identity::AccountId;
use proto::identity::Region;

use crate::access_log::request::AnsweredRequest;
use crate::audit::answered;
use crate::audit::answered::AnsweredEvent;
use crate::audit::answered::Texts;
use crate::audit::event_name;
use crate::audit::parameters;
use crate::audit::parameters::TakenHeaders;
use crate::bucket::bucket_records::BucketRecords;
use crate::bucket::owner::BucketOwners;
use crate::bucket::record::BucketRecord;
use crate::protocol::copy_source::CopySource;
use crate::request::Caller;
use crate::request::Regions;
use crate::request::Target;
use crate::route::Operation;

/// Records the events of a gateway.
pub struct Trail {
    audit: Arc<Audit>,
    data_events: bool,
    records: Arc<BucketRecords>,
    owners: Arc<BucketOwners>,
    regions: Regions,
    region: Region,
}

/// The event of a request that goes on.
pub struct PendingEvent {
    trail: Arc<Trail>,
    operation: Operation,
    headers: TakenHeaders,
    response: Fields,
    /// The bucket as it was before the request, where there may be none after it.
    before: Option<Bucket>,
    source: Option<CopySource>,
    /// Whether the request itself names how its object is to be encrypted.
    names_encryption: bool,
    sse_applied: Option<&'static str>,
}

/// What requests are about, as far as it is cached.
#[derive(Clone, Debug)]
struct Bucket {
    account: Option<AccountId>,
    region: Region,
}

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a> {
    /// The message of its error.
    pub error_message: Option<&'a str>,
    /// Bytes of its body that were received; of an object that was written, the object's.
    pub received_bytes: u64,
    /// The record of its bucket, as far as it is cached and in use.
    pub bucket: Option<&'a BucketRecord>,
}

impl Trail {
    /// A trail that hands events to `audit`, those of objects if `data_events`.
    #[must_use]
    pub const fn new(
        audit: Arc<Audit>,
        data_events: bool,
        records: Arc<BucketRecords>,
        owners: Arc<BucketOwners>,
        regions: Regions,
        region: Region,
    ) -> Self {
        Self {
            audit,
            data_events,
            records,
            owners,
            regions,
            region,
        }
    }

    /// Begins the event of a request, if one is wanted. `headers` has what the operation takes.
    #[must_use]
    pub fn begin(
        self: &Arc<Self>,
        operation: Operation,
        target: &Target,
        headers: &HeaderMap,
    ) -> Option<PendingEvent> {
        let is_wanted = self.data_events || event_name::category(operation) == Category::Management;
        if !is_wanted {
            return None;
        }
        let bucket = target.bucket.as_deref();
        let ends_bucket = operation == Operation::DeleteBucket;
        let copies = matches!(operation, Operation::CopyObject | Operation::UploadPartCopy);
        let sse = [SSE, SSE_CUSTOMER];
        Some(PendingEvent {
            trail: Arc::clone(self),
            operation,
            headers: parameters::of_request(headers),
            response: Fields::default(),
            before: bucket
                .filter(|_| ends_bucket)
                .and_then(|it| self.bucket(it)),
            source: copies.then(|| CopySource::read(headers).ok()).flatten(),
            names_encryption: event_name::encrypts(operation)
                && sse.iter().any(|name| headers.contains_key(*name)),
            sse_applied: None,
        })
    }

    /// The bucket of that name. Nothing is read from the backend for it.
    fn bucket(&self, name: &str) -> Option<Bucket> {
        let record = self.records.cached(name)?;
        record.is_in_use().then(|| self.bucket_in(&record))
    }

    fn bucket_in(&self, record: &BucketRecord) -> Bucket {
        let region = self.regions.of_location(record.location.as_deref());
        let region = match region == self.region.as_str() {
            true => Ok(self.region.clone()),
            false => region.parse(),
        };
        Bucket {
            account: self.owners.owner_in(record).parse().ok(),
            region: region.unwrap_or_else(|_| self.region.clone()),
        }
    }

    /// Hands over an event that is whole.
    pub fn hand_over(&self, event: Event) {
        count(self.audit.offer(event));
    }

    fn hand_over_deferred(&self, event: AnsweredEvent) {
        count(self.audit.offer_deferred(Arc::new(event)));
    }
}

impl PendingEvent {
    /// Notes what the answer shows of what was written.
    pub fn answer(&mut self, answer: &http::response::Parts) {
        if !answer.status.is_success() || event_name::is_read_only(self.operation) {
            return;
        }
        self.response = parameters::of_answer(&answer.headers);
        if event_name::encrypts(self.operation) {
            self.sse_applied = sse_applied(&answer.headers, self.names_encryption);
        }
    }

    /// Hands over the event of a request that ended: to the trail of its caller's account, and to that of the bucket's
    /// owner if that is another. An anonymous request is in the latter only.
    pub fn end(mut self, request: &AnsweredRequest<'_>, ending: Ending<'_>) {
        let trail = Arc::clone(&self.trail);
        let before = self.before.take();
        let bucket = before.or_else(|| ending.bucket.map(|record| trail.bucket_in(record)));
        let owner = bucket.as_ref().and_then(|bucket| bucket.account.clone());
        let principal = request.caller.and_then(Caller::shared_identity);
        let account = principal.map(|principal| principal.account.clone());
        let Some(recipient) = account.or_else(|| owner.clone()) else {
            return;
        };
        let may_be_shared =
            self.source.is_some() || owner.as_ref().is_some_and(|it| *it != recipient);
        let error = request.error_code.map(|code| {
            let message = ending.error_message.unwrap_or_default();
            Box::new((code.to_owned(), message.to_owned()))
        });
        let answered = AnsweredEvent {
            operation: self.operation,
            time: request.head.received,
            region: bucket.map_or_else(|| trail.region.clone(), |bucket| bucket.region),
            partition: trail.region.partition(),
            recipient,
            owner,
            principal: principal.cloned(),
            client: request.connection.client,
            tls: request.connection.tls,
            authentication: request.head.authentication,
            request_id: request.request_id,
            received_bytes: ending.received_bytes,
            sent_bytes: request.sent_bytes,
            sources: self.sources(),
            headers: self.headers,
            response: self.response,
            sse_applied: self.sse_applied,
            error,
            id: EventId::fresh(),
            texts: Texts::of_request(self.operation, request),
        };
        if !may_be_shared {
            return trail.hand_over_deferred(answered);
        }
        let mut event = answered.event();
        if let Some(of_owner) = event.share_with_owner() {
            trail.hand_over(of_owner);
        }
        trail.hand_over(event);
    }

    /// The object that was copied, and its bucket.
    fn sources(&self) -> Vec<Resource> {
        let Some(source) = &self.source else {
            return Vec::new();
        };
        let partition = self.trail.region.partition();
        let owner = self.trail.bucket(&source.bucket);
        let owner = owner.and_then(|bucket| bucket.account);
        vec![
            answered::object(partition, &source.bucket, &source.key),
            answered::bucket_resource(partition, &source.bucket, owner),
        ]
    }
}

/// Counts an event that was not taken.
fn count(is_taken: bool) {
    if !is_taken {
        metrics::counter!("sealgate_audit_events_lost_total").increment(1);
    }
}

/// How an object was encrypted, by the headers of the answer.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-encryption-tracking.html>
fn sse_applied(answer: &HeaderMap, is_named: bool) -> Option<&'static str> {
    if answer.contains_key(SSE_CUSTOMER) {
        return Some("SSE_C");
    }
    let [by_default, named] = match answer.get(SSE)?.as_bytes() {
        b"AES256" => ["Default_SSE_S3", "SSE_S3"],
        b"aws:kms" => ["Default_SSE_KMS", "SSE_KMS"],
        b"aws:kms:dsse" => ["Default_DSSE_KMS", "DSSE_KMS"],
        _ => return None,
    };
    Some(if is_named { named } else { by_default })
}

const SSE: &str = "x-amz-server-side-encryption";
const SSE_CUSTOMER: &str = "x-amz-server-side-encryption-customer-algorithm";

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_encryption_that_was_applied_is_named_as_aws_names_it() {
        for (header, value, is_named, expected) in [
            (SSE, "AES256", false, Some("Default_SSE_S3")),
            (SSE, "AES256", true, Some("SSE_S3")),
            (SSE, "aws:kms", false, Some("Default_SSE_KMS")),
            (SSE, "aws:kms", true, Some("SSE_KMS")),
            (SSE, "aws:kms:dsse", false, Some("Default_DSSE_KMS")),
            (SSE, "aws:kms:dsse", true, Some("DSSE_KMS")),
            (SSE_CUSTOMER, "AES256", true, Some("SSE_C")),
            ("etag", "AES256", true, None),
        ] {
            let pair = (
                HeaderName::from_static(header),
                HeaderValue::from_static(value),
            );
            assert_eq!(
                sse_applied(&HeaderMap::from_iter([pair]), is_named),
                expected
            );
        }
    }
}
