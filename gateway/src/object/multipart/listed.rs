//! AbortMultipartUpload, ListParts and ListMultipartUploads.
//!
//! Parts are listed with the sizes and ETags that clients know them by; a part that the backend has and
//! the gateway did not acknowledge is not listed. The list of uploads is the backend's, which has
//! nothing in it that sealing changes but the checksums.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>

use http::HeaderValue;
use http::Method;
use http::Response;
use http::StatusCode;
use http::header;

use crate::backend::BackendRequest;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::multipart::current;
use crate::object::multipart::no_such_upload;
use crate::protocol::checksum::parts;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::request::Body;
use crate::request::Query;
use crate::request::S3Request;
use crate::request::empty_body;
use crate::request::full_body;

impl Objects {
    /// Gives an upload up.
    ///
    /// # Errors
    ///
    /// `NoSuchUpload`; the backend's refusal.
    pub async fn abort_upload(&self, request: S3Request) -> Result<Response<Body>, S3Error> {
        let upload = self.upload(&request.target).await?;
        let onward = upload.request(Method::DELETE).query("uploadId", &upload.id);
        let aborted = self.backend.fetch(onward).await;
        let gone = match aborted {
            Ok(_) => false,
            Err(error) if error.is_refused_with(S3Code::NoSuchUpload) => true,
            Err(error) => return Err(error.into()),
        };
        self.uploads.end(upload.state_name(), &upload.head).await?;
        if gone {
            return Err(no_such_upload(&upload.id));
        }
        let mut response = Response::new(empty_body());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }

    /// Answers with the parts of an upload.
    ///
    /// # Errors
    ///
    /// `NoSuchUpload`; `InvalidArgument` for a query that is none; the backend's refusal.
    pub async fn list_parts(&self, request: S3Request) -> Result<Response<Body>, S3Error> {
        let query = &request.target.query;
        let max = number(query, "max-parts", PARTS_LISTED_MAX)?.min(PARTS_LISTED_MAX);
        let marker = number(query, "part-number-marker", 0)?;
        let upload = self.upload(&request.target).await?;
        let held = match self.backend_parts(&upload).await {
            Ok(held) => held,
            Err(error) if error.refusal().is_some() => {
                tracing::debug!(%error, "backend does not list an upload's parts");
                return Err(no_such_upload(&upload.id));
            }
            Err(error) => return Err(error.into()),
        };
        let records = current(self.uploads.parts(&upload.head).await?, &held.parts);

        let mut after = records
            .values()
            .filter(|part| usize::try_from(part.number).is_ok_and(|number| number > marker));
        let shown: Vec<_> = after.by_ref().take(max).collect();
        let next = shown
            .last()
            .map_or(marker.to_string(), |part| part.number.to_string());
        let mut result = Element::root("ListPartsResult")
            .with(Element::with_text("Bucket", &upload.name.bucket))
            .with(Element::with_text("Key", &upload.name.key))
            .with(Element::with_text("UploadId", &upload.id))
            .with(Element::with_text("PartNumberMarker", marker.to_string()))
            .with(Element::with_text("NextPartNumberMarker", next))
            .with(Element::with_text("MaxParts", max.to_string()))
            .with(Element::with_text(
                "IsTruncated",
                after.next().is_some().to_string(),
            ));
        let chosen = upload.head.checksum.filter(|checksum| checksum.chosen);
        for part in shown {
            let modified = held.parts.get(&part.number);
            let modified = modified.map_or("", |part| &part.modified);
            let mut element = Element::new("Part")
                .with(Element::with_text("PartNumber", part.number.to_string()))
                .with(Element::with_text("LastModified", modified))
                .with(Element::with_text(
                    "ETag",
                    format!("\"{}\"", upload.part_etag(part)),
                ))
                .with(Element::with_text(
                    "Size",
                    part.segment.plaintext_bytes.to_string(),
                ));
            if let (Some(checksum), Some(value)) = (chosen, &part.checksum) {
                element = element.with(parts::part_element(checksum.algorithm, value));
            }
            result = result.with(element);
        }
        for name in ["Initiator", "Owner", "StorageClass"] {
            if let Some(told) = held.document.child(name) {
                result = result.with(told.clone());
            }
        }
        if let Some(checksum) = chosen {
            let algorithm = checksum.algorithm.name();
            let kind = checksum.kind.name();
            result = result
                .with(Element::with_text("ChecksumAlgorithm", algorithm))
                .with(Element::with_text("ChecksumType", kind));
        }
        Ok(document(&result))
    }

    /// Answers with the uploads of a bucket.
    ///
    /// # Errors
    ///
    /// The backend's refusal; `ServiceUnavailable` when it gives no usable answer.
    pub async fn list_uploads(&self, request: S3Request) -> Result<Response<Body>, S3Error> {
        let bucket = request.target.bucket.as_deref().unwrap_or_default();
        let mut onward = BackendRequest::bucket(Method::GET, bucket);
        onward.query = request
            .target
            .query
            .pairs()
            .iter()
            .filter(|(name, _)| LISTED.contains(&name.as_str()))
            // As good as none, which not every backend knows.
            .filter(|(name, value)| name != "delimiter" || !value.is_empty())
            .cloned()
            .collect();
        let answer = self.backend.fetch(onward).await?;
        let root = Element::parse(answer.body(), Limits::ANSWER).ok();
        let mut root = root
            .filter(|root| root.name() == "ListMultipartUploadsResult")
            .ok_or_else(|| {
                tracing::error!("backend answered a list of uploads with another document");
                S3Error::new(S3Code::ServiceUnavailable)
            })?;
        for upload in root.children_mut() {
            // They would be about the sealed bytes.
            upload.remove("ChecksumAlgorithm");
            upload.remove("ChecksumType");
        }
        Ok(document(&root))
    }
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

fn document(root: &Element) -> Response<Body> {
    let mut response = Response::new(full_body(root.to_document()));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/xml"),
    );
    response
}

/// Most parts that one answer lists; S3's own limit.
const PARTS_LISTED_MAX: usize = 1_000;

/// Query names of the list of uploads; what is not here does not reach the backend.
const LISTED: [&str; 8] = [
    "delimiter",
    "encoding-type",
    "key-marker",
    "max-uploads",
    "prefix",
    "upload-id-marker",
    "uploads",
    "x-id",
];
