//! A collector of OTLP over HTTP that keeps what it receives.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;

use bytes::Bytes;
use http::HeaderMap;
use http::Request;
use http::Response;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;

/// A collector. It stops when it is dropped.
pub(super) struct Collector {
    received: Arc<Mutex<Received>>,
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Received {
    spans: Vec<Span>,
    resources: Vec<KeyValue>,
    heads: Vec<(String, HeaderMap)>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Collector {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Received::default()));
        let shared = Arc::clone(&received);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let received = Arc::clone(&shared);
                let service = service_fn(move |request| take(Arc::clone(&received), request));
                let serving = hyper::server::conn::http1::Builder::new();
                tokio::spawn(serving.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self {
            received,
            address,
            task,
        }
    }

    /// `http://127.0.0.1:PORT`.
    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans, by their start.
    pub(super) fn spans(&self) -> Vec<Span> {
        let mut spans = self.received.lock().unwrap().spans.clone();
        spans.sort_by_key(|span| span.start_time_unix_nano);
        spans
    }

    /// The spans of one trace as lines, each below its parent and two spaces further in.
    pub(super) fn tree(&self, trace_id: &str) -> String {
        let spans = self.spans_of(trace_id);
        let is_root = |span: &&Span| !spans.iter().any(|it| it.span_id == span.parent_span_id);
        let mut lines = String::new();
        for root in spans.iter().filter(is_root) {
            write_below(&spans, root, 0, &mut lines);
        }
        lines
    }

    /// The spans of one trace, by their start.
    pub(super) fn spans_of(&self, trace_id: &str) -> Vec<Span> {
        let mut spans = self.spans();
        spans.retain(|span| hex::encode(&span.trace_id) == trace_id);
        spans
    }

    /// The attribute of every resource.
    pub(super) fn resource(&self, key: &str) -> String {
        text(&self.received.lock().unwrap().resources, key)
    }

    /// Paths and headers of what was sent.
    pub(super) fn heads(&self) -> Vec<(String, HeaderMap)> {
        self.received.lock().unwrap().heads.clone()
    }
}

async fn take(
    received: Arc<Mutex<Received>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let message = ExportTraceServiceRequest::decode(body).unwrap();
    let mut received = received.lock().unwrap();
    received
        .heads
        .push((head.uri.path().to_owned(), head.headers));
    for of_resource in message.resource_spans {
        received.resources = of_resource.resource.unwrap().attributes;
        let scopes = of_resource.scope_spans.into_iter();
        received.spans.extend(scopes.flat_map(|scope| scope.spans));
    }
    Ok(Response::new(Full::default()))
}

fn write_below(spans: &[Span], span: &Span, depth: usize, lines: &mut String) {
    let kind = span.kind().as_str_name().trim_start_matches("SPAN_KIND_");
    let (indent, kind) = ("  ".repeat(depth), kind.to_lowercase());
    lines.push_str(&format!("{indent}{kind} {}\n", span.name));
    let children = spans.iter().filter(|it| it.parent_span_id == span.span_id);
    for child in children {
        write_below(spans, child, depth + 1, lines);
    }
}

/// An attribute as text; empty if it is not there.
pub(super) fn text(attributes: &[KeyValue], key: &str) -> String {
    let attribute = attributes.iter().find(|attribute| attribute.key == key);
    let value = attribute.and_then(|it| it.value.clone()?.value);
    match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(truth)) => truth.to_string(),
        _ => String::new(),
    }
}
