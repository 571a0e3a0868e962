//! How many requests of one connection may be open before their callers are authenticated.
//!
//! HTTP/2 lets a connection have a thousand requests open at once, which the gateway needs. A caller
//! that has not proved anything yet gets fewer: what waits for a body, a health watch or a reflection
//! stream holds memory here.

use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use http_body::Body;
use http_body::Frame;
use http_body::SizeHint;
use tokio::sync::OwnedSemaphorePermit;

use crate::authenticate::Connection;

/// One request whose caller is not authenticated; counted until it is, or until its answer is sent.
pub(crate) struct UnauthenticatedRequest(Option<OwnedSemaphorePermit>);

impl UnauthenticatedRequest {
    /// Counts a request; none if the connection has as many as it may.
    pub(crate) fn new(connection: &Connection) -> Option<Self> {
        let permit = connection.unauthenticated.clone().try_acquire_owned();
        permit.ok().map(|permit| Self(Some(permit)))
    }

    /// The caller is authenticated, and the request no longer counted.
    pub(crate) fn authenticated(&mut self) {
        self.0 = None;
    }

    /// The body of the request's answer, until whose end the request is counted.
    pub(crate) fn count_until_sent<B>(self, body: B) -> CountedBody<B> {
        CountedBody {
            body,
            _request: self,
        }
    }
}

/// The body of an answer, and the request it answers.
pub(crate) struct CountedBody<B> {
    body: B,
    _request: UnauthenticatedRequest,
}

impl<B> CountedBody<B> {
    /// The body of the answer to a request that was never counted.
    pub(crate) const fn uncounted(body: B) -> Self {
        let _request = UnauthenticatedRequest(None);
        Self { body, _request }
    }
}

impl<B: Body + Unpin> Body for CountedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
