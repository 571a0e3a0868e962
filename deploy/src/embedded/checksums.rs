//! The checksum of an object that is made of parts: that of all its bytes, combined from those of the
//! parts, or a checksum of the parts' checksums.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use s3s::S3ErrorCode;
use s3s::crypto::Checksum as _;
use s3s::crypto::Crc32;
use s3s::crypto::Crc32c;
use s3s::crypto::Crc64Nvme;
use s3s::crypto::Sha1;
use s3s::crypto::Sha256;

use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::record::Checksum;
use crate::embedded::index::record::Part;
use crate::embedded::index::record::Upload;

/// The checksum of the object that these parts make; none where the upload was created without an
/// algorithm, or a part came without its checksum.
///
/// # Errors
///
/// `InvalidRequest` for an algorithm that has no checksum of this kind; `BadDigest` where the client
/// names another checksum.
pub fn of_object(
    upload: &Upload,
    parts: &[(u16, Part)],
    named: Option<&str>,
) -> Outcome<Option<Checksum>> {
    let Some(algorithm) = &upload.algorithm else {
        return Ok(None);
    };
    let sums = parts.iter().map(|(_, part)| {
        let checksum = part.checksum.as_ref()?;
        let fits = checksum.algorithm == *algorithm;
        let bytes = STANDARD.decode(&checksum.value).ok()?;
        fits.then_some((bytes, part.length))
    });
    let Some(sums) = sums.collect::<Option<Vec<_>>>() else {
        return Ok(None);
    };
    let value = match upload.is_composite {
        true => composite(algorithm, &sums),
        false => combined(algorithm, &sums),
    };
    let refused = || {
        let message = format!("The {algorithm} checksum has no such type.");
        Fault::message(S3ErrorCode::InvalidRequest, message)
    };
    let value = STANDARD.encode(value.ok_or_else(refused)?);
    if named.is_some_and(|named| named.split('-').next() != Some(value.as_str())) {
        let message =
            format!("The {algorithm} you specified did not match the calculated checksum.");
        return Err(Fault::message(S3ErrorCode::BadDigest, message));
    }
    let count = parts.len();
    Ok(Some(Checksum {
        algorithm: algorithm.clone(),
        value: match upload.is_composite {
            true => format!("{value}-{count}"),
            false => value,
        },
        is_composite: upload.is_composite,
    }))
}

/// The checksum of checksums in a row.
fn composite(algorithm: &str, sums: &[(Vec<u8>, u64)]) -> Option<Vec<u8>> {
    let all: Vec<u8> = sums
        .iter()
        .flat_map(|(sum, _)| sum.iter().copied())
        .collect();
    match algorithm {
        "CRC32" => Some(Crc32::checksum(&all).to_vec()),
        "CRC32C" => Some(Crc32c::checksum(&all).to_vec()),
        "CRC64NVME" => Some(Crc64Nvme::checksum(&all).to_vec()),
        "SHA1" => Some(Sha1::checksum(&all).as_ref().to_vec()),
        "SHA256" => Some(Sha256::checksum(&all).as_ref().to_vec()),
        _ => None,
    }
}

/// The checksum of bytes in a row whose checksums these are.
fn combined(algorithm: &str, sums: &[(Vec<u8>, u64)]) -> Option<Vec<u8>> {
    let (kind, bytes) = match algorithm {
        "CRC32" => (CrcAlgorithm::Crc32IsoHdlc, 4),
        "CRC32C" => (CrcAlgorithm::Crc32Iscsi, 4),
        "CRC64NVME" => (CrcAlgorithm::Crc64Nvme, 8),
        _ => return None,
    };
    let number = |sum: &[u8]| {
        sum.iter()
            .fold(0, |all, byte| (all << 8) | u64::from(*byte))
    };
    let mut sums = sums.iter();
    let (first, _) = sums.next()?;
    let all = sums.fold(number(first), |all, (sum, length)| {
        crc_fast::checksum_combine(kind, all, number(sum), *length)
    });
    all.to_be_bytes().get(8 - bytes..).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::index::record::Object;

    fn part(algorithm: &str, bytes: &[u8]) -> (u16, Part) {
        let value = composite(algorithm, &[(bytes.to_vec(), 0)]).unwrap();
        let part = Part {
            modified_ms: 0,
            length: bytes.len() as u64,
            etag: String::new(),
            segments: Vec::new(),
            checksum: Some(Checksum {
                algorithm: algorithm.to_owned(),
                value: STANDARD.encode(value),
                is_composite: false,
            }),
        };
        (1, part)
    }

    fn upload(algorithm: &str, is_composite: bool) -> Upload {
        Upload {
            created_ms: 0,
            object: Object::default(),
            algorithm: Some(algorithm.to_owned()),
            is_composite,
        }
    }

    #[test]
    fn the_checksum_of_an_object_is_that_of_its_bytes_whatever_its_parts_are() {
        for algorithm in ["CRC32", "CRC32C", "CRC64NVME"] {
            let parts = [
                part(algorithm, b"one "),
                part(algorithm, b""),
                part(algorithm, b"two"),
            ];
            let (_, whole) = part(algorithm, b"one two");
            let whole = whole.checksum.unwrap();
            let upload = upload(algorithm, false);
            let checksum = of_object(&upload, &parts, Some(&whole.value)).unwrap();
            assert_eq!(checksum, Some(whole), "{algorithm}");
            assert!(of_object(&upload, &parts, Some("AAAAAA==")).is_err());
        }
    }

    #[test]
    fn a_checksum_of_checksums_says_how_many_there_are() {
        let parts = [part("SHA256", b"one"), part("SHA256", b"two")];
        let checksum = of_object(&upload("SHA256", true), &parts, None)
            .unwrap()
            .unwrap();
        assert!(checksum.value.ends_with("-2") && checksum.is_composite);
        // There is no way to combine them.
        assert!(of_object(&upload("SHA256", false), &parts, None).is_err());
    }

    #[test]
    fn without_the_checksum_of_each_part_there_is_none_of_the_object() {
        let (number, mut other) = part("CRC32", b"two");
        other.checksum = None;
        let parts = [part("CRC32", b"one"), (number, other)];
        assert_eq!(
            of_object(&upload("CRC32", false), &parts, None).unwrap(),
            None
        );
    }
}
