//! Paths besides `POST /` that the users of another emulator request.

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::header::ORIGIN;
use http_body_util::Full;

use crate::compat::Compat;
use crate::transport::Core;
use crate::transport::Incoming;

/// The answer to a path of the emulator whose place this takes; none for all other requests.
///
/// Pages of another origin are never answered: a browser would send them without a preflight.
pub(crate) fn respond(core: &Core, request: &Request<Incoming>) -> Option<Response<Full<Bytes>>> {
    if request.headers().contains_key(ORIGIN) {
        return None;
    }
    match (core.kms.compat(), request.method(), request.uri().path()) {
        // Nobody authenticates here, so stored keys are not for it to destroy.
        (Compat::Moto, &Method::POST, "/moto-api/reset") if core.kms.is_durable() => None,
        (Compat::Moto, &Method::POST, "/moto-api/reset") => Some(match core.kms.reset() {
            Ok(()) => json(StatusCode::OK, r#"{"status": "ok"}"#),
            Err(_) => json(StatusCode::INTERNAL_SERVER_ERROR, r#"{"status": "failed"}"#),
        }),
        (Compat::LocalStack, &Method::GET, "/_localstack/health") => {
            let body = r#"{"services": {"kms": "running", "sts": "running"}, "edition": "sealgate", "version": "4.14.0"}"#;
            Some(json(StatusCode::OK, body))
        }
        _ => None,
    }
}

/// Whether the request is an operation in plain JSON, as users of local-kms write it by hand.
pub(crate) fn is_plain_json(core: &Core, headers: &HeaderMap) -> bool {
    let is_json = |kind: &HeaderValue| {
        let kind = kind.as_bytes().split(|byte| *byte == b';').next();
        kind.is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(b"application/json"))
    };
    core.kms.compat() == Compat::LocalKms
        && headers.contains_key("x-amz-target")
        && headers.get(CONTENT_TYPE).is_none_or(is_json)
}

fn json(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
