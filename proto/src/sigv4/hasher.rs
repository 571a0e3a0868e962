//! The hash of a body or a chunk that comes in pieces.

use sha2::Digest;
use sha2::Sha256;

/// SHA-256 of a payload, piece by piece.
#[derive(Clone, Default)]
pub struct PayloadHasher(Sha256);

impl PayloadHasher {
    /// The hash of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all pieces; the hasher starts over.
    pub fn finish(&mut self) -> [u8; 32] {
        self.0.finalize_reset().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigv4::sha256_hex;

    #[test]
    fn pieces_hash_as_the_whole_does_and_the_hasher_starts_over() {
        let mut hasher = PayloadHasher::new();
        for _ in 0..2 {
            hasher.update(b"ab");
            hasher.update(b"c");
            assert_eq!(hex::encode(hasher.finish()), sha256_hex(b"abc"));
        }
    }
}
