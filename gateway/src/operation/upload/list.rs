//! ListParts and ListMultipartUploads.
//!
//! Parts are listed with the sizes and ETags that clients see; a part that the backend has and
//! the gateway did not acknowledge is not listed. The list of uploads is the backend's, in which
//! sealing changes nothing except the checksums: those that the uploads were created with are in their records.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>

use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;
use http::Method;
use http::Response;
use http::StatusCode;

use crate::authorize::Permitted;
use crate::backend::BackendRequest;
use crate::error::S3Error;
use crate::operation::answer;
use crate::operation::listed_entry::decode;
use crate::operation::listing_query;
use crate::operation::parts_page::PartsPage;
use crate::operation::store::ObjectStore;
use crate::operation::upload::journal::Upload;
use crate::operation::upload::journal::current;
use crate::protocol::checksum::UploadChecksum;
use crate::protocol::checksum::parts;
use crate::protocol::document;
use crate::protocol::xml::Element;
use crate::records::uploads::PartRecord;
use crate::records::uploads::UploadName;
use crate::request::Body;
use crate::request::S3Request;

/// Answers with the parts of an upload.
///
/// # Errors
///
/// `NoSuchUpload`; `InvalidArgument` for a query that is none; the backend's refusal.
pub async fn list_parts(
    store: &ObjectStore,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, terms) = permitted.spend();
    let query = &request.target.query;
    let parameter = |name| (name, query.get(name).filter(|text| !text.is_empty()));
    let page = PartsPage::read(parameter("part-number-marker"), parameter("max-parts"))?;
    let upload = Upload::find(store, &request.target).await?;
    let held = upload.backend_parts(store).await?;
    let records = current(store.uploads.parts(&upload.head).await?, &held.parts);

    let chosen = upload.head.checksum.filter(|checksum| checksum.chosen);
    let show = |number: usize, part: &PartRecord| {
        let modified = held.parts.get(&part.number);
        let checksum = chosen.zip(part.checksum.as_ref());
        Element::new("Part")
            .field("PartNumber", number.to_string())
            .field("LastModified", modified.map_or("", |part| &part.modified))
            .field("ETag", upload.part_etag(part).as_str())
            .field("Size", part.segment.plaintext_bytes.to_string())
            .with_all(checksum.map(|(it, value)| parts::part_element(it.algorithm, value)))
    };
    let place = |part: &PartRecord| usize::try_from(part.number).unwrap_or(usize::MAX);
    let shown = records.values().map(|part| (place(part), part));
    let result = Element::root("ListPartsResult")
        .field("Bucket", &upload.name.bucket)
        .field("Key", &upload.name.key)
        .field("UploadId", &upload.id);
    let mut result = page.write(result, shown, show);
    // Of backends that show no owner, too.
    let shown_owner = terms.bucket_acl().map(|bucket| bucket.owner());
    for name in ["Initiator", "Owner", "StorageClass"] {
        let child = held.document.child(name).cloned();
        let owner = shown_owner.filter(|_| name != "StorageClass");
        result = result.with_all(owner.map(|owner| owner_element(name, owner)).or(child));
    }
    if let Some(checksum) = chosen {
        let (algorithm, kind) = (checksum.algorithm.name(), checksum.kind.name());
        result = result
            .field("ChecksumAlgorithm", algorithm)
            .field("ChecksumType", kind);
    }
    Ok(answer::document(&result))
}

/// Answers with the uploads of a bucket.
///
/// # Errors
///
/// The backend's refusal; `ServiceUnavailable` when it gives no usable answer.
pub async fn list_multipart_uploads(
    store: &ObjectStore,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, terms) = permitted.spend();
    let bucket = request.target.bucket.as_deref().unwrap_or_default();
    let mut onward = BackendRequest::bucket(Method::GET, bucket);
    onward.query = listing_query::for_backend(request.target.query.clone())?;
    let answer = store.backend.fetch(onward).await?;
    let mut root = document::parse_answer(answer.body(), &["ListMultipartUploadsResult"])?;
    let encoded = root.text_of("EncodingType") == Some("url");
    for upload in root.children_mut() {
        // They would be about the sealed bytes.
        upload.remove(&["ChecksumAlgorithm", "ChecksumType"]);
    }
    let names = root.children().iter().enumerate();
    let names = names.filter_map(|(place, upload)| Some((place, key_and_id(upload, encoded)?)));
    let checksums = stream::iter(names.collect::<Vec<_>>()).map(|(place, (key, id))| async move {
        let checksum = checksum_of(store, bucket, &key, &id).await?;
        Ok::<_, S3Error>(checksum.map(|checksum| (place, checksum)))
    });
    let checksums = checksums.buffer_unordered(store.config.listing.heads_max.max(1));
    let checksums: Vec<_> = checksums.try_collect().await?;
    for (place, checksum) in checksums.into_iter().flatten() {
        if let Some(upload) = root.children_mut().get_mut(place) {
            upload.set_text_of("ChecksumAlgorithm", checksum.algorithm.name());
            upload.set_text_of("ChecksumType", checksum.kind.name());
        }
    }
    if let Some(of_bucket) = terms.bucket_acl() {
        for upload in root.children_mut() {
            set_owners(upload, of_bucket.owner());
        }
    }
    Ok(answer::document(&root))
}

/// Shows the owner of a bucket in the place of the backend's. Who created an upload is not known; it is shown as the
/// root user of the same account.
fn set_owners(element: &mut Element, owner: &str) {
    for name in ["Initiator", "Owner"] {
        if let Some(shown) = element.child_mut(name) {
            *shown = owner_element(name, owner);
        }
    }
}

fn owner_element(name: &'static str, owner: &str) -> Element {
    let element = Element::new(name).field("ID", owner);
    match name {
        // Owners have no name at AWS since November 2025, initiators have.
        "Initiator" => element.field("DisplayName", "root"),
        _ => element,
    }
}

/// The key of a listed upload, decoded, and its id.
fn key_and_id(upload: &Element, encoded: bool) -> Option<(String, String)> {
    if !upload.is_named("Upload") {
        return None;
    }
    let (key, id) = (upload.text_of("Key")?, upload.text_of("UploadId")?);
    let key = match encoded {
        false => key.to_owned(),
        true => decode(key)?,
    };
    Some((key, id.to_owned()))
}

/// The checksum that an upload was created with, if its client chose one. An upload that was not begun here, or
/// whose record cannot be read, has none.
async fn checksum_of(
    store: &ObjectStore,
    bucket: &str,
    key: &str,
    upload_id: &str,
) -> Result<Option<UploadChecksum>, S3Error> {
    let name = UploadName {
        bucket,
        key,
        upload_id,
    };
    match store.uploads.find(name).await {
        Ok(head) => Ok(head.checksum.filter(|checksum| checksum.chosen)),
        Err(error) if error.status() == StatusCode::SERVICE_UNAVAILABLE => Err(error),
        Err(_) => Ok(None),
    }
}
