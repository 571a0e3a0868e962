//! The admin port: health, metrics, and controls for tests.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /livez` | the process answers |
//! | `GET /readyz` | requests are served; 503 once the server is stopping |
//! | `GET /metrics` | Prometheus's text format |
//! | `GET /admin/quotas` | quotas in force and what was used |
//! | `PUT /admin/quotas` | puts a quota configuration in force |
//! | `POST /admin/quotas/adjust` | changes one rate |
//! | `POST /admin/quotas/restart` | forgets what was used |
//! | `GET /admin/clock` | the time that keys and quotas follow |
//! | `POST /admin/clock` | freezes, moves or releases that clock |
//! | `GET /admin/faults` | failures on purpose, and how many calls each has struck |
//! | `PUT /admin/faults` | puts a fault plan in force from its beginning |
//! | `GET /admin/events` | audit events: `?name=&key=&account=&limit=` |
//!
//! Controls answer to `application/json` only and never to a page of another origin, so that no web
//! page can use them, and ask for the token if one is configured.

mod controls;

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header::AUTHORIZATION;
use http::header::CONTENT_TYPE;
use http::header::ORIGIN;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use http_body_util::Limited;
use hyper::body::Incoming;
use proto::sigv4::sha256_hex;
use serde_json::Value;
use serde_json::json;
use subtle::ConstantTimeEq as _;
use tokio_util::sync::CancellationToken;

use crate::audit::Audit;
use crate::authenticate::Secret;
use crate::clock::MovableClock;
use crate::faults::Faults;
use crate::metrics::Metrics;
use crate::quota::Quotas;
use crate::transport::Hosts;

/// What the admin port controls.
pub struct Control {
    /// Names the port answers to.
    pub hosts: Hosts,
    /// Bearer token of the controls.
    pub token: Option<Secret>,
    /// Request quotas.
    pub quotas: Arc<Quotas>,
    /// Audit trail.
    pub audit: Arc<Audit>,
    /// The clock that keys and quotas follow.
    pub clock: Arc<MovableClock>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Failures on purpose.
    pub faults: Arc<Faults>,
    /// Set when the server is stopping.
    pub stopping: CancellationToken,
}

/// An answer, or why there is none.
pub(crate) type Outcome = Result<Value, Refusal>;

/// Why a control was refused.
pub(crate) struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    /// A request that says nothing usable.
    pub(crate) fn bad(message: impl ToString) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            message: message.to_string(),
        }
    }
}

/// Answers one request.
pub(crate) async fn answer(
    control: Arc<Control>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if !control.hosts.allow(&request) {
        return Ok(text(
            StatusCode::MISDIRECTED_REQUEST,
            "this is another server\n".to_owned(),
        ));
    }

    Ok(match (request.method(), request.uri().path()) {
        (&Method::GET, "/livez") => text(StatusCode::OK, "ok\n".to_owned()),
        (&Method::GET, "/readyz") if control.stopping.is_cancelled() => {
            text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned())
        }
        (&Method::GET, "/readyz") => text(StatusCode::OK, "ok\n".to_owned()),
        (&Method::GET, "/metrics") => text(
            StatusCode::OK,
            control
                .metrics
                .render(&control.quotas, control.audit.lost()),
        ),
        _ => match controlled(&control, request).await {
            Ok(value) => json_answer(StatusCode::OK, &value),
            Err(refusal) => json_answer(refusal.status, &json!({ "error": refusal.message })),
        },
    })
}

/// Checks that the request may control anything, and does what it says.
async fn controlled(control: &Control, request: Request<Incoming>) -> Outcome {
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    let refused = |status, message: &str| {
        Err(Refusal {
            status,
            message: message.to_owned(),
        })
    };
    if headers.contains_key(ORIGIN) {
        return refused(
            StatusCode::FORBIDDEN,
            "web pages may not use the admin port",
        );
    }

    if let Some(token) = &control.token {
        let known = sha256_hex(format!("Bearer {}", token.expose()).as_bytes());
        let offered = headers
            .get(AUTHORIZATION)
            .map_or(&[][..], |value| value.as_bytes());
        if !bool::from(known.as_bytes().ct_eq(sha256_hex(offered).as_bytes())) {
            return refused(
                StatusCode::UNAUTHORIZED,
                "the admin token is missing or wrong",
            );
        }
    }

    let is_json = headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    if parts.method != Method::GET && !is_json {
        return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send application/json");
    }

    let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
    let body = body
        .map_err(|error| Refusal::bad(format!("the body: {error}")))?
        .to_bytes();
    let query = parts.uri.query().unwrap_or_default();
    match (parts.method.as_str(), parts.uri.path()) {
        ("GET", "/admin/quotas") => Ok(controls::quotas(control)),
        ("PUT", "/admin/quotas") => controls::configure(control, &body),
        ("POST", "/admin/quotas/adjust") => controls::adjust(control, &body),
        ("POST", "/admin/quotas/restart") => {
            control.quotas.restart();
            Ok(controls::quotas(control))
        }
        ("GET", "/admin/clock") => Ok(controls::clock(control)),
        ("POST", "/admin/clock") => controls::move_clock(control, &body),
        ("GET", "/admin/faults") => Ok(controls::faults(control)),
        ("PUT", "/admin/faults") => controls::set_faults(control, &body),
        ("GET", "/admin/events") => controls::events(control, query),
        _ => refused(StatusCode::NOT_FOUND, "there is nothing here"),
    }
}

/// A text answer.
fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    typed(status, "text/plain; charset=utf-8", body.into_bytes())
}

/// A JSON answer.
fn json_answer(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let body = serde_json::to_vec(body).expect("a JSON value is JSON");
    typed(status, "application/json", body)
}

/// An answer of one content type.
fn typed(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Largest control body, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;
