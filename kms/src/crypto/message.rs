//! What is signed: a message or its digest, and why a pair may refuse it.

use aws_lc_rs::digest;
use aws_lc_rs::digest::Digest;

/// What is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// The message itself.
    Raw(&'a [u8]),
    /// The digest of the message under the algorithm's hash.
    Digest(&'a [u8]),
    /// ML-DSA's representative of the message (FIPS 204, the value mu).
    ExternalMu(&'a [u8]),
}

/// Why nothing was signed or verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The pair does not have the algorithm.
    #[error("the key does not have the algorithm")]
    Algorithm,
    /// The algorithm does not take messages of this type.
    #[error("the algorithm does not take messages of this type")]
    MessageType,
    /// The digest is not as long as the algorithm's.
    #[error("the digest has another length than the algorithm's")]
    DigestLength,
    /// The primitive failed.
    #[error("signing failed")]
    Failed,
}

/// A digest that the caller computed.
pub(crate) fn imported(
    bytes: &[u8],
    hash: &'static digest::Algorithm,
) -> Result<Digest, SignError> {
    Digest::import_less_safe(bytes, hash).map_err(|_| SignError::DigestLength)
}
