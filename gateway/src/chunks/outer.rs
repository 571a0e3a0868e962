//! The outer layer of DSSE-KMS: AES-256-CTR over the sealed chunks, under a second data key.
//!
//! Another implementation than the inner layer's, so that one faulty cipher does not lay an object
//! open. It keeps the length, so that sizes do not depend on the mode; the inner tags authenticate.

use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::KeyIvInit as _;
use ctr::cipher::StreamCipher as _;
use ctr::cipher::StreamCipherSeek as _;

use crate::chunks::DataKey;
use crate::chunks::KEY_BYTES;
use crate::chunks::Salt;

/// The key stream over the chunks of one segment, at some place in it.
pub(crate) struct OuterLayer(Ctr128BE<Aes256>);

impl OuterLayer {
    /// At the first byte of the segment's first chunk.
    pub(crate) fn derive(key: &DataKey, salt: &Salt) -> Self {
        let derived = key.expand::<{ KEY_BYTES + COUNTER_BYTES }>(&[LABEL, salt.as_bytes()]);
        let (key, counter) = derived.split_at(KEY_BYTES);
        let stream = Ctr128BE::new_from_slices(key, counter);
        Self(stream.expect("key and counter have AES-256's lengths"))
    }

    /// Moves to the byte at `offset` from the first chunk's first.
    pub(crate) fn seek(&mut self, offset: u64) {
        self.0.seek(offset);
    }

    /// Adds or removes the layer, and moves on.
    pub(crate) fn apply(&mut self, bytes: &mut [u8]) {
        self.0.apply_keystream(bytes);
    }
}

/// Length of AES-CTR's first counter block.
const COUNTER_BYTES: usize = 16;

/// Names this use of the outer data key; the zero byte ends the label.
const LABEL: &[u8] = b"sealgate/outer@v1\0";
