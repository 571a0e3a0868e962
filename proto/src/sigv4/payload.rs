//! `x-amz-content-sha256`: how a signature covers the body.

/// How the body of a request is covered by its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayloadHash {
    /// The SHA-256 of the whole body.
    Sha256([u8; 32]),
    /// `UNSIGNED-PAYLOAD`: the body is not covered.
    Unsigned,
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`: aws-chunked, not covered, with trailing checksums.
    UnsignedTrailer,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`: aws-chunked, each chunk signed.
    SignedChunks,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`: aws-chunked, each chunk and the trailer signed.
    SignedChunksTrailer,
    /// One of the two `STREAMING-AWS4-ECDSA-P256-SHA256-…` of SigV4a.
    Asymmetric,
}

impl PayloadHash {
    /// Reads the value of `x-amz-content-sha256`: a keyword as spelt here, or 64 hex digits of either
    /// case.
    ///
    /// # Errors
    ///
    /// [`PayloadHashError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, PayloadHashError> {
        Ok(match text {
            "UNSIGNED-PAYLOAD" => Self::Unsigned,
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Self::UnsignedTrailer,
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Self::SignedChunks,
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Self::SignedChunksTrailer,
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"
            | "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER" => Self::Asymmetric,
            _ => {
                let mut digest = [0; 32];
                hex::decode_to_slice(text, &mut digest).map_err(|_| PayloadHashError)?;
                Self::Sha256(digest)
            }
        })
    }

    /// Whether this is the hash of an empty body.
    #[must_use]
    pub fn is_of_nothing(&self) -> bool {
        *self == Self::Sha256(OF_NOTHING)
    }

    /// Whether the body is aws-chunked.
    #[must_use]
    pub const fn is_chunked(&self) -> bool {
        !matches!(self, Self::Sha256(_) | Self::Unsigned)
    }
}

/// [`EMPTY_SHA256`](crate::sigv4::EMPTY_SHA256) as bytes.
const OF_NOTHING: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// A value `x-amz-content-sha256` may not have. S3: 400 `InvalidArgument` with `ArgumentName` and
/// `ArgumentValue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value."
)]
pub struct PayloadHashError;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigv4::EMPTY_SHA256;

    #[test]
    fn a_hash_is_64_hex_digits_of_either_case() {
        let lower = PayloadHash::parse(EMPTY_SHA256).unwrap();
        assert_eq!(
            PayloadHash::parse(&EMPTY_SHA256.to_uppercase()).unwrap(),
            lower
        );
        assert!(!lower.is_chunked());
        assert!(lower.is_of_nothing());
        assert!(!PayloadHash::Sha256([0; 32]).is_of_nothing());
    }

    #[test]
    fn keywords_are_taken_as_spelt() {
        assert_eq!(
            PayloadHash::parse("UNSIGNED-PAYLOAD"),
            Ok(PayloadHash::Unsigned)
        );
        for (text, hash) in [
            (
                "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                PayloadHash::UnsignedTrailer,
            ),
            (
                "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
                PayloadHash::SignedChunks,
            ),
            (
                "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
                PayloadHash::SignedChunksTrailer,
            ),
            (
                "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
                PayloadHash::Asymmetric,
            ),
            (
                "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER",
                PayloadHash::Asymmetric,
            ),
        ] {
            assert!(hash.is_chunked(), "{text}");
            assert_eq!(PayloadHash::parse(text), Ok(hash));
        }
        for text in [
            "unsigned-payload",
            "",
            "STREAMING",
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        ] {
            assert_eq!(PayloadHash::parse(text), Err(PayloadHashError), "{text}");
        }
        let (short, long) = (&EMPTY_SHA256[1..], format!("{EMPTY_SHA256}0"));
        assert_eq!(PayloadHash::parse(short), Err(PayloadHashError));
        assert_eq!(PayloadHash::parse(&long), Err(PayloadHashError));
        assert_eq!(PayloadHash::parse(&"g".repeat(64)), Err(PayloadHashError));
    }
}
