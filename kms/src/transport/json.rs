//! AWS JSON 1.1: `POST /` with the operation in `X-Amz-Target`.
//!
//! Source: <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header::CACHE_CONTROL;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use http_body_util::LengthLimitError;
use http_body_util::Limited;
use hyper::body::Incoming;

use crate::api::Operation;
use crate::api::OperationName;
use crate::authenticate::Connection;
use crate::error::Code;
use crate::error::KmsError;
use crate::metrics::Door;
use crate::transport::Core;
use crate::transport::compat;
use crate::transport::request_id;
use crate::transport::service_quotas;
use crate::transport::sts;

/// Answers one request that is not gRPC.
pub(crate) async fn answer(
    core: &Core,
    connection: &Connection,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let request_id = request_id();
    let mut response = match Protocol::of(request.headers()) {
        Some(Protocol::Json) if service_quotas::is_meant(request.headers()) => {
            match service_quotas::answer(core, connection, &request_id, request).await {
                Ok(body) => json(StatusCode::OK, body.to_string().into_bytes()),
                Err(failed) => failure(StatusCode::BAD_REQUEST, failed.code, &failed.message),
            }
        }
        Some(Protocol::Json) => match operation(core, connection, &request_id, request).await {
            Ok(body) => json(StatusCode::OK, body),
            Err(error) => refuse(core, &error),
        },
        Some(Protocol::Query) => sts::answer(core, connection, &request_id, request).await,
        None if compat::is_plain_json(core, request.headers()) => {
            match operation(core, connection, &request_id, request).await {
                Ok(body) => json(StatusCode::OK, body),
                Err(error) => refuse(core, &error),
            }
        }
        None => compat::answer(core, &request).unwrap_or_else(not_an_operation),
    };
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert("x-amzn-requestid", value);
    }

    headers.insert(CACHE_CONTROL, HeaderValue::from_static(NO_STORE));
    response
}

/// Does the operation a request asks for; its answer is the JSON body.
async fn operation(
    core: &Core,
    connection: &Connection,
    request_id: &Arc<str>,
    request: Request<Incoming>,
) -> Result<Vec<u8>, KmsError> {
    let (parts, body) = request.into_parts();
    let name = target(&parts.method, parts.uri.path(), &parts.headers)?;
    let body = read(core, body).await?;
    let caller =
        core.authenticator
            .signed(&parts, &body, "kms", connection, Arc::clone(request_id))?;
    let operation = Operation::from_json(name, &body)?;
    let answer = core.call(Door::Json, connection, caller, operation).await?;
    Ok(answer.to_json())
}

/// The operation that a request names.
fn target(method: &Method, path: &str, headers: &HeaderMap) -> Result<OperationName, KmsError> {
    let unknown = || KmsError::new(Code::UnknownOperationException, "");
    if method != Method::POST || path != "/" {
        return Err(unknown());
    }

    let mut targets = headers.get_all("x-amz-target").iter();
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

/// Reads a request's whole body, within the limits.
pub(crate) async fn read(core: &Core, body: Incoming) -> Result<Bytes, KmsError> {
    let collected = Limited::new(body, core.body_bytes_max).collect();
    let mut collected = std::pin::pin!(collected);
    // Most bodies have come with the head; only the others need a timer.
    let result = match collected.as_mut().now_or_never() {
        Some(result) => result,
        None => in_time(core.body_timeout, collected).await?,
    };
    match result {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(KmsError::new(
            Code::RequestEntityTooLargeException,
            "The request is larger than the service takes.",
        )),
        Err(_) => Err(KmsError::new(
            Code::SerializationException,
            "The request ended before its body was complete.",
        )),
    }
}

/// What `future` gives, if it gives it in time.
async fn in_time<T>(limit: Duration, future: impl Future<Output = T>) -> Result<T, KmsError> {
    tokio::time::timeout(limit, future).await.map_err(|_| {
        KmsError::new(
            Code::SerializationException,
            "The request's body did not arrive in time.",
        )
    })
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

/// AWS's answer to what is no request of this protocol at all.
fn not_an_operation() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(
        b"<UnknownOperationException/>\n",
    )));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// The protocols that are spoken besides gRPC.
enum Protocol {
    /// AWS JSON.
    Json,
    /// AWS's query protocol.
    Query,
}

impl Protocol {
    /// The protocol of a request, by the content type without its parameters.
    fn of(headers: &HeaderMap) -> Option<Self> {
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

/// What stands before the operation's name.
const TARGET_PREFIX: &str = "TrentService.";

/// The content type of KMS's protocol.
const JSON_1_1: &str = "application/x-amz-json-1.1";

/// The content type of the protocol before it, which AWS's front end takes too.
const JSON_1_0: &str = "application/x-amz-json-1.0";

/// The content type of AWS's query protocol.
const FORM: &str = "application/x-www-form-urlencoded";

/// What AWS tells caches.
const NO_STORE: &str = "no-cache, no-store, must-revalidate, private";
