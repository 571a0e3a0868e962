//! ListParts and ListMultipartUploads.
//!
//! Parts are listed with the sizes and ETags that clients see; a part that the backend has and
//! the gateway did not acknowledge is not listed. The list of uploads is the backend's, in which
//! sealing changes nothing except the checksums.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>

use http::Method;
use http::Response;

use crate::authorize::Permitted;
use crate::backend::BackendRequest;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::operation::answer;
use crate::operation::list_objects::passed_query;
use crate::operation::store::ObjectStore;
use crate::operation::upload::journal::Upload;
use crate::operation::upload::journal::current;
use crate::protocol::checksum::parts;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::request::Body;
use crate::request::Query;
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
    let (request, _) = permitted.spend();
    let query = &request.target.query;
    let max = number(query, "max-parts", PARTS_LISTED_MAX)?.min(PARTS_LISTED_MAX);
    let marker = number(query, "part-number-marker", 0)?;
    let upload = Upload::find(store, &request.target).await?;
    let held = upload.backend_parts(store).await?;
    let records = current(store.uploads.parts(&upload.head).await?, &held.parts);

    let is_after = |number| usize::try_from(number).is_ok_and(|number| number > marker);
    let mut after = records.values().filter(|part| is_after(part.number));
    let shown: Vec<_> = after.by_ref().take(max).collect();
    let next = shown
        .last()
        .map_or(marker.to_string(), |part| part.number.to_string());
    let truncated = after.next().is_some().to_string();
    let mut result = Element::root("ListPartsResult")
        .with(Element::with_text("Bucket", &upload.name.bucket))
        .with(Element::with_text("Key", &upload.name.key))
        .with(Element::with_text("UploadId", &upload.id))
        .with(Element::with_text("PartNumberMarker", marker.to_string()))
        .with(Element::with_text("NextPartNumberMarker", next))
        .with(Element::with_text("MaxParts", max.to_string()))
        .with(Element::with_text("IsTruncated", truncated));
    let chosen = upload.head.checksum.filter(|checksum| checksum.chosen);
    for part in shown {
        let modified = held.parts.get(&part.number);
        let modified = modified.map_or("", |part| &part.modified);
        let size = part.segment.plaintext_bytes.to_string();
        let mut element = Element::new("Part")
            .with(Element::with_text("PartNumber", part.number.to_string()))
            .with(Element::with_text("LastModified", modified))
            .with(Element::with_text("ETag", upload.part_etag(part).as_str()))
            .with(Element::with_text("Size", size));
        if let (Some(checksum), Some(value)) = (chosen, &part.checksum) {
            element = element.with(parts::part_element(checksum.algorithm, value));
        }
        result = result.with(element);
    }
    for name in ["Initiator", "Owner", "StorageClass"] {
        if let Some(child) = held.document.child(name) {
            result = result.with(child.clone());
        }
    }
    if let Some(checksum) = chosen {
        let (algorithm, kind) = (checksum.algorithm.name(), checksum.kind.name());
        result = result
            .with(Element::with_text("ChecksumAlgorithm", algorithm))
            .with(Element::with_text("ChecksumType", kind));
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
    let (request, _) = permitted.spend();
    let bucket = request.target.bucket.as_deref().unwrap_or_default();
    let mut onward = BackendRequest::bucket(Method::GET, bucket);
    onward.query = passed_query(&request.target.query, &QUERY);
    let answer = store.backend.fetch(onward).await?;
    let root = Element::parse(answer.body(), Limits::ANSWER).ok();
    let root = root.filter(|root| root.name() == "ListMultipartUploadsResult");
    let mut root = root.ok_or_else(|| {
        tracing::error!("backend answered a list of uploads with another document");
        S3Error::new(S3Code::ServiceUnavailable)
    })?;
    for upload in root.children_mut() {
        // They would be about the sealed bytes.
        upload.remove("ChecksumAlgorithm");
        upload.remove("ChecksumType");
    }
    Ok(answer::document(&root))
}

/// A number of the query, or what stands for it.
fn number(query: &Query, name: &'static str, default: usize) -> Result<usize, S3Error> {
    match query.get(name) {
        None | Some("") => Ok(default),
        Some(text) => text.parse().map_err(|_| {
            let message = format!("Provided {name} not an integer or within integer range");
            S3Error::invalid_argument(message, name, text)
        }),
    }
}

/// Most parts that one answer lists; S3's own limit.
const PARTS_LISTED_MAX: usize = 1_000;

/// Query names of the list of uploads; what is not here does not reach the backend.
const QUERY: [&str; 8] = [
    "delimiter",
    "encoding-type",
    "key-marker",
    "max-uploads",
    "prefix",
    "upload-id-marker",
    "uploads",
    "x-id",
];
