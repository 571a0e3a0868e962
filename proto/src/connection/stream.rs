//! The bytes of a connection after the HTTP library is done with it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt as _;
use tokio::io::ReadBuf;
use tokio::time::timeout;

/// A connection for the HTTP library, and the place where it is found once the library dropped it.
pub fn returning<T>(stream: T) -> (Returning<T>, Returned<T>) {
    let place = Arc::new(Mutex::new(None));
    let returned = Returned(Arc::clone(&place));
    let stream = Some(stream);
    (Returning { stream, place }, returned)
}

/// A connection that can be had again when it is dropped.
pub struct Returning<T> {
    /// There until the drop.
    stream: Option<T>,
    place: Arc<Mutex<Option<T>>>,
}

/// Where a dropped connection is found.
pub struct Returned<T>(Arc<Mutex<Option<T>>>);

impl<T> Returned<T> {
    /// The connection, if it was dropped.
    #[must_use]
    pub fn take(&self) -> Option<T> {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        place.take()
    }
}

impl<T> Drop for Returning<T> {
    fn drop(&mut self) {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        *place = self.stream.take();
    }
}

/// Closes a connection whose client may still be sending, so that it receives the answer: ends our side, then
/// reads on until the client closes, falls silent or has sent enough. Soon after `stop` it ends, too.
pub async fn linger<T>(mut stream: T, stop: impl Future<Output = ()>)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let read_on = async {
        // The library did that already, unless it failed.
        let _ = stream.shutdown().await;
        let mut piece = vec![0; PIECE_BYTES];
        let mut left = LINGER_BYTES_MAX;
        while let Ok(Ok(bytes @ 1..)) = timeout(SILENCE_MAX, stream.read(&mut piece)).await {
            let Some(rest) = left.checked_sub(bytes as u64) else {
                return;
            };
            left = rest;
        }
    };
    let stopped = async {
        stop.await;
        tokio::time::sleep(LINGER_AT_STOP).await;
    };
    tokio::select! {
        _ = timeout(LINGER_TIME_MAX, read_on) => {}
        () = stopped => {}
    }
}

impl<T> Returning<T> {
    fn inner<R>(
        &mut self,
        poll: impl FnOnce(Pin<&mut T>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>>
    where
        T: Unpin,
    {
        match &mut self.stream {
            Some(stream) => poll(Pin::new(stream)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Returning<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.inner(|stream| stream.poll_read(context, buffer))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Returning<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.inner(|stream| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.inner(|stream| stream.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        let stream = self.stream.as_ref();
        stream.is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner(|stream| stream.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner(|stream| stream.poll_shutdown(context))
    }
}

/// Most bytes that are read of a connection that ends.
const LINGER_BYTES_MAX: u64 = 128 << 20;

/// How long that may take in all.
const LINGER_TIME_MAX: Duration = Duration::from_secs(30);

/// How long the client may send nothing.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// How long it goes on when the server stops.
const LINGER_AT_STOP: Duration = Duration::from_millis(100);

/// Read at a time.
const PIECE_BYTES: usize = 64 << 10;
