//! The envelope's protobuf record.
//!
//! Read strictly: a record counts only if writing it again gives the same bytes, and if it has the
//! fields of its layout and mode alone. So an unknown field, one that another mode has, a repeated
//! or misplaced one and a number in a longer form are all refused.

use std::mem;

use bytes::Bytes;
use prost::Message as _;

use crate::chunks::Salt;
use crate::chunks::segment::Kind;
use crate::chunks::segment::Segment;
use crate::envelope::error::EnvelopeError;
use crate::envelope::fields::Envelope;
use crate::envelope::fields::Layout;
use crate::envelope::fields::NAME_BYTES;
use crate::envelope::protection::CHECK_BYTES;
use crate::envelope::protection::Derivation;
use crate::envelope::protection::KmsBlob;
use crate::envelope::protection::Mode;
use crate::envelope::protection::Protection;
use crate::envelope::protection::Wrapped;

/// The fields of `FORMAT.md`, section "Envelope", under their numbers.
#[derive(Clone, PartialEq, prost::Message)]
struct Record {
    #[prost(uint32, tag = "1")]
    layout: u32,
    #[prost(uint32, tag = "2")]
    mode: u32,
    #[prost(bytes = "bytes", tag = "3")]
    name: Bytes,
    #[prost(uint64, tag = "4")]
    plaintext_bytes: u64,
    #[prost(bytes = "bytes", tag = "5")]
    salt: Bytes,
    #[prost(bytes = "bytes", tag = "6")]
    commitment: Bytes,
    #[prost(bytes = "bytes", tag = "7")]
    record: Bytes,
    #[prost(uint64, tag = "8")]
    generation: u64,
    #[prost(string, tag = "9")]
    key_arn: String,
    #[prost(bytes = "bytes", tag = "10")]
    blob: Bytes,
    #[prost(bytes = "bytes", tag = "11")]
    outer_blob: Bytes,
    #[prost(message, repeated, tag = "12")]
    context: Vec<Pair>,
    #[prost(bytes = "bytes", tag = "13")]
    wrap_salt: Bytes,
    #[prost(bytes = "bytes", tag = "14")]
    wrapped: Bytes,
    #[prost(bytes = "bytes", tag = "15")]
    check: Bytes,
    #[prost(bytes = "bytes", tag = "16")]
    expanded: Bytes,
}

/// One pair of the caller's encryption context.
#[derive(Clone, PartialEq, prost::Message)]
struct Pair {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

pub(crate) fn encode(envelope: &Envelope, name: &[u8; NAME_BYTES]) -> Vec<u8> {
    let mut record = Record {
        mode: u32::from(envelope.protection.mode().code()),
        name: copy(name),
        record: envelope
            .record
            .as_ref()
            .map(|record| copy(record))
            .unwrap_or_default(),
        ..Record::default()
    };
    match &envelope.layout {
        Layout::Whole(segment) => {
            record.layout = LAYOUT_WHOLE;
            record.plaintext_bytes = segment.plaintext_bytes;
            record.salt = copy(segment.salt.as_bytes());
            record.commitment = copy(&segment.commitment);
        }
        Layout::Parts => record.layout = LAYOUT_PARTS,
    }
    record.put_protection(&envelope.protection);
    record.encode_to_vec()
}

pub(crate) fn decode(bytes: Bytes) -> Result<(Envelope, [u8; NAME_BYTES]), EnvelopeError> {
    let mut record = Record::decode(bytes.clone()).map_err(|_| EnvelopeError::Form)?;
    if record.encode_to_vec() != bytes {
        return Err(EnvelopeError::Form);
    }
    let name = array(&mem::take(&mut record.name))?;
    let envelope = Envelope {
        layout: record.take_layout()?,
        protection: record.take_protection()?,
        record: match &mem::take(&mut record.record)[..] {
            [] => None,
            bytes => Some(array(bytes)?),
        },
    };
    // What is left does not belong to this layout and mode.
    let is_of_parts = envelope.record.is_some() && envelope.layout == Layout::Parts;
    if is_of_parts || record != Record::default() {
        return Err(EnvelopeError::Form);
    }
    Ok((envelope, name))
}

impl Record {
    fn put_protection(&mut self, protection: &Protection) {
        match protection {
            Protection::SseS3 {
                generation,
                wrapped,
            } => {
                self.generation = *generation;
                self.put_wrapped(wrapped);
            }
            Protection::SseKms { kms, wrapped } => {
                self.put_kms(kms);
                if let Some(wrapped) = wrapped {
                    self.put_wrapped(wrapped);
                }
            }
            Protection::BucketKey { kms, wrapped } => {
                self.put_kms(kms);
                self.put_wrapped(wrapped);
            }
            Protection::Dsse { kms, outer_blob } => {
                self.put_kms(kms);
                self.outer_blob = copy(outer_blob);
            }
            Protection::SseC { check, wrapped } => {
                self.check = copy(check);
                self.put_wrapped(wrapped);
            }
        }
    }

    fn put_kms(&mut self, kms: &KmsBlob) {
        self.key_arn.clone_from(&kms.key_arn);
        self.blob = copy(&kms.blob);
        let pair = |(key, value): &(String, String)| Pair {
            key: key.clone(),
            value: value.clone(),
        };
        self.context = kms.context.iter().map(pair).collect();
    }

    fn put_wrapped(&mut self, wrapped: &Wrapped) {
        self.wrap_salt = copy(wrapped.salt.as_bytes());
        let sealed = copy(&wrapped.sealed);
        match wrapped.derivation {
            Derivation::Extracted => self.wrapped = sealed,
            Derivation::Expanded => self.expanded = sealed,
        }
    }

    fn take_layout(&mut self) -> Result<Layout, EnvelopeError> {
        match mem::take(&mut self.layout) {
            LAYOUT_WHOLE => Ok(Layout::Whole(Segment {
                kind: Kind::Whole,
                salt: Salt(array(&mem::take(&mut self.salt))?),
                commitment: array(&mem::take(&mut self.commitment))?,
                plaintext_bytes: mem::take(&mut self.plaintext_bytes),
            })),
            LAYOUT_PARTS => Ok(Layout::Parts),
            _ => Err(EnvelopeError::Form),
        }
    }

    /// Takes only the fields of the mode.
    fn take_protection(&mut self) -> Result<Protection, EnvelopeError> {
        let code = mem::take(&mut self.mode);
        let mode = [
            Mode::SseS3,
            Mode::SseKms,
            Mode::BucketKey,
            Mode::Dsse,
            Mode::SseC,
        ]
        .into_iter()
        .find(|mode| u32::from(mode.code()) == code)
        .ok_or(EnvelopeError::Form)?;
        Ok(match mode {
            Mode::SseS3 => Protection::SseS3 {
                generation: mem::take(&mut self.generation),
                wrapped: self.take_wrapped()?,
            },
            Mode::SseC => Protection::SseC {
                check: array::<CHECK_BYTES>(&mem::take(&mut self.check))?,
                wrapped: self.take_extracted()?,
            },
            Mode::SseKms => Protection::SseKms {
                kms: self.take_kms()?,
                wrapped: match self.wrapped.is_empty() && self.expanded.is_empty() {
                    true => None,
                    false => Some(self.take_wrapped()?),
                },
            },
            Mode::BucketKey => Protection::BucketKey {
                kms: self.take_kms()?,
                wrapped: self.take_wrapped()?,
            },
            Mode::Dsse => Protection::Dsse {
                kms: self.take_kms()?,
                outer_blob: taken(&mut self.outer_blob)?,
            },
        })
    }

    fn take_kms(&mut self) -> Result<KmsBlob, EnvelopeError> {
        let key_arn = mem::take(&mut self.key_arn);
        if key_arn.is_empty() {
            return Err(EnvelopeError::Form);
        }
        let context = mem::take(&mut self.context);
        let context = context.into_iter().map(|pair| (pair.key, pair.value));
        Ok(KmsBlob {
            key_arn,
            blob: taken(&mut self.blob)?,
            context: context.collect(),
        })
    }

    /// One of the two forms; the other, if it is there, is left.
    fn take_wrapped(&mut self) -> Result<Wrapped, EnvelopeError> {
        let (sealed, derivation) = if self.expanded.is_empty() {
            (&mut self.wrapped, Derivation::Extracted)
        } else {
            (&mut self.expanded, Derivation::Expanded)
        };
        Ok(Wrapped {
            sealed: array(&mem::take(sealed))?,
            salt: Salt(array(&mem::take(&mut self.wrap_salt))?),
            derivation,
        })
    }

    /// The form that a customer's key has.
    fn take_extracted(&mut self) -> Result<Wrapped, EnvelopeError> {
        let wrapped = self.take_wrapped()?;
        match wrapped.derivation {
            Derivation::Extracted => Ok(wrapped),
            Derivation::Expanded => Err(EnvelopeError::Form),
        }
    }
}

fn copy(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

/// What a field holds that must hold something.
fn taken(field: &mut Bytes) -> Result<Vec<u8>, EnvelopeError> {
    let bytes = mem::take(field);
    if bytes.is_empty() {
        return Err(EnvelopeError::Form);
    }
    Ok(bytes.into())
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], EnvelopeError> {
    bytes.try_into().map_err(|_| EnvelopeError::Form)
}

const LAYOUT_WHOLE: u32 = 1;
const LAYOUT_PARTS: u32 = 2;
