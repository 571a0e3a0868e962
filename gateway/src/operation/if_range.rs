//! `If-Range`: a range, but only of the version that the client has begun to read.
//!
//! Another version is answered as a whole, so that a download that is resumed is never put together
//! from two versions. Source: RFC 9110, section 13.1.5.

use http::HeaderMap;
use http::Response;
use http::StatusCode;
use http::header;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::headers;
use crate::request::Body;
use crate::sealed::selection::Selection;

/// The condition on the range of a read, where there are both.
pub(crate) fn condition(selection: &Selection, headers: &HeaderMap) -> Option<String> {
    if !selection.is_range() {
        return None;
    }
    let condition = headers.get(header::IF_RANGE)?;
    Some(condition.to_str().unwrap_or_default().to_owned())
}

/// Whether an answer to a range may stand: it is of the version that the condition names, or an
/// error that has nothing to do with the range.
pub(crate) fn may_stand(condition: &str, answer: &Result<Response<Body>, S3Error>) -> bool {
    match answer {
        Ok(answer) if answer.status() == StatusCode::PARTIAL_CONTENT => {
            holds(condition, answer.headers())
        }
        Ok(_) => true,
        Err(error) => error.code() != S3Code::InvalidRange,
    }
}

/// Whether the condition names the version that these headers describe.
///
/// An ETag is compared strongly; a date must be the very one, as RFC 9110 demands.
pub(crate) fn holds(condition: &str, headers: &HeaderMap) -> bool {
    let name = if condition.starts_with('"') || condition.starts_with("W/") {
        header::ETAG
    } else {
        header::LAST_MODIFIED
    };
    headers::text(headers, name) == Some(condition)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::HeaderValue;

    use super::holds;

    #[test]
    fn only_the_same_etag_or_the_same_date_holds() {
        let mut headers = HeaderMap::new();
        headers.insert("etag", HeaderValue::from_static("\"a\""));
        let date = "Wed, 01 Jan 2025 00:00:00 GMT";
        headers.insert("last-modified", HeaderValue::from_static(date));
        assert!(holds("\"a\"", &headers) && holds(date, &headers));
        for other in ["\"b\"", "W/\"a\"", "a", "", "Thu, 02 Jan 2025 00:00:00 GMT"] {
            assert!(!holds(other, &headers), "{other}");
        }
    }
}
