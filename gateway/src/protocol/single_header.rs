//! Headers that must not be repeated.

use http::HeaderMap;
use http::HeaderName;

use crate::error::S3Error;

/// The value of a header that must not be repeated; `None` if the header is absent.
///
/// # Errors
///
/// `InvalidArgument` for a header that comes twice, and for a value that is not ASCII text.
pub fn single_text<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a str>, S3Error> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(repeated(name.as_str()));
    }
    value.to_str().map(Some).map_err(|_| {
        S3Error::invalid_argument("This header has an invalid value.", name.as_str(), "")
    })
}

/// The error for a header that came twice.
#[must_use]
pub fn repeated(name: &str) -> S3Error {
    let message = "This header must not be given more than once.";
    S3Error::invalid_argument(message, name, "null")
}
