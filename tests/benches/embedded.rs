//! The embedded backend by itself: many objects, and rates.
//!
//!     cargo bench -p tests --bench embedded              # a million objects: minutes, 1 GB of disk
//!     cargo bench -p tests --bench embedded -- --smoke   # a thousand; proves that it runs
//!
//! Prints how long a start takes, after a stop and after a crash; a page of 1,000 keys; how much memory
//! the process has then; and how many objects of 4 KiB 32 clients write and read a second, each write
//! synced. The times of pages and starts hold by themselves, rates in comparison only.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use proto::time::SystemClock;
use sealgate::embedded;
use sealgate::embedded::buckets;
use sealgate::embedded::disk::Durability;
use sealgate::embedded::index::record::Object;
use sealgate::embedded::index::tables::Tables;
use sealgate::embedded::list;
use sealgate::embedded::list::Query;
use sealgate::embedded::list::Start;
use sealgate::embedded::store::Conditions;
use sealgate::embedded::store::Place;
use sealgate::embedded::store::Store;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BUCKET: &str = "bench";
const CLIENTS: usize = 32;

fn main() {
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    let after = std::env::args().skip_while(|argument| argument != "--objects");
    let chosen = after.skip(1).find_map(|number| number.parse().ok());
    let objects = chosen.unwrap_or(if smoke { 1_000 } else { 1_000_000 });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run(objects));
}

async fn run(objects: usize) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Durability::None);
    let create = |tables: &mut Tables<'_>| buckets::create(tables, BUCKET, false, 1);
    store.index.change(create).await.unwrap();
    fill(&store, objects).await;
    // What a crash leaves: the files of a store that is open, while it writes and a second later.
    let (crashed, at_rest) = (copy(folder.path()), {
        tokio::time::sleep(Duration::from_secs(1)).await;
        copy(folder.path())
    });
    drop(store);
    // What was written without syncs is not part of a start.
    for folder in [&folder, &crashed, &at_rest] {
        let index = fs::File::open(folder.path().join("index.redb"));
        index.unwrap().sync_all().unwrap();
    }

    println!("{objects} objects");
    let mut opened = None;
    for (what, folder) in [
        ("start after a crash, ms", &crashed),
        ("start after a crash at rest, ms", &at_rest),
        ("start after a stop, ms", &folder),
    ] {
        drop(opened.take());
        let begun = Instant::now();
        opened = Some(open(folder.path(), Durability::Full));
        row(what, begun.elapsed());
    }
    let store = opened.unwrap();
    for (what, prefix, after) in [
        ("a page at the beginning, ms", "", ""),
        ("a page in the middle, ms", "", "dir0500/"),
        ("a page of prefixes, ms", "/", ""),
    ] {
        row(what, page(&store, prefix, after));
    }
    println!("{:34} {:10.1}", "memory, MiB", resident_mib());
    let each = objects.min(20_000) / CLIENTS;
    let begun = Instant::now();
    together(&store, each, |store, key| async move {
        put(&store, &key, Bytes::from(vec![7; 4_096])).await;
    })
    .await;
    rate("PUT of 4 KiB, a second", each, begun.elapsed());
    let begun = Instant::now();
    together(&store, each, |store, key| async move {
        get(&store, &key).await;
    })
    .await;
    rate("GET of 4 KiB, a second", each, begun.elapsed());
}

fn open(folder: &Path, durability: Durability) -> Store {
    embedded::open(folder, durability, Arc::new(SystemClock)).unwrap()
}

/// The index of a store, in a folder of its own.
fn copy(folder: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    fs::copy(folder.join("index.redb"), to.path().join("index.redb")).unwrap();
    to
}

/// Objects in a thousand folders, each with a kilobyte of metadata.
async fn fill(store: &Store, objects: usize) {
    let each = objects / CLIENTS;
    let writers = (0..CLIENTS).map(|client| {
        let store = store.clone();
        tokio::spawn(async move {
            for number in 0..each {
                let number = client * each + number;
                let key = format!("dir{:04}/key{number:08}", number % 1_000);
                put(&store, &key, Bytes::new()).await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

async fn together<F: Future<Output = ()> + Send + 'static>(
    store: &Store,
    each: usize,
    work: impl Fn(Store, String) -> F + Send + Copy + 'static,
) {
    let clients = (0..CLIENTS).map(|client| {
        let store = store.clone();
        tokio::spawn(async move {
            for number in 0..each {
                work(store.clone(), format!("rate/{client}/{number}")).await;
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
}

fn place(key: &str) -> Place {
    Place {
        bucket: BUCKET.to_owned(),
        key: key.to_owned(),
        version: None,
    }
}

async fn put(store: &Store, key: &str, bytes: Bytes) {
    let mut intake = store.intake();
    intake.push(bytes).await.unwrap();
    let object = Object {
        etag: "d41d8cd98f00b204e9800998ecf8427e".to_owned(),
        headers: vec![(
            "x-amz-meta-envelope".to_owned(),
            serde_bytes::ByteBuf::from(vec![b'e'; 300]),
        )],
        ..Object::default()
    };
    let content = intake.finish().await.unwrap();
    let put = store.put(place(key), Conditions::default(), object, content);
    put.await.unwrap();
}

async fn get(store: &Store, key: &str) {
    let (_, found, reader) = store.open_object(&place(key)).unwrap();
    let length = found.version.object.unwrap().length;
    let pieces: Vec<Bytes> = reader.stream(0, length).try_collect().await.unwrap();
    assert_eq!(pieces.concat().len(), 4_096);
}

/// The median time of a page of 1,000.
fn page(store: &Store, delimiter: &str, after: &str) -> Duration {
    let query = Query {
        delimiter: delimiter.to_owned(),
        max: 1_000,
        ..Query::default()
    };
    let mut times: Vec<Duration> = (0..21)
        .map(|_| {
            let start = match after {
                "" => Start::Beginning,
                after => Start::After(after.to_owned()),
            };
            let begun = Instant::now();
            let listed = store.index.read(|snapshot| {
                let bucket = buckets::find(&snapshot.buckets()?, BUCKET)?;
                list::objects(&snapshot.versions()?, bucket.number, &query, start)
            });
            assert!(listed.is_ok());
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

fn row(what: &str, time: Duration) {
    println!("{what:34} {:10.1}", time.as_secs_f64() * 1_000.0);
}

fn rate(what: &str, each: usize, time: Duration) {
    let all = u32::try_from(each * CLIENTS).unwrap();
    println!("{what:34} {:10.0}", f64::from(all) / time.as_secs_f64());
}

/// What the process has in memory.
fn resident_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1_024.0
}
