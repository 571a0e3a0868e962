//! Functions that are called by HTTP.

use futures_util::FutureExt as _;
use gateway::object_lambda::config::Callee;
use http::Method;
use http::Response;
use http_body_util::Full;
use serde_json::Value;
use tests::signed::Draft;

use super::Lambda;
use super::OLAP_ARN;
use super::POINT_ARN;
use super::server;
use super::server::FunctionServer;
use super::server::input_of;
use super::server::nothing;
use super::server::returning;
use super::transforming;

fn get() -> String {
    transforming(&["GetObject"], &[])
}

/// A function that reads, writes in upper case with these headers, and returns nothing.
async fn upper(headers: &'static [(&'static str, &'static str)]) -> FunctionServer {
    FunctionServer::start(move |event, gateway| {
        async move {
            let read = gateway.read(&input_of(&event)).await;
            assert_eq!(read.status, 200, "{}", read.text);
            let written = gateway
                .write(&event, headers, read.text.to_uppercase())
                .await;
            assert_eq!(written.status, 200, "{}", written.text);
            nothing()
        }
        .boxed()
    })
    .await
}

#[tokio::test]
async fn a_function_reads_by_its_url_and_answers_by_write_get_object_response() {
    let server = upper(&[
        ("x-amz-fwd-header-content-type", "text/plain"),
        ("x-amz-meta-author", "ana"),
        ("x-amz-fwd-header-set-cookie", "a=b"),
    ])
    .await;
    let lambda = Lambda::of_server(&server, &get()).await;
    lambda.put("note", "text").await;
    let read = lambda.get("note").await;
    assert_eq!((read.status, read.text.as_str()), (200, "TEXT"));
    let headers = read.response.headers();
    assert_eq!(headers["content-type"], "text/plain");
    assert_eq!(headers["x-amz-meta-author"], "ana");
    assert_eq!(headers["content-length"], "4");
    assert!(!headers.contains_key("etag") && !headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn an_event_says_who_wants_what_and_contains_no_secret() {
    let server = upper(&[]).await;
    let lambda = Lambda::of_server(&server, &get()).await;
    lambda.put("note", "text").await;
    let request = Draft::raw(Method::GET, "/note").header("x-amz-date-of-birth", "1970");
    let main = lambda.world.main.clone();
    assert_eq!(lambda.send_through(&main, request).await.status, 200);
    let events = server.events();
    let event = &events[0];
    assert_eq!(event["protocolVersion"], "1.00");
    assert_eq!(event["configuration"]["accessPointArn"], OLAP_ARN);
    assert_eq!(
        event["configuration"]["supportingAccessPointArn"],
        POINT_ARN
    );
    assert_eq!(event["configuration"]["payload"], "the payload");
    assert_eq!(event["userIdentity"]["accountId"], "123456789012");
    let url = event["userRequest"]["url"].as_str().unwrap();
    assert!(url.starts_with("http://my-olap-123456789012.localhost:") && url.ends_with("/note"));
    let headers = event["userRequest"]["headers"].as_object().unwrap();
    assert_eq!(headers["X-Amz-Date-Of-Birth"], "1970");
    let text = event.to_string();
    for secret in [
        "main-secret-canary",
        "AWS4-HMAC-SHA256 Credential",
        "Authorization\"",
    ] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn an_error_of_a_function_is_the_caller_s_answer() {
    let server = upper(&[
        ("x-amz-fwd-status", "403"),
        ("x-amz-fwd-error-code", "AccessDenied"),
        ("x-amz-fwd-error-message", "not for you"),
    ])
    .await;
    let lambda = Lambda::of_server(&server, &get()).await;
    lambda.put("note", "text").await;
    let refused = lambda.get("note").await;
    assert_eq!(refused.outcome(), (403, "AccessDenied"));
    assert_eq!(refused.element("Message"), "not for you");
}

#[tokio::test]
async fn a_token_is_good_for_one_answer_and_a_url_for_one_request() {
    let server = upper(&[]).await;
    let lambda = Lambda::of_server(&server, &get()).await;
    lambda.put("note", "text").await;
    assert_eq!(lambda.get("note").await.status, 200);
    let events = server.events();
    let again = server::answering(&events[0], &[], "x".to_owned());
    let host = super::PUBLIC_HOST;
    let access = lambda.world.main.clone();
    let again = again.sign_for(&access, lambda.world.now(), host, "s3-object-lambda");
    let again = super::Answer::new(again.send(&lambda.world.target()).await.unwrap());
    assert_eq!(again.outcome(), (400, "ValidationError"));
    let late = server::reading(&input_of(&events[0]));
    let late = super::Answer::new(late.send(&lambda.world.target()).await.unwrap());
    assert_eq!(late.outcome(), (403, "InvalidAccessKeyId"));
}

#[tokio::test]
async fn a_url_reads_what_was_requested_and_nothing_else() {
    let server = FunctionServer::start(|event, gateway| {
        async move {
            let input = input_of(&event);
            for (from, to) in [
                ("note", "other"),
                ("X-Amz-Expires", "versionId=null&X-Amz-Expires"),
            ] {
                let refused = gateway.read(&input.replace(from, to)).await;
                assert_eq!(refused.outcome(), (403, "SignatureDoesNotMatch"));
            }
            let read = gateway.read(&input).await;
            gateway.write(&event, &[], read.text).await;
            nothing()
        }
        .boxed()
    })
    .await;
    let lambda = Lambda::of_server(&server, &get()).await;
    lambda.put("note", "text").await;
    lambda.put("other", "secret").await;
    assert_eq!(lambda.get("note").await.text, "text");
}

#[tokio::test]
async fn a_range_is_for_the_function_where_the_access_point_allows_it() {
    let headers = &[
        ("x-amz-fwd-status", "206"),
        ("x-amz-fwd-header-content-range", "bytes 0-1/4"),
    ];
    let server = upper(headers).await;
    let with = transforming(&["GetObject"], &["GetObject-Range"]);
    let lambda = Lambda::of_server(&server, &with).await;
    lambda.put("note", "text").await;
    let main = lambda.world.main.clone();
    let range = Draft::raw(Method::GET, "/note").header("range", "bytes=0-1");
    let read = lambda.send_through(&main, range.clone()).await;
    assert_eq!(read.status, 206);
    assert_eq!(read.response.headers()["content-range"], "bytes 0-1/4");
    let events = server.events();
    assert_eq!(events[0]["userRequest"]["headers"]["Range"], "bytes=0-1");
    assert!(!input_of(&events[0]).to_lowercase().contains("range"));

    let server = upper(headers).await;
    let without = Lambda::of_server(&server, &get()).await;
    without.put("note", "text").await;
    let main = without.world.main.clone();
    let refused = without.send_through(&main, range).await;
    assert_eq!(refused.outcome(), (501, "NotImplemented"));
    assert!(server.events().is_empty());
}

#[tokio::test]
async fn a_function_that_does_not_answer_is_an_error_of_its_kind() {
    let failure = r#"{"errorMessage": "x", "errorType": "Exception"}"#;
    for (status, result, expected) in [
        (200, "null", (500, "LambdaResponseNotReceived")),
        (200, failure, (500, "LambdaRuntimeError")),
        (404, "", (404, "LambdaNotFound")),
        (403, "", (403, "LambdaPermissionError")),
        (429, "", (503, "SlowDown")),
        (500, "", (400, "LambdaInvocationFailed")),
    ] {
        let server = FunctionServer::start(move |_, _| {
            async move {
                let mut response = returning(result);
                *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
                response
            }
            .boxed()
        })
        .await;
        let lambda = Lambda::of_server(&server, &get()).await;
        lambda.put("note", "text").await;
        assert_eq!(lambda.get("note").await.outcome(), expected);
    }
    let nobody = Lambda::start(Callee::Url("http://127.0.0.1:1/f".to_owned()), 60_000).await;
    nobody.create(&get()).await;
    nobody.put("note", "text").await;
    assert_eq!(
        nobody.get("note").await.outcome(),
        (400, "LambdaInvocationFailed")
    );
}

#[tokio::test]
async fn a_function_that_takes_too_long_is_given_up() {
    let server = FunctionServer::start(|_, _| std::future::pending().boxed()).await;
    let lambda = Lambda::start(Callee::Url(server.url()), 1).await;
    server.reaches(&lambda.world);
    lambda.create(&get()).await;
    lambda.put("note", "text").await;
    assert_eq!(lambda.get("note").await.outcome(), (500, "LambdaTimeout"));
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off_the_caller_s() {
    let server = FunctionServer::start(|event, gateway| {
        async move {
            // Its body has another hash than it says.
            gateway.write_torn(&event).await;
            nothing()
        }
        .boxed()
    })
    .await;
    let lambda = Lambda::of_server(&server, &get()).await;
    lambda.put("note", "text").await;
    let host = lambda.world.host();
    let (_, port) = host.rsplit_once(':').unwrap();
    let host = format!("my-olap-123456789012.localhost:{port}");
    let get = Draft::raw(Method::GET, "/note");
    let access = lambda.world.main.clone();
    let signed = get.sign_for(&access, lambda.world.now(), &host, "s3-object-lambda");
    let outcome = signed.send(&lambda.world.target()).await;
    assert!(outcome.is_err(), "{outcome:?}");
}

#[tokio::test]
async fn a_server_may_answer_with_the_object_itself() {
    let server = FunctionServer::start(|event: Value, gateway| {
        async move {
            let read = gateway.read(&input_of(&event)).await;
            let context = &event["getObjectContext"];
            Response::builder()
                .header(
                    "x-amz-request-route",
                    context["outputRoute"].as_str().unwrap(),
                )
                .header(
                    "x-amz-request-token",
                    context["outputToken"].as_str().unwrap(),
                )
                .header("x-amz-fwd-header-content-type", "text/plain")
                .body(Full::new(read.text.to_uppercase().into()))
                .unwrap()
        }
        .boxed()
    })
    .await;
    let lambda = Lambda::of_server(&server, &get()).await;
    lambda.put("note", "text").await;
    let read = lambda.get("note").await;
    assert_eq!((read.status, read.text.as_str()), (200, "TEXT"));
    assert_eq!(read.response.headers()["content-type"], "text/plain");
}
