//! The sealed record behind a whole object's segment: its length and digests.
//!
//! Digests are complete only after the body, so they cannot stand in a header; in clear they would
//! show the backend which content this is, so they are sealed.

use crate::chunks::DataKey;
use crate::chunks::OpenError;
use crate::chunks::Salt;
use crate::chunks::SealError;
use crate::chunks::cipher::SINGLE_USE_BYTES;
use crate::chunks::cipher::SingleUseKey;
use crate::chunks::layout::RECORD_BYTES;
use crate::chunks::layout::TAG_BYTES;
use crate::chunks::layout::TRAILER_BYTES;
use crate::protocol::checksum::Checksum;

/// What a whole object's trailer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Length of the object, in bytes.
    pub plaintext_bytes: u64,
    /// MD5 of the object, where it was computed.
    pub md5: Option<[u8; 16]>,
    /// The object's checksum, where it has one.
    pub checksum: Option<Checksum>,
}

impl Record {
    fn encode(&self) -> Result<[u8; RECORD_BYTES], SealError> {
        let mut bytes = Vec::with_capacity(RECORD_BYTES);
        let checksum = self.checksum.as_ref();
        if checksum.is_some_and(|sum| sum.value.len() != sum.algorithm.bytes()) {
            return Err(SealError::Record);
        }

        bytes.extend([
            RECORD_VERSION,
            u8::from(self.md5.is_some()),
            checksum.map_or(0, |sum| sum.algorithm.code()),
            checksum.map_or(0, |sum| sum.kind.code()),
            0,
            0,
            0,
            0,
        ]);
        bytes.extend(self.plaintext_bytes.to_be_bytes());
        bytes.extend(self.md5.unwrap_or_default());
        bytes.extend(checksum.map_or(&[][..], |sum| &sum.value));
        bytes.resize(RECORD_BYTES, 0);
        bytes.try_into().map_err(|_| SealError::Record)
    }

    /// Strict: only what [`Record::encode`] writes.
    fn decode(bytes: &[u8; RECORD_BYTES]) -> Result<Self, OpenError> {
        let (start, rest) = bytes.split_first_chunk::<8>().ok_or(OpenError::Record)?;
        let (length, rest) = rest.split_first_chunk::<8>().ok_or(OpenError::Record)?;
        let (md5, rest) = rest.split_first_chunk::<16>().ok_or(OpenError::Record)?;
        let [_, md5_present, algorithm, kind, ..] = *start;
        let record = Self {
            plaintext_bytes: u64::from_be_bytes(*length),
            md5: (md5_present == 1).then_some(*md5),
            checksum: Checksum::from_codes(algorithm, kind, rest),
        };
        match record.encode() {
            Ok(canonical) if canonical == *bytes => Ok(record),
            _ => Err(OpenError::Record),
        }
    }
}

/// The key of one segment's trailer: it seals one record.
pub(crate) struct TrailerKey(SingleUseKey);

impl TrailerKey {
    pub(crate) fn derive(key: &DataKey, salt: &Salt) -> Self {
        let bytes = key.expand::<SINGLE_USE_BYTES>(&[LABEL, salt.as_bytes()]);
        Self(SingleUseKey::from_bytes(&bytes))
    }

    pub(crate) fn seal(self, record: &Record) -> Result<[u8; TRAILER_BYTES], SealError> {
        let mut sealed = [0; TRAILER_BYTES];
        let (text, tag) = sealed.split_at_mut(RECORD_BYTES);
        text.copy_from_slice(&record.encode()?);
        tag.copy_from_slice(&self.0.seal(&[], text));
        Ok(sealed)
    }

    pub(crate) fn open(self, mut sealed: [u8; TRAILER_BYTES]) -> Result<Record, OpenError> {
        let (text, tag) = sealed
            .split_last_chunk_mut::<TAG_BYTES>()
            .ok_or(OpenError::Record)?;
        self.0.open(&[], text, tag).map_err(|_| OpenError::Record)?;
        Record::decode(text.first_chunk().ok_or(OpenError::Record)?)
    }
}

/// Opens the trailer of the segment with this salt, read apart from the body or from the envelope.
///
/// # Errors
///
/// [`OpenError::Record`] if it is not that segment's, was changed, or states another length than
/// the segment's `plaintext_bytes`.
pub fn open(
    key: &DataKey,
    segment: &crate::chunks::segment::Segment,
    sealed: &[u8],
) -> Result<Record, OpenError> {
    let sealed = sealed.try_into().map_err(|_| OpenError::Record)?;
    let record = TrailerKey::derive(key, &segment.salt).open(sealed)?;
    if record.plaintext_bytes == segment.plaintext_bytes {
        Ok(record)
    } else {
        Err(OpenError::Record)
    }
}

/// Names this use of the data key; the zero byte ends the name.
const LABEL: &[u8] = b"sealgate/trailer@v1\0";

/// First byte of a record.
const RECORD_VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_in_another_form_is_refused() {
        let record = Record {
            plaintext_bytes: 3,
            md5: None,
            checksum: None,
        };
        let bytes = record.encode().unwrap();
        assert_eq!(Record::decode(&bytes), Ok(record));
        // Version, MD5's flag, codes, reserved bytes, and the fields of digests that it has not.
        for at in [0, 1, 2, 3, 4, 7, 16, 31, 32, 127] {
            let mut other = bytes;
            other[at] ^= 2;
            assert_eq!(Record::decode(&other), Err(OpenError::Record), "byte {at}");
        }
    }
}
