//! XML documents that clients send, read whole and checked before they are acted on.

use bytes::Bytes;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::checksum::digests::Digester;
use crate::protocol::checksum::digests::Expected;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::request::S3Request;

/// The body of `request`, whole, after its signature, its `Content-MD5` and its checksum were found
/// right; at most [`DOCUMENT_BYTES_MAX`].
///
/// # Errors
///
/// `MaxMessageLengthExceeded`; `BadDigest`, `InvalidDigest` or `InvalidRequest` for digests that do
/// not match or are none; whatever was wrong with the body.
pub async fn read(request: &mut S3Request) -> Result<Bytes, S3Error> {
    let expected = Expected::read(&request.headers, request.body.announced_trailers())?;
    let document = request.body.collect(DOCUMENT_BYTES_MAX).await?;
    let mut digests = Digester::new(expected, false);
    digests.update(&document);
    digests.finish(request.body.trailers())?;
    Ok(document)
}

/// The document that a client sent.
///
/// # Errors
///
/// `MalformedXML`.
pub fn parse(document: &[u8]) -> Result<Element, S3Error> {
    Element::parse(document, Limits::REQUEST).map_err(|_| S3Code::MalformedXml.into())
}

/// The document that the backend answered with, whose root has one of these names.
///
/// # Errors
///
/// `ServiceUnavailable`.
pub fn parse_answer(document: &[u8], roots: &[&str]) -> Result<Element, S3Error> {
    let root = Element::parse(document, Limits::ANSWER).ok();
    root.filter(|root| roots.contains(&root.name()))
        .ok_or_else(|| {
            tracing::error!(?roots, "the backend answered with another document");
            S3Code::ServiceUnavailable.into()
        })
}

/// Refuses a request whose body has neither a `Content-MD5` nor a checksum, where S3 wants one.
///
/// # Errors
///
/// `InvalidRequest`.
pub fn require_digest(request: &S3Request) -> Result<(), S3Error> {
    let in_headers = request.headers.keys().any(|name| {
        let checksum = name.as_str().strip_prefix("x-amz-checksum-");
        name == "content-md5" || checksum.is_some_and(|name| name != "algorithm" && name != "type")
    });
    if in_headers || !request.body.announced_trailers().is_empty() {
        return Ok(());
    }
    Err(S3Error::invalid_request(DIGEST_MISSING))
}

/// Longest document taken, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 1 << 20;

/// S3's own text.
const DIGEST_MISSING: &str =
    "Missing required header for this request: Content-MD5 OR x-amz-checksum-*";
