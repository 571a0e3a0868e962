//! The body of an answer on its way out, counted, with the line that is logged at its end.

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http_body::Frame;
use http_body::SizeHint;
use proto::trace::Span;
use tokio::time::Instant;
use tracing::field;

use crate::access_log::log::AccessLog;
use crate::access_log::pending::LoggedBucket;
use crate::access_log::request::AnsweredRequest;
use crate::access_log::request::ReceivedHead;
use crate::access_point::record::AccessPoint;
use crate::audit::trail::Ending;
use crate::audit::trail::PendingEvent;
use crate::bucket::record::BucketRecord;
use crate::protocol::copy_source::HEADER;
use crate::request::Body;
use crate::request::BoxError;
use crate::request::Caller;
use crate::request::Connection;
use crate::request::RequestId;
use crate::request::ServedObjects;
use crate::request::Target;
use crate::respond::last_byte::LastByte;
use crate::respond::meters::Meters;
use crate::respond::names::RequestNames;
use crate::route::Operation;

/// One of the requests in flight; it is counted until it is dropped.
#[derive(Debug)]
pub(super) struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    /// One more in flight, unless there are `limit` already.
    pub(super) fn enter(count: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        let before = count.fetch_add(1, Ordering::Relaxed);
        let entered = Self(Arc::clone(count));
        (before < limit).then_some(entered)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of an answer. Its end, or its being given up, is the end of the request.
pub struct Answer {
    body: Body,
    sent_bytes: u64,
    record: Option<Box<Record>>,
    /// Dropped with the body.
    _held: Option<Box<dyn Any + Send>>,
}

/// What is logged about a request. No header and no query: they may hold secrets.
pub(super) struct Record {
    /// Names the request in every line that is logged on its behalf.
    pub(super) names: Arc<RequestNames>,
    /// The request in traces, if they are on.
    pub(super) trace: Span,
    pub(super) request_id: RequestId,
    pub(super) started: Instant,
    pub(super) head: ReceivedHead,
    pub(super) connection: Connection,
    pub(super) operation: Option<Operation>,
    /// The operation of a request for Glacier vaults.
    pub(super) vault_operation: Option<&'static str>,
    pub(super) target: Arc<Target>,
    pub(super) caller: Option<Caller>,
    pub(super) status: StatusCode,
    pub(super) error_code: Option<String>,
    /// The error's message, if there is an event.
    pub(super) error_message: Option<String>,
    /// What the trail records of the request, if anything.
    pub(super) event: Option<PendingEvent>,
    pub(super) in_flight: Option<InFlight>,
    pub(super) meters: Arc<Meters>,
    pub(super) logged: LoggedRequest,
}

/// What only the access log of a bucket has of a request.
pub(super) struct LoggedRequest {
    pub(super) log: Arc<AccessLog>,
    pub(super) host_id: HeaderValue,
    /// The bucket as it was before the request, where that may change whether it is logged.
    pub(super) before: Option<LoggedBucket>,
    /// Whether the request was judged by what is stored about the bucket.
    pub(super) is_judged: bool,
    /// Whether the bucket as it is after the request does not count.
    pub(super) is_by_state_before: bool,
    pub(super) last_byte: LastByte,
    pub(super) first_byte: Option<Instant>,
    /// Length of the body that the client sends, in bytes.
    pub(super) payload_bytes: Option<u64>,
    pub(super) object_bytes: Option<u64>,
    pub(super) acl_required: bool,
    pub(super) objects: ServedObjects,
}

impl Record {
    /// Adds the request to the access log of its bucket and to the trail, as far as they are switched on.
    fn log(&mut self, sent_bytes: u64, total: Duration) {
        let event = self.event.take();
        let name = self.target.bucket.as_ref();
        let record = name.and_then(|name| self.logged.log.cached(name));
        let bucket = self.logged_bucket(record.as_deref());
        let logged = &self.logged;
        let is_logged = bucket.is_some() || logged.objects.source.is_some();
        if !is_logged && event.is_none() {
            return;
        }
        let began = logged.last_byte.moment().unwrap_or(self.started);
        let turn_around = logged
            .first_byte
            .map(|first| first.saturating_duration_since(began));
        let answered = AnsweredRequest {
            head: &self.head,
            target: &self.target,
            caller: self.caller.as_ref(),
            connection: &self.connection,
            request_id: self.request_id,
            host_id: logged.host_id.to_str().unwrap_or_default(),
            status: self.status,
            error_code: self.error_code.as_deref(),
            sent_bytes,
            object_bytes: logged.objects.object_bytes.or(logged.object_bytes),
            total,
            turn_around,
            acl_required: logged.acl_required,
            objects: &logged.objects,
        };
        if is_logged {
            logged.log.add(bucket, &answered);
        }
        if let Some(event) = event {
            // The object's own bytes, where it was written: without the frames of `aws-chunked` or of a form.
            let written = logged.payload_bytes.filter(|_| self.status.is_success());
            let ending = Ending {
                error_message: self.error_message.as_deref(),
                received_bytes: written.unwrap_or_else(|| logged.last_byte.bytes()),
                bucket: record.as_deref(),
            };
            event.end(&answered, ending);
        }
    }

    /// Ends the span of the request. It has no key, no header and no query.
    fn end_trace(&self, sent_bytes: u64, outcome: &'static str) {
        let trace = &self.trace;
        if !trace.is_recording() {
            return;
        }
        let service = match self.vault_operation {
            Some(_) => "Glacier",
            None => SERVICE,
        };
        trace.rename(service, self.operation_name());
        trace.text("http.request.method", semantic_method(&self.head.method));
        trace.text("url.scheme", self.connection.scheme());
        trace.text("client.address", &self.connection.client.to_string());
        trace.number("http.response.status_code", self.status.as_u16());
        trace.number("http.response.body.size", sent_bytes);
        trace.text("aws.request_id", self.request_id.as_str());
        if let Some(bucket) = &self.target.bucket {
            trace.text("aws.s3.bucket", bucket);
        }
        let code = self.error_code.as_deref();
        if let Some(code) = code {
            trace.text("sealgate.error_code", code);
        }
        // What a client does wrong is no failure of a server, by the conventions.
        if self.status.is_server_error() {
            trace.fail(code.unwrap_or_else(|| self.status.as_str()));
        } else if outcome == ABORTED {
            trace.fail(outcome);
        }
        trace.end();
    }

    /// The bucket that the request is logged for, if its owner switched that on.
    fn logged_bucket(&mut self, record: Option<&BucketRecord>) -> Option<LoggedBucket> {
        let name = self.target.bucket.as_ref()?;
        let logged = &mut self.logged;
        match logged.is_by_state_before {
            true => logged.before.take(),
            false => logged.log.logged_in(name, record?, logged.is_judged),
        }
    }

    /// The name of the operation, whatever service it is of.
    pub(super) fn operation_name(&self) -> &'static str {
        let name = self.operation.map(Operation::name).or(self.vault_operation);
        name.unwrap_or("-")
    }

    /// Takes the bucket of the access point that a request goes through.
    pub(super) fn set_bucket(&mut self, target: &Target) {
        if let Some(access_point) = &target.access_point {
            let own = Arc::make_mut(&mut self.target);
            own.bucket.clone_from(&target.bucket);
            own.access_point = Some(access_point.clone());
            self.names.set_target(&self.target);
        }
    }

    /// Takes the source of a copy that is named by an access point.
    pub(super) fn set_source(&mut self, headers: &HeaderMap, through: Option<&AccessPoint>) {
        if let Some(access_point) = through {
            self.head.copy_source = headers.get(HEADER).cloned();
            self.head.source_access_point = Some(access_point.arn());
        }
    }

    /// Takes the key that a form names.
    pub(super) fn set_key(&mut self, key: Option<&String>) {
        Arc::make_mut(&mut self.target).key = key.cloned();
        self.names.set_target(&self.target);
    }
}

impl Answer {
    pub(super) fn new(body: Body, record: Box<Record>) -> Self {
        Self {
            body,
            sent_bytes: 0,
            record: Some(record),
            _held: None,
        }
    }

    /// The same, with a value that lives until the body is dropped.
    #[must_use]
    pub fn holding(mut self, value: impl Any + Send) -> Self {
        self._held = Some(Box::new(value));
        self
    }

    /// Ends the request, once.
    fn end(&mut self, outcome: &'static str) {
        let Some(mut record) = self.record.take() else {
            return;
        };
        let lasted = record.started.elapsed();
        let meters = &record.meters;
        meters.count(record.operation, record.status, self.sent_bytes, lasted);
        tracing::info!(
            target: "gateway::access",
            request_id = record.request_id.as_str(),
            client = %record.connection.client,
            method = record.head.method.as_str(),
            operation = record.operation_name(),
            bucket = record.target.bucket.as_deref().unwrap_or("-"),
            // Quoted and escaped: a key may hold line ends and control sequences.
            key = ?record.target.key.as_deref().unwrap_or("-"),
            principal = record.caller.as_ref().map_or("-", Caller::principal),
            status = record.status.as_u16(),
            error = record.error_code.as_deref().unwrap_or("-"),
            sent_bytes = self.sent_bytes,
            millis = u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX),
            outcome,
            trace_id = record.trace.trace_id().map(field::display),
            span_id = record.trace.span_id().map(field::display),
            "request",
        );
        record.end_trace(self.sent_bytes, outcome);
        record.log(self.sent_bytes, lasted);
        drop(record.in_flight);
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let polled = {
            let record = this.record.as_ref();
            let _named = record.map(|record| record.names.enter());
            let _traced = record.and_then(|record| record.trace.attach());
            let polled = Pin::new(&mut this.body).poll_frame(context);
            if let Poll::Ready(Some(Err(cause))) = &polled {
                tracing::warn!(%cause, "an answer broke off; the connection is closed");
            }
            polled
        };
        let frame = ready!(polled);
        match &frame {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                self.sent_bytes += u64::try_from(length).unwrap_or(u64::MAX);
            }
            Some(Err(_)) => self.end(ABORTED),
            None => self.end("complete"),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // Bodies of announced length are dropped without being polled to their end.
        let complete = http_body::Body::is_end_stream(&self.body);
        self.end(if complete { "complete" } else { "unread" });
    }
}

/// The method as traces may have it: a client's own words are none of a few.
fn semantic_method(method: &Method) -> &str {
    let known = [
        Method::GET,
        Method::HEAD,
        Method::PUT,
        Method::POST,
        Method::DELETE,
        Method::OPTIONS,
    ];
    match known.contains(method) {
        true => method.as_str(),
        false => "_OTHER",
    }
}

/// The first word of the names of spans.
pub(super) const SERVICE: &str = "S3";
/// How an answer ended that broke off.
const ABORTED: &str = "aborted";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_above_the_limit_do_not_enter_and_are_not_counted() {
        let count = Arc::new(AtomicUsize::new(0));
        let first = InFlight::enter(&count, 1);
        assert!(first.is_some());
        assert!(InFlight::enter(&count, 1).is_none());
        assert_eq!(count.load(Ordering::Relaxed), 1);
        drop(first);
        assert!(InFlight::enter(&count, 1).is_some());
    }
}
