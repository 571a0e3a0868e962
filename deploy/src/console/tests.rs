//! Pages of a KMS that runs: what they show, refuse and change.

mod reports;

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::Response;
use http::StatusCode;
use http_body_util::BodyExt as _;
use kms::api::Operation;
use kms::api::OperationName;
use kms::caller::Caller;
use kms::config::Config;
use kms::server::Running;
use proto::pages::PageBody;
use proto::pages::Pages as _;
use proto::time::SystemClock;
use serde_json::Value;
use serde_json::json;

use super::*;

/// A KMS and its console.
struct Shown {
    kms: Running,
    console: Arc<Console>,
}

/// An answer that has arrived.
struct Page {
    status: StatusCode,
    headers: http::HeaderMap,
    text: String,
}

impl Shown {
    /// Keys in memory, with these tokens.
    async fn start(all: Option<&str>, keys: Option<&str>) -> Self {
        let mut config = Config::default();
        config.listen.set_port(0);
        config.admin.listen.set_port(0);
        config.admin.token = all.map(Secret::new);
        config.admin.keys_token = keys.map(Secret::new);
        let kms = kms::server::start(config, Arc::new(SystemClock))
            .await
            .unwrap();
        let console = Console::of_kms(kms.controls.clone(), CancellationToken::new()).unwrap();
        Self { kms, console }
    }

    async fn send(&self, request: http::request::Builder, body: &str) -> Page {
        let request: Request<Bytes> = request.body(Bytes::from(body.to_owned())).unwrap();
        let response: Response<PageBody> = self.console.respond(request).await;
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Page {
            status: head.status,
            headers: head.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    async fn get(&self, path: &str) -> Page {
        self.send(Request::get(path), "").await
    }

    /// Posts a form as a browser does that shows a page of the console.
    async fn post(&self, path: &str, fields: &str, cookie: &str) -> Page {
        let digest = self.digest(cookie).await;
        let request = form(path).header("cookie", cookie);
        self.send(request, &format!("form={digest}&{fields}")).await
    }

    async fn digest(&self, cookie: &str) -> String {
        let request = Request::get("/console/quotas").header("cookie", cookie);
        let page = self.send(request, "").await.text;
        let rest = page.split("name=\"form\" value=\"").nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    /// The cookie of who logs in.
    async fn log_in(&self, token: &str) -> String {
        let page = self
            .send(
                form("/console/login?next=faults"),
                &format!("token={token}"),
            )
            .await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
        assert_eq!(page.headers["location"], "/console/faults");
        let cookie = page.headers["set-cookie"].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    /// What an operation returns.
    fn call(&self, name: &str, arguments: &Value) -> Value {
        let (account, region) = (ACCOUNT.parse().unwrap(), "us-east-1".parse().unwrap());
        let name = OperationName::from_name(name).unwrap();
        let operation = Operation::from_json(name, arguments.to_string().as_bytes()).unwrap();
        let caller = Caller::root(&account, &region);
        let answer = self.kms.kms.call(&caller, operation).unwrap();
        serde_json::from_slice(&answer.to_json()).unwrap_or_default()
    }

    /// Creates a key, and returns its id.
    fn key(&self, description: &str) -> String {
        let arguments = json!({
            "Description": description,
            "Tags": [{ "TagKey": "team", "TagValue": "a b" }],
        });
        let created = self.call("CreateKey", &arguments);
        created["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned()
    }
}

fn form(path: &str) -> http::request::Builder {
    Request::post(path)
        .header("host", "localhost:9091")
        .header("origin", "http://localhost:9091")
}

const ACCOUNT: &str = "111122223333";

#[tokio::test]
async fn each_page_has_the_headers_that_confine_it_and_is_small() {
    let shown = Shown::start(None, None).await;
    let id = shown.key("a key");
    let paths = [
        "/",
        "/console",
        "/console/quotas",
        "/console/quotas/all",
        "/console/keys",
    ];
    let paths = paths
        .into_iter()
        .chain(["/console/events", "/console/faults", "/console/reports"]);
    let paths = paths
        .map(str::to_owned)
        .chain([format!("/console/key?id={id}")]);
    for path in paths {
        let page = shown.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text);
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.headers["cache-control"], "no-store");
        assert_eq!(page.headers["x-content-type-options"], "nosniff");
        assert!(
            page.text.len() <= 30 << 10,
            "{path}: {} bytes",
            page.text.len()
        );
        // The policy blocks them.
        assert!(!page.text.contains(" style=") && !page.text.contains(" onclick="));
        assert!(!page.text.contains("\"http"), "{path} leads elsewhere");
    }
}

#[tokio::test]
async fn the_style_and_the_script_are_at_paths_that_change_with_them() {
    let shown = Shown::start(Some("the-whole-token!"), None).await;
    for asset in [asset::Asset::style(), asset::Asset::script()] {
        let page = shown.get(&asset.path).await;
        assert_eq!(
            (page.status, page.text.as_str()),
            (StatusCode::OK, asset.text)
        );
        assert!(
            page.headers["cache-control"]
                .to_str()
                .unwrap()
                .contains("immutable")
        );
        let other = asset
            .path
            .replace(|digit: char| digit.is_ascii_digit(), "f");
        assert_ne!(shown.get(&other).await.text, asset.text);
    }
    assert!(asset::Asset::script().text.lines().count() <= 300);
}

#[tokio::test]
async fn hostile_texts_stay_texts() {
    let shown = Shown::start(None, None).await;
    let hostile = "</td><script>alert(1)</script><img src=x onerror=alert(2)>\"'";
    let id = shown.key(hostile);
    shown.call(
        "CreateGrant",
        &json!({
            "KeyId": id,
            "Name": "g",
            "GranteePrincipal": "arn:aws:iam::111122223333:root",
            "Operations": ["Decrypt"],
            "Constraints": { "EncryptionContextSubset": { "<script>": hostile } },
        }),
    );
    let encoded = form::encoded(hostile);
    let paths = [
        format!("/console/key?id={id}"),
        format!("/console/keys?q={encoded}"),
        format!("/console/key?id={encoded}"),
        format!("/console/events?name={encoded}&key={encoded}&account={encoded}"),
        format!("/console/event?id={encoded}"),
        format!("/console/quotas?class={encoded}&done={encoded}"),
        format!("/console/{encoded}"),
        format!("/console/login?next={encoded}"),
        "/console/events".to_owned(),
    ];
    for path in paths {
        let page = shown.get(&path).await;
        for forbidden in ["<script>", "<img", "onerror=alert(2)>\""] {
            assert!(!page.text.contains(forbidden), "{path}: {}", page.text);
        }
    }
    let refused = shown
        .post(
            "/console/quotas/adjust",
            &format!("class={encoded}&rate=1"),
            "",
        )
        .await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(!refused.text.contains("<script>") && refused.text.contains("&lt;script&gt;"));
}

#[tokio::test]
async fn a_rate_is_changed_by_a_form_of_this_page_and_by_no_other() {
    let shown = Shown::start(None, None).await;
    let class = kms::quota::Class::CryptographicOperationsSymmetric;
    let rate = || {
        let (account, region) = (ACCOUNT.parse().unwrap(), "us-east-1".parse().unwrap());
        shown
            .kms
            .quotas
            .rate(&account, &region, class)
            .as_per_second()
    };
    let before = rate();
    let fields = "class=CryptographicOperationsSymmetric&rate=7";
    let digest = shown.digest("").await;
    let body = format!("form={digest}&{fields}");
    let path = "/console/quotas/adjust";
    let bare = Request::post(path).header("host", "localhost:9091");
    let foreign = Request::post(path)
        .header("host", "localhost:9091")
        .header("origin", "http://localhost:3000");
    for (request, body) in [
        (bare, body.as_str()),
        (foreign, body.as_str()),
        (form(path), fields),
        (
            form(path),
            "form=0&class=CryptographicOperationsSymmetric&rate=7",
        ),
        (
            form(path).header("sec-fetch-site", "same-site"),
            body.as_str(),
        ),
    ] {
        assert_eq!(
            shown.send(request, body).await.status,
            StatusCode::FORBIDDEN
        );
    }
    assert!((rate() - before).abs() < f64::EPSILON);
    let done = shown.post(path, fields, "").await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    assert!((rate() - 7.0).abs() < f64::EPSILON);
    let next = done.headers["location"].to_str().unwrap();
    assert!(shown.get(next).await.text.contains("The rate is in force."));
}

#[tokio::test]
async fn a_fault_is_added_shown_and_removed() {
    let shown = Shown::start(None, None).await;
    let done = shown
        .post(
            "/console/faults/add",
            "operation=Decrypt&error=ThrottlingException&times=2",
            "",
        )
        .await;
    assert_eq!(done.headers["location"], "/console/faults?done=added");
    let page = shown.get("/console/faults").await.text;
    assert!(page.contains("operation = &quot;Decrypt&quot;"), "{page}");
    let refused = shown
        .post(
            "/console/faults/add",
            "operation=NoSuch&error=ThrottlingException",
            "",
        )
        .await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    shown.post("/console/faults/remove", "id=1", "").await;
    assert!(
        shown
            .get("/console/faults")
            .await
            .text
            .contains("No call fails on purpose.")
    );
}

#[tokio::test]
async fn with_a_token_nothing_is_shown_before_the_login() {
    let shown = Shown::start(Some("the-whole-token!"), None).await;
    shown.key("CANARY");
    for path in ["/", "/console/keys", "/console/faults"] {
        let page = shown.get(path).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER);
        assert!(
            page.headers["location"]
                .to_str()
                .unwrap()
                .starts_with("/console/login?next=")
        );
    }
    assert_eq!(
        shown.get("/console/live").await.status,
        StatusCode::UNAUTHORIZED
    );
    let posted = shown.send(form("/console/faults/clear"), "").await;
    assert_eq!(posted.status, StatusCode::UNAUTHORIZED);
    let wrong = shown
        .send(form("/console/login"), "token=the-whole-token")
        .await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    assert!(!wrong.headers.contains_key("set-cookie"));
    let cookie = shown.log_in("the-whole-token!").await;
    let keys = shown
        .send(
            Request::get("/console/keys?q=canary").header("cookie", &cookie),
            "",
        )
        .await;
    assert!(keys.text.contains("1 to 1 of 1"), "{}", keys.text);
    assert!(!keys.text.contains("the-whole-token!"));
    let out = shown.post("/console/logout", "", &cookie).await;
    assert_eq!(out.status, StatusCode::SEE_OTHER);
    let after = shown
        .send(Request::get("/").header("cookie", &cookie), "")
        .await;
    assert_eq!(after.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_clock_demands_the_token_for_keys_where_there_is_one() {
    let shown = Shown::start(None, Some("token-for-keys--")).await;
    let before = shown.get("/console/faults").await.text;
    assert!(before.contains("/console/login?next=faults"), "{before}");
    let refused = shown.post("/console/clock", "frozen=true", "").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(!shown.kms.clock.is_frozen());
    let cookie = shown.log_in("token-for-keys--").await;
    let done = shown.post("/console/clock", "frozen=true", &cookie).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    assert!(shown.kms.clock.is_frozen());
}

#[tokio::test]
async fn figures_stream_to_sixteen_viewers_and_end_with_the_process() {
    let shown = Shown::start(None, None).await;
    shown.call("GenerateRandom", &json!({ "NumberOfBytes": 1 }));
    let open = || async {
        let request = Request::get("/console/live").body(Bytes::new()).unwrap();
        shown.console.respond(request).await
    };
    let mut streams = Vec::new();
    for _ in 0..16 {
        let stream = open().await;
        assert_eq!(stream.headers()["content-type"], "text/event-stream");
        streams.push(stream);
    }
    assert_eq!(open().await.status(), StatusCode::SERVICE_UNAVAILABLE);
    let mut stream = streams.pop().unwrap().into_body();
    let frame = stream.frame().await.unwrap().unwrap().into_data().unwrap();
    let text = std::str::from_utf8(&frame).unwrap();
    let message = text
        .strip_prefix("data: ")
        .and_then(|rest| rest.strip_suffix("\n\n"));
    let message: Value = serde_json::from_str(message.unwrap()).unwrap();
    assert_eq!(message["text"]["kms-total"], "1");
    assert!(
        message["chart"]["requests"]
            .as_str()
            .unwrap()
            .starts_with("<svg")
    );
    shown.console.stop.cancel();
    assert!(stream.frame().await.is_none());
    drop(stream);
    assert_eq!(
        open().await.status(),
        StatusCode::OK,
        "a seat is free again"
    );
}

#[tokio::test]
async fn a_gateway_alone_shows_no_keys_and_an_open_port_nothing() {
    let mut shown = Shown::start(None, None).await;
    shown.console = Console::of_gateway(None, false, CancellationToken::new()).unwrap();
    assert_eq!(shown.get("/").await.status, StatusCode::OK);
    for path in ["/console/keys", "/console/quotas", "/console/buckets"] {
        assert_eq!(
            shown.get(path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    shown.console = Console::of_gateway(None, true, CancellationToken::new()).unwrap();
    for path in ["/", "/console/login", "/console/live"] {
        assert_eq!(
            shown.get(path).await.status,
            StatusCode::FORBIDDEN,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_console_does_not_keep_its_kms_alive() {
    let Shown { kms, console } = Shown::start(None, None).await;
    let running = Arc::downgrade(&kms.kms);
    kms.serve_pages(Arc::clone(&console) as Arc<dyn proto::pages::Pages>);
    kms.stop().await;
    assert!(running.upgrade().is_none());
    let page = console
        .respond(Request::get("/").body(Bytes::new()).unwrap())
        .await;
    assert_eq!(page.status(), StatusCode::FORBIDDEN);
}
