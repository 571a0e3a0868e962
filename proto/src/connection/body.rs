//! The body of a request, whose rest is read by the connection where nobody else did.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use bytes::Buf as _;
use http_body::Body;
use http_body::Frame;
use http_body::SizeHint;
use http_body_util::BodyExt as _;

/// The body of one request.
pub struct RequestBody<B> {
    /// `None` once it ended or failed.
    body: Option<B>,
    rest: Option<Arc<Rest<B>>>,
}

/// What the connection must know of a body that another task may hold.
pub(super) struct Rest<B> {
    /// Whether the client sends nothing before `100 Continue`, which the first read sends.
    expects_continue: bool,
    begun: AtomicBool,
    ended: AtomicBool,
    /// The body, once it was dropped before its end.
    body: Mutex<Option<B>>,
}

impl<B> RequestBody<B> {
    pub(super) fn new(body: B, rest: Option<Arc<Rest<B>>>) -> Self {
        let body = Some(body);
        Self { body, rest }
    }
}

impl<B: Body + Unpin> Body for RequestBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let Self { body, rest } = &mut *self;
        let Some(open) = body else {
            return Poll::Ready(None);
        };
        if let Some(rest) = rest {
            rest.begun.store(true, Ordering::Relaxed);
        }
        let frame = ready!(Pin::new(&mut *open).poll_frame(context));
        let failed = matches!(frame, Some(Err(_)));
        if let Some(rest) = rest
            && !failed
            && (frame.is_none() || open.is_end_stream())
        {
            rest.ended.store(true, Ordering::Relaxed);
        }
        if failed || frame.is_none() {
            *body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let none = SizeHint::with_exact(0);
        self.body.as_ref().map_or(none, Body::size_hint)
    }
}

impl<B> Drop for RequestBody<B> {
    fn drop(&mut self) {
        if let (Some(body), Some(rest)) = (self.body.take(), &self.rest) {
            let mut place = rest.body.lock().unwrap_or_else(PoisonError::into_inner);
            *place = Some(body);
        }
    }
}

impl<B> Rest<B> {
    /// That of a body of which nothing was read yet.
    pub(super) fn new(expects_continue: bool) -> Arc<Self> {
        Arc::new(Self {
            expects_continue,
            begun: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            body: Mutex::new(None),
        })
    }
}

impl<B: Body + Unpin> Rest<B> {
    /// Whether the whole body was read, or can be now: what is short, and comes at once.
    pub(super) async fn is_read(&self) -> bool {
        if self.ended.load(Ordering::Relaxed) {
            return true;
        }
        // A first read would have the client send what was just refused.
        if self.expects_continue && !self.begun.load(Ordering::Relaxed) {
            return false;
        }
        let returned = self
            .body
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(body) = returned.filter(|body| body.size_hint().lower() <= REST_BYTES_MAX) else {
            return false;
        };
        let end = tokio::time::timeout(REST_TIME_MAX, ends_soon(body));
        end.await.unwrap_or(false)
    }
}

/// Whether a body ends well within the bytes that are read of it.
async fn ends_soon<B: Body + Unpin>(mut body: B) -> bool {
    let mut left = REST_BYTES_MAX;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return false;
        };
        let bytes = frame.data_ref().map_or(0, |data| data.remaining() as u64);
        let Some(rest) = left.checked_sub(bytes) else {
            return false;
        };
        left = rest;
    }
    true
}

/// Most bytes that are read of a body before its request is answered, so that the connection can go on.
const REST_BYTES_MAX: u64 = 64 << 10;

/// How long they may take: clients send a short body together with the head.
const REST_TIME_MAX: Duration = Duration::from_millis(50);
