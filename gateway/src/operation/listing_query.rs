//! The query of a listing of objects, versions or uploads, checked before any backend receives it:
//! backends differ in what they refuse.
//!
//! Source: answers recorded from AWS (`tests/suites/README.md`).

use crate::error::S3Code;
use crate::error::S3Error;
use crate::request::Query;

/// The query of a listing for the backend. An empty delimiter is as good as none, which not every
/// backend takes.
///
/// # Errors
///
/// `InvalidArgument` for a number of entries, an encoding or a token that is none.
pub(crate) fn for_backend(query: Query) -> Result<Vec<(String, String)>, S3Error> {
    check(&query)?;
    let mut pairs = query.into_pairs();
    pairs.retain(|(name, value)| name != "delimiter" || !value.is_empty());
    Ok(pairs)
}

fn check(query: &Query) -> Result<(), S3Error> {
    if let Some(encoding) = query.get(ENCODING)
        && encoding != "url"
    {
        let message = "Invalid Encoding Method specified in Request";
        return Err(S3Error::invalid_argument(message, ENCODING, encoding));
    }
    if query.get("list-type") == Some("2") && query.get(TOKEN) == Some("") {
        let message = "The continuation token provided is incorrect";
        let error = S3Error::with_message(S3Code::InvalidArgument, message);
        return Err(error.detail("ArgumentName", TOKEN));
    }
    for (parameter, argument) in [("max-keys", "maxKeys"), ("max-uploads", "max-uploads")] {
        if let Some(text) = query.get(parameter).filter(|text| !text.is_empty()) {
            check_number(parameter, argument, text)?;
        }
    }
    Ok(())
}

/// Refuses a number of entries that is none. AWS names the argument otherwise where it is negative.
fn check_number(parameter: &str, argument: &str, text: &str) -> Result<(), S3Error> {
    match text.parse::<i32>() {
        Ok(0..) => Ok(()),
        Ok(_) => {
            let message =
                format!("Argument {argument} must be an integer between 0 and 2147483647");
            Err(S3Error::invalid_argument(message, argument, text))
        }
        Err(_) => {
            let message = format!("Provided {parameter} not an integer or within integer range");
            Err(S3Error::invalid_argument(message, parameter, text))
        }
    }
}

const ENCODING: &str = "encoding-type";
const TOKEN: &str = "continuation-token";

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(pairs: &[(&str, &str)]) -> Option<S3Error> {
        let pairs = pairs.iter();
        let pairs = pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        check(&Query::from_pairs(pairs.collect())).err()
    }

    #[test]
    fn a_query_that_no_listing_has_is_refused_as_aws_does() {
        let long = "3000000000";
        for (pairs, argument, value) in [
            (&[("encoding-type", "value")][..], ENCODING, Some("value")),
            (&[("encoding-type", "")], ENCODING, Some("")),
            (&[("list-type", "2"), (TOKEN, "")], TOKEN, None),
            (&[("max-keys", "abc")], "max-keys", Some("abc")),
            (&[("max-keys", long)], "max-keys", Some(long)),
            (&[("max-keys", "-1")], "maxKeys", Some("-1")),
            (&[("max-uploads", "-1")], "max-uploads", Some("-1")),
        ] {
            let error = refusal(pairs).unwrap();
            assert_eq!(error.code(), S3Code::InvalidArgument, "{pairs:?}");
            let mut expected = vec![("ArgumentName", argument.to_owned())];
            expected.extend(value.map(|value| ("ArgumentValue", value.to_owned())));
            assert_eq!(error.details(), expected, "{pairs:?}");
        }
    }

    #[test]
    fn a_listing_without_an_end_or_with_an_empty_marker_is_taken() {
        for pairs in [
            &[("max-keys", "0"), ("marker", "")][..],
            &[("max-keys", "2147483647"), ("encoding-type", "url")],
            &[("max-keys", ""), (TOKEN, "")],
        ] {
            assert_eq!(refusal(pairs), None, "{pairs:?}");
        }
    }
}
