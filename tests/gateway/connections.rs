//! Connections: a request that is answered before its body was read ends its connection, and every client
//! receives its answer, whatever it sends meanwhile and however many come at once.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::Request;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tests::connections::answers_at_once;
use tests::connections::read_answer;
use tests::signed::Draft;
use tests::signed::Target;
use tests::world::World;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

/// Longer than any answer here takes.
const SOON: Duration = Duration::from_secs(30);

/// What each body consists of: a request, if it were taken for one.
const HIDDEN: &str = "DELETE /demo/victim HTTP/1.1\r\nhost: a\r\n\r\n";

/// A world with an object that nothing here may change.
async fn world() -> World {
    sealgate::process::raise_file_limit();
    let world = World::start().await;
    world.create_bucket("demo").await;
    let put = Draft::new(Method::PUT, "demo", "victim").body("precious");
    assert_eq!(world.send(put).await.status(), 200);
    world
}

/// Whether the object is as it was written, and the backend received no request to delete it.
async fn expect_victim(world: &World) {
    let get = world.send(Draft::new(Method::GET, "demo", "victim")).await;
    assert_eq!(get.body(), "precious");
    let requests = world.backend.requests();
    assert!(requests.iter().all(|each| each.method != Method::DELETE));
}

/// When the client sends its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sends {
    WithTheHead,
    AfterTheAnswer,
    Never,
}

/// A refused PUT on a connection.
#[derive(Clone, Copy, Debug)]
struct Refused {
    expects_continue: bool,
    is_chunked: bool,
    bytes: usize,
    sends: Sends,
}

impl Refused {
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for bits in 0..8 {
            for sends in [Sends::WithTheHead, Sends::AfterTheAnswer, Sends::Never] {
                all.push(Self {
                    expects_continue: bits & 1 > 0,
                    is_chunked: bits & 2 > 0,
                    bytes: if bits & 4 > 0 { 300_000 } else { HIDDEN.len() },
                    sends,
                });
            }
        }
        all
    }

    /// Head and body; nobody signed it.
    fn wire(&self, host: &str) -> (String, String) {
        let body = HIDDEN.repeat(self.bytes.div_ceil(HIDDEN.len()));
        let mut head = format!("PUT /demo/victim HTTP/1.1\r\nhost: {host}\r\n");
        if self.expects_continue {
            head += "expect: 100-continue\r\n";
        }
        if self.is_chunked {
            head += "transfer-encoding: chunked\r\n\r\n";
            return (head, format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()));
        }
        head += &format!("content-length: {}\r\n\r\n", body.len());
        (head, body)
    }
}

#[tokio::test]
async fn no_byte_of_a_body_that_was_not_read_is_taken_for_a_request() {
    let world = world().await;
    for target in [world.target(), world.tls_target()] {
        let host = target.address.to_string();
        let next = Draft::new(Method::GET, "demo", "victim");
        let next = next.sign(&world.main, world.now(), &host).to_bytes();
        for refused in Refused::all() {
            let (head, body) = refused.wire(&host);
            let mut stream = target.connect().await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            if refused.sends == Sends::WithTheHead {
                stream.write_all(body.as_bytes()).await.unwrap();
            }
            let answer = read_answer(&mut stream).await;
            assert!(answer.starts_with("HTTP/1.1 403 "), "{refused:?} {answer}");
            let closes = answer.contains("\r\nconnection: close\r\n");
            if refused.sends == Sends::AfterTheAnswer {
                stream.write_all(body.as_bytes()).await.unwrap();
            }
            stream.write_all(&next).await.unwrap();
            if !closes {
                // Only what was read to its end leaves the connection open.
                assert_eq!(refused.sends, Sends::WithTheHead, "{refused:?}");
                assert!(!refused.expects_continue, "{refused:?}");
                let second = read_answer(&mut stream).await;
                assert!(second.ends_with("precious"), "{refused:?} {second}");
                continue;
            }
            let mut rest = String::new();
            let end = timeout(SOON, stream.read_to_string(&mut rest)).await;
            assert!(end.unwrap().is_ok(), "{refused:?} was reset");
            assert_eq!(rest, "", "{refused:?}");
        }
    }
    expect_victim(&world).await;
}

#[tokio::test]
async fn a_short_body_that_comes_with_its_refused_head_leaves_the_connection_open() {
    let world = world().await;
    let mut stream = world.target().connect().await.unwrap();
    let refused = Refused {
        expects_continue: false,
        is_chunked: false,
        bytes: 1_000,
        sends: Sends::WithTheHead,
    };
    let (head, body) = refused.wire(&world.host());
    for _ in 0..100 {
        let request = [head.as_str(), body.as_str()].concat();
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert!(!answer.contains("connection: close"), "{answer}");
    }
}

/// Refuses many writes on kept connections, and looks at the request after each.
async fn refuse_many(world: &World, refused: Request<Full<Bytes>>, next: Request<Full<Bytes>>) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let wanted = client.request(next.clone()).await.unwrap();
    let wanted_status = wanted.status();
    let wanted = wanted.into_body().collect().await.unwrap().to_bytes();
    let workers = (0..8).map(|worker| {
        let (client, next, wanted) = (client.clone(), next.clone(), wanted.clone());
        let (head, _) = refused.clone().into_parts();
        tokio::spawn(async move {
            for round in 0..250 {
                let bytes = [1, 1_000, 70_000, 400_000][(worker + round) % 4];
                let body = HIDDEN.repeat(bytes / HIDDEN.len() + 1);
                let body = Full::new(Bytes::from(body));
                let answer = client
                    .request(Request::from_parts(head.clone(), body))
                    .await;
                let answer = answer.expect("every answer arrives");
                assert!(answer.status().is_client_error());
                answer.into_body().collect().await.unwrap();
                let answer = client.request(next.clone()).await.unwrap();
                assert_eq!(answer.status(), wanted_status);
                let body = answer.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(body.len(), wanted.len());
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    expect_victim(world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_request_after_one_of_2_000_refused_writes_is_itself() {
    let world = world().await;
    let url = |key: &str| format!("{}/demo/{key}", world.s3_endpoint());
    let refused = Request::put(url("victim")).body(Full::default()).unwrap();
    let next = world.sign(Draft::new(Method::GET, "demo", "victim"));
    let mut request = Request::get(url("victim")).body(Full::default()).unwrap();
    *request.headers_mut() = next.headers.clone();
    refuse_many(&world, refused, request).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_request_after_one_of_2_000_that_the_kms_refused_is_itself() {
    let world = world().await;
    let unsigned = |target: &str| {
        let request = Request::post(format!("{}/", world.kms.endpoint));
        let request = request.header("content-type", "application/x-amz-json-1.1");
        let request = request.header("x-amz-target", format!("TrentService.{target}"));
        request.body(Full::default()).unwrap()
    };
    refuse_many(&world, unsigned("ListKeys"), unsigned("NoOperation")).await;
}

#[tokio::test]
async fn an_answer_arrives_while_60_mib_are_on_their_way() {
    let world = world().await;
    let kms = Target {
        address: world.kms.address,
        tls: None,
    };
    for target in [world.target(), world.tls_target(), kms] {
        let host = target.address.to_string();
        let length = 60 << 20;
        let head =
            format!("PUT /demo/k HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n\r\n");
        let mut stream = target.connect().await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..60 {
            timeout(SOON, stream.write_all(&piece))
                .await
                .unwrap()
                .unwrap();
        }
        let answer = read_answer(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_at_once_are_all_answered() {
    let world = world().await;
    let get = world.sign(Draft::new(Method::GET, "demo", "victim"));
    let answers = answers_at_once(&world.target(), &get.to_bytes(), 1_000).await;
    assert!(answers.iter().all(|answer| answer.ends_with("precious")));

    let kms = Target {
        address: world.kms.address,
        tls: None,
    };
    let request = format!(
        "POST / HTTP/1.1\r\nhost: {}\r\ncontent-length: 0\r\n\r\n",
        kms.address
    );
    let answers = answers_at_once(&kms, request.as_bytes(), 1_000).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.starts_with("HTTP/1.1 404 "))
    );
}

#[tokio::test]
async fn an_object_may_have_as_many_metadata_headers_as_their_bytes_allow() {
    let world = world().await;
    let mut put = Draft::new(Method::PUT, "demo", "k").body("x");
    for number in 0..400 {
        put = put.header(&format!("x-amz-meta-{number:03}"), "v");
    }
    let put = world.send(put).await;
    assert_eq!(put.status(), 200, "{:?}", put.body());
    let head = Draft::new(Method::HEAD, "demo", "k");
    let head = world.send(head).await;
    let names = head.headers().keys();
    let metadata = names.filter(|name| name.as_str().starts_with("x-amz-meta-"));
    assert_eq!(metadata.count(), 400);
}

#[tokio::test]
async fn the_answer_to_a_head_that_is_too_long_arrives() {
    let world = world().await;
    let mut stream = world.target().connect().await.unwrap();
    let lines: String = (0..40_000)
        .map(|n| format!("x-amz-meta-{n}: v\r\n"))
        .collect();
    let head = format!("PUT /demo/k HTTP/1.1\r\nhost: a\r\n{lines}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = read_answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}
