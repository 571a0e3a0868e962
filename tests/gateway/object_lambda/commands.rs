//! Functions that are programs.

use http::Method;
use tests::expect::expect_no_value;
use tests::signed::Draft;

use super::BUCKET;
use super::Lambda;
use super::POINT;
use super::transforming;
use crate::access_points::Answer;

const UPPER: [&str; 3] = ["tr", "a-z", "A-Z"];

#[tokio::test]
async fn a_command_transforms_what_is_read_and_nothing_else() {
    let lambda = Lambda::of_command(&UPPER, &transforming(&["GetObject"], &[])).await;
    let main = lambda.world.main.clone();
    let put = Draft::raw(Method::PUT, "/note").body("the canary sings");
    assert_eq!(lambda.send_through(&main, put).await.status, 200);
    expect_no_value(&lambda.world.backend, b"the canary sings");

    let read = lambda.get("note").await;
    assert_eq!((read.status, read.text.as_str()), (200, "THE CANARY SINGS"));
    let original = lambda.send(Draft::new(Method::GET, BUCKET, "note")).await;
    assert_eq!(original.text, "the canary sings");
    let head = lambda
        .send_through(&main, Draft::raw(Method::HEAD, "/note"))
        .await;
    assert_eq!(head.response.headers()["content-length"], "16");
    let list = Draft::raw(Method::GET, "/").query("list-type", "2");
    let list = lambda.send_through(&main, list).await;
    assert_eq!((list.status, list.element("Key")), (200, "note"));
    let gone = lambda.get("other").await;
    assert_eq!(gone.outcome(), (404, "NoSuchKey"));
}

#[tokio::test]
async fn the_alias_stands_where_a_bucket_does() {
    let lambda = Lambda::start(
        gateway::object_lambda::config::Callee::Command(UPPER.map(str::to_owned).to_vec()),
        60_000,
    )
    .await;
    let alias = lambda.create(&transforming(&["GetObject"], &[])).await;
    assert!(
        alias.starts_with("my-olap-") && alias.ends_with("--ol-s3"),
        "{alias}"
    );
    lambda.put("a b/ü", "text").await;
    let read = lambda.send(Draft::new(Method::GET, &alias, "a b/ü")).await;
    assert_eq!((read.status, read.text.as_str()), (200, "TEXT"));
    let host = format!("{alias}.localhost");
    let get = Draft::raw(Method::GET, "/a%20b/%C3%BC");
    let signed = get.sign(&lambda.world.main, lambda.world.now(), &host);
    let read = Answer::new(signed.send(&lambda.world.target()).await.unwrap());
    assert_eq!((read.status, read.text.as_str()), (200, "TEXT"));
}

#[tokio::test]
async fn a_version_and_a_part_of_an_object_are_the_function_s_business() {
    let ranges = transforming(&["GetObject"], &["GetObject-Range"]);
    let lambda = Lambda::of_command(&UPPER, &ranges).await;
    lambda.put("note", "text").await;
    let main = lambda.world.main.clone();
    let range = Draft::raw(Method::GET, "/note").header("range", "bytes=0-1");
    let read = lambda.send_through(&main, range).await;
    assert_eq!(read.text, "TEXT", "the command reads the whole object");
    let part = Draft::raw(Method::GET, "/note").query("partNumber", "1");
    let refused = lambda.send_through(&main, part).await;
    assert_eq!(refused.outcome(), (501, "NotImplemented"));
}

#[tokio::test]
async fn a_command_that_fails_is_an_error() {
    let get = transforming(&["GetObject"], &[]);
    let failing = Lambda::of_command(&["sh", "-c", "exit 1"], &get).await;
    failing.put("note", "text").await;
    assert_eq!(
        failing.get("note").await.outcome(),
        (500, "LambdaRuntimeError")
    );
    let absent = Lambda::of_command(&["/nonexistent"], &get).await;
    absent.put("note", "text").await;
    assert_eq!(
        absent.get("note").await.outcome(),
        (400, "LambdaInvocationFailed")
    );
}

#[tokio::test]
async fn what_no_access_point_does_no_object_lambda_access_point_does() {
    let lambda = Lambda::of_command(&UPPER, &transforming(&["GetObject"], &[])).await;
    lambda.put("note", "text").await;
    let main = lambda.world.main.clone();
    let policy = Draft::raw(Method::PUT, "/").query("policy", "").body("{}");
    let refused = lambda.send_through(&main, policy).await;
    assert_eq!(refused.outcome(), (405, "MethodNotAllowed"));
    let source = super::OLAP_ARN.to_owned() + "/object/note";
    let copy = Draft::new(Method::PUT, BUCKET, "copy").header("x-amz-copy-source", &source);
    assert_eq!(lambda.send(copy).await.outcome(), (400, "InvalidArgument"));
    let key = Draft::raw(Method::GET, "/note")
        .header("x-amz-server-side-encryption-customer-algorithm", "AES256")
        .header(
            "x-amz-server-side-encryption-customer-key",
            "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        )
        .header(
            "x-amz-server-side-encryption-customer-key-md5",
            "hRasmdxgYDKV3nvbahU1MA==",
        );
    let refused = lambda.send_through(&main, key).await;
    assert_eq!(refused.outcome(), (400, "InvalidRequest"));
    let s3 = Draft::raw(Method::GET, "/note");
    let host = lambda.world.host();
    let (_, port) = host.rsplit_once(':').unwrap();
    let point = format!("{POINT}-123456789012.localhost:{port}");
    let direct = s3.sign(&main, lambda.world.now(), &point);
    let direct = Answer::new(direct.send(&lambda.world.target()).await.unwrap());
    assert_eq!(direct.text, "text", "the access point behind is another");
}
