//! Which headers pass between client and backend, each way.
//!
//! Both lists name what passes; all else stays behind. So a hop-by-hop header, one that `Connection`
//! names, a proxy's, a cookie or something nobody thought of never crosses the gateway.

use http::HeaderMap;
use http::HeaderName;
use http::header;

use crate::error::S3Error;

/// The headers of a client's request that go on to the backend when an operation is passed through.
pub(crate) fn request_headers(headers: &HeaderMap) -> HeaderMap {
    pass(headers, &named_by_connection(headers), |name| {
        REQUEST.contains(&name)
            || REQUEST_PREFIXES
                .iter()
                .any(|prefix| name.starts_with(prefix))
    })
}

/// The headers of a backend's answer that go on to the client.
pub(crate) fn response_headers(headers: &HeaderMap) -> HeaderMap {
    pass(headers, &named_by_connection(headers), |name| {
        let listed = RESPONSE.contains(&name);
        let hidden = || {
            RESPONSE_HIDDEN
                .iter()
                .any(|prefix| name.starts_with(prefix))
        };
        listed || name.starts_with("x-amz-") && !hidden()
    })
}

/// `error` with the headers of a backend's refusal that are about the object.
pub(crate) fn error_headers(headers: &HeaderMap, mut error: S3Error) -> S3Error {
    for name in ERROR {
        if let Some(value) = headers.get(&name) {
            error = error.header(name, value.clone());
        }
    }
    error
}

fn pass(headers: &HeaderMap, hops: &[String], passes: impl Fn(&str) -> bool) -> HeaderMap {
    let mut passed = HeaderMap::new();
    for (name, value) in headers {
        let text = name.as_str();
        if passes(text) && !hops.iter().any(|hop| hop == text) {
            passed.append(name.clone(), value.clone());
        }
    }
    passed
}

fn named_by_connection(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect()
}

/// Headers of requests that pass.
///
/// Not here, with a reason: everything about server-side encryption (the gateway's own business),
/// `x-amz-copy-source*` (a copy is two operations of the gateway), `x-amz-mfa` (a credential),
/// `x-amz-expected-bucket-owner` (accounts are the gateway's), `origin` (so is CORS), `expect`
/// (answered by the gateway), `x-amz-acl`, `x-amz-grant-*` and `x-amz-object-ownership` (so are access control lists:
/// all objects at the backend are the gateway's), `x-amz-meta-*` (only objects have it).
const REQUEST: [&str; 20] = [
    "cache-control",
    "content-disposition",
    "content-language",
    "content-md5",
    "content-type",
    "expires",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "x-amz-bucket-object-lock-enabled",
    "x-amz-bucket-object-lock-token",
    "x-amz-bypass-governance-retention",
    "x-amz-confirm-remove-self-bucket-access",
    "x-amz-optional-object-attributes",
    "x-amz-request-payer",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-skip-destination-validation",
    "x-amz-transition-default-minimum-object-size",
    "x-amz-restore-output-path",
];

/// Families of request headers that pass: checksums of an unchanged body.
const REQUEST_PREFIXES: [&str; 1] = ["x-amz-checksum-"];

/// Headers of answers that pass, besides `x-amz-*`.
///
/// `content-length` is here because the body passes unchanged. `date`, `server`, `set-cookie`,
/// `location`, `connection` and the like are the backend's own.
const RESPONSE: [&str; 12] = [
    "accept-ranges",
    "allow",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-type",
    "etag",
    "expires",
    "last-modified",
    "retry-after",
];

/// `x-amz-*` headers of answers that stay behind: the backend's ids, its own encryption, the
/// envelope, and where its buckets are.
const RESPONSE_HIDDEN: [&str; 8] = [
    "x-amz-bucket-arn",
    "x-amz-bucket-region",
    "x-amz-id-2",
    "x-amz-meta-sealgate",
    "x-amz-replication-status",
    "x-amz-request-id",
    "x-amz-request-charged",
    "x-amz-server-side-encryption",
];

/// Headers of refusals that pass.
const ERROR: [HeaderName; 5] = [
    header::ALLOW,
    header::LAST_MODIFIED,
    header::RETRY_AFTER,
    HeaderName::from_static("x-amz-delete-marker"),
    HeaderName::from_static("x-amz-version-id"),
];

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn what_is_not_listed_does_not_reach_the_backend() {
        let sent = headers(&[
            ("authorization", "secret"),
            ("x-amz-date", "d"),
            ("x-amz-security-token", "secret"),
            ("x-amz-content-sha256", "h"),
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-server-side-encryption-customer-key", "secret"),
            ("x-amz-copy-source", "/b/k"),
            ("x-amz-meta-a", "m"),
            ("cookie", "c"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("content-length", "5"),
            ("x-forwarded-for", "1"),
            ("content-md5", "m"),
            ("x-amz-checksum-crc32", "c"),
        ]);
        let passed = request_headers(&sent);
        let names: Vec<_> = passed.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["content-md5", "x-amz-checksum-crc32"]);
    }

    #[test]
    fn a_header_that_connection_names_does_not_pass() {
        let sent = headers(&[("connection", "close, Expires"), ("expires", "never")]);
        assert!(request_headers(&sent).is_empty());
    }

    #[test]
    fn the_backend_receives_no_access_control_list() {
        let sent = headers(&[
            ("x-amz-acl", "public-read"),
            ("x-amz-grant-read", "id=1"),
            ("x-amz-object-ownership", "ObjectWriter"),
        ]);
        assert!(request_headers(&sent).is_empty());
    }

    #[test]
    fn an_answer_does_not_tell_of_the_backend() {
        let came = headers(&[
            ("server", "SecretBackend/1.0"),
            ("x-amz-request-id", "r"),
            ("x-amz-id-2", "i"),
            ("set-cookie", "c"),
            ("location", "http://backend:9000/b"),
            ("x-amz-server-side-encryption-aws-kms-key-id", "k"),
            ("x-amz-meta-sealgate", "e"),
            ("x-minio-deployment-id", "d"),
            ("x-amz-version-id", "v"),
            ("etag", "e"),
        ]);
        let passed = response_headers(&came);
        let names: Vec<_> = passed.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["x-amz-version-id", "etag"]);
    }
}
