//! Answers that several operations share.

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Response;
use http::StatusCode;
use http::header;
use proto::time::Timestamp;

use crate::backend::Backend;
use crate::bucket::versioning;
use crate::protocol::headers;
use crate::protocol::headers::VERSION_ID;
use crate::protocol::xml::Element;
use crate::request::Addressing;
use crate::request::Body;
use crate::request::S3Request;
use crate::request::empty_body;
use crate::request::full_body;
use crate::sse::request::Encryption;

/// An answer of status 200 with this document.
pub(crate) fn document(root: &Element) -> Response<Body> {
    let mut response = Response::new(full_body(root.to_document()));
    let xml = HeaderValue::from_static("application/xml");
    response.headers_mut().insert(header::CONTENT_TYPE, xml);
    response
}

/// An answer of status 204.
pub(crate) fn no_content() -> Response<Body> {
    let mut response = Response::new(empty_body());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Removes the version id `null` from the headers of an answer to a write into a bucket without versions: S3 names it
/// only where versioning is suspended, some backends in both. It stays where that cannot be found out.
pub(crate) async fn settle_version(backend: &Backend, bucket: &str, headers: &mut HeaderMap) {
    let is_null = headers.get(VERSION_ID).is_some_and(|id| id == "null");
    if is_null && let Ok(false) = Box::pin(versioning::is_versioned(backend, bucket)).await {
        headers.remove(VERSION_ID);
    }
}

/// The digest that came with the customer's key, to be echoed.
pub(crate) fn customer_key_md5(encryption: &Encryption) -> Option<&str> {
    match encryption {
        Encryption::SseC(key) => Some(key.md5()),
        Encryption::SseS3 | Encryption::SseKms(_) | Encryption::Dsse(_) => None,
    }
}

/// When the backend wrote an object, by the clock of its answer.
pub(crate) fn written_at(headers: &HeaderMap) -> String {
    let date = headers::text(headers, header::DATE);
    let time = date.and_then(|date| Timestamp::parse_http_date(date).ok());
    time.unwrap_or(Timestamp::UNIX_EPOCH).iso8601_millis()
}

/// Adds the version of a copy's source, where the backend named one. The null version is shown only if it was
/// `requested` (recorded from AWS).
pub(crate) fn write_source_version(
    headers: &mut HeaderMap,
    version: Option<&str>,
    requested: Option<&str>,
) {
    let version = version.filter(|version| *version != "null" || requested.is_some());
    if let Some(Ok(version)) = version.map(HeaderValue::from_str) {
        let name = HeaderName::from_static("x-amz-copy-source-version-id");
        headers.insert(name, version);
    }
}

/// The object's URL, as the client addressed its bucket; `path` is its key, encoded.
pub(crate) fn location(request: &S3Request, bucket: &str, path: &str) -> String {
    let scheme = request.connection.scheme();
    let host = request.header("host").unwrap_or_default();
    let is_in_host = request.target.addressing != Addressing::Path;
    if is_in_host || host.starts_with(&format!("{bucket}.")) {
        format!("{scheme}://{host}/{path}")
    } else {
        format!("{scheme}://{host}/{bucket}/{path}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_null_version_of_a_source_is_shown_only_where_it_was_named() {
        for (version, requested, shown) in [
            (None, None, None),
            (Some("v1"), None, Some("v1")),
            (Some("v1"), Some("v1"), Some("v1")),
            (Some("null"), None, None),
            (Some("null"), Some("null"), Some("null")),
        ] {
            let mut headers = HeaderMap::new();
            write_source_version(&mut headers, version, requested);
            let name = headers.get("x-amz-copy-source-version-id");
            assert_eq!(name.map(HeaderValue::as_bytes), shown.map(str::as_bytes));
        }
    }
}
