//! The only room that names algorithms, and the one door to the system's randomness.
//!
//! Everything here is pure: bytes in, bytes out. Key types have neither `Clone` nor `Debug` and wipe
//! themselves when dropped.

pub mod ciphertext;
pub mod ecc;
pub mod encryption_context;
pub mod foreign;
pub mod import;
pub mod mac;
pub mod material;
pub mod ml_dsa;
pub mod ml_kem;
pub mod pair;
pub mod root_key;
pub mod rsa;
pub mod spec;
pub mod symmetric;
mod xaes;

/// Fills `bytes` from the cryptographic random generator.
pub fn random(bytes: &mut [u8]) {
    aws_lc_rs::rand::fill(bytes).expect("the system's random generator works");
}

/// A fresh array of random bytes.
#[must_use]
pub fn random_array<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    random(&mut bytes);
    bytes
}

/// What does not open: a wrong key, or bytes that were changed. Which of them is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("authentication failed")]
pub struct Unauthentic;
