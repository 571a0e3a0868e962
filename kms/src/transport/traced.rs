//! The span of one operation: a child of the span that its caller named, or the first one of a trace.
//!
//! It has no key, no account and no encryption context.

use proto::trace::Span;

use crate::api::OperationName;
use crate::caller::Caller;
use crate::error::KmsError;
use crate::metrics::Protocol;

/// The span of an operation that begins.
pub(super) fn start(protocol: Protocol, name: OperationName, caller: &Caller) -> Span {
    let name = name.as_str();
    let span = Span::server("KMS", name, &Span::current());
    if !span.is_recording() {
        return span;
    }
    let (system, interface) = match protocol {
        Protocol::Grpc => ("grpc", "sealgate.kms.v1.KeyManagement"),
        Protocol::Json => ("aws-api", "TrentService"),
    };
    span.text("rpc.system.name", system);
    span.text("rpc.method", &format!("{interface}/{name}"));
    span.text("aws.request_id", &caller.request_id);
    span
}

/// Ends the span of an operation by its outcome.
pub(super) fn end(span: &Span, error: Option<&KmsError>) {
    if !span.is_recording() {
        return;
    }
    if let Some(error) = error {
        let code = error.code();
        span.text("sealgate.error_code", code.name());
        if let Some(throttle) = error.throttle() {
            span.flag("sealgate.throttled");
            span.event("throttled", "sealgate.quota", throttle.quota_class);
        }
        // What a client does wrong is no failure of a server, by the conventions.
        if code.is_server_fault() {
            span.fail(code.name());
        }
    }
    span.end();
}
