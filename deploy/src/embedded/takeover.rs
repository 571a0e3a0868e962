//! Takes over what an earlier embedded backend stored, once: it wrote each object as a file of its
//! name (see [`former`]).
//!
//! An object's files are removed after the object is durably in the index, and nothing is served
//! before all are. So an interrupted takeover goes on at the next start, and nothing is lost.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use md5::Digest as _;
use md5::Md5;
use s3s::S3Error;

use crate::embedded::buckets;
use crate::embedded::content::Content;
use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::record::Object;
use crate::embedded::index::tables::Tables;
use crate::embedded::store;
use crate::embedded::store::Store;
use crate::embedded::takeover::former::Former;
use crate::embedded::takeover::former::FormerObject;
use crate::embedded::versions;

mod former;

/// Takes over all buckets and objects in the folder `from`, and removes it; the number of objects. A
/// folder that is not there has none.
///
/// # Errors
///
/// When the disk fails, or a file is none that the earlier backend wrote.
pub async fn run(store: &Store, from: &Path) -> anyhow::Result<u64> {
    if !from.exists() {
        return Ok(0);
    }
    let context = || format!("taking over the objects in {}", from.display());
    let former = Former::open(from).with_context(context)?;
    let mut count: u64 = 0;
    for bucket in former.buckets().with_context(context)? {
        create_bucket(store, &bucket.name, bucket.created_ms)
            .await
            .map_err(error)
            .with_context(context)?;
        let objects = former.objects(&bucket.name).with_context(context)?;
        let bucket = &bucket.name;
        let taken = stream::iter(objects).map(|object| async move {
            let object = object.with_context(context)?;
            let taken = take(store, bucket, &object).await.map_err(error);
            taken.with_context(|| format!("taking over {}", object.path.display()))?;
            object.remove().with_context(context)
        });
        // Together, so that they share commits.
        let mut taken = taken.buffer_unordered(TAKEN_AT_A_TIME);
        while let Some(taken) = taken.next().await {
            taken?;
            count += 1;
        }
    }
    former.remove().with_context(context)?;
    tracing::info!(count, folder = %from.display(), "objects of an earlier version were taken over");
    Ok(count)
}

/// Creates a bucket, unless an interrupted takeover did; its number.
async fn create_bucket(store: &Store, name: &str, created_ms: i64) -> Outcome<u64> {
    let name = name.to_owned();
    let create = move |tables: &mut Tables<'_>| match buckets::find(&*tables.buckets, &name) {
        Err(Fault::Refused(_)) => buckets::create(tables, &name, false, created_ms),
        found => found.map(|bucket| bucket.number),
    };
    store.index.change(create).await
}

/// Makes an object of the index of a file, unless an interrupted takeover did.
async fn take(store: &Store, bucket: &str, former: &FormerObject) -> Outcome<()> {
    let (bucket, key, modified_ms) = (bucket.to_owned(), former.key.clone(), former.modified_ms);
    let known = store.index.read(|snapshot| {
        let bucket = buckets::find(&snapshot.buckets()?, &bucket)?;
        versions::latest(&snapshot.versions()?, bucket.number, &key)
    })?;
    if known.is_some_and(|known| known.version.modified_ms >= modified_ms) {
        return Ok(());
    }
    let (content, md5) = read(store, &former.path).await?;
    let object = Object {
        etag: former.etag.clone().unwrap_or(md5),
        headers: former.headers.clone(),
        checksum: former.checksum.clone(),
        ..Object::default()
    };
    let take = move |tables: &mut Tables<'_>| {
        let bucket = buckets::find(&*tables.buckets, &bucket)?;
        store::write(tables, &bucket, &key, object, content, modified_ms)
    };
    store.index.change(take).await?;
    Ok(())
}

/// The bytes of a file, and their MD5 in hexadecimal.
async fn read(store: &Store, path: &Path) -> Outcome<(Content, String)> {
    let mut file = File::open(path)?;
    let mut intake = store.intake();
    let mut md5 = Md5::new();
    loop {
        let mut buffer = vec![0; READ_BYTES];
        let length = file.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        buffer.truncate(length);
        md5.update(&buffer);
        intake.push(Bytes::from(buffer)).await?;
    }
    Ok((intake.finish().await?, hex::encode(md5.finalize())))
}

fn error(fault: Fault) -> anyhow::Error {
    anyhow::Error::new(S3Error::from(fault))
}

/// Removes a file. One that is not there is no error.
fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// How many objects are taken over at a time.
const TAKEN_AT_A_TIME: usize = 32;

/// How many bytes are read at a time.
const READ_BYTES: usize = 1 << 20;
