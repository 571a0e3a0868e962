//! Envelopes as they are stored: written, read, authenticated.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;

use crate::chunks::DataKey;
use crate::chunks::KEY_BYTES;
use crate::chunks::cipher;
use crate::chunks::cipher::MAC_BYTES;
use crate::envelope::error::EnvelopeError;
use crate::envelope::fields::Envelope;
use crate::envelope::fields::NAME_BYTES;
use crate::envelope::wire;
#[cfg(doc)]
use crate::protocol::headers::ENVELOPE;

impl Envelope {
    /// The value of [`ENVELOPE`] for the object with this ARN.
    pub fn seal(&self, key: &DataKey, object_arn: &str) -> String {
        let mut bytes = vec![ENVELOPE_VERSION];
        bytes.extend(wire::encode(self, &name(object_arn)));
        let mac = mac(key, object_arn, &bytes);
        bytes.extend(mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// An envelope as it was read, without its data key.
#[derive(Clone, Debug)]
pub struct SealedEnvelope {
    claims: Envelope,
    name: [u8; NAME_BYTES],
    authenticated: Bytes,
    mac: [u8; MAC_BYTES],
}

impl SealedEnvelope {
    /// Reads the value of [`ENVELOPE`].
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

    /// What the envelope claims, not authenticated yet: to find the data key, and for HEAD.
    pub fn claims(&self) -> &Envelope {
        &self.claims
    }

    /// Whether the envelope names the object with this ARN. Costs no key.
    pub fn names(&self, object_arn: &str) -> bool {
        cipher::same(&self.name, &name(object_arn))
    }

    /// The content of the envelope, after checking that the holder of its data key wrote it for the
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
        // The MAC binds the ARN as well; the name only distinguishes the refusals.
        Err(if self.names(object_arn) {
            EnvelopeError::Forged
        } else {
            EnvelopeError::OtherObject
        })
    }
}

/// Which object an envelope is for, so that a moved one is recognised before any key is requested.
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

/// First byte of an envelope: the version this code writes, and the only one it reads.
pub(crate) const ENVELOPE_VERSION: u8 = 1;

/// Longest header value that is looked at, in characters.
const ENVELOPE_CHARS_MAX: usize = 8_192;

/// Names this use of SHA-256; the zero byte ends the label.
const NAME_LABEL: &[u8] = b"sealgate/name@v1\0";

/// Names this use of the data key; the zero byte ends the label.
const MAC_LABEL: &[u8] = b"sealgate/envelope@v1\0";
