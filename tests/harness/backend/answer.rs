//! What S3's answers to a recorded request are made of.

use bytes::Bytes;
use http::HeaderMap;
use http::Response;
use percent_encoding::percent_decode_str;

use crate::backend::Recorded;
use crate::backend::store::Store;
use crate::backend::store::Stored;

/// A parsed request.
pub(crate) struct ParsedRequest {
    pub(crate) seen: Recorded,
    /// The body, taken out of `seen`.
    pub(crate) body: Bytes,
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) query: Vec<(String, String)>,
}

impl ParsedRequest {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }
}

pub(crate) fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = text.split_once(start)?.1;
    Some(rest.split_once(end)?.0)
}

/// The refusal of a write whose conditions do not hold.
pub(crate) fn write_condition(store: &Store, request: &ParsedRequest) -> Option<Response<Bytes>> {
    if store.ignores_conditions {
        return None;
    }
    let current = store
        .buckets
        .get(&request.bucket)
        .and_then(|b| b.current(&request.key))
        .cloned();
    let condition = |name: &str| request.seen.header(name).trim_matches('"').to_owned();
    let (wanted, unwanted) = (condition("if-match"), condition("if-none-match"));
    match &current {
        None if !wanted.is_empty() => return Some(error(404, "NoSuchKey")),
        Some(object) if !wanted.is_empty() && wanted != object.etag && wanted != "*" => {
            return Some(error(412, "PreconditionFailed"));
        }
        Some(object) if unwanted == "*" || unwanted == object.etag => {
            return Some(error(412, "PreconditionFailed"));
        }
        _ => {}
    }
    None
}

/// The object that a copy is made from, if the request's conditions on it hold.
pub(crate) fn source(
    store: &Store,
    request: &ParsedRequest,
) -> Result<Stored, Box<Response<Bytes>>> {
    let source = request.seen.header("x-amz-copy-source");
    let source = percent_decode_str(source).decode_utf8_lossy().into_owned();
    let (path, id) = match source.split_once("?versionId=") {
        Some((path, id)) => (path.to_owned(), Some(id.to_owned())),
        None => (source, None),
    };
    let (bucket, key) = path
        .trim_start_matches('/')
        .split_once('/')
        .unwrap_or_default();
    let found = store
        .buckets
        .get(bucket)
        .and_then(|b| b.version(key, id.as_deref()));
    let Some(object) = found.filter(|o| !o.delete_marker).cloned() else {
        return Err(Box::new(error(404, "NoSuchKey")));
    };
    let wanted = request.seen.header("x-amz-copy-source-if-match");
    if !wanted.is_empty() && wanted.trim_matches('"') != object.etag {
        return Err(Box::new(error(412, "PreconditionFailed")));
    }
    Ok(object)
}

/// When an object was written, in the header of its answer: the backend has a clock of its own.
pub(crate) fn date(object: &Stored) -> String {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(object.modified);
    httpdate::fmt_http_date(time)
}

/// The headers that are stored with an object and returned.
pub(crate) fn stored_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let keep = |name: &str| STORED_HEADERS.contains(&name) || name.starts_with("x-amz-meta-");
    let pairs = headers.iter().filter(|(name, _)| keep(name.as_str()));
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    pairs
        .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
        .collect()
}

pub(crate) fn version(object: &Stored) -> &str {
    if object.version_id == "null" {
        ""
    } else {
        &object.version_id
    }
}

/// An S3 error document.
pub(crate) fn error(code: u16, name: &str) -> Response<Bytes> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{name}</Code>\
         <Message>{BACKEND_MESSAGE} {name}</Message><RequestId>{BACKEND_REQUEST_ID}</RequestId>\
         <HostId>backend-host-canary</HostId></Error>"
    );
    let answer = Response::builder()
        .status(code)
        .header("content-type", "application/xml");
    answer
        .header("x-amz-request-id", BACKEND_REQUEST_ID)
        .body(body.into())
        .unwrap()
}

pub(crate) fn empty(code: u16) -> Response<Bytes> {
    let answer = Response::builder().status(code);
    answer
        .header("x-amz-request-id", BACKEND_REQUEST_ID)
        .body(Bytes::new())
        .unwrap()
}

pub(crate) fn xml(body: String) -> Response<Bytes> {
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}");
    let answer = Response::builder().header("content-type", "application/xml");
    answer
        .header("x-amz-request-id", BACKEND_REQUEST_ID)
        .body(body.into())
        .unwrap()
}

/// Adds headers; empty values are left out.
pub(crate) fn with(
    mut answer: Response<Bytes>,
    headers: &[(&'static str, &str)],
) -> Response<Bytes> {
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        answer.headers_mut().insert(*name, value.parse().unwrap());
    }
    answer
}

/// The request id in every answer of the backend: no client may receive it.
pub(crate) const BACKEND_REQUEST_ID: &str = "BACKENDREQUESTID";
const BACKEND_MESSAGE: &str = "A message of the backend:";
const STORED_HEADERS: [&str; 8] = [
    "content-type",
    "content-encoding",
    "content-language",
    "content-disposition",
    "cache-control",
    "expires",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
];
