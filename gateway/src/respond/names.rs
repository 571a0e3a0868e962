//! What names a request in the lines that are logged on its behalf.
//!
//! A span of `tracing` that every request is in costs a small one as much as its whole authorization, and most requests
//! log one line, which names itself. So a request is noted for the thread that works on it, and whoever writes lines
//! makes the span where there is one to write ([`span_of_request`]).

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;

use proto::trace::Span;
use tracing::field;

use crate::request::RequestId;
use crate::request::Target;

/// The names of one request.
pub(super) struct RequestNames {
    request_id: RequestId,
    /// The request in traces, if they are on.
    trace: Span,
    target: Mutex<Arc<Target>>,
}

impl RequestNames {
    /// The names of a request, and of what it is about.
    pub(super) fn new(request_id: RequestId, trace: Span, target: Arc<Target>) -> Self {
        let target = Mutex::new(target);
        Self {
            request_id,
            trace,
            target,
        }
    }

    /// Takes what the request turned out to be about.
    pub(super) fn set_target(&self, target: &Arc<Target>) {
        let mut present = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        *present = Arc::clone(target);
    }

    /// Has this thread work on the request until what is returned is dropped.
    #[must_use]
    pub(super) fn enter(self: &Arc<Self>) -> Entered {
        Entered {
            before: CURRENT.replace(Some(Arc::clone(self))),
        }
    }

    /// `future`, which is work on the request. Pin it first: a copy would be as large again.
    pub(super) fn within<F: Future>(
        self: Arc<Self>,
        mut future: Pin<&mut F>,
    ) -> impl Future<Output = F::Output> {
        std::future::poll_fn(move |context: &mut Context<'_>| -> Poll<F::Output> {
            let _entered = self.enter();
            future.as_mut().poll(context)
        })
    }

    fn span(&self) -> tracing::Span {
        let target = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        let target = Arc::clone(&target);
        tracing::error_span!(
            "request",
            request_id = self.request_id.as_str(),
            trace_id = self.trace.trace_id().map(field::display),
            span_id = self.trace.span_id().map(field::display),
            bucket = target.bucket.as_deref(),
            // Quoted and escaped: a key may hold line ends and control sequences.
            key = target.key.as_ref().map(field::debug),
        )
    }
}

/// While it is there, this thread works on a request.
pub(super) struct Entered {
    before: Option<Arc<RequestNames>>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.before.take());
    }
}

/// A span named `request` that names the request which this thread works on, for a line that is written now.
#[must_use]
pub fn span_of_request() -> Option<tracing::Span> {
    // A thread that ends may still write lines, when what is kept for it is gone.
    let current = CURRENT.try_with(|current| current.borrow().clone());
    current.ok().flatten().map(|names| names.span())
}

thread_local! {
    /// The request that this thread works on.
    static CURRENT: RefCell<Option<Arc<RequestNames>>> = const { RefCell::new(None) };
}
