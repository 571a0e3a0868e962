//! What the backend reads and writes when it puts an object together from parts.

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Response;
use http::header;

use crate::backend::BackendBody;
use crate::backend::BackendRequest;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::keys::data_key::ObjectName;
use crate::protocol::etag::ETag;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;

/// The id in the backend's answer to the creation of an upload.
///
/// # Errors
///
/// `ServiceUnavailable` for an answer without one.
pub(crate) fn upload_id(document: &[u8]) -> Result<String, S3Error> {
    let root = Element::parse(document, Limits::ANSWER).ok();
    root.as_ref()
        .and_then(|root| root.text_of("UploadId"))
        .map(str::trim)
        .filter(|id| !id.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| {
            tracing::error!("backend began an upload without an id");
            S3Error::new(S3Code::ServiceUnavailable)
        })
}

/// The request that completes an upload from these parts, by number and the backend's ETag.
pub(crate) fn request(name: &ObjectName, upload_id: &str, parts: &[(u32, ETag)]) -> BackendRequest {
    let whole = Element::root("CompleteMultipartUpload");
    let document = parts.iter().fold(whole, |document, (number, etag)| {
        document.with(
            Element::new("Part")
                .with(Element::with_text("PartNumber", number.to_string()))
                .with(Element::with_text("ETag", etag.as_str())),
        )
    });
    BackendRequest::object(Method::POST, &name.bucket, &name.key)
        .query("uploadId", upload_id)
        .header(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/xml"),
        )
        .body(BackendBody::Bytes(document.to_document()))
}

/// The headers of the backend's answer to that, with the `ETag` from its document.
///
/// # Errors
///
/// The error in a document under a status of success; `ServiceUnavailable` for another document.
pub(crate) fn headers(answer: Response<Bytes>) -> Result<HeaderMap, S3Error> {
    let (head, body) = answer.into_parts();
    let unusable = || {
        tracing::error!("backend's answer to a completed upload cannot be read");
        S3Error::new(S3Code::ServiceUnavailable)
    };
    let result = Element::parse(&body, Limits::ANSWER).map_err(|_| unusable())?;
    // The status was sent before the backend knew the outcome.
    if result.name() == "Error" {
        let code = result.text_of("Code").unwrap_or("InternalError").trim();
        tracing::warn!(code, "backend did not complete an upload");
        return Err(match S3Code::from_text(code) {
            Some(code) => S3Error::new(code),
            None => S3Error::internal(),
        });
    }
    let etag = result.text_of("ETag").and_then(ETag::parse);
    let mut headers = head.headers;
    headers.insert(header::ETAG, etag.ok_or_else(unusable)?.to_header());
    Ok(headers)
}
