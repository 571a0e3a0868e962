//! What functions answer, and what callers receive of it.
//!
//! GetObject is answered by the headers and the body of WriteGetObjectResponse. Of the headers only those pass that
//! S3 lists: a function cannot frame the answer, set cookies, or speak for other origins. HeadObject and the
//! listings are answered by JSON.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_WriteGetObjectResponse.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/olap-writing-lambda.html>

use std::collections::BTreeMap;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Response;
use http::StatusCode;
use http::header;
use serde::Deserialize;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::object_lambda::waiting::FunctionAnswer;
use crate::request::Body;
use crate::request::empty_body;
use crate::request::full_body;

/// The head of WriteGetObjectResponse, checked: what the caller receives but for the body.
#[derive(Debug)]
pub struct AnswerHead {
    status: StatusCode,
    error: Option<S3Error>,
    headers: HeaderMap,
}

impl AnswerHead {
    /// Reads the headers of WriteGetObjectResponse.
    ///
    /// # Errors
    ///
    /// `ValidationError`, which the function receives.
    pub fn read(headers: &HeaderMap) -> Result<Self, S3Error> {
        let status = match text(headers, STATUS)? {
            Some(text) => status(text).ok_or_else(|| invalid("The status code is not valid."))?,
            None => StatusCode::OK,
        };
        let code = text(headers, "x-amz-fwd-error-code")?;
        let message = text(headers, "x-amz-fwd-error-message")?;
        let mut answer = HeaderMap::new();
        for (name, value) in headers {
            let Some(name) = forwarded(name.as_str()) else {
                continue;
            };
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid(NO_HEADER))?;
            if answer.insert(name, value.clone()).is_some() {
                return Err(invalid("A header stands twice."));
            }
        }
        let checksums = answer.keys().filter(|name| is_checksum(name.as_str()));
        if checksums.count() > 1 {
            return Err(invalid("Only one checksum header is allowed."));
        }
        Ok(Self {
            status,
            error: error(status, code, message),
            headers: answer,
        })
    }

    /// The caller's answer, with this body.
    ///
    /// # Errors
    ///
    /// The error that the function answered.
    pub fn into_response(self, body: Body, length: Option<u64>) -> Result<Response<Body>, S3Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        if let Some(length) = length {
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        Ok(response)
    }
}

impl FunctionAnswer {
    /// The caller's answer.
    ///
    /// # Errors
    ///
    /// The error that the function answered; `LambdaInvalidResponse` for headers that cannot be.
    pub fn into_response(self) -> Result<Response<Body>, S3Error> {
        let head = AnswerHead::read(&self.headers);
        let head = head.map_err(|_| S3Error::new(S3Code::LambdaInvalidResponse))?;
        head.into_response(self.body, self.length)
    }
}

/// What a function returns for HeadObject.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeadResult {
    status_code: u16,
    error_code: Option<String>,
    error_message: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, serde_json::Value>,
}

/// The caller's answer to HeadObject, by what the function returned.
///
/// # Errors
///
/// The error that the function answered; `LambdaInvalidResponse`.
pub fn head_object(result: &[u8]) -> Result<Response<Body>, S3Error> {
    let refuse = || S3Error::new(S3Code::LambdaInvalidResponse);
    let result: HeadResult = serde_json::from_slice(result).map_err(|_| refuse())?;
    let status = StatusCode::from_u16(result.status_code).ok();
    let status = status
        .filter(|status| is_answer(*status))
        .ok_or_else(refuse)?;
    let (code, message) = (
        result.error_code.as_deref(),
        result.error_message.as_deref(),
    );
    if let Some(error) = error(status, code, message) {
        return Err(error);
    }
    let mut response = Response::new(empty_body());
    *response.status_mut() = status;
    for (name, value) in &result.headers {
        let name = name.to_ascii_lowercase();
        if !is_forwarded(&name) && name != "content-length" {
            continue;
        }
        let text = match value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Bool(value) => value.to_string(),
            _ => return Err(refuse()),
        };
        if name == "content-length" && text.parse::<u64>().is_err() {
            return Err(refuse());
        }
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refuse())?;
        let value = HeaderValue::from_str(&text).map_err(|_| refuse())?;
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// What a function returns for a listing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListResult {
    status_code: u16,
    error_code: Option<String>,
    error_message: Option<String>,
    list_result_xml: Option<String>,
    list_bucket_result: Option<super::listing::ListBucketResult>,
}

/// The caller's answer to a listing, by what the function returned.
///
/// # Errors
///
/// The error that the function answered; `LambdaInvalidResponse`, also for both forms of a listing and for none.
pub fn list_objects(result: &[u8]) -> Result<Response<Body>, S3Error> {
    let refuse = || S3Error::new(S3Code::LambdaInvalidResponse);
    let result: ListResult = serde_json::from_slice(result).map_err(|_| refuse())?;
    let status = StatusCode::from_u16(result.status_code).ok();
    let status = status
        .filter(|status| is_answer(*status))
        .ok_or_else(refuse)?;
    let (code, message) = (
        result.error_code.as_deref(),
        result.error_message.as_deref(),
    );
    if let Some(error) = error(status, code, message) {
        return Err(error);
    }
    let document = match (result.list_result_xml, result.list_bucket_result) {
        // S3 does not check it.
        (Some(xml), None) => Bytes::from(xml),
        (None, Some(listing)) => listing.to_element().to_document(),
        _ => return Err(refuse()),
    };
    let mut response = Response::new(full_body(document));
    *response.status_mut() = status;
    let xml = HeaderValue::from_static("application/xml");
    response.headers_mut().insert(header::CONTENT_TYPE, xml);
    Ok(response)
}

/// The error that a function answers, if it answers one.
fn error(status: StatusCode, code: Option<&str>, message: Option<&str>) -> Option<S3Error> {
    let is_error = status.is_client_error() || status.is_server_error();
    let code = code.filter(|_| is_error)?;
    Some(S3Error::foreign(
        code,
        status,
        message.unwrap_or_default().to_owned(),
    ))
}

/// The name that a header of WriteGetObjectResponse has in the caller's answer, if it passes.
fn forwarded(name: &str) -> Option<&str> {
    if name.starts_with(META) {
        return Some(name);
    }
    let name = name.strip_prefix("x-amz-fwd-header-")?;
    is_forwarded(name).then_some(name)
}

/// Whether the caller receives a header of this name, in lower case.
fn is_forwarded(name: &str) -> bool {
    FORWARDED.contains(&name)
        || is_checksum(name)
        || name.starts_with(META)
        || name.starts_with("x-amz-object-lock-")
        || name.starts_with("x-amz-server-side-encryption")
}

fn is_checksum(name: &str) -> bool {
    name.starts_with("x-amz-checksum-")
}

fn status(text: &str) -> Option<StatusCode> {
    let status = StatusCode::from_bytes(text.trim().as_bytes()).ok();
    status.filter(|status| is_answer(*status))
}

fn is_answer(status: StatusCode) -> bool {
    STATUSES.contains(&status.as_u16())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, S3Error> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| invalid(NO_HEADER))?;
    Ok(Some(text))
}

fn invalid(message: &'static str) -> S3Error {
    S3Error::with_message(S3Code::ValidationError, message)
}

/// The statuses that a function may answer.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_WriteGetObjectResponse.html>
const STATUSES: [u16; 15] = [
    200, 206, 304, 400, 401, 403, 404, 405, 409, 411, 412, 416, 500, 501, 503,
];

/// The headers that a function may set, beside checksums, user metadata, and those of encryption and Object Lock.
const FORWARDED: [&str; 20] = [
    "accept-ranges",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-range",
    "content-type",
    "etag",
    "expires",
    "last-modified",
    "x-amz-archive-status",
    "x-amz-delete-marker",
    "x-amz-expiration",
    "x-amz-missing-meta",
    "x-amz-mp-parts-count",
    "x-amz-replication-status",
    "x-amz-request-charged",
    "x-amz-restore",
    "x-amz-storage-class",
    "x-amz-version-id",
];

const META: &str = "x-amz-meta-";
const STATUS: &str = "x-amz-fwd-status";
const NO_HEADER: &str = "A header is not valid.";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &'static str)]) -> Result<Response<Body>, S3Error> {
        let pairs = pairs.iter().map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        AnswerHead::read(&pairs.collect())?.into_response(empty_body(), Some(5))
    }

    #[test]
    fn a_caller_receives_the_headers_that_s3_lists_and_no_others() {
        let response = read(&[
            ("x-amz-fwd-status", "206"),
            ("x-amz-fwd-header-content-type", "text/plain"),
            ("x-amz-fwd-header-content-range", "bytes 0-4/9"),
            ("x-amz-fwd-header-x-amz-checksum-crc32", "AAAAAA=="),
            ("x-amz-fwd-header-set-cookie", "a=b"),
            ("x-amz-fwd-header-access-control-allow-origin", "*"),
            ("x-amz-fwd-header-transfer-encoding", "chunked"),
            ("x-amz-fwd-header-content-length", "99"),
            ("x-amz-meta-author", "ana"),
            ("x-amz-request-token", "t"),
        ])
        .unwrap();
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
        let mut names: Vec<_> = response.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let expected = [
            "content-length",
            "content-range",
            "content-type",
            "x-amz-checksum-crc32",
            "x-amz-meta-author",
        ];
        assert_eq!(names, expected);
        assert_eq!(response.headers()["content-length"], "5");
    }

    #[test]
    fn an_error_of_the_function_is_the_caller_s() {
        let error = read(&[
            ("x-amz-fwd-status", "403"),
            ("x-amz-fwd-error-code", "AccessDenied"),
            ("x-amz-fwd-error-message", "x"),
        ])
        .unwrap_err();
        assert_eq!((error.code_text(), error.message()), ("AccessDenied", "x"));
        assert_eq!(error.status(), StatusCode::FORBIDDEN);
        let own = read(&[
            ("x-amz-fwd-status", "404"),
            ("x-amz-fwd-error-code", "NoSuchPage"),
        ]);
        assert_eq!(own.unwrap_err().code_text(), "NoSuchPage");
    }

    #[test]
    fn a_head_that_cannot_be_is_the_function_s_error() {
        for pairs in [
            &[("x-amz-fwd-status", "99")][..],
            &[("x-amz-fwd-status", "302")],
            &[("x-amz-fwd-status", "OK")],
            &[
                ("x-amz-fwd-header-x-amz-checksum-crc32", "AAAAAA=="),
                ("x-amz-fwd-header-x-amz-checksum-sha1", "x"),
            ],
        ] {
            assert_eq!(
                read(pairs).unwrap_err().code(),
                S3Code::ValidationError,
                "{pairs:?}"
            );
        }
    }

    #[test]
    fn a_head_is_answered_by_what_the_function_returns() {
        let answer = head_object(
            br#"{"statusCode":200,"headers":{"Content-Length":"5","ETag":"\"a\"","Set-Cookie":"a"}}"#,
        )
        .unwrap();
        assert_eq!(answer.headers()["content-length"], "5");
        assert_eq!(answer.headers()["etag"], "\"a\"");
        assert!(!answer.headers().contains_key("set-cookie"));
        let denied = br#"{"statusCode":403,"errorCode":"AccessDenied","errorMessage":"no"}"#;
        assert_eq!(
            head_object(denied).unwrap_err().code(),
            S3Code::AccessDenied
        );
        for result in [
            "",
            "{}",
            r#"{"statusCode":99}"#,
            r#"{"statusCode":200,"headers":{"ETag":[]}}"#,
        ] {
            let refused = head_object(result.as_bytes()).unwrap_err();
            assert_eq!(refused.code(), S3Code::LambdaInvalidResponse, "{result}");
        }
    }

    #[test]
    fn a_listing_is_answered_in_one_of_two_forms() {
        let xml = br#"{"statusCode":200,"listResultXml":"<ListBucketResult/>"}"#;
        assert_eq!(list_objects(xml).unwrap().status(), StatusCode::OK);
        let result = r#"{"statusCode":200,"listBucketResult":{"name":"b","maxKeys":1000,"isTruncated":false,
            "contents":[{"key":"a<","size":3,"eTag":"e"}],"commonPrefixes":[{"prefix":"p/"}]}}"#;
        assert_eq!(
            list_objects(result.as_bytes()).unwrap().status(),
            StatusCode::OK
        );
        let both = r#"{"statusCode":200,"listResultXml":"","listBucketResult":{"name":"b","maxKeys":1,"isTruncated":false}}"#;
        for result in [both, r#"{"statusCode":200}"#, "[]"] {
            let refused = list_objects(result.as_bytes()).unwrap_err();
            assert_eq!(refused.code(), S3Code::LambdaInvalidResponse, "{result}");
        }
    }
}
