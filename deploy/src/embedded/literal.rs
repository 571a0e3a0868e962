//! What S3 takes as text, or ignores, and `s3s` would refuse: it reads a date out of `Expires`, a number out of an
//! empty `max-keys`, and a truth value out of `fetch-owner`.
//!
//! Only requests of the gateway are changed so. Those to the port are signed, and a signature covers what they say.
//! What both refuse is refused here in S3's words.

use std::borrow::Cow;

use http::Extensions;
use http::HeaderMap;
use http::HeaderValue;
use http::Request;
use http::Uri;
use http::header;
use s3s::dto::Timestamp;
use s3s::dto::TimestampFormat;

use crate::embedded::fault::Fault;

/// The header `Expires` of a request, which is returned with the object as it came.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>, `ExpiresString`
#[derive(Clone, Debug)]
struct Expires(HeaderValue);

/// Takes out of a request what `s3s` would refuse and S3 does not.
pub fn take_out<B>(request: &mut Request<B>) {
    if let Some(expires) = request.headers_mut().remove(header::EXPIRES) {
        request.extensions_mut().insert(Expires(expires));
    }
    let query = request.uri().query().unwrap_or_default();
    if let Cow::Owned(query) = readable(query)
        && let Some(uri) = with_query(request.uri(), &query)
    {
        *request.uri_mut() = uri;
    }
}

/// The headers of a request, with what was taken out.
#[must_use]
pub fn restored<'h>(headers: &'h HeaderMap, extensions: &Extensions) -> Cow<'h, HeaderMap> {
    match extensions.get::<Expires>() {
        None => Cow::Borrowed(headers),
        Some(Expires(expires)) => {
            let mut headers = headers.clone();
            headers.insert(header::EXPIRES, expires.clone());
            Cow::Owned(headers)
        }
    }
}

/// Why a header that `s3s` reads as a date or a truth value is refused, if one is.
#[must_use]
pub fn unreadable(headers: &HeaderMap) -> Option<Fault> {
    let value = |name| {
        headers
            .get(name)
            .map(|value: &HeaderValue| value.as_bytes())
    };
    if let Some(date) = value(LOCK_DATE).filter(|date| !date.is_empty())
        && !std::str::from_utf8(date)
            .is_ok_and(|it| Timestamp::parse(TimestampFormat::DateTime, it).is_ok())
    {
        let message = "The retain until date must be provided in ISO 8601 format";
        return Some(refused(message.to_owned(), LOCK_DATE, date));
    }
    SWITCHES.into_iter().find_map(|name| {
        let value = value(name).filter(|value| !TRUTH_VALUES.contains(value))?;
        let message = format!("Invalid value for {name} header");
        Some(refused(message, name, value))
    })
}

fn refused(message: String, name: &str, value: &[u8]) -> Fault {
    Fault::argument(message, name, &String::from_utf8_lossy(value))
}

/// A query without the parameters that are as good as none.
fn readable(query: &str) -> Cow<'_, str> {
    let is_none = |pair: &&str| match pair.split_once('=').unwrap_or((pair, "")) {
        ("fetch-owner", value) => value != "true",
        (name, value) => value.is_empty() && NUMBERS.contains(&name),
    };
    if !query.split('&').any(|pair| is_none(&pair)) {
        return Cow::Borrowed(query);
    }
    let kept: Vec<_> = query.split('&').filter(|pair| !is_none(pair)).collect();
    Cow::Owned(kept.join("&"))
}

fn with_query(uri: &Uri, query: &str) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    let path = format!("{}?{query}", uri.path());
    parts.path_and_query = Some(path.parse().ok()?);
    Uri::from_parts(parts).ok()
}

const LOCK_DATE: &str = "x-amz-object-lock-retain-until-date";

/// Headers that are truth values.
const SWITCHES: [&str; 2] = [
    "x-amz-bucket-object-lock-enabled",
    "x-amz-bypass-governance-retention",
];

/// What `s3s` reads as one; nothing is as good as no header.
const TRUTH_VALUES: [&[u8]; 5] = [b"", b"true", b"True", b"false", b"False"];

/// Parameters that are numbers. Without a value, S3 takes them as absent.
const NUMBERS: [&str; 5] = [
    "max-buckets",
    "max-keys",
    "max-parts",
    "max-uploads",
    "part-number-marker",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_without_a_value_and_an_owner_that_is_not_wanted_are_as_good_as_absent() {
        for (query, expected) in [
            ("list-type=2&max-keys=&prefix=", "list-type=2&prefix="),
            ("max-keys", ""),
            ("list-type=2&fetch-owner=maybe", "list-type=2"),
            ("list-type=2&fetch-owner=", "list-type=2"),
            (
                "list-type=2&fetch-owner=true",
                "list-type=2&fetch-owner=true",
            ),
            ("max-keys=7&delimiter=", "max-keys=7&delimiter="),
            ("max-keys=abc", "max-keys=abc"),
            ("uploads&max-uploads=", "uploads"),
        ] {
            assert_eq!(readable(query), expected, "{query}");
        }
    }

    #[test]
    fn what_is_taken_out_of_a_request_comes_back() {
        let uri = "http://h/b/k?max-keys=&uploads";
        let request = Request::put(uri).header("expires", "0").body(());
        let mut request = request.unwrap();
        take_out(&mut request);
        assert!(!request.headers().contains_key("expires"));
        assert_eq!(request.uri(), "http://h/b/k?uploads");
        let headers = restored(request.headers(), request.extensions());
        assert_eq!(headers["expires"], "0");
    }
}
