//! What the backend reads and writes when it puts an object together from parts.

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Response;
use http::header;

use crate::backend::Backend;
use crate::backend::BackendBody;
use crate::backend::BackendRequest;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::keys::data_key::ObjectName;
use crate::protocol::document;
use crate::protocol::etag::ETag;
use crate::protocol::xml::Element;

/// The id in the backend's answer to the creation of an upload.
///
/// # Errors
///
/// `ServiceUnavailable` for an answer without one.
pub(crate) fn upload_id(document: &[u8]) -> Result<String, S3Error> {
    let root = document::parse_answer(document, &["InitiateMultipartUploadResult"])?;
    let id = root.text_of("UploadId").unwrap_or_default().trim();
    match id.is_empty() {
        true => Err(S3Code::ServiceUnavailable.into()),
        false => Ok(id.to_owned()),
    }
}

/// Gives up an upload whose id nobody has, as well as that can be done.
pub(crate) async fn abort(backend: &Backend, name: &ObjectName, upload_id: &str) {
    let abort = BackendRequest::object(Method::DELETE, &name.bucket, &name.key);
    if let Err(error) = backend.fetch(abort.query("uploadId", upload_id)).await {
        tracing::debug!(%error, "an upload stays behind at the backend");
    }
}

/// The request that completes an upload from these parts, by number and the backend's ETag.
pub(crate) fn request(name: &ObjectName, upload_id: &str, parts: &[(u32, ETag)]) -> BackendRequest {
    let whole = Element::root("CompleteMultipartUpload");
    let document = parts.iter().fold(whole, |document, (number, etag)| {
        let part = Element::new("Part").field("PartNumber", number.to_string());
        document.with(part.field("ETag", etag.as_str()))
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
    let roots = ["CompleteMultipartUploadResult", "Error"];
    let result = document::parse_answer(&body, &roots)?;
    // The status was sent before the backend knew the outcome.
    if result.is_named("Error") {
        let code = result.text_of("Code").unwrap_or("InternalError").trim();
        tracing::warn!(code, "backend did not complete an upload");
        return Err(match S3Code::from_text(code) {
            Some(code) => S3Error::new(code),
            None => S3Error::internal(),
        });
    }
    let etag = result.text_of("ETag").and_then(ETag::parse);
    let mut headers = head.headers;
    let etag = etag.ok_or(S3Code::ServiceUnavailable)?;
    headers.insert(header::ETAG, etag.to_header());
    Ok(headers)
}
