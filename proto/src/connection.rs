//! HTTP/1.1 connections whose requests are answered before their bodies were read.
//!
//! What is left of such a body stands where the next request is expected, and a socket that is closed with
//! unread bytes is reset, which loses the answer on its way. So the answer announces the close, nothing after
//! it is taken for a request, and the connection is read on for a bounded while before it is closed. A short
//! body that is there already is read first, and the connection goes on.
//!
//! [`answer`] wraps the answering of one request, [`stream::returning`] the connection's bytes, and
//! [`UnreadBody`] joins the two: where it [is set](UnreadBody::is_set), the bytes are read on by
//! [`stream::linger`]. [`open`] counts the connections of either service.
//!
//! Source: <https://www.rfc-editor.org/rfc/rfc9112#section-9.6>

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use http::HeaderMap;
use http::HeaderValue;
use http::Request;
use http::Response;
use http::Version;
use http::header;
use http_body::Body;

use crate::connection::body::RequestBody;
use crate::connection::body::Rest;

pub mod body;
pub mod open;
pub mod stream;

/// Whether a connection carried an answer whose request still had bytes to come.
#[derive(Clone, Debug, Default)]
pub struct UnreadBody(Arc<AtomicBool>);

impl UnreadBody {
    /// Whether it did.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Answers a request by `service`; announces the close of an HTTP/1.1 connection where the request's body
/// was not read to its end, and sets `unread` then.
pub async fn answer<B, R, F>(
    request: Request<B>,
    unread: &UnreadBody,
    service: impl FnOnce(Request<RequestBody<B>>) -> F,
) -> Response<R>
where
    B: Body + Unpin,
    F: Future<Output = Response<R>>,
{
    let (head, body) = request.into_parts();
    // HTTP/2 frames bodies apart from requests.
    let may_be_left = head.version < Version::HTTP_2 && !body.is_end_stream();
    let rest = may_be_left.then(|| Rest::new(expects_continue(&head.headers)));
    let body = RequestBody::new(body, rest.clone());
    let mut response = service(Request::from_parts(head, body)).await;
    if let Some(rest) = rest
        && !rest.is_read().await
    {
        unread.0.store(true, Ordering::Relaxed);
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

/// Whether the client waits for a sign to go on.
fn expects_continue(headers: &HeaderMap) -> bool {
    let expect = headers.get(header::EXPECT);
    expect.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}
