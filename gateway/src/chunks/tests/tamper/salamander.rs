//! A chunk of three blocks that is authentic under two AES-GCM keys.
//!
//! The tag is a polynomial in a value of each key, so for a chosen tag one block is free to solve
//! for ("Fast Message Franking", Dodis and others, 2018, section 3).

use aes::Aes256;
use aes::cipher::BlockCipherEncrypt as _;
use aes::cipher::KeyInit as _;

use crate::chunks::DataKey;
use crate::chunks::cipher::NONCE_BYTES;
use crate::chunks::segment;
use crate::chunks::segment::Segment;

/// Three blocks of ciphertext and the tag.
pub(super) fn chunk(first: &DataKey, second: &DataKey, segment: &Segment) -> [Vec<u8>; 2] {
    let [one, other] = [first, second].map(|key| Gcm::new(key, segment));
    let length = 3 * 128_u128;
    // Tag = c0 H^4 + c1 H^3 + c2 H^2 + length H + E(J0). With c0 and c1 free, and one tag for both
    // keys, c2 = (what the two tags differ in without it) / (H1^2 + H2^2).
    let c0 = u128::from_be_bytes(*b"any first block!");
    let c1 = u128::from_be_bytes(*b"any second block");
    let without = |gcm: &Gcm| {
        let h2 = mul(gcm.h, gcm.h);
        let (h3, h4) = (mul(h2, gcm.h), mul(h2, h2));
        mul(c0, h4) ^ mul(c1, h3) ^ mul(length, gcm.h) ^ gcm.mask
    };
    let difference = without(&one) ^ without(&other);
    let c2 = mul(
        difference,
        inverse(mul(one.h, one.h) ^ mul(other.h, other.h)),
    );
    let tag = without(&one) ^ mul(c2, mul(one.h, one.h));
    [
        [block(c0), block(c1), block(c2)].concat(),
        block(tag).to_vec(),
    ]
}

/// What the tag of chunk 0 depends on besides its ciphertext.
struct Gcm {
    h: u128,
    mask: u128,
}

impl Gcm {
    fn new(key: &DataKey, segment: &Segment) -> Self {
        let context = segment::context(segment.kind, segment.plaintext_bytes);
        let label = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";
        let derived = key.expand::<76>(&[label, segment.salt.as_bytes(), &context]);
        let aes = Aes256::new_from_slice(&derived[..32]).unwrap();
        let encrypt = |block: [u8; 16]| {
            let mut block = block.into();
            aes.encrypt_block(&mut block);
            u128::from_be_bytes(block.into())
        };
        let mut counter = [0; 16];
        counter[..NONCE_BYTES].copy_from_slice(&derived[32..44]);
        counter[15] = 1;
        Self {
            h: encrypt([0; 16]),
            mask: encrypt(counter),
        }
    }
}

fn block(value: u128) -> [u8; 16] {
    value.to_be_bytes()
}

/// Multiplication in GCM's field; bit 0 is the most significant one.
fn mul(left: u128, right: u128) -> u128 {
    let (mut product, mut power) = (0, right);
    for bit in (0..128).rev() {
        if left >> bit & 1 == 1 {
            product ^= power;
        }
        let carry = power & 1;
        power >>= 1;
        if carry == 1 {
            power ^= 0xE1 << 120;
        }
    }
    product
}

/// The inverse: the power 2^128 - 2.
fn inverse(value: u128) -> u128 {
    let (mut result, mut power) = (1 << 127, value);
    for _ in 1..128 {
        power = mul(power, power);
        result = mul(result, power);
    }
    result
}
