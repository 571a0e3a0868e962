//! The envelope's protobuf record.
//!
//! Read strictly: a record counts only if writing it again gives the same bytes. So an unknown
//! field, one that another mode has, a repeated or misplaced one and a number in a longer form are
//! all refused.

use crate::envelope::protection::{CHECK_BYTES, Mode, Protection, Wrapped};
use crate::envelope::{Envelope, EnvelopeError, Layout, NAME_BYTES};
use crate::frames::Salt;
use crate::frames::segment::{Kind, Segment};
use prost::Message as _;

/// The fields of `FORMAT.md`, section "Envelope", under their numbers.
#[derive(Clone, PartialEq, prost::Message)]
struct Record {
    #[prost(uint32, tag = "1")]
    layout: u32,
    #[prost(uint32, tag = "2")]
    mode: u32,
    #[prost(bytes = "vec", tag = "3")]
    name: Vec<u8>,
    #[prost(uint64, tag = "4")]
    plaintext_bytes: u64,
    #[prost(bytes = "vec", tag = "5")]
    salt: Vec<u8>,
    #[prost(bytes = "vec", tag = "6")]
    commitment: Vec<u8>,
    #[prost(bytes = "vec", tag = "7")]
    record: Vec<u8>,
    #[prost(uint64, tag = "8")]
    generation: u64,
    #[prost(string, tag = "9")]
    key_arn: String,
    #[prost(bytes = "vec", tag = "10")]
    blob: Vec<u8>,
    #[prost(bytes = "vec", tag = "11")]
    outer_blob: Vec<u8>,
    #[prost(message, repeated, tag = "12")]
    context: Vec<Pair>,
    #[prost(bytes = "vec", tag = "13")]
    wrap_salt: Vec<u8>,
    #[prost(bytes = "vec", tag = "14")]
    wrapped: Vec<u8>,
    #[prost(bytes = "vec", tag = "15")]
    check: Vec<u8>,
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
        name: name.to_vec(),
        record: envelope.record.map(Vec::from).unwrap_or_default(),
        ..Record::default()
    };
    match &envelope.layout {
        Layout::Whole(segment) => {
            record.layout = LAYOUT_WHOLE;
            record.plaintext_bytes = segment.plaintext_bytes;
            record.salt = segment.salt.as_bytes().to_vec();
            record.commitment = segment.commitment.to_vec();
        }
        Layout::Parts => record.layout = LAYOUT_PARTS,
    }
    record.put_protection(&envelope.protection);
    record.encode_to_vec()
}

pub(crate) fn decode(bytes: &[u8]) -> Result<(Envelope, [u8; NAME_BYTES]), EnvelopeError> {
    let record = Record::decode(bytes).map_err(|_| EnvelopeError::Form)?;
    let name = array(&record.name)?;
    let envelope = Envelope {
        layout: match record.layout {
            LAYOUT_WHOLE => Layout::Whole(Segment {
                kind: Kind::Whole,
                salt: Salt(array(&record.salt)?),
                commitment: array(&record.commitment)?,
                plaintext_bytes: record.plaintext_bytes,
            }),
            LAYOUT_PARTS => Layout::Parts,
            _ => return Err(EnvelopeError::Form),
        },
        record: match record.record.as_slice() {
            [] => None,
            bytes => Some(array(bytes)?),
        },
        protection: record.into_protection()?,
    };
    if envelope.record.is_some() && envelope.layout == Layout::Parts {
        return Err(EnvelopeError::Form);
    }
    if encode(&envelope, &name) != bytes {
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
            Protection::SseKms {
                key_arn,
                blob,
                context,
                wrapped,
            } => {
                self.put_kms(key_arn, blob, context);
                if let Some(wrapped) = wrapped {
                    self.put_wrapped(wrapped);
                }
            }
            Protection::BucketKey {
                key_arn,
                blob,
                context,
                wrapped,
            } => {
                self.put_kms(key_arn, blob, context);
                self.put_wrapped(wrapped);
            }
            Protection::Dsse {
                key_arn,
                blob,
                outer_blob,
                context,
            } => {
                self.put_kms(key_arn, blob, context);
                self.outer_blob.clone_from(outer_blob);
            }
            Protection::SseC { check, wrapped } => {
                self.check = check.to_vec();
                self.put_wrapped(wrapped);
            }
        }
    }

    fn put_kms(&mut self, key_arn: &str, blob: &[u8], context: &[(String, String)]) {
        key_arn.clone_into(&mut self.key_arn);
        self.blob = blob.to_vec();
        let pair = |(key, value): &(String, String)| Pair {
            key: key.clone(),
            value: value.clone(),
        };
        self.context = context.iter().map(pair).collect();
    }

    fn put_wrapped(&mut self, wrapped: &Wrapped) {
        self.wrap_salt = wrapped.salt.as_bytes().to_vec();
        self.wrapped = wrapped.sealed.to_vec();
    }

    /// Takes only the fields of the mode; others are found when the record is written again.
    fn into_protection(self) -> Result<Protection, EnvelopeError> {
        let wrapped = || {
            let (salt, sealed) = (Salt(array(&self.wrap_salt)?), array(&self.wrapped)?);
            Ok::<_, EnvelopeError>(Wrapped { salt, sealed })
        };
        let mode = [
            Mode::SseS3,
            Mode::SseKms,
            Mode::BucketKey,
            Mode::Dsse,
            Mode::SseC,
        ]
        .into_iter()
        .find(|mode| u32::from(mode.code()) == self.mode)
        .ok_or(EnvelopeError::Form)?;
        let protection = match mode {
            Mode::SseS3 => Protection::SseS3 {
                generation: self.generation,
                wrapped: wrapped()?,
            },
            Mode::SseC => Protection::SseC {
                check: array::<CHECK_BYTES>(&self.check)?,
                wrapped: wrapped()?,
            },
            Mode::SseKms | Mode::BucketKey | Mode::Dsse => {
                if self.key_arn.is_empty() || self.blob.is_empty() {
                    return Err(EnvelopeError::Form);
                }
                let is_wrapped = !self.wrapped.is_empty() && mode == Mode::SseKms;
                let wrapped = (is_wrapped || mode == Mode::BucketKey)
                    .then(wrapped)
                    .transpose()?;
                let context = self
                    .context
                    .into_iter()
                    .map(|pair| (pair.key, pair.value))
                    .collect();
                let (key_arn, blob, outer_blob) = (self.key_arn, self.blob, self.outer_blob);
                match (mode, wrapped) {
                    (Mode::Dsse, _) if outer_blob.is_empty() => return Err(EnvelopeError::Form),
                    (Mode::Dsse, _) => Protection::Dsse {
                        key_arn,
                        blob,
                        outer_blob,
                        context,
                    },
                    (Mode::BucketKey, Some(wrapped)) => Protection::BucketKey {
                        key_arn,
                        blob,
                        context,
                        wrapped,
                    },
                    (_, wrapped) => Protection::SseKms {
                        key_arn,
                        blob,
                        context,
                        wrapped,
                    },
                }
            }
        };
        Ok(protection)
    }
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], EnvelopeError> {
    bytes.try_into().map_err(|_| EnvelopeError::Form)
}

const LAYOUT_WHOLE: u32 = 1;
const LAYOUT_PARTS: u32 = 2;
