//! The only room that names algorithms, and the one door to the system's randomness.

/// Fills `bytes` from the cryptographic random generator.
pub fn random(bytes: &mut [u8]) {
    aws_lc_rs::rand::fill(bytes).expect("the system's random generator works");
}
