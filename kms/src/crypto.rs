//! The only module that names algorithms, and the one source of randomness.
//!
//! Everything here is pure: bytes in, bytes out. Key types have neither `Clone` nor `Debug` and wipe
//! themselves when dropped.

pub mod ciphertext;
mod der;
pub mod ecc;
pub mod edwards;
pub mod encryption_context;
pub mod foreign;
pub mod import;
pub mod mac;
pub mod material;
pub mod material_id;
pub mod message;
pub mod ml_dsa;
pub mod ml_kem;
pub mod pair;
pub mod recipient;
pub mod root_key;
pub mod rsa;
pub mod spec;
pub mod symmetric;
mod xaes;

use std::cell::RefCell;

use zeroize::Zeroize;
use zeroize::Zeroizing;

pub use crate::crypto::xaes::MessageNonce;

/// Fills `bytes` from the cryptographic random generator.
///
/// A draw costs the generator as much for 16 bytes as for hundreds, so each thread draws ahead. What
/// is handed out is wiped here.
pub fn random(bytes: &mut [u8]) {
    if bytes.len() > DRAWN_BYTES / 4 {
        return draw(bytes);
    }
    DRAWN.with_borrow_mut(|drawn| drawn.take(bytes));
}

/// Random bytes drawn ahead; those before `taken` were handed out.
struct Drawn {
    bytes: Zeroizing<[u8; DRAWN_BYTES]>,
    taken: usize,
}

impl Drawn {
    fn take(&mut self, out: &mut [u8]) {
        if DRAWN_BYTES - self.taken < out.len() {
            draw(&mut *self.bytes);
            self.taken = 0;
        }
        let next = self.taken + out.len();
        let bytes = self
            .bytes
            .get_mut(self.taken..next)
            .expect("there are more left than are taken");
        out.copy_from_slice(bytes);
        bytes.zeroize();
        self.taken = next;
    }
}

fn draw(bytes: &mut [u8]) {
    aws_lc_rs::rand::fill(bytes).expect("the system's random generator works");
}

thread_local! {
    static DRAWN: RefCell<Drawn> = RefCell::new(Drawn {
        bytes: Zeroizing::new([0; DRAWN_BYTES]),
        taken: DRAWN_BYTES,
    });
}

/// How much a thread draws ahead, in bytes: enough for nine data keys and their nonces.
const DRAWN_BYTES: usize = 512;

/// A fresh array of random bytes.
#[must_use]
pub fn random_array<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    random(&mut bytes);
    bytes
}

/// What does not open: a wrong key, or bytes that were changed. Which of the two is not reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("authentication failed")]
pub struct Unauthentic;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_drawn_ahead_is_handed_out_once_and_wiped() {
        let taken: BTreeSet<[u8; 24]> = (0..1_000).map(|_| random_array()).collect();
        assert_eq!(taken.len(), 1_000);
        DRAWN.with_borrow(|drawn| {
            let (before, after) = drawn.bytes.split_at(drawn.taken);
            assert!(before.iter().all(|byte| *byte == 0));
            assert!(after.iter().any(|byte| *byte != 0) || after.is_empty());
        });
    }
}
