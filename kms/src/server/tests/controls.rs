//! The admin port, the Service Quotas wire and planned faults.

use bytes::Bytes;
use http::Request;
use http::StatusCode;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use serde_json::json;

use super::Answer;
use super::error;
use super::grpc;
use super::json_request;
use super::random;
use super::send;
use super::serve;
use crate::config::Signatures;
use crate::quota::Class;

#[tokio::test]
async fn the_admin_port_returns_health_metrics_quotas_clock_and_events() {
    let running = serve(Signatures::Accepted).await;
    let base = format!("http://{}", running.admin_address);
    let get = |path: &str| {
        send(
            Request::get(format!("{base}{path}"))
                .body(Full::default())
                .unwrap(),
        )
    };
    let post = |method: &str, path: &str, body: Value| {
        let request = Request::builder()
            .method(method)
            .uri(format!("{base}{path}"))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .unwrap();
        send(request)
    };
    let value = |answer: Answer| serde_json::from_slice::<Value>(answer.body()).unwrap();
    assert_eq!(get("/livez").await.status(), StatusCode::OK);
    assert_eq!(get("/readyz").await.status(), StatusCode::OK);
    assert_eq!(get("/nothing").await.status(), StatusCode::NOT_FOUND);

    let body = r#"{"NumberOfBytes":1}"#;
    send(json_request(
        running.address,
        "TrentService.GenerateRandom",
        body,
    ))
    .await;
    let metrics = String::from_utf8(get("/metrics").await.body().to_vec()).unwrap();
    assert!(
        metrics.contains("sealgate_kms_requests_total{"),
        "{metrics}"
    );
    assert!(
        metrics.contains(r#"operation="GenerateRandom""#),
        "{metrics}"
    );
    assert!(
        metrics.contains(r#"resource="CryptographicOperationsSymmetric""#),
        "{metrics}"
    );

    let adjusted = json!({ "class": "CreateKey", "rate": 0.1 });
    assert_eq!(
        post("POST", "/admin/quotas/adjust", adjusted)
            .await
            .status(),
        StatusCode::OK
    );
    let quotas = value(get("/admin/quotas").await);
    assert_eq!(quotas["config"]["rates"][0]["rate"], 0.1);
    let bad = json!({ "class": "NoSuch", "rate": 1 });
    assert_eq!(
        post("POST", "/admin/quotas/adjust", bad).await.status(),
        StatusCode::BAD_REQUEST
    );

    let moved = json!({ "frozen": true, "advance_seconds": 60 });
    let clock = value(post("POST", "/admin/clock", moved).await);
    assert_eq!(clock["now"], "2026-01-02T03:05:05.000Z");
    assert_eq!(clock["frozen"], true);

    let events = value(get("/admin/events?name=GenerateRandom").await);
    assert_eq!(
        events["events"][0]["eventName"], "GenerateRandom",
        "{events}"
    );
}

#[tokio::test]
async fn service_quotas_reads_and_raises_quotas_of_the_callers_account_and_region() {
    let running = serve(Signatures::Accepted).await;
    let post = async |operation: &str, body: Value| {
        let target = format!("ServiceQuotasV20190624.{operation}");
        send(json_request(running.address, &target, body.to_string())).await
    };
    let value = |answer: &Answer| serde_json::from_slice::<Value>(answer.body()).unwrap();
    let listed = value(&post("ListServiceQuotas", json!({ "ServiceCode": "kms" })).await);
    let quotas = listed["Quotas"].as_array().unwrap();
    let symmetric = &quotas[0];
    assert_eq!(symmetric["QuotaCode"], "L-6E3AF000");
    assert_eq!(symmetric["Value"], 100_000.0);
    assert_eq!(
        symmetric["QuotaArn"],
        "arn:aws:servicequotas:us-east-1:000000000000:kms/L-6E3AF000"
    );

    let key = json!({ "ServiceCode": "kms", "QuotaCode": "L-32B67F4A", "DesiredValue": 9.0 });
    let raised = value(&post("RequestServiceQuotaIncrease", key.clone()).await);
    assert_eq!(raised["RequestedQuota"]["Status"], "APPROVED");
    assert_eq!(
        value(&post("GetServiceQuota", key.clone()).await)["Quota"]["Value"],
        9.0
    );
    assert_eq!(
        value(&post("GetAWSDefaultServiceQuota", key.clone()).await)["Quota"]["Value"],
        5.0
    );
    let rate = |account: &str| {
        let (account, region) = (account.parse().unwrap(), "us-east-1".parse().unwrap());
        let rate = running.quotas.rate(&account, &region, Class::CreateKey);
        rate.requests
    };
    assert_eq!((rate("000000000000"), rate("111122223333")), (9, 5));

    let again = post("RequestServiceQuotaIncrease", key).await;
    assert_eq!(error(&again).1, "IllegalArgumentException");
    let none = json!({ "ServiceCode": "kms", "QuotaCode": "L-00000000" });
    assert_eq!(
        error(&post("GetServiceQuota", none).await).1,
        "NoSuchResourceException"
    );
    let other = json!({ "ServiceCode": "s3" });
    assert_eq!(
        error(&post("ListServiceQuotas", other).await).1,
        "NoSuchResourceException"
    );
}

#[tokio::test]
async fn a_fault_plan_fails_calls_in_both_protocols_and_can_cut_the_connection() {
    let running = serve(Signatures::Accepted).await;
    let plan = |body: Value| {
        let request = Request::put(format!("http://{}/admin/faults", running.admin_address))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .unwrap();
        send(request)
    };
    let call = || {
        json_request(
            running.address,
            "TrentService.GenerateRandom",
            r#"{"NumberOfBytes":1}"#,
        )
    };
    let unavailable = json!({
        "faults": [{ "operation": "GenerateRandom", "first": 2, "error": "KeyUnavailableException" }]
    });
    assert_eq!(plan(unavailable).await.status(), StatusCode::OK);
    assert_eq!(send(call()).await.status(), StatusCode::OK);
    assert_eq!(
        error(&send(call()).await),
        (500, "KeyUnavailableException".to_owned(), None)
    );
    let refused = grpc(running.address)
        .await
        .generate_random(random(None))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unavailable);

    assert_eq!(
        plan(json!({ "faults": [{ "drop_connection": true }] }))
            .await
            .status(),
        200
    );
    let client: Client<HttpConnector, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).build_http();
    assert!(
        client.request(call()).await.is_err(),
        "the connection is closed without an answer"
    );
    let cut = grpc(running.address)
        .await
        .generate_random(random(None))
        .await;
    assert!(cut.is_err());

    assert_eq!(plan(json!({})).await.status(), StatusCode::OK);
    assert_eq!(send(call()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_fault_about_a_key_strikes_by_whichever_name_the_key_is_called() {
    let running = serve(Signatures::Accepted).await;
    let call = async |name: &str, body: Value| {
        let target = format!("TrentService.{name}");
        let answer = send(json_request(running.address, &target, body.to_string())).await;
        let status = answer.status().as_u16();
        let answer = serde_json::from_slice::<Value>(answer.body()).unwrap_or_default();
        (status, answer)
    };
    let (_, made) = call("CreateKey", json!({})).await;
    let id = &made["KeyMetadata"]["KeyId"];
    let alias = json!({"AliasName": "alias/x", "TargetKeyId": id});
    assert_eq!(call("CreateAlias", alias).await.0, 200);
    let (_, sealed) = call("Encrypt", json!({"KeyId": id, "Plaintext": "AAAA"})).await;
    let blob = &sealed["CiphertextBlob"];

    let fault = json!({
        "operation": "Decrypt", "key": "alias/x", "first": 3, "times": 1,
        "error": "KMSInternalException",
    });
    let plan = Request::put(format!("http://{}/admin/faults", running.admin_address))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(
            json!({"faults": [fault]}).to_string(),
        )))
        .unwrap();
    assert_eq!(send(plan).await.status(), StatusCode::OK);
    let mut statuses = Vec::new();
    for request in [
        json!({"CiphertextBlob": blob, "KeyId": id}),
        json!({"CiphertextBlob": blob, "KeyId": "alias/x"}),
        json!({"CiphertextBlob": blob}),
        json!({"CiphertextBlob": blob}),
    ] {
        statuses.push(call("Decrypt", request).await.0);
    }
    assert_eq!(statuses, [200, 200, 500, 200]);
}

#[tokio::test]
async fn the_quotas_have_the_rate_in_force_of_the_account_and_region_of_the_query() {
    let running = serve(Signatures::Accepted).await;
    let adjusted = serde_json::from_value(json!({ "class": "CreateKey", "rate": 0.1 }));
    running.quotas.adjust(adjusted.unwrap()).unwrap();
    let get = |query: &str| {
        let url = format!("http://{}/admin/quotas{query}", running.admin_address);
        send(Request::get(url).body(Full::default()).unwrap())
    };
    let value = |answer: Answer| serde_json::from_slice::<Value>(answer.body()).unwrap();
    let rate = |quotas: &Value, class: &str| {
        let mut rows = quotas["quotas"].as_array().unwrap().iter();
        let row = rows.find(|row| row["class"] == class).unwrap();
        row["rate"].as_f64().unwrap()
    };
    let home = value(get("").await);
    assert!((rate(&home, "CreateKey") - 0.1).abs() < 1e-9);
    let symmetric = "CryptographicOperationsSymmetric";
    for (region, expected) in [("eu-west-1", 100_000.0), ("eu-west-3", 10_000.0)] {
        let there = value(get(&format!("?region={region}")).await);
        assert_eq!(there["region"], region);
        assert!((rate(&there, symmetric) - expected).abs() < 1e-9);
    }
    let unknown = get("?key=k").await;
    assert_eq!(unknown.status(), StatusCode::BAD_REQUEST);
}
