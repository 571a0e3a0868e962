//! What a lab meets: throttling before a body, failures on purpose, clients of the wrong protocol, and logs
//! that name what went wrong.

use http::Method;
use proto::time::Clock as _;
use proto::time::SystemClock;
use serde_json::json;
use tests::backend::Backend;
use tests::clients::Access;
use tests::connections::answers_at_once;
use tests::signed::Draft;
use tests::signed::Target;
use tests::world::World;

use crate::Up;
use crate::before;
use crate::get;
use crate::put_and_get;

/// A world whose KMS fails the first GenerateDataKey with this error, and no later one.
async fn failing_once(error: &'static str) -> World {
    let setup = World::setup().kms(move |config| {
        let fault = json!({"operation": "GenerateDataKey", "times": 1, "error": error});
        config.faults = serde_json::from_value(json!({"faults": [fault]})).unwrap();
    });
    let setup = setup.gateway(|config| config.objects.allow_insecure_sse = true);
    let world = setup.start().await;
    world.create_bucket("demo").await;
    world
}

/// A PUT that the KMS must make a key for.
fn put() -> Draft {
    let put = Draft::new(Method::PUT, "demo", "k").body(vec![b'x'; 100_000]);
    put.header("x-amz-server-side-encryption", "aws:kms")
}

#[tokio::test]
async fn a_put_that_is_throttled_before_its_body_is_answered_and_its_connection_closed() {
    let world = failing_once("ThrottlingException").await;
    let request = world
        .sign(put().header("expect", "100-continue"))
        .to_bytes();
    let end = request
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    // The client waits: it sends no byte of the body.
    let answer = world.target().exchange(&request[..end + 4], false).await;
    let answer = String::from_utf8(answer.unwrap()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("<Code>SlowDown</Code>"), "{answer}");
    assert!(
        answer.to_lowercase().contains("connection: close"),
        "{answer}"
    );
    assert!(!answer.contains("100 Continue"), "{answer}");
    // Not where the body was wanted.
    let answer = world.send(put().header("expect", "100-continue")).await;
    assert_eq!(answer.status(), 200);
    assert!(!answer.headers().contains_key("connection"));
}

#[tokio::test]
async fn a_failure_on_purpose_is_answered_at_once_and_not_tried_again() {
    let world = failing_once("KMSInternalException").await;
    // The second call would succeed.
    assert_eq!(world.send(put()).await.status(), 503);
    assert_eq!(world.send(put()).await.status(), 200);
}

#[tokio::test]
async fn plain_http_on_the_port_of_https_is_answered_that_it_is() {
    let world = World::start().await;
    let target = Target {
        tls: None,
        ..world.tls_target()
    };
    let request = world.sign(Draft::new(Method::GET, "demo", "")).to_bytes();
    let answer = target.exchange(&request, true).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("use https://"), "{answer}");
}

#[tokio::test]
async fn the_log_names_the_request_and_the_object_that_does_not_open() {
    let backend = Backend::start().await;
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &before(&backend, folder.path()));
    let s3 = up.s3();
    s3.create_bucket().bucket("demo").send().await.unwrap();
    put_and_get(&s3, "demo", "object").await;
    backend.tamper("demo", "object", |object| {
        let mut body = object.body.to_vec();
        *body.last_mut().unwrap() ^= 1;
        object.body = body.into();
    });
    let _ = get(&s3, "demo", "object").await;
    up.end();
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    let mut lines = log.lines();
    let line = lines.find(|line| line.contains("not as it was written"));
    let line = line.unwrap();
    for name in ["request_id=", "bucket=\"demo\"", "key=\"object\""] {
        assert!(line.contains(name), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_at_once_are_all_answered_from_the_embedded_backend() {
    sealgate::process::raise_file_limit();
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--ephemeral"]);
    let s3 = up.s3();
    s3.create_bucket().bucket("demo").send().await.unwrap();
    let put = s3.put_object().bucket("demo").key("k");
    put.body(b"precious".to_vec().into()).send().await.unwrap();
    let host = up.text("s3_endpoint").trim_start_matches("http://");
    let access = Access::new(up.text("access_key_id"), up.text("secret_access_key"));
    let get = Draft::new(Method::GET, "demo", "k").sign(&access, SystemClock.now(), host);
    let target = Target {
        address: host.parse().unwrap(),
        tls: None,
    };
    let answers = answers_at_once(&target, &get.to_bytes(), 1_000).await;
    assert!(answers.iter().all(|answer| answer.ends_with("precious")));
}
