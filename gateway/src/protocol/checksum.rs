//! Checksums of objects and parts: their algorithms, their names, and how answers show them.
//!
//! | module | what it does |
//! |---|---|
//! | [`digests`] | what a client claims about a body, and what the body has |
//! | [`parts`] | the checksum of an object from those of its parts |
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;

use crate::error::S3Error;
use crate::protocol::xml::Element;

pub mod digests;
pub mod parts;

/// A checksum of an object or a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// How it was computed.
    pub algorithm: Algorithm,
    /// What it covers.
    pub kind: ChecksumKind,
    /// The checksum itself, of the algorithm's length, big-endian as S3 encodes it.
    pub value: Vec<u8>,
}

/// The checksum that an object will have once its upload is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadChecksum {
    /// How it is computed.
    pub algorithm: Algorithm,
    /// What it covers.
    pub kind: ChecksumKind,
    /// Whether the client chose it; else it is S3's own choice.
    pub chosen: bool,
}

/// The checksum algorithms of S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// CRC-32 (ISO-HDLC).
    Crc32,
    /// CRC-32C (Castagnoli).
    Crc32c,
    /// CRC-64/NVME.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
    /// MD5, as a checksum beside `Content-MD5`.
    Md5,
    /// XXH64, seed 0.
    XxHash64,
    /// XXH3 of 64 bits, seed 0.
    XxHash3,
    /// XXH3 of 128 bits, seed 0.
    XxHash128,
}

/// What a checksum covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumKind {
    /// The object's bytes from first to last.
    FullObject,
    /// The checksums of its parts.
    Composite,
}

impl Checksum {
    /// The checksum of these codes, whose value stands at the start of `field`; `None` if it is none.
    pub(crate) fn from_codes(algorithm: u8, kind: u8, field: &[u8]) -> Option<Self> {
        let algorithm = Algorithm::from_code(algorithm)?;
        Some(Self {
            algorithm,
            kind: ChecksumKind::from_code(kind)?,
            value: field.get(..algorithm.bytes())?.to_vec(),
        })
    }

    /// The value as clients see it. That of an object of so many parts ends in their number if it is
    /// composite; that of one part, and every value in GetObjectAttributes, does not.
    #[must_use]
    pub fn text(&self, parts: Option<usize>) -> String {
        let value = STANDARD.encode(&self.value);
        match (self.kind, parts) {
            (ChecksumKind::Composite, Some(parts)) => format!("{value}-{parts}"),
            (ChecksumKind::Composite, None) | (ChecksumKind::FullObject, _) => value,
        }
    }

    /// Adds the headers of an answer: the value, as [`Self::text`], under the algorithm's name, and what
    /// it covers.
    pub fn write_headers(&self, headers: &mut HeaderMap, parts: Option<usize>) {
        if let Ok(value) = HeaderValue::from_str(&self.text(parts)) {
            headers.insert(HeaderName::from_static(self.algorithm.header()), value);
        }
        let kind = HeaderValue::from_static(self.kind.name());
        headers.insert(HeaderName::from_static(TYPE), kind);
    }

    /// The elements of a document: the value, as [`Self::text`], and what it covers.
    #[must_use]
    pub fn elements(&self, parts: Option<usize>) -> [Element; 2] {
        [
            Element::with_text(self.algorithm.element(), self.text(parts)),
            Element::with_text("ChecksumType", self.kind.name()),
        ]
    }
}

impl Algorithm {
    /// Every algorithm there is, in the order of their codes.
    pub const ALL: [Self; 10] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
        Self::Sha512,
        Self::Md5,
        Self::XxHash64,
        Self::XxHash3,
        Self::XxHash128,
    ];

    /// The algorithm by the name in `x-amz-checksum-algorithm`.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for one that is not offered.
    pub fn from_name(text: &str) -> Result<Self, S3Error> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| S3Error::invalid_request(UNKNOWN))
    }

    /// Its name, as S3 writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
            Self::Md5 => "MD5",
            Self::XxHash64 => "XXHASH64",
            Self::XxHash3 => "XXHASH3",
            Self::XxHash128 => "XXHASH128",
        }
    }

    /// The header that carries such a checksum.
    #[must_use]
    pub fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
            Self::Sha512 => "x-amz-checksum-sha512",
            Self::Md5 => "x-amz-checksum-md5",
            Self::XxHash64 => "x-amz-checksum-xxhash64",
            Self::XxHash3 => "x-amz-checksum-xxhash3",
            Self::XxHash128 => "x-amz-checksum-xxhash128",
        }
    }

    /// The element that carries such a checksum.
    #[must_use]
    pub fn element(self) -> String {
        format!("Checksum{}", self.name())
    }

    /// Length of such a checksum, in bytes.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme | Self::XxHash64 | Self::XxHash3 => 8,
            Self::Md5 | Self::XxHash128 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// The CRC behind it, where it is one.
    pub(crate) fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            _ => None,
        }
    }

    /// How it is stored. Source: `gateway/FORMAT.md`, section "Whole object".
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Crc32 => 1,
            Self::Crc32c => 2,
            Self::Crc64Nvme => 3,
            Self::Sha1 => 4,
            Self::Sha256 => 5,
            Self::Sha512 => 6,
            Self::Md5 => 7,
            Self::XxHash64 => 8,
            Self::XxHash3 => 9,
            Self::XxHash128 => 10,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        let mut algorithms = Self::ALL.into_iter();
        algorithms.find(|algorithm| algorithm.code() == code)
    }
}

impl ChecksumKind {
    /// What it covers, as S3 writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }

    /// How it is stored. Source: `gateway/FORMAT.md`, section "Whole object".
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::FullObject => 1,
            Self::Composite => 2,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::FullObject),
            2 => Some(Self::Composite),
            _ => None,
        }
    }
}

/// The header that names what a checksum covers.
pub(crate) const TYPE: &str = "x-amz-checksum-type";

const UNKNOWN: &str = "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256, SHA512, MD5, XXHASH64, XXHASH3, XXHASH128]";
