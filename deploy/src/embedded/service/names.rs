//! Names and values of the API, to and from what is recorded.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use s3s::S3ErrorCode;
use s3s::dto::ETag;
use s3s::dto::ETagCondition;
use s3s::dto::EncodingType;
use s3s::dto::Owner;
use s3s::dto::Timestamp;
use time::Duration;
use time::OffsetDateTime;

use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::lifecycle::DAY_MS;
use crate::embedded::store::Place;
use crate::embedded::versions;

/// A key in a bucket, and the version that a client names.
pub(super) fn place(bucket: String, key: String, version: Option<&str>) -> Outcome<Place> {
    Ok(Place {
        bucket,
        key: checked_key(key)?,
        version: version.map(versions::parse).transpose()?,
    })
}

/// A key that AWS takes: all but those whose `..` climb above their bucket.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>
pub(super) fn checked_key(key: String) -> Outcome<String> {
    let mut depth: i64 = 0;
    for segment in key.split('/') {
        match segment {
            "" | "." => {}
            ".." => depth -= 1,
            _ => depth += 1,
        }
        if depth < 0 {
            let message = "The key climbs above its bucket.";
            return Err(Fault::message(S3ErrorCode::InvalidRequest, message));
        }
    }
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(S3ErrorCode::KeyTooLongError.into());
    }
    Ok(key)
}

/// An ETag as the API has it.
pub(super) fn etag(value: &str) -> ETag {
    ETag::Strong(value.to_owned())
}

/// The ETag that a condition names, or `*`.
pub(super) fn condition(condition: &ETagCondition) -> String {
    match condition {
        ETagCondition::Any => "*".to_owned(),
        ETagCondition::ETag(etag) => etag.value().to_owned(),
    }
}

/// A time as the API has it: in whole seconds.
pub(super) fn timestamp(ms: i64) -> Timestamp {
    let seconds = Duration::seconds(ms.div_euclid(1_000));
    let time = OffsetDateTime::UNIX_EPOCH.checked_add(seconds);
    Timestamp::from(time.unwrap_or(OffsetDateTime::UNIX_EPOCH))
}

/// The same as it stands in documents.
pub(super) fn iso8601(ms: i64) -> String {
    let whole = ms.div_euclid(1_000).saturating_mul(1_000);
    proto::time::Timestamp::from_unix_millis(whole).iso8601_millis()
}

/// A time of the API, in milliseconds since 1970.
pub(super) fn milliseconds(timestamp: Timestamp) -> i64 {
    let nanoseconds = OffsetDateTime::from(timestamp).unix_timestamp_nanos();
    i64::try_from(nanoseconds.div_euclid(1_000_000)).unwrap_or(i64::MAX)
}

/// A date of a lifecycle, in milliseconds since 1970.
///
/// # Errors
///
/// `InvalidArgument` for a time of day.
pub(super) fn midnight(date: Timestamp) -> Outcome<i64> {
    let date = milliseconds(date);
    if date.rem_euclid(DAY_MS) == 0 {
        return Ok(date);
    }
    let shown = proto::time::Timestamp::from_unix_millis(date).iso8601_millis();
    let message = "'Date' must be at midnight GMT";
    Err(Fault::argument(message, "Date", &shown))
}

/// A length as the API has it.
pub(super) fn length(length: u64) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// A number of entries as the API has it.
pub(super) fn count(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// The most entries of a page that a client asks for, at most 1,000.
pub(super) fn page_size(asked: Option<i32>, name: &str) -> Outcome<usize> {
    let asked = asked.unwrap_or(PAGE_MAX);
    let size = usize::try_from(asked.min(PAGE_MAX));
    let message = format!("Argument {name} must be an integer between 0 and 2147483647");
    size.map_err(|_| Fault::argument(message, name, &asked.to_string()))
}

/// The one owner of everything here.
pub(super) fn owner() -> Owner {
    Owner {
        display_name: None,
        id: Some(OWNER.to_owned()),
    }
}

/// An id for what comes without one.
pub(super) fn random_id() -> Outcome<String> {
    let mut bytes = [0; ID_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| Fault::Storage(error.to_string().into()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Whether names are to be percent-encoded.
pub(super) fn is_url(encoding: Option<&EncodingType>) -> bool {
    encoding.is_some_and(|encoding| encoding.as_str() == EncodingType::URL)
}

/// A name in a listing, percent-encoded if it is to be.
pub(super) fn shown(name: String, is_url: bool) -> String {
    match is_url {
        true => proto::sigv4::encode_path(name.as_bytes()),
        false => name,
    }
}

/// Random bytes of an id; AWS's have as many characters.
const ID_BYTES: usize = 36;

/// Most entries of a page.
const PAGE_MAX: i32 = 1_000;

/// Longest key, in bytes of UTF-8.
const KEY_BYTES_MAX: usize = 1_024;

/// The canonical id of the one owner.
const OWNER: &str = "5ea16a7e00000000000000000000000000000000000000000000000000000000";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_taken_as_they_are_unless_they_climb_above_the_bucket() {
        for key in [
            "a//b",
            "/a",
            "a/",
            ".",
            "a/..",
            "a/../b",
            "a/./..",
            "...",
            "a\\..\\..",
            "//",
            "é\u{1}",
            &"k".repeat(1_024),
        ] {
            assert_eq!(checked_key(key.to_owned()).unwrap(), key);
        }
        for key in [
            "..",
            "../a",
            "a/../..",
            "/..",
            "a/../../b",
            "",
            &"k".repeat(1_025),
        ] {
            assert!(checked_key(key.to_owned()).is_err(), "{key}");
        }
    }
}
