//! Sends spans to a collector by OTLP: protobuf over HTTP.
//!
//! Source: <https://opentelemetry.io/docs/specs/otlp/#otlphttp>

use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use gateway::backend::connector::Connector;
use gateway::backend::connector::connector;
use gateway::backend::connector::host_header;
use http::Request;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use http_body_util::Limited;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use opentelemetry_proto::tonic::trace::v1::ScopeSpans;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::trace::SpanData;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::traces::queue::Dropped;
use crate::traces::settings::Settings;

/// What sends the spans of a queue, batch by batch.
pub(super) struct Exporter {
    client: Client<Connector, Full<Bytes>>,
    settings: Settings,
    resource: Resource,
    spans: mpsc::Receiver<SpanData>,
    stop: CancellationToken,
    dropped: Dropped,
}

/// Why a batch was not taken.
struct Failure {
    why: String,
    /// Whether the collector may take it later.
    is_passing: bool,
}

impl Exporter {
    /// One that sends `spans` until `stop`, and then what is left of them.
    ///
    /// # Errors
    ///
    /// When TLS cannot be set up.
    pub(super) fn new(
        mut settings: Settings,
        spans: mpsc::Receiver<SpanData>,
        stop: CancellationToken,
        dropped: Dropped,
    ) -> anyhow::Result<Self> {
        let connector = connector(settings.authorities.take()).context("TLS to the collector")?;
        let resource = ResourceAttributesWithSchema::from(&settings.resource);
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            resource: Resource {
                attributes: resource.attributes.0,
                ..Resource::default()
            },
            settings,
            spans,
            stop,
            dropped,
        })
    }

    /// Sends until the end.
    pub(super) async fn run(mut self) {
        while let Some(batch) = self.batch().await {
            self.send(batch).await;
        }
    }

    /// The next spans: those that end within [`BATCH_DELAY`], but no more than [`BATCH_SPANS_MAX`]. None after the last.
    async fn batch(&mut self) -> Option<Vec<SpanData>> {
        let mut batch = vec![self.next().await?];
        let due = tokio::time::sleep(BATCH_DELAY);
        tokio::pin!(due);
        while batch.len() < BATCH_SPANS_MAX {
            tokio::select! {
                span = self.next() => match span {
                    Some(span) => batch.push(span),
                    None => break,
                },
                () = &mut due => break,
            }
        }
        Some(batch)
    }

    /// The next span; none when there will be no more.
    async fn next(&mut self) -> Option<SpanData> {
        if !self.stop.is_cancelled() {
            let next = self.stop.run_until_cancelled(self.spans.recv()).await;
            if let Some(span) = next {
                return span;
            }
        }
        self.spans.close();
        self.spans.recv().await
    }

    /// Sends a batch, again while it is worth it, and drops it then.
    async fn send(&self, batch: Vec<SpanData>) {
        let spans = batch.len() as u64;
        let body = self.body(batch);
        let mut pauses = RETRY_PAUSES.into_iter();
        loop {
            let failure = match self.post(body.clone()).await {
                Ok(rejected) => return self.dropped.add(rejected, "the collector rejects them"),
                Err(failure) => failure,
            };
            let pause = pauses.next().filter(|_| failure.is_passing);
            let Some(pause) = pause else {
                return self.dropped.add(spans, &failure.why);
            };
            // At the end nobody waits.
            let pause = tokio::time::sleep(pause);
            self.stop.run_until_cancelled(pause).await;
        }
    }

    /// A batch as it is sent.
    fn body(&self, batch: Vec<SpanData>) -> Bytes {
        let scope = InstrumentationScope {
            name: "sealgate".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let spans = ScopeSpans {
            scope: Some(scope),
            spans: batch.into_iter().map(Into::into).collect(),
            schema_url: String::new(),
        };
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![spans],
                schema_url: String::new(),
            }],
        };
        let plain = request.encode_to_vec();
        match self.settings.is_compressed {
            true => gzip(&plain).into(),
            false => plain.into(),
        }
    }

    /// Sends a batch once; returns how many of its spans the collector rejects.
    async fn post(&self, body: Bytes) -> Result<u64, Failure> {
        let exchange = tokio::time::timeout(self.settings.timeout, self.exchange(body));
        let passing = |why: String| Failure {
            why,
            is_passing: true,
        };
        let answer = exchange.await;
        let answer = answer.map_err(|_| passing("the collector did not answer in time".to_owned()));
        let (status, body) =
            answer?.map_err(|error| passing(format!("no answer of the collector: {error:#}")))?;
        if status.is_success() {
            let answer = ExportTraceServiceResponse::decode(body).unwrap_or_default();
            let rejected = answer.partial_success.map_or(0, |it| it.rejected_spans);
            return Ok(u64::try_from(rejected).unwrap_or(0));
        }
        Err(Failure {
            why: format!("the collector answers {status}"),
            is_passing: PASSING.contains(&status),
        })
    }

    async fn exchange(&self, body: Bytes) -> anyhow::Result<(StatusCode, Bytes)> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.settings.endpoint.clone();
        let headers = request.headers_mut();
        headers.extend(self.settings.headers.clone());
        if let Ok(host) = header::HeaderValue::try_from(host_header(&self.settings.endpoint)) {
            headers.insert(header::HOST, host);
        }
        let user_agent = concat!("Sealgate/", env!("CARGO_PKG_VERSION"));
        headers.insert(
            header::USER_AGENT,
            header::HeaderValue::from_static(user_agent),
        );
        let protobuf = header::HeaderValue::from_static("application/x-protobuf");
        headers.insert(header::CONTENT_TYPE, protobuf);
        if self.settings.is_compressed {
            let gzip = header::HeaderValue::from_static("gzip");
            headers.insert(header::CONTENT_ENCODING, gzip);
        }
        let answer = self.client.request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
        let body = body.collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok((status, body.to_bytes()))
    }
}

/// The bytes, compressed. Into memory, which does not fail.
fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(plain).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}

/// Most spans in one batch: OpenTelemetry's own default.
const BATCH_SPANS_MAX: usize = 512;
/// How long a span waits for others.
const BATCH_DELAY: Duration = Duration::from_secs(1);
/// Pauses before a batch is sent again.
const RETRY_PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];
/// Longest answer of a collector that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// The failures after which OTLP has a batch sent again.
const PASSING: [StatusCode; 4] = [
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];
