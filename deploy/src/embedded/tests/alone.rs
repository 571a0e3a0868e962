//! A change that panics, or finds a record that cannot be read, fails alone.

use std::sync::Arc;
use std::sync::mpsc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;

use crate::embedded::buckets;
use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::tables::Tables;
use crate::embedded::store::Store;
use crate::embedded::tests::BUCKET;
use crate::embedded::tests::LARGE;
use crate::embedded::tests::api::Api;
use crate::embedded::tests::delete;
use crate::embedded::tests::digest;
use crate::embedded::tests::disk::Image;
use crate::embedded::tests::disk::TestDisk;
use crate::embedded::tests::get;
use crate::embedded::tests::open;
use crate::embedded::tests::put;
use crate::embedded::tests::store_with_bucket;
use crate::embedded::versions;

/// A change that is made among two others, in one transaction; the outcomes of the three.
async fn among_others(
    store: &Store,
    change: impl FnOnce(&mut Tables<'_>) -> Outcome<()> + Send + 'static,
) -> [bool; 3] {
    let (release, held) = mpsc::channel::<()>();
    // The thread is in this one until the others wait.
    let first = store.index.change(move |_| {
        let _ = held.recv();
        Ok(())
    });
    let others = async {
        let before = put(store, "before", vec![1; LARGE]);
        let after = put(store, "after", vec![2; 9]);
        let released = async move { drop(release) };
        let change = store.index.change(change);
        let (before, change, after, ()) = tokio::join!(before, change, after, released);
        [before.is_ok(), change.is_ok(), after.is_ok()]
    };
    let (first, others) = tokio::join!(first, others);
    first.unwrap();
    others
}

/// Makes the record of a version one that cannot be read.
async fn damage(store: &Store, key: &'static str) {
    let damage = move |tables: &mut Tables<'_>| {
        let bucket = buckets::find(&*tables.buckets, BUCKET)?;
        let found = versions::latest(&*tables.versions, bucket.number, key)?;
        let age = found.unwrap().age;
        let place = (bucket.number, key.as_bytes(), age);
        tables.versions.insert(place, [0xff; 9].as_slice())?;
        Ok(())
    };
    store.index.change(damage).await.unwrap();
}

#[tokio::test]
async fn a_change_that_panics_fails_alone_and_the_store_goes_on() {
    let disk = TestDisk::with(Image::default());
    let store = store_with_bucket(&disk).await;
    let outcomes = among_others(&store, |_| panic!("on purpose")).await;
    assert_eq!(outcomes, [true, false, true]);
    put(&store, "later", vec![3; LARGE]).await.unwrap();
    drop(store);
    let store = open(&disk);
    for (key, length) in [("before", LARGE), ("after", 9), ("later", LARGE)] {
        assert_eq!(get(&store, key).await.unwrap().len(), length, "{key}");
    }
}

#[tokio::test]
async fn of_a_change_that_panics_halfway_nothing_stays_and_the_store_goes_on() {
    let disk = TestDisk::with(Image::default());
    let store = store_with_bucket(&disk).await;
    put(&store, "key", vec![1; LARGE]).await.unwrap();
    let halfway = |tables: &mut Tables<'_>| {
        let bucket = buckets::find(&*tables.buckets, BUCKET)?;
        versions::delete(tables, &bucket, "key", 1)?;
        panic!("on purpose")
    };
    let outcome: Outcome<()> = store.index.change(halfway).await;
    let Err(Fault::Storage(error)) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(error.to_string().contains("panicked"), "{error}");
    assert_eq!(get(&store, "key").await.unwrap(), vec![1; LARGE]);
    put(&store, "later", vec![3; 9]).await.unwrap();
    drop(store);
    assert_eq!(get(&open(&disk), "key").await.unwrap(), vec![1; LARGE]);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_fails_its_own_request_alone() {
    let disk = TestDisk::with(Image::default());
    let store = Arc::new(store_with_bucket(&disk).await);
    put(&store, "bad", vec![1; 9]).await.unwrap();
    damage(&store, "bad").await;
    let (release, held) = mpsc::channel::<()>();
    let first = store.index.change(move |_| {
        let _ = held.recv();
        Ok(())
    });
    let (first, before, bad, after, ()) = tokio::join!(
        first,
        put(&store, "before", vec![1; LARGE]),
        delete(&store, "bad"),
        put(&store, "after", vec![3; 9]),
        async move { drop(release) },
    );
    first.unwrap();
    before.unwrap();
    after.unwrap();
    let error = s3s::S3Error::from(bad.unwrap_err());
    let message = error.message().unwrap();
    assert!(message.contains("is damaged"), "{message}");
    assert_eq!(get(&store, "before").await.unwrap().len(), LARGE);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_fails_its_own_key_alone_among_several_that_are_deleted() {
    let disk = TestDisk::with(Image::default());
    let store = store_with_bucket(&disk).await;
    for key in ["before", "bad", "after"] {
        put(&store, key, vec![1; LARGE]).await.unwrap();
    }
    damage(&store, "bad").await;
    let api = Api::of(store.clone());
    let object = |key: &str| format!("<Object><Key>{key}</Key></Object>");
    let objects: String = ["before", "bad", "after"].map(object).concat();
    let list = format!("<Delete>{objects}</Delete>");
    let md5 = STANDARD.encode(digest(list.as_bytes()));
    let uri = format!("/{BUCKET}?delete");
    let answer = api
        .send(Method::POST, &uri, &[("content-md5", &md5)], &list)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(
        answer.body.matches("<Deleted>").count(),
        2,
        "{}",
        answer.body
    );
    let error = answer.body.split("<Error>").nth(1).unwrap();
    assert!(error.contains("<Key>bad</Key>") && error.contains("<Code>InternalError</Code>"));
    for key in ["before", "after"] {
        assert!(get(&store, key).await.is_none(), "{key}");
    }
}
