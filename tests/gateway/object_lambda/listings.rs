//! HeadObject and listings, which functions answer by what they return.

use futures_util::FutureExt as _;
use http::Method;
use tests::signed::Draft;

use super::Lambda;
use super::server::FunctionServer;
use super::server::input_of;
use super::server::returning;
use super::transforming;

async fn returns(result: &'static str) -> FunctionServer {
    FunctionServer::start(move |event, gateway| {
        async move {
            let read = gateway.read(&input_of(&event)).await;
            // A HEAD is read by HEAD only.
            assert!([200, 403].contains(&read.status), "{}", read.text);
            returning(result)
        }
        .boxed()
    })
    .await
}

#[tokio::test]
async fn a_head_shows_what_the_function_returns() {
    let server =
        returns(r#"{"statusCode": 200, "headers": {"Content-Length": "5", "ETag": "\"x\""}}"#);
    let server = server.await;
    let lambda = Lambda::of_server(&server, &transforming(&["HeadObject"], &[])).await;
    lambda.put("note", "text").await;
    let main = lambda.world.main.clone();
    let head = lambda
        .send_through(&main, Draft::raw(Method::HEAD, "/note"))
        .await;
    assert_eq!(head.status, 200);
    assert_eq!(head.response.headers()["content-length"], "5");
    assert_eq!(head.response.headers()["etag"], "\"x\"");
    assert_eq!(
        lambda.get("note").await.text,
        "text",
        "GetObject is not configured"
    );
}

#[tokio::test]
async fn a_listing_is_what_the_function_returns() {
    let server = returns(
        r#"{"statusCode": 200, "listBucketResult": {"name": "data", "maxKeys": 1000, "isTruncated": false,
            "contents": [{"key": "shown & more", "size": 3, "eTag": "\"e\"", "storageClass": "STANDARD"}]}}"#,
    )
    .await;
    let both = transforming(&["ListObjectsV2", "ListObjects"], &[]);
    let lambda = Lambda::of_server(&server, &both).await;
    lambda.put("hidden", "text").await;
    let main = lambda.world.main.clone();
    for version in ["1", "2"] {
        let mut list = Draft::raw(Method::GET, "/").query("prefix", "h");
        if version == "2" {
            list = list.query("list-type", version);
        }
        let list = lambda.send_through(&main, list).await;
        assert_eq!(
            (list.status, list.element("Key")),
            (200, "shown &amp; more")
        );
    }
    let events = server.events();
    assert!(input_of(&events[0]).contains("prefix=h"));
    assert!(events[0].get("listObjectsContext").is_some());
    assert!(events[1].get("listObjectsV2Context").is_some());
}

#[tokio::test]
async fn a_result_that_cannot_be_is_an_error() {
    for result in [
        r#"{"statusCode": 200}"#,
        r#"{"statusCode": 200, "listResultXml": "", "listBucketResult":
        {"name": "b", "maxKeys": 1, "isTruncated": false}}"#,
        "[]",
    ] {
        let server = returns(result).await;
        let lambda = Lambda::of_server(&server, &transforming(&["ListObjectsV2"], &[])).await;
        let main = lambda.world.main.clone();
        let list = Draft::raw(Method::GET, "/").query("list-type", "2");
        let list = lambda.send_through(&main, list).await;
        assert_eq!(list.outcome(), (400, "LambdaInvalidResponse"), "{result}");
    }
}
