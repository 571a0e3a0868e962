//! Digests of what a client sends: those it announced, checked; and those the answer needs.
//!
//! [`Expected`] is what a request's headers and trailers claim. [`Running`] computes the MD5 and the one
//! checksum beside the body; at its end [`Running::finish`] compares. Nothing is committed before.
//! Without an algorithm of the client's choice S3 computes CRC-64/NVME, and so do we.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use md5::Md5;
use sha1::Sha1;
use sha2::Digest;
use sha2::Sha256;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::frames::trailer::Algorithm;
use crate::frames::trailer::Checksum;
use crate::frames::trailer::ChecksumKind;
use crate::frames::trailer::Record;
use crate::xml::Element;

pub mod parts;

/// What a client claims about the bytes that it sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// `Content-MD5`.
    md5: Option<[u8; 16]>,
    /// The checksum's algorithm: the client's choice, or S3's.
    algorithm: Algorithm,
    /// The checksum, where a header states it.
    value: Option<Vec<u8>>,
    /// Whether the checksum comes in a trailer.
    in_trailer: bool,
}

impl Expected {
    /// What the headers of a write claim; `announced` are the trailers it will have.
    ///
    /// # Errors
    ///
    /// `InvalidDigest` for a `Content-MD5` that is none; `InvalidRequest` for more than one
    /// checksum, one that is none, or one that does not match the named algorithm.
    pub fn read(headers: &HeaderMap, announced: &[HeaderName]) -> Result<Self, S3Error> {
        let md5 = headers.get("content-md5").map(read_md5).transpose()?;
        let in_headers: Vec<_> = in_headers(headers).collect();
        let in_trailers: Vec<_> = announced
            .iter()
            .filter_map(|name| algorithm_of_header(name.as_str()))
            .collect();
        refuse_unknown(headers.keys().chain(announced))?;
        let (algorithm, value, in_trailer) = match (in_headers.as_slice(), in_trailers.as_slice()) {
            ([], []) => (None, None, false),
            ([(algorithm, value)], []) => {
                (Some(*algorithm), Some(decode(*algorithm, value)?), false)
            }
            ([], [algorithm]) => (Some(*algorithm), None, true),
            _ => return Err(S3Error::invalid_request(SEVERAL)),
        };
        check_named(headers, algorithm)?;
        let algorithm = algorithm.unwrap_or(DEFAULT);
        Ok(Self {
            md5,
            algorithm,
            value,
            in_trailer,
        })
    }

    /// The same claims; the checksum, which none is about, is computed by `algorithm`.
    pub(crate) fn computed_by(mut self, algorithm: Option<Algorithm>) -> Self {
        self.algorithm = algorithm.unwrap_or(DEFAULT);
        self
    }

    /// Nothing claimed; the checksum is computed by `algorithm`, or by S3's choice.
    #[must_use]
    pub fn nothing(algorithm: Option<Algorithm>) -> Self {
        Self {
            md5: None,
            algorithm: algorithm.unwrap_or(DEFAULT),
            value: None,
            in_trailer: false,
        }
    }
}

/// The digests of a body, computed while it passes.
pub struct Running {
    expected: Expected,
    md5: Option<Md5>,
    checksum: Hasher,
    bytes: u64,
}

impl Running {
    /// The digests that `expected` needs, and the MD5 where the object's ETag is one.
    #[must_use]
    pub fn new(expected: Expected, etag_is_md5: bool) -> Self {
        let md5 = (etag_is_md5 || expected.md5.is_some()).then(Md5::new);
        let checksum = Hasher::new(expected.algorithm);
        Self {
            expected,
            md5,
            checksum,
            bytes: 0,
        }
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        self.checksum.update(bytes);
    }

    /// The record of the whole body, after everything that was claimed of it was found true.
    ///
    /// # Errors
    ///
    /// `BadDigest` for a claim that does not hold; `InvalidRequest` for a trailer that is none;
    /// `MalformedTrailerError` for one that is missing.
    pub fn finish(self, trailers: &HeaderMap) -> Result<Record, S3Error> {
        let md5: Option<[u8; 16]> = self.md5.map(|md5| md5.finalize().into());
        if let (Some(expected), Some(computed)) = (self.expected.md5, md5)
            && expected != computed
        {
            return Err(S3Error::new(S3Code::BadDigest)
                .detail("ExpectedDigest", STANDARD.encode(expected))
                .detail("CalculatedDigest", STANDARD.encode(computed)));
        }

        let algorithm = self.expected.algorithm;
        let value = self.checksum.finish();
        let claimed = if self.expected.in_trailer {
            let trailer = trailers
                .get(header_name(algorithm))
                .ok_or_else(|| S3Error::new(S3Code::MalformedTrailer))?;
            Some(decode(algorithm, trailer)?)
        } else {
            self.expected.value
        };
        if claimed.is_some_and(|claimed| claimed != value) {
            let message = format!(
                "The {} you specified did not match the calculated checksum.",
                name(algorithm)
            );
            return Err(S3Error::with_message(S3Code::BadDigest, message));
        }
        let checksum = Checksum {
            algorithm,
            kind: ChecksumKind::FullObject,
            value,
        };
        Ok(Record {
            plaintext_bytes: self.bytes,
            md5,
            checksum: Some(checksum),
        })
    }
}

/// Adds the headers that tell a checksum: its value under the algorithm's name, and what it covers.
pub fn tell(headers: &mut HeaderMap, checksum: &Checksum) {
    let value = STANDARD.encode(&checksum.value);
    if let Ok(value) = HeaderValue::from_str(&value) {
        headers.insert(
            HeaderName::from_static(header_name(checksum.algorithm)),
            value,
        );
    }
    let kind = HeaderValue::from_static(kind_name(checksum.kind));
    headers.insert(HeaderName::from_static("x-amz-checksum-type"), kind);
}

/// The elements that tell a checksum in a document.
pub fn elements(checksum: &Checksum) -> [Element; 2] {
    let name = format!("Checksum{}", name(checksum.algorithm));
    [
        Element::with_text(name, STANDARD.encode(&checksum.value)),
        Element::with_text("ChecksumType", kind_name(checksum.kind)),
    ]
}

/// The algorithm by the name in `x-amz-checksum-algorithm`.
///
/// # Errors
///
/// `InvalidRequest` for one that is not offered.
pub fn algorithm_by_name(text: &str) -> Result<Algorithm, S3Error> {
    ALGORITHMS
        .into_iter()
        .find(|algorithm| name(*algorithm).eq_ignore_ascii_case(text))
        .ok_or_else(|| S3Error::invalid_request(UNKNOWN))
}

/// An algorithm's name, as S3 writes it.
#[must_use]
pub fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Crc32 => "CRC32",
        Algorithm::Crc32c => "CRC32C",
        Algorithm::Crc64Nvme => "CRC64NVME",
        Algorithm::Sha1 => "SHA1",
        Algorithm::Sha256 => "SHA256",
    }
}

/// What a checksum covers, as S3 writes it.
#[must_use]
pub fn kind_name(kind: ChecksumKind) -> &'static str {
    match kind {
        ChecksumKind::FullObject => "FULL_OBJECT",
        ChecksumKind::Composite => "COMPOSITE",
    }
}

/// The header that carries a checksum of this algorithm.
fn header_name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Crc32 => "x-amz-checksum-crc32",
        Algorithm::Crc32c => "x-amz-checksum-crc32c",
        Algorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
        Algorithm::Sha1 => "x-amz-checksum-sha1",
        Algorithm::Sha256 => "x-amz-checksum-sha256",
    }
}

fn algorithm_of_header(header: &str) -> Option<Algorithm> {
    ALGORITHMS
        .into_iter()
        .find(|algorithm| header_name(*algorithm) == header)
}

fn in_headers(headers: &HeaderMap) -> impl Iterator<Item = (Algorithm, &HeaderValue)> {
    headers
        .iter()
        .filter_map(|(name, value)| Some((algorithm_of_header(name.as_str())?, value)))
}

/// Refuses checksums that S3 has and this gateway does not: to ignore one would be to break a
/// promise.
fn refuse_unknown<'a>(mut names: impl Iterator<Item = &'a HeaderName>) -> Result<(), S3Error> {
    let unknown = names.any(|name| {
        let Some(rest) = name.as_str().strip_prefix("x-amz-checksum-") else {
            return false;
        };
        !matches!(rest, "algorithm" | "type" | "mode")
            && algorithm_of_header(name.as_str()).is_none()
    });
    if unknown {
        Err(S3Error::not_implemented(NOT_OFFERED))
    } else {
        Ok(())
    }
}

/// Compares `x-amz-sdk-checksum-algorithm` with the checksum that is there.
fn check_named(headers: &HeaderMap, found: Option<Algorithm>) -> Result<(), S3Error> {
    let Some(named) = headers.get("x-amz-sdk-checksum-algorithm") else {
        return Ok(());
    };
    let named = named
        .to_str()
        .map_err(|_| S3Error::invalid_request(BAD_NAME))?;
    let named = algorithm_by_name(named).map_err(|_| S3Error::invalid_request(BAD_NAME))?;
    match found {
        Some(found) if found == named => Ok(()),
        Some(_) => Err(S3Error::invalid_request(BAD_NAME)),
        None => Err(S3Error::invalid_request(NO_VALUE)),
    }
}

fn decode(algorithm: Algorithm, value: &HeaderValue) -> Result<Vec<u8>, S3Error> {
    let bytes = STANDARD.decode(value.as_bytes()).ok();
    bytes
        .filter(|bytes| bytes.len() == algorithm.bytes())
        .ok_or_else(|| {
            let header = header_name(algorithm);
            S3Error::invalid_request(format!("Value for {header} header is invalid."))
        })
}

fn read_md5(value: &HeaderValue) -> Result<[u8; 16], S3Error> {
    let bytes = STANDARD.decode(value.as_bytes()).ok();
    bytes
        .and_then(|bytes| <[u8; 16]>::try_from(bytes.as_slice()).ok())
        .ok_or_else(|| {
            let given = String::from_utf8_lossy(value.as_bytes()).into_owned();
            S3Error::new(S3Code::InvalidDigest).detail("Content-MD5", given)
        })
}

/// One running checksum.
enum Hasher {
    Crc(Algorithm, Box<crc_fast::Digest>),
    Sha1(Box<Sha1>),
    Sha256(Box<Sha256>),
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Self {
        let crc = |by| Self::Crc(algorithm, Box::new(crc_fast::Digest::new(by)));
        match algorithm {
            Algorithm::Crc32 => crc(CrcAlgorithm::Crc32IsoHdlc),
            Algorithm::Crc32c => crc(CrcAlgorithm::Crc32Iscsi),
            Algorithm::Crc64Nvme => crc(CrcAlgorithm::Crc64Nvme),
            Algorithm::Sha1 => Self::Sha1(Box::new(Sha1::new())),
            Algorithm::Sha256 => Self::Sha256(Box::new(Sha256::new())),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(_, digest) => digest.update(bytes),
            Self::Sha1(digest) => digest.update(bytes),
            Self::Sha256(digest) => digest.update(bytes),
        }
    }

    /// The checksum, big-endian as S3 encodes it.
    fn finish(self) -> Vec<u8> {
        match self {
            Self::Crc(algorithm, digest) => {
                let bytes = digest.finalize().to_be_bytes();
                bytes
                    .get(bytes.len() - algorithm.bytes()..)
                    .unwrap_or_default()
                    .to_vec()
            }
            Self::Sha1(digest) => digest.finalize().to_vec(),
            Self::Sha256(digest) => digest.finalize().to_vec(),
        }
    }
}

/// Every algorithm there is.
const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::Crc32,
    Algorithm::Crc32c,
    Algorithm::Crc64Nvme,
    Algorithm::Sha1,
    Algorithm::Sha256,
];

/// What S3 computes where the client chose nothing.
const DEFAULT: Algorithm = Algorithm::Crc64Nvme;

const SEVERAL: &str =
    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
const UNKNOWN: &str = "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]";
const NOT_OFFERED: &str = "This checksum algorithm is not implemented.";
const BAD_NAME: &str = "Value for x-amz-sdk-checksum-algorithm header is invalid.";
const NO_VALUE: &str = "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.";

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use http::HeaderMap;
    use http::HeaderName;
    use http::HeaderValue;

    use super::ALGORITHMS;
    use super::Expected;
    use super::Running;
    use super::header_name;
    use super::tell;
    use crate::error::S3Error;

    /// Checksums of `123456789`: the check values of the CRC catalogue, RFC 3174 and FIPS 180-4.
    const CHECKS: [&str; 5] = [
        "cbf43926",
        "e3069283",
        "ae8b14860a799888",
        "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
        "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
    ];

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        headers
    }

    fn refusal(claims: &HeaderMap, trailers: &HeaderMap) -> S3Error {
        let announced: Vec<_> = trailers.keys().cloned().collect();
        let expected = match Expected::read(claims, &announced) {
            Ok(expected) => expected,
            Err(error) => return error,
        };
        let mut running = Running::new(expected, false);
        running.update(b"123456789");
        running.finish(trailers).unwrap_err()
    }

    #[test]
    fn every_algorithm_gives_its_published_check_value() {
        for (algorithm, check) in ALGORITHMS.into_iter().zip(CHECKS) {
            let mut running = Running::new(Expected::nothing(Some(algorithm)), true);
            running.update(b"1234");
            running.update(b"56789");
            let record = running.finish(&HeaderMap::new()).unwrap();
            assert_eq!(hex::encode(record.checksum.unwrap().value), check);
            assert_eq!(
                hex::encode(record.md5.unwrap()),
                "25f9e794323b453885f5181f1b624d0b"
            );
            assert_eq!(record.plaintext_bytes, 9);
        }
    }

    #[test]
    fn a_right_claim_passes_in_a_header_and_in_a_trailer() {
        for (algorithm, check) in ALGORITHMS.into_iter().zip(CHECKS) {
            let value = STANDARD.encode(hex::decode(check).unwrap());
            let claim = headers(&[(header_name(algorithm), &value)]);
            let name = HeaderName::from_static(header_name(algorithm));
            for (claims, announced, trailers) in [
                (claim.clone(), vec![], HeaderMap::new()),
                (HeaderMap::new(), vec![name.clone()], claim.clone()),
            ] {
                let expected = Expected::read(&claims, &announced).unwrap();
                let mut running = Running::new(expected, false);
                running.update(b"123456789");
                let record = running.finish(&trailers).unwrap();
                let mut told = HeaderMap::new();
                tell(&mut told, &record.checksum.unwrap());
                assert_eq!(told.get(&name).unwrap(), value.as_str());
                assert_eq!(told.get("x-amz-checksum-type").unwrap(), "FULL_OBJECT");
            }
        }
    }

    #[test]
    fn a_wrong_or_malformed_claim_has_the_answer_of_aws() {
        let none = HeaderMap::new();
        for (claims, trailers, code, message) in [
            (
                headers(&[("x-amz-checksum-crc32", "AAAAAA==")]),
                none.clone(),
                "BadDigest",
                "The CRC32 you specified did not match the calculated checksum.",
            ),
            (
                none.clone(),
                headers(&[("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=")]),
                "BadDigest",
                "The CRC64NVME you specified did not match the calculated checksum.",
            ),
            (
                headers(&[("x-amz-checksum-crc32", "zzz")]),
                none.clone(),
                "InvalidRequest",
                "Value for x-amz-checksum-crc32 header is invalid.",
            ),
            (
                headers(&[("x-amz-checksum-sha1", "AAAAAA==")]),
                none.clone(),
                "InvalidRequest",
                "Value for x-amz-checksum-sha1 header is invalid.",
            ),
            (
                headers(&[
                    ("x-amz-checksum-crc32", "AAAAAA=="),
                    ("x-amz-checksum-crc32c", "AAAAAA=="),
                ]),
                none.clone(),
                "InvalidRequest",
                super::SEVERAL,
            ),
            (
                headers(&[("x-amz-checksum-crc32", "AAAAAA==")]),
                headers(&[("x-amz-checksum-crc32", "AAAAAA==")]),
                "InvalidRequest",
                super::SEVERAL,
            ),
        ] {
            let error = refusal(&claims, &trailers);
            assert_eq!((error.code_text(), error.message()), (code, message));
        }
    }

    #[test]
    fn a_claim_that_cannot_be_checked_has_the_answer_of_aws() {
        for (claims, code, message) in [
            (
                headers(&[
                    ("x-amz-sdk-checksum-algorithm", "SHA256"),
                    ("x-amz-checksum-crc32", "AAAAAA=="),
                ]),
                "InvalidRequest",
                super::BAD_NAME,
            ),
            (
                headers(&[("x-amz-sdk-checksum-algorithm", "SHA256")]),
                "InvalidRequest",
                super::NO_VALUE,
            ),
            (
                headers(&[("x-amz-checksum-xxhash64", "AAAAAAAAAAA=")]),
                "NotImplemented",
                super::NOT_OFFERED,
            ),
            (
                headers(&[("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")]),
                "BadDigest",
                "The Content-MD5 you specified did not match what we received.",
            ),
            (
                headers(&[("content-md5", "short")]),
                "InvalidDigest",
                "The Content-MD5 you specified was invalid.",
            ),
        ] {
            let error = refusal(&claims, &HeaderMap::new());
            assert_eq!((error.code_text(), error.message()), (code, message));
        }
    }

    #[test]
    fn an_announced_trailer_that_never_came_is_an_error() {
        let announced = [HeaderName::from_static("x-amz-checksum-crc32")];
        let expected = Expected::read(&HeaderMap::new(), &announced).unwrap();
        let error = Running::new(expected, false)
            .finish(&HeaderMap::new())
            .unwrap_err();
        assert_eq!(error.code_text(), "MalformedTrailerError");
    }

    #[test]
    fn without_a_choice_the_checksum_is_crc64nvme() {
        let record = Running::new(Expected::read(&HeaderMap::new(), &[]).unwrap(), false)
            .finish(&HeaderMap::new())
            .unwrap();
        assert_eq!(super::name(record.checksum.unwrap().algorithm), "CRC64NVME");
        assert_eq!(record.md5, None);
    }
}
