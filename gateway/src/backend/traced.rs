//! The span of a request to the backend: from its start until the head of its answer is there.
//!
//! It has no key and no query, and so no URL, which OpenTelemetry's conventions would have.

use proto::trace::Span;

use crate::backend::address::Address;
use crate::backend::failure::BackendError;
use crate::backend::reply::BackendResponse;
use crate::backend::request::BackendRequest;

/// The span of a request to the backend at `address`, or to one in this process.
pub(super) fn start(request: &BackendRequest, address: Option<&Address>) -> Span {
    let method = request.method.as_str();
    let span = match address {
        Some(_) => Span::client(SERVICE, method),
        None => Span::internal(SERVICE, method),
    };
    if !span.is_recording() {
        return span;
    }
    span.text("http.request.method", method);
    if let Some(bucket) = &request.bucket {
        span.text("aws.s3.bucket", bucket);
    }
    if let Some(address) = address {
        span.text("server.address", address.bare_host());
        span.number("server.port", address.port());
    }
    span
}

/// Ends the span of a request by its outcome.
pub(super) fn end(span: &Span, answer: &Result<BackendResponse, BackendError>) {
    if !span.is_recording() {
        return;
    }
    match answer {
        Ok(answer) => {
            let status = answer.status();
            span.number("http.response.status_code", status.as_u16());
            if status.is_client_error() || status.is_server_error() {
                span.fail(status.as_str());
            }
        }
        Err(error) => span.fail(error_type(error)),
    }
    span.end();
}

const fn error_type(error: &BackendError) -> &'static str {
    match error {
        BackendError::Unreachable(_) => "unreachable",
        BackendError::Disconnected(_) => "disconnected",
        BackendError::TimedOut => "timeout",
        BackendError::Protocol(_) => "protocol",
        BackendError::Body(_) => "request_body",
        BackendError::Request(_) => "request",
        BackendError::Refused(_) => "refused",
    }
}

/// The first word of the names of spans.
const SERVICE: &str = "backend";
