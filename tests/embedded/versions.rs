//! Versions of objects.

use aws_sdk_s3::types::BucketVersioningStatus;
use aws_sdk_s3::types::VersioningConfiguration;

use crate::Fixture;
use crate::code;
use crate::fixture::BUCKET;

async fn set(fixture: &Fixture, status: BucketVersioningStatus) {
    let configuration = VersioningConfiguration::builder().status(status).build();
    let put = fixture.s3.put_bucket_versioning().bucket(BUCKET);
    let put = put.versioning_configuration(configuration);
    put.send().await.unwrap();
}

async fn version(fixture: &Fixture, id: &str) -> Result<Vec<u8>, String> {
    let get = fixture.s3.get_object().bucket(BUCKET).key("key");
    match get.version_id(id).send().await {
        Ok(got) => Ok(got.body.collect().await.unwrap().to_vec()),
        Err(error) => Err(code::<(), _, _>(Err(error))),
    }
}

#[tokio::test]
async fn versions_are_kept_marked_and_removed_as_at_aws() {
    let fixture = Fixture::start().await;
    assert_eq!(fixture.put("key", b"null").await, None);
    set(&fixture, BucketVersioningStatus::Enabled).await;
    let first = fixture.put("key", b"first").await.unwrap();
    let second = fixture.put("key", b"second").await.unwrap();
    let delete = fixture.s3.delete_object().bucket(BUCKET).key("key");
    let marker = delete.send().await.unwrap();
    assert_eq!(marker.delete_marker(), Some(true));
    let marker = marker.version_id().unwrap().to_owned();

    let get = fixture.s3.get_object().bucket(BUCKET).key("key");
    assert_eq!(code(get.send().await), "NoSuchKey");
    assert_eq!(version(&fixture, "null").await.unwrap(), b"null");
    assert_eq!(version(&fixture, &first).await.unwrap(), b"first");
    assert_eq!(version(&fixture, &second).await.unwrap(), b"second");
    assert_eq!(
        version(&fixture, &marker).await.unwrap_err(),
        "MethodNotAllowed"
    );

    let listed = fixture.s3.list_object_versions().bucket(BUCKET).send();
    let listed = listed.await.unwrap();
    let ids: Vec<&str> = listed
        .versions()
        .iter()
        .filter_map(|it| it.version_id())
        .collect();
    assert_eq!(ids, [second.as_str(), &first, "null"]);
    assert!(
        listed
            .versions()
            .iter()
            .all(|it| it.is_latest() == Some(false))
    );
    assert_eq!(listed.delete_markers()[0].is_latest(), Some(true));

    for (id, left) in [(&marker, "second"), (&second, "first")] {
        let delete = fixture.s3.delete_object().bucket(BUCKET).key("key");
        delete.version_id(id).send().await.unwrap();
        assert_eq!(fixture.get("key").await, left.as_bytes());
    }
    assert_eq!(
        version(&fixture, &second).await.unwrap_err(),
        "NoSuchVersion"
    );
}

#[tokio::test]
async fn a_suspended_bucket_replaces_its_null_version_only() {
    let fixture = Fixture::start().await;
    set(&fixture, BucketVersioningStatus::Enabled).await;
    let kept = fixture.put("key", b"kept").await.unwrap();
    set(&fixture, BucketVersioningStatus::Suspended).await;
    for bytes in [b"one", b"two"] {
        assert_eq!(fixture.put("key", bytes).await, None, "AWS names none");
    }
    let head = fixture.s3.head_object().bucket(BUCKET).key("key").send();
    assert_eq!(head.await.unwrap().version_id(), Some("null"));
    assert_eq!(version(&fixture, "null").await.unwrap(), b"two");
    assert_eq!(version(&fixture, &kept).await.unwrap(), b"kept");
    let delete = fixture.s3.delete_object().bucket(BUCKET).key("key");
    let marker = delete.send().await.unwrap();
    assert_eq!(marker.version_id(), Some("null"));
    assert_eq!(
        version(&fixture, "null").await.unwrap_err(),
        "MethodNotAllowed"
    );
    assert_eq!(version(&fixture, &kept).await.unwrap(), b"kept");
}

#[tokio::test]
async fn pages_of_versions_show_each_version_once() {
    let fixture = Fixture::start().await;
    set(&fixture, BucketVersioningStatus::Enabled).await;
    let mut written = Vec::new();
    for key in ["a", "b", "c/d", "c/e"] {
        for bytes in [b"1", b"2", b"3"] {
            written.push((key.to_owned(), fixture.put(key, bytes).await.unwrap()));
        }
    }
    for size in [1, 2, 5] {
        let (mut key, mut id) = (None, None);
        let mut listed = Vec::new();
        loop {
            let list = fixture.s3.list_object_versions().bucket(BUCKET);
            let list = list
                .max_keys(size)
                .set_key_marker(key)
                .set_version_id_marker(id);
            let page = list.send().await.unwrap();
            let names = page.versions().iter();
            listed.extend(names.map(|it| {
                (
                    it.key().unwrap().to_owned(),
                    it.version_id().unwrap().to_owned(),
                )
            }));
            if page.is_truncated() != Some(true) {
                break;
            }
            key = page.next_key_marker().map(ToOwned::to_owned);
            id = page.next_version_id_marker().map(ToOwned::to_owned);
        }
        assert_eq!(listed.len(), written.len(), "pages of {size}");
        listed.sort();
        let mut expected = written.clone();
        expected.sort();
        assert_eq!(listed, expected, "pages of {size}");
    }
}
