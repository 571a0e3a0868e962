//! Digests of what is stored under a lock: S3 demands one of the client, and the backend one of the gateway.
//!
//! The client's is of the plaintext. The backend's is of the sealed bytes, and the gateway computes it. A
//! copy needs none of the client, which does not have the bytes, and neither does a form: no report shows
//! that AWS demands one there.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>, Content-MD5.

use http::HeaderMap;
use http::HeaderName;
use http::Method;

use crate::error::S3Error;
use crate::request::S3Request;

/// Whether a write comes with a lock of its own.
pub(crate) fn names_lock(headers: &HeaderMap) -> bool {
    let is_lock = |name: &HeaderName| name.as_str().starts_with("x-amz-object-lock-");
    headers.keys().any(is_lock)
}

/// Refuses an object under a lock whose request has no digest of it, unless that is a form.
///
/// # Errors
///
/// `InvalidRequest`.
pub(crate) fn check_object(request: &S3Request) -> Result<(), S3Error> {
    match request.method == Method::POST {
        true => Ok(()),
        false => check(request, OBJECT),
    }
}

/// Refuses a part of an object under a lock whose request has no digest of it.
///
/// # Errors
///
/// `InvalidRequest`.
pub(crate) fn check_part(request: &S3Request) -> Result<(), S3Error> {
    check(request, PART)
}

fn check(request: &S3Request, message: &'static str) -> Result<(), S3Error> {
    let names = request.headers.keys().map(HeaderName::as_str);
    let trailers = request.body.announced_trailers().iter();
    let has_digest = names.chain(trailers.map(HeaderName::as_str)).any(is_digest);
    match has_digest {
        true => Ok(()),
        false => Err(S3Error::invalid_request(message)),
    }
}

fn is_digest(name: &str) -> bool {
    let checksum = name.strip_prefix("x-amz-checksum-");
    let is_value = |rest: &str| !matches!(rest, "algorithm" | "mode" | "type");
    name == "content-md5" || checksum.is_some_and(is_value)
}

const OBJECT: &str = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests \
    with Object Lock parameters";
const PART: &str = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Part requests \
    with Object Lock parameters";
