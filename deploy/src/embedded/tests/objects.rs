//! What is stored is returned, and the bytes of what was replaced are removed.

use std::time::Duration;

use crate::embedded::store::Place;
use crate::embedded::tests::BUCKET;
use crate::embedded::tests::LARGE;
use crate::embedded::tests::begin_upload;
use crate::embedded::tests::complete;
use crate::embedded::tests::create_bucket;
use crate::embedded::tests::delete;
use crate::embedded::tests::disk::Image;
use crate::embedded::tests::disk::TestDisk;
use crate::embedded::tests::get;
use crate::embedded::tests::open;
use crate::embedded::tests::put;
use crate::embedded::tests::put_part;
use crate::embedded::tests::store_with_bucket;
use crate::embedded::uploads;

#[tokio::test]
async fn keys_that_look_like_paths_are_keys_of_their_own() {
    let disk = TestDisk::with(Image::default());
    let store = store_with_bucket(&disk).await;
    let keys = [
        "a", "a/", "a//b", "a/b", "a/./b", "/a", "a/../b", "..", ".", "a\\b", "folder/", "é",
        "e\u{301}", "\u{0}", "a\u{0}", "A",
    ];
    for key in keys {
        put(&store, key, key.repeat(9).into_bytes()).await.unwrap();
    }
    for key in keys {
        let bytes = get(&store, key).await.unwrap();
        assert_eq!(bytes, key.repeat(9).into_bytes(), "{key}");
    }
}

#[tokio::test]
async fn what_was_replaced_or_deleted_is_removed_from_the_disk() {
    let disk = TestDisk::with(Image::default());
    let store = store_with_bucket(&disk).await;
    for round in 0..5 {
        put(&store, "key", vec![round; LARGE]).await.unwrap();
    }
    let place = begin_upload(&store, "key").await.unwrap();
    let part = put_part(&store, &place, 3, vec![7; LARGE]).await.unwrap();
    put_part(&store, &place, 1, vec![8; LARGE]).await.unwrap();
    complete(&store, &place, vec![part]).await.unwrap();
    assert_eq!(get(&store, "key").await.unwrap(), vec![7; LARGE]);
    files_become(&disk, 1).await;
    delete(&store, "key").await.unwrap();
    files_become(&disk, 0).await;
    let place = begin_upload(&store, "key").await.unwrap();
    put_part(&store, &place, 1, vec![8; LARGE]).await.unwrap();
    uploads::abort(&store, place).await.unwrap();
    files_become(&disk, 0).await;
}

/// Waits for the thread that removes files.
async fn files_become(disk: &TestDisk, files: usize) {
    for _ in 0..1_000 {
        if disk.files() == files {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(disk.files(), files);
}

#[tokio::test]
async fn versions_stay_until_they_are_removed_by_name() {
    let disk = TestDisk::with(Image::default());
    let store = open(&disk);
    create_bucket(&store, true).await.unwrap();
    let first = put(&store, "key", vec![1; LARGE]).await.unwrap();
    let second = put(&store, "key", vec![2; 5]).await.unwrap();
    let marker = delete(&store, "key").await.unwrap();
    assert!(marker.is_marker && get(&store, "key").await.is_none());
    let named = |version| Place {
        bucket: BUCKET.to_owned(),
        key: "key".to_owned(),
        version,
    };
    for (id, length) in [(first.id, LARGE as u64), (second.id, 5)] {
        let (_, found) = store.find(&named(id)).unwrap();
        assert_eq!(found.version.object.unwrap().length, length);
    }
    store.delete(named(marker.id), None, false).await.unwrap();
    assert_eq!(get(&store, "key").await.unwrap(), vec![2; 5]);
    store.delete(named(second.id), None, false).await.unwrap();
    assert_eq!(get(&store, "key").await.unwrap(), vec![1; LARGE]);
    assert!(store.find(&named(second.id)).is_err());
}

#[tokio::test]
async fn a_store_is_what_it_was_when_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let clock = std::sync::Arc::new(proto::time::SystemClock);
    let durability = crate::embedded::disk::Durability::Full;
    for round in 0..3_u8 {
        let store = crate::embedded::open(folder.path(), durability, clock.clone()).unwrap();
        match round {
            0 => create_bucket(&store, false).await.unwrap(),
            _ => {
                assert_eq!(get(&store, "small").await.unwrap(), vec![round - 1; 9]);
                assert_eq!(
                    get(&store, "large").await.unwrap(),
                    vec![round - 1; LARGE * 30]
                );
            }
        }
        put(&store, "small", vec![round; 9]).await.unwrap();
        put(&store, "large", vec![round; LARGE * 30]).await.unwrap();
        assert!(crate::embedded::open(folder.path(), durability, clock.clone()).is_err());
    }
}
