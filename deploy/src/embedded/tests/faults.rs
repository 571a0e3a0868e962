//! The disk fails at every act of a run: an error, nothing acknowledged is lost, and it goes on
//! without a restart.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::embedded::fault::Fault;
use crate::embedded::store::Store;
use crate::embedded::tests::LARGE;
use crate::embedded::tests::disk::Failure;
use crate::embedded::tests::disk::Image;
use crate::embedded::tests::disk::TestDisk;
use crate::embedded::tests::get;
use crate::embedded::tests::open;
use crate::embedded::tests::place;
use crate::embedded::tests::put;
use crate::embedded::tests::store_with_bucket;

/// What may be read of each key: after a failure, what was there before or what was written.
type Possible = BTreeMap<String, Vec<Option<Vec<u8>>>>;

async fn write_all(store: &Store, possible: &mut Possible, round: u8) -> usize {
    let mut errors = 0;
    for number in 0..4_u8 {
        let key = format!("key{}", number % 2);
        let length = [20, LARGE][usize::from(number / 2)];
        let bytes = vec![round * 16 + number; length];
        let before = possible.entry(key.clone()).or_insert_with(|| vec![None]);
        match put(store, &key, bytes.clone()).await {
            Ok(_) => *before = vec![Some(bytes)],
            Err(_) => {
                errors += 1;
                before.push(Some(bytes));
            }
        }
    }
    errors
}

async fn check(store: &Store, possible: &mut Possible, what: &str) {
    for (key, values) in possible {
        let now = get(store, key).await;
        assert!(values.contains(&now), "{what}: {key}");
        // Now that it was read it stays so.
        *values = vec![now];
    }
}

#[tokio::test]
async fn a_failing_disk_loses_nothing_that_was_acknowledged_and_is_used_again() {
    for errno in [ENOSPC, EIO] {
        for lasts in [1, 3] {
            for after in 0..60 {
                let what = format!("error {errno}, {lasts} times after {after} acts");
                let disk = TestDisk::with(Image::default());
                let store = store_with_bucket(&disk).await;
                let mut possible = Possible::new();
                assert_eq!(write_all(&store, &mut possible, 1).await, 0);
                disk.fail(Some(Failure {
                    after,
                    lasts,
                    errno,
                }));
                let errors = write_all(&store, &mut possible, 2).await;
                let failed = disk.failed();
                disk.fail(None);
                assert!(errors <= failed, "{what}: more errors than failures");
                until_it_is_read(&store).await;
                check(&store, &mut possible, &what).await;
                assert_eq!(write_all(&store, &mut possible, 3).await, 0, "{what}");
                check(&store, &mut possible, &what).await;
                drop(store);
                check(&open(&disk), &mut possible, &what).await;
            }
        }
    }
}

#[tokio::test]
async fn reading_goes_on_while_nothing_can_be_written() {
    let disk = TestDisk::with(Image::default());
    let store = store_with_bucket(&disk).await;
    put(&store, "small", vec![1; 20]).await.unwrap();
    put(&store, "large", vec![2; LARGE]).await.unwrap();
    disk.fail(Some(Failure {
        after: 0,
        lasts: usize::MAX,
        errno: ENOSPC,
    }));
    assert!(put(&store, "large", vec![3; LARGE]).await.is_err());
    assert_eq!(get(&store, "small").await.unwrap(), vec![1; 20]);
    assert_eq!(get(&store, "large").await.unwrap(), vec![2; LARGE]);
}

#[tokio::test]
async fn an_index_that_could_not_be_opened_again_is_opened_without_a_change() {
    for errno in [ENOSPC, EIO] {
        for after in 0..20 {
            let disk = TestDisk::with(Image::default());
            let store = store_with_bucket(&disk).await;
            put(&store, "small", vec![1; 20]).await.unwrap();
            disk.fail(Some(Failure {
                after,
                lasts: usize::MAX,
                errno,
            }));
            while disk.failed() == 0 {
                let _ = put(&store, "small", vec![2; 20]).await;
            }
            disk.fail(None);
            until_it_is_read(&store).await;
            assert!(get(&store, "small").await.is_some(), "{errno} {after}");
        }
    }
}

#[tokio::test]
async fn a_full_disk_is_read_and_is_written_again_when_there_is_space() {
    let disk = TestDisk::with(Image::default());
    let store = store_with_bucket(&disk).await;
    put(&store, "large", vec![2; LARGE]).await.unwrap();
    disk.fill(true);
    let mut kept = 0;
    while put(&store, &format!("small{kept}"), vec![1; 3000])
        .await
        .is_ok()
    {
        kept += 1;
    }
    let check = async || {
        until_it_is_read(&store).await;
        assert_eq!(get(&store, "large").await.unwrap(), vec![2; LARGE]);
        for number in 0..kept {
            let key = format!("small{number}");
            assert_eq!(get(&store, &key).await.unwrap(), vec![1; 3000], "{key}");
        }
    };
    check().await;
    assert!(put(&store, "another", vec![3; LARGE]).await.is_err());
    check().await;
    disk.fill(false);
    put(&store, "another", vec![3; LARGE]).await.unwrap();
    check().await;
}

/// Only reads, as those do who look before they write, until the store is read.
async fn until_it_is_read(store: &Store) {
    let read = async {
        while matches!(store.find(&place("other")), Err(Fault::Storage(_))) {
            tokio::task::yield_now().await;
        }
    };
    let read = tokio::time::timeout(Duration::from_secs(60), read).await;
    read.expect("the store is open again");
}

const ENOSPC: i32 = 28;
const EIO: i32 = 5;
