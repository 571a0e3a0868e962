//! What a request's headers and its bucket's default say about encryption.
//!
//! The headers of a request replace the default as a whole: a request that names an algorithm
//! inherits neither the default's KMS key nor its bucket key switch. A bucket that has no
//! configuration of its own has SSE-S3.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-encryption.html>

use http::HeaderMap;
use http::HeaderValue;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::request::S3Request;
use crate::request::SignatureVersion;
use crate::sse::context::EncryptionContext;
use crate::sse::context::HEADER as CONTEXT;
use crate::sse::customer_key;
use crate::sse::customer_key::CustomerKey;
use crate::sse::customer_key::Source;
use crate::sse::customer_key::Use;

/// The encryption that one object gets.
pub enum Encryption {
    /// `AES256`: under the gateway's own keys.
    SseS3,

    /// `aws:kms`: under a KMS key.
    SseKms(KmsChoice),

    /// `aws:kms:dsse`: two layers, under two data keys of one KMS key. Never with a bucket key.
    Dsse(KmsChoice),

    /// A key that the customer sent.
    SseC(CustomerKey),
}

/// The parameters of SSE-KMS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsChoice {
    /// The key as it was named (id, ARN or alias); `None` for the AWS managed key `aws/s3`.
    pub key: Option<String>,
    /// The client's own encryption context, without what S3 adds.
    pub context: EncryptionContext,
    /// Whether the data key is wrapped under a bucket key.
    pub bucket_key: bool,
}

/// What a bucket gives to objects whose requests name no encryption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketDefault {
    /// Algorithm and key.
    pub algorithm: DefaultAlgorithm,
    /// Whether SSE-KMS uses bucket keys, unless a request has another value.
    pub bucket_key: bool,
    /// Whether writes with customer keys are refused (`BlockedEncryptionTypes`).
    pub customer_keys_blocked: bool,
    /// Whether the bucket's owner configured it, and it is not S3's own.
    pub is_configured: bool,
}

/// The algorithm of a [`BucketDefault`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefaultAlgorithm {
    /// `AES256`.
    SseS3,
    /// `aws:kms` with the key as the configuration names it.
    SseKms(Option<String>),
    /// `aws:kms:dsse` with the key as the configuration names it.
    Dsse(Option<String>),
}

/// How SSE-C and SSE-KMS are held back from connections that anyone can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transport {
    /// Whether the client's bytes are protected.
    secure: bool,
    /// Whether the request was signed with Signature Version 4.
    signed: bool,
}

impl Transport {
    /// That of the gateway's own requests, which no client sent.
    pub const INTERNAL: Self = Self {
        secure: true,
        signed: true,
    };

    /// That of a request; `insecure_allowed` takes every connection for a protected one.
    #[must_use]
    pub fn of(request: &S3Request, insecure_allowed: bool) -> Self {
        Self {
            secure: request.connection.secure || insecure_allowed,
            signed: request.auth.version() == Some(SignatureVersion::V4),
        }
    }

    /// Refuses SSE-C where keys could be read on their way.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` on plain HTTP.
    pub fn allow_customer_keys(self) -> Result<(), S3Error> {
        if self.secure {
            Ok(())
        } else {
            Err(customer_key::insecure())
        }
    }

    /// Refuses SSE-KMS on plain HTTP and without a Signature Version 4.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`, in the words of S3.
    pub fn allow_kms(self) -> Result<(), S3Error> {
        if !self.secure {
            return Err(S3Error::with_message(S3Code::InvalidArgument, KMS_INSECURE));
        }
        if !self.signed {
            return Err(S3Error::invalid_argument(
                KMS_UNSIGNED,
                "Authorization",
                "null",
            ));
        }
        Ok(())
    }
}

/// The encryption of an object that is about to be written.
///
/// # Errors
///
/// What S3 answers to headers that contradict themselves, to customer keys where they are blocked,
/// and to encryption over a connection that does not protect it.
pub fn for_write(
    headers: &HeaderMap,
    default: &BucketDefault,
    transport: Transport,
) -> Result<Encryption, S3Error> {
    let named = EncryptionHeaders::read(headers)?;
    if let Some(key) = customer_key(headers, &named, default, transport)? {
        return Ok(Encryption::SseC(key));
    }
    let (named_key, bucket_key) = (named.key.map(str::to_owned), named.bucket_key);
    let algorithm = match named.algorithm {
        None => {
            named.refuse_kms_headers()?;
            default.algorithm.clone()
        }
        Some("AES256") => {
            named.refuse_kms_headers()?;
            DefaultAlgorithm::SseS3
        }
        Some("aws:kms") => DefaultAlgorithm::SseKms(named_key),
        Some("aws:kms:dsse") => DefaultAlgorithm::Dsse(named_key),
        Some(other) => return Err(S3Error::invalid_argument(UNKNOWN, ALGORITHM, other)),
    };
    if algorithm != DefaultAlgorithm::SseS3 {
        transport.allow_kms()?;
    }
    let choice = |key, bucket_key| KmsChoice {
        key,
        context: named.context.unwrap_or_default(),
        bucket_key,
    };
    Ok(match algorithm {
        DefaultAlgorithm::SseS3 => Encryption::SseS3,
        // The switch is about the bucket, not about a key: where the request does not set it, the
        // bucket's configuration counts.
        DefaultAlgorithm::SseKms(key) => {
            Encryption::SseKms(choice(key, bucket_key.unwrap_or(default.bucket_key)))
        }
        // A bucket key may be requested; as at AWS, it is not used.
        DefaultAlgorithm::Dsse(key) => Encryption::Dsse(choice(key, false)),
    })
}

/// The customer key of a request that reads an object or its metadata.
///
/// # Errors
///
/// `InvalidArgument` for headers that only writes take; what S3 answers to a flawed customer key.
pub fn for_read(headers: &HeaderMap, transport: Transport) -> Result<Option<CustomerKey>, S3Error> {
    // Most reads have none of them: one look instead of ten.
    let mut names = headers.keys();
    if !names.any(|name| name.as_str().starts_with(ALGORITHM)) {
        return Ok(None);
    }
    for name in OF_WRITES {
        if let Some(value) = headers.get(name) {
            return Err(unsupported(name, value));
        }
    }
    customer_key_of_read(headers, transport)
}

/// The error for a header that only other operations take.
pub(super) fn unsupported(name: &'static str, value: &HeaderValue) -> S3Error {
    let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
    let message = format!("{name} header is not supported for this operation.");
    S3Error::invalid_argument(message, name, value)
}

/// The customer key of a request that reads, whatever its other headers are.
pub(super) fn customer_key_of_read(
    headers: &HeaderMap,
    transport: Transport,
) -> Result<Option<CustomerKey>, S3Error> {
    if customer_key::named(headers, Source::Object) {
        transport.allow_customer_keys()?;
    }
    customer_key::read(headers, Source::Object, Use::Read)
}

/// The customer key of an object that is copied from.
///
/// # Errors
///
/// What S3 answers to a flawed customer key.
pub fn for_copy_source(
    headers: &HeaderMap,
    transport: Transport,
) -> Result<Option<CustomerKey>, S3Error> {
    if customer_key::named(headers, Source::CopySource) {
        transport.allow_customer_keys()?;
    }
    customer_key::read(headers, Source::CopySource, Use::Read)
}

/// Whether a write names any encryption; a copy onto itself must change something.
#[must_use]
pub fn names_encryption(headers: &HeaderMap) -> bool {
    headers.contains_key(ALGORITHM)
        || headers.contains_key(KEY_ID)
        || headers.contains_key(BUCKET_KEY)
        || customer_key::named(headers, Source::Object)
}

/// The encryption headers of a write as they stand.
struct EncryptionHeaders<'a> {
    algorithm: Option<&'a str>,
    key: Option<&'a str>,
    context: Option<EncryptionContext>,
    context_header: Option<&'a str>,
    bucket_key: Option<bool>,
}

impl<'a> EncryptionHeaders<'a> {
    fn read(headers: &'a HeaderMap) -> Result<Self, S3Error> {
        let context_header = text(headers, CONTEXT)?;
        let bucket_key = match text(headers, BUCKET_KEY)? {
            None => None,
            Some(value) if value.eq_ignore_ascii_case("true") => Some(true),
            Some(value) if value.eq_ignore_ascii_case("false") => Some(false),
            Some(value) => return Err(S3Error::invalid_argument(BAD_SWITCH, BUCKET_KEY, value)),
        };
        let key = text(headers, KEY_ID)?;
        key.map_or(Ok(()), check_key_name)?;
        Ok(Self {
            algorithm: text(headers, ALGORITHM)?,
            key,
            context: context_header
                .map(EncryptionContext::from_header)
                .transpose()?,
            context_header,
            bucket_key,
        })
    }

    /// Refuses a KMS key or context where the algorithm is not `aws:kms`.
    fn refuse_kms_headers(&self) -> Result<(), S3Error> {
        if let Some(key) = self.key {
            return Err(S3Error::invalid_argument(KMS_HEADER, KEY_ID, key));
        }
        if let Some(context) = self.context_header {
            return Err(S3Error::invalid_argument(KMS_HEADER, CONTEXT, context));
        }
        Ok(())
    }
}

/// Refuses the KMS key that wraps the gateway's own root keys, by its alias or the alias's ARN, in a
/// request or in a bucket's default encryption. The KMS refuses it by its other names.
///
/// # Errors
///
/// `AccessDenied`.
pub fn check_key_name(key: &str) -> Result<(), S3Error> {
    let name = key.rsplit(':').next().unwrap_or(key);
    if name.starts_with(RESERVED_ALIASES) {
        return Err(S3Error::with_message(S3Code::AccessDenied, RESERVED_KEY));
    }
    Ok(())
}

/// The customer key of a write, if it names one.
fn customer_key(
    headers: &HeaderMap,
    named: &EncryptionHeaders<'_>,
    default: &BucketDefault,
    transport: Transport,
) -> Result<Option<CustomerKey>, S3Error> {
    if !customer_key::named(headers, Source::Object) {
        return Ok(None);
    }
    transport.allow_customer_keys()?;
    if let Some(algorithm) = named.algorithm {
        return Err(customer_key::incompatible(algorithm));
    }
    named.refuse_kms_headers()?;
    let key = customer_key::read(headers, Source::Object, Use::Write)?;
    if default.customer_keys_blocked {
        return Err(S3Error::with_message(
            S3Code::AccessDenied,
            CUSTOMER_KEYS_BLOCKED,
        ));
    }
    Ok(key)
}

/// A header as text; an empty value counts as given.
fn text<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, S3Error> {
    match headers.get(name).map(HeaderValue::to_str) {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(value.trim())),
        Some(Err(_)) => Err(S3Error::invalid_argument(UNKNOWN, name, "null")),
    }
}

/// The header that names the algorithm.
pub const ALGORITHM: &str = "x-amz-server-side-encryption";

/// The header that names the KMS key.
pub const KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";

/// The header that switches bucket keys on or off.
pub const BUCKET_KEY: &str = "x-amz-server-side-encryption-bucket-key-enabled";

/// The headers that only writes take.
pub(super) const OF_WRITES: [&str; 4] = [ALGORITHM, KEY_ID, CONTEXT, BUCKET_KEY];

/// Start of the names of the gateway's own KMS keys.
const RESERVED_ALIASES: &str = "alias/sealgate/";

const RESERVED_KEY: &str = "This KMS key is reserved for the gateway's own root keys.";
const UNKNOWN: &str = "The encryption method specified is not supported";
const BAD_SWITCH: &str = "Invalid value for x-amz-server-side-encryption-bucket-key-enabled header";
const KMS_HEADER: &str = "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms";
const KMS_INSECURE: &str = "Requests specifying Server Side Encryption with AWS KMS managed keys must be made over a secure connection.";
const KMS_UNSIGNED: &str = "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4.";
const CUSTOMER_KEYS_BLOCKED: &str = "Server-side encryption with customer-provided keys (SSE-C) is blocked for this bucket. Use PutBucketEncryption to unblock SSE-C.";

impl Default for BucketDefault {
    /// What every bucket has that was never configured: SSE-S3, customer keys allowed.
    fn default() -> Self {
        Self {
            algorithm: DefaultAlgorithm::SseS3,
            bucket_key: false,
            customer_keys_blocked: false,
            is_configured: false,
        }
    }
}

#[cfg(test)]
mod tests;
