//! Keys that customers send with each request (SSE-C).
//!
//! A [`CustomerKey`] comes from three headers: algorithm, key and the key's MD5. The checks, their order
//! and their answers are AWS's; the argument they name is `x-amz-server-side-encryption` throughout,
//! which is AWS's own quirk. Neither the key nor its MD5 is stored or logged anywhere.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use md5::Digest;
use md5::Md5;
use zeroize::Zeroize;
use zeroize::ZeroizeOnDrop;
use zeroize::Zeroizing;

use crate::error::S3Code;
use crate::error::S3Error;

/// A customer's 256-bit key for one request, with the digest the customer sent along.
///
/// Neither `Clone` nor `Debug`: it is used up by the request that brought it.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct CustomerKey {
    bytes: [u8; CUSTOMER_KEY_BYTES],
    md5: String,
}

impl CustomerKey {
    /// The key, for wrapping and unwrapping data keys.
    #[must_use]
    pub fn bytes(&self) -> &[u8; CUSTOMER_KEY_BYTES] {
        &self.bytes
    }

    /// Base64 of the key's MD5, which S3 echoes in answers.
    #[must_use]
    pub fn md5(&self) -> &str {
        &self.md5
    }
}

/// Which of the two sets of headers a key is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `x-amz-server-side-encryption-customer-...`: the object read or written.
    Object,
    /// `x-amz-copy-source-server-side-encryption-customer-...`: the object copied from.
    CopySource,
}

impl Source {
    /// Names of the headers for the algorithm, the key and the key's MD5.
    fn names(self) -> [&'static str; 3] {
        match self {
            Self::Object => [
                "x-amz-server-side-encryption-customer-algorithm",
                "x-amz-server-side-encryption-customer-key",
                "x-amz-server-side-encryption-customer-key-md5",
            ],
            Self::CopySource => [
                "x-amz-copy-source-server-side-encryption-customer-algorithm",
                "x-amz-copy-source-server-side-encryption-customer-key",
                "x-amz-copy-source-server-side-encryption-customer-key-md5",
            ],
        }
    }
}

/// What the key is for: a missing MD5 is answered differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Sealing a new object.
    Write,
    /// Opening an object that exists.
    Read,
}

/// Whether any of the three headers is there.
#[must_use]
pub fn named(headers: &HeaderMap, source: Source) -> bool {
    source
        .names()
        .iter()
        .any(|name| headers.contains_key(*name))
}

/// The customer key in the headers, or `None` when the request names none.
///
/// # Errors
///
/// `InvalidArgument`, `InvalidEncryptionAlgorithmError` or `AccessDenied`, as S3 answers each flaw.
pub fn read(
    headers: &HeaderMap,
    source: Source,
    purpose: Use,
) -> Result<Option<CustomerKey>, S3Error> {
    let [algorithm, key, md5] = source
        .names()
        .map(|name| headers.get(name).map(http::HeaderValue::as_bytes));
    let (algorithm, key) = match (algorithm, key) {
        (None, None) if md5.is_none() => return Ok(None),
        (None, _) => return Err(invalid(NO_ALGORITHM)),
        (Some(algorithm), key) => (algorithm, key),
    };
    if algorithm != b"AES256" {
        let given = String::from_utf8_lossy(algorithm).into_owned();
        return Err(
            S3Error::with_message(S3Code::InvalidEncryptionAlgorithm, UNKNOWN_ALGORITHM)
                .detail("ArgumentName", ARGUMENT)
                .detail("ArgumentValue", given),
        );
    }
    let Some(key) = key else {
        return Err(invalid(NO_KEY));
    };

    let decoded = STANDARD
        .decode(key)
        .map(Zeroizing::new)
        .map_err(|_| invalid(BAD_KEY))?;
    let Ok(bytes) = <[u8; CUSTOMER_KEY_BYTES]>::try_from(decoded.as_slice()) else {
        // Recorded from AWS: one that is encoded twice, as boto3 does with a key in base64 without its MD5.
        return Err(match purpose {
            Use::Read => wrong_key(),
            Use::Write => invalid(BAD_KEY),
        });
    };
    let mut key = CustomerKey {
        bytes,
        md5: STANDARD.encode(Md5::digest(decoded.as_slice())),
    };
    match md5 {
        None if purpose == Use::Read => Err(wrong_key()),
        None => Err(invalid(BAD_KEY)),
        Some(md5) if md5 != key.md5.as_bytes() => {
            key.zeroize();
            Err(invalid(MD5_MISMATCH))
        }
        Some(_) => Ok(Some(key)),
    }
}

/// 403: the object was sealed under another customer key.
#[must_use]
pub fn wrong_key() -> S3Error {
    S3Error::with_message(S3Code::AccessDenied, WRONG_KEY)
}

/// 400: the object needs a customer key and the request brought none.
#[must_use]
pub fn key_needed() -> S3Error {
    S3Error::invalid_request(KEY_NEEDED)
}

/// 400: the request brought a customer key for an object that has none.
#[must_use]
pub fn not_applicable() -> S3Error {
    S3Error::invalid_request(NOT_APPLICABLE)
}

/// 400: customer keys travel over TLS only.
#[must_use]
pub fn insecure() -> S3Error {
    S3Error::invalid_request(INSECURE)
}

/// 400: both a customer key and another kind of encryption were requested.
#[must_use]
pub fn incompatible(server_side_encryption: &str) -> S3Error {
    S3Error::invalid_argument(INCOMPATIBLE, ARGUMENT, server_side_encryption)
}

fn invalid(message: &'static str) -> S3Error {
    S3Error::with_message(S3Code::InvalidArgument, message).detail("ArgumentName", ARGUMENT)
}

/// Length of a customer key: AES-256.
pub const CUSTOMER_KEY_BYTES: usize = 32;

/// The argument S3 names in every one of these errors.
const ARGUMENT: &str = "x-amz-server-side-encryption";

const NO_ALGORITHM: &str = "Requests specifying Server Side Encryption with Customer provided keys must provide a valid encryption algorithm.";
const NO_KEY: &str = "Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate secret key.";
const UNKNOWN_ALGORITHM: &str =
    "The Encryption request you specified is not valid. Supported value: AES256.";
const BAD_KEY: &str = "The secret key was invalid for the specified algorithm.";
const MD5_MISMATCH: &str =
    "The calculated MD5 hash of the key did not match the hash that was provided.";
const WRONG_KEY: &str = "Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret key.";
const KEY_NEEDED: &str = "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.";
const NOT_APPLICABLE: &str = "The encryption parameters are not applicable to this object.";
const INSECURE: &str = "Requests specifying Server Side Encryption with Customer provided keys must be made over a secure connection.";
const INCOMPATIBLE: &str = "Server Side Encryption with Customer provided key is incompatible with the encryption method specified";

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use http::HeaderMap;
    use http::HeaderName;
    use http::HeaderValue;
    use md5::Digest;
    use md5::Md5;

    use super::Source;
    use super::Use;
    use super::read;
    use crate::error::S3Code;
    use crate::error::S3Error;

    const KEY: [u8; 32] = [7; 32];

    fn headers(algorithm: Option<&str>, key: Option<&[u8]>, md5: Option<&[u8]>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut set = |name: &'static str, value: Option<String>| {
            if let Some(value) = value {
                headers.insert(
                    HeaderName::from_static(name),
                    HeaderValue::from_str(&value).unwrap(),
                );
            }
        };
        let [algorithm_name, key_name, md5_name] = Source::Object.names();
        set(algorithm_name, algorithm.map(str::to_owned));
        set(key_name, key.map(|key| STANDARD.encode(key)));
        set(md5_name, md5.map(|of| STANDARD.encode(Md5::digest(of))));
        headers
    }

    fn refusal(headers: &HeaderMap, purpose: Use) -> S3Error {
        read(headers, Source::Object, purpose)
            .err()
            .expect("the request is refused")
    }

    #[test]
    fn a_whole_set_of_headers_gives_the_key_and_its_digest() {
        let key = read(
            &headers(Some("AES256"), Some(&KEY), Some(&KEY)),
            Source::Object,
            Use::Write,
        )
        .unwrap()
        .unwrap();
        assert_eq!(key.bytes(), &KEY);
        assert_eq!(key.md5(), STANDARD.encode(Md5::digest(KEY)));
    }

    #[test]
    fn no_header_is_no_key() {
        assert!(
            read(&HeaderMap::new(), Source::Object, Use::Read)
                .unwrap()
                .is_none()
        );
        let other = headers(Some("AES256"), Some(&KEY), Some(&KEY));
        assert!(
            read(&other, Source::CopySource, Use::Read)
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn each_flaw_has_the_answer_of_aws() {
        let argument = S3Code::InvalidArgument;
        for (given, purpose, code, message) in [
            (
                headers(None, Some(&KEY), Some(&KEY)),
                Use::Write,
                argument,
                super::NO_ALGORITHM,
            ),
            (
                headers(None, None, Some(&KEY)),
                Use::Write,
                argument,
                super::NO_ALGORITHM,
            ),
            (
                headers(Some("AES256"), None, Some(&KEY)),
                Use::Write,
                argument,
                super::NO_KEY,
            ),
            (
                headers(Some("AES256"), None, None),
                Use::Read,
                argument,
                super::NO_KEY,
            ),
            (
                headers(Some("AES128"), Some(&KEY), Some(&KEY)),
                Use::Write,
                S3Code::InvalidEncryptionAlgorithm,
                super::UNKNOWN_ALGORITHM,
            ),
            (
                headers(Some("AES256"), Some(&[7; 31]), None),
                Use::Write,
                argument,
                super::BAD_KEY,
            ),
            (
                headers(Some("AES256"), Some(&[7; 33]), Some(&[7; 33])),
                Use::Read,
                S3Code::AccessDenied,
                super::WRONG_KEY,
            ),
            (
                headers(Some("AES256"), Some(&KEY), None),
                Use::Write,
                argument,
                super::BAD_KEY,
            ),
            (
                headers(Some("AES256"), Some(&KEY), None),
                Use::Read,
                S3Code::AccessDenied,
                super::WRONG_KEY,
            ),
            (
                headers(Some("AES256"), Some(&KEY), Some(&[8; 32])),
                Use::Read,
                argument,
                super::MD5_MISMATCH,
            ),
        ] {
            let error = refusal(&given, purpose);
            assert_eq!((error.code(), error.message()), (code, message));
        }
    }
}
