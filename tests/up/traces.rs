//! Traces: which spans a collector receives, what the backend sees of them, and that neither a caller's trace context
//! nor a collector can do harm.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Response;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use proto::time::Clock as _;
use proto::time::SystemClock;
use tests::backend::Backend;
use tests::backend::Recorded;
use tests::clients::Access;
use tests::signed::Draft;
use tests::signed::Signed;
use tests::signed::Target;
use tokio::net::TcpListener;

use crate::Up;
use crate::before;
use crate::traces::collector::Collector;
use crate::traces::collector::text;

mod collector;
mod refusals;

/// The variable that switches traces on.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// A caller's trace, and its span.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// The caller's trace context.
fn traceparent() -> String {
    format!("00-{TRACE}-{PARENT}-01")
}

/// `up` before a recording backend, with a bucket that it knows.
struct Traced {
    up: Up,
    backend: Backend,
    folder: tempfile::TempDir,
}

impl Traced {
    async fn start(variables: &[(&str, &str)]) -> Self {
        Self::start_with("", variables).await
    }

    /// The same with this configuration.
    async fn start_with(config: &str, variables: &[(&str, &str)]) -> Self {
        let backend = Backend::start().await;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("up.toml"), config).unwrap();
        let mut arguments = before(&backend, folder.path());
        arguments.extend(["--allow-insecure-sse", "--config", "up.toml"].map(str::to_owned));
        let up = Up::start_with(folder.path(), &arguments, variables);
        let traced = Self {
            up,
            backend,
            folder,
        };
        let create = Draft::new(Method::PUT, "demo", "");
        assert_eq!(traced.send(traced.sign(create)).await.status(), 200);
        traced
    }

    fn host(&self) -> &str {
        self.up.text("s3_endpoint").trim_start_matches("http://")
    }

    fn access(&self) -> Access {
        let secret = self.up.text("secret_access_key");
        Access::new(self.up.text("access_key_id"), secret)
    }

    fn sign(&self, draft: Draft) -> Signed {
        draft.sign(&self.access(), SystemClock.now(), self.host())
    }

    async fn send(&self, request: Signed) -> Response<Bytes> {
        let target = Target {
            address: self.host().parse().unwrap(),
            tls: None,
        };
        request.send(&target).await.unwrap()
    }

    /// Puts an object under a KMS key; `headers` are not signed.
    async fn put(&self, headers: &[(&'static str, &str)]) -> Response<Bytes> {
        let put = Draft::new(Method::PUT, "demo", "key-canary").body("body-canary");
        let put = put.header("x-amz-server-side-encryption", "aws:kms");
        let put = put.header("x-amz-meta-a", "metadata-canary");
        self.send(with(self.sign(put), headers)).await
    }

    /// The requests for the object that the backend received.
    fn sent(&self, method: &Method) -> Vec<Recorded> {
        self.backend.requests_on(method, "demo", "key-canary")
    }

    /// Ends it, and returns its log.
    fn end(self) -> String {
        self.up.end();
        log(self.folder.path())
    }
}

/// The request with headers that its signature does not cover.
fn with(mut request: Signed, headers: &[(&'static str, &str)]) -> Signed {
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request.headers.append(HeaderName::from_static(name), value);
    }
    request
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap()
}

/// The one span of that name.
fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let mut named = spans.iter().filter(|span| span.name == name);
    let span = named.next().expect(name);
    assert!(named.next().is_none(), "two spans {name}");
    span
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_under_a_kms_key_is_one_trace_from_its_caller_to_the_kms_and_the_backend() {
    let collector = Collector::start().await;
    let traced = Traced::start(&[
        (ENDPOINT, &collector.endpoint()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-token=of%20the%20collector"),
        ("OTEL_SERVICE_NAME", "storage"),
        ("SEALGATE_LOG", "json"),
    ])
    .await;
    // What the gateway reads once about a bucket is read already.
    assert_eq!(traced.put(&[]).await.status(), 200);
    let traceparent = traceparent();
    let answer = traced.put(&[("traceparent", &traceparent)]).await;
    assert_eq!(answer.status(), 200);
    let request_id = answer.headers()["x-amz-request-id"].to_str().unwrap();
    let log = traced.end();

    assert_eq!(
        collector.tree(TRACE),
        "server S3 PutObject\n\
         \x20 client KMS GenerateDataKey\n\
         \x20   server KMS GenerateDataKey\n\
         \x20 client backend PUT\n"
    );
    let spans = collector.spans_of(TRACE);
    let root = named(&spans, "S3 PutObject");
    assert_eq!(hex::encode(&root.parent_span_id), PARENT);
    for (key, value) in [
        ("http.request.method", "PUT"),
        ("http.response.status_code", "200"),
        ("url.scheme", "http"),
        ("client.address", "127.0.0.1"),
        ("aws.s3.bucket", "demo"),
        ("aws.request_id", request_id),
    ] {
        assert_eq!(text(&root.attributes, key), value, "{key}");
    }
    let kms: Vec<_> = spans
        .iter()
        .filter(|it| it.name.starts_with("KMS"))
        .collect();
    for span in kms {
        assert_eq!(text(&span.attributes, "rpc.system.name"), "grpc");
        let method = "sealgate.kms.v1.KeyManagement/GenerateDataKey";
        assert_eq!(text(&span.attributes, "rpc.method"), method);
    }
    let backend = named(&spans, "backend PUT");
    assert_eq!(
        text(&backend.attributes, "http.response.status_code"),
        "200"
    );
    assert_eq!(text(&backend.attributes, "server.address"), "127.0.0.1");

    assert!(!format!("{:?}", collector.spans()).contains("canary"));
    let unset = StatusCode::Unset;
    assert!(
        spans
            .iter()
            .all(|span| span.status.as_ref().unwrap().code() == unset)
    );
    assert_eq!(collector.resource("service.name"), "storage");
    for (path, headers) in collector.heads() {
        assert_eq!(path, "/v1/traces");
        assert_eq!(headers["x-token"], "of the collector");
    }
    let lines = log.lines().filter(|line| line.contains(TRACE));
    let lines: Vec<serde_json::Value> = lines.map(|it| serde_json::from_str(it).unwrap()).collect();
    let access = lines
        .iter()
        .find(|line| line["target"] == "gateway::access");
    let fields = &access.expect("the line of the request")["fields"];
    assert_eq!(fields["trace_id"], TRACE);
    assert_eq!(fields["span_id"], hex::encode(&root.span_id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_get_has_its_calls_below_it_and_its_status_is_as_it_ended() {
    let collector = Collector::start().await;
    let traced = Traced::start(&[(ENDPOINT, &collector.endpoint())]).await;
    assert_eq!(traced.put(&[]).await.status(), 200);
    let traceparent = traceparent();
    for (key, status) in [("key-canary", 200), ("absent", 404)] {
        let get = traced.sign(Draft::new(Method::GET, "demo", key));
        let get = traced.send(with(get, &[("traceparent", &traceparent)]));
        assert_eq!(get.await.status(), status);
    }
    traced.end();
    let spans = collector.spans_of(TRACE);
    let (server, client): (Vec<&Span>, Vec<&Span>) =
        spans.iter().partition(|span| span.name == "S3 GetObject");
    let [found, absent] = server[..] else {
        panic!("{}", collector.tree(TRACE));
    };
    assert_eq!(text(&found.attributes, "http.response.body.size"), "11");
    assert_eq!(text(&absent.attributes, "sealgate.error_code"), "NoSuchKey");
    // A client's mistake is an error of the client's span alone.
    let code = |span: &Span| span.status.as_ref().unwrap().code();
    assert_eq!(code(absent), StatusCode::Unset);
    let below = |parent: &Span| {
        let children = client
            .iter()
            .filter(|it| it.parent_span_id == parent.span_id);
        children
            .map(|span| (span.name.as_str(), code(span)))
            .collect::<Vec<_>>()
    };
    assert!(below(found).contains(&("backend GET", StatusCode::Unset)));
    assert!(below(found).contains(&("KMS Decrypt", StatusCode::Unset)));
    assert!(below(absent).contains(&("backend GET", StatusCode::Error)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_backend_receives_the_trace_in_headers_that_are_not_signed_and_nothing_else_of_it() {
    let collector = Collector::start().await;
    let traced = Traced::start(&[(ENDPOINT, &collector.endpoint())]).await;
    let traceparent = traceparent();
    let headers = [
        ("traceparent", traceparent.as_str()),
        ("tracestate", "vendor=opaque"),
        ("baggage", "user=canary"),
        ("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1"),
        ("x-b3-traceid", "80f198ee56343ba864fe8b2a57d3eff7"),
        ("uber-trace-id", "1:1:0:1"),
        (
            "x-cloud-trace-context",
            "105445aa7843bc8bf206b12000100000/1",
        ),
        ("x-datadog-trace-id", "1"),
    ];
    assert_eq!(traced.put(&headers).await.status(), 200);
    let [sent] = &traced.sent(&Method::PUT)[..] else {
        panic!("not one request");
    };
    let sent = sent.clone();
    traced.end();
    let spans = collector.spans_of(TRACE);
    let span = hex::encode(&named(&spans, "backend PUT").span_id);
    assert_eq!(sent.header("traceparent"), format!("00-{TRACE}-{span}-01"));
    assert_eq!(sent.header("tracestate"), "vendor=opaque");
    for (name, _) in &headers[2..] {
        assert_eq!(sent.header(name), "", "{name}");
    }
    let authorization = sent.header("authorization");
    assert!(authorization.contains("SignedHeaders="), "{authorization}");
    assert!(!authorization.contains("trace"), "{authorization}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_trace_context_begins_a_trace_and_refuses_nothing() {
    let collector = Collector::start().await;
    let traced = Traced::start(&[(ENDPOINT, &collector.endpoint())]).await;
    let (long, valid) = ("4".repeat(4_000), traceparent());
    let hostile = [
        "",
        "00",
        "garbage",
        &valid.to_uppercase(),
        &valid.replacen("00", "ff", 1),
        &valid.replace("-01", "-01-more"),
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "\u{e9}\u{1f600}",
        "<script>alert(1)</script>",
        &long,
    ];
    for value in hostile {
        let answer = traced
            .put(&[("traceparent", value), ("tracestate", value)])
            .await;
        assert_eq!(answer.status(), 200, "{value}");
    }
    let twice = [("traceparent", valid.as_str()), ("traceparent", &valid)];
    assert_eq!(traced.put(&twice).await.status(), 200);
    let sent = traced.sent(&Method::PUT);
    traced.end();
    assert!(collector.spans_of(TRACE).is_empty());
    let spans = collector.spans();
    let puts = spans.iter().filter(|span| span.name == "S3 PutObject");
    let roots = puts.filter(|span| span.parent_span_id.is_empty()).count();
    assert_eq!(roots, hostile.len() + 1);
    for request in sent {
        let header = request.header("traceparent");
        assert!(
            header.len() == valid.len() && !header.contains(TRACE),
            "{header}"
        );
        assert_eq!(request.header("tracestate"), "");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_context_is_taken_whether_it_is_signed_or_not_and_from_presigned_requests_too() {
    let collector = Collector::start().await;
    let traced = Traced::start(&[(ENDPOINT, &collector.endpoint())]).await;
    let (parent, now) = (traceparent(), SystemClock.now());
    let put = || Draft::new(Method::PUT, "demo", "k").body("body");
    let presigned = put().presign(
        &traced.access(),
        now,
        traced.host(),
        Duration::from_secs(60),
    );
    let unsigned = [("traceparent", parent.as_str())];
    for request in [
        traced.sign(put().header("traceparent", &parent)),
        with(traced.sign(put()), &unsigned),
        with(presigned, &unsigned),
    ] {
        assert_eq!(traced.send(request).await.status(), 200);
    }
    // Of one that nobody signed, too: it decides nothing.
    let anonymous = with(put().anonymous(traced.host()), &unsigned);
    assert_eq!(traced.send(anonymous).await.status(), 403);
    traced.end();
    let spans = collector.spans_of(TRACE);
    let statuses = spans.iter().filter(|span| span.name == "S3 PutObject");
    let statuses = statuses.map(|span| text(&span.attributes, "http.response.status_code"));
    assert_eq!(statuses.collect::<Vec<_>>(), ["200", "200", "200", "403"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_the_kms_throttles_has_an_attribute_and_an_event() {
    let collector = Collector::start().await;
    let fault = "[[kms.faults.faults]]\n\
                 operation = \"GenerateDataKey\"\n\
                 times = 1\n\
                 error = \"ThrottlingException\"\n";
    let traced = Traced::start_with(fault, &[(ENDPOINT, &collector.endpoint())]).await;
    let traceparent = traceparent();
    let answer = traced.put(&[("traceparent", &traceparent)]).await;
    assert_eq!(answer.status(), 503);
    traced.end();
    let spans = collector.spans_of(TRACE);
    let calls: Vec<_> = spans
        .iter()
        .filter(|it| it.name == "KMS GenerateDataKey")
        .collect();
    assert_eq!(calls.len(), 2, "{}", collector.tree(TRACE));
    for call in &calls {
        assert_eq!(text(&call.attributes, "sealgate.throttled"), "true");
        assert_eq!(call.events.len(), 1);
        assert_eq!(call.events[0].name, "throttled");
    }
    assert_eq!(
        text(&calls[0].attributes, "error.type"),
        "ThrottlingException"
    );
    let root = named(&spans, "S3 PutObject");
    assert_eq!(text(&root.attributes, "error.type"), "SlowDown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_that_the_sampler_leaves_out_is_passed_on_and_not_sent() {
    let collector = Collector::start().await;
    let traced = Traced::start(&[
        (ENDPOINT, &collector.endpoint()),
        ("OTEL_TRACES_SAMPLER", "always_off"),
    ])
    .await;
    let traceparent = traceparent();
    assert_eq!(
        traced.put(&[("traceparent", &traceparent)]).await.status(),
        200
    );
    let sent = traced.sent(&Method::PUT);
    traced.end();
    assert!(collector.heads().is_empty());
    let header = sent[0].header("traceparent");
    assert!(header.starts_with(&format!("00-{TRACE}-")), "{header}");
    assert!(header.ends_with("-00"), "{header}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_collector_the_backend_receives_nothing_of_a_trace() {
    let collector = Collector::start().await;
    let off = [
        (ENDPOINT, collector.endpoint()),
        ("OTEL_SDK_DISABLED", "true".to_owned()),
    ];
    let off = off.each_ref().map(|(name, value)| (*name, value.as_str()));
    for variables in [&[][..], &off] {
        let traced = Traced::start(variables).await;
        let traceparent = traceparent();
        assert_eq!(
            traced.put(&[("traceparent", &traceparent)]).await.status(),
            200
        );
        for request in traced.backend.requests() {
            assert_eq!(request.header("traceparent"), "");
        }
        assert!(!traced.end().contains("trace_id"));
    }
    assert!(collector.heads().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_never_answers_holds_up_neither_requests_nor_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let silent = tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            held.push(listener.accept().await.unwrap());
        }
    });
    // What waited for it would wait for an hour.
    let hour = ("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000");
    let traced = Traced::start(&[(ENDPOINT, &endpoint), hour]).await;
    for _ in 0..20 {
        assert_eq!(traced.put(&[]).await.status(), 200);
    }
    let log = traced.end();
    assert_eq!(
        log.matches("the last spans were not sent").count(),
        1,
        "{log}"
    );
    silent.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_without_a_collector_to_take_them_are_counted_and_logged_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let traced = Traced::start(&[(ENDPOINT, &endpoint)]).await;
    for _ in 0..20 {
        assert_eq!(traced.put(&[]).await.status(), 200);
    }
    let log = traced.end();
    assert_eq!(log.matches("spans are dropped").count(), 1, "{log}");
    let total = log.lines().find(|line| line.contains("dropped in all"));
    // At least four of each PUT.
    let dropped = total
        .and_then(|line| line.rsplit_once("dropped="))
        .unwrap()
        .1;
    assert!(dropped.trim().parse::<u32>().unwrap() >= 80, "{log}");
}
