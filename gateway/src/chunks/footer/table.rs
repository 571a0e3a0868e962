//! The bytes of a part table before it is sealed.

use crate::chunks::OpenError;
use crate::chunks::SALT_BYTES;
use crate::chunks::Salt;
use crate::chunks::SealError;
use crate::chunks::footer::Part;
use crate::chunks::footer::Table;
use crate::chunks::footer::Tail;
use crate::chunks::layout::COMMITMENT_BYTES;
use crate::chunks::layout::PARTS_MAX;
use crate::chunks::layout::TABLE_ENTRY_BYTES;
use crate::chunks::layout::TABLE_START_BYTES;
use crate::chunks::segment::Kind;
use crate::chunks::segment::Segment;
use crate::protocol::checksum::Algorithm;
use crate::protocol::checksum::Checksum;

impl Table {
    pub(super) fn encode(&self, tail: &Tail) -> Result<Vec<u8>, SealError> {
        let checksum = self.checksum.as_ref();
        let algorithm = checksum.map(|sum| sum.algorithm);
        let mut bytes = vec![
            TABLE_VERSION,
            algorithm.map_or(0, Algorithm::code),
            checksum.map_or(0, |sum| sum.kind.code()),
            0,
        ];
        bytes.extend(tail.parts.to_be_bytes());
        bytes.extend(tail.backend_parts.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(tail.plaintext_bytes.to_be_bytes());
        bytes.extend(tail.padding.to_be_bytes());
        put_checksum(
            &mut bytes,
            algorithm,
            checksum.map(|sum| sum.value.as_slice()),
        )?;

        let mut previous = 0;
        for part in &self.parts {
            let Kind::Part(number) = part.segment.kind else {
                return Err(SealError::PartNumber);
            };
            if number <= previous || number > PARTS_MAX {
                return Err(SealError::PartNumber);
            }
            previous = number;
            part.encode(number, algorithm, &mut bytes)?;
        }
        Ok(bytes)
    }

    /// Strict: only what [`Table::encode`] writes, and only if it repeats the tail.
    pub(super) fn decode(bytes: &[u8], tail: &Tail) -> Result<Self, OpenError> {
        let (start, entries) = bytes
            .split_first_chunk::<TABLE_START_BYTES>()
            .ok_or(OpenError::Footer)?;
        let (codes, _) = start.split_first_chunk::<4>().ok_or(OpenError::Footer)?;
        let (_, value) = start
            .split_last_chunk::<CHECKSUM_BYTES>()
            .ok_or(OpenError::Footer)?;
        let [_, algorithm, kind, _] = *codes;
        let checksum = Checksum::from_codes(algorithm, kind, value);
        let algorithm = Algorithm::from_code(algorithm);
        let parts = entries
            .chunks(TABLE_ENTRY_BYTES)
            .map(|entry| Part::decode(entry, algorithm))
            .collect::<Result<_, _>>()?;
        let table = Self { parts, checksum };

        let same_tail = table.tail(tail.backend_parts) == Ok(*tail);
        match table.encode(tail) {
            Ok(canonical) if canonical == bytes && same_tail => Ok(table),
            _ => Err(OpenError::Footer),
        }
    }
}

impl Part {
    fn encode(
        &self,
        number: u32,
        algorithm: Option<Algorithm>,
        bytes: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        bytes.extend(number.to_be_bytes());
        bytes.push(u8::from(self.md5.is_some()));
        bytes.push(u8::from(self.checksum.is_some()));
        bytes.extend([0; 2]);
        bytes.extend(self.segment.plaintext_bytes.to_be_bytes());
        bytes.extend(self.segment.salt.as_bytes());
        bytes.extend(self.segment.commitment);
        bytes.extend(self.md5.unwrap_or_default());
        let algorithm = algorithm.filter(|_| self.checksum.is_some());
        put_checksum(bytes, algorithm, self.checksum.as_deref())
    }

    fn decode(entry: &[u8], algorithm: Option<Algorithm>) -> Result<Self, OpenError> {
        let footer = || OpenError::Footer;
        let (number, rest) = entry.split_first_chunk::<4>().ok_or_else(footer)?;
        let (present, rest) = rest.split_first_chunk::<4>().ok_or_else(footer)?;
        let (length, rest) = rest.split_first_chunk::<8>().ok_or_else(footer)?;
        let (salt, rest) = rest.split_first_chunk::<SALT_BYTES>().ok_or_else(footer)?;
        let (commitment, rest) = rest
            .split_first_chunk::<COMMITMENT_BYTES>()
            .ok_or_else(footer)?;
        let (md5, checksum) = rest.split_first_chunk::<16>().ok_or_else(footer)?;
        let [md5_present, checksum_present, ..] = *present;
        let checksum = match algorithm {
            Some(algorithm) if checksum_present == 1 => Some(
                checksum
                    .get(..algorithm.bytes())
                    .ok_or_else(footer)?
                    .to_vec(),
            ),
            _ => None,
        };
        Ok(Self {
            segment: Segment {
                kind: Kind::Part(u32::from_be_bytes(*number)),
                salt: Salt(*salt),
                commitment: *commitment,
                plaintext_bytes: u64::from_be_bytes(*length),
            },
            md5: (md5_present == 1).then_some(*md5),
            checksum,
        })
    }
}

/// The checksum, or none, in a field of fixed length.
fn put_checksum(
    bytes: &mut Vec<u8>,
    algorithm: Option<Algorithm>,
    value: Option<&[u8]>,
) -> Result<(), SealError> {
    if value.map(<[u8]>::len) != algorithm.map(Algorithm::bytes) {
        return Err(SealError::Record);
    }
    let value = value.unwrap_or_default();
    if value.len() > CHECKSUM_BYTES {
        return Err(SealError::Record);
    }
    let end = bytes.len() + CHECKSUM_BYTES;
    bytes.extend(value);
    bytes.resize(end, 0);
    Ok(())
}

/// Length of the field a checksum stands in: the longest of an upload.
const CHECKSUM_BYTES: usize = 32;

/// First byte of a table.
const TABLE_VERSION: u8 = 1;

// Codes, counts, length, padding, checksum; and number, flags, length, salt, commitment, MD5, checksum.
const _: () = assert!(TABLE_START_BYTES == 4 + 4 + 4 + 4 + 8 + 8 + CHECKSUM_BYTES);
const _: () =
    assert!(TABLE_ENTRY_BYTES == 4 + 4 + 8 + SALT_BYTES + COMMITMENT_BYTES + 16 + CHECKSUM_BYTES);
