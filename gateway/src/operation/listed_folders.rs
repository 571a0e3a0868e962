//! Folders that a backend lists as if they were objects, or prefixes of some.
//!
//! A backend on a file system has folders, and some stay when they were emptied. SeaweedFS lists such a folder
//! as an entry of its own, without an ETag, and among the common prefixes; one that another program created
//! beside the gateway has an ETag, too. Clients take the entry for an object, and no read of it succeeds. A sealed
//! object is never mistaken for one: it has bytes, and where keys that end in a slash are folders, none is ever
//! stored under such a key ([`crate::operation::promises`]). There each common prefix is listed by itself: one
//! request, so many side by side as a listing looks at objects.

use futures_util::StreamExt as _;
use futures_util::stream;
use http::Method;

use crate::backend::BackendRequest;
use crate::error::S3Error;
use crate::operation::listed_entry::decode;
use crate::operation::listed_entry::key_and_etag;
use crate::operation::store::ObjectStore;
use crate::protocol::document;
use crate::protocol::xml::Element;

/// Removes the folders from a listing of a bucket.
pub(super) async fn remove_folders(
    store: &ObjectStore,
    bucket: &str,
    root: &mut Element,
    encoded: bool,
) {
    let (mut folders, mut doubtful, mut prefixes) = (Vec::new(), Vec::new(), Vec::new());
    for (place, entry) in root.children_mut().iter().enumerate() {
        match folder(entry, encoded) {
            None => prefixes.extend(common_prefix(entry, encoded).map(|prefix| (place, prefix))),
            Some(Folder::Plain) => folders.push(place),
            Some(Folder::WithETag) => doubtful.push(place),
        }
    }
    if (!doubtful.is_empty() || !prefixes.is_empty()) && has_folders(store).await {
        folders.extend(doubtful);
        folders.extend(without_objects(store, bucket, root.name(), prefixes).await);
    }
    remove(root, folders);
}

/// Those of the common prefixes that no object has.
async fn without_objects(
    store: &ObjectStore,
    bucket: &str,
    root: &str,
    prefixes: Vec<(usize, String)>,
) -> Vec<usize> {
    let looks = stream::iter(prefixes).map(|(place, prefix)| async move {
        // What cannot be looked at stays: too much is shown then, and nothing hidden.
        let is_empty = is_empty(store, bucket, root, &prefix)
            .await
            .unwrap_or(false);
        is_empty.then_some(place)
    });
    let looks = looks.buffer_unordered(store.config.listing.heads_max.max(1));
    looks.filter_map(std::future::ready).collect().await
}

/// Whether a listing of this kind shows nothing under a prefix but its folder.
async fn is_empty(
    store: &ObjectStore,
    bucket: &str,
    root: &str,
    prefix: &str,
) -> Result<bool, S3Error> {
    let (name, value) = match root {
        "ListVersionsResult" => ("versions", ""),
        _ => ("list-type", "2"),
    };
    // The second is for an object behind the folder's own entry.
    let list = BackendRequest::bucket(Method::GET, bucket)
        .query(name, value)
        .query("prefix", prefix)
        .query("max-keys", "2");
    let answer = store.backend.fetch(list).await?;
    let listing = document::parse_answer(answer.body(), &[root])?;
    let mut entries = listing.children().iter().filter(|entry| {
        ["Contents", "Version", "DeleteMarker"]
            .iter()
            .any(|name| entry.is_named(name))
    });
    let is_folder =
        |entry: &Element| entry.text_of("Key") == Some(prefix) && folder(entry, false).is_some();
    Ok(entries.all(is_folder) && listing.text_of("IsTruncated").map(str::trim) != Some("true"))
}

fn common_prefix(entry: &Element, encoded: bool) -> Option<String> {
    if !entry.is_named("CommonPrefixes") || entry.children().len() != 1 {
        return None;
    }
    let prefix = entry.text_of("Prefix")?;
    let prefix = match encoded {
        false => prefix.to_owned(),
        true => decode(prefix)?,
    };
    prefix.ends_with('/').then_some(prefix)
}

/// What may be a folder.
enum Folder {
    /// It has no ETag, so it is no object.
    Plain,
    /// It is an object where the backend stores some under such keys.
    WithETag,
}

fn folder(entry: &Element, encoded: bool) -> Option<Folder> {
    let is_entry = entry.is_named("Contents") || entry.is_named("Version");
    if !is_entry || entry.text_of("Size")?.trim() != "0" {
        return None;
    }
    let (key, etag) = key_and_etag(entry, encoded)?;
    let kind = match etag {
        None => Folder::Plain,
        Some(_) => Folder::WithETag,
    };
    key.ends_with('/').then_some(kind)
}

/// Whether a key that ends in a slash is a folder at the backend. Where that cannot be tried, it is not.
async fn has_folders(store: &ObjectStore) -> bool {
    match &store.promises {
        Some(promises) => !promises.has_folder("/").await.unwrap_or(true),
        None => false,
    }
}

/// Removes the entries at these places, and counts them out.
pub(super) fn remove(root: &mut Element, mut places: Vec<usize>) {
    if places.is_empty() {
        return;
    }
    places.sort_unstable();
    let removed = places.len();
    for place in places.into_iter().rev() {
        root.children_mut().remove(place);
    }
    let count = root.text_of("KeyCount").and_then(|text| text.parse().ok());
    if let Some(count) = count {
        let left = usize::saturating_sub(count, removed);
        root.set_text_of("KeyCount", left.to_string());
    }
}
