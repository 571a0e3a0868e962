//! Copies, tags and conditions.

use aws_sdk_s3::types::BucketVersioningStatus;
use aws_sdk_s3::types::RestoreRequest;
use aws_sdk_s3::types::ServerSideEncryption;
use aws_sdk_s3::types::StorageClass;
use aws_sdk_s3::types::Tag;
use aws_sdk_s3::types::Tagging;
use aws_sdk_s3::types::VersioningConfiguration;

use crate::Fixture;
use crate::code;
use crate::fixture::BUCKET;

#[tokio::test]
async fn a_copy_stays_when_its_source_is_deleted() {
    let fixture = Fixture::start().await;
    let bytes = vec![7; 300_000];
    fixture.put("source", &bytes).await;
    let copy = fixture.s3.copy_object().bucket(BUCKET).key("copy");
    let copy = copy.copy_source(format!("{BUCKET}/source"));
    let copy = copy.server_side_encryption(ServerSideEncryption::AwsKms);
    let copied = copy.send().await.unwrap();
    let copied = copied.copy_object_result.unwrap();
    assert!(copied.last_modified().unwrap().secs() > 1_700_000_000);
    let delete = fixture.s3.delete_object().bucket(BUCKET).key("source");
    delete.send().await.unwrap();
    assert!(fixture.get("copy").await == bytes);
}

#[tokio::test]
async fn tags_are_stored_with_their_object() {
    let fixture = Fixture::start().await;
    let put = fixture.s3.put_object().bucket(BUCKET).key("key");
    let put = put.tagging("a=1&b=%2F").body(b"x".to_vec().into());
    put.send().await.unwrap();
    let get = || {
        fixture
            .s3
            .get_object_tagging()
            .bucket(BUCKET)
            .key("key")
            .send()
    };
    let tags = get().await.unwrap().tag_set;
    let pairs: Vec<_> = tags.iter().map(|tag| (tag.key(), tag.value())).collect();
    assert_eq!(pairs, [("a", "1"), ("b", "/")]);
    let tag = Tag::builder().key("c").value("2").build().unwrap();
    let set = Tagging::builder().tag_set(tag).build().unwrap();
    let put = fixture.s3.put_object_tagging().bucket(BUCKET).key("key");
    put.tagging(set).send().await.unwrap();
    assert_eq!(get().await.unwrap().tag_set.len(), 1);
    let delete = fixture.s3.delete_object_tagging().bucket(BUCKET).key("key");
    delete.send().await.unwrap();
    assert!(get().await.unwrap().tag_set.is_empty());
    assert_eq!(fixture.get("key").await, b"x");
}

#[tokio::test]
async fn of_many_conditional_creators_exactly_one_wins() {
    let fixture = Fixture::start().await;
    for round in 0..20 {
        let key = format!("key{round}");
        let creators = (0..8_u8).map(|number| {
            let put = fixture.s3.put_object().bucket(BUCKET).key(&key);
            put.if_none_match("*")
                .body(vec![number; 50_000].into())
                .send()
        });
        let outcomes = futures_util::future::join_all(creators).await;
        let winners: Vec<usize> = (0..8).filter(|number| outcomes[*number].is_ok()).collect();
        assert_eq!(winners.len(), 1, "round {round}");
        let bytes = fixture.get(&key).await;
        assert_eq!(usize::from(bytes[0]), winners[0], "round {round}");
    }
}

#[tokio::test]
async fn a_write_under_a_condition_that_does_not_hold_changes_nothing() {
    let fixture = Fixture::start().await;
    fixture.put("key", b"before").await;
    let put = fixture.s3.put_object().bucket(BUCKET).key("key");
    let put = put.if_match("\"beef\"").body(b"after".to_vec().into());
    assert_eq!(code(put.send().await), "PreconditionFailed");
    let delete = fixture.s3.delete_object().bucket(BUCKET).key("key");
    assert_eq!(
        code(delete.if_match("\"beef\"").send().await),
        "PreconditionFailed"
    );
    assert_eq!(fixture.get("key").await, b"before");
}

#[tokio::test]
async fn the_null_version_of_a_source_is_not_shown() {
    let fixture = Fixture::start().await;
    let configuration = VersioningConfiguration::builder()
        .status(BucketVersioningStatus::Suspended)
        .build();
    let put = fixture.s3.put_bucket_versioning().bucket(BUCKET);
    let put = put.versioning_configuration(configuration);
    put.send().await.unwrap();
    fixture.put("source", b"x").await;
    let copy = fixture.s3.copy_object().bucket(BUCKET).key("copy");
    let copied = copy.copy_source(format!("{BUCKET}/source")).send().await;
    assert_eq!(copied.unwrap().copy_source_version_id(), None);
}

#[tokio::test]
async fn an_object_in_an_archive_class_is_read_without_a_restore() {
    let fixture = Fixture::start().await;
    for class in [StorageClass::Glacier, StorageClass::DeepArchive] {
        let put = fixture.s3.put_object().bucket(BUCKET).key("key");
        let put = put.storage_class(class.clone()).body(b"x".to_vec().into());
        put.send().await.unwrap();
        let get = fixture.s3.get_object().bucket(BUCKET).key("key");
        let got = get.send().await.unwrap();
        assert_eq!(got.storage_class(), Some(&class));
        assert_eq!(fixture.get("key").await, b"x");
        let days = RestoreRequest::builder().days(1).build();
        let restore = fixture.s3.restore_object().bucket(BUCKET).key("key");
        let restore = restore.restore_request(days).send().await;
        assert_eq!(code(restore), "InvalidObjectState");
        let days = RestoreRequest::builder().days(1).build();
        let restore = fixture
            .s3
            .restore_object()
            .bucket(BUCKET)
            .key("missing")
            .restore_request(days);
        assert_eq!(code(restore.send().await), "NoSuchKey");
    }
}
