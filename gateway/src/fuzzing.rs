//! The private parsers, for `tests/fuzz` alone.
//!
//! One place to reach them, so that no module is public for its fuzz target's sake. Unit tests compile
//! it too: a parser that moves breaks this file and not the fuzz targets.

pub use crate::authenticate::form_policy;
pub use crate::chunks::DataKey;
pub use crate::payload::ReadForm;
pub use crate::payload::aws_chunked;
pub use crate::payload::form;
pub use crate::protocol::copy_source::CopySource;
pub use crate::protocol::range::ByteRange;
pub use crate::protocol::range::ContentRange;
pub use crate::protocol::xml;
pub use crate::request::Query;

use crate::chunks::Keys;
use crate::chunks::footer::Part;
use crate::chunks::footer::Table;
use crate::chunks::random::SystemRandom;
use crate::chunks::seal::Sealer;
use crate::chunks::segment::Kind;

/// Sizes, and the tail that repeats them.
pub mod layout {
    pub use crate::chunks::footer::Tail;
    pub use crate::chunks::layout::plaintext_bytes_in_parts;
    pub use crate::chunks::layout::stored_bytes_in_parts;
}

/// Access control lists as requests name them.
pub mod acl {
    pub use crate::protocol::acl::Level;
    pub use crate::protocol::acl::Permission;
    pub use crate::protocol::acl::RequestedAcl;
}

/// A footer that was sealed.
pub struct Footer {
    /// As it is stored, without the padding before it.
    pub bytes: Vec<u8>,
    table: Table,
    stored_bytes: u64,
}

impl Footer {
    /// Seals the footer of an object with parts of these lengths; `None` if it is no object.
    #[must_use]
    pub fn seal(key: &DataKey, lengths: &[u64]) -> Option<Self> {
        let mut parts = Vec::new();
        for (number, length) in (1..).zip(lengths) {
            let sealer = Sealer::new(key, Kind::Part(number), *length, &SystemRandom).ok()?;
            parts.push(Part {
                segment: sealer.segment().clone(),
                md5: Some([1; 16]),
                checksum: None,
            });
        }
        let table = Table {
            parts,
            checksum: None,
        };
        let count = u32::try_from(lengths.len()).ok()?;
        let bytes = table.seal(Keys::from(key), count).ok()?;
        let stored_bytes = layout::stored_bytes_in_parts(lengths.iter().sum(), count).ok()?;
        let tail = layout::Tail::parse(bytes.last_chunk()?, stored_bytes).ok()?;
        let padding = usize::try_from(tail.padding_bytes()).ok()?;
        Some(Self {
            bytes: bytes.get(padding..)?.to_vec(),
            table,
            stored_bytes,
        })
    }

    /// Whether these bytes open as a footer of this object, which then has the same parts.
    #[must_use]
    pub fn opens_alike(&self, key: &DataKey, bytes: &[u8]) -> bool {
        let tail = bytes.last_chunk();
        let tail = tail.and_then(|tail| layout::Tail::parse(tail, self.stored_bytes).ok());
        let table = tail.and_then(|tail| tail.open(Keys::from(key), bytes).ok());
        table.is_some_and(|table| table == self.table)
    }
}

/// The names that say what a part is.
pub mod part_names {
    use crate::chunks::DataKey;
    use crate::chunks::random::SystemRandom;
    use crate::chunks::seal::Sealer;
    use crate::chunks::segment::Kind;
    use crate::protocol::etag::ETag;
    use crate::records::uploads::part_record;
    use crate::records::uploads::part_record::PartRecord;

    /// How many records the names are; `None` if they are refused.
    #[must_use]
    pub fn read(names: &[&str], key: &DataKey) -> Option<usize> {
        let records = part_record::read(names.iter().copied(), key).ok()?;
        Some(records.len())
    }

    /// Whether a record comes back from its own names, or is refused for the length of its ETag.
    #[must_use]
    pub fn come_back(number: u32, etag: &str, key: &DataKey) -> bool {
        let sealer = Sealer::new(key, Kind::Part(number), 1, &SystemRandom);
        let Ok(sealer) = sealer else {
            return false;
        };
        // What is no ETag never becomes a record.
        let Some(backend_etag) = ETag::parse(etag) else {
            return true;
        };
        let record = PartRecord {
            number,
            segment: sealer.segment().clone(),
            md5: Some([1; 16]),
            checksum: None,
            backend_etag,
            moment: 7,
        };
        // One whose names would not be read again is refused.
        let Ok(names) = part_record::names(&record, key) else {
            return etag.len() > 100;
        };
        let read = part_record::read(names.iter().map(String::as_str), key);
        read.is_ok_and(|records| records == [record])
    }
}
