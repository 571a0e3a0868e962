//! ListObjects, ListObjectsV2 and ListObjectVersions.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gateway::backend::ListedEntries;
use gateway::backend::TakesEntries;
use gateway::protocol::xml::Element;
use http::Extensions;
use s3s::S3ErrorCode;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::CommonPrefix;
use s3s::dto::DeleteMarkerEntry;
use s3s::dto::ListObjectVersionsInput;
use s3s::dto::ListObjectVersionsOutput;
use s3s::dto::ListObjectsInput;
use s3s::dto::ListObjectsOutput;
use s3s::dto::ListObjectsV2Input;
use s3s::dto::ListObjectsV2Output;
use s3s::dto::Object;
use s3s::dto::ObjectStorageClass;
use s3s::dto::ObjectVersion;
use s3s::dto::ObjectVersionStorageClass;

use crate::embedded::buckets;
use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::record::Version;
use crate::embedded::list;
use crate::embedded::list::Page;
use crate::embedded::list::Query;
use crate::embedded::list::Start;
use crate::embedded::service::Service;
use crate::embedded::service::names;
use crate::embedded::store::Store;
use crate::embedded::versions;

pub(super) async fn list_objects_v2(
    service: &Service,
    request: S3Request<ListObjectsV2Input>,
) -> S3Result<S3Response<ListObjectsV2Output>> {
    let takes_entries = request.extensions.get::<TakesEntries>().is_some();
    let input = request.input;
    let is_url = names::is_url(input.encoding_type.as_ref());
    let query = query(&input.prefix, &input.delimiter, input.max_keys, "maxKeys")?;
    let max = query.max;
    let start = match (&input.continuation_token, &input.start_after) {
        (Some(token), _) => Start::After(name_of(token)?),
        (None, Some(after)) if !after.is_empty() => Start::AfterKey(after.clone()),
        _ => Start::Beginning,
    };
    let page = objects(&service.store, input.bucket.clone(), query, start).await?;
    let next = page.next.map(|next| URL_SAFE_NO_PAD.encode(next.name));
    let count = page.entries.len() + page.prefixes.len();
    // Ignored beside a token, and then not shown.
    let start_after = input
        .start_after
        .filter(|_| input.continuation_token.is_none());
    let with_owner = input.fetch_owner == Some(true);
    let (contents, entries) = shown(page.entries, takes_entries, is_url, with_owner);
    let mut response = S3Response::new(ListObjectsV2Output {
        common_prefixes: common_prefixes(page.prefixes, is_url),
        contents,
        continuation_token: input.continuation_token,
        delimiter: input.delimiter.map(|it| names::shown(it, is_url)),
        encoding_type: input.encoding_type,
        is_truncated: Some(next.is_some()),
        key_count: Some(names::count(count)),
        max_keys: Some(names::count(max)),
        name: Some(input.bucket),
        next_continuation_token: next,
        prefix: Some(names::shown(input.prefix.unwrap_or_default(), is_url)),
        start_after: start_after.map(|it| names::shown(it, is_url)),
        ..ListObjectsV2Output::default()
    });
    response.extensions.extend(entries);
    Ok(response)
}

pub(super) async fn list_objects(
    service: &Service,
    request: S3Request<ListObjectsInput>,
) -> S3Result<S3Response<ListObjectsOutput>> {
    let takes_entries = request.extensions.get::<TakesEntries>().is_some();
    let input = request.input;
    let is_url = names::is_url(input.encoding_type.as_ref());
    let query = query(&input.prefix, &input.delimiter, input.max_keys, "maxKeys")?;
    let max = query.max;
    let marker = input.marker.unwrap_or_default();
    let start = match marker.is_empty() {
        true => Start::Beginning,
        false => Start::After(marker.clone()),
    };
    let page = objects(&service.store, input.bucket.clone(), query, start).await?;
    let is_truncated = page.next.is_some();
    let next_marker = page.next.map(|next| names::shown(next.name, is_url));
    let (contents, entries) = shown(page.entries, takes_entries, is_url, true);
    let mut response = S3Response::new(ListObjectsOutput {
        common_prefixes: common_prefixes(page.prefixes, is_url),
        contents,
        // Without a delimiter the last key is the marker.
        next_marker: next_marker.filter(|_| input.delimiter.is_some()),
        delimiter: input.delimiter.map(|it| names::shown(it, is_url)),
        encoding_type: input.encoding_type,
        is_truncated: Some(is_truncated),
        marker: Some(names::shown(marker, is_url)),
        max_keys: Some(names::count(max)),
        name: Some(input.bucket),
        prefix: Some(names::shown(input.prefix.unwrap_or_default(), is_url)),
        ..ListObjectsOutput::default()
    });
    response.extensions.extend(entries);
    Ok(response)
}

pub(super) async fn list_object_versions(
    service: &Service,
    request: S3Request<ListObjectVersionsInput>,
) -> S3Result<S3Response<ListObjectVersionsOutput>> {
    let input = request.input;
    let is_url = names::is_url(input.encoding_type.as_ref());
    let query = query(&input.prefix, &input.delimiter, input.max_keys, "maxKeys")?;
    let max = query.max;
    let markers = (input.key_marker.clone(), input.version_id_marker.clone());
    let (bucket, store) = (input.bucket.clone(), service.store.clone());
    let listing = blocking(move || versions_page(&store, &bucket, &query, markers));
    let page = listing.await?;
    let last = page.entries.last();
    let next_version = last.map(|(_, (version, _))| versions::show(version.id));
    let next = page.next;
    let next_version = next_version.filter(|_| next.as_ref().is_some_and(|next| next.is_entry));
    let (mut shown, mut markers) = (Vec::new(), Vec::new());
    for (key, (version, is_latest)) in page.entries {
        let key = names::shown(key, is_url);
        match version.object {
            Some(_) => shown.push(shown_version(key, version, is_latest)),
            None => markers.push(DeleteMarkerEntry {
                is_latest: Some(is_latest),
                key: Some(key),
                last_modified: Some(names::timestamp(version.modified_ms)),
                owner: Some(names::owner()),
                version_id: Some(versions::show(version.id)),
            }),
        }
    }
    Ok(S3Response::new(ListObjectVersionsOutput {
        common_prefixes: common_prefixes(page.prefixes, is_url),
        delete_markers: Some(markers),
        delimiter: input.delimiter.map(|it| names::shown(it, is_url)),
        encoding_type: input.encoding_type,
        is_truncated: Some(next.is_some()),
        key_marker: Some(names::shown(input.key_marker.unwrap_or_default(), is_url)),
        max_keys: Some(names::count(max)),
        name: Some(input.bucket),
        next_key_marker: next.map(|next| names::shown(next.name, is_url)),
        next_version_id_marker: next_version,
        prefix: Some(names::shown(input.prefix.unwrap_or_default(), is_url)),
        version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
        versions: Some(shown),
        ..ListObjectVersionsOutput::default()
    }))
}

/// What is asked for.
pub(super) fn query(
    prefix: &Option<String>,
    delimiter: &Option<String>,
    max: Option<i32>,
    max_name: &str,
) -> Outcome<Query> {
    Ok(Query {
        prefix: prefix.clone().unwrap_or_default(),
        delimiter: delimiter.clone().unwrap_or_default(),
        max: names::page_size(max, max_name)?,
    })
}

/// What names were rolled up into.
pub(super) fn common_prefixes(prefixes: Vec<String>, is_url: bool) -> Option<Vec<CommonPrefix>> {
    let shown = prefixes.into_iter().map(|prefix| CommonPrefix {
        prefix: Some(names::shown(prefix, is_url)),
    });
    Some(shown.collect())
}

/// Reads much of the index, off the asynchronous threads.
pub(super) async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Outcome<T> + Send + 'static,
) -> Outcome<T> {
    let read = tokio::task::spawn_blocking(read).await;
    read.map_err(|error| Fault::Storage(error.into()))?
}

async fn objects(
    store: &Store,
    bucket: String,
    query: Query,
    start: Start,
) -> Outcome<Page<Version>> {
    let store = store.clone();
    blocking(move || {
        store.index.read(|snapshot| {
            let bucket = buckets::find(&snapshot.buckets()?, &bucket)?;
            list::objects(&snapshot.versions()?, bucket.number, &query, start)
        })
    })
    .await
}

fn versions_page(
    store: &Store,
    bucket: &str,
    query: &Query,
    (key, version): (Option<String>, Option<String>),
) -> Outcome<Page<(Version, bool)>> {
    let key = key.filter(|key| !key.is_empty());
    let version = version.filter(|version| !version.is_empty());
    store.index.read(|snapshot| {
        let bucket = buckets::find(&snapshot.buckets()?, bucket)?;
        let table = snapshot.versions()?;
        let start = match (key, version) {
            (None, None) => Start::Beginning,
            (Some(key), None) => Start::After(key),
            (Some(key), Some(version)) => {
                let id = versions::parse(&version)?;
                let found = versions::find(&table, bucket.number, &key, id)?;
                let age = found.map(|found| found.age).or(versions::age(id));
                // Nothing tells where a null version was that was deleted since the page before. The versions of
                // its key are listed once more: what was seen twice does less harm than what nobody saw.
                Start::AfterEntry(key, age.unwrap_or_default().into())
            }
            (None, Some(version)) => {
                let message = "A version-id marker cannot be specified without a key marker.";
                return Err(Fault::argument(message, "version-id-marker", &version));
            }
        };
        list::versions(&table, bucket.number, query, start)
    })
}

/// Objects in the document, or else beside it.
fn shown(
    entries: Vec<(String, Version)>,
    beside: bool,
    is_url: bool,
    with_owner: bool,
) -> (Option<Vec<Object>>, Extensions) {
    let mut extensions = Extensions::new();
    let entries = entries.into_iter();
    let entries = entries.map(|(key, version)| (names::shown(key, is_url), version));
    if !beside {
        let contents = entries.map(|(key, version)| content(key, version, with_owner));
        return (Some(contents.collect()), extensions);
    }
    let entries = entries.map(|(key, version)| entry(key, version, with_owner));
    extensions.insert(ListedEntries(entries.collect()));
    (None, extensions)
}

fn content(key: String, version: Version, with_owner: bool) -> Object {
    let object = version.object.unwrap_or_default();
    let checksum = object.checksum.as_ref();
    Object {
        checksum_algorithm: checksum.map(|it| vec![it.algorithm.clone().into()]),
        checksum_type: checksum.map(|it| kind(it.is_composite).into()),
        e_tag: Some(names::etag(&object.etag)),
        key: Some(key),
        last_modified: Some(names::timestamp(version.modified_ms)),
        owner: with_owner.then(names::owner),
        size: Some(names::length(object.length)),
        storage_class: Some(match object.storage_class {
            Some(class) => ObjectStorageClass::from(class),
            None => ObjectStorageClass::from_static(ObjectStorageClass::STANDARD),
        }),
        ..Object::default()
    }
}

/// The same as an element, without the checksum: that is one of sealed bytes, which the gateway does not
/// show.
fn entry(key: String, version: Version, with_owner: bool) -> Element {
    let object = version.object.unwrap_or_default();
    let class = object.storage_class;
    let class = class.unwrap_or_else(|| ObjectStorageClass::STANDARD.to_owned());
    let owner = || Element::new("Owner").field("ID", names::owner().id.unwrap_or_default());
    Element::new("Contents")
        .field("Key", key)
        .field("LastModified", names::iso8601(version.modified_ms))
        .field("ETag", format!("\"{}\"", object.etag))
        .field("Size", object.length.to_string())
        .field("StorageClass", class)
        .with_all(with_owner.then(owner))
}

fn shown_version(key: String, version: Version, is_latest: bool) -> ObjectVersion {
    let object = version.object.unwrap_or_default();
    let checksum = object.checksum.as_ref();
    ObjectVersion {
        checksum_algorithm: checksum.map(|it| vec![it.algorithm.clone().into()]),
        checksum_type: checksum.map(|it| kind(it.is_composite).into()),
        e_tag: Some(names::etag(&object.etag)),
        is_latest: Some(is_latest),
        key: Some(key),
        last_modified: Some(names::timestamp(version.modified_ms)),
        owner: Some(names::owner()),
        size: Some(names::length(object.length)),
        storage_class: Some(match object.storage_class {
            Some(class) => ObjectVersionStorageClass::from(class),
            None => ObjectVersionStorageClass::from_static(ObjectVersionStorageClass::STANDARD),
        }),
        version_id: Some(versions::show(version.id)),
        ..ObjectVersion::default()
    }
}

fn kind(is_composite: bool) -> String {
    let kind = if is_composite {
        "COMPOSITE"
    } else {
        "FULL_OBJECT"
    };
    kind.to_owned()
}

/// The name in a continuation token.
fn name_of(token: &str) -> Outcome<String> {
    let name = URL_SAFE_NO_PAD.decode(token).ok();
    let name = name.and_then(|name| String::from_utf8(name).ok());
    let message = "The continuation token provided is incorrect";
    let refusal = || Fault::message(S3ErrorCode::InvalidArgument, message);
    name.ok_or_else(|| refusal().element("ArgumentName", "continuation-token"))
}
