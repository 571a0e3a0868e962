//! A request body on its way to the backend, watched.
//!
//! The HTTP client takes the body away for good, yet three things must be known from outside:
//! whether it was begun (a request whose body was not begun can be sent again), whether it was
//! handed over whole (an answer that says "stored" before that is a lie), and what went wrong inside
//! it (the client that broke its own upload must see that in its answer, not a broken connection).
//!
//! The last frame is held back until the body has ended well. An HTTP client does not ask for more
//! once `Content-Length` is reached, so what a body finds out at its very end (a checksum that does
//! not match) would come after the backend has everything it needs to commit.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use bytes::Bytes;
use http_body::Body;
use http_body::Frame;
use http_body::SizeHint;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::time::Instant;

use crate::backend::request::BackendBody;
use crate::request::BoxError;

/// The owner's end of a body that is being sent.
pub(crate) struct Upload {
    kind: Kind,
}

enum Kind {
    Replayable(Bytes),
    Streamed(Arc<Stream>),
}

struct Stream {
    length: u64,
    state: Mutex<State>,
    started: AtomicBool,
}

struct State {
    body: UnsyncBoxBody<Bytes, BoxError>,
    received: u64,
    yielded: u64,
    held: Option<Bytes>,
    finished: bool,
    /// Nobody waits for the answer any more.
    abandoned: bool,
    waker: Option<Waker>,
    /// The body itself has nothing to give: the client is slow, not the backend.
    waiting_for_body: bool,
    moved: Instant,
    failure: Option<BoxError>,
}

impl Upload {
    pub(crate) fn new(body: BackendBody) -> Self {
        let kind = match body {
            BackendBody::Empty => Kind::Replayable(Bytes::new()),
            BackendBody::Bytes(bytes) => Kind::Replayable(bytes),
            BackendBody::Stream { body, length } => Kind::Streamed(Arc::new(Stream {
                length,
                state: Mutex::new(State {
                    body,
                    received: 0,
                    yielded: 0,
                    held: None,
                    finished: false,
                    abandoned: false,
                    waker: None,
                    waiting_for_body: false,
                    moved: Instant::now(),
                    failure: None,
                }),
                started: AtomicBool::new(false),
            })),
        };
        Self { kind }
    }

    /// Reads a stream of no bytes to its end: an HTTP client would send the request without it.
    pub(crate) async fn end_if_empty(&self) -> Result<(), BoxError> {
        let Kind::Streamed(stream) = &self.kind else {
            return Ok(());
        };
        if stream.length > 0 {
            return Ok(());
        }
        let ended = poll_fn(|context| stream.lock().poll(0, context)).await;
        match (ended, self.take_failure()) {
            (_, Some(failure)) | (Some(Err(failure)), None) => Err(failure),
            (_, None) => Ok(()),
        }
    }

    /// Number of bytes of the whole body.
    pub(crate) fn length(&self) -> u64 {
        match &self.kind {
            Kind::Replayable(bytes) => bytes.len() as u64,
            Kind::Streamed(stream) => stream.length,
        }
    }

    /// The bytes, where the whole body is in memory.
    pub(crate) fn bytes(&self) -> Option<&Bytes> {
        match &self.kind {
            Kind::Replayable(bytes) => Some(bytes),
            Kind::Streamed(_) => None,
        }
    }

    /// Whether the body can be sent from its beginning (again).
    pub(crate) fn can_begin(&self) -> bool {
        match &self.kind {
            Kind::Replayable(_) => true,
            Kind::Streamed(stream) => !stream.started.load(Ordering::Acquire),
        }
    }

    /// Whether every byte was handed over, and the body then ended well.
    pub(crate) fn is_finished(&self) -> bool {
        match &self.kind {
            Kind::Replayable(_) => true,
            Kind::Streamed(stream) => stream.lock().finished,
        }
    }

    /// Makes sure that nothing more of the body is sent.
    ///
    /// The connection's task may outlive the request's; without this, a body could still be
    /// committed after its client received a failure.
    fn abandon(&self) {
        if let Kind::Streamed(stream) = &self.kind {
            let mut state = stream.lock();
            state.abandoned = true;
            if let Some(waker) = state.waker.take() {
                waker.wake();
            }
        }
    }

    /// What broke the body, once.
    pub(crate) fn take_failure(&self) -> Option<BoxError> {
        match &self.kind {
            Kind::Replayable(_) => None,
            Kind::Streamed(stream) => stream.lock().failure.take(),
        }
    }

    /// Since when the backend is the one to move; none while the body's own source is awaited.
    pub(crate) fn backend_waited_for_since(&self, began: Instant) -> Option<Instant> {
        match &self.kind {
            Kind::Replayable(_) => Some(began),
            Kind::Streamed(stream) => {
                let state = stream.lock();
                (!state.waiting_for_body).then_some(state.moved.max(began))
            }
        }
    }

    /// The end that the HTTP client takes.
    pub(crate) fn outgoing(&self) -> Outgoing {
        match &self.kind {
            Kind::Replayable(bytes) if bytes.is_empty() => Outgoing(Source::Done),
            Kind::Replayable(bytes) => Outgoing(Source::Bytes(bytes.clone())),
            Kind::Streamed(stream) => Outgoing(Source::Stream(Arc::clone(stream))),
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl Stream {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The HTTP client's end of a body.
pub(crate) struct Outgoing(Source);

enum Source {
    Done,
    Bytes(Bytes),
    Stream(Arc<Stream>),
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Source::Done => Poll::Ready(None),
            Source::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = Source::Done;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Source::Stream(stream) => {
                stream.started.store(true, Ordering::Release);
                let mut state = stream.lock();
                state.poll(stream.length, context)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Done => true,
            Source::Bytes(_) => false,
            Source::Stream(stream) => stream.lock().finished,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Done => SizeHint::with_exact(0),
            Source::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Stream(stream) => {
                SizeHint::with_exact(stream.length.saturating_sub(stream.lock().yielded))
            }
        }
    }
}

impl State {
    fn poll(
        &mut self,
        length: u64,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            if self.finished {
                return Poll::Ready(None);
            }
            if self.abandoned {
                return self.fail("the request was given up".into());
            }
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
                self.waiting_for_body = true;
                self.waker = Some(context.waker().clone());
                return Poll::Pending;
            };
            self.waiting_for_body = false;
            self.moved = Instant::now();
            let data = match frame {
                None if self.received == length => {
                    self.finished = true;
                    self.yielded = length;
                    return Poll::Ready(self.held.take().map(|data| Ok(Frame::data(data))));
                }
                None => {
                    let cause = format!("body ended after {} of {length} bytes", self.received);
                    return self.fail(cause.into());
                }
                Some(Err(failure)) => return self.fail(failure),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => data,
                    Err(_) => return self.fail("body carried trailers".into()),
                },
            };
            if data.is_empty() {
                continue;
            }
            self.received = self.received.saturating_add(data.len() as u64);
            if self.received > length {
                return self.fail(format!("body is longer than {length} bytes").into());
            }
            if self.received == length {
                self.held = Some(data);
                continue;
            }
            self.yielded = self.received;
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
    }

    fn fail(&mut self, failure: BoxError) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let cause = failure.to_string();
        self.held = None;
        self.failure = Some(failure);
        Poll::Ready(Some(Err(cause.into())))
    }
}
