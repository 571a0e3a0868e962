//! Why an envelope was refused.

/// Why an envelope was refused, or a data key did not unwrap.
///
/// A client gets one answer for all of these but [`EnvelopeError::CustomerKey`]; the others are
/// for the log and the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Another version wrote it.
    #[error("envelope version {0} is not one of this gateway")]
    Version(u8),
    /// It is not what this version writes: an unknown, missing, repeated or misplaced field, a
    /// value out of its range, or not base64url.
    #[error("the envelope is malformed")]
    Form,
    /// It belongs to another object.
    #[error("the envelope is another object's")]
    OtherObject,
    /// The envelope or the wrapped key was changed, or the key is not its own.
    #[error("the envelope failed authentication")]
    Forged,
    /// The customer's key is not the one the object was encrypted with: the client's mistake.
    #[error("the customer's key is not the object's")]
    CustomerKey,
    /// The data key is not wrapped in the envelope but comes from the key service.
    #[error("the data key comes from the key service")]
    NotWrapped,
}
