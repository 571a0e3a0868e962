//! Buckets: created, found, listed and deleted.

use std::ops::RangeInclusive;

use redb::ReadableTable;
use s3s::S3ErrorCode;

use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::record;
use crate::embedded::index::record::Bucket;
use crate::embedded::index::record::Part;
use crate::embedded::index::record::Versioning;
use crate::embedded::index::tables::ConfigurationKey;
use crate::embedded::index::tables::Record;
use crate::embedded::index::tables::Tables;

/// The bucket of that name.
///
/// # Errors
///
/// `NoSuchBucket`.
pub fn find(buckets: &impl ReadableTable<&'static str, Record>, name: &str) -> Outcome<Bucket> {
    match buckets.get(name)? {
        Some(bytes) => record::decode(bytes.value()),
        None => Err(S3ErrorCode::NoSuchBucket.into()),
    }
}

/// All buckets, in the order of their names.
///
/// # Errors
///
/// When the storage fails.
pub fn all(buckets: &impl ReadableTable<&'static str, Record>) -> Outcome<Vec<(String, Bucket)>> {
    let mut all = Vec::new();
    for entry in buckets.iter()? {
        let (name, bytes) = entry?;
        all.push((name.value().to_owned(), record::decode(bytes.value())?));
    }
    Ok(all)
}

/// Creates a bucket, with Object Lock, and then versions, or without; its number.
///
/// # Errors
///
/// `BucketAlreadyOwnedByYou`: all buckets here have one owner.
pub fn create(tables: &mut Tables<'_>, name: &str, lock: bool, now_ms: i64) -> Outcome<u64> {
    if tables.buckets.get(name)?.is_some() {
        return Err(S3ErrorCode::BucketAlreadyOwnedByYou.into());
    }
    let number = tables.next_number()?;
    let bucket = Bucket {
        number,
        created_ms: now_ms,
        versioning: match lock {
            true => Versioning::Enabled,
            false => Versioning::Unversioned,
        },
        lock: lock.then_some(None),
        has_lifecycle: false,
    };
    store(tables, name, &bucket)?;
    Ok(number)
}

/// Replaces what is recorded about a bucket.
///
/// # Errors
///
/// When the storage fails.
pub fn store(tables: &mut Tables<'_>, name: &str, bucket: &Bucket) -> Outcome<()> {
    let bytes = record::encode(bucket)?;
    tables.buckets.insert(name, bytes.as_slice())?;
    Ok(())
}

/// Deletes an empty bucket with its configurations and what was uploaded of unfinished uploads.
///
/// # Errors
///
/// `NoSuchBucket`; `BucketNotEmpty` while there are versions, delete markers included.
pub fn delete(tables: &mut Tables<'_>, name: &str) -> Outcome<()> {
    let bucket = find(&*tables.buckets, name)?;
    let number = bucket.number;
    let mut versions = tables
        .versions
        .range((number, FIRST, 0)..(number + 1, FIRST, 0))?;
    if versions.next().transpose()?.is_some() {
        let and_versions = match bucket.versioning {
            Versioning::Unversioned => "",
            _ => ". You must delete all versions in the bucket.",
        };
        let message = format!("The bucket you tried to delete is not empty{and_versions}");
        return Err(Fault::message(S3ErrorCode::BucketNotEmpty, message));
    }
    drop(versions);
    let mut uploads = Vec::new();
    for entry in tables
        .uploads
        .range((number, FIRST, 0)..(number + 1, FIRST, 0))?
    {
        let (key, _) = entry?;
        let (_, key, upload) = key.value();
        uploads.push((key.to_owned(), upload));
    }
    for (key, upload) in uploads {
        remove_upload(tables, number, &key, upload)?;
    }
    for (kind, id) in configurations(&*tables.configurations, number)? {
        tables
            .configurations
            .remove((number, kind.as_str(), id.as_str()))?;
    }
    tables.buckets.remove(name)?;
    Ok(())
}

/// Removes an upload with its parts.
///
/// # Errors
///
/// When the storage fails.
pub fn remove_upload(
    tables: &mut Tables<'_>,
    bucket: u64,
    key: &[u8],
    upload: u128,
) -> Outcome<()> {
    let mut parts = Vec::new();
    for entry in tables.parts.range(parts_of(upload))? {
        let (key, bytes) = entry?;
        let part: Part = record::decode(bytes.value())?;
        parts.push((key.value().1, part.segments));
    }
    for (number, segments) in parts {
        tables.release(&segments)?;
        tables.parts.remove((upload, number))?;
    }
    tables.uploads.remove((bucket, key, upload))?;
    Ok(())
}

/// The range of the parts of an upload.
#[must_use]
pub fn parts_of(upload: u128) -> RangeInclusive<(u128, u16)> {
    (upload, 0)..=(upload, u16::MAX)
}

/// Kind and id of all configurations of a bucket.
fn configurations(
    table: &impl ReadableTable<ConfigurationKey, Record>,
    bucket: u64,
) -> Outcome<Vec<(String, String)>> {
    let mut all = Vec::new();
    for entry in table.range((bucket, "", "")..(bucket + 1, "", ""))? {
        let (key, _) = entry?;
        let (_, kind, id) = key.value();
        all.push((kind.to_owned(), id.to_owned()));
    }
    Ok(all)
}

/// Whether a new state of versions is one the bucket can take.
///
/// # Errors
///
/// `InvalidBucketState` where a bucket with Object Lock would lose its versions.
pub fn set_versioning(tables: &mut Tables<'_>, name: &str, versioning: Versioning) -> Outcome<()> {
    let mut bucket = find(&*tables.buckets, name)?;
    if bucket.lock.is_some() && versioning != Versioning::Enabled {
        return Err(Fault::message(
            S3ErrorCode::InvalidBucketState,
            "An Object Lock configuration is present on this bucket, so the versioning state cannot be \
             changed.",
        ));
    }
    bucket.versioning = versioning;
    store(tables, name, &bucket)
}

/// The least key.
const FIRST: &[u8] = b"";
