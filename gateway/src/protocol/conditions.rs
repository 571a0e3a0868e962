//! Conditional requests: `If-Match`, `If-None-Match`, `If-Modified-Since`, `If-Unmodified-Since`.
//!
//! Conditions are laid over the object as the CLIENT sees it (its plaintext ETag), never over what
//! the backend holds, so the gateway answers them itself. Combinations follow RFC 9110, section
//! 13.2.2, as S3 documents for `GetObject` and `CopyObject`.

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header;

/// What the conditions of a read say about an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Go on.
    Proceed,
    /// 304: the client has this version already.
    NotModified,
    /// 412: the named condition does not hold.
    Failed {
        /// The condition as the error document names it.
        condition: &'static str,
    },
}

/// The names of the four condition headers of one kind of request.
#[derive(Clone, Debug)]
pub struct Names {
    if_match: HeaderName,
    if_none_match: HeaderName,
    if_modified_since: HeaderName,
    if_unmodified_since: HeaderName,
    /// Copies answer 412 where reads answer 304.
    never_not_modified: bool,
}

impl Names {
    /// Those of `GetObject` and `HeadObject`.
    #[must_use]
    pub fn of_reads() -> Self {
        Self {
            if_match: header::IF_MATCH,
            if_none_match: header::IF_NONE_MATCH,
            if_modified_since: header::IF_MODIFIED_SINCE,
            if_unmodified_since: header::IF_UNMODIFIED_SINCE,
            never_not_modified: false,
        }
    }

    /// Those about the source of a `CopyObject`.
    #[must_use]
    pub fn of_copy_sources() -> Self {
        Self {
            if_match: HeaderName::from_static("x-amz-copy-source-if-match"),
            if_none_match: HeaderName::from_static("x-amz-copy-source-if-none-match"),
            if_modified_since: HeaderName::from_static("x-amz-copy-source-if-modified-since"),
            if_unmodified_since: HeaderName::from_static("x-amz-copy-source-if-unmodified-since"),
            never_not_modified: true,
        }
    }
}

/// Judges the conditions in `headers` for an object with this ETag and `Last-Modified` header.
///
/// Dates that do not parse are ignored, as RFC 9110 demands.
#[must_use]
pub fn evaluate(
    headers: &HeaderMap,
    names: &Names,
    etag: &str,
    last_modified: Option<&str>,
) -> Outcome {
    let modified = || last_modified.and_then(seconds);
    let negative = |condition| {
        if names.never_not_modified {
            Outcome::Failed { condition }
        } else {
            Outcome::NotModified
        }
    };

    if let Some(expected) = text(headers, &names.if_match) {
        if !matches_any(expected, etag) {
            return Outcome::Failed {
                condition: "If-Match",
            };
        }
    } else if let Some(limit) = date(headers, &names.if_unmodified_since)
        && modified().is_some_and(|modified| modified > limit)
    {
        return Outcome::Failed {
            condition: "If-Unmodified-Since",
        };
    }

    if let Some(known) = text(headers, &names.if_none_match) {
        if matches_any(known, etag) {
            return negative("If-None-Match");
        }
    } else if let Some(since) = date(headers, &names.if_modified_since)
        && modified().is_some_and(|modified| modified <= since)
    {
        return negative("If-Modified-Since");
    }

    Outcome::Proceed
}

/// Whether a list of ETags (or `*`) names this one; weak marks and quotes make no difference.
#[must_use]
pub fn matches_any(list: &str, etag: &str) -> bool {
    let bare = strip(etag);
    list.split(',')
        .map(strip)
        .any(|candidate| candidate == "*" || candidate == bare)
}

/// The ETag that the backend has now, for it to judge a write's `If-Match` by again: in quotes if the
/// client's was, else bare.
///
/// RFC 9110 wants quotes and S3 takes both, but Ceph 18 takes an ETag of a write without them only.
#[must_use]
pub fn in_form_of(client: &str, backend: HeaderValue) -> HeaderValue {
    if client.contains('"') {
        return backend;
    }
    let bare = backend.to_str().map(strip).map(HeaderValue::from_str);
    bare.ok().and_then(Result::ok).unwrap_or(backend)
}

fn strip(etag: &str) -> &str {
    let etag = etag.trim();
    etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"')
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    text(headers, name).and_then(seconds)
}

/// Seconds since 1970 of an HTTP date.
fn seconds(date: &str) -> Option<u64> {
    let time = httpdate::parse_http_date(date).ok()?;
    time.duration_since(std::time::UNIX_EPOCH)
        .ok()
        .map(|since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::HeaderName;
    use http::HeaderValue;

    use super::Names;
    use super::Outcome;
    use super::evaluate;
    use super::in_form_of;

    const ETAG: &str = "\"abc\"";
    const MODIFIED: &str = "Wed, 01 Jan 2025 00:00:00 GMT";
    const BEFORE: &str = "Tue, 31 Dec 2024 23:59:59 GMT";
    const AFTER: &str = "Wed, 01 Jan 2025 00:00:01 GMT";

    fn outcome(pairs: &[(&'static str, &str)]) -> Outcome {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        evaluate(&headers, &Names::of_reads(), ETAG, Some(MODIFIED))
    }

    #[test]
    fn a_backend_is_asked_with_quotes_only_if_the_client_wrote_them() {
        for (client, expected) in [("\"abc\"", "\"123\""), ("abc", "123"), ("*", "123")] {
            let backend = HeaderValue::from_static("\"123\"");
            assert_eq!(in_form_of(client, backend), expected, "{client}");
        }
    }

    #[test]
    fn each_condition_alone_gives_its_answer() {
        let failed = |condition| Outcome::Failed { condition };
        for (pair, expected) in [
            (("if-match", "\"abc\""), Outcome::Proceed),
            (("if-match", "abc"), Outcome::Proceed),
            (("if-match", "*"), Outcome::Proceed),
            (("if-match", "\"x\", \"abc\""), Outcome::Proceed),
            (("if-match", "\"x\""), failed("If-Match")),
            (("if-none-match", "\"abc\""), Outcome::NotModified),
            (("if-none-match", "W/\"abc\""), Outcome::NotModified),
            (("if-none-match", "*"), Outcome::NotModified),
            (("if-none-match", "\"x\""), Outcome::Proceed),
            (("if-modified-since", BEFORE), Outcome::Proceed),
            (("if-modified-since", MODIFIED), Outcome::NotModified),
            (("if-modified-since", AFTER), Outcome::NotModified),
            (("if-modified-since", "yesterday"), Outcome::Proceed),
            (
                ("if-unmodified-since", BEFORE),
                failed("If-Unmodified-Since"),
            ),
            (("if-unmodified-since", MODIFIED), Outcome::Proceed),
        ] {
            assert_eq!(outcome(&[pair]), expected, "{pair:?}");
        }
    }

    #[test]
    fn a_condition_on_the_etag_outranks_the_one_on_the_date() {
        assert_eq!(
            outcome(&[("if-match", ETAG), ("if-unmodified-since", BEFORE)]),
            Outcome::Proceed
        );
        assert_eq!(
            outcome(&[("if-none-match", "\"x\""), ("if-modified-since", AFTER)]),
            Outcome::Proceed
        );
    }

    #[test]
    fn a_copy_source_never_answers_not_modified() {
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-amz-copy-source-if-none-match",
            HeaderValue::from_static(ETAG),
        );
        assert_eq!(
            evaluate(&headers, &Names::of_copy_sources(), ETAG, Some(MODIFIED)),
            Outcome::Failed {
                condition: "If-None-Match"
            }
        );
    }
}
