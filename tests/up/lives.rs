//! What resets and lives without memory leave: a Sealgate that works.

use http::Method;
use http::Request;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tests::backend::Backend;

use crate::Up;
use crate::before;
use crate::get;
use crate::put_and_get;

/// Resets the KMS by its admin port.
async fn reset(up: &Up) -> u16 {
    let client: Client<_, Full<bytes::Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let token = up.text("kms_admin_token");
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{}/admin/reset", up.text("kms_admin_endpoint")))
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"))
        .body("{}".into());
    client
        .request(request.unwrap())
        .await
        .unwrap()
        .status()
        .as_u16()
}

#[tokio::test]
async fn after_a_reset_sse_s3_works_before_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--data", "data"]);
    let s3 = up.s3();
    s3.create_bucket().bucket("demo").send().await.unwrap();
    put_and_get(&s3, "demo", "before").await;
    assert_eq!(reset(&up).await, 200);
    put_and_get(&s3, "demo", "after").await;
    up.end();

    let up = Up::start(folder.path(), &["--data", "data"]);
    let s3 = up.s3();
    put_and_get(&s3, "demo", "after the restart").await;
    assert_eq!(get(&s3, "demo", "before").await.unwrap(), b"a secret");
    assert_eq!(get(&s3, "demo", "after").await.unwrap(), b"a secret");
    s3.create_bucket().bucket("another").send().await.unwrap();
    put_and_get(&s3, "another", "object").await;
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
