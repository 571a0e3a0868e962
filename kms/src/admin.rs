//! The admin port: health, metrics, and controls for tests.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /livez` | the process answers |
//! | `GET /readyz` | requests are served; 503 once the server is stopping |
//! | `GET /metrics` | Prometheus's text format |
//! | `GET /admin/quotas` | quotas in force and what was used; rates are those of `?account=&region=` |
//! | `PUT /admin/quotas` | puts a quota configuration in force |
//! | `POST /admin/quotas/adjust` | changes one rate |
//! | `POST /admin/quotas/restart` | forgets what was used |
//! | `GET /admin/clock` | the time that keys and quotas follow |
//! | `POST /admin/clock` | freezes, moves or releases that clock |
//! | `GET /admin/faults` | failures on purpose, and how many calls each has struck |
//! | `PUT /admin/faults` | puts a fault plan in force from its beginning |
//! | `POST /admin/faults/add` | adds one rule: `{"fault": {..}}` or `{"latency": {..}}`; returns its id |
//! | `POST /admin/faults/remove` | removes one: `{"id"}`; returns how many calls it struck |
//! | `GET /admin/calls` | exact counts of calls: `?operation=&key=&outcome=&caller=&since=` |
//! | `POST /admin/mark` | a number for `since=` |
//! | `GET /admin/events` | audit events: `?category=&name=&key=&account=&limit=` |
//! | `GET /admin/keys` | keys without their material: `?q=&skip=&limit=`, or one by `?key=` |
//! | `POST /` | CloudTrail's LookupEvents, for AWS SDKs |
//! | `GET /`, `/console/...` | the pages that [`Running::serve_pages`](crate::server::Running::serve_pages) was given |
//! | `GET /admin/snapshots` | snapshots of all keys, and forks |
//! | `POST /admin/snapshots` | takes one: `{"name"}` |
//! | `POST /admin/snapshots/restore` | puts one in the place of all keys: `{"name"}` |
//! | `POST /admin/snapshots/forget` | forgets one: `{"name"}` |
//! | `POST /admin/snapshots/export` | one as a file sealed under a key: `{"name", "key"}` |
//! | `POST /admin/snapshots/import` | such a file as a snapshot: `{"name", "key", "file"}` |
//! | `POST /admin/forks` | starts another KMS from a snapshot or from now: `{"name"?}` |
//! | `POST /admin/forks/stop` | stops one: `{"id"}` |
//! | `POST /admin/reset` | forgets all keys, events and usage, and empties what was announced beside the KMS |
//!
//! Controls answer to `application/json` only and never to a page of another origin, so that no web
//! page can use them, and demand the token if one is configured. What reads or destroys keys demands
//! a token always, unless the keys are in memory only: any process of the machine can reach the port.

mod calls;
mod console;
mod controls;
mod keys;
mod snapshots;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::header::ORIGIN;
use http_body_util::BodyExt as _;
use http_body_util::Limited;
use proto::admin_token;
use proto::audit::Audit;
use proto::hosts::Hosts;
use proto::identity::AccountId;
use proto::identity::Region;
use proto::identity::Secret;
use proto::pages;
use proto::pages::PageBody;
use proto::pages::Pages;
use serde_json::Value;
use serde_json::json;
use tokio_util::sync::CancellationToken;

pub use crate::admin::console::Controls;
pub use crate::admin::snapshots::Fork;
pub use crate::admin::snapshots::Forker;
pub use crate::admin::snapshots::Snapshots;
use crate::api::Kms;
use crate::clock::MovableClock;
use crate::faults::Faults;
use crate::metrics::Metrics;
use crate::quota::Quotas;
use crate::services::cloud_trail;
use crate::transport::Incoming;
use crate::transport::mark_credentials;

/// What the admin port controls.
pub struct Control {
    /// Names the port answers to.
    pub hosts: Hosts,
    /// Bearer tokens of the controls.
    pub tokens: Tokens,
    /// Whose rates in force are reported unless a request names another: the KMS's own account and Region.
    pub home: (AccountId, Region),
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
    /// The KMS itself.
    pub kms: Arc<Kms>,
    /// Snapshots of its keys, and its forks.
    pub snapshots: Snapshots,
    /// What was given to the port after it was opened.
    pub hooks: Arc<Hooks>,
    /// Set when the server is stopping.
    pub stopping: CancellationToken,
}

/// What is given to the admin port after it was opened, once each.
#[derive(Default)]
pub struct Hooks {
    /// What else a reset empties.
    pub beside_reset: OnceLock<BesideReset>,
    /// What answers requests for pages.
    pub pages: OnceLock<Arc<dyn Pages>>,
}

/// Empties what runs beside this KMS, and returns what became of it; or why it could not.
pub type BesideReset =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, String>> + Send>> + Send + Sync>;

/// Bearer tokens of the controls.
#[derive(Clone)]
pub struct Tokens {
    /// For all of them.
    pub all: Option<Secret>,
    /// For those that read or destroy keys; if there is none, `all` is.
    pub keys: Option<Secret>,
}

/// An answer, or why there is none.
pub(crate) type Outcome = Result<Value, Refusal>;

/// Why a control was refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    /// A request without usable content.
    pub(crate) fn bad(message: impl ToString) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            message: message.to_string(),
        }
    }

    /// What was asked for could not be done.
    pub(crate) fn failed(message: impl ToString) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            message: message.to_string(),
        }
    }
}

/// Answers one request.
pub(crate) async fn respond(
    control: Arc<Control>,
    mut request: Request<Incoming>,
) -> Result<Response<PageBody>, Infallible> {
    mark_credentials(request.headers_mut());
    let path = request.uri().path();
    let checked = match HEALTH.contains(&path) {
        true => control.hosts.check_probe(&request),
        false => control.hosts.check(&request),
    };
    if let Err(error) = checked {
        return Ok(text(error.status(), format!("{error}\n")));
    }
    if let Some(console) = control.hooks.pages.get()
        && pages::is_page(&request)
    {
        return Ok(pages::respond(&**console, request).await);
    }

    Ok(match (request.method(), path) {
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
            Ok((status, value)) => json_answer(status, &value),
            Err(refusal) => json_answer(refusal.status, &json!({ "error": refusal.message })),
        },
    })
}

/// Checks that the request may control anything, and does it.
async fn controlled(
    control: &Control,
    request: Request<Incoming>,
) -> Result<(StatusCode, Value), Refusal> {
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

    check_token(control, &parts.method, parts.uri.path(), headers)?;

    let target = headers.get("x-amz-target").map(HeaderValue::as_bytes);
    let target = target.filter(|target| target.starts_with(cloud_trail::TARGET_PREFIX));
    let lookup = target.filter(|_| parts.uri.path() == "/");
    let is_json = headers.get(CONTENT_TYPE).is_some_and(|value| {
        let kind = value.as_bytes();
        kind.starts_with(b"application/json")
            || (lookup.is_some() && kind.starts_with(b"application/x-amz-json-1.1"))
    });
    if parts.method != Method::GET && !is_json {
        return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send application/json");
    }

    let is_file = parts.uri.path() == "/admin/snapshots/import";
    let bytes_max = if is_file {
        FILE_BYTES_MAX
    } else {
        BODY_BYTES_MAX
    };
    let body = Limited::new(body, bytes_max).collect();
    let body = tokio::time::timeout(BODY_WITHIN, body).await;
    let body = body
        .map_err(|_| Refusal::bad("the body did not arrive in time"))?
        .map_err(|error| Refusal::bad(format!("the body: {error}")))?
        .to_bytes();
    if let Some(target) = lookup.filter(|_| parts.method == Method::POST) {
        return Ok(cloud_trail::respond(&control.audit, target, &body));
    }

    let query = parts.uri.query().unwrap_or_default();
    let done = control_of(
        control,
        (parts.method.as_str(), parts.uri.path()),
        query,
        &body,
    )
    .await?;
    Ok((StatusCode::OK, done))
}

/// Checks the token that a control demands.
fn check_token(
    control: &Control,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    let refused = |status, message: &str| {
        Err(Refusal {
            status,
            message: message.to_owned(),
        })
    };
    let Tokens { all, keys } = &control.tokens;
    let uses_keys = method != Method::GET && uses_keys(path);
    let token = keys.as_ref().filter(|_| uses_keys).or(all.as_ref());
    let Some(token) = token else {
        if uses_keys && control.kms.is_durable() {
            let message = "this reads or destroys stored keys: set admin.token or admin.keys_token";
            return refused(StatusCode::FORBIDDEN, message);
        }
        return Ok(());
    };
    if admin_token::is_presented(headers, token) {
        return Ok(());
    }
    let message = "the admin token is missing or wrong";
    refused(StatusCode::UNAUTHORIZED, message)
}

/// Whether a control of that path reads or destroys keys, unless it is a GET.
fn uses_keys(path: &str) -> bool {
    KEY_CONTROLS.iter().any(|prefix| path.starts_with(prefix))
}

/// Does what a control's method and path name.
async fn control_of(control: &Control, named: (&str, &str), query: &str, body: &[u8]) -> Outcome {
    match named {
        ("GET", "/admin/quotas") => controls::quotas_of(control, query),
        ("PUT", "/admin/quotas") => controls::configure(control, body),
        ("POST", "/admin/quotas/adjust") => controls::adjust(control, body),
        ("POST", "/admin/quotas/restart") => {
            control.quotas.restart();
            Ok(controls::quotas(control))
        }
        ("GET", "/admin/clock") => Ok(controls::clock(control)),
        ("POST", "/admin/clock") => controls::move_clock(control, body),
        ("GET", "/admin/faults") => Ok(controls::faults(control)),
        ("PUT", "/admin/faults") => controls::set_faults(control, body),
        ("POST", "/admin/faults/add") => controls::add_fault(control, body),
        ("POST", "/admin/faults/remove") => controls::remove_fault(control, body),
        ("GET", "/admin/calls") => calls::count(control, query),
        ("POST", "/admin/mark") => Ok(calls::mark(control)),
        ("GET", "/admin/events") => controls::events(control, query),
        ("GET", "/admin/keys") => keys::respond(control, query),
        ("GET", "/admin/snapshots") => Ok(snapshots::list(control)),
        ("POST", "/admin/snapshots") => snapshots::take(control, body),
        ("POST", "/admin/snapshots/restore") => snapshots::restore(control, body),
        ("POST", "/admin/snapshots/forget") => snapshots::forget(control, body),
        ("POST", "/admin/snapshots/export") => snapshots::export(control, body),
        ("POST", "/admin/snapshots/import") => snapshots::import(control, body),
        ("POST", "/admin/forks") => snapshots::fork(control, body).await,
        ("POST", "/admin/forks/stop") => snapshots::stop(control, body),
        ("POST", "/admin/reset") => snapshots::reset(control).await,
        _ => Err(Refusal {
            status: StatusCode::NOT_FOUND,
            message: "there is nothing here".to_owned(),
        }),
    }
}

/// A text answer.
fn text(status: StatusCode, body: String) -> Response<PageBody> {
    typed(status, "text/plain; charset=utf-8", body.into_bytes())
}

/// A JSON answer.
fn json_answer(status: StatusCode, body: &Value) -> Response<PageBody> {
    let body = serde_json::to_vec(body).expect("a JSON value is JSON");
    typed(status, "application/json", body)
}

/// An answer of one content type.
fn typed(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response<PageBody> {
    let mut response = Response::new(pages::whole(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Paths that show whether the server serves, and nothing else.
const HEALTH: [&str; 2] = ["/livez", "/readyz"];

/// Where the paths of controls begin that read or destroy keys. Moving the clock ends the waiting
/// periods of keys that are to be deleted.
const KEY_CONTROLS: [&str; 4] = [
    "/admin/clock",
    "/admin/forks",
    "/admin/reset",
    "/admin/snapshots",
];

/// How long a control's body may take.
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// Largest control body, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Largest snapshot file that is taken in, in bytes.
const FILE_BYTES_MAX: usize = 64 << 20;
