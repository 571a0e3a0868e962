//! Configurations of buckets, as they are stored: at most one of each kind, or one for each id.

use redb::ReadableTable;
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::embedded::fault::Outcome;
use crate::embedded::index::record;
use crate::embedded::index::tables::ConfigurationKey;
use crate::embedded::index::tables::Record;
use crate::embedded::index::tables::Tables;

/// A configuration of a bucket.
pub trait Configuration: Serialize + DeserializeOwned + Send + 'static {
    /// Its kind, as it is part of keys in the index.
    const KIND: &'static str;
}

/// Tags: keys and values, in the order of the keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketTags(pub Vec<(String, String)>);

impl Configuration for BucketTags {
    const KIND: &'static str = "tagging";
}

/// Who owns the objects that others write. A bucket that has none recorded is `BucketOwnerEnforced`,
/// as new buckets of AWS are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ownership {
    /// The bucket's owner; there are no access control lists.
    BucketOwnerEnforced,
    /// The bucket's owner, where the writer agrees.
    BucketOwnerPreferred,
    /// Whoever writes them.
    ObjectWriter,
    /// The ownership controls were deleted.
    Deleted,
}

impl Configuration for Ownership {
    const KIND: &'static str = "ownership";
}

/// Who is notified of events: the element `NotificationConfiguration`, as XML.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification(pub String);

impl Configuration for Notification {
    const KIND: &'static str = "notification";
}

/// Whether transfers are accelerated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Acceleration {
    /// They are.
    Enabled,
    /// They no longer are.
    Suspended,
}

impl Configuration for Acceleration {
    const KIND: &'static str = "acceleration";
}

/// The configuration of a bucket, if it has one of this kind.
///
/// # Errors
///
/// When the storage fails.
pub fn find<C: Configuration>(
    table: &impl ReadableTable<ConfigurationKey, Record>,
    bucket: u64,
) -> Outcome<Option<C>> {
    let bytes = table.get((bucket, C::KIND, ""))?;
    bytes.map(|bytes| record::decode(bytes.value())).transpose()
}

/// Stores a configuration of a bucket, in place of an earlier one of its kind.
///
/// # Errors
///
/// When the storage fails.
pub fn store<C: Configuration>(
    tables: &mut Tables<'_>,
    bucket: u64,
    configuration: &C,
) -> Outcome<()> {
    let bytes = record::encode(configuration)?;
    tables
        .configurations
        .insert((bucket, C::KIND, ""), bytes.as_slice())?;
    Ok(())
}

/// Removes the configuration of this kind. One that is not there is no error.
///
/// # Errors
///
/// When the storage fails.
pub fn remove<C: Configuration>(tables: &mut Tables<'_>, bucket: u64) -> Outcome<()> {
    tables.configurations.remove((bucket, C::KIND, ""))?;
    Ok(())
}

/// The document of a configuration of which a bucket has several, if it has one of this id.
///
/// # Errors
///
/// When the storage fails.
pub fn find_document(
    table: &impl ReadableTable<ConfigurationKey, Record>,
    bucket: u64,
    kind: &str,
    id: &str,
) -> Outcome<Option<String>> {
    let bytes = table.get((bucket, kind, id))?;
    bytes.map(|bytes| record::decode(bytes.value())).transpose()
}

/// The documents of that kind whose ids come after `after`, in the order of their ids: at most `max` and one
/// more. No id is empty.
///
/// # Errors
///
/// When the storage fails.
pub fn list_documents(
    table: &impl ReadableTable<ConfigurationKey, Record>,
    bucket: u64,
    kind: &str,
    after: &str,
    max: usize,
) -> Outcome<Vec<(String, String)>> {
    let behind = format!("{kind}\0");
    let mut documents = Vec::new();
    for entry in table.range((bucket, kind, after)..(bucket, behind.as_str(), ""))? {
        let (key, document) = entry?;
        let id = key.value().2;
        if id == after {
            continue;
        }
        documents.push((id.to_owned(), record::decode(document.value())?));
        if documents.len() > max {
            break;
        }
    }
    Ok(documents)
}

/// Stores such a document in place of an earlier one of its id.
///
/// # Errors
///
/// When the storage fails.
pub fn store_document(
    tables: &mut Tables<'_>,
    bucket: u64,
    kind: &str,
    id: &str,
    document: &str,
) -> Outcome<()> {
    let bytes = record::encode(&document)?;
    tables
        .configurations
        .insert((bucket, kind, id), bytes.as_slice())?;
    Ok(())
}

/// Removes such a document; whether there was one.
///
/// # Errors
///
/// When the storage fails.
pub fn remove_document(
    tables: &mut Tables<'_>,
    bucket: u64,
    kind: &str,
    id: &str,
) -> Outcome<bool> {
    let removed = tables.configurations.remove((bucket, kind, id))?;
    Ok(removed.is_some())
}
