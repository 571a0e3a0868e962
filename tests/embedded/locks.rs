//! Object Lock.

use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::DefaultRetention;
use aws_sdk_s3::types::ObjectLockConfiguration;
use aws_sdk_s3::types::ObjectLockEnabled;
use aws_sdk_s3::types::ObjectLockLegalHold;
use aws_sdk_s3::types::ObjectLockLegalHoldStatus;
use aws_sdk_s3::types::ObjectLockMode;
use aws_sdk_s3::types::ObjectLockRetentionMode;
use aws_sdk_s3::types::ObjectLockRule;

use crate::Fixture;
use crate::code;
use crate::fixture::BUCKET;

const LOCKED: &str = "locked";

async fn with_lock() -> Fixture {
    let fixture = Fixture::start().await;
    let create = fixture.s3.create_bucket().bucket(LOCKED);
    let create = create.object_lock_enabled_for_bucket(true);
    create.send().await.unwrap();
    fixture
}

/// A client that sends no checksum that it need not send.
fn without_checksums() -> Builder {
    Builder::new().request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
}

async fn delete(fixture: &Fixture, key: &str, id: &str, bypass: bool) -> String {
    let delete = fixture
        .s3
        .delete_object()
        .bucket(LOCKED)
        .key(key)
        .version_id(id);
    let delete = delete.set_bypass_governance_retention(bypass.then_some(true));
    code(delete.send().await)
}

#[tokio::test]
async fn a_locked_version_is_removed_by_a_bypass_of_governance_only() {
    let fixture = with_lock().await;
    let until = DateTime::from_secs(4_000_000_000);
    for (mode, bypassed) in [
        (ObjectLockMode::Governance, ""),
        (ObjectLockMode::Compliance, "AccessDenied"),
    ] {
        let put = fixture.s3.put_object().bucket(LOCKED).key(mode.as_str());
        let put = put.object_lock_mode(mode.clone());
        let put = put
            .object_lock_retain_until_date(until)
            .body(b"x".to_vec().into());
        let id = put.send().await.unwrap().version_id().unwrap().to_owned();
        assert_eq!(
            delete(&fixture, mode.as_str(), &id, false).await,
            "AccessDenied"
        );
        assert_eq!(delete(&fixture, mode.as_str(), &id, true).await, bypassed);
    }
}

#[tokio::test]
async fn a_legal_hold_protects_a_version_until_it_is_lifted() {
    let fixture = with_lock().await;
    let id = fixture.put_in(LOCKED, "key", b"x").await.unwrap();
    for (status, outcome) in [
        (ObjectLockLegalHoldStatus::On, "AccessDenied"),
        (ObjectLockLegalHoldStatus::Off, ""),
    ] {
        let hold = ObjectLockLegalHold::builder().status(status).build();
        let put = fixture.s3.put_object_legal_hold().bucket(LOCKED).key("key");
        put.legal_hold(hold).send().await.unwrap();
        assert_eq!(delete(&fixture, "key", &id, true).await, outcome);
    }
}

#[tokio::test]
async fn objects_are_locked_as_their_bucket_says() {
    let fixture = with_lock().await;
    let default = DefaultRetention::builder()
        .mode(ObjectLockRetentionMode::Compliance)
        .years(1)
        .build();
    let configuration = ObjectLockConfiguration::builder()
        .object_lock_enabled(ObjectLockEnabled::Enabled)
        .rule(ObjectLockRule::builder().default_retention(default).build())
        .build();
    let put = fixture.s3.put_object_lock_configuration().bucket(LOCKED);
    let put = put.object_lock_configuration(configuration);
    put.send().await.unwrap();
    let put = fixture.s3.put_object().bucket(LOCKED).key("key");
    let unchecked = put.body(b"x".to_vec().into()).customize();
    let unchecked = unchecked.config_override(without_checksums());
    assert_eq!(code(unchecked.send().await), "InvalidRequest");
    let id = fixture.put_in(LOCKED, "key", b"x").await.unwrap();
    let get = fixture.s3.get_object_retention().bucket(LOCKED).key("key");
    let retention = get.send().await.unwrap().retention.unwrap();
    assert_eq!(retention.mode(), Some(&ObjectLockRetentionMode::Compliance));
    assert_eq!(delete(&fixture, "key", &id, true).await, "AccessDenied");
}

#[tokio::test]
async fn a_refusal_says_what_stands_in_the_way() {
    let fixture = with_lock().await;
    let configuration = ObjectLockConfiguration::builder()
        .object_lock_enabled(ObjectLockEnabled::Enabled)
        .build();
    let put = fixture.s3.put_object_lock_configuration().bucket(BUCKET);
    let put = put.object_lock_configuration(configuration);
    let refusal = put.send().await.unwrap_err().into_service_error();
    assert_eq!(refusal.code(), Some("InvalidBucketState"));
    assert!(
        refusal
            .message()
            .unwrap()
            .contains("Versioning must be 'Enabled'")
    );
}

#[tokio::test]
async fn a_lock_that_the_bucket_does_not_have_is_refused_and_not_dropped() {
    let fixture = with_lock().await;
    let put = fixture.s3.put_object().bucket(BUCKET).key("key");
    let put = put.object_lock_mode(ObjectLockMode::Governance);
    let put = put.object_lock_retain_until_date(DateTime::from_secs(4_000_000_000));
    assert_eq!(
        code(put.body(b"x".to_vec().into()).send().await),
        "InvalidRequest"
    );
    let get = fixture.s3.get_object().bucket(BUCKET).key("key");
    assert_eq!(code(get.send().await), "NoSuchKey");
}
