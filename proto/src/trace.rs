//! Traces: the spans of a request, and the context by which both services, clients and backends agree which trace
//! they belong to.
//!
//! Traces are off until a process calls [`enable`], once, at its start. Until then there is no span, no header of a
//! trace is read or written, and a call here costs one load of an atomic.
//!
//! What is below a request finds its span as the current one: [`Span::within`] and [`Span::attach`] make it that.
//! Outside of a request there is none, so that upkeep makes no spans.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task;
use std::task::Poll;

use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::ContextGuard;
use opentelemetry::KeyValue;
use opentelemetry::Value;
use opentelemetry::global::BoxedTracer;
use opentelemetry::global::ObjectSafeTracer;
use opentelemetry::trace::SpanId;
use opentelemetry::trace::SpanKind;
use opentelemetry::trace::Status;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry::trace::TraceId;
use opentelemetry::trace::Tracer as _;

mod context;

/// What makes spans; empty while traces are off.
static TRACER: OnceLock<BoxedTracer> = OnceLock::new();

/// Switches traces on for the rest of the process. Returns false, and changes nothing, if they are on already.
pub fn enable(tracer: impl ObjectSafeTracer + Send + Sync + 'static) -> bool {
    TRACER.set(BoxedTracer::new(Box::new(tracer))).is_ok()
}

/// A span of a trace, or none: while traces are off, and for what belongs to no request.
///
/// Its methods do nothing without a span. A span that is dropped before its [end](Self::end) ends then.
#[derive(Clone, Debug, Default)]
pub struct Span(Option<Context>);

impl Span {
    /// No span.
    pub const NONE: Self = Self(None);

    /// The span that a request's headers name: the caller's. Headers that are no trace context are ignored; what is
    /// returned then is the parent of a new trace.
    #[must_use]
    pub fn of_caller(headers: &HeaderMap) -> Self {
        if TRACER.get().is_none() {
            return Self::NONE;
        }
        let context = Context::new();
        Self(Some(match context::read(headers) {
            Some(caller) => context.with_remote_span_context(caller),
            None => context,
        }))
    }

    /// The span of the request that this thread works on.
    #[must_use]
    pub fn current() -> Self {
        Self(TRACER.get().map(|_| Context::current()))
    }

    /// A span of a request that is served, named `service operation`: a child of `parent`, or the first one of a trace.
    #[must_use]
    pub fn server(service: &'static str, operation: &str, parent: &Self) -> Self {
        let (Some(tracer), Some(parent)) = (TRACER.get(), &parent.0) else {
            return Self::NONE;
        };
        start(tracer, name(service, operation), SpanKind::Server, parent)
    }

    /// A span of a call that the current request needs. Outside of a request there is none.
    #[must_use]
    pub fn client(service: &'static str, operation: &str) -> Self {
        Self::of_call(service, operation, SpanKind::Client)
    }

    /// The same of a call that stays in this process.
    #[must_use]
    pub fn internal(service: &'static str, operation: &str) -> Self {
        Self::of_call(service, operation, SpanKind::Internal)
    }

    fn of_call(service: &'static str, operation: &str, kind: SpanKind) -> Self {
        let Some(tracer) = TRACER.get() else {
            return Self::NONE;
        };
        let parent = Context::current();
        if !parent.span().span_context().is_valid() {
            return Self::NONE;
        }
        start(tracer, name(service, operation), kind, &parent)
    }

    /// Whether what is set is of use: there is a span, and the sampler chose its trace.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        let context = self.0.as_ref();
        context.is_some_and(|context| context.span().is_recording())
    }

    /// Renames the span, whose operation was not known at its start.
    pub fn rename(&self, service: &'static str, operation: &str) {
        if let Some(context) = &self.0 {
            context.span().update_name(name(service, operation));
        }
    }

    /// Sets an attribute that is text.
    pub fn text(&self, key: &'static str, value: &str) {
        if self.is_recording() {
            self.set(key, value.to_owned());
        }
    }

    /// Sets an attribute that is a number.
    pub fn number(&self, key: &'static str, value: impl Into<u64>) {
        self.set(key, i64::try_from(value.into()).unwrap_or(i64::MAX));
    }

    /// Sets an attribute that is true.
    pub fn flag(&self, key: &'static str) {
        self.set(key, true);
    }

    fn set(&self, key: &'static str, value: impl Into<Value>) {
        if let Some(context) = &self.0 {
            context.span().set_attribute(KeyValue::new(key, value));
        }
    }

    /// Adds an event with one attribute.
    pub fn event(&self, name: &'static str, key: &'static str, value: &str) {
        if self.is_recording()
            && let Some(context) = &self.0
        {
            let attributes = vec![KeyValue::new(key, value.to_owned())];
            context.span().add_event(name, attributes);
        }
    }

    /// Marks the span as failed, with a name for why of which there are few: an error code, not a message.
    pub fn fail(&self, error_type: &str) {
        self.text("error.type", error_type);
        if let Some(context) = &self.0 {
            context.span().set_status(Status::error(""));
        }
    }

    /// Ends the span.
    pub fn end(&self) {
        if let Some(context) = &self.0 {
            context.span().end();
        }
    }

    /// Makes the span the current one of this thread until the guard is dropped.
    #[must_use]
    pub fn attach(&self) -> Option<ContextGuard> {
        self.0.clone().map(Context::attach)
    }

    /// `future`, with the span as the current one whenever it is polled. Pin it first: a copy would be as large again.
    pub fn within<F: Future>(&self, mut future: Pin<&mut F>) -> impl Future<Output = F::Output> {
        std::future::poll_fn(move |context: &mut task::Context<'_>| -> Poll<F::Output> {
            let _attached = self.attach();
            future.as_mut().poll(context)
        })
    }

    /// Writes the span as trace context into the headers of a request. Without a span, they stay as they are.
    pub fn write(&self, headers: &mut HeaderMap) {
        if let Some(context) = &self.0 {
            context::write(context.span().span_context(), headers);
        }
    }

    /// The id of the trace, for log lines.
    #[must_use]
    pub fn trace_id(&self) -> Option<TraceId> {
        let id = self.0.as_ref()?.span().span_context().trace_id();
        (id != TraceId::INVALID).then_some(id)
    }

    /// The id of the span, for log lines.
    #[must_use]
    pub fn span_id(&self) -> Option<SpanId> {
        let id = self.0.as_ref()?.span().span_context().span_id();
        (id != SpanId::INVALID).then_some(id)
    }
}

fn start(tracer: &BoxedTracer, name: Cow<'static, str>, kind: SpanKind, parent: &Context) -> Span {
    let builder = tracer.span_builder(name).with_kind(kind);
    let span = tracer.build_with_context(builder, parent);
    Span(Some(parent.with_span(span)))
}

fn name(service: &'static str, operation: &str) -> Cow<'static, str> {
    match operation {
        "" => service.into(),
        operation => format!("{service} {operation}").into(),
    }
}
