//! The state of versions before the record of a bucket was one document.

use std::sync::Arc;

use gateway::bucket::record::BucketRecord;
use serde_json::Value;
use serde_json::json;
use tests::backend::Backend;

use crate::state::ACCOUNT;
use crate::state::Gateway;
use crate::state::STATE_BUCKET;

/// The documents of a bucket as they were written until November 2026.
fn documents() -> [(&'static str, Value); 6] {
    let policy = r#"{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::b/*"}]}"#;
    [
        ("owner", json!({"account": "222222222222"})),
        ("policy", json!({ "policy": policy })),
        (
            "cors",
            json!({"rules": [{"id": null, "origins": ["*"], "methods": ["GET"], "headers": [],
                "exposed": [], "max_age_seconds": 60}]}),
        ),
        (
            "encryption",
            json!({"algorithm": "aws:kms", "kms_key_id": "alias/a", "bucket_key": true,
                "customer_keys": "blocked"}),
        ),
        (
            "public-access-block",
            json!({"block": {"block_public_acls": true, "ignore_public_acls": false,
                "block_public_policy": true, "restrict_public_buckets": false}}),
        ),
        ("listed-etags", json!({})),
    ]
}

/// A backend with three buckets whose state an earlier version wrote.
async fn backend() -> Backend {
    let backend = Backend::start().await;
    let before = Gateway::before(&backend);
    for bucket in ["b", "firsts", "plain"] {
        backend.create_bucket(bucket);
    }
    for (subject, document) in documents() {
        before.records.write("b", subject, &document).await.unwrap();
    }
    before
        .records
        .write("firsts", "listed-etags", &json!({}))
        .await
        .unwrap();
    backend
}

async fn find(gateway: &Gateway, bucket: &str) -> Arc<BucketRecord> {
    gateway.buckets.find(bucket).await.unwrap().unwrap()
}

#[tokio::test]
async fn all_that_an_earlier_version_stored_about_a_bucket_is_taken_over() {
    let backend = backend().await;
    let gateway = Gateway::before(&backend);
    let record = find(&gateway, "b").await;
    assert_eq!(
        (record.revision, record.owner.as_str()),
        (1, "222222222222")
    );
    assert!(record.listed_etags && record.is_in_use());
    let stored = serde_json::to_value(&record.configurations).unwrap();
    for (subject, place) in [
        ("policy", "policy"),
        ("cors", "cors"),
        ("encryption", "encryption"),
        ("public-access-block", "public_access_block"),
    ] {
        let document = documents().into_iter().find(|it| it.0 == subject);
        assert_eq!(stored[place], document.unwrap().1, "{subject}");
    }
    // What nobody was noted as the owner of was the first user's account's.
    let record = find(&gateway, "firsts").await;
    assert_eq!(
        (record.owner.as_str(), record.listed_etags),
        (ACCOUNT, true)
    );
    assert_eq!(find(&gateway, "plain").await.owner, ACCOUNT);
}

#[tokio::test]
async fn a_bucket_is_taken_over_once() {
    let backend = backend().await;
    find(&Gateway::before(&backend), "b").await;
    let older = Gateway::before(&backend);
    let other = json!({"account": "333333333333"});
    older.records.write("b", "owner", &other).await.unwrap();
    backend.create_bucket("later");
    older.records.write("later", "owner", &other).await.unwrap();
    let gateway = Gateway::before(&backend);
    assert_eq!(find(&gateway, "b").await.owner, "222222222222");
    assert!(gateway.buckets.find("later").await.unwrap().is_none());
}

#[tokio::test]
async fn a_takeover_that_broke_off_goes_on() {
    let backend = backend().await;
    find(&Gateway::before(&backend), "b").await;
    for name in ["identity", "buckets/plain/record"] {
        backend.remove(STATE_BUCKET, name);
    }
    let gateway = Gateway::before(&backend);
    assert_eq!(find(&gateway, "plain").await.owner, ACCOUNT);
    let record = find(&gateway, "b").await;
    assert_eq!(
        (record.revision, record.owner.as_str()),
        (1, "222222222222")
    );
}

#[tokio::test]
async fn an_older_document_that_was_changed_stops_the_takeover() {
    let backend = backend().await;
    backend.tamper(STATE_BUCKET, "buckets/b/policy", |document| {
        let mut bytes = document.body.to_vec();
        bytes[90] ^= 1;
        document.set_body(bytes);
    });
    let gateway = Gateway::before(&backend);
    for bucket in ["b", "plain", "never"] {
        assert!(gateway.buckets.find(bucket).await.is_err(), "{bucket}");
    }
    assert!(backend.object(STATE_BUCKET, "identity").is_none());
}
