//! The two protocols on one port: gRPC and AWS JSON 1.1, distinguished by the content type.
//!
//! Both make the same caller and the same operation, call the same core, and write the same error in
//! their own form.

mod body;
mod compat;
mod grpc;
mod json;
mod traced;
mod unauthenticated;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use http::Request;
use http::Response;
use http::header::AUTHORIZATION;
use http::header::Entry;
use http_body_util::Either;
use http_body_util::Full;
use proto::audit::EventId;
use proto::connection::body::RequestBody;
use proto::hosts::HostError;
use proto::hosts::Hosts;
use proto::trace::Span;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::api::Answer;
use crate::api::Kms;
use crate::api::Operation;
use crate::api::call_counts::CallKind;
use crate::api::names::arns_of_keys;
use crate::api::names::names_of_keys;
use crate::authenticate::Authenticator;
pub use crate::authenticate::Connection;
use crate::caller::Caller;
use crate::error::Code;
use crate::error::KmsError;
use crate::faults::Effect;
use crate::faults::Faults;
use crate::metrics::Metrics;
use crate::metrics::Protocol;
use crate::services::Services;
use crate::transport::body::BodyLimits;
use crate::transport::grpc::Grpc;
use crate::transport::grpc::protocol;
use crate::transport::unauthenticated::CountedBody;
use crate::transport::unauthenticated::UnauthenticatedRequest;

/// What one request may cost.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest request body, in bytes. KMS's largest members need less than half of the default.
    pub body_bytes_max: usize,

    /// How long a client may take to send a request's head, in milliseconds.
    pub head_timeout_ms: u64,

    /// How long a client may take to send a request's body, in milliseconds.
    pub body_timeout_ms: u64,

    /// What all request bodies that are being read may hold together, in bytes: half of it those of
    /// callers who are authenticated already. A request beyond that is answered
    /// ServiceUnavailableException.
    pub bodies_bytes_max: usize,

    /// Requests worked on at once; more are answered ServiceUnavailableException.
    pub requests_in_flight_max: usize,

    /// Connections open at once; more wait to be accepted.
    pub connections_max: usize,

    /// gRPC calls open at once on one connection.
    pub streams_per_connection_max: u32,

    /// Requests open at once on one connection whose callers have not authenticated yet; more are
    /// answered ServiceUnavailableException.
    pub unauthenticated_requests_per_connection_max: usize,

    /// How long open requests may take to end when the server stops, in milliseconds.
    pub drain_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 1 << 20,
            head_timeout_ms: 10_000,
            body_timeout_ms: 10_000,
            bodies_bytes_max: 64 << 20,
            requests_in_flight_max: 4_096,
            connections_max: 4_096,
            streams_per_connection_max: 1_024,
            unauthenticated_requests_per_connection_max: 64,
            drain_ms: 10_000,
        }
    }
}

/// The body of a request in either protocol.
pub(crate) type Incoming = RequestBody<hyper::body::Incoming>;

/// The body of an answer in either protocol.
pub(crate) type Body = Either<Full<Bytes>, tonic::body::Body>;

/// Both protocols and what they call.
pub struct Protocols {
    core: Arc<Core>,
    grpc: Grpc,
    hosts: Hosts,
}

/// What the protocols share.
pub(crate) struct Core {
    kms: Arc<Kms>,
    authenticator: Authenticator,
    metrics: Arc<Metrics>,
    services: Services,
    faults: Arc<Faults>,
    body_bytes_max: usize,
    bodies: BodyLimits,
    in_flight: Arc<Semaphore>,
}

impl Protocols {
    /// Both protocols, calling `kms`.
    #[must_use]
    pub fn new(
        kms: Arc<Kms>,
        authenticator: Authenticator,
        services: Services,
        metrics: Arc<Metrics>,
        faults: Arc<Faults>,
        limits: &Limits,
        hosts: Hosts,
    ) -> Self {
        let in_flight = limits.requests_in_flight_max.min(Semaphore::MAX_PERMITS);
        let body_timeout = Duration::from_millis(limits.body_timeout_ms);
        let core = Arc::new(Core {
            kms,
            authenticator,
            metrics,
            services,
            faults,
            body_bytes_max: limits.body_bytes_max,
            bodies: BodyLimits::new(limits.bodies_bytes_max, body_timeout),
            in_flight: Arc::new(Semaphore::new(in_flight)),
        });
        let grpc = Grpc::new(Arc::clone(&core), CancellationToken::new());
        Self { core, grpc, hosts }
    }

    /// The same, where streams that would go on for ever end with `stop`.
    #[must_use]
    pub fn until(mut self, stop: CancellationToken) -> Self {
        self.grpc = Grpc::new(Arc::clone(&self.core), stop);
        self
    }

    /// Answers one request.
    ///
    /// # Errors
    ///
    /// None: every failure is an answer.
    pub(crate) async fn respond(
        &self,
        connection: Arc<Connection>,
        mut request: Request<Incoming>,
    ) -> Result<Response<CountedBody<Body>>, Infallible> {
        mark_credentials(request.headers_mut());
        if let Err(error) = self.hosts.check(&request) {
            return Ok(refused_host(error).map(CountedBody::uncounted));
        }

        let is_grpc = protocol::is_claimed(request.headers());
        let Some(mut open) = UnauthenticatedRequest::new(&connection) else {
            let error = KmsError::new(
                Code::ServiceUnavailableException,
                "The connection has too many requests open whose caller is not authenticated.",
            );
            let answer = if is_grpc {
                grpc::refuse(&error).map(Either::Right)
            } else {
                json::refuse(&self.core, &error).map(Either::Left)
            };
            return Ok(answer.map(CountedBody::uncounted));
        };
        let traced = Span::of_caller(request.headers());
        // In boxes: over HTTP/2 the whole is moved nine times before it is polled.
        let answer = if is_grpc {
            let mut answer = Box::pin(self.grpc.respond(connection, &mut open, request));
            traced.within(answer.as_mut()).await.map(Either::Right)
        } else {
            let answer = json::respond(&self.core, &connection, &mut open, request);
            let mut answer = Box::pin(answer);
            traced.within(answer.as_mut()).await.map(Either::Left)
        };
        Ok(answer.map(|body| open.count_until_sent(body)))
    }
}

impl Core {
    /// Does one operation and counts it.
    ///
    /// Quick operations run where they are; those that wait for the disk or make large keys run
    /// where they block no connection.
    async fn call(
        &self,
        protocol: Protocol,
        connection: &Connection,
        caller: Caller,
        operation: Operation,
    ) -> Result<Answer, KmsError> {
        let Ok(permit) = Arc::clone(&self.in_flight).try_acquire_owned() else {
            return Err(KmsError::new(
                Code::ServiceUnavailableException,
                "The service has too many requests in flight.",
            ));
        };
        let name = operation.name();
        let start = Instant::now();
        let span = traced::start(protocol, name, &caller);
        let names = || names_of_keys(&self.kms, &caller, &operation);
        if let Some(effect) = self.faults.effect(&caller, &operation, names)
            && let Some(error) = apply(effect, connection).await
        {
            // It does not reach the KMS, which counts all others.
            let arns: Vec<Arc<str>> = arns_of_keys(&self.kms, &caller, &operation);
            let kind = CallKind::new(&caller, name, &arns, Some(&error));
            self.kms.counts().count(kind);
            self.metrics
                .count(&caller, protocol, name, Some(&error), start.elapsed());
            traced::end(&span, Some(&error));
            return Err(error);
        }

        let work = Work {
            kms: Arc::clone(&self.kms),
            metrics: Arc::clone(&self.metrics),
            protocol,
            caller,
            operation,
            start,
            span,
            _permit: permit,
        };
        if !name.is_slow() {
            return work.run();
        }
        // A call that is cancelled before its turn comes does nothing and costs nothing of a quota; one
        // that has begun goes on to its end, as its change must.
        let task = AbortOnDropHandle::new(tokio::task::spawn_blocking(|| work.run()));
        task.await.unwrap_or_else(|error| {
            tracing::error!(%error, operation = %name, "an operation did not end");
            Err(KmsError::internal())
        })
    }
}

/// One operation and all that it needs, to be run on any thread.
struct Work {
    kms: Arc<Kms>,
    metrics: Arc<Metrics>,
    protocol: Protocol,
    caller: Caller,
    operation: Operation,
    start: Instant,
    /// The call in traces, if they are on.
    span: Span,
    /// The operation is in flight until it ends, though its call may be cancelled before.
    _permit: OwnedSemaphorePermit,
}

impl Work {
    /// Does the operation and counts it.
    fn run(self) -> Result<Answer, KmsError> {
        let Self {
            caller, operation, ..
        } = self;
        let name = operation.name();
        let result = self.kms.call(&caller, operation);
        let error = result.as_ref().err();
        if let Some(error) = error.filter(|error| error.code().is_server_fault()) {
            let request_id = &*caller.request_id;
            let trace_id = self.span.trace_id().map(tracing::field::display);
            let span_id = self.span.span_id().map(tracing::field::display);
            tracing::error!(%error, operation = %name, request_id, trace_id, span_id, "an operation failed");
        }

        let took = self.start.elapsed();
        self.metrics
            .count(&caller, self.protocol, name, error, took);
        traced::end(&self.span, error);
        result
    }
}

/// Applies a planned effect; returns the error that the plan answers with, if it has one.
async fn apply(effect: Effect, connection: &Connection) -> Option<KmsError> {
    if !effect.delay.is_zero() {
        tokio::time::sleep(effect.delay).await;
    }

    if effect.drop_connection {
        connection.cut.cancel();
        // Nothing may be answered before the connection is gone.
        tokio::time::sleep(CUT_WITHIN).await;
        return Some(KmsError::internal());
    }

    effect.error
}

/// An id for a request that has none yet.
pub(crate) fn request_id() -> Arc<str> {
    EventId::fresh().shared_text()
}

/// Marks what proves a caller, so that nothing prints it together with the request.
pub(crate) fn mark_credentials(headers: &mut HeaderMap) {
    for name in [
        AUTHORIZATION.as_str(),
        "x-amz-security-token",
        "sealgate-session",
    ] {
        if let Entry::Occupied(mut entry) = headers.entry(name) {
            entry.iter_mut().for_each(|value| value.set_sensitive(true));
        }
    }
}

/// The answer to a request whose host is refused.
fn refused_host(error: HostError) -> Response<Body> {
    let text = Bytes::from(format!("{error}\n"));
    let mut response = Response::new(Either::Left(Full::new(text)));
    *response.status_mut() = error.status();
    response
}

/// A connection that is cut is gone by then.
const CUT_WITHIN: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::AUTHORIZATION;

    use super::mark_credentials;

    #[test]
    fn what_proves_a_caller_is_not_printed_with_the_request() {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, "Bearer canary".parse().unwrap());
        headers.append(AUTHORIZATION, "AWS4-HMAC-SHA256 canary".parse().unwrap());
        headers.append("x-amz-security-token", "canary".parse().unwrap());
        mark_credentials(&mut headers);
        let printed = format!("{headers:?}");
        assert!(!printed.contains("canary"), "{printed}");
    }
}
