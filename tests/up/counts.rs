//! What the gateway's admin port counts: requests of clients, and those to the backend.

use http::Method;
use http::StatusCode;
use serde_json::Value;
use serde_json::json;
use tests::world::World;

use crate::Up;
use crate::lives::reset;
use crate::put_and_get;

/// A request to the gateway's admin port; `page`: by a web page.
async fn admin(up: &Up, method: Method, path: &str, page: bool) -> (StatusCode, Value) {
    request(up.text("admin_endpoint"), method, path, page).await
}

/// A request to an admin port.
async fn request(endpoint: &str, method: Method, path: &str, page: bool) -> (StatusCode, Value) {
    use http_body_util::BodyExt as _;
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;
    let uri = format!("{endpoint}{path}");
    let mut request = http::Request::builder().method(method).uri(uri);
    if page {
        request = request.header("origin", "https://example.com");
    }
    let request = request.body(String::new()).unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http::<String>();
    let (head, body) = client.request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (
        head.status,
        serde_json::from_slice(&body).unwrap_or_default(),
    )
}

/// The count of the rows that have these members.
fn count(rows: &Value, members: &Value) -> u64 {
    let members = members.as_object().unwrap();
    let fits = |row: &&Value| members.iter().all(|(name, value)| &row[name] == value);
    let rows = rows.as_array().unwrap().iter().filter(fits);
    rows.map(|row| row["count"].as_u64().unwrap()).sum()
}

#[tokio::test]
async fn requests_are_counted_by_operation_and_status_and_at_the_backend_since_a_mark() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--ephemeral"]);
    let s3 = up.s3();
    s3.create_bucket().bucket("demo").send().await.unwrap();
    let (status, marked) = admin(&up, Method::POST, "/admin/mark", false).await;
    assert_eq!(status, 200);
    let since = format!("/admin/requests?since={}", marked["mark"]);
    put_and_get(&s3, "demo", "k").await;
    assert!(
        s3.get_object()
            .bucket("demo")
            .key("none")
            .send()
            .await
            .is_err()
    );

    let (_, counted) = admin(&up, Method::GET, &since, false).await;
    let requests = &counted["requests"];
    assert_eq!(
        count(requests, &json!({"operation": "PutObject", "status": 200})),
        1
    );
    assert_eq!(
        count(requests, &json!({"operation": "GetObject", "status": 200})),
        1
    );
    assert_eq!(
        count(requests, &json!({"operation": "GetObject", "status": 404})),
        1
    );
    assert_eq!(count(requests, &json!({"operation": "CreateBucket"})), 0);
    let object = json!({"method": "PUT", "resource": "object", "bucket": "demo", "status": 200});
    assert_eq!(count(&counted["backend"], &object), 1, "{counted}");

    let (_, all) = admin(&up, Method::GET, "/admin/requests", false).await;
    assert_eq!(
        count(&all["requests"], &json!({"operation": "CreateBucket"})),
        1
    );
    up.end();
}

#[tokio::test]
async fn counts_go_on_through_a_reset() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--ephemeral"]);
    up.s3().create_bucket().bucket("demo").send().await.unwrap();
    reset(&up).await;
    up.s3().create_bucket().bucket("demo").send().await.unwrap();
    let (_, all) = admin(&up, Method::GET, "/admin/requests", false).await;
    let created = json!({"operation": "CreateBucket", "status": 200});
    assert_eq!(count(&all["requests"], &created), 2);
    up.end();
}

#[tokio::test]
async fn counts_are_for_no_web_page_and_a_mark_that_was_not_set_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--ephemeral"]);
    let page = admin(&up, Method::POST, "/admin/mark", true).await;
    assert_eq!(page.0, 403);
    for query in ["since=9999", "since=x", "mark=0"] {
        let path = format!("/admin/requests?{query}");
        let (status, answer) = admin(&up, Method::GET, &path, false).await;
        assert_eq!(status, 400, "{query}: {answer}");
    }
    assert_eq!(admin(&up, Method::GET, "/admin/mark", false).await.0, 405);
    up.end();
}

#[tokio::test]
async fn a_gateway_that_serves_no_test_counts_nothing_and_names_no_bucket() {
    let world = World::start().await;
    let gateway = world.another_gateway().await;
    let endpoint = format!("http://{}", gateway.admin_addr.unwrap());
    let (status, _) = request(&endpoint, Method::GET, "/admin/requests", false).await;
    assert_eq!(status, 404);
}
