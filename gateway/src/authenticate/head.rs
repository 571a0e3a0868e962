//! Heads of requests that two readers could take for different requests.
//!
//! They are refused before anything else looks at them.

use http::HeaderMap;
use http::Uri;
use http::header;
use proto::sigv4::SignedHeaders;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::single_header::repeated;

/// Refuses a head that is ambiguous, or larger than S3 takes.
///
/// # Errors
///
/// `BadRequest`, `InvalidArgument` with the header's name, `RequestHeaderSectionTooLarge`.
pub fn check_head(uri: &Uri, headers: &HeaderMap) -> Result<(), S3Error> {
    let sizes = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4);
    if sizes.sum::<usize>() > HEADER_BYTES_MAX {
        return Err(S3Error::new(S3Code::RequestHeaderSectionTooLarge)
            .detail("MaxSizeAllowed", HEADER_BYTES_MAX.to_string()));
    }
    if uri
        .path_and_query()
        .is_some_and(|text| text.as_str().len() > URI_BYTES_MAX)
    {
        return Err(S3Code::InvalidUri.into());
    }

    // As many names as values: none comes twice.
    let once = headers.keys_len() == headers.len();
    for name in headers.keys().filter(|_| !once) {
        let mut values = headers.get_all(name).iter();
        if values.nth(1).is_some() && is_single(name.as_str()) {
            return Err(repeated(name.as_str()));
        }
    }
    check_transfer(headers)?;
    if headers.contains_key(header::UPGRADE) {
        return Err(bad_request("The connection cannot be upgraded."));
    }
    check_host(uri, headers)
}

/// Takes one `Host` header only, which a target in absolute form must repeat: the signature covers
/// that header, and the bucket is read from it.
///
/// Source: <https://www.rfc-editor.org/rfc/rfc9112#section-3.2>
fn check_host(uri: &Uri, headers: &HeaderMap) -> Result<(), S3Error> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(bad_request("A request must have exactly one Host header."));
    };
    match uri.authority() {
        Some(authority) if host.as_bytes() != authority.as_str().as_bytes() => Err(bad_request(
            "The Host header does not name the request's host.",
        )),
        _ => Ok(()),
    }
}

/// Refuses a `Connection` header that names what the signature covers: whoever forwards the request
/// would drop it after it was checked.
pub(super) fn check_connection(headers: &HeaderMap, signed: &SignedHeaders) -> Result<(), S3Error> {
    let values = headers.get_all(header::CONNECTION).iter();
    let text = values.filter_map(|value| value.to_str().ok());
    for name in text.flat_map(|value| value.split(',')).map(str::trim) {
        let name = name.to_ascii_lowercase();
        if name == "authorization" || name.starts_with("x-amz-") || signed.contains(&name) {
            let message = "The Connection header must not name a signed header.";
            return Err(S3Error::invalid_argument(message, "Connection", name));
        }
        if name == "upgrade" {
            return Err(bad_request("The connection cannot be upgraded."));
        }
    }
    Ok(())
}

/// Takes only `Transfer-Encoding: chunked`, once.
fn check_transfer(headers: &HeaderMap) -> Result<(), S3Error> {
    match headers.get(header::TRANSFER_ENCODING) {
        Some(value) if !value.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            Err(bad_request("The only transfer encoding is chunked."))
        }
        _ => Ok(()),
    }
}

/// Whether a header means one thing only if it comes once.
fn is_single(name: &str) -> bool {
    if name.starts_with("x-amz-") {
        let is_list = name.ends_with("object-attributes");
        return !is_list && !name.starts_with("x-amz-meta-");
    }
    matches!(
        name,
        "access-control-request-method"
            | "authorization"
            | "content-length"
            | "content-md5"
            | "content-type"
            | "date"
            | "expect"
            | "host"
            | "if-modified-since"
            | "if-unmodified-since"
            | "origin"
            | "range"
            | "transfer-encoding"
    )
}

/// `BadRequest` with a message of its own.
fn bad_request(message: &'static str) -> S3Error {
    S3Error::with_message(S3Code::BadRequest, message)
}

/// The most bytes of headers; S3 itself takes 8 KiB, an encryption context may need more.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// The most bytes of path and query: a key of 1,024 bytes, all encoded, and as much again of query.
const URI_BYTES_MAX: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use http::HeaderValue;

    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn check(lines: &[(&str, &str)]) -> Result<(), S3Error> {
        let mut headers = headers(lines);
        headers
            .entry(header::HOST)
            .or_insert(HeaderValue::from_static("localhost"));
        check_head(&Uri::from_static("/demo/k"), &headers)
    }

    #[test]
    fn headers_that_mean_one_thing_must_come_once() {
        for name in [
            "authorization",
            "host",
            "x-amz-date",
            "x-amz-copy-source",
            "range",
        ] {
            assert!(check(&[(name, "a"), (name, "a")]).is_err(), "{name}");
        }
        assert!(check(&[("x-amz-meta-a", "1"), ("x-amz-meta-a", "2")]).is_ok());
        let attributes = ("x-amz-object-attributes", "ETag");
        assert!(check(&[attributes, attributes]).is_ok());
    }

    #[test]
    fn only_the_chunked_transfer_encoding_is_taken() {
        assert!(check(&[("transfer-encoding", "Chunked")]).is_ok());
        for value in [
            "chunked, chunked",
            "gzip, chunked",
            "identity",
            "xchunked",
            "",
        ] {
            assert!(check(&[("transfer-encoding", value)]).is_err(), "{value}");
        }
        let twice = [
            ("transfer-encoding", "chunked"),
            ("transfer-encoding", "chunked"),
        ];
        assert!(check(&twice).is_err());
    }

    #[test]
    fn upgrades_are_refused() {
        assert!(check(&[("upgrade", "h2c")]).is_err());
        assert!(
            check_connection(
                &headers(&[("connection", "Upgrade")]),
                &SignedHeaders::default()
            )
            .is_err()
        );
    }

    #[test]
    fn a_connection_header_cannot_take_signed_headers_away() {
        let signed = SignedHeaders::from_names(["host", "content-md5"]);
        for value in [
            "x-amz-server-side-encryption",
            "close, Authorization",
            "HOST",
            "content-md5",
        ] {
            let lines = headers(&[("connection", "keep-alive"), ("connection", value)]);
            assert!(check_connection(&lines, &signed).is_err(), "{value}");
        }
        assert!(check_connection(&headers(&[("connection", "close, te")]), &signed).is_ok());
    }

    #[test]
    fn a_head_above_the_limits_is_refused() {
        let error = check(&[("x-amz-meta-a", &"v".repeat(16 * 1024))]).unwrap_err();
        assert_eq!(error.code(), S3Code::RequestHeaderSectionTooLarge);
        let uri: Uri = format!("/demo/k?prefix={}", "a".repeat(8 * 1024))
            .parse()
            .unwrap();
        assert!(check_head(&uri, &headers(&[("host", "localhost")])).is_err());
    }

    #[test]
    fn the_request_line_and_host_must_agree() {
        let uri = Uri::from_static("http://one.example/demo");
        assert!(check_head(&uri, &headers(&[("host", "one.example")])).is_ok());
        assert!(check_head(&uri, &headers(&[("host", "two.example")])).is_err());
    }

    #[test]
    fn a_request_names_its_host_in_exactly_one_header() {
        for uri in ["/demo/k", "http://one.example/demo/k"] {
            let uri = Uri::from_static(uri);
            let two = [("host", "one.example"), ("host", "one.example")];
            assert!(check_head(&uri, &headers(&[])).is_err(), "{uri}: none");
            assert!(check_head(&uri, &headers(&two)).is_err(), "{uri}: two");
            assert!(check_head(&uri, &headers(&two[..1])).is_ok(), "{uri}: one");
        }
    }
}
