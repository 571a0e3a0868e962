//! ListObjects, ListObjectsV2, ListObjectVersions: the backend's listing, with the sizes and ETags
//! that clients see.
//!
//! Sizes are computed. ETags are the backend's own, except those of SSE-S3 objects, so a bucket that never
//! held one is listed by one request, and one more that shows it ([`crate::records::listed_etags`]). In other
//! buckets ETags come from memory, from the listing itself where the backend is MinIO, which shows
//! metadata in listings (`metadata=true`), or else from a bounded number of HEAD requests side by side
//! ([`crate::operation::config::Listing::heads_max`]); never from the KMS. Owners are accounts
//! ([`crate::operation::listed_owners`]). Everything else (storage classes, prefixes, tokens) passes as it is.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>,
//! `gateway/FORMAT.md` for sizes.

use std::sync::atomic::Ordering;

use futures_util::StreamExt as _;
use futures_util::stream;
use http::HeaderName;
use http::Method;
use http::Response;
use http::StatusCode;
use http::header;
use proto::time::Timestamp;

use crate::authorize::Permitted;
use crate::backend::BackendRequest;
use crate::backend::ListedEntries;
use crate::chunks::layout;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::keys::data_key::ObjectName;
use crate::operation::answer;
use crate::operation::config::ListETag;
use crate::operation::listed_entry::key_and_etag;
use crate::operation::listed_folders;
use crate::operation::listed_owners;
use crate::operation::listing_query;
use crate::operation::store::ObjectStore;
use crate::protocol::document;
use crate::protocol::etag::ETag;
use crate::protocol::headers;
use crate::protocol::headers::ENVELOPE;
use crate::protocol::xml::Element;
use crate::request::Body;
use crate::request::S3Request;
use crate::sealed::cache::Facts;
use crate::sealed::cache::ObjectIdentity;
use crate::sealed::facts;
use crate::sealed::facts::DescribedObject;
use crate::sealed::head::ObjectHead;

/// A listed object that must be looked at.
struct Unknown {
    /// Where it stands in the listing.
    place: usize,
    name: ObjectName,
    version: Option<String>,
    /// Its head, where the listing had it.
    head: Option<ObjectHead>,
}

/// Answers a listing of a bucket's objects or versions.
///
/// # Errors
///
/// `InvalidArgument` for a query that no listing has; the backend's S3 error; `ServiceUnavailable` when
/// it gives no usable answer.
pub async fn list_objects(
    store: &ObjectStore,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, terms) = permitted.spend();
    let request = &request;
    let bucket = request.target.bucket.as_deref().unwrap_or_default();
    let mut onward = BackendRequest::bucket(Method::GET, bucket);
    onward.query = listing_query::for_backend(request.target.query.clone())?;
    onward.headers = headers::selected(&request.headers, &HEADERS);
    if request.target.query.get("list-type") == Some("2")
        && store.lists_metadata.load(Ordering::Relaxed)
    {
        onward = onward.query("metadata", "true");
    }
    let mut answer = Box::pin(store.backend.fetch(onward.take_entries())).await?;
    let server = answer.headers().get(header::SERVER);
    if server.is_some_and(|server| server.as_bytes().starts_with(b"MinIO")) {
        store.lists_metadata.store(true, Ordering::Relaxed);
    }
    let roots = ["ListBucketResult", "ListVersionsResult"];
    let mut root = document::parse_answer(answer.body(), &roots)?;
    if let Some(ListedEntries(entries)) = answer.extensions_mut().remove() {
        root.children_mut().extend(entries);
    }
    show(store, bucket, &mut root).await?;
    if request.target.access_point.is_some() {
        root.set_text_of("Name", request.target.shown_bucket());
    }
    if let Some(of_bucket) = terms.bucket_acl() {
        let encoded = is_encoded(&root);
        Box::pin(listed_owners::show(
            store, bucket, of_bucket, &mut root, encoded,
        ))
        .await?;
    }
    Ok(answer::document(&root))
}

/// Puts what clients see in place of what the backend lists.
async fn show(store: &ObjectStore, bucket: &str, root: &mut Element) -> Result<(), S3Error> {
    let encoded = is_encoded(root);
    listed_folders::remove_folders(store, bucket, root, encoded).await;
    let adopted = store.sealed.adopts(bucket);
    let exact = store.config.listing.list_etag == ListETag::Exact;
    let mut unknown = Vec::new();
    for (place, entry) in root.children_mut().iter_mut().enumerate() {
        if !entry.is_named("Contents") && !entry.is_named("Version") {
            continue;
        }
        let Some((key, etag)) = key_and_etag(entry, encoded) else {
            tracing::error!(bucket, "backend listed an object without key or ETag");
            return Err(S3Error::new(S3Code::ServiceUnavailable));
        };
        let envelope = envelope(entry);
        entry.remove(&OF_SEALED_BYTES);
        let modified = entry.text_of("LastModified").map(str::trim);
        let modified = modified.and_then(|text| Timestamp::parse_iso8601(text).ok());
        let stored_bytes = entry
            .text_of("Size")
            .and_then(|text| text.trim().parse().ok());
        let version = entry.text_of("VersionId").map(str::to_owned);
        let facts = etag.clone().and_then(|etag| {
            let identity = ObjectIdentity::new(bucket, &key, version.as_deref(), etag);
            store.sealed.facts.get(&identity, modified)
        });
        if let Some(facts) = facts {
            rewrite(entry, &facts);
            continue;
        }
        let shown = stored_bytes.and_then(|stored| plaintext_bytes(etag.as_ref(), stored));
        if let Some(bytes) = shown {
            entry.set_text_of("Size", bytes.to_string());
        }
        if exact || adopted {
            let described = envelope.zip(etag).zip(stored_bytes);
            let head = described.and_then(|((envelope, etag), stored)| {
                ObjectHead::from_listing(&envelope, etag, stored, modified).ok()
            });
            unknown.push(Unknown {
                place,
                name: ObjectName::new(store.sealed.settings.partition, bucket, &key),
                version,
                head,
            });
        }
    }
    if let Some(etags) = &store.sealed.listed_etags
        && !unknown.is_empty()
        && !adopted
        && etags.is_marked(bucket).await
    {
        return Ok(());
    }
    match unknown.is_empty() {
        true => Ok(()),
        false => Box::pin(look_up(store, unknown, root)).await,
    }
}

fn is_encoded(root: &Element) -> bool {
    root.text_of("EncodingType") == Some("url")
}

/// Looks at objects, and shows what they have.
async fn look_up(
    store: &ObjectStore,
    unknown: Vec<Unknown>,
    root: &mut Element,
) -> Result<(), S3Error> {
    let objects = &store.sealed;
    let heads = stream::iter(unknown).map(|object| async move {
        let (name, version) = (&object.name, object.version.as_deref());
        let described = match &object.head {
            Some(head) => facts::look_up_listed(objects, name, version, head).await,
            None => facts::look_up(objects, name, version).await,
        };
        (object.place, described)
    });
    let mut heads = heads.buffer_unordered(store.config.listing.heads_max.max(1));
    let mut gone = Vec::new();
    while let Some((place, object)) = heads.next().await {
        match object {
            Ok(Some(object)) => {
                if let Some(entry) = root.children_mut().get_mut(place) {
                    refresh(entry, &object);
                }
            }
            Ok(None) => gone.push(place),
            Err(error) if error.status() == StatusCode::SERVICE_UNAVAILABLE => {
                return Err(error);
            }
            // One object that cannot be read does not hide the others. Reading it shows why.
            Err(_) => {}
        }
    }
    drop(heads);
    // They were deleted since they were listed.
    listed_folders::remove(root, gone);
    Ok(())
}

/// Shows what an object has that was looked up. If it was overwritten since it was listed, that is the
/// later one's: nobody ever saw the ETag that the backend listed.
fn refresh(entry: &mut Element, object: &DescribedObject) {
    let listed = entry.text_of("ETag").and_then(ETag::parse);
    if listed.as_ref() != Some(&object.backend_etag)
        && let Some(modified) = object.modified
    {
        entry.set_text_of("LastModified", modified.iso8601_millis());
    }
    rewrite(entry, &object.facts);
}

/// The envelope, where an entry shows the object's metadata.
fn envelope(entry: &Element) -> Option<String> {
    let metadata = entry.child("UserMetadata")?.children().iter();
    let is_envelope = |it: &&Element| it.name().eq_ignore_ascii_case(ENVELOPE.as_str());
    let mut envelopes = metadata.filter(is_envelope).map(|it| it.text().trim());
    let envelope = envelopes.next()?.to_owned();
    envelopes.next().is_none().then_some(envelope)
}

/// The size that clients see, of a sealed object that the backend lists with this size and ETag.
fn plaintext_bytes(etag: Option<&ETag>, stored_bytes: u64) -> Option<u64> {
    match etag {
        Some(etag) if etag.bare().contains('-') => {
            layout::plaintext_bytes_in_parts(stored_bytes, etag.parts()?)
        }
        _ => layout::plaintext_bytes(stored_bytes),
    }
}

fn rewrite(entry: &mut Element, facts: &Facts) {
    entry.set_text_of("Size", facts.bytes.to_string());
    entry.set_text_of("ETag", facts.etag.as_str());
    if let Some((algorithm, kind)) = facts.checksum {
        entry.set_text_of("ChecksumAlgorithm", algorithm.name());
        entry.set_text_of("ChecksumType", kind.name());
    }
}

/// Elements of an entry that are about the sealed bytes, or show what only the gateway may see.
const OF_SEALED_BYTES: [&str; 5] = [
    "ChecksumAlgorithm",
    "ChecksumType",
    "UserMetadata",
    "UserTags",
    "Internal",
];

/// Headers of listings.
const HEADERS: [HeaderName; 2] = [
    HeaderName::from_static("x-amz-optional-object-attributes"),
    HeaderName::from_static("x-amz-request-payer"),
];
