//! The plaintext of an object: stored bytes as they come from the backend, opened on their way.
//!
//! Not a byte is handed out before its tag was checked. The last piece waits until the answer's end
//! was reached; when something is not as it was written, or the backend breaks off, the body ends in an
//! error, which aborts the client's connection: short, never clean.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::ops::Range;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Bytes;
use http::StatusCode;
use http_body::Body;
use http_body::Frame;

use crate::backend::ReplyBody;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::keys::data_key::refuse_tampered;
use crate::request::BoxError;
use crate::request::PayloadStream;
use crate::sealed::head::ObjectHead;
use crate::sealed::objects::SealedObjects;
use crate::sealed::read::Description;
use crate::sealed::read::StoredBytes;
use crate::sealed::reader::ReadError;
use crate::sealed::reader::Reader;
use crate::sealed::segments::Plan;
use crate::sealed::segments::Step;

/// The plaintext of an object, or of a range of it.
pub(crate) struct OpenedBody<B = ReplyBody> {
    reply: Option<B>,
    /// What is still to be opened; nothing once something was wrong.
    steps: VecDeque<Step>,
    /// Stored bytes that came and were not taken in.
    came: Bytes,
    /// What was opened ahead.
    ready: Option<Bytes>,
    /// The last piece, which waits for the end of the answer.
    last: Option<Bytes>,
}

/// Opens a range of an object's plaintext, its first piece ahead, so that an object that does not open is
/// refused by a status. `stored` are the bytes that are being sent already, where they are.
///
/// # Errors
///
/// `InternalError` where it does not open; `ServiceUnavailable` where the backend breaks off;
/// [`ReadError::Changed`] for an object that has another ETag by now.
pub(crate) async fn open(
    objects: &SealedObjects,
    reader: &Reader,
    head: &ObjectHead,
    description: &Description,
    range: &Range<u64>,
    stored: Option<StoredBytes>,
) -> Result<OpenedBody, ReadError> {
    let (keys, table) = description.opened()?;
    let is_whole = description.footer.is_none();
    // The envelope was authenticated: its data key is here.
    let record = head.sealed()?.claims().record;
    let at_hand = stored.as_ref().map(|stored| &stored.range);
    let at_hand = at_hand.filter(|_| is_whole);
    let mut plan = Plan::new(keys.keys(), table, record, range, at_hand)?;
    let bytes = |range: &Range<u64>| range.end - range.start;
    let covers = |at_hand: &Range<u64>| {
        at_hand.start <= plan.stored.start
            && plan.stored.end <= at_hand.end
            && (is_whole || bytes(at_hand) - bytes(&plan.stored) <= SURPLUS_BYTES_MAX)
    };
    let reply = match stored {
        _ if plan.steps.is_empty() => None,
        Some(stored) if covers(&stored.range) => {
            let before = plan.stored.start - stored.range.start;
            if let Some(first) = plan.steps.front_mut() {
                first.skip += before;
            }
            Some(stored.body)
        }
        Some(_) if is_whole => {
            return Err(refuse_tampered(&"an answer of another range than requested").into());
        }
        _ => {
            let answer = Box::pin(objects.pinned_range(reader, head, &plan.stored)).await?;
            if answer.status() != StatusCode::PARTIAL_CONTENT && plan.stored.start > 0 {
                return Err(S3Error::new(S3Code::ServiceUnavailable).into());
            }
            Some(answer.into_body())
        }
    };
    let mut body = OpenedBody {
        reply,
        steps: plan.steps,
        came: Bytes::new(),
        ready: None,
        last: None,
    };
    body.ready = poll_fn(|context| body.poll_opened(context))
        .await
        .transpose()?;
    Ok(body)
}

impl<B: Body<Data = Bytes, Error = BoxError> + Unpin> OpenedBody<B> {
    fn poll_opened(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, S3Error>>> {
        loop {
            match self.advance() {
                Ok(Some(bytes)) if self.steps.is_empty() => self.last = Some(bytes),
                Ok(Some(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                Ok(None) => {}
                Err(error) => {
                    self.steps.clear();
                    return Poll::Ready(Some(Err(error)));
                }
            }
            let Some(reply) = &mut self.reply else {
                return Poll::Ready(self.last.take().map(Ok));
            };
            match ready!(Pin::new(reply).poll_frame(context)) {
                Some(Ok(frame)) => {
                    if let Ok(stored) = frame.into_data()
                        && !self.steps.is_empty()
                    {
                        self.came = stored;
                    }
                }
                // What is behind the last segment was checked before, or is not needed.
                None | Some(Err(_)) if self.steps.is_empty() => self.reply = None,
                None => {
                    self.steps.clear();
                    let error = refuse_tampered(&"the stored bytes end early");
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Err(cause)) => {
                    self.steps.clear();
                    return Poll::Ready(Some(Err(broken_off(&*cause))));
                }
            }
        }
    }

    /// Takes in what came, until there is something to hand out; none when more must come.
    fn advance(&mut self) -> Result<Option<Bytes>, S3Error> {
        while let Some(step) = self.steps.front_mut() {
            if step.is_complete() {
                let mut step = self.steps.pop_front().ok_or_else(S3Error::internal)?;
                let last = step.opener.take();
                step.opener.finish()?;
                if last.is_some() {
                    return Ok(last);
                }
                continue;
            }
            if step.opener.ready() > 0 {
                return Ok(step.opener.take());
            }
            if self.came.is_empty() {
                return Ok(None);
            }
            step.take_in(&mut self.came)?;
        }
        Ok(None)
    }
}

// The source of a copy is read like the body of a request.
impl<B> PayloadStream for OpenedBody<B>
where
    B: Body<Data = Bytes, Error = BoxError> + Send + Sync + Unpin,
{
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, S3Error>>> {
        match self.ready.take() {
            Some(bytes) => Poll::Ready(Some(Ok(bytes))),
            None => self.poll_opened(context),
        }
    }
}

impl<B> Body for OpenedBody<B>
where
    B: Body<Data = Bytes, Error = BoxError> + Send + Sync + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let opened = ready!(PayloadStream::poll_next(&mut *self, context));
        Poll::Ready(opened.map(|bytes| bytes.map(Frame::data).map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.ready.is_none() && self.last.is_none()
    }
}

/// The answer to a client whose object's backend ended an answer early.
pub(crate) fn broken_off(cause: &dyn std::fmt::Display) -> S3Error {
    tracing::warn!(%cause, "the backend broke off an answer");
    S3Error::new(S3Code::ServiceUnavailable)
}

/// Most bytes of an answer that are read and not needed, before another request is made instead. The
/// footer of 10,000 parts is shorter.
const SURPLUS_BYTES_MAX: u64 = 2 << 20;

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use futures_util::stream;
    use http_body_util::StreamBody;

    use super::*;
    use crate::chunks::DataKey;
    use crate::chunks::Keys;
    use crate::chunks::layout::CHUNK_BYTES;
    use crate::chunks::random::SystemRandom;
    use crate::sealed::segments::tests::sealed;

    type Piece = Result<Frame<Bytes>, BoxError>;

    /// What a reader receives of an object of one part, of whose stored bytes the backend sends these
    /// pieces: the bytes, and the code of the error that ends them.
    async fn read(pieces: impl FnOnce(&[u8]) -> Vec<Piece>) -> (Vec<u8>, Option<S3Code>) {
        let key = DataKey::generate(&SystemRandom);
        let (table, stored, _) = sealed(&key, &[LENGTH]);
        let range = 0..table.plaintext_bytes();
        let plan = Plan::new(Keys::from(&key), &table, None, &range, None).unwrap();
        let mut body = OpenedBody {
            reply: Some(StreamBody::new(stream::iter(pieces(&stored)).boxed())),
            steps: plan.steps,
            came: Bytes::new(),
            ready: None,
            last: None,
        };
        let mut received = Vec::new();
        loop {
            match poll_fn(|context| body.poll_opened(context)).await {
                None => return (received, None),
                Some(Ok(bytes)) => received.extend(bytes),
                Some(Err(error)) => {
                    let more = poll_fn(|context| body.poll_opened(context)).await;
                    assert!(!matches!(more, Some(Ok(_))), "bytes after an error");
                    return (received, Some(error.code()));
                }
            }
        }
    }

    fn frames(stored: &[u8]) -> Vec<Piece> {
        let pieces = stored.chunks(PIECE);
        pieces
            .map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece))))
            .collect()
    }

    #[tokio::test]
    async fn the_plaintext_is_read_to_its_end() {
        let (received, error) = read(frames).await;
        assert_eq!((received.len(), error), (LENGTH, None));
    }

    #[tokio::test]
    async fn stored_bytes_that_end_early_end_in_an_error_and_not_in_a_shorter_object() {
        for missing in [1, 17, CHUNK_BYTES] {
            let cut = |stored: &[u8]| frames(&stored[..stored.len() - missing]);
            let (received, error) = read(cut).await;
            assert!(received.len() < LENGTH, "{missing}");
            assert_eq!(error, Some(S3Code::InternalError), "{missing}");
        }
    }

    #[tokio::test]
    async fn a_backend_that_breaks_off_ends_in_an_error() {
        let broken = |stored: &[u8]| {
            let mut pieces = frames(stored);
            pieces.truncate(2);
            pieces.push(Err("gone".into()));
            pieces
        };
        let (_, error) = read(broken).await;
        assert_eq!(error, Some(S3Code::ServiceUnavailable));
    }

    #[tokio::test]
    async fn a_chunk_that_was_changed_is_not_handed_out() {
        let changed = |stored: &[u8]| {
            let mut stored = stored.to_vec();
            stored[SECOND_CHUNK] ^= 1;
            frames(&stored)
        };
        let (received, error) = read(changed).await;
        assert!(received.len() <= CHUNK_BYTES);
        assert_eq!(error, Some(S3Code::InternalError));
    }

    const LENGTH: usize = 2 * CHUNK_BYTES + 100;
    const PIECE: usize = 5_000;
    /// A byte of the second chunk.
    const SECOND_CHUNK: usize = CHUNK_BYTES + 1_000;
}
