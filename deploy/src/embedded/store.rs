//! The embedded backend's state, and its objects: found, written, read and deleted.

use std::sync::Arc;

use proto::time::Clock;
use redb::ReadableTable;
use s3s::S3ErrorCode;

use crate::embedded::bodies::Bodies;
use crate::embedded::buckets;
use crate::embedded::content;
use crate::embedded::content::Content;
use crate::embedded::content::Intake;
use crate::embedded::content::Reader;
use crate::embedded::disk::Disk;
use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::Damage;
use crate::embedded::index::Index;
use crate::embedded::index::record::Bucket;
use crate::embedded::index::record::Object;
use crate::embedded::index::record::Segment;
use crate::embedded::index::record::Version;
use crate::embedded::index::tables::Record;
use crate::embedded::index::tables::Snapshot;
use crate::embedded::index::tables::Tables;
use crate::embedded::index::tables::VersionKey;
use crate::embedded::lock;
use crate::embedded::versions;
use crate::embedded::versions::Found;
use crate::embedded::versions::Written;

/// The index, the bodies and the clock.
#[derive(Clone)]
pub struct Store {
    /// The index.
    pub index: Arc<Index>,
    /// Files with bodies.
    pub bodies: Arc<Bodies>,
    /// What says when something was written, and whether a lock is over.
    pub clock: Arc<dyn Clock>,
}

/// A version of a key in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The bucket's name.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The version; the newest if it names none.
    pub version: Option<u128>,
}

/// What must hold of the newest version of a key for a write to happen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Its ETag must be this, or `*` for any.
    pub matches: Option<String>,
    /// Its ETag must not be this, or `*` for any.
    pub none_match: Option<String>,
}

impl Store {
    /// Opens what is on a disk.
    ///
    /// # Errors
    ///
    /// When the disk fails, or holds no store.
    pub fn open(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Outcome<Self> {
        Self::open_with(disk, clock, Damage::Refused)
    }

    /// The same, for an index that may be damaged.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_with(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>, damage: Damage) -> Outcome<Self> {
        let bodies = Bodies::open(Arc::clone(&disk))?;
        let index = Arc::new(Index::open(disk.as_ref(), &bodies, damage)?);
        Ok(Self {
            index,
            bodies,
            clock,
        })
    }

    /// Leaves what is on the disk so that the next start need not look at all of it. What is changed later undoes that.
    pub async fn settle(&self) {
        self.index.settle().await;
    }

    /// The time, in milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.clock.now().unix_millis()
    }

    /// Takes in bytes that nothing refers to yet.
    #[must_use]
    pub fn intake(&self) -> Intake {
        Intake::new(Arc::clone(&self.bodies))
    }

    /// Removes all buckets, objects and uploads.
    ///
    /// # Errors
    ///
    /// When the storage fails; then everything is there.
    pub async fn clear(&self) -> Outcome<()> {
        self.index
            .change(|tables: &mut Tables<'_>| tables.clear())
            .await
    }

    /// Finds a version and what is recorded of it, without its bytes.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`, `NoSuchKey`, `NoSuchVersion`. A delete marker is found as what it is.
    pub fn find(&self, place: &Place) -> Outcome<(Bucket, Found)> {
        self.index.read(|snapshot| find(snapshot, place))
    }

    /// Finds an object and makes sure that its bytes stay while they are read.
    ///
    /// # Errors
    ///
    /// As [`Self::find`].
    pub fn open_object(&self, place: &Place) -> Outcome<(Bucket, Found, Reader)> {
        loop {
            let (bucket, found, inline) = self.index.read(|snapshot| {
                let (bucket, found) = find(snapshot, place)?;
                let inline = content::inline(snapshot, segments(&found))?;
                Ok((bucket, found, inline))
            })?;
            let segments = segments(&found).to_vec();
            let has_files = !content::files(&segments).is_empty();
            let reader = Reader::new(Arc::clone(&self.bodies), segments, inline);
            // A file that was removed before it was pinned is gone: then there is another version.
            let is_same = |now: &Found| now.age == found.age && now.version == found.version;
            if !has_files || self.find(place).is_ok_and(|(_, now)| is_same(&now)) {
                return Ok((bucket, found, reader));
            }
        }
    }

    /// Writes an object, if the conditions hold.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`; `PreconditionFailed`, or `NoSuchKey` where a version must match and there is
    /// none; `InvalidRequest` for a lock in a bucket without Object Lock.
    pub async fn put(
        &self,
        place: Place,
        conditions: Conditions,
        object: Object,
        content: Content,
    ) -> Outcome<Written> {
        let now_ms = self.now_ms();
        let put = move |tables: &mut Tables<'_>| {
            let bucket = buckets::find(&*tables.buckets, &place.bucket)?;
            conditions.check(tables, &bucket, &place.key)?;
            write(tables, &bucket, &place.key, object, content, now_ms)
        };
        self.index.change(put).await
    }

    /// Deletes a key, or one version of it, if the conditions hold.
    ///
    /// # Errors
    ///
    /// `NoSuchBucket`; `PreconditionFailed`; `AccessDenied` while a lock protects the version.
    pub async fn delete(
        &self,
        place: Place,
        etag: Option<String>,
        bypass: bool,
    ) -> Outcome<Written> {
        let now_ms = self.now_ms();
        let delete = move |tables: &mut Tables<'_>| {
            let bucket = buckets::find(&*tables.buckets, &place.bucket)?;
            delete(tables, &bucket, &place, etag.as_deref(), bypass, now_ms)
        };
        self.index.change(delete).await
    }

    /// Changes what is recorded of a version, but not its bytes.
    ///
    /// # Errors
    ///
    /// As [`Self::find`] and as `edit`; `MethodNotAllowed` for a delete marker.
    pub async fn edit(
        &self,
        place: Place,
        edit: impl FnOnce(&Bucket, &mut Object) -> Outcome<()> + Send + 'static,
    ) -> Outcome<(Bucket, Version)> {
        let change = move |tables: &mut Tables<'_>| {
            let bucket = buckets::find(&*tables.buckets, &place.bucket)?;
            let found = locate(&*tables.versions, &bucket, &place)?;
            let Found { age, mut version } = found;
            let Some(object) = &mut version.object else {
                return Err(Fault::delete_marker());
            };
            edit(&bucket, object)?;
            versions::store(tables, &bucket, &place.key, age, &version)?;
            Ok((bucket, version))
        };
        self.index.change(change).await
    }
}

impl Conditions {
    /// Whether a write may happen.
    ///
    /// # Errors
    ///
    /// `PreconditionFailed`; `NoSuchKey` where a version must match and there is none.
    pub fn check(&self, tables: &Tables<'_>, bucket: &Bucket, key: &str) -> Outcome<()> {
        if self.matches.is_none() && self.none_match.is_none() {
            return Ok(());
        }
        let latest = versions::latest(&*tables.versions, bucket.number, key)?;
        let object = latest.and_then(|found| found.version.object);
        let etag = object.map(|object| object.etag);
        let is = |wanted: &str| {
            etag.as_ref()
                .is_some_and(|etag| wanted == "*" || etag == wanted)
        };
        match &self.matches {
            Some(_) if etag.is_none() => return Err(S3ErrorCode::NoSuchKey.into()),
            Some(wanted) if !is(wanted) => return Err(failed("If-Match")),
            _ => {}
        }
        match &self.none_match {
            Some(unwanted) if is(unwanted) => Err(failed("If-None-Match")),
            _ => Ok(()),
        }
    }
}

/// Writes an object whose conditions hold.
///
/// # Errors
///
/// `InvalidRequest` for a lock in a bucket without Object Lock.
pub fn write(
    tables: &mut Tables<'_>,
    bucket: &Bucket,
    key: &str,
    mut object: Object,
    content: Content,
    now_ms: i64,
) -> Outcome<Written> {
    lock::lock_new(&mut object, bucket, now_ms)?;
    // A damaged record that this replaces is found before anything is changed, and fails this write alone.
    versions::find(&*tables.versions, bucket.number, key, versions::NULL)?;
    object.length = content.length();
    object.segments = content.place(tables)?;
    versions::write(tables, bucket, key, Some(object), now_ms)
}

/// Deletes a key, or one version of it, if its ETag is `etag`.
///
/// # Errors
///
/// `PreconditionFailed`; `AccessDenied` while a lock protects the version.
pub fn delete(
    tables: &mut Tables<'_>,
    bucket: &Bucket,
    place: &Place,
    etag: Option<&str>,
    bypass: bool,
    now_ms: i64,
) -> Outcome<Written> {
    if let Some(wanted) = etag {
        let found = match place.version {
            Some(id) => versions::find(&*tables.versions, bucket.number, &place.key, id)?,
            None => versions::latest(&*tables.versions, bucket.number, &place.key)?,
        };
        // Of two deletions on one condition the second finds nothing, or the first one's delete marker.
        let Some(object) = found.and_then(|found| found.version.object) else {
            return Err(S3ErrorCode::NoSuchKey.into());
        };
        if wanted != "*" && object.etag != wanted {
            return Err(failed("If-Match"));
        }
    }
    match place.version {
        Some(id) => versions::delete_version(tables, bucket, &place.key, id, bypass, now_ms),
        None => versions::delete(tables, bucket, &place.key, now_ms),
    }
}

fn find(snapshot: &Snapshot, place: &Place) -> Outcome<(Bucket, Found)> {
    let bucket = buckets::find(&snapshot.buckets()?, &place.bucket)?;
    let found = locate(&snapshot.versions()?, &bucket, place)?;
    Ok((bucket, found))
}

fn locate(
    table: &impl ReadableTable<VersionKey, Record>,
    bucket: &Bucket,
    place: &Place,
) -> Outcome<Found> {
    let found = match place.version {
        Some(id) => versions::find(table, bucket.number, &place.key, id)?,
        None => versions::latest(table, bucket.number, &place.key)?,
    };
    let code = match place.version {
        Some(_) => S3ErrorCode::NoSuchVersion,
        None => S3ErrorCode::NoSuchKey,
    };
    found.ok_or_else(|| code.into())
}

fn segments(found: &Found) -> &[Segment] {
    let object = found.version.object.as_ref();
    object.map_or(&[], |object| &object.segments)
}

fn failed(condition: &'static str) -> Fault {
    let message =
        format!("At least one of the pre-conditions you specified did not hold: {condition}");
    Fault::message(S3ErrorCode::PreconditionFailed, message)
}
