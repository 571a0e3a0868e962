//! One request, from its head to its answer.
//!
//! The order is fixed: what is ambiguous is refused; the target is read; the signature is checked;
//! only then is anything decided by what the request contains. An answer that is an error is written
//! here and nowhere else. Every answer carries a request id; that to a request from a web page whose
//! signature was right, an error too, what the bucket's cross-origin rules let the page read.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use futures_util::FutureExt as _;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header;
use proto::identity::AccountId;
use proto::trace::Span;
use tokio::time::Instant;

use crate::access_log::log::AccessLog;
use crate::access_log::request::Authentication;
use crate::access_log::request::ReceivedHead;
use crate::access_point::record::AccessPoint;
use crate::access_point::resolution;
use crate::access_point::resolution::RequestAccessPoints;
use crate::audit::trail::Trail;
use crate::authenticate;
use crate::authenticate::Authenticator;
use crate::authenticate::Head;
use crate::authenticate::User;
use crate::authenticate::UsersError;
use crate::bucket::cors::Asking;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::measured::Scope;
use crate::payload;
use crate::payload::Wire;
use crate::payload::WireBody;
use crate::payload::WireLimits;
use crate::request::Body;
use crate::request::Connection;
use crate::request::RequestId;
use crate::request::S3Request;
use crate::request::Target;
use crate::request::TlsParameters;
use crate::request::full_body;
use crate::request_counts::RequestCounts;
use crate::respond::answer::InFlight;
use crate::respond::answer::LoggedRequest;
use crate::respond::answer::Record;
use crate::respond::last_byte::LastByte;
use crate::respond::last_byte::TimedBody;
use crate::respond::meters::Meters;
use crate::respond::names::RequestNames;
use crate::route;
use crate::route::BaseDomains;
use crate::route::Operation;
use crate::vault::service;
use crate::vault::service::ReceivedRequest;
use crate::vault::service::VaultService;

mod answer;
mod client;
mod dispatch;
mod error_elements;
mod last_byte;
mod logged;
mod meters;
mod names;

pub use answer::Answer;
pub use client::TrustedProxies;
pub use dispatch::Operations;
pub use names::span_of_request;

/// Answers S3 requests.
pub struct Responder {
    operations: Operations,
    vaults: VaultService,
    authenticator: Authenticator,
    access_log: Arc<AccessLog>,
    trail: Option<Arc<Trail>>,
    settings: Settings,
    in_flight: Arc<AtomicUsize>,
    meters: Arc<Meters>,
    counts: Option<Arc<RequestCounts>>,
    ids: Ids,
    host_id: HeaderValue,
}

/// How requests are answered.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Host names under which buckets are addressed as `bucket.<name>`.
    pub bases: BaseDomains,
    /// Proxies whose word about their clients is taken.
    pub proxies: TrustedProxies,
    /// How long bodies may take.
    pub wire_limits: WireLimits,
    /// Requests in flight before new ones are answered `SlowDown`.
    pub in_flight_max: usize,
    /// A random number that request ids start from.
    pub seed: u64,
}

/// Request ids: the numbers from a random start, so that two gateways hardly share any.
struct Ids {
    next: AtomicU64,
}

impl Responder {
    /// A responder over these operations and these vaults. `trail`: records events, if any are wanted.
    pub fn new(
        operations: Operations,
        vaults: VaultService,
        authenticator: Authenticator,
        access_log: Arc<AccessLog>,
        trail: Option<Arc<Trail>>,
        settings: Settings,
    ) -> Self {
        let host_id = format!("sealgate-{:016x}", settings.seed);
        Self {
            operations,
            vaults,
            authenticator,
            access_log,
            trail,
            in_flight: Arc::default(),
            meters: Arc::default(),
            counts: None,
            ids: Ids {
                next: AtomicU64::new(settings.seed),
            },
            host_id: HeaderValue::try_from(host_id).expect("hex digits are a header value"),
            settings,
        }
    }

    /// The same, whose answers are counted there, if at all.
    #[must_use]
    pub fn counted(mut self, counts: Option<Arc<RequestCounts>>) -> Self {
        self.counts = counts;
        self
    }

    /// The same, whose metrics are counted in a scope.
    #[must_use]
    pub(crate) fn measured(mut self, scope: Scope) -> Self {
        self.meters = Arc::new(Meters::new(scope));
        self
    }

    /// Takes other users of the configuration from the next request on, and what the credentials file has now.
    ///
    /// # Errors
    ///
    /// [`UsersError`]; then everybody stays who they were.
    pub fn replace_users(&self, users: &[User]) -> Result<(), UsersError> {
        self.authenticator.replace_users(users)?;
        self.replace_accounts();
        Ok(())
    }

    /// Takes what the credentials file has, if somebody else read it again.
    fn take_changed_users(&self) {
        if self.authenticator.refresh() {
            self.replace_accounts();
        }
    }

    fn replace_accounts(&self) {
        let accounts = self.authenticator.accounts();
        let owners = &self.operations.configurations.owners;
        owners.replace_accounts(accounts.iter().map(AccountId::as_str));
    }

    /// Requests that are being answered now.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Answers one request, whatever happens.
    pub async fn respond<B: WireBody>(
        &self,
        request: Request<B>,
        peer: SocketAddr,
        tls: Option<TlsParameters>,
    ) -> Response<Answer> {
        let (head, body) = request.into_parts();
        let connection = self.settings.proxies.connection(peer, tls, &head.headers);
        let (body, last_byte) = TimedBody::new(body);
        let wire = Wire::new(body, self.settings.wire_limits);
        let is_for_vaults = service::is_addressed(&head.headers);
        let target = authenticate::check_head(&head.uri, &head.headers);
        let target = target.and_then(|()| match is_for_vaults {
            true => Ok(Target::default()),
            false => self.target(&head),
        });
        let mut record = self.record(&head, &connection, target.as_ref().ok(), last_byte);
        let is_head = head.method == Method::HEAD;
        let mut for_page = HeaderMap::new();

        let outcome = if record.in_flight.is_some() {
            let (names, trace) = (Arc::clone(&record.names), record.trace.clone());
            let answer = async {
                let target = target?;
                if is_for_vaults {
                    let answer = self.answer_of_vaults(&head, wire, &connection, &mut record);
                    return Ok(answer.boxed().await);
                }
                self.answer(head, target, wire, connection, &mut record, &mut for_page)
                    .await
            };
            let answer = AssertUnwindSafe(answer).catch_unwind();
            let answer = {
                let answer = pin!(answer);
                let answer = pin!(names.within(answer));
                trace.within(answer).await
            };
            answer.unwrap_or_else(|_| {
                tracing::error!(request_id = %record.request_id, "a request panicked");
                Err(S3Error::internal())
            })
        } else {
            Err(S3Error::new(S3Code::SlowDown)
                .header(header::RETRY_AFTER, HeaderValue::from_static("1")))
        };
        let mut response = outcome.unwrap_or_else(|error| match is_for_vaults {
            true => service::refuse(error),
            false => self.error_answer(error, is_head, &mut record),
        });
        if is_for_vaults && let Ok(id) = HeaderValue::from_str(record.request_id.as_str()) {
            response.headers_mut().insert(VAULT_REQUEST_ID, id);
        }
        if !for_page.is_empty() {
            response.headers_mut().extend(for_page);
        }
        self.finish(response, record)
    }

    /// What a request is about.
    fn target(&self, head: &http::request::Parts) -> Result<Target, S3Error> {
        let (host, bases) = (host(head), &self.settings.bases);
        let control = route::control_target(&head.uri, host, &head.headers, bases)?;
        control.map_or_else(|| route::target(&head.uri, host, bases), Ok)
    }

    /// The request's part in the log, and its place among those in flight.
    fn record(
        &self,
        head: &http::request::Parts,
        connection: &Connection,
        target: Option<&Target>,
        last_byte: LastByte,
    ) -> Box<Record> {
        let request_id = self.ids.next();
        let received = self.authenticator.now();
        let query = target.map(|target| &target.query);
        let received = ReceivedHead::new(head, query, received);
        let target = Arc::new(target.cloned().unwrap_or_default());
        let trace = Span::server(answer::SERVICE, "", &Span::of_caller(&head.headers));
        // In a box: it goes with the answer, which is handed on many times.
        Box::new(Record {
            names: Arc::new(RequestNames::new(
                request_id,
                trace.clone(),
                Arc::clone(&target),
            )),
            trace,
            request_id,
            started: Instant::now(),
            head: received,
            connection: connection.clone(),
            operation: None,
            vault_operation: None,
            target,
            caller: None,
            status: StatusCode::OK,
            error_code: None,
            error_message: None,
            event: None,
            in_flight: InFlight::enter(&self.in_flight, self.settings.in_flight_max),
            meters: Arc::clone(&self.meters),
            logged: LoggedRequest::new(&self.access_log, &self.host_id, last_byte),
        })
    }

    /// Everything that can end in an error. `for_page` is what the web page that sent
    /// the request may read of the answer, whatever that is.
    async fn answer<B: WireBody>(
        &self,
        head: http::request::Parts,
        mut target: Target,
        wire: Wire<B>,
        connection: Connection,
        record: &mut Record,
        for_page: &mut HeaderMap,
    ) -> Result<Response<Body>, S3Error> {
        let asking = Asking::of(&head.method, &head.headers);
        if head.method == Method::OPTIONS {
            let preflight = self.preflight(&mut target, &head.headers, asking.as_ref(), record);
            return preflight.boxed().await;
        }
        self.take_changed_users();
        let verified = self.authenticator.check(Head {
            method: &head.method,
            uri: &head.uri,
            query: &target.query,
            headers: &head.headers,
            bases: &self.settings.bases,
        })?;
        if let Some(query) = verified.query {
            target.query = query;
        }
        record.caller = Some(verified.caller.clone());
        // Not before: whoever signs wrongly costs the backend nothing.
        let (operations, for_lambda) = (&self.operations, verified.is_for_object_lambda);
        let lambda = operations.resolve_lambda(&mut target, for_lambda).await?;
        let through = operations.resolve_target(&mut target).await?;
        record.set_bucket(&target);
        if let (Some(asking), Some(bucket)) = (asking, &target.bucket) {
            let cors = &self.operations.configurations.cors;
            *for_page = cors.allowance(bucket, &asking).boxed().await;
        }
        let http::request::Parts {
            method,
            mut headers,
            ..
        } = head;
        headers.remove(authenticate::SECURITY_TOKEN);
        let hoisted = verified.hoisted.into_iter();
        headers.extend(hoisted.map(|(name, value)| (Some(name), value)));

        let named = self.named_operation(&method, &mut target, &mut headers, through, record);
        let (operation, through) = named.await?;
        if verified.coverage.is_chunked() && !operation.takes_chunked_body() {
            return Err(S3Error::not_implemented(CHUNKED));
        }
        self.operations.check_target(&target)?;

        let body = payload::covered(wire, &headers, verified.coverage)?;
        let request_id = record.request_id;
        // In a box: it is handed on many times.
        let mut request = Box::new(S3Request {
            method,
            target,
            headers,
            caller: verified.caller,
            auth: verified.auth,
            signed_region: verified.region,
            is_by_object_lambda: verified.is_of_function || lambda.is_some(),
            received: record.head.received,
            connection,
            request_id,
            body,
        });
        if operation == Operation::PostObject {
            *request = self.read_form(*request, record).boxed().await?;
        }
        record.logged.begin(operation, &request);
        match lambda {
            None => self.operations.run(operation, request, through),
            Some(lambda) => self
                .operations
                .run_by_lambda(operation, request, through, lambda),
        }
        .await
    }

    /// The answer to a browser that asks before it sends a request of a page.
    async fn preflight(
        &self,
        target: &mut Target,
        headers: &HeaderMap,
        asking: Option<&Asking>,
        record: &mut Record,
    ) -> Result<Response<Body>, S3Error> {
        record.operation = Some(Operation::Preflight);
        self.operations.resolve_target(target).await?;
        self.begin_event(Operation::Preflight, headers, record);
        let cors = &self.operations.configurations.cors;
        cors.preflight(target, asking).await
    }

    /// The operation that a request names, and all access points that it names.
    async fn named_operation(
        &self,
        method: &Method,
        target: &mut Target,
        headers: &mut HeaderMap,
        through: Option<Arc<AccessPoint>>,
        record: &mut Record,
    ) -> Result<(Operation, RequestAccessPoints), S3Error> {
        route::check_headers(headers)?;
        let operation = route::operation(method, target, headers)?;
        route::keep_headers(operation, headers);
        record.operation = Some(operation);
        // Who sent a form is not known yet.
        if operation != Operation::PostObject {
            self.begin_event(operation, headers, record);
        }
        let operations = &self.operations;
        operations
            .check_access_point(operation, method, target)
            .await?;
        let through = operations.resolve_all(operation, through, headers).await?;
        record.set_source(headers, through.source.as_deref());
        Ok((operation, through))
    }

    /// The request that a form stands for, whose sender and key are known only now.
    async fn read_form(
        &self,
        request: S3Request,
        record: &mut Record,
    ) -> Result<S3Request, S3Error> {
        let request = self.authenticator.form(request).await?;
        route::check_headers(&request.headers)?;
        record.caller = Some(request.caller.clone());
        record.set_key(request.target.key.as_ref());
        record.head.authentication = Authentication::of_form(request.auth);
        self.begin_event(Operation::PostObject, &request.headers, record);
        Ok(request)
    }

    /// Begins the event of a request, if one is wanted.
    fn begin_event(&self, operation: Operation, headers: &HeaderMap, record: &mut Record) {
        let Some(trail) = &self.trail else {
            return;
        };
        record.event = trail.begin(operation, &record.target, headers);
    }

    /// The answer to a request for Glacier vaults.
    async fn answer_of_vaults<B: WireBody>(
        &self,
        head: &http::request::Parts,
        wire: Wire<B>,
        connection: &Connection,
        record: &mut Record,
    ) -> Response<Body> {
        self.take_changed_users();
        let request = ReceivedRequest {
            method: &head.method,
            uri: &head.uri,
            headers: &head.headers,
            connection,
            request_id: record.request_id,
        };
        let received = record.head.received;
        let answer = self
            .vaults
            .respond(request, received, wire, &self.authenticator);
        let (response, outcome) = answer.await;
        record.vault_operation = outcome.operation;
        record.caller = outcome.caller;
        record.error_code = outcome.error_code.map(str::to_owned);
        if let (Some(trail), Some(event)) = (&self.trail, outcome.event) {
            trail.hand_over(event);
        }
        response
    }

    /// The answer that reports an error.
    fn error_answer(&self, error: S3Error, is_head: bool, record: &mut Record) -> Response<Body> {
        let error = resolution::explain_missing(error, &record.target);
        record.error_code = Some(error.code_text().to_owned());
        if record.event.is_some() {
            record.error_message = Some(error.message().to_owned());
        }
        let error = error_elements::complete(error, &record.head.method, &record.target);
        let host_id = self.host_id.to_str().unwrap_or_default();
        let request_id = record.request_id.as_str();
        let response = match record.target.control.is_some() {
            true => error.into_control_response(request_id, host_id),
            false => error.into_response(request_id, host_id, is_head),
        };
        response.map(full_body)
    }

    /// Names the request in its answer and hands both to their end.
    fn finish(&self, response: Response<Body>, mut record: Box<Record>) -> Response<Answer> {
        let (mut head, body) = response.into_parts();
        let id = HeaderValue::from_str(record.request_id.as_str());
        if let Ok(id) = id {
            head.headers.insert(REQUEST_ID, id);
        }
        head.headers.insert(HOST_ID, self.host_id.clone());
        head.headers
            .insert(header::SERVER, HeaderValue::from_static("Sealgate"));
        record.status = head.status;
        if let Some(counts) = &self.counts {
            // Before the answer is sent, so that whoever has it finds it counted.
            counts.answered(record.operation_name(), head.status);
        }
        record.logged.answer(&mut head, &record.head.method);
        if let Some(event) = &mut record.event {
            event.answer(&head);
        }
        Response::from_parts(head, Answer::new(body, record))
    }
}

impl Ids {
    /// The next id. The numbers are scattered by an odd factor, so that ids do not look alike.
    fn next(&self) -> RequestId {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        RequestId::from_number(number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

/// Names a request in its answer.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
/// Names the gateway that answered.
const HOST_ID: HeaderName = HeaderName::from_static("x-amz-id-2");
/// Names a request to Glacier in its answer.
const VAULT_REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

const CHUNKED: &str = "This operation does not take a chunked, signed payload.";

/// The host that a request names.
fn host(head: &http::request::Parts) -> Option<&str> {
    let authority = head.uri.authority().map(http::uri::Authority::as_str);
    authority.or_else(|| head.headers.get(header::HOST)?.to_str().ok())
}
