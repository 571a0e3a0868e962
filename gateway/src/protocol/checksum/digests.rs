//! Digests of what a client sends: those it announced, checked; and those the answer needs.
//!
//! [`Expected`] is what a request's headers and trailers claim. A [`Digester`] computes the MD5 and the one
//! checksum beside the body; at its end [`Digester::finish`] compares. Nothing is committed before.
//! Without an algorithm of the client's choice S3 computes CRC-64/NVME, and so does the gateway.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use std::hash::Hasher as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use md5::Md5;
use sha1::Sha1;
use sha2::Digest;
use sha2::Sha256;
use sha2::Sha512;
use twox_hash::XxHash3_64;
use twox_hash::XxHash3_128;
use twox_hash::XxHash64;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::checksum::Algorithm;
use crate::protocol::checksum::Checksum;
use crate::protocol::checksum::ChecksumKind;

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
    /// Whether the bytes are a part of an upload.
    is_part: bool,
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
            is_part: false,
        })
    }

    /// The algorithm of the checksum that the client claims, if it claims one.
    pub(crate) fn claimed(&self) -> Option<Algorithm> {
        (self.value.is_some() || self.in_trailer).then_some(self.algorithm)
    }

    /// The same claims; the checksum, which none is about, is computed by `algorithm`.
    pub(crate) fn computed_by(mut self, algorithm: Option<Algorithm>) -> Self {
        self.algorithm = algorithm.unwrap_or(DEFAULT);
        self
    }

    /// The same claims, about a part of an upload.
    #[must_use]
    pub(crate) fn of_part(mut self) -> Self {
        self.is_part = true;
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
            is_part: false,
        }
    }
}

/// The digests of a body, computed while it passes.
pub struct Digester {
    expected: Expected,
    md5: Option<Md5>,
    checksum: Hasher,
}

/// The digests of a whole body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    /// Its MD5, where that was needed.
    pub md5: Option<[u8; 16]>,
    /// Its checksum: of the full object.
    pub checksum: Checksum,
}

impl Digester {
    /// The digests that `expected` needs, and the MD5 where the object's ETag is one.
    #[must_use]
    pub fn new(expected: Expected, etag_is_md5: bool) -> Self {
        let md5 = (etag_is_md5 || expected.md5.is_some()).then(Md5::new);
        let checksum = Hasher::new(expected.algorithm);
        Self {
            expected,
            md5,
            checksum,
        }
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        self.checksum.update(bytes);
    }

    /// The digests of the whole body, after everything that was claimed of it was found true.
    ///
    /// # Errors
    ///
    /// `BadDigest` for a claim that does not hold; `InvalidRequest` for a trailer that is none;
    /// `MalformedTrailerError` for one that is missing.
    pub fn finish(self, trailers: &HeaderMap) -> Result<Digests, S3Error> {
        let md5: Option<[u8; 16]> = self.md5.map(|md5| md5.finalize().into());
        if let (Some(expected), Some(computed)) = (self.expected.md5, md5)
            && expected != computed
        {
            // Recorded from AWS: hexadecimal of an object, base64 of a part.
            let expected = match self.expected.is_part {
                false => hex::encode(expected),
                true => STANDARD.encode(expected),
            };
            return Err(S3Error::new(S3Code::BadDigest)
                .detail("ExpectedDigest", expected)
                .detail("CalculatedDigest", STANDARD.encode(computed)));
        }

        let algorithm = self.expected.algorithm;
        let value = self.checksum.finish();
        let claimed = if self.expected.in_trailer {
            let trailer = trailers
                .get(algorithm.header())
                .ok_or_else(|| S3Error::new(S3Code::MalformedTrailer))?;
            Some(decode(algorithm, trailer)?)
        } else {
            self.expected.value
        };
        if claimed.is_some_and(|claimed| claimed != value) {
            let message = format!(
                "The {} you specified did not match the calculated checksum.",
                algorithm.name()
            );
            return Err(S3Error::with_message(S3Code::BadDigest, message));
        }
        let checksum = Checksum {
            algorithm,
            kind: ChecksumKind::FullObject,
            value,
        };
        Ok(Digests { md5, checksum })
    }
}

fn algorithm_of_header(header: &str) -> Option<Algorithm> {
    let mut algorithms = Algorithm::ALL.into_iter();
    algorithms.find(|algorithm| algorithm.header() == header)
}

pub(crate) fn in_headers(headers: &HeaderMap) -> impl Iterator<Item = (Algorithm, &HeaderValue)> {
    headers
        .iter()
        .filter_map(|(name, value)| Some((algorithm_of_header(name.as_str())?, value)))
}

/// Refuses checksums that S3 has and this gateway does not: to ignore one would be to break a
/// promise.
pub(crate) fn refuse_unknown<'a>(
    mut names: impl Iterator<Item = &'a HeaderName>,
) -> Result<(), S3Error> {
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
    let named = Algorithm::from_name(named).map_err(|_| S3Error::invalid_request(BAD_NAME))?;
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
            let header = algorithm.header();
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
pub(crate) enum Hasher {
    Crc(Algorithm, Box<crc_fast::Digest>),
    Sha1(Box<Sha1>),
    Sha256(Box<Sha256>),
    Sha512(Box<Sha512>),
    Md5(Box<Md5>),
    XxHash64(XxHash64),
    XxHash3(Box<XxHash3_64>),
    XxHash128(Box<XxHash3_128>),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match (algorithm, algorithm.crc()) {
            (_, Some(crc)) => Self::Crc(algorithm, Box::new(crc_fast::Digest::new(crc))),
            (Algorithm::Sha1, _) => Self::Sha1(Box::new(Sha1::new())),
            (Algorithm::Sha512, _) => Self::Sha512(Box::new(Sha512::new())),
            (Algorithm::Md5, _) => Self::Md5(Box::new(Md5::new())),
            (Algorithm::XxHash64, _) => Self::XxHash64(XxHash64::with_seed(0)),
            (Algorithm::XxHash3, _) => Self::XxHash3(Box::new(XxHash3_64::new())),
            (Algorithm::XxHash128, _) => Self::XxHash128(Box::new(XxHash3_128::new())),
            _ => Self::Sha256(Box::new(Sha256::new())),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(_, digest) => digest.update(bytes),
            Self::Sha1(digest) => digest.update(bytes),
            Self::Sha256(digest) => digest.update(bytes),
            Self::Sha512(digest) => digest.update(bytes),
            Self::Md5(digest) => digest.update(bytes),
            Self::XxHash64(digest) => digest.write(bytes),
            Self::XxHash3(digest) => digest.write(bytes),
            Self::XxHash128(digest) => digest.write(bytes),
        }
    }

    /// The checksum, big-endian as S3 encodes it.
    pub(crate) fn finish(self) -> Vec<u8> {
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
            Self::Sha512(digest) => digest.finalize().to_vec(),
            Self::Md5(digest) => digest.finalize().to_vec(),
            Self::XxHash64(digest) => digest.finish().to_be_bytes().to_vec(),
            Self::XxHash3(digest) => digest.finish().to_be_bytes().to_vec(),
            Self::XxHash128(digest) => digest.finish_128().to_be_bytes().to_vec(),
        }
    }
}

/// What S3 computes where the client chose nothing.
const DEFAULT: Algorithm = Algorithm::Crc64Nvme;

pub(crate) const SEVERAL: &str =
    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
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

    use super::Digester;
    use super::Expected;
    use crate::error::S3Error;
    use crate::protocol::checksum::Algorithm;

    /// Checksums of `123456789`: the check values of the CRC catalogue, RFC 3174, FIPS 180-4, RFC 1321, and what
    /// `xxhsum` 0.8 prints.
    const CHECKS: [&str; 10] = [
        "cbf43926",
        "e3069283",
        "ae8b14860a799888",
        "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
        "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
        "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274ad27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85",
        "25f9e794323b453885f5181f1b624d0b",
        "8cb841db40e6ae83",
        "72dcb18b67a17dff",
        "33119477ede5dcd5e9716427681d5860",
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
        let mut digester = Digester::new(expected, false);
        digester.update(b"123456789");
        digester.finish(trailers).unwrap_err()
    }

    #[test]
    fn every_algorithm_gives_its_published_check_value() {
        for (algorithm, check) in Algorithm::ALL.into_iter().zip(CHECKS) {
            let mut digester = Digester::new(Expected::nothing(Some(algorithm)), true);
            digester.update(b"1234");
            digester.update(b"56789");
            let digests = digester.finish(&HeaderMap::new()).unwrap();
            assert_eq!(hex::encode(digests.checksum.value), check);
            assert_eq!(
                hex::encode(digests.md5.unwrap()),
                "25f9e794323b453885f5181f1b624d0b"
            );
        }
    }

    #[test]
    fn a_right_claim_passes_in_a_header_and_in_a_trailer() {
        for (algorithm, check) in Algorithm::ALL.into_iter().zip(CHECKS) {
            let value = STANDARD.encode(hex::decode(check).unwrap());
            let claim = headers(&[(algorithm.header(), &value)]);
            let name = HeaderName::from_static(algorithm.header());
            for (claims, announced, trailers) in [
                (claim.clone(), vec![], HeaderMap::new()),
                (HeaderMap::new(), vec![name.clone()], claim.clone()),
            ] {
                let expected = Expected::read(&claims, &announced).unwrap();
                let mut digester = Digester::new(expected, false);
                digester.update(b"123456789");
                let digests = digester.finish(&trailers).unwrap();
                let mut answer = HeaderMap::new();
                digests.checksum.write_headers(&mut answer, None);
                assert_eq!(answer.get(&name).unwrap(), value.as_str());
                assert_eq!(answer.get("x-amz-checksum-type").unwrap(), "FULL_OBJECT");
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
                headers(&[("x-amz-checksum-crc16", "AAA=")]),
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
        let error = Digester::new(expected, false)
            .finish(&HeaderMap::new())
            .unwrap_err();
        assert_eq!(error.code_text(), "MalformedTrailerError");
    }

    #[test]
    fn without_a_choice_the_checksum_is_crc64nvme() {
        let digests = Digester::new(Expected::read(&HeaderMap::new(), &[]).unwrap(), false)
            .finish(&HeaderMap::new())
            .unwrap();
        assert_eq!(digests.checksum.algorithm.name(), "CRC64NVME");
        assert_eq!(digests.md5, None);
    }
}
