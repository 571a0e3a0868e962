//! How many bytes of a request's body came, and when the last one did.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;

use bytes::Bytes;
use http_body::Body;
use http_body::Frame;
use http_body::SizeHint;
use tokio::time::Instant;

use crate::payload::WireBody;

/// What came of a body; none of a request without a body.
#[derive(Clone, Debug, Default)]
pub(super) struct LastByte(Option<Arc<Received>>);

/// What came of a body.
#[derive(Debug, Default)]
struct Received {
    bytes: AtomicU64,
    ended: OnceLock<Instant>,
}

/// A body whose end is noted.
pub(super) struct TimedBody<B> {
    body: B,
    end: LastByte,
}

impl LastByte {
    /// The moment, if the body ended.
    pub(super) fn moment(&self) -> Option<Instant> {
        self.0.as_ref()?.ended.get().copied()
    }

    /// How many bytes came, as they are on the wire.
    pub(super) fn bytes(&self) -> u64 {
        let received = self.0.as_ref();
        received.map_or(0, |received| received.bytes.load(Ordering::Relaxed))
    }

    fn count(&self, bytes: usize) {
        if let Some(received) = &self.0 {
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            received.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    fn note(&self) {
        if let Some(received) = &self.0 {
            received.ended.get_or_init(Instant::now);
        }
    }
}

impl<B: WireBody> TimedBody<B> {
    /// The body of a request, and where its end will be noted.
    pub(super) fn new(body: B) -> (Self, LastByte) {
        let has_bytes = !body.is_end_stream();
        let end = LastByte(has_bytes.then(Arc::default));
        let noted = end.clone();
        (Self { body, end }, noted)
    }
}

impl<B: WireBody> Body for TimedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.end.count(frame.data_ref().map_or(0, Bytes::len));
        }
        if polled.is_ready()
            && (self.body.is_end_stream() || !matches!(polled, Poll::Ready(Some(Ok(_)))))
        {
            self.end.note();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
