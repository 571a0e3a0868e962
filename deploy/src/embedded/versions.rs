//! The versions of a key: found, written and removed.

use redb::ReadableTable;

use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::record;
use crate::embedded::index::record::Bucket;
use crate::embedded::index::record::Object;
use crate::embedded::index::record::Version;
use crate::embedded::index::record::Versioning;
use crate::embedded::index::tables::Record;
use crate::embedded::index::tables::Tables;
use crate::embedded::index::tables::VersionKey;
use crate::embedded::index::tables::age_of;
use crate::embedded::lock;

/// A version, and how it sorts among those of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// How it sorts: smaller is newer.
    pub age: u64,
    /// The version.
    pub version: Version,
}

/// What a write or a deletion made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The version that was made or removed, where AWS names it.
    pub id: Option<u128>,
    /// Whether that is a delete marker.
    pub is_marker: bool,
}

/// The null version, as it is recorded.
pub const NULL: u128 = 0;

/// A version's id as clients see it.
#[must_use]
pub fn show(id: u128) -> String {
    match id {
        NULL => "null".to_owned(),
        id => format!("{id:032x}"),
    }
}

/// The version that a client names.
///
/// # Errors
///
/// `InvalidArgument` for what never was an id here.
pub fn parse(text: &str) -> Outcome<u128> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let id = match text {
        "null" => return Ok(NULL),
        text if text.len() == 32 && text.bytes().all(is_hex) => u128::from_str_radix(text, 16).ok(),
        _ => None,
    };
    id.ok_or_else(|| Fault::argument("Invalid version id specified", "versionId", text))
}

/// How a version of that id sorts; none of the null version, which tells nothing.
#[must_use]
pub fn age(id: u128) -> Option<u64> {
    let number = u64::try_from(id >> 64).ok()?;
    (id != NULL).then_some(age_of(number))
}

/// The newest version of a key, which may be a delete marker.
///
/// # Errors
///
/// When the storage fails.
pub fn latest(
    versions: &impl ReadableTable<VersionKey, Record>,
    bucket: u64,
    key: &str,
) -> Outcome<Option<Found>> {
    let key = key.as_bytes();
    let mut range = versions.range((bucket, key, 0)..=(bucket, key, u64::MAX))?;
    let Some(entry) = range.next() else {
        return Ok(None);
    };
    let (place, bytes) = entry?;
    Ok(Some(Found {
        age: place.value().2,
        version: record::decode(bytes.value())?,
    }))
}

/// The version of that id.
///
/// # Errors
///
/// When the storage fails.
pub fn find(
    versions: &impl ReadableTable<VersionKey, Record>,
    bucket: u64,
    key: &str,
    id: u128,
) -> Outcome<Option<Found>> {
    let bytes = key.as_bytes();
    let range = match age(id) {
        Some(age) => (bucket, bytes, age)..=(bucket, bytes, age),
        None => (bucket, bytes, 0)..=(bucket, bytes, u64::MAX),
    };
    for entry in versions.range(range)? {
        let (place, bytes) = entry?;
        let version: Version = record::decode(bytes.value())?;
        if version.id == id {
            let age = place.value().2;
            return Ok(Some(Found { age, version }));
        }
    }
    Ok(None)
}

/// Writes a version of a key: an object, or a delete marker.
///
/// # Errors
///
/// When the storage fails.
pub fn write(
    tables: &mut Tables<'_>,
    bucket: &Bucket,
    key: &str,
    object: Option<Object>,
    now_ms: i64,
) -> Outcome<Written> {
    // Looked for before anything is changed, since its record may be damaged.
    let replaced = match bucket.versioning {
        Versioning::Enabled => None,
        Versioning::Unversioned | Versioning::Suspended => {
            find(&*tables.versions, bucket.number, key, NULL)?
        }
    };
    let number = tables.next_number()?;
    if let Some(replaced) = replaced {
        remove(tables, bucket, key, &replaced)?;
    }
    let id = match bucket.versioning {
        Versioning::Enabled => {
            let random =
                getrandom::u64().map_err(|error| Fault::Storage(error.to_string().into()))?;
            (u128::from(number) << 64) | u128::from(random)
        }
        Versioning::Unversioned | Versioning::Suspended => NULL,
    };
    let is_marker = object.is_none();
    let version = Version {
        id,
        modified_ms: now_ms,
        object,
    };
    store(tables, bucket, key, age_of(number), &version)?;
    // Of an object that replaces the null version AWS returns no id, of a delete marker it does.
    let is_named = match bucket.versioning {
        Versioning::Enabled => true,
        Versioning::Suspended => is_marker,
        Versioning::Unversioned => false,
    };
    let id = is_named.then_some(id);
    Ok(Written { id, is_marker })
}

/// Replaces what is recorded about a version, which stays where it sorts.
///
/// # Errors
///
/// When the storage fails.
pub fn store(
    tables: &mut Tables<'_>,
    bucket: &Bucket,
    key: &str,
    age: u64,
    version: &Version,
) -> Outcome<()> {
    let bytes = record::encode(version)?;
    tables
        .versions
        .insert((bucket.number, key.as_bytes(), age), bytes.as_slice())?;
    Ok(())
}

/// Deletes a key: puts a delete marker over it, or removes it where the bucket has no versions.
///
/// # Errors
///
/// When the storage fails.
pub fn delete(
    tables: &mut Tables<'_>,
    bucket: &Bucket,
    key: &str,
    now_ms: i64,
) -> Outcome<Written> {
    if bucket.versioning != Versioning::Unversioned {
        return write(tables, bucket, key, None, now_ms);
    }
    if let Some(found) = find(&*tables.versions, bucket.number, key, NULL)? {
        remove(tables, bucket, key, &found)?;
    }
    Ok(Written {
        id: None,
        is_marker: false,
    })
}

/// Removes the version of that id for good. One that is not there is no error.
///
/// # Errors
///
/// `AccessDenied` while a lock protects it.
pub fn delete_version(
    tables: &mut Tables<'_>,
    bucket: &Bucket,
    key: &str,
    id: u128,
    bypass: bool,
    now_ms: i64,
) -> Outcome<Written> {
    let mut is_marker = false;
    if let Some(found) = find(&*tables.versions, bucket.number, key, id)? {
        match &found.version.object {
            Some(object) => lock::check_removal(object, bypass, now_ms)?,
            None => is_marker = true,
        }
        remove(tables, bucket, key, &found)?;
    }
    let id = Some(id);
    Ok(Written { id, is_marker })
}

fn remove(tables: &mut Tables<'_>, bucket: &Bucket, key: &str, found: &Found) -> Outcome<()> {
    if let Some(object) = &found.version.object {
        tables.release(&object.segments)?;
    }
    tables
        .versions
        .remove((bucket.number, key.as_bytes(), found.age))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_shown_and_nothing_else_is() {
        for id in [NULL, 1, u128::MAX] {
            assert_eq!(parse(&show(id)).unwrap(), id);
        }
        for text in ["", "Null", "0", &"F".repeat(32), &"+".repeat(32)] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
