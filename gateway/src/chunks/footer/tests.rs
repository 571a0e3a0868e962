//! Multipart objects: their sizes, and what a backend could do to parts and footer.

use hmac::Hmac;
use hmac::Mac as _;
use proptest::prelude::*;
use sha2::Digest as _;
use sha2::Sha512;

use crate::chunks::DataKey;
use crate::chunks::Keys;
use crate::chunks::OpenError;
use crate::chunks::SealError;
use crate::chunks::footer::Part;
use crate::chunks::footer::Table;
use crate::chunks::footer::Tail;
use crate::chunks::layout;
use crate::chunks::layout::FOOTER_TAIL_BYTES;
use crate::chunks::open::Opener;
use crate::chunks::random::SystemRandom;
use crate::chunks::seal::Sealer;
use crate::chunks::segment::Kind;
use crate::protocol::checksum::Algorithm;
use crate::protocol::checksum::Checksum;
use crate::protocol::checksum::ChecksumKind;

fn key() -> DataKey {
    DataKey::generate(&SystemRandom)
}

fn seal_part(keys: Keys<'_>, number: u32, plaintext: &[u8]) -> (Part, Vec<u8>) {
    let kind = Kind::Part(number);
    let mut sealer = Sealer::new(keys, kind, plaintext.len() as u64, &SystemRandom).unwrap();
    let segment = sealer.segment().clone();
    sealer.push(plaintext).unwrap();
    let mut stored = sealer.take().unwrap().to_vec();
    stored.extend(sealer.finish().unwrap());
    let checksum = Some(vec![number.to_le_bytes()[0]; 4]);
    (
        Part {
            segment,
            md5: Some([1; 16]),
            checksum,
        },
        stored,
    )
}

fn checksum() -> Option<Checksum> {
    let (algorithm, kind) = (Algorithm::Crc32c, ChecksumKind::Composite);
    Some(Checksum {
        algorithm,
        kind,
        value: vec![3; 4],
    })
}

/// A multipart object as it lies at the backend.
struct Object {
    key: DataKey,
    plaintext: Vec<u8>,
    parts: Vec<Vec<u8>>,
    table: Table,
    footer: Vec<u8>,
}

impl Object {
    fn new(lengths: &[usize], own_part: bool) -> Self {
        let key = key();
        let mut plaintext = Vec::new();
        let (mut parts, mut stored) = (Vec::new(), Vec::new());
        for (index, length) in lengths.iter().enumerate() {
            let number = u32::try_from(2 * index + 1).unwrap();
            let bytes: Vec<u8> = (0..*length).map(|at| at.to_le_bytes()[0] ^ 0x5A).collect();
            let (part, segment) = seal_part(Keys::from(&key), number, &bytes);
            plaintext.extend(bytes);
            parts.push(part);
            stored.push(segment);
        }
        let backend_parts = u32::try_from(lengths.len()).unwrap() + u32::from(own_part);
        let table = Table {
            parts,
            checksum: checksum(),
        };
        let footer = table.seal(Keys::from(&key), backend_parts).unwrap();
        Self {
            key,
            plaintext,
            parts: stored,
            table,
            footer,
        }
    }

    fn stored(&self) -> Vec<u8> {
        [self.parts.concat(), self.footer.clone()].concat()
    }

    /// The way a reader goes: the tail, the table, then the parts that hold the range.
    fn read(&self, stored: &[u8], range: std::ops::Range<u64>) -> Result<Vec<u8>, OpenError> {
        let last = stored
            .last_chunk::<FOOTER_TAIL_BYTES>()
            .ok_or(OpenError::Truncated)?;
        let tail = Tail::parse(last, stored.len() as u64)?;
        let table = tail.open(Keys::from(&self.key), stored)?;
        let mut plaintext = Vec::new();
        let mut part_start = 0;
        for (part, place) in table.segments() {
            let bytes = part.segment.plaintext_bytes;
            let (from, to) = (
                range.start.max(part_start),
                range.end.min(part_start + bytes),
            );
            let within = from.saturating_sub(part_start)..to.saturating_sub(part_start);
            part_start += bytes;
            let Some(span) = layout::span(bytes, within).filter(|_| from < to) else {
                continue;
            };
            let at = |offset| usize::try_from(place.start + offset).unwrap();
            let piece = stored
                .get(at(span.stored.start)..at(span.stored.end))
                .ok_or(OpenError::Truncated)?;
            let mut opener = Opener::span(&self.key, &part.segment, &span)?;
            opener.push(piece)?;
            plaintext.extend(opener.take().into_iter().flatten());
            opener.finish()?;
        }
        Ok(plaintext)
    }

    fn read_all(&self, stored: &[u8]) -> Result<Vec<u8>, OpenError> {
        self.read(stored, 0..u64::MAX)
    }
}

const LENGTHS: [&[usize]; 6] = [
    &[0],
    &[1],
    &[16_384, 16_384],
    &[16_383, 16_385, 1],
    &[40_000, 70_001, 0, 5],
    &[100_000],
];

#[test]
fn a_multipart_object_opens_and_has_the_size_its_length_and_parts_tell() {
    for lengths in LENGTHS {
        for own_part in [false, true] {
            let object = Object::new(lengths, own_part);
            let stored = object.stored();
            let parts = u32::try_from(lengths.len()).unwrap() + u32::from(own_part);
            let bytes = object.plaintext.len() as u64;
            assert_eq!(
                layout::stored_bytes_in_parts(bytes, parts),
                Ok(stored.len() as u64)
            );
            assert_eq!(
                layout::plaintext_bytes_in_parts(stored.len() as u64, parts),
                Some(bytes)
            );
            assert!(object.read_all(&stored).as_ref() == Ok(&object.plaintext));

            let tail = Tail::parse(stored.last_chunk().unwrap(), stored.len() as u64).unwrap();
            assert_eq!(tail.plaintext_bytes(), bytes);
            assert_eq!(tail.parts() as usize, lengths.len());
            assert_eq!(tail.backend_parts(), parts);
            let footer = tail.padding_bytes() + tail.footer_bytes();
            assert_eq!(footer, object.footer.len() as u64);
            let footer = stored.len() - usize::try_from(tail.footer_bytes()).unwrap();
            let table = tail.open(Keys::from(&object.key), &stored[footer..]);
            assert_eq!(table, Ok(object.table.clone()));
            let short = tail.open(Keys::from(&object.key), &stored[footer + 1..]);
            assert_eq!(short, Err(OpenError::Truncated));
        }
    }
}

#[test]
fn a_range_of_a_multipart_object_is_read_across_parts() {
    let object = Object::new(&[40_000, 70_001, 0, 5], false);
    let stored = object.stored();
    let end = object.plaintext.len();
    let borders = [
        0,
        1,
        39_999,
        40_000,
        40_001,
        110_000,
        110_001,
        110_002,
        end - 1,
        end,
    ];
    for from in borders {
        for to in borders {
            let expected = object.plaintext.get(from..to).unwrap_or_default();
            let opened = object.read(&stored, from as u64..to as u64);
            assert!(opened.as_deref() == Ok(expected), "{from}..{to}");
        }
    }
}

#[test]
fn no_byte_of_the_footer_can_change() {
    for own_part in [false, true] {
        let object = Object::new(&[16_383, 16_385, 1], own_part);
        let stored = object.stored();
        for at in object.parts.concat().len()..stored.len() {
            for bit in [0, 7] {
                let mut changed = stored.clone();
                changed[at] ^= 1 << bit;
                assert!(object.read_all(&changed).is_err(), "byte {at}");
            }
        }
    }
}

#[test]
fn a_multipart_object_can_be_neither_cut_nor_extended() {
    let object = Object::new(&[16_383, 16_385, 1], false);
    let stored = object.stored();
    for length in (0..stored.len()).filter(|length| length % 7 == 0) {
        assert!(object.read_all(&stored[..length]).is_err());
    }
    for extra in [1, 16, 40, 16_400] {
        assert!(
            object
                .read_all(&[&stored[..], &vec![0; extra]].concat())
                .is_err()
        );
        assert!(
            object
                .read_all(&[&vec![0; extra], &stored[..]].concat())
                .is_err()
        );
    }
}

#[test]
fn parts_cannot_be_moved_repeated_dropped_or_replaced() {
    let object = Object::new(&[20_000, 20_000, 20_000], false);
    let arranged = |order: &[usize]| {
        let mut stored: Vec<u8> = Vec::new();
        order
            .iter()
            .for_each(|index| stored.extend(&object.parts[*index]));
        stored.extend(&object.footer);
        stored
    };
    assert!(object.read_all(&arranged(&[0, 1, 2])).is_ok());
    for order in [
        &[1, 0, 2][..],
        &[0, 2, 1],
        &[0, 0, 2],
        &[0, 1],
        &[1, 2],
        &[0, 2],
        &[0, 1, 2, 2],
    ] {
        assert!(object.read_all(&arranged(order)).is_err(), "{order:?}");
    }

    // Another upload of the same part, under the same data key: of an attempt the client replaced.
    let plaintext = object.plaintext[20_000..40_000].to_vec();
    let (_, again) = seal_part(Keys::from(&object.key), 3, &plaintext);
    let mut stored = arranged(&[0, 1, 2]);
    stored[object.parts[0].len()..][..again.len()].copy_from_slice(&again);
    assert!(object.read_all(&stored).is_err());

    // One chunk of it.
    let mut stored = arranged(&[0, 1, 2]);
    let at = object.parts[0].len() + layout::HEAD_BYTES;
    stored[at..][..layout::SEALED_CHUNK_BYTES]
        .copy_from_slice(&again[layout::HEAD_BYTES..][..layout::SEALED_CHUNK_BYTES]);
    assert_eq!(object.read_all(&stored), Err(OpenError::Chunk { index: 0 }));
}

#[test]
fn the_footer_of_another_upload_does_not_open() {
    let object = Object::new(&[20_000, 5], false);
    let other = Object::new(&[20_000, 5], false);
    let without = object.parts.concat();
    assert!(object.read_all(&without).is_err());
    let mixed = [without.clone(), other.footer.clone()].concat();
    assert_eq!(object.read_all(&mixed), Err(OpenError::Commitment));

    // The footer of an earlier Complete of the same upload, after a part was sent again.
    let (part, again) = seal_part(Keys::from(&object.key), 3, &[9; 5]);
    let mut table = object.table.clone();
    table.parts[1] = part;
    let newer = table.seal(Keys::from(&object.key), 2).unwrap();
    let stored = [&object.parts[0][..], &again, &newer].concat();
    assert!(object.read_all(&stored).is_ok());
    let mixed = [&object.parts[0][..], &again, &object.footer].concat();
    assert_eq!(object.read_all(&mixed), Err(OpenError::Chunk { index: 0 }));
}

#[test]
fn a_table_is_sealed_to_the_same_bytes_each_time_and_another_one_under_another_salt() {
    let object = Object::new(&[20_000, 5], false);
    let outer = key();
    let keys = Keys {
        data: &object.key,
        outer: Some(&outer),
    };
    let seal = |table: &Table, parts| table.seal(keys, parts).unwrap();
    let footer = seal(&object.table, 2);
    assert_eq!(seal(&object.table, 2), footer);

    // The salt is in front of the commitment, behind the padding.
    let start = footer.len() - usize::try_from(layout::footer_bytes(2).unwrap()).unwrap();
    let salt = |footer: &[u8]| footer[start + 16..start + 40].to_vec();
    let mut other = object.table.clone();
    other.parts[1].md5 = Some([2; 16]);
    assert_ne!(salt(&seal(&other, 2)), salt(&footer));
    let own_part = seal(&object.table, 3);
    let at = own_part.len() - (footer.len() - start);
    assert_ne!(own_part[at + 16..at + 40], salt(&footer));
    let other_key = object.table.seal(Keys::from(&key()), 2).unwrap();
    assert_ne!(salt(&other_key), salt(&footer));
}

#[test]
fn a_footers_salt_is_derived_as_the_format_states() {
    let (key, table) = ([7; 32], [1, 2, 3]);
    // RFC 5869, section 2.3: the first block.
    let mut mac = <Hmac<Sha512> as hmac::KeyInit>::new_from_slice(&key).unwrap();
    mac.update(b"sealgate/footer-salt@v1\0");
    mac.update(&Sha512::digest(table));
    mac.update(&[1]);
    let block = mac.finalize().into_bytes();
    let salt = DataKey::from_slice(&key).unwrap().footer_salt(&table);
    assert_eq!(salt.as_bytes(), &block[..24]);
}

#[test]
fn a_table_of_parts_out_of_order_is_not_sealed() {
    let object = Object::new(&[5, 5], false);
    let seal = |table: &Table, parts| table.seal(Keys::from(&object.key), parts);
    let mut swapped = object.table.clone();
    swapped.parts.swap(0, 1);
    assert_eq!(seal(&swapped, 2), Err(SealError::PartNumber));
    for backend_parts in [0, 1, 4, 10_001] {
        assert_eq!(
            seal(&object.table, backend_parts),
            Err(SealError::PartNumber)
        );
    }
    let mut long = object.table.clone();
    long.parts[0].checksum = Some(vec![0; 5]);
    assert_eq!(seal(&long, 2), Err(SealError::Record));
    let none = Table {
        parts: Vec::new(),
        checksum: None,
    };
    assert_eq!(seal(&none, 1), Err(SealError::PartNumber));
}

#[test]
fn the_largest_footer_opens() {
    let keys = key();
    let (part, _) = seal_part(Keys::from(&keys), 1, b"x");
    let parts = (1..=layout::PARTS_MAX).map(|number| {
        let mut part = part.clone();
        part.segment.kind = Kind::Part(number);
        part
    });
    let table = Table {
        parts: parts.collect(),
        checksum: checksum(),
    };
    let footer = table.seal(Keys::from(&keys), layout::PARTS_MAX).unwrap();
    let stored = layout::stored_bytes_in_parts(10_000, layout::PARTS_MAX).unwrap();
    let tail = Tail::parse(footer.last_chunk().unwrap(), stored).unwrap();
    assert!(tail.open(Keys::from(&keys), &footer) == Ok(table));
    assert!(footer.len() < 1_300_000);
}

#[test]
fn a_table_in_another_form_or_behind_another_tail_is_refused() {
    let object = Object::new(&[20_000, 5], false);
    let tail = object.table.tail(2).unwrap();
    let bytes = object.table.encode(&tail).unwrap();
    assert_eq!(Table::decode(&bytes, &tail).as_ref(), Ok(&object.table));
    // The version and reserved bytes, of the table and of its first part.
    for at in [0, 3, 12, 15, 64 + 6, 64 + 7] {
        let mut other = bytes.clone();
        other[at] ^= 1;
        let decoded = Table::decode(&other, &tail);
        assert_eq!(decoded, Err(OpenError::Footer), "byte {at}");
    }
    for other in [
        Tail {
            plaintext_bytes: tail.plaintext_bytes + 1,
            ..tail
        },
        Tail {
            padding: tail.padding + 1,
            ..tail
        },
        Tail { parts: 1, ..tail },
    ] {
        let claimed = object.table.encode(&other).unwrap();
        let decoded = Table::decode(&claimed, &other);
        assert_eq!(decoded, Err(OpenError::Footer), "{other:?}");
    }
}

#[test]
fn a_part_without_a_checksum_or_an_md5_comes_back_without_it() {
    let mut table = Object::new(&[20_000, 5], false).table;
    table.parts[0].checksum = None;
    table.parts[1].md5 = None;
    let tail = table.tail(2).unwrap();
    let bytes = table.encode(&tail).unwrap();
    assert_eq!(Table::decode(&bytes, &tail), Ok(table));
}

/// So that one request fetches it whole.
#[test]
fn the_longest_footer_has_a_tag_for_each_part_one_unused_entry_and_one_tag() {
    for parts in [1, 2, layout::PARTS_MAX] {
        let longest = layout::footer_bytes(parts).unwrap() + 16 * u64::from(parts) + 120 + 16;
        assert_eq!(layout::footer_with_padding_bytes(parts), Some(longest));
    }
    for parts in [0, layout::PARTS_MAX + 1] {
        assert_eq!(layout::footer_with_padding_bytes(parts), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Only sizes: no bytes are sealed for the parts.
    #[test]
    fn the_size_does_not_depend_on_how_the_parts_were_cut(
        lengths in prop::collection::vec(0..=5_u64 << 30, 1..40),
        own_part: bool,
    ) {
        let keys = key();
        let (part, _) = seal_part(Keys::from(&keys), 1, b"");
        let parts: Vec<Part> = lengths.iter().zip(1..).map(|(plaintext_bytes, number)| {
            let mut part = part.clone();
            part.segment.kind = Kind::Part(number);
            part.segment.plaintext_bytes = *plaintext_bytes;
            part
        }).collect();
        let backend_parts = u32::try_from(parts.len()).unwrap() + u32::from(own_part);
        let table = Table { parts, checksum: checksum() };
        let footer = table.seal(Keys::from(&keys), backend_parts).unwrap();
        let segments: u64 =
            lengths.iter().map(|length| layout::segment_bytes(*length).unwrap()).sum();
        let stored = segments + footer.len() as u64;
        let plaintext: u64 = lengths.iter().sum();
        prop_assert_eq!(layout::stored_bytes_in_parts(plaintext, backend_parts), Ok(stored));
        prop_assert_eq!(layout::plaintext_bytes_in_parts(stored, backend_parts), Some(plaintext));
        let padding = footer.len() as u64 - layout::footer_bytes(backend_parts - u32::from(own_part)).unwrap();
        prop_assert!(padding <= 16 * (u64::from(backend_parts) - 1) + 250);
        let longest = layout::footer_with_padding_bytes(backend_parts).unwrap();
        prop_assert!(footer.len() as u64 <= longest);
    }

    #[test]
    fn arbitrary_bytes_are_no_footer_and_do_not_panic(
        tail in prop::collection::vec(any::<u8>(), FOOTER_TAIL_BYTES),
        footer in prop::collection::vec(any::<u8>(), 0..3_000),
        stored: u64,
        parts in 0..20_u32,
        plaintext_bytes in 0..100_u64,
        padding: u64,
    ) {
        let mut tail: [u8; FOOTER_TAIL_BYTES] = tail.try_into().unwrap();
        prop_assert!(Tail::parse(&tail, stored).is_err());
        // The tail can be forged, having no key; the table cannot.
        tail = Tail { parts, backend_parts: parts, plaintext_bytes, padding }.to_bytes();
        if let Ok(size) = layout::stored_bytes_in_parts(plaintext_bytes, parts) {
            let forged = Tail::parse(&tail, size).unwrap();
            prop_assert!(forged.open(Keys::from(&key()), &footer).is_err());
            let footer = [&footer[..], &tail].concat();
            prop_assert!(forged.open(Keys::from(&key()), &footer).is_err());
        } else {
            prop_assert!(Tail::parse(&tail, stored).is_err());
        }
    }
}

#[test]
fn a_tail_without_parts_is_refused() {
    let stored_bytes = layout::stored_bytes_in_parts(0, 1).unwrap();
    let mut tail = [0; FOOTER_TAIL_BYTES];
    tail[..12].copy_from_slice(b"sealgate\x01\x03\0\0");
    tail[19] = 1; // one part at the backend, none in the table
    assert_eq!(Tail::parse(&tail, stored_bytes), Err(OpenError::Footer));
}
