//! Health and metrics, and the delivery of access logs at once, on a listener of their own that no client of S3 reaches.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header;
use http_body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use proto::admin_token;
use proto::connection;
use proto::connection::UnreadBody;
use proto::connection::stream;
use proto::hosts::Hosts;
use proto::identity::Secret;
use proto::pages;
use proto::pages::PageBody;
use proto::pages::Pages;
use tokio::net::TcpStream;

use crate::access_log::delivery::Deliverer;
use crate::measured::Metrics;
use crate::request_counts::RequestCounts;

mod readiness;
mod requests;
pub mod view;

pub(crate) use readiness::Readiness;
pub(crate) use readiness::list_state_bucket;

/// What the admin listener serves.
pub(crate) struct Admin {
    access: AdminAccess,
    readiness: Arc<Readiness>,
    metrics: Option<Arc<Metrics>>,
    logs: Arc<Deliverer>,
    counts: Option<Arc<RequestCounts>>,
    pages: Option<Arc<dyn Pages>>,
}

/// Who may use the admin listener, and for what.
pub(crate) struct AdminAccess {
    /// The names that it answers to.
    pub(crate) hosts: Hosts,
    /// The bearer token of all but health and metrics.
    pub(crate) token: Option<Secret>,
    /// Whether other machines reach the listener: there is nothing else without a token then.
    pub(crate) is_exposed: bool,
}

impl Admin {
    /// What is served to those who have `access`.
    pub(crate) fn new(
        access: AdminAccess,
        readiness: Arc<Readiness>,
        metrics: Option<Arc<Metrics>>,
        logs: Arc<Deliverer>,
        counts: Option<Arc<RequestCounts>>,
    ) -> Self {
        Self {
            access,
            readiness,
            metrics,
            logs,
            counts,
            pages: None,
        }
    }

    /// The same, which answers requests for pages by `pages`.
    pub(crate) fn with_pages(self, pages: Option<Arc<dyn Pages>>) -> Self {
        Self { pages, ..self }
    }

    /// Serves one connection.
    pub(crate) async fn serve(self: Arc<Self>, stream: TcpStream) {
        let (admin, unread) = (&self, UnreadBody::default());
        let (stream, returned) = stream::returning(stream);
        let service = service_fn(|request: Request<hyper::body::Incoming>| async {
            let answer = |request| async move { admin.answer(request).await };
            Ok::<_, Infallible>(connection::answer(request, &unread, answer).await)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(75))
            .serve_connection(TokioIo::new(stream), service);
        if let Err(cause) = connection.await {
            tracing::debug!(%cause, "admin connection ended");
        }
        if unread.is_set()
            && let Some(stream) = returned.take()
        {
            stream::linger(stream, std::future::pending()).await;
        }
    }

    /// Counts of requests, and marks.
    fn requests<B>(&self, request: &Request<B>) -> Response<PageBody> {
        if let Err((status, why)) = self.access.check_control(request.headers()) {
            return text(status, why);
        }
        let Some(counts) = &self.counts else {
            return text(
                StatusCode::NOT_FOUND,
                "requests are counted by `sealgate up` only\n",
            );
        };
        match (request.method(), request.uri().path()) {
            (&Method::POST, MARK) => requests::mark(counts),
            (&Method::GET, REQUESTS) => requests::counted(counts, request.uri().query()),
            _ => text(
                StatusCode::METHOD_NOT_ALLOWED,
                "POST to /admin/mark, GET of /admin/requests\n",
            ),
        }
    }

    /// Answers one request. Paths are exact.
    async fn answer<B>(&self, request: Request<B>) -> Response<PageBody>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let checked = match HEALTH.contains(&request.uri().path()) {
            true => self.access.hosts.check_probe(&request),
            false => self.access.hosts.check(&request),
        };
        if let Err(error) = checked {
            return text(error.status(), format!("{error}\n"));
        }
        match &self.pages {
            Some(console) if pages::is_page(&request) => pages::respond(&**console, request).await,
            _ => self.own(&request).await,
        }
    }

    /// Answers a request that is not for pages.
    async fn own<B>(&self, request: &Request<B>) -> Response<PageBody> {
        let (method, path) = (request.method(), request.uri().path());
        if (method, path) == (&Method::POST, FLUSH) {
            if let Err((status, why)) = self.access.check_control(request.headers()) {
                return text(status, why);
            }
            let delivered = self.logs.flush().await;
            let text = format!(
                "{} log objects written, {} refused, {} waiting\n",
                delivered.written, delivered.refused, delivered.waiting
            );
            return self::text(StatusCode::OK, text);
        }
        if path == MARK || path == REQUESTS {
            return self.requests(request);
        }
        if method != Method::GET && method != Method::HEAD {
            return text(
                StatusCode::METHOD_NOT_ALLOWED,
                "only GET, and POST to /access-logs/flush and /admin/mark\n",
            );
        }
        match path {
            "/livez" => text(StatusCode::OK, "ok\n"),
            "/readyz" => match self.readiness.check().await {
                Ok(()) => text(StatusCode::OK, "ready\n"),
                Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
            },
            "/metrics" => match &self.metrics {
                Some(metrics) => text(StatusCode::OK, metrics.render()),
                None => text(StatusCode::NOT_FOUND, "no metrics are collected\n"),
            },
            _ => text(StatusCode::NOT_FOUND, "not found\n"),
        }
    }
}

impl AdminAccess {
    /// Checks that a request with these headers may do more than look at health and metrics; the answer if it
    /// may not. No web page may.
    fn check_control(&self, headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
        if headers.contains_key(header::ORIGIN) {
            return Err((
                StatusCode::FORBIDDEN,
                "web pages may not use the admin port\n",
            ));
        }
        match &self.token {
            Some(token) if admin_token::is_presented(headers, token) => Ok(()),
            Some(_) => Err((StatusCode::UNAUTHORIZED, WRONG_TOKEN)),
            None if self.is_exposed => Err((StatusCode::FORBIDDEN, NO_TOKEN)),
            None => Ok(()),
        }
    }
}

const WRONG_TOKEN: &str = "the admin token is missing or wrong\n";
const NO_TOKEN: &str = "beyond loopback this needs a token: set listen.admin_token\n";

/// Paths that show whether requests are served, and nothing else.
const HEALTH: [&str; 2] = ["/livez", "/readyz"];

/// Where a mark is set to count requests from.
const MARK: &str = "/admin/mark";

/// Where requests are counted.
const REQUESTS: &str = "/admin/requests";

/// Where the delivery of access logs is demanded.
const FLUSH: &str = "/access-logs/flush";

/// An answer of plain text.
fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<PageBody> {
    let mut response = Response::new(pages::whole(body));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}
