//! An answer of the backend while it is being read.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use bytes::BytesMut;
use http::HeaderMap;
use http::Method;
use http::Response;
use http::StatusCode;
use http::header;
use http_body::Body;
use http_body::Frame;
use http_body::SizeHint;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use tokio::time::Instant;
use tokio::time::Sleep;

use crate::backend::body::Outgoing;
use crate::backend::failure::BackendError;
use crate::backend::local::LocalBody;
use crate::backend::pool::Pool;
use crate::backend::pool::Secured;
use crate::request::BoxError;

/// An answer of the backend: status and headers as they came, the body still to be read.
pub type BackendResponse = Response<ReplyBody>;

/// The body of an answer.
///
/// Read to its end, it gives its connection back for the next request; dropped before, it closes
/// it. A backend that stalls or ends short of its `Content-Length` makes it end in an error.
pub struct ReplyBody {
    source: Source,
    lease: Option<Lease>,
    stall: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

/// Where the bytes come from.
enum Source {
    Connection(Incoming),
    InProcess(LocalBody),
}

/// A connection that goes back to its pool.
pub(crate) struct Lease {
    pub(crate) pool: Arc<Pool>,
    pub(crate) sender: SendRequest<Outgoing>,
    pub(crate) secured: Secured,
    /// When the request was sent.
    pub(crate) began: Instant,
}

impl ReplyBody {
    /// The body `incoming`; the connection it comes over is kept if there is a `lease` of it.
    pub(crate) fn new(incoming: Incoming, lease: Option<Lease>, stall: Duration) -> Self {
        let mut body = Self {
            source: Source::Connection(incoming),
            lease,
            stall,
            timer: None,
        };
        if body.is_end_stream() {
            body.give_back();
        }
        body
    }

    /// The body of an answer that a backend in this process gave.
    pub(crate) fn in_process(body: LocalBody, stall: Duration) -> Self {
        Self {
            source: Source::InProcess(body),
            lease: None,
            stall,
            timer: None,
        }
    }

    /// Whether a backend in this process gave it.
    pub(crate) fn is_in_process(&self) -> bool {
        matches!(self.source, Source::InProcess(_))
    }

    fn give_back(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease
                .pool
                .give_back(lease.sender, lease.secured, lease.began);
        }
    }

    fn poll_stall(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let deadline = Instant::now() + self.stall;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        timer.as_mut().poll(context)
    }

    /// The whole body, of at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`BackendError::Protocol`] when it is longer; [`BackendError::Disconnected`] when it breaks.
    pub async fn collect(mut self, limit: usize) -> Result<Bytes, BackendError> {
        let mut whole = BytesMut::new();
        while let Some(frame) = self.frame().await {
            let frame = frame.map_err(|error| BackendError::Disconnected(error.to_string()))?;
            if let Ok(data) = frame.into_data() {
                if whole.len().saturating_add(data.len()) > limit {
                    return Err(BackendError::Protocol("the answer is too long"));
                }
                whole.extend_from_slice(&data);
            }
        }
        Ok(whole.freeze())
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let frame = match &mut this.source {
            Source::Connection(body) => {
                let frame = Pin::new(body).poll_frame(context);
                frame.map(|frame| frame.map(|frame| frame.map_err(BoxError::from)))
            }
            Source::InProcess(body) => Pin::new(body).poll_frame(context),
        };
        match frame {
            Poll::Pending => match this.poll_stall(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(()) => Poll::Ready(Some(Err(BackendError::TimedOut.into()))),
            },
            Poll::Ready(None) => {
                this.give_back();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                this.lease = None;
                Poll::Ready(Some(Err(error)))
            }
            Poll::Ready(Some(Ok(frame))) => {
                this.timer = None;
                if this.is_end_stream() {
                    this.give_back();
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Connection(body) => body.is_end_stream(),
            Source::InProcess(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Connection(body) => body.size_hint(),
            Source::InProcess(body) => body.size_hint(),
        }
    }
}

impl std::fmt::Debug for ReplyBody {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ReplyBody({:?})", self.size_hint())
    }
}

/// Checks that it is beyond doubt where the body of an answer ends.
///
/// Both framings at once are the stuff of response splitting; neither means that a cut connection
/// looks like a whole answer.
pub(crate) fn check_framing(
    method: &Method,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<(), BackendError> {
    if status.is_informational() {
        return Err(BackendError::Protocol(
            "an informational status as the last one",
        ));
    }
    let lengths = headers.get_all(header::CONTENT_LENGTH).iter().count();
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let chunked = match (codings.next(), codings.next()) {
        (None, _) => false,
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => true,
        _ => return Err(BackendError::Protocol("an unknown transfer coding")),
    };
    let bodiless = method == Method::HEAD
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    match (lengths, chunked) {
        (0, false) if bodiless => Ok(()),
        (0, true) | (1, false) => Ok(()),
        (0, false) => Err(BackendError::Protocol("an answer without a length")),
        _ => Err(BackendError::Protocol("an answer of two lengths")),
    }
}
