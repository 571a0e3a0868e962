//! What resets and lives without memory leave: a Sealgate that works.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use aws_sdk_s3::Client;
use http::Method;
use http::Request;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use tests::backend::Backend;

use crate::Up;
use crate::before;
use crate::get;
use crate::put_and_get;

/// Resets everything by the KMS's admin port; what became of the backend.
pub(crate) async fn reset(up: &Up) -> String {
    let client: legacy::Client<_, Full<bytes::Bytes>> =
        legacy::Client::builder(TokioExecutor::new()).build_http();
    let token = up.text("kms_admin_token");
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{}/admin/reset", up.text("kms_admin_endpoint")))
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"))
        .body("{}".into());
    let answer = client.request(request.unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let document = answer.into_body().collect().await.unwrap().to_bytes();
    let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
    document["backend"].as_str().unwrap().to_owned()
}

async fn buckets(s3: &Client) -> usize {
    s3.list_buckets().send().await.unwrap().buckets().len()
}

#[tokio::test]
async fn after_a_reset_everything_is_gone_and_works_before_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--data", "data"]);
    let s3 = up.s3();
    s3.create_bucket().bucket("demo").send().await.unwrap();
    put_and_get(&s3, "demo", "before").await;
    let large = s3.put_object().bucket("demo").key("large");
    let body = vec![7; 2 << 20].into();
    large.body(body).send().await.unwrap();
    assert!(reset(&up).await.starts_with("emptied"));
    assert_eq!(buckets(&s3).await, 0);
    assert!(
        up.s3_as_alt()
            .create_bucket()
            .bucket("demo")
            .send()
            .await
            .is_ok()
    );
    s3.create_bucket().bucket("mine").send().await.unwrap();
    put_and_get(&s3, "mine", "after").await;
    up.end();

    let up = Up::start(folder.path(), &["--data", "data"]);
    let s3 = up.s3();
    assert_eq!(buckets(&s3).await, 1);
    put_and_get(&s3, "mine", "after the restart").await;
    assert_eq!(get(&s3, "mine", "after").await.unwrap(), b"a secret");
    s3.create_bucket().bucket("another").send().await.unwrap();
    put_and_get(&s3, "another", "object").await;
    up.end();
}

#[tokio::test]
async fn no_other_program_takes_the_ports_during_a_reset() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--ephemeral"]);
    let port = up.text("s3_endpoint").rsplit(':').next().unwrap().parse();
    let address = ([127, 0, 0, 1], port.unwrap());
    let ended = Arc::new(AtomicBool::new(false));
    let until = Arc::clone(&ended);
    let other = std::thread::spawn(move || {
        let mut taken = 0;
        while !until.load(Ordering::Relaxed) {
            taken += usize::from(std::net::TcpListener::bind(SocketAddr::from(address)).is_ok());
        }
        taken
    });
    for _ in 0..10 {
        reset(&up).await;
        assert_eq!(buckets(&up.s3()).await, 0);
    }
    ended.store(true, Ordering::Relaxed);
    assert_eq!(other.join().unwrap(), 0);
    up.end();
}

#[tokio::test]
async fn a_reset_keeps_what_another_backend_stores_and_says_so() {
    let backend = Backend::start().await;
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &before(&backend, folder.path()));
    let s3 = up.s3();
    s3.create_bucket().bucket("demo").send().await.unwrap();
    put_and_get(&s3, "demo", "before").await;
    assert!(reset(&up).await.starts_with("kept"));
    assert_eq!(get(&s3, "demo", "before").await.unwrap(), b"a secret");
    put_and_get(&s3, "demo", "after").await;
    up.end();
}

#[tokio::test]
async fn ephemeral_lives_before_one_backend_work_each() {
    let backend = Backend::start().await;
    let folder = tempfile::tempdir().unwrap();
    let arguments = before(&backend, folder.path());
    let first = Up::start(folder.path(), &arguments);
    let s3 = first.s3();
    s3.create_bucket().bucket("demo").send().await.unwrap();
    put_and_get(&s3, "demo", "of the first life").await;

    // Two lives at once do not see each other's keys either.
    let second = Up::start(folder.path(), &arguments);
    put_and_get(&second.s3(), "demo", "of the second life").await;
    second.end();
    put_and_get(&s3, "demo", "of the first life, again").await;
    first.end();

    let third = Up::start(folder.path(), &arguments);
    let s3 = third.s3();
    put_and_get(&s3, "demo", "of the third life").await;
    assert!(get(&s3, "demo", "of the first life").await.is_err());
    third.end();
}
