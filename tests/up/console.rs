//! The console of `up`: on both admin ports, about both services, through a reset, and without delaying the end.

use std::io::BufRead as _;
use std::io::BufReader;
use std::process::Stdio;

use http::Method;
use http::Request;
use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::json;

use crate::Up;
use crate::command;
use crate::lives::reset;
use crate::put_and_get;
use crate::wrong::GATEWAY;

/// What an admin port answers a browser, with another `host` if one is given.
pub(crate) async fn get(endpoint: &str, path: &str, host: Option<&str>) -> (StatusCode, String) {
    let mut request = Request::builder().uri(format!("{endpoint}{path}"));
    if let Some(host) = host {
        request = request.header("host", host);
    }
    send(request.body(String::new()).unwrap()).await
}

async fn send(request: Request<String>) -> (StatusCode, String) {
    let client = Client::builder(TokioExecutor::new()).build_http::<String>();
    let (head, body) = client.request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn both_admin_ports_show_both_services_before_and_after_a_reset() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--ephemeral"]);
    let console = up.text("console");
    assert_eq!(console, format!("{}/", up.text("kms_admin_endpoint")));
    for bucket in ["first", "second"] {
        let s3 = up.s3();
        s3.create_bucket().bucket(bucket).send().await.unwrap();
        put_and_get(&s3, bucket, "k").await;
        for endpoint in [up.text("admin_endpoint"), up.text("kms_admin_endpoint")] {
            let (status, overview) = get(endpoint, "/", None).await;
            assert_eq!(status, StatusCode::OK);
            assert!(overview.contains("The gateway is ready."), "{overview}");
            assert!(overview.contains("PutObject"), "{overview}");
            assert!(!overview.contains(up.text("secret_access_key")));
            let (_, keys) = get(endpoint, "/console/keys", None).await;
            // A reset forgets the demonstration's.
            assert_eq!(keys.contains("alias/demo"), bucket == "first", "{keys}");
            let (_, buckets) = get(endpoint, "/console/buckets", None).await;
            assert!(
                buckets.contains(bucket) && buckets.contains("SSE_S3"),
                "{buckets}"
            );
        }
        reset(&up).await;
    }
    up.end();
}

#[tokio::test]
async fn a_name_that_resolves_to_loopback_is_shown_nothing_and_cloudtrail_keeps_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--ephemeral"]);
    for endpoint in [up.text("admin_endpoint"), up.text("kms_admin_endpoint")] {
        for path in ["/", "/console/keys", "/console/live", "/console/login"] {
            let (status, text) = get(endpoint, path, Some("evil.example")).await;
            assert_eq!(status, StatusCode::MISDIRECTED_REQUEST, "{path}");
            assert!(!text.contains("<html"), "{text}");
        }
    }
    let lookup = Request::builder()
        .method(Method::POST)
        .uri(up.text("kms_admin_endpoint"))
        .header("content-type", "application/x-amz-json-1.1")
        .header(
            "x-amz-target",
            "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents",
        );
    let (status, events) = send(lookup.body(json!({}).to_string()).unwrap()).await;
    assert_eq!(status, StatusCode::OK, "{events}");
    assert!(events.contains("Events"), "{events}");
    up.end();
}

#[tokio::test]
async fn a_page_that_is_open_does_not_delay_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--ephemeral"]);
    let mut streams = Vec::new();
    for endpoint in [up.text("admin_endpoint"), up.text("kms_admin_endpoint")] {
        let client = Client::builder(TokioExecutor::new()).build_http::<String>();
        let uri = format!("{endpoint}/console/live").parse().unwrap();
        let mut stream = client.get(uri).await.unwrap().into_body();
        let frame = stream.frame().await.unwrap().unwrap();
        assert!(frame.data_ref().unwrap().starts_with(b"data: {"));
        streams.push(stream);
    }
    up.end();
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(!log.contains("still in flight"), "{log}");
}

/// The URL of the console that a service alone logs when it serves, and what is there.
async fn console_of(service: &str, configuration: &str) -> (String, StatusCode, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("alone.toml"), configuration).unwrap();
    let secret = folder.path().join("secret");
    sealgate::files::write_private(&secret, b"a secret of 16 bytes or more").unwrap();
    let mut child = command(folder.path())
        .args([service, "--config", "alone.toml"])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = lines.find_map(|line| Some(line.unwrap()).filter(|line| line.contains(" is up")));
    let line = line.unwrap();
    let url = line.split_once("console=\"").unwrap().1;
    let url = url.split('"').next().unwrap().to_owned();
    let (status, page) = get(url.trim_end_matches('/'), "/console/reports", None).await;
    child.kill().unwrap();
    child.wait().unwrap();
    (url, status, page)
}

#[tokio::test]
async fn a_service_alone_logs_where_its_console_is() {
    let kms = "listen = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    let gateway = format!(
        "[listen]\nhttp = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n[backend]\nurl = \"http://127.0.0.1:1\"\n\
         [kms]\nurl = \"grpc://127.0.0.1:1\"\nsecret_file = \"secret\"\n{GATEWAY}"
    );
    for (service, configuration) in [("kms", kms), ("gateway", &gateway)] {
        let (url, status, page) = console_of(service, configuration).await;
        assert!(
            url.starts_with("http://127.0.0.1:") && url.ends_with('/'),
            "{url}"
        );
        assert_eq!(status, StatusCode::OK, "{service}: {page}");
        assert!(
            page.contains("this service runs alone"),
            "{service}: {page}"
        );
    }
}
