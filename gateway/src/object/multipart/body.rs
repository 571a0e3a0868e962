//! The body of an answer from an object in parts: segment after segment, opened on their way.
//!
//! As in [`crate::object::opened`], not a byte is handed out before its tag was checked, and whatever is
//! not as the part table says ends the body in an error.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::ops::Range;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Buf;
use bytes::Bytes;
use http_body::Body;
use http_body::Frame;

use crate::backend::ReplyBody;
use crate::chunks::Keys;
use crate::chunks::OpenError;
use crate::chunks::footer::Table;
use crate::chunks::layout;
use crate::chunks::open::Opener;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::request::BoxError;
use crate::request::PayloadStream;
use crate::sse::data_key::refuse_tampered;

/// What to do with the stored bytes, segment by segment.
pub(crate) struct Plan {
    /// The stored bytes that it takes.
    pub(crate) stored: Range<u64>,
    steps: VecDeque<Step>,
}

/// One segment, or a span of one.
struct Step {
    /// Stored bytes in front that hold nothing: the empty last chunk of the part before.
    skip: u64,
    /// What must follow: the head, where only a span behind it is opened.
    head: Bytes,
    opener: Opener,
    /// Stored bytes that the opener has still to get.
    left: u64,
}

impl Plan {
    /// How to read `range` of an object's plaintext.
    ///
    /// # Errors
    ///
    /// [`OpenError`] for a key that is not the object's, or a range that it does not have.
    pub(crate) fn new(keys: Keys<'_>, table: &Table, range: Range<u64>) -> Result<Self, OpenError> {
        let mut plan = Self {
            stored: 0..0,
            steps: VecDeque::new(),
        };
        let all = range == (0..table.plaintext_bytes());
        let mut part_end = 0;
        for (part, stored) in table.segments() {
            let part_start = part_end;
            part_end += part.segment.plaintext_bytes;
            let within = range.start <= part_start && part_end <= range.end;
            // A part of no bytes belongs to what lies around it.
            let begun = !plan.steps.is_empty() && part_start < range.end;
            if all || (within && (part_start < part_end || begun)) {
                let opener = Opener::segment(keys, &part.segment)?;
                plan.push(Bytes::new(), opener, stored);
                continue;
            }
            let from = range.start.max(part_start);
            let to = range.end.min(part_end);
            if from >= to {
                continue;
            }
            let wanted = from - part_start..to - part_start;
            let span = layout::span(part.segment.plaintext_bytes, wanted).ok_or(OpenError::Size)?;
            let head = match plan.steps.is_empty() {
                true => Bytes::new(),
                false => Bytes::copy_from_slice(&part.segment.head()),
            };
            let opener = Opener::span(keys, &part.segment, &span)?;
            let first = stored.start + span.stored.start - head.len() as u64;
            plan.push(head, opener, first..stored.start + span.stored.end);
        }
        Ok(plan)
    }

    fn push(&mut self, head: Bytes, opener: Opener, stored: Range<u64>) {
        if self.steps.is_empty() {
            self.stored = stored.start..stored.start;
        }
        self.steps.push_back(Step {
            skip: stored.start.saturating_sub(self.stored.end),
            left: (stored.end - stored.start).saturating_sub(head.len() as u64),
            head,
            opener,
        });
        self.stored.end = stored.end;
    }
}

/// The plaintext of an object in parts, or of a range of it.
pub(crate) struct PartsBody {
    reply: ReplyBody,
    steps: VecDeque<Step>,
    /// Stored bytes that came and were not taken in.
    came: Bytes,
    /// What was opened ahead.
    ready: Option<Bytes>,
}

impl PartsBody {
    /// Opens `reply`, which begins with the first stored byte of `plan`.
    pub(crate) fn new(reply: ReplyBody, plan: Plan) -> Self {
        Self {
            reply,
            steps: plan.steps,
            came: Bytes::new(),
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

    fn poll_opened(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, S3Error>>> {
        loop {
            match self.advance() {
                Ok(Some(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                Ok(None) => {}
                Err(error) => {
                    self.steps.clear();
                    return Poll::Ready(Some(Err(error)));
                }
            }
            let frame = match ready!(Pin::new(&mut self.reply).poll_frame(context)) {
                None if self.steps.is_empty() => return Poll::Ready(None),
                None => {
                    self.steps.clear();
                    let error = refuse_tampered(&"the stored bytes end early");
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Ok(frame)) => frame,
                // What is behind the last segment was checked before, or is not needed.
                Some(Err(_)) if self.steps.is_empty() => return Poll::Ready(None),
                Some(Err(cause)) => {
                    self.steps.clear();
                    tracing::warn!(%cause, "the backend broke off an answer");
                    let error = S3Error::new(S3Code::ServiceUnavailable);
                    return Poll::Ready(Some(Err(error)));
                }
            };
            if let Ok(stored) = frame.into_data()
                && !self.steps.is_empty()
            {
                self.came = stored;
            }
        }
    }

    /// Takes in what came, until there is something to hand out; none when more must come.
    fn advance(&mut self) -> Result<Option<Bytes>, S3Error> {
        while let Some(step) = self.steps.front_mut() {
            if step.left == 0 && step.head.is_empty() {
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

impl Step {
    fn take_in(&mut self, came: &mut Bytes) -> Result<(), S3Error> {
        let limit = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let skipped = came.len().min(limit(self.skip));
        came.advance(skipped);
        self.skip -= skipped as u64;

        let head = came.split_to(came.len().min(self.head.len()));
        if !self.head.starts_with(&head) {
            return Err(OpenError::OtherSegment.into());
        }
        self.head.advance(head.len());

        let taken = came.split_to(came.len().min(limit(self.left)));
        self.left -= taken.len() as u64;
        self.opener.push(&taken)?;
        Ok(())
    }
}

impl PayloadStream for PartsBody {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, S3Error>>> {
        match self.ready.take() {
            Some(bytes) => Poll::Ready(Some(Ok(bytes))),
            None => self.poll_opened(context),
        }
    }
}

impl Body for PartsBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let opened = ready!(PayloadStream::poll_next(&mut *self, context));
        Poll::Ready(opened.map(|bytes| bytes.map(Frame::data).map_err(Into::into)))
    }
}
