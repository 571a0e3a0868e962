//! Buckets as AWS has them.

use aws_sdk_s3::types::BucketVersioningStatus;
use aws_sdk_s3::types::MfaDelete;
use aws_sdk_s3::types::VersioningConfiguration;

use crate::Fixture;
use crate::code;
use crate::fixture::BUCKET;

#[tokio::test]
async fn a_bucket_with_anything_in_it_is_not_deleted() {
    let fixture = Fixture::start().await;
    fixture.put("key", b"bytes").await;
    let delete = || fixture.s3.delete_bucket().bucket(BUCKET).send();
    assert_eq!(code(delete().await), "BucketNotEmpty");
    assert_eq!(fixture.get("key").await, b"bytes");
    let key = fixture.s3.delete_object().bucket(BUCKET).key("key");
    key.send().await.unwrap();
    assert_eq!(code(delete().await), "");
    assert_eq!(code(delete().await), "NoSuchBucket");
}

#[tokio::test]
async fn nothing_is_written_into_a_bucket_that_is_not_there() {
    let fixture = Fixture::start().await;
    let put = fixture.s3.put_object().bucket("missing").key("k");
    assert_eq!(
        code(put.body(b"x".to_vec().into()).send().await),
        "NoSuchBucket"
    );
    let create = fixture.s3.create_multipart_upload().bucket("missing");
    assert_eq!(code(create.key("k").send().await), "NoSuchBucket");
    let list = fixture.s3.list_objects_v2().bucket("missing");
    assert_eq!(code(list.send().await), "NoSuchBucket");
}

#[tokio::test]
async fn buckets_are_listed_in_the_order_of_their_names() {
    let fixture = Fixture::start().await;
    for name in ["zebra", "a-1", "a.1", "ape"] {
        fixture
            .s3
            .create_bucket()
            .bucket(name)
            .send()
            .await
            .unwrap();
    }
    let listed = fixture.s3.list_buckets().send().await.unwrap();
    let names: Vec<&str> = listed.buckets().iter().filter_map(|it| it.name()).collect();
    assert_eq!(names, ["a-1", "a.1", "ape", BUCKET, "zebra"]);
}

#[tokio::test]
async fn mfa_delete_is_refused_and_not_ignored() {
    let fixture = Fixture::start().await;
    let configuration = VersioningConfiguration::builder()
        .status(BucketVersioningStatus::Enabled)
        .mfa_delete(MfaDelete::Enabled)
        .build();
    let put = fixture.s3.put_bucket_versioning().bucket(BUCKET);
    let put = put.versioning_configuration(configuration).send().await;
    assert_ne!(code(put), "");
    let get = fixture.s3.get_bucket_versioning().bucket(BUCKET);
    assert_eq!(get.send().await.unwrap().status(), None);
}
