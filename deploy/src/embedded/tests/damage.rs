//! Damage to the files of a store: it is found, and costs no more than what is on it.

use std::sync::Arc;

use proto::time::SystemClock;

use crate::embedded;
use crate::embedded::disk::Disk;
use crate::embedded::disk::Durability;
use crate::embedded::index::Damage;
use crate::embedded::store::Store;
use crate::embedded::tests::LARGE;
use crate::embedded::tests::api::Api;
use crate::embedded::tests::disk::Image;
use crate::embedded::tests::disk::TestDisk;
use crate::embedded::tests::get;
use crate::embedded::tests::put;
use crate::embedded::tests::store_with_bucket;

const SMALL_OBJECTS: u8 = 40;

fn key(number: u8) -> String {
    format!("key-{number}")
}

/// What is on the disk of a store with small objects, and one called `large`.
async fn written() -> Image {
    let disk = TestDisk::with(Image::default());
    let store = store_with_bucket(&disk).await;
    for number in 0..SMALL_OBJECTS {
        put(&store, &key(number), vec![number; 2_000])
            .await
            .unwrap();
    }
    put(&store, "large", vec![7; LARGE]).await.unwrap();
    drop(store);
    image_of(&disk)
}

/// What is on a disk.
fn image_of(disk: &TestDisk) -> Image {
    let mut image = Image::default();
    disk.acts().iter().for_each(|act| image.apply(act));
    image
}

fn open(image: Image, damage: Damage) -> Result<Store, String> {
    let disk: Arc<dyn Disk> = TestDisk::with(image);
    let store = Store::open_with(disk, Arc::new(SystemClock), damage);
    store.map_err(|fault| fault.to_string())
}

#[tokio::test]
async fn an_index_with_a_damaged_page_is_refused_or_has_lost_nothing() {
    let image = written().await;
    let mut refused = 0;
    for page in (0..image.index.len()).step_by(PAGE) {
        let mut damaged = image.clone();
        for byte in damaged.index.iter_mut().skip(page).take(16) {
            *byte ^= 0x41;
        }
        match open(damaged, Damage::Refused) {
            Err(text) => {
                assert!(text.contains("index.redb"), "page {page}: {text}");
                refused += 1;
            }
            Ok(store) => {
                for number in 0..SMALL_OBJECTS {
                    let bytes = get(&store, &key(number)).await;
                    assert_eq!(bytes, Some(vec![number; 2_000]), "page {page}");
                }
                assert_eq!(get(&store, "large").await, Some(vec![7; LARGE]));
            }
        }
    }
    // The pages with the small objects, at least.
    let pages = usize::from(SMALL_OBJECTS) * 2_000 / PAGE;
    assert!(refused >= pages, "{refused} of {pages}");
}

#[tokio::test]
async fn what_can_be_read_of_a_damaged_index_is_read_where_the_damage_is_accepted() {
    let image = written().await;
    let bytes = [9; 2_000];
    let found = image.index.windows(bytes.len()).position(|it| it == bytes);
    let mut damaged = image.clone();
    damaged.index[found.unwrap() + 1_000] ^= 1;
    let refusal = open(damaged.clone(), Damage::Refused).err().unwrap();
    assert!(refusal.contains("accept_damage"), "{refusal}");
    let store = open(damaged, Damage::Accepted).unwrap();
    for number in (0..SMALL_OBJECTS).filter(|it| *it != 9) {
        let bytes = get(&store, &key(number)).await;
        assert_eq!(bytes, Some(vec![number; 2_000]));
    }
}

#[tokio::test]
async fn an_object_whose_file_is_gone_or_cut_off_is_an_error_and_the_others_are_read() {
    let disk = TestDisk::with(Image::default());
    let api = Api::of(store_with_bucket(&disk).await);
    for (uri, body) in [
        ("/bucket/large", "x".repeat(LARGE)),
        ("/bucket/small", String::new()),
    ] {
        assert_eq!(api.put(uri, &[], &body).await.status, 200);
    }
    drop(api);
    for length in [None, Some(0), Some(LARGE - 1)] {
        let mut image = image_of(&disk);
        let file = *image.files.keys().next().unwrap();
        match length {
            None => drop(image.files.remove(&file)),
            Some(length) => image.files.get_mut(&file).unwrap().truncate(length),
        }
        let api = Api::of(open(image, Damage::Refused).unwrap());
        let answer = api.get("/bucket/large").await;
        answer.has(500, "<Code>InternalError</Code>");
        let name = format!("bodies/{:08x}/{:016x}", file.folder, file.file);
        answer.has(500, &name);
        assert_eq!(api.get("/bucket/small").await.status, 200);
        api.get("/bucket").await.has(200, "<Key>large</Key>");
    }
}

#[tokio::test]
async fn damage_to_the_header_of_a_settled_index_takes_no_acknowledged_change_back() {
    let disk = TestDisk::with(Image::default());
    let store = store_with_bucket(&disk).await;
    put(&store, "first", vec![1]).await.unwrap();
    put(&store, "last", vec![2]).await.unwrap();
    store.settle().await;
    let image = image_of(&disk);
    drop(store);
    for byte in 0..HEADER_BYTES {
        let mut damaged = image.clone();
        damaged.index[byte] ^= 0x41;
        if let Ok(store) = open(damaged, Damage::Refused) {
            assert_eq!(get(&store, "last").await, Some(vec![2]), "byte {byte}");
        }
    }
}

/// The length of what redb has before its pages, in bytes.
const HEADER_BYTES: usize = 320;

/// The length of a page of the index, in bytes.
const PAGE: usize = 4096;

#[tokio::test]
async fn an_index_that_is_lost_after_the_first_start_is_refused_though_no_body_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let open = || embedded::open(folder.path(), Durability::Full, Arc::new(SystemClock));
    drop(open().unwrap());
    std::fs::remove_file(folder.path().join("index.redb")).unwrap();
    let error = open().map(drop).unwrap_err().to_string();
    assert!(error.contains("index.redb, is missing or empty"), "{error}");
}
