//! Conditional requests: `If-Match`, `If-None-Match`, `If-Modified-Since`, `If-Unmodified-Since`.
//!
//! Conditions are compared with the object as the CLIENT sees it (its plaintext ETag), never with what
//! the backend holds, so the gateway answers them itself. Combinations follow RFC 9110, section
//! 13.2.2, as S3 documents for `GetObject` and `CopyObject`.

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header;
use proto::time::Timestamp;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::etag::ETag;

/// The conditions of one request.
#[derive(Clone, Copy, Debug)]
pub struct Conditions<'a> {
    headers: Option<&'a HeaderMap>,
    names: &'static Names,
    /// When the request was received.
    now: Timestamp,
}

/// The names of the four condition headers of one kind of request.
#[derive(Debug)]
struct Names {
    if_match: HeaderName,
    if_none_match: HeaderName,
    if_modified_since: HeaderName,
    if_unmodified_since: HeaderName,
    /// Copies answer 412 where reads answer 304.
    never_not_modified: bool,
    /// What errors have before the name of a condition (recorded from AWS).
    prefix: &'static str,
}

/// What conditions say about an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Proceed,
    NotModified,
    /// The condition that does not hold, as the error document names it.
    Failed(&'static str),
}

impl<'a> Conditions<'a> {
    /// None at all.
    #[must_use]
    pub fn none() -> Self {
        Self {
            headers: None,
            names: &READ,
            now: Timestamp::UNIX_EPOCH,
        }
    }

    /// Those of `GetObject` and `HeadObject`, received at `now`.
    #[must_use]
    pub fn of_read(headers: &'a HeaderMap, now: Timestamp) -> Self {
        Self {
            headers: Some(headers),
            names: &READ,
            now,
        }
    }

    /// Those about the source of a copy, received at `now`.
    #[must_use]
    pub fn of_copy_source(headers: &'a HeaderMap, now: Timestamp) -> Self {
        Self {
            headers: Some(headers),
            names: &COPY_SOURCE,
            now,
        }
    }

    /// Compares the conditions with an object that has this ETag and was written at this time.
    ///
    /// Dates that do not parse are ignored, as RFC 9110 demands.
    ///
    /// # Errors
    ///
    /// `NotModified`; `PreconditionFailed`.
    pub fn check(
        &self,
        etag: &ETag,
        modified: impl Fn() -> Option<Timestamp>,
    ) -> Result<(), S3Error> {
        match self.evaluate(etag, &modified) {
            Outcome::Proceed => Ok(()),
            Outcome::Failed(condition) => {
                let condition = format!("{}{condition}", self.names.prefix);
                Err(precondition_failed(condition))
            }
            Outcome::NotModified => {
                let error =
                    S3Error::new(S3Code::NotModified).header(header::ETAG, etag.to_header());
                let date = modified().map(|modified| HeaderValue::from_str(&modified.http_date()));
                Err(match date {
                    Some(Ok(date)) => error.header(header::LAST_MODIFIED, date),
                    _ => error,
                })
            }
        }
    }

    fn evaluate(&self, etag: &ETag, modified: &impl Fn() -> Option<Timestamp>) -> Outcome {
        let Some(headers) = self.headers else {
            return Outcome::Proceed;
        };
        let names = self.names;
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        // Several lines are one list (RFC 9110, section 5.3).
        let listed = |name| {
            let mut lines = headers.get_all(name).iter();
            lines.any(|line| line.to_str().is_ok_and(|line| etag.is_in(line)))
        };
        let date = |name| text(name).and_then(|date| Timestamp::parse_http_date(date).ok());
        // Headers have whole seconds.
        let seconds = |time: Timestamp| time.unix_seconds();
        let negative = |condition| match names.never_not_modified {
            true => Outcome::Failed(condition),
            false => Outcome::NotModified,
        };

        if headers.contains_key(&names.if_match) {
            if !listed(&names.if_match) {
                return Outcome::Failed("If-Match");
            }
        } else if let Some(limit) = date(&names.if_unmodified_since)
            && modified().is_some_and(|modified| seconds(modified) > seconds(limit))
        {
            return Outcome::Failed("If-Unmodified-Since");
        }

        if headers.contains_key(&names.if_none_match) {
            if listed(&names.if_none_match) {
                return negative("If-None-Match");
            }
        } else if let Some(since) = date(&names.if_modified_since)
            // One in the future is none (RFC 9110, section 13.1.3, as AWS has it).
            && since <= self.now
            && modified().is_some_and(|modified| seconds(modified) <= seconds(since))
        {
            return negative("If-Modified-Since");
        }

        Outcome::Proceed
    }
}

/// 412, with the name of the condition.
#[must_use]
pub fn precondition_failed(condition: impl Into<String>) -> S3Error {
    S3Error::new(S3Code::PreconditionFailed).detail("Condition", condition)
}

/// 501 for a condition that S3 does not take, with the name of its header.
#[must_use]
pub fn not_implemented(header: &'static str) -> S3Error {
    let message = "A header you provided implies functionality that is not implemented";
    S3Error::not_implemented(message).detail("Header", header)
}

static READ: Names = Names {
    if_match: header::IF_MATCH,
    if_none_match: header::IF_NONE_MATCH,
    if_modified_since: header::IF_MODIFIED_SINCE,
    if_unmodified_since: header::IF_UNMODIFIED_SINCE,
    never_not_modified: false,
    prefix: "",
};

static COPY_SOURCE: Names = Names {
    if_match: HeaderName::from_static("x-amz-copy-source-if-match"),
    if_none_match: HeaderName::from_static("x-amz-copy-source-if-none-match"),
    if_modified_since: HeaderName::from_static("x-amz-copy-source-if-modified-since"),
    if_unmodified_since: HeaderName::from_static("x-amz-copy-source-if-unmodified-since"),
    never_not_modified: true,
    prefix: "x-amz-copy-source-",
};

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::HeaderName;
    use http::HeaderValue;
    use proto::time::Timestamp;

    use super::Conditions;
    use super::Outcome;
    use crate::protocol::etag::ETag;

    const ETAG: &str = "\"abc\"";
    const MODIFIED: &str = "Wed, 01 Jan 2025 00:00:00 GMT";
    const BEFORE: &str = "Tue, 31 Dec 2024 23:59:59 GMT";
    const AFTER: &str = "Wed, 01 Jan 2025 00:00:01 GMT";
    const NOW: &str = "Thu, 02 Jan 2025 00:00:00 GMT";
    const FUTURE: &str = "Thu, 02 Jan 2025 00:00:01 GMT";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let value = HeaderValue::from_str(value).unwrap();
            headers.insert(HeaderName::from_static(name), value);
        }
        headers
    }

    fn outcome(pairs: &[(&'static str, &str)]) -> Outcome {
        let modified = Timestamp::parse_http_date(MODIFIED).ok();
        let now = Timestamp::parse_http_date(NOW).unwrap();
        Conditions::of_read(&headers(pairs), now)
            .evaluate(&ETag::parse(ETAG).unwrap(), &|| modified)
    }

    #[test]
    fn each_condition_alone_gives_its_answer() {
        for (pair, expected) in [
            (("if-match", "\"abc\""), Outcome::Proceed),
            (("if-match", "abc"), Outcome::Proceed),
            (("if-match", "*"), Outcome::Proceed),
            (("if-match", "\"x\", \"abc\""), Outcome::Proceed),
            (("if-match", "\"x\""), Outcome::Failed("If-Match")),
            (("if-none-match", "\"abc\""), Outcome::NotModified),
            (("if-none-match", "W/\"abc\""), Outcome::NotModified),
            (("if-none-match", "*"), Outcome::NotModified),
            (("if-none-match", "\"x\""), Outcome::Proceed),
            (("if-modified-since", BEFORE), Outcome::Proceed),
            (("if-modified-since", MODIFIED), Outcome::NotModified),
            (("if-modified-since", AFTER), Outcome::NotModified),
            (("if-modified-since", FUTURE), Outcome::Proceed),
            (("if-unmodified-since", FUTURE), Outcome::Proceed),
            (("if-modified-since", "yesterday"), Outcome::Proceed),
            (
                ("if-unmodified-since", BEFORE),
                Outcome::Failed("If-Unmodified-Since"),
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
        let headers = headers(&[("x-amz-copy-source-if-none-match", ETAG)]);
        let conditions = Conditions::of_copy_source(&headers, Timestamp::UNIX_EPOCH);
        let etag = ETag::parse(ETAG).unwrap();
        assert_eq!(
            conditions.evaluate(&etag, &|| None),
            Outcome::Failed("If-None-Match")
        );
        let error = conditions.check(&etag, || None).unwrap_err();
        let named = "x-amz-copy-source-If-None-Match".to_owned();
        assert_eq!(error.details(), [("Condition", named)]);
    }
}
