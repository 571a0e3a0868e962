//! Headers that a presigned URL carries in its query.
//!
//! Some SDKs move the `x-amz-*` headers of a presigned request, and its conditions, into its query, where the
//! signature covers them as it covers all of the query; S3 then treats them as headers.

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;

use crate::error::S3Error;
use crate::request::Query;

/// The headers in a presigned query.
///
/// # Errors
///
/// `InvalidArgument` for one that also came as a header, that is no header, or that is a customer's
/// key or a code of an MFA device: addresses end up in logs, these must not.
pub(super) fn headers(
    query: &Query,
    present: &HeaderMap,
) -> Result<Vec<(HeaderName, HeaderValue)>, S3Error> {
    let mut found = Vec::new();
    for (name, value) in query.iter() {
        let lower = name.to_ascii_lowercase();
        let is_header = lower.starts_with("x-amz-") || is_condition(&lower);
        if !is_header || SIGNING.contains(&lower.as_str()) {
            continue;
        }
        if is_digest(&lower) {
            continue;
        }
        if let Some(message) = reason_for_header(&lower) {
            return Err(S3Error::invalid_argument(message, lower, "null"));
        }

        let invalid = || S3Error::invalid_argument("This parameter is invalid.", name, value);
        let header = HeaderName::from_bytes(lower.as_bytes()).map_err(|_| invalid())?;
        if present.contains_key(&header) {
            let message = "This parameter was given as a header and in the query.";
            return Err(S3Error::invalid_argument(message, name, value));
        }
        let value = HeaderValue::from_str(value.trim()).map_err(|_| invalid())?;
        found.push((header, value));
    }
    Ok(found)
}

/// Why a header must not be in the query, if it must not.
fn reason_for_header(name: &str) -> Option<&'static str> {
    match name {
        "x-amz-mfa" => Some("An MFA token must be sent as a header."),
        _ if name.ends_with("customer-key") => {
            Some("A customer-provided encryption key must be sent as a header.")
        }
        _ => None,
    }
}

/// Whether a parameter claims a checksum of the body. Some SDKs compute that before there is a body, of none at
/// all, so S3 does not compare it.
fn is_digest(name: &str) -> bool {
    let checksum = name.strip_prefix("x-amz-checksum-");
    let is_claim = |rest: &str| !matches!(rest, "algorithm" | "mode" | "type");
    name == "x-amz-sdk-checksum-algorithm" || checksum.is_some_and(is_claim)
}

/// Whether a parameter is a condition, which the SDKs for Java and Go move into the query as well.
pub(super) fn is_condition(name: &str) -> bool {
    CONDITIONS
        .iter()
        .any(|condition| name.eq_ignore_ascii_case(condition))
}

const CONDITIONS: [&str; 4] = [
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
];

/// The parameters that make up the signature itself.
const SIGNING: [&str; 8] = [
    "x-amz-algorithm",
    "x-amz-content-sha256",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&str, &str)]) -> Query {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Query::from_pairs(pairs.iter().map(owned).collect())
    }

    #[test]
    fn headers_in_a_presigned_query_count_as_headers() {
        let query = query(&[
            ("X-Amz-Signature", "s"),
            ("x-amz-server-side-encryption", "AES256"),
            ("X-Amz-Acl", "private"),
            ("x-id", "PutObject"),
            ("If-None-Match", "*"),
        ]);
        let found = headers(&query, &HeaderMap::new()).unwrap();
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["x-amz-server-side-encryption", "x-amz-acl", "if-none-match"]
        );
    }

    #[test]
    fn a_checksum_in_the_query_is_none_of_the_body() {
        let query = query(&[
            ("x-amz-checksum-crc32", "AAAAAA=="),
            ("x-amz-sdk-checksum-algorithm", "CRC32"),
            ("x-amz-checksum-mode", "ENABLED"),
            ("x-amz-checksum-algorithm", "SHA256"),
        ]);
        let found = headers(&query, &HeaderMap::new()).unwrap();
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["x-amz-checksum-mode", "x-amz-checksum-algorithm"]);
    }

    #[test]
    fn a_customers_key_or_a_code_of_a_device_in_the_query_is_refused() {
        for name in ["x-amz-server-side-encryption-customer-key", "X-Amz-Mfa"] {
            let query = query(&[(name, "k")]);
            assert!(headers(&query, &HeaderMap::new()).is_err(), "{name}");
        }
    }

    #[test]
    fn a_header_in_both_places_is_refused() {
        let mut present = HeaderMap::new();
        present.insert("x-amz-acl", HeaderValue::from_static("private"));
        assert!(headers(&query(&[("x-amz-acl", "private")]), &present).is_err());
    }

    #[test]
    fn a_value_that_is_no_header_value_is_refused() {
        assert!(headers(&query(&[("x-amz-meta-a", "b\r\nc: d")]), &HeaderMap::new()).is_err());
    }
}
