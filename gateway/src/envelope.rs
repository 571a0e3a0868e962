//! The envelope: the one metadata header by which an object's data key is found.
//!
//! It travels as [`ENVELOPE`](crate::protocol::headers::ENVELOPE) with the object at the backend, base64url without padding: a version
//! byte, a protobuf record, and an HMAC under a key derived from the data key. The HMAC covers the
//! bytes as stored and the ARN of the object they belong to, so an envelope with any bit changed,
//! of another object or of an earlier version of the same one does not open.
//!
//! What is read from an envelope before its data key was found are [`claims`](SealedEnvelope::claims):
//! good to find the key, and to answer HEAD without asking the key service, and nothing else.
//!
//! Source: `gateway/FORMAT.md`, section "Envelope".

mod error;
mod fields;
mod protection;
mod sealed;
mod wire;

pub use crate::envelope::error::EnvelopeError;
pub use crate::envelope::fields::Envelope;
pub use crate::envelope::fields::Layout;
pub use crate::envelope::protection::KmsBlob;
pub use crate::envelope::protection::Mode;
pub use crate::envelope::protection::Protection;
pub use crate::envelope::protection::Wrapped;
pub use crate::envelope::protection::WrappingKey;
pub use crate::envelope::sealed::SealedEnvelope;

#[cfg(test)]
mod tests;
