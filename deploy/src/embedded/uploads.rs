//! Uploads in parts: created, filled, completed and aborted.

use std::collections::HashSet;

use md5::Digest as _;
use md5::Md5;
use redb::ReadableTable;
use s3s::S3ErrorCode;

use crate::embedded::buckets;
use crate::embedded::checksums;
use crate::embedded::content::Content;
use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::record;
use crate::embedded::index::record::Bucket;
use crate::embedded::index::record::Object;
use crate::embedded::index::record::ObjectPart;
use crate::embedded::index::record::Part;
use crate::embedded::index::record::Upload;
use crate::embedded::index::tables::Record;
use crate::embedded::index::tables::Snapshot;
use crate::embedded::index::tables::Tables;
use crate::embedded::index::tables::UploadKey;
use crate::embedded::lock;
use crate::embedded::store::Conditions;
use crate::embedded::store::Store;
use crate::embedded::versions;
use crate::embedded::versions::Written;

/// An upload of a key in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadPlace {
    /// The bucket's name.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The upload.
    pub upload: u128,
}

/// A part that an object is completed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Its number.
    pub number: u16,
    /// The ETag it must have.
    pub etag: String,
    /// The checksum it must have, in base64, if one is named.
    pub checksum: Option<String>,
}

/// How an upload is completed.
#[derive(Clone, Debug, Default)]
pub struct Completion {
    /// Its parts, in order.
    pub parts: Vec<Chosen>,
    /// What must hold of the key.
    pub conditions: Conditions,
    /// How long the object must be, if that is named.
    pub length: Option<u64>,
    /// The checksum that the object must have, if one is named.
    pub checksum: Option<String>,
}

/// An upload's id as clients see it.
#[must_use]
pub fn show(upload: u128) -> String {
    format!("{upload:032x}")
}

/// The upload that a client names.
///
/// # Errors
///
/// `NoSuchUpload` for what never was an id here.
pub fn parse(text: &str) -> Outcome<u128> {
    let id = match text.len() {
        32 => u128::from_str_radix(text, 16).ok(),
        _ => None,
    };
    id.filter(|id| show(*id) == text)
        .ok_or_else(|| S3ErrorCode::NoSuchUpload.into())
}

/// Creates an upload; its id.
///
/// # Errors
///
/// `NoSuchBucket`; `InvalidRequest` for a lock in a bucket without Object Lock.
pub async fn create(store: &Store, bucket: String, key: String, upload: Upload) -> Outcome<u128> {
    let create = move |tables: &mut Tables<'_>| {
        let bucket = buckets::find(&*tables.buckets, &bucket)?;
        lock::lock_new(&mut upload.object.clone(), &bucket, upload.created_ms)?;
        let number = tables.next_number()?;
        let random = getrandom::u64().map_err(|error| Fault::Storage(error.to_string().into()))?;
        let id = (u128::from(number) << 64) | u128::from(random);
        let bytes = record::encode(&upload)?;
        tables
            .uploads
            .insert((bucket.number, key.as_bytes(), id), bytes.as_slice())?;
        Ok(id)
    };
    store.index.change(create).await
}

/// Whether an upload of this id is of another key than this one.
///
/// # Errors
///
/// When the storage fails.
pub fn is_of_another_key(
    table: &impl ReadableTable<UploadKey, Record>,
    bucket: u64,
    key: &str,
    id: u128,
) -> Outcome<bool> {
    if table.get((bucket, key.as_bytes(), id))?.is_some() {
        return Ok(false);
    }
    for entry in table.range((bucket, &b""[..], 0)..(bucket + 1, &b""[..], 0))? {
        if entry?.0.value().2 == id {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The upload with its parts whose numbers are above `after`, at most `max` and one more.
///
/// # Errors
///
/// `NoSuchBucket`, `NoSuchUpload`.
pub fn list_parts(
    snapshot: &Snapshot,
    place: &UploadPlace,
    after: u16,
    max: usize,
) -> Outcome<(Upload, Vec<(u16, Part)>)> {
    let bucket = buckets::find(&snapshot.buckets()?, &place.bucket)?;
    let upload = find(&snapshot.uploads()?, &bucket, place)?;
    let table = snapshot.parts()?;
    let range = (place.upload, after.saturating_add(1))..=(place.upload, u16::MAX);
    let mut parts = Vec::new();
    for entry in table.range(range)?.take(max.saturating_add(1)) {
        let (key, bytes) = entry?;
        parts.push((key.value().1, record::decode(bytes.value())?));
    }
    Ok((upload, parts))
}

/// What is recorded of an upload.
///
/// # Errors
///
/// `NoSuchUpload`.
pub fn find(
    uploads: &impl ReadableTable<UploadKey, Record>,
    bucket: &Bucket,
    place: &UploadPlace,
) -> Outcome<Upload> {
    let key = (bucket.number, place.key.as_bytes(), place.upload);
    match uploads.get(key)? {
        Some(bytes) => record::decode(bytes.value()),
        None => Err(S3ErrorCode::NoSuchUpload.into()),
    }
}

/// Stores a part, in place of an earlier one of its number.
///
/// # Errors
///
/// `NoSuchBucket`, `NoSuchUpload`.
pub async fn put_part(
    store: &Store,
    place: UploadPlace,
    number: u16,
    mut part: Part,
    content: Content,
) -> Outcome<()> {
    let put = move |tables: &mut Tables<'_>| {
        let bucket = buckets::find(&*tables.buckets, &place.bucket)?;
        find(&*tables.uploads, &bucket, &place)?;
        let replaced = part_of(tables, place.upload, number)?;
        if let Some(replaced) = replaced {
            tables.release(&replaced.segments)?;
        }
        part.length = content.length();
        part.segments = content.place(tables)?;
        let bytes = record::encode(&part)?;
        tables
            .parts
            .insert((place.upload, number), bytes.as_slice())?;
        Ok(())
    };
    store.index.change(put).await
}

/// Aborts an upload: its parts are gone.
///
/// # Errors
///
/// `NoSuchBucket`, `NoSuchUpload`.
pub async fn abort(store: &Store, place: UploadPlace) -> Outcome<()> {
    let abort = move |tables: &mut Tables<'_>| {
        let bucket = buckets::find(&*tables.buckets, &place.bucket)?;
        find(&*tables.uploads, &bucket, &place)?;
        buckets::remove_upload(tables, bucket.number, place.key.as_bytes(), place.upload)
    };
    store.index.change(abort).await
}

/// Makes an object of the parts of an upload, without copying a byte; the object and its version.
///
/// # Errors
///
/// `NoSuchBucket`, `NoSuchUpload`, `InvalidPart`, `InvalidPartOrder`, `EntityTooSmall`,
/// `InvalidRequest` where the object has another length, `BadDigest` where it has another checksum;
/// and what [`Conditions::check`] refuses.
pub async fn complete(
    store: &Store,
    place: UploadPlace,
    completion: Completion,
) -> Outcome<(Object, Written)> {
    let now_ms = store.now_ms();
    let complete = move |tables: &mut Tables<'_>| {
        let bucket = buckets::find(&*tables.buckets, &place.bucket)?;
        let upload = find(&*tables.uploads, &bucket, &place)?;
        let parts = choose(tables, &place, &completion)?;
        let checksum = checksums::of_object(&upload, &parts, completion.checksum.as_deref())?;
        let mut object = assemble(upload, &parts)?;
        object.checksum = checksum;
        check_whole(&object, &completion)?;
        check_conditions(tables, &bucket, &place, &completion.conditions)?;
        lock::lock_new(&mut object, &bucket, now_ms)?;
        remove_rest(tables, &place, &completion)?;
        tables
            .uploads
            .remove((bucket.number, place.key.as_bytes(), place.upload))?;
        let made = object.clone();
        let written = versions::write(tables, &bucket, &place.key, Some(object), now_ms)?;
        Ok((made, written))
    };
    store.index.change(complete).await
}

/// The parts that a completion names.
fn choose(
    tables: &Tables<'_>,
    place: &UploadPlace,
    completion: &Completion,
) -> Outcome<Vec<(u16, Part)>> {
    let chosen = &completion.parts;
    if chosen.is_empty() {
        return Err(S3ErrorCode::MalformedXML.into());
    }
    let is_ascending = chosen.is_sorted_by(|one, next| one.number < next.number);
    if !is_ascending {
        return Err(S3ErrorCode::InvalidPartOrder.into());
    }
    let mut parts = Vec::with_capacity(chosen.len());
    for wanted in chosen {
        let part = part_of(tables, place.upload, wanted.number)?;
        let fits = |part: &Part| {
            let checksum = part.checksum.as_ref().map(|checksum| &checksum.value);
            let named = wanted.checksum.as_ref();
            part.etag == wanted.etag && (named.is_none() || named == checksum)
        };
        match part.filter(fits) {
            Some(part) => parts.push((wanted.number, part)),
            None => return Err(S3ErrorCode::InvalidPart.into()),
        }
    }
    let all_but_last = parts.split_last().map_or(&[][..], |(_, others)| others);
    if all_but_last
        .iter()
        .any(|(_, part)| part.length < PART_BYTES_MIN)
    {
        return Err(S3ErrorCode::EntityTooSmall.into());
    }
    Ok(parts)
}

fn assemble(upload: Upload, parts: &[(u16, Part)]) -> Outcome<Object> {
    let mut object = upload.object;
    let mut md5 = Md5::new();
    for (number, part) in parts {
        let digest = hex::decode(&part.etag).map_err(Fault::damaged)?;
        md5.update(&digest);
        object.length = object.length.saturating_add(part.length);
        object.segments.extend(part.segments.iter().cloned());
        let checksum = part.checksum.as_ref();
        object.parts.push(ObjectPart {
            number: *number,
            length: part.length,
            checksum: checksum.map(|checksum| checksum.value.clone()),
        });
    }
    object.etag = format!("{}-{}", hex::encode(md5.finalize()), parts.len());
    Ok(object)
}

fn check_whole(object: &Object, completion: &Completion) -> Outcome<()> {
    if completion
        .length
        .is_some_and(|length| length != object.length)
    {
        let message =
            "The provided 'x-amz-mp-object-size' header does not match what was computed.";
        return Err(Fault::message(S3ErrorCode::InvalidRequest, message));
    }
    Ok(())
}

/// What must hold of the key. Who completes under a condition is told apart whether the key was
/// there before the upload began, or came since.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>
fn check_conditions(
    tables: &Tables<'_>,
    bucket: &Bucket,
    place: &UploadPlace,
    conditions: &Conditions,
) -> Outcome<()> {
    let checked = conditions.check(tables, bucket, &place.key);
    let Err(Fault::Refused(refusal)) = checked else {
        return checked;
    };
    let latest = versions::latest(&*tables.versions, bucket.number, &place.key)?;
    let is_since = latest.is_some_and(|found| Some(found.age) < versions::age(place.upload));
    match is_since {
        true => Err(Fault::message(
            S3ErrorCode::ConditionalRequestConflict,
            "The conditional request cannot succeed due to a conflicting operation against this resource.",
        )),
        false => Err(Fault::Refused(refusal)),
    }
}

/// Removes the records of all parts, and the bytes of those that the object is not made of.
fn remove_rest(
    tables: &mut Tables<'_>,
    place: &UploadPlace,
    completion: &Completion,
) -> Outcome<()> {
    let mut parts = Vec::new();
    for entry in tables.parts.range(buckets::parts_of(place.upload))? {
        let (key, bytes) = entry?;
        let part: Part = record::decode(bytes.value())?;
        parts.push((key.value().1, part));
    }
    let chosen: HashSet<u16> = completion.parts.iter().map(|part| part.number).collect();
    for (number, part) in parts {
        if !chosen.contains(&number) {
            tables.release(&part.segments)?;
        }
        tables.parts.remove((place.upload, number))?;
    }
    Ok(())
}

fn part_of(tables: &Tables<'_>, upload: u128, number: u16) -> Outcome<Option<Part>> {
    let bytes = tables.parts.get((upload, number))?;
    bytes.map(|bytes| record::decode(bytes.value())).transpose()
}

/// Fewest bytes of a part that is not the last.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const PART_BYTES_MIN: u64 = 5 << 20;
