//! Request bodies while they are read, of both protocols.
//!
//! A body has a largest size and a deadline, and all bodies that are being read share one budget of
//! bytes: however many clients send slowly and never finish, they hold no more than that. Half of it
//! is for callers who are authenticated before their bodies are read, whom nobody else can starve.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use http_body::Frame;
use http_body::SizeHint;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::time::Sleep;

use crate::error::Code;
use crate::error::KmsError;
use crate::transport::Incoming;

/// What the bodies of one server may hold and take.
pub(crate) struct BodyLimits {
    /// Bytes that bodies of authenticated callers may hold; a permit for each.
    authenticated: Arc<Semaphore>,
    /// Bytes that the bodies of all others may hold.
    unauthenticated: Arc<Semaphore>,
    timeout: Duration,
}

/// Whether a body's sender is authenticated before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// It is.
    Authenticated,
    /// It is not: the signature covers the body, or there is none.
    Unauthenticated,
}

impl BodyLimits {
    /// Bodies that hold `budget_bytes` together and take `timeout` each.
    pub(crate) fn new(budget_bytes: usize, timeout: Duration) -> Self {
        let permits = (budget_bytes / 2).min(Semaphore::MAX_PERMITS);
        Self {
            authenticated: Arc::new(Semaphore::new(permits)),
            unauthenticated: Arc::new(Semaphore::new(permits)),
            timeout,
        }
    }

    /// The body of one request, of at most `bytes_max`.
    pub(crate) fn limit(&self, body: Incoming, sender: Sender, bytes_max: usize) -> RequestBody {
        let budget = match sender {
            Sender::Authenticated => &self.authenticated,
            Sender::Unauthenticated => &self.unauthenticated,
        };
        RequestBody {
            body,
            bytes_left: bytes_max,
            held: None,
            budget: Arc::clone(budget),
            timeout: self.timeout,
            deadline: None,
        }
    }
}

/// A request's body within the limits. What it has read counts against the budget until it is dropped.
pub(crate) struct RequestBody {
    body: Incoming,
    bytes_left: usize,
    held: Option<OwnedSemaphorePermit>,
    budget: Arc<Semaphore>,
    timeout: Duration,
    /// Set when the body is first waited for: most bodies come with the head and need no timer.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl RequestBody {
    /// Counts `bytes` that have arrived.
    fn count(&mut self, bytes: usize) -> Result<(), BodyError> {
        self.bytes_left = self
            .bytes_left
            .checked_sub(bytes)
            .ok_or(BodyError::TooLarge)?;
        let permits = u32::try_from(bytes).map_err(|_| BodyError::TooLarge)?;
        let permit = Arc::clone(&self.budget).try_acquire_many_owned(permits);
        let permit = permit.map_err(|_| BodyError::BudgetExhausted)?;
        match &mut self.held {
            Some(held) => held.merge(permit),
            None => self.held = Some(permit),
        }
        Ok(())
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            let timeout = self.timeout;
            let deadline = self
                .deadline
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
            ready!(deadline.as_mut().poll(context));
            return Poll::Ready(Some(Err(BodyError::TimedOut)));
        };
        let frame = match frame {
            Some(Ok(frame)) => frame,
            Some(Err(_)) => return Poll::Ready(Some(Err(BodyError::Incomplete))),
            None => return Poll::Ready(None),
        };
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        let counted = self.count(bytes).map(|()| frame);
        Poll::Ready(Some(counted))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Why a body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// All bodies that are being read hold as much as they may.
    #[error("too many request bodies are being read")]
    BudgetExhausted,
    /// The connection ended first.
    #[error("the request ended before its body was complete")]
    Incomplete,
    /// It did not arrive in time.
    #[error("the request's body did not arrive in time")]
    TimedOut,
    /// It is larger than one request's may be.
    #[error("the request's body is too large")]
    TooLarge,
}

impl From<BodyError> for KmsError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::BudgetExhausted => Self::new(
                Code::ServiceUnavailableException,
                "The service is reading too many requests.",
            ),
            BodyError::Incomplete => Self::new(
                Code::SerializationException,
                "The request ended before its body was complete.",
            ),
            BodyError::TimedOut => Self::new(
                Code::SerializationException,
                "The request's body did not arrive in time.",
            ),
            BodyError::TooLarge => Self::new(
                Code::RequestEntityTooLargeException,
                "The request is larger than the service takes.",
            ),
        }
    }
}
