//! A copy that the backend makes by itself: no byte of the object passes the gateway.

use std::ops::Range;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::header;
use proto::sigv4;

use crate::backend::Backend;
use crate::backend::BackendError;
use crate::backend::BackendRequest;
use crate::error::S3Error;
use crate::protocol::etag::ETag;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;

/// One copy, of an object as it was seen.
#[derive(Clone, Debug)]
pub struct BackendCopy<'a> {
    /// Bucket and key of the source.
    pub from: (&'a str, &'a str),
    /// Version of the source; the current one if absent.
    pub version: Option<&'a str>,
    /// The source's ETag at the backend: another object is not copied.
    pub etag: &'a ETag,
    /// Bucket and key of the target.
    pub to: (&'a str, &'a str),
    /// Headers of the target, in place of the source's; tags are the source's unless they are here.
    pub headers: HeaderMap,
}

impl Backend {
    /// Has the backend copy an object; the headers of its answer, with the target's `ETag`.
    ///
    /// # Errors
    ///
    /// [`BackendError::Refused`] with status 412 where the source has another ETag by now, or where a
    /// condition among the headers does not hold.
    pub async fn copy(&self, copy: BackendCopy<'_>) -> Result<HeaderMap, BackendError> {
        let mut request = BackendRequest::object(Method::PUT, copy.to.0, copy.to.1);
        request.headers = copy.headers.clone();
        let request = copy
            .source(request)?
            .header(METADATA_DIRECTIVE, HeaderValue::from_static("REPLACE"));
        let (mut headers, etag) = self.fetch_copied(request).await?;
        headers.insert(header::ETAG, etag.to_header());
        Ok(headers)
    }

    /// Has the backend take a range of an object as a part of an upload; the part's ETag.
    ///
    /// # Errors
    ///
    /// As [`Self::copy`].
    pub async fn copy_part(
        &self,
        copy: BackendCopy<'_>,
        (upload_id, number): (&str, u32),
        range: Range<u64>,
    ) -> Result<ETag, BackendError> {
        let last = range.end.saturating_sub(1);
        let range = HeaderValue::from_str(&format!("bytes={}-{last}", range.start))
            .map_err(|_| BackendError::Request("A range is no header value."))?;
        let request = BackendRequest::object(Method::PUT, copy.to.0, copy.to.1)
            .query("partNumber", number.to_string())
            .query("uploadId", upload_id)
            .header(SOURCE_RANGE, range);
        let (_, etag) = self.fetch_copied(copy.source(request)?).await?;
        Ok(etag)
    }

    /// The headers of a copy's answer and the ETag in its document.
    async fn fetch_copied(
        &self,
        request: BackendRequest,
    ) -> Result<(HeaderMap, ETag), BackendError> {
        let (parts, body) = self.fetch(request).await?.into_parts();
        let result = Element::parse(&body, Limits::ANSWER)
            .map_err(|_| BackendError::Protocol("a copy's answer that is no XML"))?;
        // The status was sent before the backend knew the outcome.
        if result.is_named("Error") {
            let code = result.text_of("Code").unwrap_or("InternalError").trim();
            let message = result.text_of("Message").unwrap_or_default().to_owned();
            let status = match code {
                "PreconditionFailed" => StatusCode::PRECONDITION_FAILED,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            let refusal = S3Error::foreign(code, status, message);
            return Err(BackendError::Refused(refusal));
        }
        let etag = result.text_of("ETag").and_then(ETag::parse);
        let etag = etag.ok_or(BackendError::Protocol("a copy without an ETag"))?;
        Ok((parts.headers, etag))
    }
}

impl BackendCopy<'_> {
    /// A request with the headers that name the source.
    fn source(&self, request: BackendRequest) -> Result<BackendRequest, BackendError> {
        let source = HeaderValue::from_str(&source(self.from, self.version))
            .map_err(|_| BackendError::Request("A name is no header value."))?;
        Ok(request
            .header(SOURCE, source)
            .header(SOURCE_IF_MATCH, self.etag.to_header()))
    }
}

/// The value of `x-amz-copy-source`.
fn source((bucket, key): (&str, &str), version: Option<&str>) -> String {
    let path = format!("/{bucket}/{}", sigv4::encode_path(key.as_bytes()));
    match version {
        Some(version) => format!("{path}?versionId={}", sigv4::encode_component(version)),
        None => path,
    }
}

pub(super) const SOURCE: HeaderName = HeaderName::from_static("x-amz-copy-source");
const SOURCE_IF_MATCH: HeaderName = HeaderName::from_static("x-amz-copy-source-if-match");
const SOURCE_RANGE: HeaderName = HeaderName::from_static("x-amz-copy-source-range");
const METADATA_DIRECTIVE: HeaderName = HeaderName::from_static("x-amz-metadata-directive");

#[cfg(test)]
mod tests {
    use super::source;

    #[test]
    fn a_source_is_encoded_once_and_its_version_stands_behind_it() {
        for (key, version, expected) in [
            ("k", None, "/demo/k"),
            ("a b/c+d?e", None, "/demo/a%20b/c%2Bd%3Fe"),
            ("k", Some("v/1"), "/demo/k?versionId=v%2F1"),
        ] {
            assert_eq!(source(("demo", key), version), expected);
        }
    }
}
