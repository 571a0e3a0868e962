//! What the index records, and its bytes: one byte for the format, then the fields by `postcard`.
//!
//! A format is never changed, only followed by another: what is stored stays readable.

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_bytes::ByteBuf;

use crate::embedded::disk::FileId;
use crate::embedded::fault::Fault;

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Number of the bucket. No other ever has it, not even one of the same name.
    pub number: u64,
    /// When it was created, in milliseconds since 1970.
    pub created_ms: i64,
    /// Whether it keeps versions.
    pub versioning: Versioning,
    /// Object Lock, if the bucket has it: the default for new objects, or none.
    pub lock: Option<Option<DefaultRetention>>,
    /// Whether it has a lifecycle configuration, so that others need not look for one.
    pub has_lifecycle: bool,
}

/// Whether a bucket keeps versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    /// Never switched on: each object is the null version.
    Unversioned,
    /// Each write makes a version.
    Enabled,
    /// Each write replaces the null version.
    Suspended,
}

/// How long new objects are locked that do not come with a lock of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultRetention {
    /// How strictly.
    pub mode: LockMode,
    /// For how many days or years.
    pub period: LockPeriod,
}

/// A number of days or years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LockPeriod {
    /// Days.
    Days(u32),
    /// Years.
    Years(u32),
}

/// How strictly a version is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LockMode {
    /// Whoever may bypass the lock can remove the version.
    Governance,
    /// Nobody can.
    Compliance,
}

/// A lock with its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// How strictly.
    pub mode: LockMode,
    /// Until when, in milliseconds since 1970.
    pub until_ms: i64,
}

/// A version of a key: an object or a delete marker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// What names it among the versions of its key; zero is the null version.
    pub id: u128,
    /// When it was written, in milliseconds since 1970.
    pub modified_ms: i64,
    /// The object; none for a delete marker.
    pub object: Option<Object>,
}

/// An object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Number of bytes.
    pub length: u64,
    /// ETag, without quotes.
    pub etag: String,
    /// Where the bytes are, in order.
    pub segments: Vec<Segment>,
    /// Parts of the upload that it was completed from, in order; empty for other objects.
    pub parts: Vec<ObjectPart>,
    /// Names, in lower case, and values of the headers that are returned with it.
    pub headers: Vec<(String, ByteBuf)>,
    /// Tags, in the order of their keys.
    pub tags: Vec<(String, String)>,
    /// Checksum of the bytes, if one was computed.
    pub checksum: Option<Checksum>,
    /// Storage class, if it is not `STANDARD`.
    pub storage_class: Option<String>,
    /// Lock, if it has one.
    pub retention: Option<Retention>,
    /// Whether a legal hold is on it; none if that was never set.
    pub legal_hold: Option<bool>,
}

/// Some bytes of a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// The body.
    pub body: Body,
    /// Where in the body the bytes begin.
    pub offset: u64,
    /// How many there are.
    pub length: u64,
}

/// Where bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Body {
    /// In the index, under this number.
    Inline(u64),
    /// In a file.
    File(FileId),
}

/// A part of the upload that an object was completed from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectPart {
    /// Number of the part, from 1 on.
    pub number: u16,
    /// Number of bytes.
    pub length: u64,
    /// Checksum of the bytes, if one was computed, in base64.
    pub checksum: Option<String>,
}

/// A checksum of an object or a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// Its algorithm, as in the API: `CRC32`.
    pub algorithm: String,
    /// Base64; of a composite one with the number of parts behind it.
    pub value: String,
    /// Whether it is one of the checksums of the parts.
    pub is_composite: bool,
}

/// An upload in parts that is not completed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// When it was created, in milliseconds since 1970.
    pub created_ms: i64,
    /// The object to be: all but its bytes.
    pub object: Object,
    /// Algorithm of checksums, if the upload was created with one.
    pub algorithm: Option<String>,
    /// Whether the object's checksum will be one of the checksums of its parts.
    pub is_composite: bool,
}

/// A part of an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// When it was written, in milliseconds since 1970.
    pub modified_ms: i64,
    /// Number of bytes.
    pub length: u64,
    /// ETag, without quotes.
    pub etag: String,
    /// MD5 of the bytes, if the ETag is that.
    pub segments: Vec<Segment>,
    /// Checksum of the bytes, if one was computed.
    pub checksum: Option<Checksum>,
}

/// The bytes of a record.
///
/// # Errors
///
/// When memory is short.
pub fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, Fault> {
    postcard::to_extend(record, vec![FORMAT]).map_err(Fault::damaged)
}

/// The record in `bytes`.
///
/// # Errors
///
/// When they are no record of this kind, or of a later format.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    match bytes.split_first() {
        Some((&FORMAT, fields)) => postcard::from_bytes(fields).map_err(Fault::damaged),
        _ => Err(Fault::Damaged(
            "a record of the index has a format that this version does not read".into(),
        )),
    }
}

/// The one format so far.
const FORMAT: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_and_one_of_another_format_is_refused() {
        let version = Version {
            id: 7,
            modified_ms: 1,
            object: Some(Object {
                etag: "e".to_owned(),
                headers: vec![("content-type".to_owned(), ByteBuf::from(b"text/plain"))],
                ..Object::default()
            }),
        };
        let mut bytes = encode(&version).unwrap();
        assert_eq!(decode::<Version>(&bytes).unwrap(), version);
        bytes[0] = 2;
        assert!(decode::<Version>(&bytes).is_err());
    }

    /// Guards the bytes: a change of the fields needs a format of its own.
    #[test]
    fn the_bytes_of_a_record_do_not_change() {
        let bucket = Bucket {
            number: 1,
            created_ms: 2,
            versioning: Versioning::Suspended,
            lock: Some(Some(DefaultRetention {
                mode: LockMode::Compliance,
                period: LockPeriod::Days(3),
            })),
            has_lifecycle: true,
        };
        assert_eq!(
            hex::encode(encode(&bucket).unwrap()),
            "01010402010101000301"
        );
        let object = Object {
            headers: vec![("a".to_owned(), ByteBuf::from(b"bc"))],
            ..Object::default()
        };
        assert_eq!(
            hex::encode(encode(&object).unwrap()),
            "01000000000101610262630000000000"
        );
    }
}
