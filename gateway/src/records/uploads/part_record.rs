//! What is known of one part, as names of empty objects.
//!
//! Names, because one listing of the backend reads a thousand of them. What they say is sealed: the MD5
//! of a part must not be seen at the backend. A record is
//!
//! ```text
//! salt of the segment (24) || AES-256-GCM(text): ciphertext || tag (16)
//! key (32) || nonce (12) = HKDF-Expand-SHA512(record key, "sealgate/part-record@v1\0" || salt || number (4))
//! ```
//!
//! in base64url, cut into pieces, because some backends take short names only. A name is
//! `<number>/<start of the record>.<piece><pieces>.<the piece>`. A record counts once all its pieces
//! are there.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::chunks::DataKey;
use crate::chunks::SALT_BYTES;
use crate::chunks::Salt;
use crate::chunks::cipher::SINGLE_USE_BYTES;
use crate::chunks::cipher::SingleUseKey;
use crate::chunks::layout::COMMITMENT_BYTES;
use crate::chunks::layout::PARTS_MAX;
use crate::chunks::layout::TAG_BYTES;
use crate::chunks::segment::Kind;
use crate::chunks::segment::Segment;
use crate::error::S3Error;
use crate::protocol::etag::ETag;

/// One upload of one part, as the backend took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRecord {
    /// The part's number.
    pub number: u32,
    /// The part's segment.
    pub segment: Segment,
    /// MD5 of the plaintext, where the object's ETag is made of them.
    pub md5: Option<[u8; 16]>,
    /// Checksum of the plaintext, by the upload's algorithm, where there is one.
    pub checksum: Option<Vec<u8>>,
    /// The backend's ETag of the part.
    pub backend_etag: ETag,
    /// When the record was made; greater for later ones.
    pub moment: u64,
}

/// The names that say what `part` is.
///
/// # Errors
///
/// `InternalError` for a record of more than [`PIECES_MAX`] pieces, which the backend's ETag alone can
/// make so long: such names would not be read again, and the part would be lost.
pub(crate) fn names(part: &PartRecord, key: &DataKey) -> Result<Vec<String>, S3Error> {
    let mut text = encode(part);
    let salt = part.segment.salt.as_bytes();
    let tag = single_use(key, salt, part.number).seal(&[], &mut text);
    let mut record = salt.to_vec();
    record.extend(text);
    record.extend(tag);

    let record = URL_SAFE_NO_PAD.encode(record);
    let start: String = record.chars().take(START_CHARS).collect();
    let pieces: Vec<_> = record.as_bytes().chunks(PIECE_CHARS).collect();
    let count = pieces.len();
    if count > PIECES_MAX {
        tracing::error!(
            etag_bytes = part.backend_etag.bare().len(),
            "the backend's ETag of a part is too long for its record"
        );
        return Err(S3Error::internal());
    }
    let number = part.number;
    let name = |(at, piece): (usize, &&[u8])| {
        let piece = String::from_utf8_lossy(piece);
        format!("{number:05}/{start}.{at}{count}.{piece}")
    };
    Ok(pieces.iter().enumerate().map(name).collect())
}

/// The records that `names` say, in order of number and moment.
///
/// # Errors
///
/// `InternalError` for names that are whole and no record of this upload.
pub(crate) fn read<'a>(
    names: impl Iterator<Item = &'a str>,
    key: &DataKey,
) -> Result<Vec<PartRecord>, S3Error> {
    let mut found: BTreeMap<(u32, &str, char), BTreeMap<char, &str>> = BTreeMap::new();
    for name in names {
        let (number, start, [at, count], piece) = split(name).ok_or_else(|| refuse(name))?;
        found
            .entry((number, start, count))
            .or_default()
            .insert(at, piece);
    }
    let mut records = Vec::with_capacity(found.len());
    for ((number, start, count), pieces) in found {
        // A gateway may be writing the others right now, or was killed before it did.
        let count = count.to_digit(10).ok_or_else(|| refuse(start))?;
        if u32::try_from(pieces.len()) != Ok(count) {
            continue;
        }
        let record: String = pieces.into_values().collect();
        records.push(open(&record, number, key).ok_or_else(|| refuse(start))?);
    }
    records.sort_by_key(|record| (record.number, record.moment));
    Ok(records)
}

fn split(name: &str) -> Option<(u32, &str, [char; 2], &str)> {
    let (number, rest) = name.split_once('/')?;
    let number = number.parse().ok()?;
    let mut fields = rest.splitn(3, '.');
    let (start, place, piece) = (fields.next()?, fields.next()?, fields.next()?);
    let mut place = place.chars();
    let place = [place.next()?, place.next()?];
    (1..=PARTS_MAX)
        .contains(&number)
        .then_some((number, start, place, piece))
}

fn open(record: &str, number: u32, key: &DataKey) -> Option<PartRecord> {
    let bytes = URL_SAFE_NO_PAD.decode(record).ok()?;
    let (salt, sealed) = bytes.split_first_chunk::<SALT_BYTES>()?;
    let (text, tag) = sealed.split_last_chunk::<TAG_BYTES>()?;
    let mut text = text.to_vec();
    single_use(key, salt, number)
        .open(&[], &mut text, tag)
        .ok()?;
    decode(&text, number, *salt)
}

fn single_use(key: &DataKey, salt: &[u8; SALT_BYTES], number: u32) -> SingleUseKey {
    let number = number.to_be_bytes();
    let bytes = key.expand::<SINGLE_USE_BYTES>(&[LABEL, salt, &number]);
    SingleUseKey::from_bytes(&bytes)
}

fn encode(part: &PartRecord) -> Vec<u8> {
    let checksum = part.checksum.as_deref().unwrap_or_default();
    let short = short_etag(part.backend_etag.bare());
    let mut text = vec![
        VERSION,
        u8::from(part.md5.is_some()),
        u8::try_from(checksum.len()).unwrap_or(u8::MAX),
        u8::from(short.is_some()),
    ];
    text.extend(part.segment.plaintext_bytes.to_be_bytes());
    text.extend(part.moment.to_be_bytes());
    text.extend(part.segment.commitment);
    text.extend(part.md5.as_ref().map_or(&[][..], |md5| md5));
    text.extend(checksum);
    match short {
        Some(etag) => text.extend(etag),
        None => text.extend(part.backend_etag.bare().as_bytes()),
    }
    text
}

fn decode(text: &[u8], number: u32, salt: [u8; SALT_BYTES]) -> Option<PartRecord> {
    let (start, rest) = text.split_first_chunk::<4>()?;
    let [version, has_md5, checksum_bytes, is_short] = *start;
    let (length, rest) = rest.split_first_chunk::<8>()?;
    let (moment, rest) = rest.split_first_chunk::<8>()?;
    let (commitment, rest) = rest.split_first_chunk::<COMMITMENT_BYTES>()?;
    let (md5, rest) = match has_md5 {
        0 => (None, rest),
        _ => {
            let (md5, rest) = rest.split_first_chunk::<16>()?;
            (Some(*md5), rest)
        }
    };
    let (checksum, etag) = rest.split_at_checked(usize::from(checksum_bytes))?;
    let backend_etag = match is_short {
        0 => std::str::from_utf8(etag).ok().and_then(ETag::parse)?,
        _ => ETag::parse(&hex::encode(etag))?,
    };
    let part = PartRecord {
        number,
        segment: Segment {
            kind: Kind::Part(number),
            salt: Salt(salt),
            commitment: *commitment,
            plaintext_bytes: u64::from_be_bytes(*length),
        },
        md5,
        checksum: (checksum_bytes > 0).then(|| checksum.to_vec()),
        backend_etag,
        moment: u64::from_be_bytes(*moment),
    };
    (version == VERSION && encode(&part) == text).then_some(part)
}

/// The usual ETag, 32 lower-case hex digits, in half the space.
fn short_etag(etag: &str) -> Option<[u8; 16]> {
    let bytes: [u8; 16] = hex::decode(etag).ok()?.try_into().ok()?;
    (hex::encode(bytes) == etag).then_some(bytes)
}

fn refuse(name: &str) -> S3Error {
    tracing::error!(name, "a record of an upload is not as it was written");
    S3Error::internal()
}

/// First byte of a record's text.
const VERSION: u8 = 1;

/// Names this use of an upload's record key; the zero byte ends the name.
const LABEL: &[u8] = b"sealgate/part-record@v1\0";

/// Characters of a record that distinguish its pieces from other records'.
const START_CHARS: usize = 8;

/// Most pieces of one record: their count is one digit of a name.
const PIECES_MAX: usize = 9;

/// Most characters of one piece. The embedded backend takes names of up to 154 characters, and these
/// have 65 more.
const PIECE_CHARS: usize = 88;

#[cfg(test)]
mod tests {
    use super::PartRecord;
    use super::names;
    use super::read;
    use crate::chunks::DataKey;
    use crate::chunks::random::SystemRandom;
    use crate::chunks::seal::Sealer;
    use crate::chunks::segment::Kind;
    use crate::protocol::etag::ETag;

    fn part(number: u32, checksum: Option<Vec<u8>>, etag: &str) -> PartRecord {
        let key = DataKey::generate(&SystemRandom);
        let sealer = Sealer::new(&key, Kind::Part(number), 77, &SystemRandom).unwrap();
        PartRecord {
            number,
            segment: sealer.segment().clone(),
            md5: checksum.as_ref().map(|_| [7; 16]),
            checksum,
            backend_etag: ETag::parse(etag).unwrap(),
            moment: u64::from(number),
        }
    }

    #[test]
    fn what_names_say_is_read_again_in_order() {
        let key = DataKey::generate(&SystemRandom);
        let parts = [
            part(1, None, "0123456789abcdef0123456789abcdef"),
            part(2, Some(vec![1; 8]), "0123456789ABCDEF0123456789abcdef"),
            part(10_000, Some(vec![9; 32]), "an etag of its own kind"),
        ];
        let all: Vec<_> = parts
            .iter()
            .rev()
            .flat_map(|part| names(part, &key).unwrap())
            .collect();
        let prefix = crate::records::uploads::parts_prefix(&"0".repeat(32));
        assert!(all.iter().all(|name| prefix.len() + name.len() <= 154));
        let found = read(all.iter().map(String::as_str), &key).unwrap();
        assert_eq!(found, parts);
    }

    #[test]
    fn a_record_comes_back_or_is_refused_however_long_the_backends_etag_is() {
        let key = DataKey::generate(&SystemRandom);
        let mut longest = 0;
        for length in 1..1_200 {
            let part = part(1, Some(vec![1; 8]), &"e".repeat(length));
            if let Ok(all) = names(&part, &key) {
                let found = read(all.iter().map(String::as_str), &key).unwrap();
                assert_eq!(found, [part], "{length}");
                longest = length;
            }
        }
        assert!((100..1_199).contains(&longest), "{longest}");
    }

    #[test]
    fn a_record_that_is_not_whole_does_not_count() {
        let key = DataKey::generate(&SystemRandom);
        let mut all = names(&part(1, Some(vec![1; 8]), "e"), &key).unwrap();
        assert!(all.len() > 1);
        all.pop();
        assert_eq!(read(all.iter().map(String::as_str), &key).unwrap(), []);
    }

    #[test]
    fn a_record_of_another_upload_or_number_or_with_a_change_is_refused() {
        let key = DataKey::generate(&SystemRandom);
        let all = names(&part(1, None, "e"), &key).unwrap();
        let other = DataKey::generate(&SystemRandom);
        assert!(read(all.iter().map(String::as_str), &other).is_err());
        let moved: Vec<_> = all
            .iter()
            .map(|name| name.replacen("00001", "00002", 1))
            .collect();
        assert!(read(moved.iter().map(String::as_str), &key).is_err());
        let mut changed = all.clone();
        let last = changed.last_mut().unwrap();
        let end = if last.ends_with('A') { "B" } else { "A" };
        last.replace_range(last.len() - 1.., end);
        assert!(read(changed.iter().map(String::as_str), &key).is_err());
    }
}
