//! Lines of a request with its names.

use gateway::respond::span_of_request;
use tracing::Event;
use tracing::Id;
use tracing::Subscriber;
use tracing::span::Attributes;
use tracing::span::Record;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// A layer that writes lines, each within the span of the request that it belongs to.
pub(super) struct Naming<L>(pub(super) L);

impl<S: Subscriber, L: Layer<S>> Layer<S> for Naming<L> {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        self.0.on_new_span(attributes, id, context);
    }

    fn on_record(&self, span: &Id, values: &Record<'_>, context: Context<'_, S>) {
        self.0.on_record(span, values, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.0.on_enter(id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.0.on_exit(id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.0.on_close(id, context);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let _within = span_of_request().map(tracing::Span::entered);
        self.0.on_event(event, context);
    }
}
