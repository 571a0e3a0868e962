//! Which headers pass between the client and the backend with an object, and which do not.
//!
//! Both ways are lists of what passes: what is not on them stays behind. Of a write, what describes the object
//! for its readers passes; encryption, checksums and digests are the gateway's own matter. Of an
//! answer, the same, and what the backend reports of versions, locks and classes.

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header;
use http::header::AsHeaderName;

use crate::error::S3Code;
use crate::error::S3Error;

/// The headers of a write that describe the object, for the backend.
///
/// # Errors
///
/// `MetadataTooLarge` above S3's limit; `InvalidArgument` for metadata under the name of the
/// gateway's own.
pub fn of_write(request: &HeaderMap) -> Result<HeaderMap, S3Error> {
    let mut headers = HeaderMap::new();
    for name in request.keys() {
        if DESCRIPTION.contains(&name.as_str()) || PLACEMENT.contains(&name.as_str()) {
            copy(request, &mut headers, name);
        } else if name.as_str().starts_with(METADATA_PREFIX) {
            refuse_reserved(name)?;
            copy(request, &mut headers, name);
        }
    }
    if metadata_bytes(&headers) > METADATA_BYTES_MAX {
        return Err(S3Error::new(S3Code::MetadataTooLarge)
            .detail("Size", metadata_bytes(&headers).to_string())
            .detail("MaxSizeAllowed", METADATA_BYTES_MAX.to_string()));
    }
    strip_aws_chunked(&mut headers);
    default_content_type(&mut headers);
    Ok(headers)
}

/// The headers of a copy's target that come from its source, where the request does not replace
/// them.
#[must_use]
pub fn of_copied(source: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in source.keys() {
        let metadata = name.as_str().starts_with(METADATA_PREFIX) && *name != ENVELOPE;
        if metadata || DESCRIPTION.contains(&name.as_str()) {
            copy(source, &mut headers, name);
        }
    }
    default_content_type(&mut headers);
    headers
}

/// The headers of a copy's target about where and how it is stored: never those of its source.
#[must_use]
pub fn of_placement(request: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in request
        .keys()
        .filter(|name| PLACEMENT.contains(&name.as_str()))
    {
        copy(request, &mut headers, name);
    }
    headers
}

/// The headers of the backend's answer to a read that are the client's.
#[must_use]
pub fn of_answer(backend: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(ANSWER_HEADERS);
    for name in backend.keys() {
        let text = name.as_str();
        let metadata = text.starts_with(METADATA_PREFIX) && *name != ENVELOPE;
        if metadata || DESCRIPTION.contains(&text) || ANSWERED.contains(&text) {
            copy_each(backend, &mut headers, name);
        }
    }
    headers
}

/// The headers of the backend's answer to a write that are the client's.
#[must_use]
pub fn of_write_answer(backend: &HeaderMap) -> HeaderMap {
    selected(backend, &[VERSION_ID, EXPIRATION])
}

/// The headers of the backend's answer to the creation of an upload that are the client's.
#[must_use]
pub fn of_upload_answer(backend: &HeaderMap) -> HeaderMap {
    selected(backend, &[ABORT_DATE, ABORT_RULE])
}

/// The headers of these names, one value each.
#[must_use]
pub fn selected(headers: &HeaderMap, names: &[HeaderName]) -> HeaderMap {
    let value = |name: &HeaderName| Some((name.clone(), headers.get(name)?.clone()));
    names.iter().filter_map(value).collect()
}

/// The value of a header as text; `None` where it is absent or not visible ASCII.
#[must_use]
pub fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Refuses metadata that could be taken for the envelope, in any spelling.
///
/// # Errors
///
/// `InvalidArgument`.
pub fn refuse_reserved(name: &HeaderName) -> Result<(), S3Error> {
    let plain = name.as_str().replace('_', "-");
    let rest = plain.strip_prefix(ENVELOPE.as_str());
    if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-')) {
        return Err(S3Error::invalid_argument(RESERVED, name.as_str(), "null"));
    }
    Ok(())
}

/// One value for a name: S3 joins repeated metadata by commas.
fn copy(from: &HeaderMap, to: &mut HeaderMap, name: &HeaderName) {
    let mut values = from.get_all(name).iter();
    let (Some(first), rest) = (values.next(), values) else {
        return;
    };
    let mut joined = first.as_bytes().to_vec();
    for value in rest {
        joined.push(b',');
        joined.extend_from_slice(value.as_bytes());
    }
    if let Ok(value) = HeaderValue::from_bytes(&joined) {
        to.insert(name.clone(), value);
    }
}

fn copy_each(from: &HeaderMap, to: &mut HeaderMap, name: &HeaderName) {
    for value in from.get_all(name) {
        to.append(name.clone(), value.clone());
    }
}

/// Size of the user metadata as S3 counts it: names without the prefix, and values.
fn metadata_bytes(headers: &HeaderMap) -> usize {
    let of = |(name, value): (&HeaderName, &HeaderValue)| {
        let name = name.as_str().strip_prefix(METADATA_PREFIX)?;
        Some(name.len() + value.len())
    };
    headers.iter().filter_map(of).sum()
}

/// `aws-chunked` is how a body travelled, not what the object is.
fn strip_aws_chunked(headers: &mut HeaderMap) {
    let Some(value) = headers.remove(header::CONTENT_ENCODING) else {
        return;
    };
    let Ok(text) = value.to_str() else {
        headers.insert(header::CONTENT_ENCODING, value);
        return;
    };
    // The others are returned as they were written, with their spaces.
    let is_framing = |coding: &&str| coding.trim().eq_ignore_ascii_case("aws-chunked");
    let others: Vec<_> = text.split(',').filter(|it| !is_framing(it)).collect();
    let others = others.join(",");
    let others = others.trim();
    if let Ok(value) = HeaderValue::from_str(others)
        && !others.is_empty()
    {
        headers.insert(header::CONTENT_ENCODING, value);
    }
}

fn default_content_type(headers: &mut HeaderMap) {
    headers
        .entry(header::CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("binary/octet-stream"));
}

/// The header that holds the envelope. Clients never see it and may not set it.
pub const ENVELOPE: HeaderName = HeaderName::from_static("x-amz-meta-sealgate");

/// The header that names a version.
pub const VERSION_ID: HeaderName = HeaderName::from_static("x-amz-version-id");

const EXPIRATION: HeaderName = HeaderName::from_static("x-amz-expiration");
const ABORT_DATE: HeaderName = HeaderName::from_static("x-amz-abort-date");
const ABORT_RULE: HeaderName = HeaderName::from_static("x-amz-abort-rule-id");

/// What an object is, for its readers.
const DESCRIPTION: [&str; 6] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
];

/// Where and how an object is stored. Access control lists are the gateway's own.
const PLACEMENT: [&str; 7] = [
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-request-payer",
    "x-amz-storage-class",
    "x-amz-tagging",
    "x-amz-website-redirect-location",
];

/// What the backend reports about an object that is its own matter.
const ANSWERED: [&str; 14] = [
    "last-modified",
    "x-amz-archive-status",
    "x-amz-delete-marker",
    "x-amz-expiration",
    "x-amz-missing-meta",
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-replication-status",
    "x-amz-restore",
    "x-amz-storage-class",
    "x-amz-tagging-count",
    "x-amz-version-id",
    "x-amz-website-redirect-location",
];

/// Header fields for which an answer has space at once: a plain object has nine.
const ANSWER_HEADERS: usize = 12;

/// First part of the names of user metadata.
const METADATA_PREFIX: &str = "x-amz-meta-";

/// Most user metadata an object may have, in bytes.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>
const METADATA_BYTES_MAX: usize = 2_048;

const RESERVED: &str = "This metadata name is reserved.";

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::HeaderName;
    use http::HeaderValue;

    use super::of_answer;
    use super::of_write;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        headers
    }

    #[test]
    fn only_what_describes_the_object_reaches_the_backend() {
        let sent = of_write(&headers(&[
            ("content-type", "text/plain"),
            ("x-amz-meta-a", "1"),
            ("x-amz-meta-a", "2"),
            ("x-amz-tagging", "k=v"),
            ("x-amz-server-side-encryption", "AES256"),
            ("x-amz-server-side-encryption-customer-key", "secret"),
            ("x-amz-checksum-crc32", "AAAAAA=="),
            ("content-md5", "x"),
            ("authorization", "x"),
            ("cookie", "x"),
            ("x-amz-expected-bucket-owner", "x"),
        ]))
        .unwrap();
        let mut names: Vec<_> = sent.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "x-amz-meta-a", "x-amz-tagging"]);
        assert_eq!(sent["x-amz-meta-a"], "1,2");
    }

    #[test]
    fn the_name_of_the_envelope_is_refused_in_every_spelling() {
        for name in [
            "x-amz-meta-sealgate",
            "x-amz-meta-sealgate-x",
            "x-amz-meta_sealgate",
        ] {
            let outcome = of_write(&headers(&[(name, "1")]));
            let dropped = outcome.as_ref().is_ok_and(|sent| !sent.contains_key(name));
            assert!(outcome.is_err() || dropped, "{name}");
        }
        let error = of_write(&headers(&[("x-amz-meta-sealgate", "1")])).unwrap_err();
        assert_eq!(error.code_text(), "InvalidArgument");
    }

    #[test]
    fn metadata_above_the_limit_of_aws_is_refused() {
        let fits = "v".repeat(2_047);
        assert!(of_write(&headers(&[("x-amz-meta-a", &fits)])).is_ok());
        let error = of_write(&headers(&[("x-amz-meta-ab", &fits)])).unwrap_err();
        assert_eq!(error.code_text(), "MetadataTooLarge");
    }

    #[test]
    fn aws_chunked_is_no_encoding_of_the_object() {
        for (sent, expected) in [
            ("aws-chunked", None),
            ("aws-chunked,gzip", Some("gzip")),
            ("gzip, aws-chunked", Some("gzip")),
            ("aws-chunked, aws-chunked", None),
            ("aws-chunked,deflate, gzip", Some("deflate, gzip")),
            ("gzip", Some("gzip")),
            ("deflate, gzip", Some("deflate, gzip")),
            ("deflate,gzip", Some("deflate,gzip")),
        ] {
            let headers = of_write(&headers(&[("content-encoding", sent)])).unwrap();
            let stored = headers
                .get("content-encoding")
                .map(|value| value.to_str().unwrap());
            assert_eq!(stored, expected);
        }
    }

    #[test]
    fn an_answer_tells_nothing_of_the_envelope_or_the_backends_own_digests() {
        let shown = of_answer(&headers(&[
            ("content-type", "text/plain"),
            ("x-amz-meta-sealgate", "secret"),
            ("x-amz-meta-a", "1"),
            ("etag", "\"x\""),
            ("content-length", "9"),
            ("x-amz-checksum-crc32", "AAAAAA=="),
            ("x-amz-server-side-encryption", "AES256"),
            ("server", "backend"),
            ("x-amz-version-id", "v"),
        ]));
        let mut names: Vec<_> = shown.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "x-amz-meta-a", "x-amz-version-id"]);
    }
}
