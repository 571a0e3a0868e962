//! AWS JSON 1.1: `POST /` with the operation in `X-Amz-Target`.
//!
//! Source: <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header::CACHE_CONTROL;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use serde_json::Value;

use crate::api::Operation;
use crate::api::OperationName;
use crate::authenticate::Claim;
use crate::authenticate::Connection;
use crate::caller::Caller;
use crate::error::Code;
use crate::error::KmsError;
use crate::metrics::Protocol;
use crate::services::service_quotas;
use crate::services::service_quotas::Failure;
use crate::services::sts::Parameters;
use crate::services::sts::StsError;
use crate::transport::Core;
use crate::transport::Incoming;
use crate::transport::body::Sender;
use crate::transport::compat;
use crate::transport::request_id;
use crate::transport::unauthenticated::UnauthenticatedRequest;

/// Answers one request that is not gRPC.
pub(crate) async fn respond(
    core: &Core,
    connection: &Connection,
    open: &mut UnauthenticatedRequest,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let exchange = Exchange {
        core,
        connection,
        open,
        request_id: request_id(),
    };
    let request_id = HeaderValue::from_str(&exchange.request_id);
    let mut response = match Format::of_request(request.headers()) {
        Some(Format::Json) if is_for_service_quotas(request.headers()) => {
            match Box::pin(exchange.service_quotas(request)).await {
                Ok(body) => json(StatusCode::OK, body.to_string().into_bytes()),
                Err(failed) => failure(StatusCode::BAD_REQUEST, failed.code, &failed.message),
            }
        }
        Some(Format::Json) => exchange.answer_operation(request).await,
        Some(Format::Query) => Box::pin(exchange.sts(request)).await,
        None if is_query(&request) => Box::pin(exchange.sts(request)).await,
        None if compat::is_plain_json(core, request.headers()) => {
            exchange.answer_operation(request).await
        }
        None => compat::respond(core, &request).unwrap_or_else(not_an_operation),
    };
    let headers = response.headers_mut();
    if let Ok(value) = request_id {
        headers.insert("x-amzn-requestid", value);
    }

    headers.insert(CACHE_CONTROL, HeaderValue::from_static(NO_STORE));
    response
}

/// One request and its circumstances.
struct Exchange<'a> {
    core: &'a Core,
    connection: &'a Connection,
    open: &'a mut UnauthenticatedRequest,
    request_id: Arc<str>,
}

impl Exchange<'_> {
    /// Does the operation of KMS that a request names, and answers.
    async fn answer_operation(self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let core = self.core;
        match self.operation(request).await {
            Ok(body) => json(StatusCode::OK, body),
            Err(error) => refuse(core, &error),
        }
    }

    /// Does the operation that a request names; its answer is the JSON body.
    async fn operation(mut self, request: Request<Incoming>) -> Result<Vec<u8>, KmsError> {
        let head = request.headers();
        let name = target(request.method(), request.uri().path(), head)?;
        let (caller, body) = self.authenticate("kms", request).await?;
        let operation = Operation::from_json(name, &body)?;
        let call = self
            .core
            .call(Protocol::Json, self.connection, caller, operation);
        Ok(call.await?.to_json())
    }

    /// Does one operation of Service Quotas; its answer is the JSON body.
    async fn service_quotas(mut self, request: Request<Incoming>) -> Result<Value, Failure> {
        let target = request.headers().get(TARGET).map(HeaderValue::as_bytes);
        let target = target.unwrap_or_default();
        let operation = target.strip_prefix(service_quotas::TARGET_PREFIX.as_bytes());
        let operation = String::from_utf8_lossy(operation.unwrap_or_default()).into_owned();
        let (caller, body) = self.authenticate("servicequotas", request).await?;
        let service = &self.core.services.service_quotas;
        service.respond(&caller, &operation, &body)
    }

    /// Does one operation of STS, and answers.
    async fn sts(mut self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match self.sts_answer(request).await {
            Ok(body) => xml(StatusCode::OK, body),
            Err(error) => {
                let status = StatusCode::from_u16(error.status);
                let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                xml(status, error.to_xml(&self.request_id))
            }
        }
    }

    async fn sts_answer(&mut self, request: Request<Incoming>) -> Result<String, StsError> {
        let query = query(&request);
        let (parts, body) = request.into_parts();
        let claim = match self.core.authenticator.claim(&parts, "sts") {
            Ok(claim) => claim,
            Err(error) => return Err(self.unsigned_sts(query, body, error).await),
        };
        let (caller, form) = self.verify(claim, parts, body).await?;
        let form = query.map_or(form, Bytes::from);
        let parameters = Parameters::parse(&form)?;
        self.core.services.sts.respond(&caller, &parameters).await
    }

    /// The refusal of a request that nobody known signed. Clients send some that way, with the token of an
    /// identity provider, and are answered what is wrong with that.
    async fn unsigned_sts(
        &self,
        query: Option<String>,
        body: Incoming,
        error: KmsError,
    ) -> StsError {
        if error.code() != Code::MissingAuthenticationTokenException {
            return error.into();
        }
        let form = match query {
            Some(query) => Ok(Bytes::from(query)),
            None => self.body(body).await,
        };
        let parameters = form.map(|form| Parameters::parse(&form));
        let action = parameters.as_ref().ok().and_then(|it| it.as_ref().ok());
        let action = action.and_then(|it| it.action().ok());
        let refusal = action.and_then(StsError::no_identity_provider);
        refusal.unwrap_or_else(|| error.into())
    }

    /// The caller who signed a request for `service`, and the body. What the head claims is checked
    /// first, so that nobody without a known access key has a body read.
    async fn authenticate(
        &mut self,
        service: &str,
        request: Request<Incoming>,
    ) -> Result<(Caller, Bytes), KmsError> {
        let (parts, body) = request.into_parts();
        let claim = self.core.authenticator.claim(&parts, service)?;
        self.verify(claim, parts, body).await
    }

    /// The caller of a request whose head made `claim`, and the body.
    async fn verify(
        &mut self,
        claim: Claim,
        parts: Parts,
        body: Incoming,
    ) -> Result<(Caller, Bytes), KmsError> {
        let body = self.body(body).await?;
        let (authenticator, request_id) = (&self.core.authenticator, Arc::clone(&self.request_id));
        let caller = authenticator.signed(claim, &parts, &body, self.connection, request_id)?;
        self.open.authenticated();
        Ok((caller, body))
    }

    /// The whole body of a request whose caller is not authenticated yet.
    async fn body(&self, body: Incoming) -> Result<Bytes, KmsError> {
        let (bodies, most) = (&self.core.bodies, self.core.body_bytes_max);
        let body = bodies.limit(body, Sender::Unauthenticated, most);
        Ok(body.collect().await?.to_bytes())
    }
}

/// Whether the request is one of the query protocol by GET, which has its parameters in the URL.
fn is_query(request: &Request<Incoming>) -> bool {
    query(request).is_some_and(|query| query.split('&').any(|pair| pair.starts_with("Action=")))
}

/// The query of a GET.
fn query(request: &Request<Incoming>) -> Option<String> {
    let uri = request.uri();
    let is_get = request.method() == Method::GET && uri.path() == "/";
    is_get.then(|| uri.query().map(str::to_owned)).flatten()
}

/// Whether the headers are for Service Quotas.
fn is_for_service_quotas(headers: &HeaderMap) -> bool {
    let prefix = service_quotas::TARGET_PREFIX.as_bytes();
    headers
        .get(TARGET)
        .is_some_and(|target| target.as_bytes().starts_with(prefix))
}

/// The operation that a request names.
fn target(method: &Method, path: &str, headers: &HeaderMap) -> Result<OperationName, KmsError> {
    let unknown = || KmsError::new(Code::UnknownOperationException, "");
    if method != Method::POST || path != "/" {
        return Err(unknown());
    }

    let mut targets = headers.get_all(TARGET).iter();
    let target = targets
        .next()
        .and_then(|value| value.to_str().ok())
        .ok_or_else(unknown)?;
    if targets.next().is_some() {
        return Err(unknown());
    }

    let name = target.strip_prefix(TARGET_PREFIX).ok_or_else(unknown)?;
    OperationName::from_name(name).ok_or_else(unknown)
}

/// The answer that carries an error, as AWS's SDKs read it.
pub(crate) fn refuse(core: &Core, error: &KmsError) -> Response<Full<Bytes>> {
    let code = error.code();
    if matches!(
        code,
        Code::UnknownOperationException
            | Code::MissingAuthenticationTokenException
            | Code::IncompleteSignatureException
            | Code::InvalidSignatureException
            | Code::UnrecognizedClientException
            | Code::SerializationException
            | Code::RequestEntityTooLargeException
    ) {
        core.metrics.count_refused(code);
    }

    let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    failure(status, code.name(), error.message())
}

/// An error by its AWS name. AWS leaves out the messages it has no text for.
fn failure(status: StatusCode, code: &str, message: &str) -> Response<Full<Bytes>> {
    let mut body = serde_json::Map::new();
    body.insert("__type".to_owned(), code.into());
    if !message.is_empty() {
        body.insert("message".to_owned(), message.into());
    }

    let body = serde_json::to_vec(&body).expect("an object of texts is JSON");
    json(status, body)
}

/// A JSON answer.
fn json(status: StatusCode, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(JSON_1_1));
    response
}

/// An XML answer.
fn xml(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    response
}

/// AWS's answer to what is no request of this protocol at all.
fn not_an_operation() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(
        b"<UnknownOperationException/>\n",
    )));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// The formats that requests have besides gRPC.
enum Format {
    /// AWS JSON.
    Json,
    /// AWS's query protocol.
    Query,
}

impl Format {
    /// The format of a request, by the content type without its parameters.
    fn of_request(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let media_type = text.split(';').next().unwrap_or_default().trim();
        let is = |other: &str| media_type.eq_ignore_ascii_case(other);
        match () {
            () if is(JSON_1_1) || is(JSON_1_0) => Some(Self::Json),
            () if is(FORM) => Some(Self::Query),
            () => None,
        }
    }
}

/// The header that names an operation.
const TARGET: &str = "x-amz-target";

/// What stands before the operation's name in it.
const TARGET_PREFIX: &str = "TrentService.";

/// The content type of KMS's protocol.
const JSON_1_1: &str = "application/x-amz-json-1.1";

/// The content type of the protocol before it, which AWS's front end takes too.
const JSON_1_0: &str = "application/x-amz-json-1.0";

/// The content type of AWS's query protocol.
const FORM: &str = "application/x-www-form-urlencoded";

/// The caching that AWS's answers allow.
const NO_STORE: &str = "no-cache, no-store, must-revalidate, private";
