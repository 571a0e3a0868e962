//! The body of an answer: stored bytes as they come from the backend, opened on their way.
//!
//! Not a byte is handed out before its tag was checked. The last piece waits until the object's end
//! was checked as well; when that fails, or the backend breaks off, the body ends in an error, which
//! aborts the client's connection: short, never clean.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Buf;
use bytes::Bytes;
use http_body::Body;
use http_body::Frame;

use crate::backend::ReplyBody;
use crate::chunks::open::Opener;
use crate::error::S3Error;
use crate::request::BoxError;
use crate::request::PayloadStream;
use crate::sse::data_key::refuse_tampered;

/// A stored object's plaintext, or a range of it.
pub(crate) struct OpenedBody {
    reply: ReplyBody,
    /// Gone when everything was opened, or something was wrong.
    opener: Option<Opener>,
    /// Stored bytes that come before the ones asked for.
    skip: u64,
    /// Stored bytes that the opener has still to get.
    left: u64,
    /// What was opened ahead.
    ready: Option<Bytes>,
}

impl OpenedBody {
    /// Opens `stored_bytes` of `reply`, after the first `skip`, by `opener`.
    pub(crate) fn new(reply: ReplyBody, opener: Opener, skip: u64, stored_bytes: u64) -> Self {
        Self {
            reply,
            opener: Some(opener),
            skip,
            left: stored_bytes,
            ready: None,
        }
    }

    /// Opens the first piece ahead, so that an object that does not open is refused by a status.
    ///
    /// # Errors
    ///
    /// `InternalError` where it does not open; `ServiceUnavailable` where the backend breaks off.
    pub(crate) async fn open_first(mut self) -> Result<Self, S3Error> {
        self.ready = poll_fn(|context| self.poll_opened(context))
            .await
            .transpose()?;
        Ok(self)
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, S3Error>>> {
        if let Some(bytes) = self.ready.take() {
            return Poll::Ready(Some(Ok(bytes)));
        }
        self.poll_opened(context)
    }

    fn poll_opened(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, S3Error>>> {
        loop {
            let Some(opener) = &mut self.opener else {
                return Poll::Ready(None);
            };
            if self.left > 0 && opener.ready() > 0 {
                return Poll::Ready(opener.take().map(Ok));
            }
            let frame = match ready!(Pin::new(&mut self.reply).poll_frame(context)) {
                None => return Poll::Ready(self.finish().transpose()),
                Some(Ok(frame)) => frame,
                Some(Err(cause)) => {
                    self.opener = None;
                    return Poll::Ready(Some(Err(broken_off(&*cause))));
                }
            };
            if let Ok(stored) = frame.into_data()
                && let Err(error) = self.take_in(stored)
            {
                self.opener = None;
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    /// Gives the opener what it has to get of `stored`.
    fn take_in(&mut self, mut stored: Bytes) -> Result<(), S3Error> {
        let skipped = self.skip.min(stored.len() as u64);
        self.skip -= skipped;
        stored.advance(usize::try_from(skipped).unwrap_or(stored.len()));
        let taken = self.left.min(stored.len() as u64);
        self.left -= taken;
        stored.truncate(usize::try_from(taken).unwrap_or(stored.len()));
        if let Some(opener) = &mut self.opener {
            opener.push(&stored)?;
        }
        Ok(())
    }

    /// The last piece, after the end was checked.
    fn finish(&mut self) -> Result<Option<Bytes>, S3Error> {
        let Some(mut opener) = self.opener.take() else {
            return Ok(None);
        };
        if self.left > 0 {
            return Err(refuse_tampered(&"the stored bytes end early"));
        }
        let last = opener.take();
        opener.finish()?;
        Ok(last)
    }
}

impl Body for OpenedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let opened = ready!(self.poll_piece(context));
        Poll::Ready(opened.map(|bytes| bytes.map(Frame::data).map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.opener.is_none() && self.ready.is_none()
    }
}

// The source of a copy is read like the body of a request.
impl PayloadStream for OpenedBody {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, S3Error>>> {
        self.poll_piece(context)
    }
}

/// What a client hears of a backend that ends an answer early.
pub(crate) fn broken_off(cause: &dyn std::fmt::Display) -> S3Error {
    tracing::warn!(%cause, "the backend broke off an answer");
    S3Error::new(crate::error::S3Code::ServiceUnavailable)
}
