//! How a request's signature covers its body.

use std::sync::Arc;

use proto::sigv4::CredentialScope;
use proto::sigv4::PayloadHash;
use proto::sigv4::SigningKey;
use proto::time::Timestamp;

/// How a signature covers the body.
pub struct Coverage {
    pub(super) hash: PayloadHash,
    pub(super) chunks: Option<ChunkSigning>,
}

/// What the signatures of chunks are checked with.
pub struct ChunkSigning {
    /// The key of the request's signature.
    pub key: Arc<SigningKey>,
    /// The time of the request's signature.
    pub timestamp: Timestamp,
    /// The scope of the request's signature.
    pub scope: CredentialScope,
    /// The signature of the request, then of each chunk.
    pub previous: String,
}

impl Coverage {
    /// How `hash` covers the body of a signed request; `signing` checks its chunks, if they are signed.
    /// `None` for chunks with asymmetric signatures, which nothing here can check.
    #[must_use]
    pub fn signed(hash: PayloadHash, signing: ChunkSigning) -> Option<Self> {
        let chunks = match hash {
            PayloadHash::SignedChunks | PayloadHash::SignedChunksTrailer => Some(signing),
            PayloadHash::Asymmetric => return None,
            PayloadHash::Sha256(_) | PayloadHash::Unsigned | PayloadHash::UnsignedTrailer => None,
        };
        Some(Self { hash, chunks })
    }

    /// How `hash` covers the body of an anonymous request; `None` if `hash` promises signed chunks,
    /// because there is no key to check them with.
    #[must_use]
    pub fn unsigned(hash: PayloadHash) -> Option<Self> {
        match hash {
            PayloadHash::Sha256(_) | PayloadHash::Unsigned | PayloadHash::UnsignedTrailer => {
                Some(Self { hash, chunks: None })
            }
            PayloadHash::SignedChunks
            | PayloadHash::SignedChunksTrailer
            | PayloadHash::Asymmetric => None,
        }
    }

    /// Whether the body is `aws-chunked`.
    #[must_use]
    pub fn is_chunked(&self) -> bool {
        self.hash.is_chunked()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signing() -> ChunkSigning {
        let scope = CredentialScope {
            date: "20130524".to_owned(),
            region: "us-east-1".to_owned(),
            service: "s3".to_owned(),
        };
        ChunkSigning {
            key: Arc::new(SigningKey::derive("secret", &scope)),
            timestamp: Timestamp::from_unix_seconds(0),
            scope,
            previous: String::new(),
        }
    }

    /// Of a signed request: whether it is covered, and whether with signed chunks; whether it is of an
    /// anonymous one; whether it is `aws-chunked`.
    #[test]
    fn signed_chunks_need_a_key_and_asymmetric_ones_are_never_covered() {
        for (hash, signed, anonymous, chunked) in [
            (PayloadHash::Sha256([0; 32]), Some(false), true, false),
            (PayloadHash::Unsigned, Some(false), true, false),
            (PayloadHash::UnsignedTrailer, Some(false), true, true),
            (PayloadHash::SignedChunks, Some(true), false, true),
            (PayloadHash::SignedChunksTrailer, Some(true), false, true),
            (PayloadHash::Asymmetric, None, false, true),
        ] {
            let coverage = Coverage::signed(hash.clone(), signing());
            let of_chunks = coverage.as_ref().map(|it| it.chunks.is_some());
            assert_eq!(of_chunks, signed, "{hash:?}");
            let without_key = Coverage::unsigned(hash.clone());
            assert_eq!(without_key.is_some(), anonymous, "{hash:?}");
            for coverage in coverage.iter().chain(&without_key) {
                assert_eq!(coverage.is_chunked(), chunked, "{hash:?}");
            }
        }
    }
}
