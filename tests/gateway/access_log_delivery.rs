//! How access logs are delivered, and where not.

use std::time::Duration;

use gateway::access_log::delivery::Delivered;
use http::Method;
use proto::time::Timestamp;
use regex::Regex;
use sealgate::credentials::MAIN_ACCOUNT;
use tests::backend::Action;
use tests::backend::Fault;
use tests::backend::Gate;
use tests::clients::Access;
use tests::signed::Draft;
use tests::signed::Target;
use tests::world::World;

use crate::access_log::Logs;
use crate::access_log::policy;

const PARTITIONED: &str = "<TargetObjectKeyFormat><PartitionedPrefix/></TargetObjectKeyFormat>";

fn keys(logs: &Logs) -> Vec<String> {
    logs.world.backend.keys("dst")
}

/// What a flush of one log object that may not be written comes to.
const REFUSED: Delivered = Delivered {
    written: 0,
    refused: 1,
    waiting: 0,
};

#[tokio::test]
async fn log_objects_are_sealed_as_any_object_is() {
    let logs = Logs::start().await;
    logs.put("src", "key-canary", "", "1").await;
    let delivered = logs.flush().await;
    assert_eq!(delivered.written, 1);
    let [key] = &keys(&logs)[..] else {
        panic!("{:?}", keys(&logs));
    };
    let form = Regex::new("^p/2019-02-06-00-00-38-[0-9A-F]{16}$").unwrap();
    assert!(form.is_match(key), "{key}");
    let puts = logs.world.backend.requests_on(&Method::PUT, "dst", key);
    assert_eq!(puts.len(), 1);
    assert!(!String::from_utf8_lossy(&puts[0].body).contains("canary"));
    assert!(
        puts[0]
            .headers
            .keys()
            .any(|name| name.as_str().starts_with("x-amz-meta-"))
    );
    let answer = logs.get("dst", key).await;
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("x-amz-server-side-encryption"), "AES256");
    assert_eq!(header("content-type"), "text/plain");
    let text = String::from_utf8(answer.body().to_vec()).unwrap();
    assert!(text.contains("key-canary"), "{text}");
    let list = logs.world.send(Draft::new(Method::GET, "dst", "")).await;
    let list = String::from_utf8(list.body().to_vec()).unwrap();
    assert!(
        list.contains(&format!("<Size>{}</Size>", text.len())),
        "{list}"
    );
    assert!(list.contains(header("etag").trim_matches('"')), "{list}");
}

#[tokio::test]
async fn nothing_is_delivered_where_the_log_service_may_not_write() {
    for policy in [
        None,
        Some(policy("dst", "\"arn:aws:s3:::src\"", "999999999999")),
        Some(policy("dst", "\"arn:aws:s3:::other\"", MAIN_ACCOUNT)),
        Some(policy("dst", "\"arn:aws:s3:::src\"", MAIN_ACCOUNT).replace("/p/*", "/q/*")),
        Some(policy("dst", "\"arn:aws:s3:::src\"", MAIN_ACCOUNT).replace("logging.s3", "config")),
        Some(policy("dst", "\"arn:aws:s3:::src\"", MAIN_ACCOUNT).replace(
            "\"Statement\":[",
            "\"Statement\":[{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"s3:PutObject\",\
             \"Resource\":\"arn:aws:s3:::dst/*\",\
             \"Condition\":{\"Null\":{\"s3:x-amz-server-side-encryption\":\"true\"}}},",
        )),
    ] {
        let logs = Logs::start().await;
        let draft = Draft::new(Method::DELETE, "dst", "").query("policy", "");
        assert_eq!(logs.world.send(draft).await.status(), 204);
        if let Some(policy) = &policy {
            logs.put("dst", "", "policy", policy).await;
        }
        logs.put("src", "k", "", "1").await;
        assert_eq!(logs.flush().await, REFUSED, "{policy:?}");
        assert!(keys(&logs).is_empty(), "{policy:?}");
        assert_eq!(logs.flush().await, Delivered::default());
    }
}

#[tokio::test]
async fn nothing_is_delivered_to_a_target_that_aws_delivers_nothing_to() {
    let retention = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>\
        <DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule>\
        </ObjectLockConfiguration>";
    let payer =
        "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>";
    let kms = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>\
        <SSEAlgorithm>aws:kms</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>\
        </ServerSideEncryptionConfiguration>";
    for (subresource, document) in [
        ("object-lock", retention),
        ("requestPayment", payer),
        ("encryption", kms),
    ] {
        let logs = Logs::start().await;
        match subresource {
            "encryption" => logs.put("dst", "", subresource, document).await,
            _ => logs
                .world
                .backend
                .set_subresource("dst", subresource, document),
        }
        logs.put("src", "k", "", "1").await;
        assert_eq!(logs.flush().await, REFUSED, "{subresource}");
        assert!(keys(&logs).is_empty(), "{subresource}");
    }
}

#[tokio::test]
async fn records_wait_for_the_interval_by_the_gateways_clock() {
    let logs = Logs::start().await;
    let (reached, go_on) = (Gate::default(), Gate::default());
    let action = Action::PauseAfter(reached.clone(), go_on.clone());
    logs.world
        .backend
        .inject(Fault::on_path(Method::PUT, "/dst/p/", action));
    logs.put("src", "k", "", "1").await;
    logs.put("src", "k", "", "2").await;
    assert!(keys(&logs).is_empty());
    logs.clock.advance(Duration::from_secs(300));
    reached.reached().await;
    go_on.reach();
    logs.world.backend.heal();
    assert_eq!(logs.flush().await, Delivered::default());
    assert_eq!(keys(&logs).len(), 1);
    assert_eq!(logs.records_of("REST.PUT.OBJECT").await.len(), 2);
}

#[tokio::test]
async fn a_backend_that_does_not_take_a_log_object_slows_no_request_and_gets_it_again() {
    let logs = Logs::start().await;
    let (reached, go_on) = (Gate::default(), Gate::default());
    let action = Action::PauseBefore(reached.clone(), go_on.clone());
    let fault = Fault::on_path(Method::PUT, "/dst/p/", action).times(1);
    logs.world.backend.inject(fault);
    logs.put("src", "1", "", "1").await;
    let (flushed, ()) = tokio::join!(logs.flush(), async {
        reached.reached().await;
        logs.put("src", "2", "", "2").await;
        go_on.reach();
    });
    assert_eq!(flushed.written, 1);
    logs.world.backend.heal();

    let refuse = Action::Refuse(503, "SlowDown");
    logs.world
        .backend
        .inject(Fault::on_path(Method::PUT, "/dst/p/", refuse));
    assert_eq!(logs.flush().await.waiting, 1);
    logs.put("src", "3", "", "3").await;
    logs.world.backend.heal();
    assert_eq!(logs.flush().await.written, 1);
    let mut keys: Vec<_> = logs.records_of("REST.PUT.OBJECT").await;
    keys.sort_by(|a, b| a.field(8).cmp(b.field(8)));
    let keys: Vec<_> = keys.iter().map(|record| record.field(8)).collect();
    assert_eq!(keys, ["1", "2", "3"]);
}

#[tokio::test]
async fn a_gateway_that_stops_delivers_what_waits() {
    let logs = Logs::start().await;
    let other = logs.world.another_gateway().await;
    let target = Target {
        address: other.s3_addr.unwrap(),
        tls: None,
    };
    let host = target.address.to_string();
    let put = Draft::new(Method::PUT, "src", "k").body("1");
    let put = put.sign(&logs.world.main, logs.world.now(), &host);
    assert_eq!(put.send(&target).await.unwrap().status(), 200);
    assert!(keys(&logs).is_empty());
    other.stop().await;
    assert_eq!(keys(&logs).len(), 1);
    // The other gateway has a log of its own.
    logs.put("src", "k", "", "2").await;
    assert_eq!(logs.flush().await.written, 1);
    assert_eq!(keys(&logs).len(), 2);
}

#[tokio::test]
async fn a_bucket_that_logs_into_itself_does_not_grow_by_itself() {
    let logs = Logs::start().await;
    logs.allow("src", &["src"]).await;
    logs.enable("src", "src", "").await;
    logs.flush().await;
    let before = logs.world.backend.keys("src").len();
    logs.put("src", "k", "", "1").await;
    for _ in 0..3 {
        logs.flush().await;
    }
    let after = logs.world.backend.keys("src").len();
    assert_eq!(after, before + 2, "the object and one log object");
}

#[tokio::test]
async fn records_of_two_days_become_two_objects_by_the_time_of_the_events() {
    let logs = Logs::start().await;
    logs.enable("src", "dst", PARTITIONED).await;
    logs.flush().await;
    let before = keys(&logs);
    // 2019-02-06T23:59:59Z.
    logs.clock.set(Timestamp::from_unix_seconds(1_549_497_599));
    logs.put("src", "k", "", "1").await;
    logs.clock.advance(Duration::from_secs(2));
    logs.put("src", "k", "", "2").await;
    assert_eq!(logs.flush().await.written, 2);
    let mut keys = keys(&logs);
    keys.retain(|key| !before.contains(key));
    for (key, day) in keys.iter().zip(["06", "07"]) {
        let form = format!(
            "^p/{MAIN_ACCOUNT}/us-east-1/src/2019/02/{day}/2019-02-{day}-00-00-00-[0-9A-F]{{16}}$"
        );
        assert!(Regex::new(&form).unwrap().is_match(key), "{key}");
    }
}

#[tokio::test]
async fn what_waits_is_delivered_by_the_rights_of_the_owner_at_the_time_of_the_request() {
    let logs = Logs::start().await;
    let alt = logs.world.alt.clone();
    logs.get("src", "").await;
    let delete = Draft::new(Method::DELETE, "src", "");
    assert_eq!(logs.world.send(delete).await.status(), 204);
    // Another account takes the name, and lets the service write into a bucket of its own.
    for (bucket, subresource, body) in [
        ("src", "", String::new()),
        ("alt-dst", "", String::new()),
        (
            "alt-dst",
            "policy",
            policy("alt-dst", "\"arn:aws:s3:::src\"", MAIN_ACCOUNT),
        ),
        ("src", "logging", crate::access_log::enabled("alt-dst", "")),
    ] {
        let put = Draft::new(Method::PUT, bucket, "").body(body);
        let put = match subresource {
            "" => put,
            name => put.query(name, ""),
        };
        let answer = logs.send_as(&alt, put).await;
        assert!(answer.status().is_success(), "{answer:?}");
    }
    assert_eq!(logs.flush().await.written, 1);
    assert!(logs.world.backend.keys("alt-dst").is_empty());
    let operations = logs.records().await;
    let operations: Vec<_> = operations.iter().map(|record| record.operation()).collect();
    assert!(operations.contains(&"REST.DELETE.BUCKET"), "{operations:?}");

    // A target that became another account's gets nothing.
    logs.put("src-2", "", "", "").await;
    logs.enable("src-2", "dst", "").await;
    logs.get("src-2", "").await;
    for key in keys(&logs) {
        logs.world
            .send(Draft::new(Method::DELETE, "dst", &key))
            .await;
    }
    let delete = Draft::new(Method::DELETE, "dst", "");
    assert_eq!(logs.world.send(delete).await.status(), 204);
    let create = Draft::new(Method::PUT, "dst", "");
    assert_eq!(logs.send_as(&alt, create).await.status(), 200);
    let allow = policy("dst", "\"arn:aws:s3:::src-2\"", MAIN_ACCOUNT);
    let allow = Draft::new(Method::PUT, "dst", "")
        .query("policy", "")
        .body(allow);
    assert_eq!(logs.send_as(&alt, allow).await.status(), 204);
    assert_eq!(logs.flush().await, REFUSED);
    assert!(keys(&logs).is_empty());
}

#[tokio::test]
async fn a_request_of_a_wrong_signature_is_not_in_the_log_of_who_had_the_bucket_before() {
    let logs = Logs::start().await;
    let other = logs.world.another_gateway().await;
    let target = Target {
        address: other.s3_addr.unwrap(),
        tls: None,
    };
    let host = target.address.to_string();
    let now = logs.world.now();
    let send = |access: Access, method: Method| {
        let signed = Draft::new(method, "src", "").sign(&access, now, &host);
        let target = target.clone();
        async move { signed.send(&target).await.unwrap().status().as_u16() }
    };
    let main = logs.world.main.clone();
    assert_eq!(send(main.clone(), Method::GET).await, 200);
    assert_eq!(other.flush_access_logs().await.written, 1);

    // Through the first gateway the name becomes another account's; the other one has the old record cached.
    let delete = Draft::new(Method::DELETE, "src", "");
    assert_eq!(logs.world.send(delete).await.status(), 204);
    let create = Draft::new(Method::PUT, "src", "");
    assert_eq!(logs.send_as(&logs.world.alt, create).await.status(), 200);
    let wrong = Access {
        secret_access_key: "wrong-secret-access-key".to_owned(),
        ..main
    };
    assert_eq!(send(wrong, Method::GET).await, 403);
    logs.clock.advance(Duration::from_secs(6));
    assert_eq!(other.flush_access_logs().await, REFUSED);
}

#[tokio::test]
async fn the_admin_listener_delivers_at_once() {
    let logs = Logs::start().await;
    logs.put("src", "k", "", "1").await;
    let address = logs.world.gateway.admin_addr.unwrap();
    let target = Target { address, tls: None };
    for (method, status) in [("GET", "404"), ("POST", "200")] {
        let request = format!(
            "{method} /access-logs/flush HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\n\
             connection: close\r\n\r\n"
        );
        let answer = target.exchange(request.as_bytes(), false).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
    assert_eq!(keys(&logs).len(), 1);
}

#[tokio::test]
async fn a_log_that_finds_no_room_is_dropped_and_requests_are_answered() {
    let setup = World::setup().gateway(|config| config.access_logs.memory_max_bytes = 8 << 10);
    let logs = Logs::start_with(setup).await;
    let refuse = Action::Refuse(503, "SlowDown");
    let fault = Fault::on_path(Method::PUT, "/dst/p/", refuse);
    logs.world.backend.inject(fault);
    for _ in 0..20 {
        logs.put("src", "k", "", "1").await;
    }
    logs.world.backend.heal();
    let lines = logs.lines("dst").await;
    assert!((1..20).contains(&lines.len()), "{}", lines.len());
    logs.put("src", "k", "", "1").await;
    assert_eq!(logs.lines("dst").await.len(), lines.len() + 1);
}
