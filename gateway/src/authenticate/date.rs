//! When a request was signed, as its headers say.

use http::HeaderMap;
use http::HeaderName;
use http::header;
use proto::time::Timestamp;
use proto::time::TimestampError;

use crate::authenticate::refusal;
use crate::error::S3Error;
use crate::protocol::single_header::single_text;

/// The time at which a request was signed by its own account.
pub(super) fn signed_at(headers: &HeaderMap) -> Result<Timestamp, S3Error> {
    let parse = |text: &str| {
        let time = Timestamp::parse_basic(text).or_else(|_| mail_date(text));
        time.map_err(|_| refusal::no_date())
    };
    match single_text(headers, &DATE)? {
        Some(text) => parse(text),
        None => single_text(headers, &header::DATE)?.map_or_else(|| Err(refusal::no_date()), parse),
    }
}

/// Reads an HTTP date, whose zone may be written as in mail: boto3 signs `-0000` for `GMT`.
fn mail_date(text: &str) -> Result<Timestamp, TimestampError> {
    let zoneless = [" -0000", " +0000"]
        .into_iter()
        .find_map(|zone| text.strip_suffix(zone));
    match zoneless {
        Some(text) => Timestamp::parse_http_date(&format!("{text} GMT")),
        None => Timestamp::parse_http_date(text),
    }
}

pub(super) const DATE: HeaderName = HeaderName::from_static("x-amz-date");
