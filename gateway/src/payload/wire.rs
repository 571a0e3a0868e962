//! The bytes of a request's body as they come from the connection.
//!
//! A client that sends too slowly is cut off.

use std::future::Future as _;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use tokio::time::Instant;
use tokio::time::Sleep;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::request::BoxError;

/// How long a body may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireLimits {
    /// The time over which the rate is measured. Only time spent waiting for the client counts.
    pub window: Duration,
    /// Bytes that must come in each window, or the request ends in `RequestTimeout`.
    pub window_bytes_min: u64,
}

impl Default for WireLimits {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(30),
            window_bytes_min: 30 * 1024,
        }
    }
}

/// The body of one request on its connection.
pub struct Wire<B: WireBody> {
    /// `None` once it ended or failed.
    body: Option<B>,
    limits: WireLimits,
    rate: Rate,
    /// Ends the present wait.
    timer: Option<Pin<Box<Sleep>>>,
}

/// A body that comes from a client.
pub trait WireBody:
    Body<Data = Bytes, Error: Into<BoxError>> + Send + Sync + Unpin + 'static
{
}

impl<B> WireBody for B where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Sync + Unpin + 'static
{
}

/// How fast the client sends while we wait for it.
#[derive(Default)]
struct Rate {
    /// Bytes in this window.
    bytes: u64,
    /// Time waited in this window, before `since`.
    waited: Duration,
    /// When the present wait began.
    since: Option<Instant>,
}

impl<B: WireBody> Wire<B> {
    /// The body of a request.
    pub fn new(body: B, limits: WireLimits) -> Self {
        Self {
            body: Some(body),
            limits,
            rate: Rate::default(),
            timer: None,
        }
    }

    /// Whether there are no bytes to come.
    pub(super) fn is_empty(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    /// The number of bytes, where the framing has it.
    pub(super) fn length(&self) -> Option<u64> {
        self.body.as_ref().and_then(|body| body.size_hint().exact())
    }

    /// The next bytes, never empty. Trailers of the HTTP framing are dropped: nothing signed them.
    pub(super) fn poll_data(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, S3Error>>> {
        while let Some(body) = &mut self.body {
            let frame = match Pin::new(body).poll_frame(context) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    ready!(self.poll_wait(context));
                    if !self.rate.is_enough(&self.limits) {
                        self.body = None;
                        return Poll::Ready(Some(Err(S3Code::RequestTimeout.into())));
                    }
                    continue;
                }
            };
            match frame {
                None => self.body = None,
                Some(Ok(frame)) => {
                    let Ok(bytes) = frame.into_data() else {
                        continue;
                    };
                    self.rate.received(bytes.len(), Instant::now);
                    if !bytes.is_empty() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Some(Err(error)) => {
                    self.body = None;
                    let cause: BoxError = error.into();
                    tracing::debug!(%cause, "the request's body broke off");
                    return Poll::Ready(Some(Err(S3Code::IncompleteBody.into())));
                }
            }
        }
        Poll::Ready(None)
    }
}

impl<B: WireBody> Wire<B> {
    /// Waits until the window is over in which bytes ought to have come.
    fn poll_wait(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.rate.since.is_none() {
            let until = self.rate.wait(&self.limits, Instant::now());
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(until),
                None => self.timer = Some(Box::pin(tokio::time::sleep_until(until))),
            }
        }
        match &mut self.timer {
            Some(timer) => timer.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}

impl Rate {
    /// Begins to wait; until when at most.
    fn wait(&mut self, limits: &WireLimits, now: Instant) -> Instant {
        self.since = Some(now);
        now + limits.window.saturating_sub(self.waited)
    }

    /// Counts bytes that came, and the time waited for them.
    fn received(&mut self, length: usize, now: impl FnOnce() -> Instant) {
        self.bytes += u64::try_from(length).unwrap_or(u64::MAX);
        if let Some(since) = self.since.take() {
            self.waited += now().saturating_duration_since(since);
        }
    }

    /// Whether enough came in the window that is over; the next one begins.
    fn is_enough(&mut self, limits: &WireLimits) -> bool {
        std::mem::take(self).bytes >= limits.window_bytes_min
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a client that sends `bytes` after each `period`, of which we take `ours` to handle
    /// them; tells after how many pieces it was cut off.
    fn cut_off_after(bytes: usize, period: Duration, ours: Duration) -> Option<u32> {
        let limits = WireLimits::default();
        let mut rate = Rate::default();
        let mut now = Instant::now();
        for piece in 0..1_000 {
            let deadline = rate.wait(&limits, now);
            let mut next = now + period;
            if next > deadline {
                if !rate.is_enough(&limits) {
                    return Some(piece);
                }
                rate.wait(&limits, deadline);
                next = next.max(deadline);
            }
            rate.received(bytes, || next);
            now = next + ours;
        }
        None
    }

    #[test]
    fn a_client_that_sends_too_slowly_is_cut_off() {
        let slow = cut_off_after(1024, Duration::from_secs(2), Duration::ZERO);
        assert_eq!(slow, Some(15));
        let silent = cut_off_after(1, Duration::from_secs(31), Duration::ZERO);
        assert_eq!(silent, Some(0));
    }

    #[test]
    fn a_client_at_the_lowest_rate_is_kept() {
        assert_eq!(
            cut_off_after(1024, Duration::from_millis(900), Duration::ZERO),
            None
        );
    }

    #[test]
    fn the_time_that_we_take_is_not_held_against_the_client() {
        let ours = Duration::from_secs(60);
        assert_eq!(cut_off_after(1024, Duration::from_millis(900), ours), None);
    }
}
