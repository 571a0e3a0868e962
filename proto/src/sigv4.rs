//! AWS Signature Version 4: to check a request and to sign one.
//!
//! One code path writes the canonical request, for the server that checks a signature and for the
//! client that makes one, so the two can never disagree. Everything here is pure: the time, the
//! request and the key are parameters, and the outcome is a value.
//!
//! To check a request signed in its header: [`mechanism`], then [`Authorization::parse`], then
//! [`Authorization::check_date`], [`headers_not_signed`], [`CanonicalRequest`], [`string_to_sign`]
//! and [`SigningKey::verify`]. One signed in its query: [`is_presigned`], [`Presigned::parse`] and
//! the same from there on, over [`Presigned::signed_query`]. The refusals carry S3's own texts, in
//! S3's own order.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html>

mod authorization;
mod canonical;
mod encoding;
mod hasher;
mod outbound;
mod payload;
mod presigned;
mod scope;
mod signed_headers;
mod signing;
mod split;

use std::time::Duration;

pub use authorization::Authorization;
pub use authorization::AuthorizationError;
pub use authorization::Mechanism;
pub use authorization::claimed_service;
pub use authorization::headers_not_signed;
pub use authorization::mechanism;
pub use canonical::CanonicalRequest;
pub use canonical::PathEncoding;
pub use encoding::EncodingError;
pub use encoding::canonical_query;
pub use encoding::decode_path;
pub use encoding::decode_query;
pub use encoding::encode_component;
pub use encoding::encode_path;
pub use hasher::PayloadHasher;
pub use outbound::Credentials;
pub use outbound::OutboundRequest;
pub use outbound::presign_request;
pub use outbound::sign_request;
pub use payload::PayloadHash;
pub use payload::PayloadHashError;
pub use presigned::Presigned;
pub use presigned::PresignedError;
pub use presigned::is_presigned;
pub use scope::Credential;
pub use scope::CredentialError;
pub use scope::CredentialScope;
pub use scope::Expected;
pub use signed_headers::SignedHeaders;
pub use signing::Signature;
pub use signing::SigningKey;
pub use signing::canonical_trailers;
pub use signing::chunk_string_to_sign;
pub use signing::sha256_hex;
pub use signing::string_to_sign;
pub use signing::trailer_string_to_sign;

/// The only algorithm that is supported.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The last part of every credential scope.
pub const TERMINATOR: &str = "aws4_request";

/// SHA-256 of nothing, in hex: the payload hash of a request without a body.
pub const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// How far the time of a request may lie from the server's, either way, before it is refused as
/// `RequestTimeTooSkewed`: 15 minutes.
pub const SKEW_MAX: Duration = Duration::from_secs(900);

/// The longest a presigned URL may live: seven days.
pub const EXPIRES_MAX: Duration = Duration::from_secs(604_800);

#[cfg(test)]
mod tests;
