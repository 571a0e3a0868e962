//! The envelope: the one metadata header that says how to find an object's data key.
//!
//! It travels as [`ENVELOPE`](crate::protocol::headers::ENVELOPE) with the object at the backend, base64url without padding: a version
//! byte, a protobuf record, and an HMAC under a key derived from the data key. The HMAC covers the
//! bytes as stored and the ARN of the object they belong to, so an envelope with any bit changed,
//! of another object or of an earlier version of the same one does not open.
//!
//! What is read from an envelope before its data key is known are [`claims`](SealedEnvelope::claims):
//! good to find the key, and to answer HEAD without asking the key service, and nothing else.
//!
//! Source: `gateway/FORMAT.md`, section "Envelope".

mod protection;
mod wire;

pub use crate::envelope::protection::{Mode, Protection, Wrapped, WrappingKey};

use crate::chunks::cipher::{self, MAC_BYTES};
use crate::chunks::layout::TRAILER_BYTES;
use crate::chunks::segment::Segment;
use crate::chunks::{DataKey, KEY_BYTES};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;

/// What an envelope says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// How the object's body is laid out.
    pub layout: Layout,
    /// How the object is encrypted and where its data key is.
    pub protection: Protection,
    /// The sealed record, the same bytes as in the trailer, where the body was read before the
    /// envelope was written. Saves a reader the request for the trailer.
    pub record: Option<[u8; TRAILER_BYTES]>,
}

/// How the body of a sealed object is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One segment and a trailer.
    Whole(Segment),
    /// The parts' segments and a footer, which says where they are.
    Parts,
}

impl Envelope {
    /// The value of [`ENVELOPE`](crate::protocol::headers::ENVELOPE) for the object with this ARN.
    pub fn seal(&self, key: &DataKey, object_arn: &str) -> String {
        let mut bytes = vec![ENVELOPE_VERSION];
        bytes.extend(wire::encode(self, &name(object_arn)));
        let mac = mac(key, object_arn, &bytes);
        bytes.extend(mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// An envelope as it was read, before its data key is known.
#[derive(Clone, Debug)]
pub struct SealedEnvelope {
    claims: Envelope,
    name: [u8; NAME_BYTES],
    authenticated: Bytes,
    mac: [u8; MAC_BYTES],
}

impl SealedEnvelope {
    /// Reads the value of [`ENVELOPE`](crate::protocol::headers::ENVELOPE).
    ///
    /// # Errors
    ///
    /// [`EnvelopeError::Version`] or [`EnvelopeError::Form`] unless it is, to the bit, what this
    /// version writes.
    pub fn parse(value: &str) -> Result<Self, EnvelopeError> {
        if value.len() > ENVELOPE_CHARS_MAX {
            return Err(EnvelopeError::Form);
        }
        let mut bytes = URL_SAFE_NO_PAD
            .decode(value)
            .map_err(|_| EnvelopeError::Form)?;
        let mac = *bytes.last_chunk::<MAC_BYTES>().ok_or(EnvelopeError::Form)?;
        bytes.truncate(bytes.len() - MAC_BYTES);

        let bytes = Bytes::from(bytes);
        let version = *bytes.first().ok_or(EnvelopeError::Form)?;
        if version != ENVELOPE_VERSION {
            return Err(EnvelopeError::Version(version));
        }
        let (claims, name) = wire::decode(bytes.slice(1..))?;
        Ok(Self {
            claims,
            name,
            authenticated: bytes,
            mac,
        })
    }

    /// What the envelope says, not authenticated yet: to find the data key, and for HEAD.
    pub fn claims(&self) -> &Envelope {
        &self.claims
    }

    /// Whether the envelope names the object with this ARN. Costs no key.
    pub fn names(&self, object_arn: &str) -> bool {
        cipher::same(&self.name, &name(object_arn))
    }

    /// What the envelope says, after checking that the holder of its data key wrote it for the
    /// object with this ARN.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError::OtherObject`] if it names another object; [`EnvelopeError::Forged`] if the
    /// key is not its own, or anything in it was changed.
    pub fn open(&self, key: &DataKey, object_arn: &str) -> Result<&Envelope, EnvelopeError> {
        if cipher::same(&self.mac, &mac(key, object_arn, &self.authenticated)) {
            return Ok(&self.claims);
        }
        // The MAC binds the ARN as well; the name only tells one refusal from the other.
        Err(if self.names(object_arn) {
            EnvelopeError::Forged
        } else {
            EnvelopeError::OtherObject
        })
    }
}

/// Which object an envelope is for, so that a moved one is told apart before any key is asked for.
fn name(object_arn: &str) -> [u8; NAME_BYTES] {
    let digest = cipher::sha256(&[NAME_LABEL, object_arn.as_bytes()]);
    *digest
        .first_chunk()
        .expect("a digest is longer than a name")
}

fn mac(key: &DataKey, object_arn: &str, bytes: &[u8]) -> [u8; MAC_BYTES] {
    let mac_key = key.expand::<KEY_BYTES>(&[MAC_LABEL]);
    let arn_bytes = (object_arn.len() as u64).to_be_bytes();
    cipher::mac(&mac_key, &[&arn_bytes, object_arn.as_bytes(), bytes])
}

/// Why an envelope was refused, or a data key did not unwrap.
///
/// A client hears one answer for all of these but [`EnvelopeError::CustomerKey`]; the others are
/// for the log and the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Another version wrote it.
    #[error("envelope version {0} is not known")]
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

/// First byte of an envelope: the version this code writes, and the only one it reads.
const ENVELOPE_VERSION: u8 = 1;

/// Longest header value that is looked at, in characters.
const ENVELOPE_CHARS_MAX: usize = 8_192;

/// Length of the digest that names the object.
const NAME_BYTES: usize = 16;

/// Names this use of SHA-256; the zero byte ends the label.
const NAME_LABEL: &[u8] = b"sealgate/name@v1\0";

/// Names this use of the data key; the zero byte ends the label.
const MAC_LABEL: &[u8] = b"sealgate/envelope@v1\0";

#[cfg(test)]
mod tests;
