//! Carries out lifecycle rules: expires and removes versions, aborts uploads.
//!
//! What is due is searched in a snapshot, page by page, and judged again within the transaction that
//! carries it out: an object that was overwritten meanwhile stays, and so does what a lock protects.

use std::time::Duration;

use redb::ReadableTable;
use tokio_util::sync::CancellationToken;

use crate::embedded::buckets;
use crate::embedded::configurations;
use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::record;
use crate::embedded::index::record::Bucket;
use crate::embedded::index::record::Upload;
use crate::embedded::index::record::Version;
use crate::embedded::index::tables::Record;
use crate::embedded::index::tables::Snapshot;
use crate::embedded::index::tables::Tables;
use crate::embedded::index::tables::VersionKey;
use crate::embedded::lifecycle::Action;
use crate::embedded::lifecycle::Lifecycle;
use crate::embedded::store::Store;
use crate::embedded::versions;

/// Carries out what is due now, and then every hour until `stop`.
pub async fn run(store: Store, stop: CancellationToken) {
    loop {
        match apply(&store).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "lifecycle rules were carried out"),
            Err(fault) => tracing::warn!(?fault, "lifecycle rules could not be carried out"),
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Carries out what is due by the store's clock; the number of versions that expired or were removed
/// and of uploads that were aborted.
///
/// # Errors
///
/// When the storage fails.
pub async fn apply(store: &Store) -> Outcome<u64> {
    let all = store
        .index
        .read(|snapshot| buckets::all(&snapshot.buckets()?))?;
    let mut count: u64 = 0;
    for (name, bucket) in all {
        if bucket.has_lifecycle {
            count = count.saturating_add(apply_to_versions(store, &name, &bucket).await?);
            count = count.saturating_add(apply_to_uploads(store, &name, &bucket).await?);
        }
    }
    Ok(count)
}

async fn apply_to_versions(store: &Store, name: &str, bucket: &Bucket) -> Outcome<u64> {
    let (number, now_ms) = (bucket.number, store.now_ms());
    let mut start = Some(String::new());
    let mut count: u64 = 0;
    while let Some(from) = start {
        let searched = search(store, move |snapshot| {
            search_keys(snapshot, number, &from, now_ms)
        });
        let (keys, next) = searched.await?;
        for some in keys.chunks(CHANGES_MAX) {
            let (name, keys) = (name.to_owned(), some.to_vec());
            let change = move |tables: &mut Tables<'_>| {
                let mut count: u64 = 0;
                for key in &keys {
                    count = count.saturating_add(apply_to_key(tables, &name, number, key, now_ms)?);
                }
                Ok(count)
            };
            count = count.saturating_add(store.index.change(change).await?);
        }
        start = next;
    }
    Ok(count)
}

/// Carries out what is due for a key.
fn apply_to_key(
    tables: &mut Tables<'_>,
    name: &str,
    number: u64,
    key: &str,
    now_ms: i64,
) -> Outcome<u64> {
    let Some((bucket, lifecycle)) = configured(tables, name, number)? else {
        return Ok(0);
    };
    let found = versions_of(&*tables.versions, number, key)?;
    let mut count = 0;
    for action in lifecycle.due(key, &found, now_ms) {
        let made = match action {
            Action::Expire => versions::delete(tables, &bucket, key, now_ms),
            Action::Remove(id) => versions::delete_version(tables, &bucket, key, id, false, now_ms),
        };
        match made {
            Ok(_) => count += 1,
            // A lock protects it.
            Err(Fault::Refused(_)) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(count)
}

async fn apply_to_uploads(store: &Store, name: &str, bucket: &Bucket) -> Outcome<u64> {
    let (number, now_ms) = (bucket.number, store.now_ms());
    let due = search(store, move |snapshot| {
        search_uploads(snapshot, number, now_ms)
    });
    let mut count: u64 = 0;
    for some in due.await?.chunks(CHANGES_MAX) {
        let (name, uploads) = (name.to_owned(), some.to_vec());
        let change = move |tables: &mut Tables<'_>| {
            let mut count: u64 = 0;
            for (key, upload) in &uploads {
                let is_due = abort(tables, &name, number, (key, *upload), now_ms)?;
                count = count.saturating_add(u64::from(is_due));
            }
            Ok(count)
        };
        count = count.saturating_add(store.index.change(change).await?);
    }
    Ok(count)
}

/// Aborts an upload, if that is due.
fn abort(
    tables: &mut Tables<'_>,
    name: &str,
    number: u64,
    (key, upload): (&str, u128),
    now_ms: i64,
) -> Outcome<bool> {
    let Some((_, lifecycle)) = configured(tables, name, number)? else {
        return Ok(false);
    };
    let bytes = tables.uploads.get((number, key.as_bytes(), upload))?;
    let found = bytes.map(|bytes| record::decode::<Upload>(bytes.value()));
    let Some(found) = found.transpose()? else {
        return Ok(false);
    };
    let is_due = is_over(lifecycle.abort(key, found.created_ms), now_ms);
    if is_due {
        buckets::remove_upload(tables, number, key.as_bytes(), upload)?;
    }
    Ok(is_due)
}

/// The bucket and its rules, unless it lost them or is another of its name by now.
fn configured(
    tables: &Tables<'_>,
    name: &str,
    number: u64,
) -> Outcome<Option<(Bucket, Lifecycle)>> {
    let bucket = match buckets::find(&*tables.buckets, name) {
        Ok(bucket) if bucket.number == number => bucket,
        Ok(_) | Err(Fault::Refused(_)) => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let lifecycle = configurations::find(&*tables.configurations, number)?;
    Ok(lifecycle.map(|lifecycle| (bucket, lifecycle)))
}

/// Searches a snapshot off the asynchronous threads.
async fn search<T: Send + 'static>(
    store: &Store,
    search: impl FnOnce(&Snapshot) -> Outcome<T> + Send + 'static,
) -> Outcome<T> {
    let index = store.index.clone();
    let searched = tokio::task::spawn_blocking(move || index.read(search));
    searched.await.map_err(std::io::Error::other)?
}

/// Keys from `start` on for which something is due, of a page of versions; and where the next begins.
fn search_keys(
    snapshot: &Snapshot,
    bucket: u64,
    start: &str,
    now_ms: i64,
) -> Outcome<(Vec<String>, Option<String>)> {
    let configuration = configurations::find(&snapshot.configurations()?, bucket)?;
    let lifecycle: Lifecycle = match configuration {
        Some(lifecycle) => lifecycle,
        None => return Ok((Vec::new(), None)),
    };
    let mut due = Vec::new();
    let (mut key, mut of_key): (String, Vec<Version>) = (start.to_owned(), Vec::new());
    let mut judge = |key: &str, of_key: &[Version]| {
        if !lifecycle.due(key, of_key, now_ms).is_empty() {
            due.push(key.to_owned());
        }
    };
    let table = snapshot.versions()?;
    let range = (bucket, start.as_bytes(), 0)..(bucket + 1, &b""[..], 0);
    for (count, entry) in table.range(range)?.enumerate() {
        let (place, bytes) = entry?;
        let (_, own, _) = place.value();
        if own != key.as_bytes() {
            judge(&key, &of_key);
            of_key.clear();
            key = text(own)?;
            if count >= PAGE_MAX {
                return Ok((due, Some(key)));
            }
        }
        of_key.push(record::decode(bytes.value())?);
    }
    judge(&key, &of_key);
    Ok((due, None))
}

/// Uploads that are to be aborted, with their keys.
fn search_uploads(snapshot: &Snapshot, bucket: u64, now_ms: i64) -> Outcome<Vec<(String, u128)>> {
    let configuration = configurations::find(&snapshot.configurations()?, bucket)?;
    let lifecycle: Lifecycle = match configuration {
        Some(lifecycle) => lifecycle,
        None => return Ok(Vec::new()),
    };
    let mut due = Vec::new();
    let table = snapshot.uploads()?;
    for entry in table.range((bucket, &b""[..], 0)..(bucket + 1, &b""[..], 0))? {
        let (place, bytes) = entry?;
        let (_, key, upload) = place.value();
        let (key, found): (String, Upload) = (text(key)?, record::decode(bytes.value())?);
        if is_over(lifecycle.abort(&key, found.created_ms), now_ms) {
            due.push((key, upload));
        }
    }
    Ok(due)
}

/// The versions of a key, the newest first.
fn versions_of(
    table: &impl ReadableTable<VersionKey, Record>,
    bucket: u64,
    key: &str,
) -> Outcome<Vec<Version>> {
    let mut found = Vec::new();
    let key = key.as_bytes();
    for entry in table.range((bucket, key, 0)..=(bucket, key, u64::MAX))? {
        let (_, bytes) = entry?;
        found.push(record::decode(bytes.value())?);
    }
    Ok(found)
}

fn is_over(end: Option<(i64, &str)>, now_ms: i64) -> bool {
    end.is_some_and(|(end, _)| end <= now_ms)
}

fn text(key: &[u8]) -> Outcome<String> {
    String::from_utf8(key.to_vec()).map_err(Fault::damaged)
}

/// Time between two runs.
const PERIOD: Duration = Duration::from_secs(3_600);

/// How many versions are searched at a time, but for the rest of a key's.
const PAGE_MAX: usize = 1_000;

/// Most keys or uploads in one transaction, for which others wait.
const CHANGES_MAX: usize = 100;
