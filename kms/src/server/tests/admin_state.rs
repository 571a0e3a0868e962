//! Snapshots, forks and CloudTrail on the admin port; the other emulators' paths.

use std::net::SocketAddr;
use std::sync::Arc;

use http::Request;
use http_body_util::Full;
use proto::identity::Secret;
use proto::time::Clock;
use proto::time::ManualClock;
use serde_json::Value;
use serde_json::json;

use super::json_request;
use super::now;
use super::send;
use super::serve;
use crate::config::Compat;
use crate::config::Config;
use crate::config::Signatures;
use crate::server::Running;
use crate::server::start;

/// A control of the admin port: its status and answer.
async fn control(admin: &str, path: &str, body: Value) -> (u16, Value) {
    let request = Request::post(format!("{admin}{path}"))
        .header("content-type", "application/json")
        .body(Full::new(body.to_string().into()))
        .unwrap();
    let answer = send(request).await;
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(answer.body()).unwrap())
}

/// An operation in either protocol, unsigned.
async fn operation(address: SocketAddr, name: &str, body: Value) -> Value {
    let target = format!("TrentService.{name}");
    let answer = send(json_request(address, &target, body.to_string())).await;
    serde_json::from_slice(answer.body()).unwrap_or(Value::Null)
}

async fn keys(address: SocketAddr) -> usize {
    let listed = operation(address, "ListKeys", json!({})).await;
    listed["Keys"].as_array().unwrap().len()
}

async fn in_place_of(compat: Compat) -> Running {
    let mut config = Config::in_place_of(compat);
    config.listen.set_port(0);
    config.admin.listen.set_port(0);
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(now()));
    start(config, clock).await.unwrap()
}

#[tokio::test]
async fn a_snapshot_is_restored_by_name() {
    let running = serve(Signatures::Accepted).await;
    let admin = &running.admin_endpoint;
    operation(running.address, "CreateKey", json!({})).await;
    let (status, answer) = control(admin, "/admin/snapshots", json!({"name": "one"})).await;
    assert_eq!((status, &answer["snapshots"][0]["keys"]), (200, &json!(1)));
    operation(running.address, "CreateKey", json!({})).await;
    assert_eq!(keys(running.address).await, 2);
    control(admin, "/admin/snapshots/restore", json!({"name": "one"})).await;
    assert_eq!(keys(running.address).await, 1);
    let (status, _) = control(admin, "/admin/snapshots/restore", json!({"name": "two"})).await;
    assert_eq!(status, 400);
    assert_eq!(control(admin, "/admin/reset", json!({})).await.0, 200);
    assert_eq!(keys(running.address).await, 0);
}

#[tokio::test]
async fn a_fork_answers_on_ports_of_its_own_until_it_is_stopped() {
    let running = serve(Signatures::Accepted).await;
    let admin = &running.admin_endpoint;
    operation(running.address, "CreateKey", json!({})).await;
    let (_, fork) = control(admin, "/admin/forks", json!({})).await;
    let endpoint = fork["kms_endpoint"].as_str().unwrap();
    let address: SocketAddr = endpoint.strip_prefix("http://").unwrap().parse().unwrap();
    operation(address, "CreateKey", json!({})).await;
    assert_eq!((keys(address).await, keys(running.address).await), (2, 1));

    // A fork can be forked.
    let fork_admin = fork["kms_admin_endpoint"].as_str().unwrap();
    let (status, _) = control(fork_admin, "/admin/forks", json!({})).await;
    assert_eq!(status, 200);
    let stop = json!({"id": fork["id"]});
    assert_eq!(
        control(admin, "/admin/forks/stop", stop.clone()).await.0,
        200
    );
    assert_eq!(control(admin, "/admin/forks/stop", stop).await.0, 400);
}

#[tokio::test]
async fn an_exported_snapshot_opens_in_another_kms_under_its_key_only() {
    let first = serve(Signatures::Accepted).await;
    let made = operation(first.address, "CreateKey", json!({})).await;
    let id = &made["KeyMetadata"]["KeyId"];
    let sealed = json!({"KeyId": id, "Plaintext": "AAAA"});
    let blob = operation(first.address, "Encrypt", sealed).await["CiphertextBlob"].clone();
    let admin = &first.admin_endpoint;
    control(admin, "/admin/snapshots", json!({"name": "a"})).await;
    let key = "07".repeat(32);
    let export = json!({"name": "a", "key": key});
    let (_, file) = control(admin, "/admin/snapshots/export", export).await;

    let second = serve(Signatures::Accepted).await;
    let admin = &second.admin_endpoint;
    let wrong = json!({"name": "b", "key": "08".repeat(32), "file": file});
    assert_eq!(
        control(admin, "/admin/snapshots/import", wrong).await.0,
        400
    );
    let mut damaged = file.clone();
    damaged["rows"].as_array_mut().unwrap().pop();
    let import = json!({"name": "b", "key": key, "file": damaged});
    let (status, answer) = control(admin, "/admin/snapshots/import", import).await;
    assert_eq!(
        (status, &answer["error"]),
        (400, &json!("the file is damaged"))
    );
    let import = json!({"name": "b", "key": key, "file": file});
    assert_eq!(
        control(admin, "/admin/snapshots/import", import).await.0,
        200
    );
    control(admin, "/admin/snapshots/restore", json!({"name": "b"})).await;
    let opened = operation(second.address, "Decrypt", json!({"CiphertextBlob": blob})).await;
    assert_eq!(opened["Plaintext"], "AAAA");
}

/// LookupEvents at the admin port.
async fn lookup(running: &Running, body: Value) -> (u16, Value) {
    let target = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";
    let answer = send(json_request(
        running.admin_address,
        target,
        body.to_string(),
    ))
    .await;
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(answer.body()).unwrap())
}

#[tokio::test]
async fn lookup_events_returns_calls_as_cloud_trail_does() {
    let running = serve(Signatures::Accepted).await;
    let made = operation(running.address, "CreateKey", json!({})).await;
    let arn = &made["KeyMetadata"]["Arn"];
    for _ in 0..3 {
        operation(running.address, "DescribeKey", json!({"KeyId": arn})).await;
    }
    let by = |key: &str, value: &Value| json!([{"AttributeKey": key, "AttributeValue": value}]);
    let name = by("EventName", &json!("DescribeKey"));
    let (status, first) =
        lookup(&running, json!({"LookupAttributes": name, "MaxResults": 2})).await;
    assert_eq!(status, 200);
    assert_eq!(first["Events"].as_array().unwrap().len(), 2);
    let event = &first["Events"][0];
    assert_eq!(event["EventSource"], "kms.amazonaws.com");
    assert_eq!(event["Resources"][0]["ResourceName"], *arn);
    let record: Value = serde_json::from_str(event["CloudTrailEvent"].as_str().unwrap()).unwrap();
    assert_eq!(record["eventID"], event["EventId"]);

    let next = json!({
        "LookupAttributes": name, "MaxResults": 2, "NextToken": first["NextToken"],
    });
    let (_, second) = lookup(&running, next).await;
    assert_eq!(second["Events"].as_array().unwrap().len(), 1);
    assert_eq!(second["NextToken"], Value::Null);
    let (_, all) = lookup(
        &running,
        json!({"LookupAttributes": by("ResourceName", arn)}),
    )
    .await;
    assert_eq!(all["Events"].as_array().unwrap().len(), 4);
    let (status, refused) = lookup(&running, json!({"LookupAttributes": by("Size", arn)})).await;
    assert_eq!(
        (status, &refused["__type"]),
        (400, &json!("InvalidLookupAttributesException"))
    );
    assert_eq!(lookup(&running, json!({"MaxResults": 51})).await.0, 400);
}

#[tokio::test]
async fn with_moto_a_reset_forgets_everything_and_only_there() {
    let moto = in_place_of(Compat::Moto).await;
    operation(moto.address, "CreateKey", json!({})).await;
    let reset = |address: SocketAddr, origin: Option<&str>| {
        let mut request = Request::post(format!("http://{address}/moto-api/reset"));
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        send(request.body(Full::default()).unwrap())
    };
    let page = reset(moto.address, Some("http://evil.example")).await;
    assert_eq!((page.status().as_u16(), keys(moto.address).await), (404, 1));
    assert_eq!(reset(moto.address, None).await.status(), 200);
    assert_eq!(keys(moto.address).await, 0);
    let aws = serve(Signatures::Accepted).await;
    operation(aws.address, "CreateKey", json!({})).await;
    assert_eq!(reset(aws.address, None).await.status(), 404);
    assert_eq!(keys(aws.address).await, 1);
}

#[tokio::test]
async fn with_local_kms_plain_json_without_a_signature_is_an_operation() {
    let running = in_place_of(Compat::LocalKms).await;
    let request = Request::post(&running.endpoint)
        .header("content-type", "application/json")
        .header("x-amz-target", "TrentService.CreateKey")
        .body(Full::default())
        .unwrap();
    let made: Value = serde_json::from_slice(send(request).await.body()).unwrap();
    let arn = made["KeyMetadata"]["Arn"].as_str().unwrap();
    assert!(
        arn.starts_with("arn:aws:kms:eu-west-2:111122223333:key/"),
        "{arn}"
    );
}

#[tokio::test]
async fn with_localstack_callers_of_every_account_may_use_every_key() {
    let running = in_place_of(Compat::LocalStack).await;
    let made = operation(running.address, "CreateKey", json!({})).await;
    let describe = json!({"KeyId": made["KeyMetadata"]["Arn"]}).to_string();
    let as_another = |address: SocketAddr| {
        let mut request = json_request(address, "TrentService.DescribeKey", describe.clone());
        let credential =
            "AWS4-HMAC-SHA256 Credential=000000000002/20260102/us-east-1/kms/aws4_request";
        let headers = request.headers_mut();
        headers.insert("authorization", credential.parse().unwrap());
        send(request)
    };
    assert_eq!(as_another(running.address).await.status(), 200);
    let health = Request::get(format!("{}/_localstack/health", running.endpoint));
    let health = send(health.body(Full::default()).unwrap()).await;
    assert_eq!(health.status(), 200);
}

/// The status of a control that is sent with that token.
async fn with_token(running: &Running, path: &str, token: Option<&str>) -> u16 {
    let mut request = Request::post(format!("{}{path}", running.admin_endpoint))
        .header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Full::new(r#"{"name": "a"}"#.into())).unwrap();
    send(request).await.status().as_u16()
}

#[tokio::test]
async fn stored_keys_are_not_read_or_destroyed_without_a_token() {
    let paths = [
        "/admin/clock",
        "/admin/forks",
        "/admin/reset",
        "/admin/snapshots",
        "/admin/snapshots/export",
        "/admin/snapshots/import",
        "/admin/snapshots/restore",
    ];
    let durable = async |folder: &tempfile::TempDir, keys_token: Option<&str>| {
        let mut config = Config::fixture();
        config.store.file = Some(folder.path().join("keys.redb"));
        config.store.root_key_file = Some(folder.path().join("root.key"));
        config.admin.keys_token = keys_token.map(Secret::new);
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(now()));
        start(config, clock).await.unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let running = durable(&folder, None).await;
    for path in paths {
        assert_eq!(with_token(&running, path, None).await, 403, "{path}");
        assert_eq!(with_token(&running, path, Some("")).await, 403, "{path}");
    }
    let restart = "/admin/quotas/restart";
    assert_eq!(with_token(&running, restart, None).await, 200);

    let folder = tempfile::tempdir().unwrap();
    let running = durable(&folder, Some("the token of the keys")).await;
    for path in paths {
        assert_eq!(with_token(&running, path, None).await, 401, "{path}");
        let wrong = with_token(&running, path, Some("another token"));
        assert_eq!(wrong.await, 401, "{path}");
    }
    let token = Some("the token of the keys");
    assert_eq!(with_token(&running, "/admin/snapshots", token).await, 200);
    assert_eq!(with_token(&running, "/admin/forks", token).await, 200);
    assert_eq!(with_token(&running, restart, None).await, 200);
}

#[tokio::test]
async fn with_moto_stored_keys_are_not_reset_without_a_credential() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::fixture();
    config.compat = Compat::Moto;
    config.store.file = Some(folder.path().join("keys.redb"));
    config.store.root_key_file = Some(folder.path().join("root.key"));
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(now()));
    let running = start(config, clock).await.unwrap();
    let request = Request::post(format!("{}/moto-api/reset", running.endpoint));
    let request = request.body(Full::default()).unwrap();
    assert_eq!(send(request).await.status().as_u16(), 404);
}
