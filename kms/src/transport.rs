//! The two doors on one port: gRPC and AWS JSON 1.1, told apart by the content type.
//!
//! Both make the same caller and the same operation, call the same core, and tell the same error
//! in their own words.

mod compat;
mod grpc;
mod json;
mod service_quotas;
mod sts;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http_body_util::Either;
use http_body_util::Full;
use hyper::body::Incoming;
use proto::hosts::Hosts;
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::api::Answer;
use crate::api::Kms;
use crate::api::Operation;
use crate::audit::EventId;
use crate::authenticate::Authenticator;
pub use crate::authenticate::Connection;
use crate::caller::Caller;
use crate::error::Code;
use crate::error::KmsError;
use crate::faults::Effect;
use crate::faults::Faults;
use crate::metrics::Door;
use crate::metrics::Metrics;
use crate::quota::Quotas;
use crate::transport::grpc::Grpc;
use crate::transport::service_quotas::Increases;

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

    /// Requests worked on at once; more are answered ServiceUnavailableException.
    pub requests_in_flight_max: usize,

    /// Connections open at once; more wait to be accepted.
    pub connections_max: usize,

    /// gRPC calls open at once on one connection.
    pub streams_per_connection_max: u32,

    /// How long open requests may take to end when the server stops, in milliseconds.
    pub drain_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 1 << 20,
            head_timeout_ms: 10_000,
            body_timeout_ms: 10_000,
            requests_in_flight_max: 4_096,
            connections_max: 4_096,
            streams_per_connection_max: 1_024,
            drain_ms: 10_000,
        }
    }
}

/// The body of an answer of either door.
pub(crate) type Body = Either<Full<Bytes>, tonic::body::Body>;

/// Both doors and what stands behind them.
pub struct Doors {
    core: Arc<Core>,
    grpc: Grpc,
    hosts: Hosts,
}

/// What the doors share.
pub(crate) struct Core {
    kms: Arc<Kms>,
    authenticator: Authenticator,
    metrics: Arc<Metrics>,
    quotas: Arc<Quotas>,
    increases: Increases,
    faults: Arc<Faults>,
    body_bytes_max: usize,
    body_timeout: Duration,
    in_flight: Arc<Semaphore>,
}

impl Doors {
    /// Doors to `kms`.
    #[must_use]
    pub fn new(
        kms: Arc<Kms>,
        authenticator: Authenticator,
        metrics: Arc<Metrics>,
        quotas: Arc<Quotas>,
        faults: Arc<Faults>,
        limits: &Limits,
        hosts: Hosts,
    ) -> Self {
        let in_flight = limits.requests_in_flight_max.min(Semaphore::MAX_PERMITS);
        let core = Arc::new(Core {
            kms,
            authenticator,
            metrics,
            quotas,
            increases: Increases::default(),
            faults,
            body_bytes_max: limits.body_bytes_max,
            body_timeout: Duration::from_millis(limits.body_timeout_ms),
            in_flight: Arc::new(Semaphore::new(in_flight)),
        });
        let grpc = Grpc::new(Arc::clone(&core), limits.body_bytes_max);
        Self { core, grpc, hosts }
    }

    /// Answers one request.
    ///
    /// # Errors
    ///
    /// None: every failure is an answer.
    pub(crate) async fn answer(
        &self,
        connection: Arc<Connection>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        if !self.hosts.allow(&request) {
            return Ok(misdirected());
        }

        let is_grpc = request
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
        if is_grpc {
            return Ok(self
                .grpc
                .answer(connection, request)
                .await
                .map(Either::Right));
        }

        Ok(json::answer(&self.core, &connection, request)
            .await
            .map(Either::Left))
    }
}

impl Core {
    /// Does one operation and counts it.
    ///
    /// Quick operations run where they are; those that wait for the disk or make large keys run
    /// where they hold up no connection.
    async fn call(
        &self,
        door: Door,
        connection: &Connection,
        caller: Caller,
        operation: Operation,
    ) -> Result<Answer, KmsError> {
        let Ok(_permit) = self.in_flight.try_acquire() else {
            return Err(KmsError::new(
                Code::ServiceUnavailableException,
                "The service has too many requests in flight.",
            ));
        };
        let name = operation.name();
        let start = Instant::now();
        let names = || self.kms.names_of_keys(&caller, &operation);
        if let Some(effect) = self.faults.effect(&caller, &operation, names)
            && let Some(error) = suffer(effect, connection).await
        {
            self.metrics
                .count(&caller, door, name, Some(&error), start.elapsed());
            return Err(error);
        }

        let (caller, result) = if name.is_slow() {
            let kms = Arc::clone(&self.kms);
            let work = move || {
                let result = kms.call(&caller, operation);
                (caller, result)
            };
            match tokio::task::spawn_blocking(work).await {
                Ok(done) => done,
                Err(error) => {
                    tracing::error!(%error, operation = %name, "an operation did not end");
                    return Err(KmsError::internal());
                }
            }
        } else {
            let result = self.kms.call(&caller, operation);
            (caller, result)
        };
        let error = result.as_ref().err();
        if let Some(error) = error.filter(|error| error.code().is_server_fault()) {
            let request_id = &*caller.request_id;
            tracing::error!(%error, operation = %name, request_id, "an operation failed");
        }

        self.metrics
            .count(&caller, door, name, error, start.elapsed());
        result
    }
}

/// Lets a planned effect happen; an error, if that is what the plan answers.
async fn suffer(effect: Effect, connection: &Connection) -> Option<KmsError> {
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

/// The answer to a request for a host we are not.
fn misdirected() -> Response<Body> {
    let text = "This server answers only to its own names.\n";
    let mut response = Response::new(Either::Left(Full::new(Bytes::from_static(text.as_bytes()))));
    *response.status_mut() = StatusCode::MISDIRECTED_REQUEST;
    response
}

/// A connection that is cut is gone by then.
const CUT_WITHIN: Duration = Duration::from_secs(5);
