//! Checksums of objects that are made of parts.
//!
//! A full-object checksum is combined from those of the parts: a CRC can be. A composite one is the
//! checksum of the parts' checksums, and is shown with the number of parts behind it.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;

use crate::error::S3Error;
use crate::protocol::checksum::Algorithm;
use crate::protocol::checksum::Checksum;
use crate::protocol::checksum::ChecksumKind;
use crate::protocol::checksum::TYPE;
use crate::protocol::checksum::UploadChecksum;
use crate::protocol::checksum::digests;
use crate::protocol::checksum::digests::Hasher;
use crate::protocol::xml::Element;

/// The checksum that the object of a new upload will have.
///
/// # Errors
///
/// `InvalidRequest` for an algorithm or a type that there is not, or that do not go together;
/// `NotImplemented` for one that no part table can hold.
pub fn from_create_request(headers: &HeaderMap) -> Result<Option<UploadChecksum>, S3Error> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let kind = match text(TYPE) {
        None => None,
        Some("COMPOSITE") => Some(ChecksumKind::Composite),
        Some("FULL_OBJECT") => Some(ChecksumKind::FullObject),
        Some(_) => {
            return Err(S3Error::invalid_request(
                "Value for x-amz-checksum-type header is invalid.",
            ));
        }
    };
    let Some(algorithm) = text("x-amz-checksum-algorithm") else {
        return match kind {
            None => Ok(None),
            Some(_) => Err(S3Error::invalid_request(TYPE_ALONE)),
        };
    };
    let algorithm = Algorithm::from_name(algorithm)?;
    // The part table has room for 32 bytes.
    if algorithm == Algorithm::Sha512 {
        return Err(S3Error::not_implemented(TOO_LONG));
    }
    let is_crc = algorithm.crc().is_some();
    let kind = kind.unwrap_or(if algorithm == Algorithm::Crc64Nvme {
        ChecksumKind::FullObject
    } else {
        ChecksumKind::Composite
    });
    let fits = match kind {
        ChecksumKind::FullObject => is_crc,
        ChecksumKind::Composite => algorithm != Algorithm::Crc64Nvme,
    };
    if !fits {
        let (kind, name) = (kind.name(), algorithm.name().to_ascii_lowercase());
        return Err(S3Error::invalid_request(format!(
            "The {kind} checksum type cannot be used with the {name} checksum algorithm."
        )));
    }
    Ok(Some(UploadChecksum {
        algorithm,
        kind,
        chosen: true,
    }))
}

/// The checksum of an object from those of its parts, each with the part's length.
#[must_use]
pub fn of_parts<'a>(
    checksum: UploadChecksum,
    parts: impl Iterator<Item = (&'a [u8], u64)>,
) -> Checksum {
    let algorithm = checksum.algorithm;
    let value = match (checksum.kind, algorithm.crc()) {
        (ChecksumKind::FullObject, Some(crc)) => {
            let number = |value: &[u8]| {
                value
                    .iter()
                    .fold(0, |number, byte| (number << 8) | u64::from(*byte))
            };
            let combine = |(whole, _): (u64, u64), (value, bytes): (&[u8], u64)| {
                let part = number(value);
                (crc_fast::checksum_combine(crc, whole, part, bytes), bytes)
            };
            let empty = number(&Hasher::new(algorithm).finish());
            let (whole, _) = parts.fold((empty, 0), combine);
            let bytes = whole.to_be_bytes();
            let (_, value) = bytes.split_at(bytes.len() - algorithm.bytes());
            value.to_vec()
        }
        _ => {
            let mut hasher = Hasher::new(algorithm);
            parts.for_each(|(value, _)| hasher.update(value));
            hasher.finish()
        }
    };
    Checksum {
        algorithm,
        kind: checksum.kind,
        value,
    }
}

/// The element that carries the checksum of one part.
#[must_use]
pub fn part_element(algorithm: Algorithm, value: &[u8]) -> Element {
    Element::with_text(algorithm.element(), STANDARD.encode(value))
}

/// The checksums in a `Part` element.
pub fn in_part(part: &Element) -> impl Iterator<Item = (Algorithm, &str)> {
    Algorithm::ALL.into_iter().filter_map(|algorithm| {
        let text = part.text_of(&algorithm.element())?;
        Some((algorithm, text.trim())).filter(|(_, text)| !text.is_empty())
    })
}

/// The checksum that the headers of a completing request claim of the whole object.
///
/// # Errors
///
/// `InvalidRequest` for more than one; `NotImplemented` for one that is not offered.
pub fn claimed_of_object(headers: &HeaderMap) -> Result<Option<(Algorithm, &str)>, S3Error> {
    digests::refuse_unknown(headers.keys())?;
    let mut claims = digests::in_headers(headers);
    match (claims.next(), claims.next()) {
        (None, _) => Ok(None),
        (Some((algorithm, value)), None) => {
            Ok(Some((algorithm, value.to_str().unwrap_or_default())))
        }
        _ => Err(S3Error::invalid_request(digests::SEVERAL)),
    }
}

const TOO_LONG: &str = "Multipart uploads with SHA512 checksums are not implemented: choose SHA256, or a single PutObject.";
const TYPE_ALONE: &str =
    "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.";

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::of_parts;
    use crate::protocol::checksum::Algorithm;
    use crate::protocol::checksum::ChecksumKind;
    use crate::protocol::checksum::UploadChecksum;
    use crate::protocol::checksum::digests::Digester;
    use crate::protocol::checksum::digests::Expected;

    fn checksum(algorithm: Algorithm, bytes: &[u8]) -> Vec<u8> {
        let mut digester = Digester::new(Expected::nothing(Some(algorithm)), false);
        digester.update(bytes);
        digester.finish(&HeaderMap::new()).unwrap().checksum.value
    }

    #[test]
    fn the_crcs_of_parts_make_the_crc_of_the_object() {
        let whole: Vec<u8> = (0..=255).cycle().take(70_001).collect();
        for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
            for cuts in [vec![], vec![1], vec![16_384, 16_385, 16_385, 70_000]] {
                let mut parts = Vec::new();
                let mut start = 0;
                for cut in cuts.into_iter().chain([whole.len()]) {
                    parts.push(&whole[start..cut]);
                    start = cut;
                }
                let sums: Vec<_> = parts
                    .iter()
                    .map(|part| (checksum(algorithm, part), part.len() as u64))
                    .collect();
                let upload = UploadChecksum {
                    algorithm,
                    kind: ChecksumKind::FullObject,
                    chosen: false,
                };
                let sums = sums.iter().map(|(sum, bytes)| (sum.as_slice(), *bytes));
                assert_eq!(of_parts(upload, sums).value, checksum(algorithm, &whole));
            }
        }
    }

    #[test]
    fn a_composite_checksum_is_one_of_checksums() {
        let upload = UploadChecksum {
            algorithm: Algorithm::Sha256,
            kind: ChecksumKind::Composite,
            chosen: true,
        };
        let parts = [[1; 32], [2; 32]];
        let sums = parts.iter().map(|part| (part.as_slice(), 5));
        let whole = of_parts(upload, sums);
        assert_eq!(
            whole.value,
            checksum(Algorithm::Sha256, parts.as_flattened())
        );
        assert!(whole.text(Some(2)).ends_with("=-2"));
    }
}
