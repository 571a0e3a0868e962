//! Exact counts of calls, and faults that are added one by one, on the admin port.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::Value;
use serde_json::json;

use super::json_request;
use super::send;
use super::serve;
use crate::config::Signatures;
use crate::server::Running;

async fn call(running: &Running, name: &str, body: Value) -> (u16, Value) {
    let target = format!("TrentService.{name}");
    let answer = send(json_request(running.address, &target, body.to_string())).await;
    let value = serde_json::from_slice(answer.body()).unwrap_or_default();
    (answer.status().as_u16(), value)
}

async fn control(running: &Running, method: &str, path: &str, body: Value) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", running.admin_endpoint))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap();
    let answer = send(request).await;
    let value = serde_json::from_slice(answer.body()).unwrap();
    (answer.status().as_u16(), value)
}

async fn count(running: &Running, query: &str) -> u64 {
    let path = format!("/admin/calls?{query}");
    let (status, answer) = control(running, "GET", &path, json!({})).await;
    assert_eq!(status, 200, "{answer}");
    answer["count"].as_u64().unwrap()
}

/// A key with the alias `alias/x`; its id.
async fn key(running: &Running) -> String {
    let (_, made) = call(running, "CreateKey", json!({})).await;
    let id = made["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
    let alias = json!({"AliasName": "alias/x", "TargetKeyId": id});
    assert_eq!(call(running, "CreateAlias", alias).await.0, 200);
    id
}

#[tokio::test]
async fn calls_are_counted_by_operation_key_and_outcome_since_a_mark() {
    let running = serve(Signatures::Accepted).await;
    let id = key(&running).await;
    let seal = json!({"KeyId": id, "Plaintext": "AAAA"});
    let (_, sealed) = call(&running, "Encrypt", seal.clone()).await;
    let (_, marked) = control(&running, "POST", "/admin/mark", json!({})).await;
    let mark = marked["mark"].as_u64().unwrap();
    for _ in 0..3 {
        call(&running, "Encrypt", seal.clone()).await;
    }
    // The ciphertext names the key, and the second key of a ReEncrypt counts as well.
    let blob = &sealed["CiphertextBlob"];
    call(&running, "Decrypt", json!({"CiphertextBlob": blob})).await;
    let missing = json!({"KeyId": "alias/none", "Plaintext": "AAAA"});
    assert_eq!(call(&running, "Encrypt", missing).await.0, 400);

    let since = |query: &str| format!("{query}&since={mark}");
    assert_eq!(count(&running, "operation=Encrypt").await, 5);
    assert_eq!(count(&running, &since("operation=Encrypt")).await, 4);
    assert_eq!(
        count(&running, &since("operation=Encrypt&outcome=OK")).await,
        3
    );
    let missing = since("outcome=NotFoundException");
    assert_eq!(count(&running, &missing).await, 1);
    for name in [id.clone(), "alias/x".to_owned()] {
        assert_eq!(count(&running, &since(&format!("key={name}"))).await, 4);
        let decrypts = since(&format!("operation=Decrypt&key={name}"));
        assert_eq!(count(&running, &decrypts).await, 1);
    }
    let (_, answer) = control(&running, "GET", "/admin/calls?operation=Decrypt", json!({})).await;
    let row = &answer["calls"][0];
    assert!(row["keys"][0].as_str().unwrap().ends_with(&id), "{answer}");
    let caller = row["caller"].as_str().unwrap();
    assert_eq!(
        count(&running, &since(&format!("caller={caller}"))).await,
        5
    );
}

#[tokio::test]
async fn a_query_of_counts_that_names_nothing_there_is_is_refused() {
    let running = serve(Signatures::Accepted).await;
    for query in [
        "operation=Encript",
        "outcome=Throttled",
        "key=alias/none",
        "since=7",
        "since=x",
        "operations=Encrypt",
    ] {
        let path = format!("/admin/calls?{query}");
        let (status, answer) = control(&running, "GET", &path, json!({})).await;
        assert_eq!(status, 400, "{query}: {answer}");
    }
}

#[tokio::test]
async fn a_fault_that_is_added_counts_as_a_call_and_leaves_others_alone() {
    let running = serve(Signatures::Accepted).await;
    let id = key(&running).await;
    let add = async |fault: Value| {
        let (status, added) = control(&running, "POST", "/admin/faults/add", fault).await;
        assert_eq!(status, 200, "{added}");
        added["id"].as_u64().unwrap()
    };
    let throttled = json!({"operation": "Encrypt", "times": 2, "error": "ThrottlingException"});
    let first = add(json!({ "fault": throttled })).await;
    let other = json!({"operation": "Decrypt", "error": "KMSInternalException"});
    let second = add(json!({ "fault": other })).await;
    assert_ne!(first, second);

    let seal = json!({"KeyId": "alias/x", "Plaintext": "AAAA"});
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(call(&running, "Encrypt", seal.clone()).await.0);
    }
    assert_eq!(statuses, [400, 400, 200]);
    let throttled = format!("operation=Encrypt&outcome=ThrottlingException&key={id}");
    assert_eq!(count(&running, &throttled).await, 2);

    let path = "/admin/faults/remove";
    let (_, removed) = control(&running, "POST", path, json!({ "id": first })).await;
    assert_eq!(removed["struck"], 2);
    let (status, _) = control(&running, "POST", path, json!({ "id": first })).await;
    assert_eq!(status, 400);
    let (_, state) = control(&running, "GET", "/admin/faults", json!({})).await;
    assert_eq!(state["ids"], json!([second]));
}
