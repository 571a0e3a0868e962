//! Many at once: one wins, and nobody's bytes end up under another's name.

use crate::embedded::fault::Fault;
use crate::embedded::store::Conditions;
use crate::embedded::tests::LARGE;
use crate::embedded::tests::begin_upload;
use crate::embedded::tests::complete;
use crate::embedded::tests::digest;
use crate::embedded::tests::disk::Image;
use crate::embedded::tests::disk::TestDisk;
use crate::embedded::tests::get;
use crate::embedded::tests::place;
use crate::embedded::tests::put;
use crate::embedded::tests::put_if;
use crate::embedded::tests::put_part;
use crate::embedded::tests::store_with_bucket;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_puts_of_one_key_leave_one_of_the_two() {
    let disk = TestDisk::with(Image::default());
    let store = store_with_bucket(&disk).await;
    for round in 0..100_u8 {
        let (one, other) = (vec![round; LARGE + 1], vec![!round; 30]);
        let (first, second) = tokio::join!(
            tokio::spawn({
                let (store, bytes) = (store.clone(), one.clone());
                async move { put(&store, "hot", bytes).await }
            }),
            tokio::spawn({
                let (store, bytes) = (store.clone(), other.clone());
                async move { put(&store, "hot", bytes).await }
            })
        );
        first.unwrap().unwrap();
        second.unwrap().unwrap();
        let left = get(&store, "hot").await.unwrap();
        assert!(left == one || left == other, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_create_a_key_exactly_one_does() {
    let disk = TestDisk::with(Image::default());
    let store = store_with_bucket(&disk).await;
    for round in 0..50 {
        let key = format!("key{round}");
        let creators = (0..8_u8).map(|number| {
            let (store, key) = (store.clone(), key.clone());
            tokio::spawn(async move {
                let conditions = Conditions {
                    none_match: Some("*".to_owned()),
                    ..Conditions::default()
                };
                put_if(&store, &key, vec![number; LARGE], conditions).await
            })
        });
        let mut winners = Vec::new();
        for (number, creator) in creators.collect::<Vec<_>>().into_iter().enumerate() {
            match creator.await.unwrap() {
                Ok(_) => winners.push(u8::try_from(number).unwrap()),
                Err(Fault::Refused(error)) => {
                    assert_eq!(error.code().as_str(), "PreconditionFailed")
                }
                Err(fault) => panic!("{fault:?}"),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        assert_eq!(get(&store, &key).await.unwrap()[0], winners[0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_delete_a_key_on_its_etag_exactly_one_does() {
    let disk = TestDisk::with(Image::default());
    let store = store_with_bucket(&disk).await;
    for (round, condition) in [None, Some("*")].into_iter().cycle().take(50).enumerate() {
        let key = format!("key{round}");
        put(&store, &key, vec![1; 9]).await.unwrap();
        let etag = hex::encode(digest(&[1; 9]));
        let deletions = (0..8).map(|_| {
            let (store, place) = (store.clone(), place(&key));
            let etag = Some(condition.map_or(etag.clone(), str::to_owned));
            tokio::spawn(async move { store.delete(place, etag, false).await })
        });
        let mut deleted = 0;
        for deletion in deletions.collect::<Vec<_>>() {
            match deletion.await.unwrap() {
                Ok(_) => deleted += 1,
                Err(Fault::Refused(error)) => assert_eq!(error.code().as_str(), "NoSuchKey"),
                Err(fault) => panic!("{fault:?}"),
            }
        }
        assert_eq!(deleted, 1, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_part_that_comes_while_its_upload_is_completed_does_not_get_into_the_object() {
    let disk = TestDisk::with(Image::default());
    let store = store_with_bucket(&disk).await;
    for round in 0..100 {
        let place = begin_upload(&store, "key").await.unwrap();
        let part = put_part(&store, &place, 1, vec![1; LARGE]).await.unwrap();
        let (completed, replaced) = tokio::join!(
            tokio::spawn({
                let (store, place) = (store.clone(), place.clone());
                async move { complete(&store, &place, vec![part]).await }
            }),
            tokio::spawn({
                let (store, place) = (store.clone(), place.clone());
                async move { put_part(&store, &place, 1, vec![2; LARGE]).await }
            })
        );
        match (completed.unwrap(), replaced.unwrap()) {
            // The part came too late: there is no upload any more.
            (Ok(()), Err(Fault::Refused(error))) => {
                assert_eq!(error.code().as_str(), "NoSuchUpload", "round {round}");
                assert_eq!(get(&store, "key").await.unwrap(), vec![1; LARGE]);
            }
            // It came first: the completion names another part than there is.
            (Err(Fault::Refused(error)), Ok(_)) => {
                assert_eq!(error.code().as_str(), "InvalidPart", "round {round}");
            }
            outcome => panic!("round {round}: {outcome:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_object_is_read_to_its_end_while_it_is_overwritten() {
    let disk = TestDisk::with(Image::default());
    let store = store_with_bucket(&disk).await;
    put(&store, "hot", vec![0; 700 << 10]).await.unwrap();
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for round in 0..100_u8 {
                put(&store, "hot", vec![round; 700 << 10]).await.unwrap();
            }
        }
    });
    while !writer.is_finished() {
        // Checks that the bytes are those of one write.
        get(&store, "hot").await.unwrap();
    }
    writer.await.unwrap();
}
