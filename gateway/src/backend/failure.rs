//! What goes wrong between the gateway and its backend, and what the client receives of it.
//!
//! A backend's S3 error keeps its code, message and status. What would name the backend, its ids or
//! the gateway's own credentials there does not pass: it is logged, and the client receives
//! `ServiceUnavailable`.

use http::HeaderMap;
use http::HeaderName;
use http::Method;
use http::StatusCode;
use percent_encoding::percent_decode_str;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::request::BoxError;

/// Why the backend gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// No connection could be made.
    #[error("backend is unreachable: {0}")]
    Unreachable(String),
    /// The connection broke before the answer was there.
    #[error("backend closed the connection: {0}")]
    Disconnected(String),
    /// The backend did nothing for too long.
    #[error("backend did not answer in time")]
    TimedOut,
    /// The answer breaks HTTP's or S3's rules and is not believed.
    #[error("backend answered against the rules: {0}")]
    Protocol(&'static str),
    /// The request's own body failed; nothing was committed.
    #[error("request body failed: {0}")]
    Body(BoxError),
    /// The request cannot be written as HTTP.
    #[error("request cannot be sent: {0}")]
    Request(&'static str),
    /// The backend answered with an S3 error.
    #[error("backend refused: {0}")]
    Refused(S3Error),
}

impl BackendError {
    /// The S3 error, where the backend answered with one.
    pub fn refusal(&self) -> Option<&S3Error> {
        match self {
            Self::Refused(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the backend answered with this code.
    pub fn is_refused_with(&self, code: S3Code) -> bool {
        self.refusal().is_some_and(|error| error.code() == code)
    }

    /// Whether the backend answered with this status.
    pub fn is_refused_as(&self, status: StatusCode) -> bool {
        self.refusal().is_some_and(|error| error.status() == status)
    }
}

impl From<BackendError> for S3Error {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::Refused(error) => error,
            BackendError::Body(cause) => match cause.downcast::<Self>() {
                Ok(error) => *error,
                Err(cause) => {
                    tracing::warn!(%cause, "body of a request failed");
                    Self::internal()
                }
            },
            BackendError::Request(cause) => Self::invalid_request(cause),
            cause => {
                tracing::warn!(%cause, "backend gave no usable answer");
                Self::new(S3Code::ServiceUnavailable)
            }
        }
    }
}

/// Who wrote the messages of a backend's errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wording {
    /// Somebody else: they may name the backend.
    Theirs,
    /// We, for clients: AWS's own, or the way out of what is not there.
    Ours,
}

/// The code in an error document of S3, if it is one.
pub(crate) fn code(body: &[u8]) -> Option<String> {
    let root = Element::parse(body, Limits::REQUEST).ok()?;
    let code = root.text_of("Code").map(str::trim)?;
    (root.is_named("Error") && is_code(code)).then(|| code.to_owned())
}

/// The S3 error in an answer of `status` with `body` to a request of `method`.
///
/// Where the body says nothing (`HEAD` has none), the status alone decides. `wording` says whether the
/// document's own message is fit for the client.
pub(crate) fn read_error(
    method: &Method,
    status: StatusCode,
    body: &[u8],
    wording: Wording,
) -> S3Error {
    let document = Element::parse(body, Limits::REQUEST)
        .ok()
        .filter(|root| root.is_named("Error"));
    let code = document
        .as_ref()
        .and_then(|root| root.text_of("Code"))
        .map(str::trim);
    let message = document
        .as_ref()
        .and_then(|root| root.text_of("Message"))
        .unwrap_or_default();

    if code.is_some_and(|code| OURS.contains(&code))
        || status.is_redirection() && status != StatusCode::NOT_MODIFIED
        // Not the success that was expected.
        || status.is_success()
    {
        tracing::error!(%status, code, cause = message, "backend does not accept the gateway's own request");
        return S3Error::new(S3Code::ServiceUnavailable);
    }
    let code = match code {
        Some(code) if is_code(code) => code,
        _ => bare_code(method, status),
    };
    let mut error = S3Error::foreign(code, status, shown_message(code, message, wording));
    for element in DETAILS {
        if let Some(value) = document.as_ref().and_then(|root| root.text_of(element)) {
            error = error.detail(element, value);
        }
    }
    error
}

/// The message that the client sees: AWS's own for a code that has one, so that a backend's wording
/// (and the names in it) stays behind; the backend's where the code alone says too little.
fn shown_message(code: &str, message: &str, wording: Wording) -> String {
    let own = || message.chars().take(MESSAGE_CHARS_MAX).collect();
    match S3Code::from_text(code) {
        // What failed inside is logged and of no use to a client.
        Some(S3Code::InternalError) => S3Code::InternalError.message().to_owned(),
        _ if wording == Wording::Ours && !message.is_empty() => own(),
        Some(code) if WORDED.contains(&code) && !message.is_empty() => own(),
        Some(S3Code::AccessDenied) if message == LOCKED => own(),
        None if !message.is_empty() => own(),
        Some(known) => known.message().to_owned(),
        None => S3Code::Foreign.message().to_owned(),
    }
}

/// The code that stands for a status without a document.
fn bare_code(method: &Method, status: StatusCode) -> &'static str {
    match status.as_u16() {
        304 => "NotModified",
        400 => "BadRequest",
        403 => "AccessDenied",
        404 if method == Method::HEAD => "NotFound",
        404 => "NoSuchKey",
        405 => "MethodNotAllowed",
        409 => "OperationAborted",
        411 => "MissingContentLength",
        412 => "PreconditionFailed",
        416 => "InvalidRange",
        429 | 503 => "SlowDown",
        501 => "NotImplemented",
        500..=599 => "InternalError",
        _ => "BadRequest",
    }
}

fn is_code(code: &str) -> bool {
    (1..=64).contains(&code.len())
        && code
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
}

/// Longest message of a backend that is passed on, in characters.
const MESSAGE_CHARS_MAX: usize = 512;

/// Codes whose message says what was wrong, of several things that may be.
const WORDED: [S3Code; 7] = [
    S3Code::BucketNotEmpty,
    S3Code::InvalidArgument,
    S3Code::InvalidBucketState,
    S3Code::InvalidRequest,
    S3Code::InvalidTag,
    S3Code::MalformedPolicy,
    S3Code::UnexpectedContent,
];

/// What AWS says of a lock. Other reasons for `AccessDenied` may be about the gateway's own user.
const LOCKED: &str = "Access Denied because object protected by object lock.";

/// Elements of an error that speak of the client's own request. All others stay behind: `HostId`,
/// `RequestId`, `Resource`, `Endpoint`, `AWSAccessKeyId`, `StringToSign`, and `ActualObjectSize`,
/// which is the sealed size.
const DETAILS: [&str; 24] = [
    "ArgumentName",
    "ArgumentValue",
    "BucketName",
    "Condition",
    "Header",
    "additionalMessage",
    "LocationConstraint",
    "Method",
    "MissingHeaderName",
    "ResourceType",
    "StorageClass",
    "StorageClassRequested",
    "TagKey",
    "TagValue",
    "TargetBucket",
    "Key",
    "VersionId",
    "UploadId",
    "PartNumber",
    "ETag",
    "ProposedSize",
    "MaxSizeAllowed",
    "MinSizeAllowed",
    "SourceBucketLocation",
];

/// In a refusal by a backend in this process: further elements of the document, of the names in
/// `DETAILS`, as a query: `Name=value&...`, values percent-encoded. The library that writes its documents writes none.
pub const ERROR_ELEMENTS: HeaderName = HeaderName::from_static("x-sealgate-error-elements");

/// `error` with the elements that a backend in this process sent in a header.
pub(crate) fn with_elements(mut error: S3Error, headers: &HeaderMap) -> S3Error {
    let sent = headers.get(ERROR_ELEMENTS);
    let sent = sent.and_then(|sent| sent.to_str().ok()).unwrap_or_default();
    for (name, value) in sent.split('&').filter_map(|pair| pair.split_once('=')) {
        if let Some(element) = DETAILS.into_iter().find(|element| *element == name) {
            error = error.detail(element, percent_decode_str(value).decode_utf8_lossy());
        }
    }
    error
}

/// Codes that are about the gateway's own credentials, clock or signature at the backend. A client
/// that heard them would look for the fault in its own.
const OURS: [&str; 13] = [
    "AccountProblem",
    "AuthorizationHeaderMalformed",
    "AuthorizationQueryParametersError",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidSecurity",
    "InvalidToken",
    "PermanentRedirect",
    "Redirect",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TemporaryRedirect",
    "XAmzContentSHA256Mismatch",
];
