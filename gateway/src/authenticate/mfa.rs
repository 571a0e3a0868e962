//! The header `x-amz-mfa`: the serial number of an MFA device and a code that it shows.
//!
//! It comes with the three operations that MFA Delete protects. Of all others routing removes it, as S3
//! ignores it there.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMFADelete.html>

use std::fmt;

use http::HeaderName;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::request::S3Request;

/// What the header holds. Neither is printed.
#[derive(Clone, PartialEq, Eq)]
pub struct MfaToken {
    /// The serial number: that of a hardware token, or the ARN of a virtual device.
    pub serial: String,
    /// The code. Whether it is one the device decides.
    pub code: String,
}

impl fmt::Debug for MfaToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MfaToken(..)")
    }
}

impl MfaToken {
    /// That of a request, if it has one; `insecure_allowed` takes every connection for a protected one.
    ///
    /// # Errors
    ///
    /// `AccessDenied` where the code could be read on its way; `InvalidRequest` with temporary credentials;
    /// `InvalidArgument` for a header of another form.
    pub fn of_request(
        request: &S3Request,
        insecure_allowed: bool,
    ) -> Result<Option<Self>, S3Error> {
        let Some(value) = request.headers.get(&HEADER) else {
            return Ok(None);
        };
        let connection = &request.connection;
        let is_local = connection.peer.ip().to_canonical().is_loopback()
            && connection.client.to_canonical().is_loopback();
        if !connection.secure && !is_local && !insecure_allowed {
            // AWS demands HTTPS and does not document by which error: UNVERIFIED.
            return Err(S3Error::with_message(S3Code::AccessDenied, INSECURE));
        }
        if request.caller.is_temporary() {
            return Err(S3Error::invalid_request(TEMPORARY));
        }
        let text = value.to_str().unwrap_or_default();
        let parsed = Self::parse(text);
        let malformed = || S3Error::invalid_argument(MALFORMED, HEADER.as_str(), text);
        parsed.map(Some).ok_or_else(malformed)
    }

    /// Two parts with one space between.
    fn parse(text: &str) -> Option<Self> {
        let (serial, code) = text.trim().split_once(' ')?;
        let is_part = |part: &str| !part.is_empty() && !part.contains(char::is_whitespace);
        (is_part(serial) && is_part(code)).then(|| Self {
            serial: serial.to_owned(),
            code: code.to_owned(),
        })
    }
}

/// The header.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-amz-mfa");

/// AWS's own texts, but for the first.
const INSECURE: &str = "A request with x-amz-mfa must be sent over HTTPS.";
const TEMPORARY: &str = "DevPay and Mfa are mutually exclusive authorization methods.";
const MALFORMED: &str =
    "Mfa header is invalid -- the header should be formatted as {serialNumber}(space){tokenCode}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_serial_number_a_space_and_a_code() {
        let token = MfaToken::parse("arn:aws:iam::111122223333:mfa/root 123456").unwrap();
        assert_eq!(token.serial, "arn:aws:iam::111122223333:mfa/root");
        assert_eq!(token.code, "123456");
        for text in [
            "",
            " ",
            "123456",
            "serial ",
            " 123456",
            "serial  123456",
            "a b c",
            "a\tb",
        ] {
            assert!(MfaToken::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_token_is_not_printed() {
        let token = MfaToken::parse("a-serial 123456").unwrap();
        let printed = format!("{token:?}");
        assert!(!printed.contains("123456") && !printed.contains("serial"));
    }
}
