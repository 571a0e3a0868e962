//! A copy that the backend makes by itself: no byte of the object passes the gateway.

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
use crate::xml::Element;
use crate::xml::Limits;

/// One copy, of an object as it was seen.
#[derive(Clone, Debug)]
pub struct BackendCopy<'a> {
    /// Bucket and key of the source.
    pub from: (&'a str, &'a str),
    /// Version of the source; the current one if absent.
    pub version: Option<&'a str>,
    /// The source's ETag at the backend: another object is not copied.
    pub etag: &'a HeaderValue,
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
        let unusable = |_| BackendError::Request("A name is no header value.");
        let source = HeaderValue::from_str(&source(copy.from, copy.version)).map_err(unusable)?;
        let mut request = BackendRequest::object(Method::PUT, copy.to.0, copy.to.1);
        request.headers = copy.headers;
        let request = request
            .header(SOURCE, source)
            .header(SOURCE_IF_MATCH, copy.etag.clone())
            .header(METADATA_DIRECTIVE, HeaderValue::from_static("REPLACE"));
        let (parts, body) = self.fetch(request).await?.into_parts();
        let result = Element::parse(&body, Limits::ANSWER)
            .map_err(|_| BackendError::Protocol("a copy's answer that is no XML"))?;
        // The status was sent before the backend knew the outcome.
        if result.name() == "Error" {
            let code = result.text_of("Code").unwrap_or("InternalError").trim();
            let message = result.text_of("Message").unwrap_or_default().to_owned();
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            return Err(BackendError::Refused(S3Error::foreign(
                code, status, message,
            )));
        }
        let etag = result.text_of("ETag").unwrap_or_default().trim();
        let etag = HeaderValue::from_str(&format!("\"{}\"", etag.trim_matches('"')))
            .map_err(|_| BackendError::Protocol("a copy's ETag that is none"))?;
        let mut headers = parts.headers;
        headers.insert(header::ETAG, etag);
        Ok(headers)
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

const SOURCE: HeaderName = HeaderName::from_static("x-amz-copy-source");
const SOURCE_IF_MATCH: HeaderName = HeaderName::from_static("x-amz-copy-source-if-match");
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
