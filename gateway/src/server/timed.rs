//! A connection whose client must keep moving.
//!
//! hyper bounds how long a connection waits for a request, but neither how long a head may take from
//! its first byte on, nor how long a client may take no byte of its answer. Both are bounded here.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time::Instant;
use tokio::time::Sleep;

/// Counts the beginnings and ends of a connection's requests: odd while one is being answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Phase(Arc<AtomicU64>);

/// A request that is being answered, until it is dropped.
#[derive(Debug)]
pub(super) struct Busy(Phase);

impl Phase {
    /// A request's head came.
    pub(super) fn begin(&self) -> Busy {
        self.0.fetch_add(1, Ordering::Relaxed);
        Busy(self.clone())
    }

    /// Whether no request came yet.
    pub(super) fn is_unused(&self) -> bool {
        self.now() == 0
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection with its limits.
pub(super) struct Timed<T> {
    inner: T,
    phase: Phase,
    head_timeout: Duration,
    write_timeout: Duration,
    /// The head that is being read.
    head: Option<Head>,
    /// Ends the write that is being waited for.
    write: Option<Pin<Box<Sleep>>>,
}

/// A head whose first bytes came and whose end did not.
struct Head {
    /// The phase that it began in.
    phase: u64,
    began: Instant,
    /// Set up when more bytes must be waited for: most heads come in one piece.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<T> Timed<T> {
    pub(super) fn new(
        inner: T,
        phase: Phase,
        head_timeout: Duration,
        write_timeout: Duration,
    ) -> Self {
        Self {
            inner,
            phase,
            head_timeout,
            write_timeout,
            head: None,
            write: None,
        }
    }

    /// Whether the head that is being read takes too long. `came`: bytes of it came just now.
    fn head_is_late(&mut self, context: &mut Context<'_>, came: bool) -> bool {
        let phase = self.phase.now();
        if self.head.as_ref().is_some_and(|head| head.phase != phase) {
            self.head = None;
        }
        let is_busy = phase % 2 == 1;
        if is_busy {
            return false;
        }
        let timeout = self.head_timeout;
        match &mut self.head {
            None if came => {
                self.head = Some(Head {
                    phase,
                    began: Instant::now(),
                    timer: None,
                });
                false
            }
            None => false,
            Some(head) if came => head.began.elapsed() >= timeout,
            Some(head) => {
                let end = head.began + timeout;
                let sleep = || Box::pin(tokio::time::sleep_until(end));
                head.timer
                    .get_or_insert_with(sleep)
                    .as_mut()
                    .poll(context)
                    .is_ready()
            }
        }
    }

    /// The outcome of a write, unless it has been waited for too long.
    fn written<O>(
        &mut self,
        outcome: Poll<io::Result<O>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<O>> {
        if outcome.is_ready() {
            self.write = None;
            return outcome;
        }
        let timeout = self.write_timeout;
        let timer = self
            .write
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        timer
            .as_mut()
            .poll(context)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Timed<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.inner).poll_read(context, buffer);
        let came = outcome.is_ready() && buffer.filled().len() > before;
        if self.head_is_late(context, came) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        outcome
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Timed<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.written(outcome, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.written(outcome, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_flush(context);
        self.written(outcome, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_shutdown(context);
        self.written(outcome, context)
    }
}
