//! The S3 errors of requests whose signature is not accepted.

use http::HeaderName;
use http::HeaderValue;
use proto::sigv2;
use proto::sigv4::AuthorizationError;
use proto::sigv4::CredentialError;
use proto::sigv4::PayloadHashError;
use proto::sigv4::PresignedError;
use proto::sigv4::SKEW_MAX;
use proto::time::Timestamp;

use crate::error::S3Code;
use crate::error::S3Error;

/// The error for an `Authorization` header. `value` is shown where S3 shows it: only its first
/// word, because the rest is a signature.
pub(super) fn authorization(error: &AuthorizationError, value: &str) -> S3Error {
    let text = error.to_string();
    match error {
        AuthorizationError::NoSpace | AuthorizationError::UnsupportedType => {
            let mechanism = value.split(' ').next().unwrap_or_default();
            S3Error::invalid_argument(text, "Authorization", mechanism)
        }
        AuthorizationError::Version2 | AuthorizationError::Asymmetric => {
            S3Error::invalid_request(text)
        }
        AuthorizationError::Credential(cause) => region_detail(
            S3Error::with_message(S3Code::AuthorizationHeaderMalformed, text),
            cause,
        ),
        _ => S3Error::with_message(S3Code::AuthorizationHeaderMalformed, text),
    }
}

/// The error for a presigned URL.
pub(super) fn presigned(error: &PresignedError) -> S3Error {
    let text = error.to_string();
    match error {
        PresignedError::NotYetValid {
            date,
            expires_at,
            now,
        } => denied(text)
            .detail("X-Amz-Date", date.unix_millis().to_string())
            .detail("Expires", expires_at.iso8601())
            .detail("ServerTime", now.iso8601()),
        PresignedError::Expired {
            expires_seconds,
            expires_at,
            now,
        } => denied(text)
            .detail("X-Amz-Expires", expires_seconds.to_string())
            .detail("Expires", expires_at.iso8601())
            .detail("ServerTime", now.iso8601()),
        PresignedError::Asymmetric => S3Error::invalid_request(text),
        PresignedError::Credential(cause) => region_detail(
            S3Error::with_message(S3Code::AuthorizationQueryParametersError, text),
            cause,
        ),
        _ => S3Error::with_message(S3Code::AuthorizationQueryParametersError, text),
    }
}

/// The error for an `Authorization` header of Version 2, of which only the first word is shown.
pub(super) fn authorization_version_2(error: sigv2::AuthorizationError, value: &str) -> S3Error {
    let mechanism = value.split(' ').next().unwrap_or_default();
    S3Error::invalid_argument(error.to_string(), "Authorization", mechanism)
}

/// The error for a presigned URL of Version 2.
pub(super) fn presigned_version_2(error: &sigv2::PresignedError) -> S3Error {
    let refused = denied(error.to_string());
    match error {
        sigv2::PresignedError::Expired { expires_at, now } => refused
            .detail("Expires", expires_at.iso8601())
            .detail("ServerTime", now.iso8601()),
        _ => refused,
    }
}

/// The error for an access key that nobody has.
pub(super) fn unknown_access_key(access_key_id: &str) -> S3Error {
    S3Error::new(S3Code::InvalidAccessKeyId).detail("AWSAccessKeyId", access_key_id)
}

/// The error for a session token that STS did not seal, or not for this access key. AWS's answer repeats the
/// token in an element `Token-0`, which this one leaves out: answers end up in logs.
pub(super) fn token() -> S3Error {
    S3Error::new(S3Code::InvalidToken)
}

/// The same at a gateway that has no credentials file, so that no token can be of a session here.
pub(super) fn token_without_sessions() -> S3Error {
    let message = "The provided token is malformed or otherwise invalid. This gateway has no sessions: the token \
                   is of other credentials; unset AWS_SESSION_TOKEN.";
    S3Error::with_message(S3Code::InvalidToken, message)
}

/// The error for a session token whose session ended.
pub(super) fn expired_token() -> S3Error {
    S3Error::new(S3Code::ExpiredToken)
}

/// The error for a request whose time is not near the server's.
pub(super) fn skewed(request_time: String, now: Timestamp) -> S3Error {
    S3Error::new(S3Code::RequestTimeTooSkewed)
        .detail("RequestTime", request_time)
        .detail("ServerTime", now.iso8601())
        .detail(
            "MaxAllowedSkewMilliseconds",
            SKEW_MAX.as_millis().to_string(),
        )
}

/// The error for headers that the signature ought to cover.
pub(super) fn not_signed(names: &[String]) -> S3Error {
    denied("There were headers present in the request which were not signed".to_owned())
        .detail("HeadersNotSigned", names.join(", "))
}

/// The error for a value of `x-amz-content-sha256`.
pub(super) fn payload_hash(error: PayloadHashError, value: &str) -> S3Error {
    S3Error::invalid_argument(error.to_string(), CONTENT_SHA256.as_str(), value)
}

/// The error for a request without a time.
pub(super) fn no_date() -> S3Error {
    denied("AWS authentication requires a valid Date or x-amz-date header".to_owned())
}

/// The error for a signature that is not the one we compute.
///
/// What we signed is shown, as S3 does, so that a client's author can compare. It holds only what
/// the client sent; the canonical request is left out when that includes a customer's key or a token.
pub(super) fn mismatch(
    access_key_id: &str,
    signature: &str,
    string_to_sign: &str,
    canonical: &[u8],
) -> S3Error {
    let error = form_mismatch(access_key_id, signature, string_to_sign);
    let canonical_text = String::from_utf8_lossy(canonical);
    if has_secret(&canonical_text) {
        return error;
    }
    let bytes = spaced_hex(canonical);
    error
        .detail("CanonicalRequest", canonical_text)
        .detail("CanonicalRequestBytes", bytes)
}

/// The error for a signature of Version 2 that is not the one we compute. The text is left out when it
/// includes a customer's key or a token.
pub(super) fn mismatch_version_2(access_key_id: &str, signature: &str, text: &[u8]) -> S3Error {
    let shown = String::from_utf8_lossy(text);
    if has_secret(&shown) {
        return S3Error::new(S3Code::SignatureDoesNotMatch)
            .detail("AWSAccessKeyId", access_key_id)
            .detail("SignatureProvided", signature);
    }
    S3Error::new(S3Code::SignatureDoesNotMatch)
        .detail("AWSAccessKeyId", access_key_id)
        .detail("StringToSign", shown)
        .detail("SignatureProvided", signature)
        .detail("StringToSignBytes", spaced_hex(text))
}

/// The error for the signature of a form, which covers its policy and nothing else.
pub(super) fn form_mismatch(access_key_id: &str, signature: &str, policy: &str) -> S3Error {
    mismatch_version_2(access_key_id, signature, policy.as_bytes())
}

/// Whether a signed text includes a customer's key or a session token.
fn has_secret(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.contains("customer-key:") || lower.contains("security-token")
}

/// `AccessDenied` with a message of its own.
fn denied(message: String) -> S3Error {
    S3Error::with_message(S3Code::AccessDenied, message)
}

/// Names the right Region where that is what was wrong: clients redirect themselves by it.
fn region_detail(error: S3Error, cause: &CredentialError) -> S3Error {
    match cause {
        CredentialError::WrongRegion { expected, .. } => {
            // For clients whose request was a HEAD, to which there is no document.
            let error = match HeaderValue::from_str(expected) {
                Ok(region) => error.header(BUCKET_REGION, region),
                Err(_) => error,
            };
            error.detail("Region", expected)
        }
        _ => error,
    }
}

/// `41 57 53`.
fn spaced_hex(bytes: &[u8]) -> String {
    let text: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    text.join(" ")
}

const BUCKET_REGION: HeaderName = HeaderName::from_static("x-amz-bucket-region");

/// The header that states how the body is covered by the signature.
pub(super) const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
