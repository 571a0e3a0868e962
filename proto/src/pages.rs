//! Pages on an admin port, for people with a browser: what an admin server passes on because it has no answer
//! itself.
//!
//! Both admin servers pass on the same requests in the same form, so that one console can serve either. The host
//! of a request is checked before; who may see or change what is the console's to decide.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header;
use http_body::Body;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use http_body_util::Limited;
use http_body_util::combinators::UnsyncBoxBody;

/// The body of an answer: whole, or a stream of events.
pub type PageBody = UnsyncBoxBody<Bytes, Infallible>;

/// Serves pages.
pub trait Pages: Send + Sync {
    /// Answers a request whose body has arrived.
    fn respond<'a>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Response<PageBody>> + Send + 'a>>;
}

/// Whether a request is one for pages: to look at the root or at what is below `/console`, or to post a form to the
/// latter.
#[must_use]
pub fn is_page<B>(request: &Request<B>) -> bool {
    let path = request.uri().path();
    let is_below = path == CONSOLE || path.starts_with("/console/");
    match *request.method() {
        Method::GET | Method::HEAD => path == "/" || is_below,
        Method::POST => is_below,
        _ => false,
    }
}

/// Has `pages` answer a request, once its body has arrived. A body that is large or late is refused.
pub async fn respond<B>(pages: &dyn Pages, request: Request<B>) -> Response<PageBody>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    let body = Limited::new(body, FORM_BYTES_MAX).collect();
    match tokio::time::timeout(FORM_WITHIN, body).await {
        Ok(Ok(body)) => {
            let request = Request::from_parts(head, body.to_bytes());
            pages.respond(request).await
        }
        Ok(Err(_)) => refusal(
            StatusCode::BAD_REQUEST,
            "the form is too large or was cut off\n",
        ),
        Err(_) => refusal(
            StatusCode::REQUEST_TIMEOUT,
            "the form did not arrive in time\n",
        ),
    }
}

/// A body that is there as a whole.
pub fn whole(body: impl Into<Bytes>) -> PageBody {
    Full::new(body.into()).boxed_unsync()
}

fn refusal(status: StatusCode, text: &'static str) -> Response<PageBody> {
    let mut response = Response::new(whole(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

/// Where everything but the root is.
const CONSOLE: &str = "/console";

/// Largest form, in bytes.
const FORM_BYTES_MAX: usize = 64 << 10;

/// How long a form may take to arrive.
const FORM_WITHIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_root_and_the_console_are_pages() {
        let is = |method: Method, path: &str| {
            is_page(
                &Request::builder()
                    .method(method)
                    .uri(path)
                    .body(())
                    .unwrap(),
            )
        };
        for path in ["/", "/?a=b", "/console", "/console/", "/console/keys?q=a"] {
            assert!(is(Method::GET, path), "{path}");
        }
        assert!(is(Method::POST, "/console/login") && is(Method::HEAD, "/"));
        // What clients of CloudTrail send.
        assert!(!is(Method::POST, "/"));
        for path in [
            "/metrics",
            "/livez",
            "/admin/quotas",
            "/consoles",
            "/access-logs/flush",
        ] {
            assert!(!is(Method::GET, path) && !is(Method::POST, path), "{path}");
        }
        assert!(!is(Method::PUT, "/console/x") && !is(Method::OPTIONS, "/"));
    }
}
