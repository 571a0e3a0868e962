//! The way to the backend, against a backend that does as it is told, byte by byte.

use std::sync::Arc;
use std::sync::Mutex;
use std::task::Poll;

use bytes::Bytes;
use futures_util::stream;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http_body::Frame;
use http_body_util::BodyExt as _;
use http_body_util::StreamBody;
use proto::sigv4;
use proto::time::ManualClock;
use proto::time::Timestamp;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::net::TcpStream;

use super::*;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::request::BoxError;

/// What the scripted backend does with one request.
#[derive(Clone, Copy)]
enum Act {
    /// Reads the request whole, then sends these bytes.
    Answer(&'static str),
    /// Sends these bytes once it has the head.
    AnswerEarly(&'static str),
    /// Reads the request whole, then sends these bytes and closes.
    AnswerAndClose(&'static str),
    /// Reads the head, then closes.
    Close,
    /// Reads the head, then does nothing.
    Hang,
}

/// One request as it arrived.
#[derive(Clone, Debug, Default)]
struct Seen {
    connection: usize,
    head: String,
    body: Vec<u8>,
    whole: bool,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }
}

struct Scripted {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Scripted {
    /// Serves one list of acts a connection, then refuses to accept.
    async fn start(connections: Vec<Vec<Act>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let mut running = tokio::task::JoinSet::new();
            for (number, acts) in connections.into_iter().enumerate() {
                let (socket, _) = listener.accept().await.unwrap();
                running.spawn(serve(socket, number, acts, Arc::clone(&log)));
            }
            drop(listener);
            running.join_all().await;
        });
        Self { url, seen, task }
    }

    fn backend(&self) -> Backend {
        let config = Config {
            url: self.url.clone(),
            ..Config::default()
        };
        backend(&config)
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// What was seen once all connections have ended.
    async fn all_seen(self) -> Vec<Seen> {
        self.task.await.unwrap();
        self.seen.lock().unwrap().clone()
    }
}

fn backend(config: &Config) -> Backend {
    let clock = Arc::new(ManualClock::new(NOW));
    Backend::new(config, Credentials::new("AKID", "secret"), clock).unwrap()
}

async fn serve(
    mut socket: TcpStream,
    connection: usize,
    acts: Vec<Act>,
    log: Arc<Mutex<Vec<Seen>>>,
) {
    for act in acts {
        let mut seen = Seen {
            connection,
            ..Seen::default()
        };
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = socket.read_u8().await else {
                return;
            };
            head.push(byte);
        }
        seen.head = String::from_utf8(head).unwrap();
        let length = seen
            .header("content-length")
            .map_or(0, |length| length.parse().unwrap());
        match act {
            Act::Close | Act::Hang | Act::AnswerEarly(_) => {}
            Act::Answer(_) | Act::AnswerAndClose(_) => {
                read_body(&mut socket, &mut seen, length).await
            }
        }
        let whole = seen.whole;
        log.lock().unwrap().push(seen);
        match act {
            Act::Close => return,
            Act::Hang => {
                let _ = socket.read_u8().await;
                return;
            }
            Act::Answer(_) | Act::AnswerAndClose(_) if !whole => return,
            Act::Answer(bytes) => socket.write_all(bytes.as_bytes()).await.unwrap(),
            Act::AnswerEarly(bytes) | Act::AnswerAndClose(bytes) => {
                socket.write_all(bytes.as_bytes()).await.unwrap();
                socket.shutdown().await.unwrap();
                // Reads what still comes, so that the answer is not lost in a reset.
                while socket.read_u8().await.is_ok() {}
                return;
            }
        }
    }
}

async fn read_body(socket: &mut TcpStream, seen: &mut Seen, length: usize) {
    while seen.body.len() < length {
        let Ok(byte) = socket.read_u8().await else {
            return;
        };
        seen.body.push(byte);
    }
    seen.whole = true;
}

fn stream_of(pieces: Vec<Result<&'static str, S3Error>>, length: u64) -> BackendBody {
    let frames = pieces.into_iter().map(|piece| {
        piece
            .map(|text| Frame::data(Bytes::from_static(text.as_bytes())))
            .map_err(BoxError::from)
    });
    BackendBody::stream(
        StreamBody::new(stream::iter(frames.collect::<Vec<_>>())),
        length,
    )
}

fn put(body: BackendBody) -> BackendRequest {
    BackendRequest::object(Method::PUT, "b", "k").body(body)
}

fn get() -> BackendRequest {
    BackendRequest::object(Method::GET, "b", "k")
}

const NOW: Timestamp = Timestamp::from_unix_millis(1_735_689_600_000);

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\netag: \"e\"\r\n\r\nok";

#[tokio::test]
async fn a_key_reaches_the_backend_byte_by_byte() {
    let scripted = Scripted::start(vec![vec![Act::Answer(OK)]]).await;
    let request =
        BackendRequest::object(Method::GET, "b", "/a//../%2F+ ?#é").query("versionId", "1/2");
    scripted.backend().fetch(request).await.unwrap();
    assert_eq!(
        scripted.seen()[0].target(),
        "/b//a//../%252F%2B%20%3F%23%C3%A9?versionId=1%2F2"
    );
}

#[tokio::test]
async fn what_is_sent_is_what_is_signed() {
    let scripted = Scripted::start(vec![vec![Act::Answer(OK)]]).await;
    let request = put(BackendBody::Bytes(Bytes::from_static(b"body")))
        .query("b", "2 ")
        .query("a", "")
        .header(
            HeaderName::from_static("x-amz-meta-a"),
            HeaderValue::from_static("v  v"),
        );
    scripted.backend().fetch(request).await.unwrap();

    let seen = scripted.seen().remove(0);
    let signature = seen
        .header("authorization")
        .unwrap()
        .rsplit_once('=')
        .unwrap()
        .1
        .to_owned();
    let (path, query) = seen.target().split_once('?').unwrap();
    let query = sigv4::decode_query(query).unwrap();
    let query: Vec<_> = query
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let names = ["host", "x-amz-content-sha256", "x-amz-date", "x-amz-meta-a"];
    let headers: Vec<(&str, &[u8])> = names
        .iter()
        .map(|name| (*name, seen.header(name).unwrap().as_bytes()))
        .collect();
    let canonical = sigv4::CanonicalRequest {
        method: "PUT",
        path,
        path_encoding: sigv4::PathEncoding::Once,
        query: &query,
        headers: &headers,
        signed_headers: &sigv4::SignedHeaders::from_names(names),
        payload_hash: &sigv4::sha256_hex(b"body"),
    };
    let scope = sigv4::CredentialScope::new(NOW, "us-east-1", "s3");
    let to_sign = sigv4::string_to_sign(NOW, &scope, &canonical.sha256_hex());
    assert!(sigv4::SigningKey::derive("secret", &scope).verify(&to_sign, &signature));
}

#[tokio::test]
async fn a_connection_is_used_again_once_its_answer_was_read() {
    let scripted = Scripted::start(vec![vec![
        Act::Answer(OK),
        Act::Answer(OK),
        Act::Answer(OK),
    ]])
    .await;
    let backend = scripted.backend();
    for _ in 0..3 {
        assert_eq!(backend.fetch(get()).await.unwrap().body(), "ok");
    }
    assert!(scripted.seen().iter().all(|seen| seen.connection == 0));
}

#[tokio::test]
async fn a_connection_whose_answer_was_dropped_is_not_used_again() {
    let long = "HTTP/1.1 200 OK\r\ncontent-length: 9000000\r\n\r\nfirst";
    let scripted = Scripted::start(vec![vec![Act::Answer(long)], vec![Act::Answer(OK)]]).await;
    let backend = scripted.backend();
    drop(backend.send(get()).await.unwrap());
    assert_eq!(backend.fetch(get()).await.unwrap().body(), "ok");
}

#[tokio::test]
async fn a_kept_connection_that_turns_out_closed_fails_no_request() {
    let requests = || {
        [
            get(),
            put(BackendBody::Bytes(Bytes::from_static(b"again"))),
            BackendRequest::object(Method::DELETE, "b", "k"),
        ]
    };
    let gone = "HTTP/1.1 499 \r\ncontent-length: 0\r\n\r\n";
    for end in [Act::Close, Act::Answer(gone)] {
        for request in requests() {
            let connections = vec![vec![Act::Answer(OK), end], vec![Act::Answer(OK)]];
            let scripted = Scripted::start(connections).await;
            let backend = scripted.backend();
            backend.fetch(get()).await.unwrap();
            let method = request.method.clone();
            let answer = backend.fetch(request).await.unwrap();
            assert_eq!(answer.body(), "ok", "{method}");
            let seen = scripted.seen();
            assert_eq!((seen.len(), seen[2].connection), (3, 1));
        }
    }
}

#[tokio::test]
async fn what_cannot_be_repeated_is_not_sent_again() {
    let conditional = put(BackendBody::Bytes(Bytes::from_static(b"once")))
        .header(header::IF_NONE_MATCH, HeaderValue::from_static("*"));
    let post = BackendRequest::bucket(Method::POST, "b").query("delete", "");
    for request in [conditional, post] {
        let scripted = Scripted::start(vec![
            vec![Act::Answer(OK), Act::Close],
            vec![Act::Answer(OK)],
        ])
        .await;
        let backend = scripted.backend();
        backend.fetch(get()).await.unwrap();
        let failed = backend.fetch(request).await;
        assert!(
            matches!(failed, Err(BackendError::Disconnected(_))),
            "{failed:?}"
        );
        assert_eq!(scripted.seen().len(), 2);
    }
}

#[tokio::test]
async fn a_new_connection_that_closes_without_an_answer_is_not_tried_again() {
    let scripted = Scripted::start(vec![vec![Act::Close], vec![Act::Answer(OK)]]).await;
    let failed = scripted.backend().fetch(get()).await;
    assert!(
        matches!(failed, Err(BackendError::Disconnected(_))),
        "{failed:?}"
    );
    assert_eq!(scripted.seen().len(), 1);
}

#[tokio::test]
async fn a_streamed_body_arrives_whole_with_its_exact_length() {
    let scripted = Scripted::start(vec![vec![Act::Answer(OK)]]).await;
    let body = stream_of(vec![Ok("ab"), Ok(""), Ok("cde")], 5);
    scripted.backend().fetch(put(body)).await.unwrap();
    let seen = scripted.seen().remove(0);
    assert_eq!(
        (seen.header("content-length"), seen.body.as_slice()),
        (Some("5"), &b"abcde"[..])
    );
    assert_eq!(seen.header("transfer-encoding"), None);
    assert_eq!(
        seen.header("x-amz-content-sha256"),
        Some("UNSIGNED-PAYLOAD")
    );
}

#[tokio::test]
async fn a_body_that_fails_at_any_place_is_never_whole_at_the_backend() {
    let bad = || Err(S3Error::new(S3Code::BadDigest));
    for (pieces, length) in [
        (vec![bad()], 5),
        (vec![Ok("ab"), bad()], 5),
        // Every byte was there; the digest was wrong.
        (vec![Ok("ab"), Ok("cde"), bad()], 5),
        (vec![bad()], 0),
    ] {
        let scripted = Scripted::start(vec![vec![Act::Answer(OK)]]).await;
        let backend = scripted.backend();
        let error = backend
            .fetch(put(stream_of(pieces, length)))
            .await
            .unwrap_err();
        assert_eq!(S3Error::from(error).code(), S3Code::BadDigest);
        drop(backend);
        if length > 0 {
            let seen = scripted.all_seen().await;
            assert!(seen.iter().all(|seen| !seen.whole), "{seen:?}");
        } else {
            assert!(scripted.seen().is_empty());
        }
    }
}

#[tokio::test]
async fn a_body_shorter_or_longer_than_announced_is_never_whole_at_the_backend() {
    for length in [4, 6] {
        let scripted = Scripted::start(vec![vec![Act::Answer(OK)]]).await;
        let body = stream_of(vec![Ok("ab"), Ok("cde")], length);
        let failed = scripted.backend().fetch(put(body)).await;
        assert!(matches!(failed, Err(BackendError::Body(_))), "{failed:?}");
        let seen = scripted.all_seen().await;
        assert!(seen.iter().all(|seen| !seen.whole), "{seen:?}");
    }
}

#[tokio::test]
async fn a_request_that_is_given_up_is_never_whole_at_the_backend() {
    let scripted = Scripted::start(vec![vec![Act::Answer(OK)]]).await;
    let backend = scripted.backend();
    let (begun, has_begun) = tokio::sync::oneshot::channel::<()>();
    let rest = stream::once(async move {
        begun.send(()).unwrap();
        std::future::pending().await
    });
    let first = stream::once(async { Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"ab"))) });
    let body = Box::pin(futures_util::StreamExt::chain(first, rest));
    let request = put(BackendBody::stream(StreamBody::new(body), 5));
    tokio::select! {
        answer = backend.fetch(request) => panic!("{answer:?}"),
        begun = has_begun => begun.unwrap(),
    }
    let seen = scripted.all_seen().await;
    assert!(seen.iter().all(|seen| !seen.whole), "{seen:?}");
}

#[tokio::test]
async fn success_before_the_whole_body_was_sent_is_not_believed() {
    let scripted = Scripted::start(vec![vec![Act::AnswerEarly(OK)]]).await;
    let body = StreamBody::new(stream::poll_fn(|_| {
        Poll::<Option<Result<Frame<Bytes>, BoxError>>>::Pending
    }));
    let failed = scripted
        .backend()
        .send(put(BackendBody::stream(body, 5)))
        .await;
    assert!(
        matches!(failed, Err(BackendError::Protocol(_))),
        "{failed:?}"
    );
}

#[tokio::test]
async fn a_refusal_before_the_whole_body_was_sent_is_passed_on() {
    let refusal = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
    let scripted = Scripted::start(vec![vec![Act::AnswerEarly(refusal)]]).await;
    let body = StreamBody::new(stream::poll_fn(|_| {
        Poll::<Option<Result<Frame<Bytes>, BoxError>>>::Pending
    }));
    let failed = scripted
        .backend()
        .call(put(BackendBody::stream(body, 5)))
        .await
        .unwrap_err();
    assert!(failed.is_refused_with(S3Code::AccessDenied), "{failed:?}");
}

#[tokio::test]
async fn an_answer_of_doubtful_framing_is_not_used() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\nok",
        "HTTP/1.1 200 OK\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nbad header\r\ncontent-length: 2\r\n\r\nok",
        "nonsense\r\n\r\n",
    ] {
        let scripted = Scripted::start(vec![vec![Act::AnswerAndClose(answer)]]).await;
        let failed = scripted.backend().fetch(get()).await;
        assert!(
            matches!(failed, Err(BackendError::Protocol(_))),
            "{answer}: {failed:?}"
        );
        let error = S3Error::from(failed.unwrap_err());
        assert_eq!(error.code(), S3Code::ServiceUnavailable);
    }
}

#[tokio::test]
async fn an_answer_cut_short_ends_in_an_error() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
    ] {
        let scripted = Scripted::start(vec![vec![Act::AnswerAndClose(answer)]]).await;
        let body = scripted.backend().send(get()).await.unwrap().into_body();
        assert!(body.collect(99).await.is_err(), "{answer}");
    }
}

#[tokio::test]
async fn bytes_behind_an_answer_reach_no_other_request() {
    let two = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
    let scripted = Scripted::start(vec![
        vec![Act::Answer(two), Act::Close],
        vec![Act::Answer(OK)],
    ])
    .await;
    let backend = scripted.backend();
    for _ in 0..2 {
        assert_eq!(backend.fetch(get()).await.unwrap().body(), "ok");
    }
}

#[tokio::test]
async fn an_error_of_the_backend_keeps_code_and_status_and_loses_its_names() {
    let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 169\r\nx-amz-request-id: BACKEND\r\n\r\n\
        <?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>gone from backend-host</Message>\
        <Key>k</Key><HostId>backend-host</HostId><Resource>/b/k</Resource></Error>       ";
    let scripted = Scripted::start(vec![vec![Act::Answer(answer)]]).await;
    let error = S3Error::from(scripted.backend().call(get()).await.unwrap_err());
    assert_eq!(
        (error.code(), error.status()),
        (S3Code::NoSuchKey, StatusCode::NOT_FOUND)
    );
    assert_eq!(error.details(), [("Key", "k".to_owned())]);
    assert!(!error.to_xml("R", "H").contains("backend-host"));
}

#[tokio::test]
async fn an_error_without_a_document_is_told_by_its_status() {
    for (status, code) in [
        (400, S3Code::BadRequest),
        (403, S3Code::AccessDenied),
        (412, S3Code::PreconditionFailed),
        (416, S3Code::InvalidRange),
        (500, S3Code::InternalError),
        (503, S3Code::SlowDown),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let error = failure::read_error(&Method::HEAD, status, b"", Wording::Theirs);
        assert_eq!((error.code(), error.status()), (code, status));
    }
}

#[tokio::test]
async fn the_gateways_own_trouble_with_the_backend_is_not_told_as_the_clients() {
    let redirect =
        "HTTP/1.1 301 Moved Permanently\r\nlocation: http://evil/\r\ncontent-length: 0\r\n\r\n";
    let signature = "HTTP/1.1 403 Forbidden\r\ncontent-length: 54\r\n\r\n\
        <Error><Code>SignatureDoesNotMatch</Code></Error>     ";
    for answer in [redirect, signature] {
        let scripted = Scripted::start(vec![vec![Act::Answer(answer)]]).await;
        let error = S3Error::from(scripted.backend().call(get()).await.unwrap_err());
        assert_eq!(error.code(), S3Code::ServiceUnavailable);
    }
}

#[tokio::test]
async fn a_backend_that_is_not_there_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let failed = backend(&Config {
        url,
        ..Config::default()
    })
    .fetch(get())
    .await;
    assert!(
        matches!(failed, Err(BackendError::Unreachable(_))),
        "{failed:?}"
    );
    assert_eq!(
        S3Error::from(failed.unwrap_err()).code(),
        S3Code::ServiceUnavailable
    );
}

#[tokio::test]
async fn a_backend_that_does_nothing_is_given_up() {
    let stalled = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok";
    let scripted =
        Scripted::start(vec![vec![Act::Hang], vec![Act::Answer(stalled), Act::Hang]]).await;
    let config = Config {
        url: scripted.url.clone(),
        stall_timeout_ms: 50,
        ..Config::default()
    };
    let backend = backend(&config);
    let failed = backend.send(get()).await;
    assert!(matches!(failed, Err(BackendError::TimedOut)), "{failed:?}");
    let mut body = backend.send(get()).await.unwrap().into_body();
    assert!(body.frame().await.unwrap().is_ok());
    assert!(body.frame().await.unwrap().is_err());
}

#[test]
fn a_copy_and_the_completion_of_an_upload_are_waited_for_longer() {
    let copy = put(BackendBody::Empty).header(
        HeaderName::from_static("x-amz-copy-source"),
        HeaderValue::from_static("b/k"),
    );
    let upload = |method| BackendRequest::object(method, "b", "k").query("uploadId", "u");
    for (request, is_longer) in [
        (copy, true),
        (upload(Method::POST), true),
        (upload(Method::PUT), false),
        (upload(Method::GET), false),
        (
            BackendRequest::object(Method::POST, "b", "k").query("uploads", ""),
            false,
        ),
        (get(), false),
    ] {
        let longer = works_by_itself(&request.method, &request.query, &request.headers);
        assert_eq!(longer, is_longer, "{} {:?}", request.method, request.query);
    }
}
