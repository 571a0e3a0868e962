//! Tests of the store without its API: races, crashes, and a failing disk.

mod api;
mod alone;
mod configurations;
mod crash;
mod damage;
mod disk;
mod expiration;
mod faults;
mod images;
mod lifecycle;
mod listings;
mod literals;
mod objects;
mod races;
mod reading;
mod takeover;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use proto::time::SystemClock;

use crate::embedded::disk::Disk;
use crate::embedded::fault::Outcome;
use crate::embedded::index::record::Object;
use crate::embedded::index::record::Part;
use crate::embedded::index::record::Upload;
use crate::embedded::store::Conditions;
use crate::embedded::store::Place;
use crate::embedded::store::Store;
use crate::embedded::tests::disk::TestDisk;
use crate::embedded::uploads;
use crate::embedded::uploads::Chosen;
use crate::embedded::uploads::Completion;
use crate::embedded::uploads::UploadPlace;
use crate::embedded::versions::Written;

/// The bucket of these tests.
const BUCKET: &str = "bucket";

/// More bytes than a body in the index has.
const LARGE: usize = 40 << 10;

fn open(disk: &Arc<TestDisk>) -> Store {
    let disk: Arc<dyn Disk> = Arc::<TestDisk>::clone(disk);
    Store::open(disk, Arc::new(SystemClock)).expect("the store opens whatever was torn")
}

async fn store_with_bucket(disk: &Arc<TestDisk>) -> Store {
    let store = open(disk);
    create_bucket(&store, false).await.unwrap();
    store
}

async fn create_bucket(store: &Store, lock: bool) -> Outcome<()> {
    let create = move |tables: &mut super::index::tables::Tables<'_>| {
        super::buckets::create(tables, BUCKET, lock, 1)?;
        Ok(())
    };
    store.index.change(create).await
}

fn place(key: &str) -> Place {
    Place {
        bucket: BUCKET.to_owned(),
        key: key.to_owned(),
        version: None,
    }
}

async fn put(store: &Store, key: &str, bytes: Vec<u8>) -> Outcome<Written> {
    put_if(store, key, bytes, Conditions::default()).await
}

async fn put_if(
    store: &Store,
    key: &str,
    bytes: Vec<u8>,
    conditions: Conditions,
) -> Outcome<Written> {
    let mut intake = store.intake();
    let object = Object {
        // An envelope in the metadata must stay with its body.
        headers: vec![("x-amz-meta-envelope".to_owned(), digest(&bytes).into())],
        etag: hex::encode(digest(&bytes)),
        ..Object::default()
    };
    for piece in bytes.chunks(16 << 10) {
        intake.push(Bytes::copy_from_slice(piece)).await?;
    }
    let content = intake.finish().await?;
    store.put(place(key), conditions, object, content).await
}

/// The bytes of an object; checks that what is recorded of it belongs to them.
async fn get(store: &Store, key: &str) -> Option<Vec<u8>> {
    let (_, found, reader) = store.open_object(&place(key)).ok()?;
    let object = found.version.object?;
    let pieces = reader.stream(0, object.length).try_collect::<Vec<Bytes>>();
    let bytes = pieces.await.expect("an object opens").concat();
    assert_eq!(bytes.len() as u64, object.length);
    if let Some((_, envelope)) = object.headers.first() {
        assert_eq!(*envelope, digest(&bytes), "the envelope of another write");
    }
    Some(bytes)
}

async fn delete(store: &Store, key: &str) -> Outcome<Written> {
    store.delete(place(key), None, false).await
}

async fn begin_upload(store: &Store, key: &str) -> Outcome<UploadPlace> {
    let upload = Upload {
        created_ms: 1,
        object: Object::default(),
        algorithm: None,
        is_composite: false,
    };
    Ok(UploadPlace {
        bucket: BUCKET.to_owned(),
        key: key.to_owned(),
        upload: uploads::create(store, BUCKET.to_owned(), key.to_owned(), upload).await?,
    })
}

async fn put_part(
    store: &Store,
    place: &UploadPlace,
    number: u16,
    bytes: Vec<u8>,
) -> Outcome<Chosen> {
    let etag = hex::encode(digest(&bytes));
    let mut intake = store.intake();
    intake.push(Bytes::from(bytes)).await?;
    let part = Part {
        modified_ms: 1,
        length: 0,
        etag: etag.clone(),
        segments: Vec::new(),
        checksum: None,
    };
    let content = intake.finish().await?;
    uploads::put_part(store, place.clone(), number, part, content).await?;
    Ok(Chosen {
        number,
        etag,
        checksum: None,
    })
}

async fn complete(store: &Store, place: &UploadPlace, parts: Vec<Chosen>) -> Outcome<()> {
    let completion = Completion {
        parts,
        ..Completion::default()
    };
    uploads::complete(store, place.clone(), completion).await?;
    Ok(())
}

/// Sixteen bytes that tell other bytes apart.
fn digest(bytes: &[u8]) -> Vec<u8> {
    use md5::Digest as _;
    md5::Md5::digest(bytes).to_vec()
}
