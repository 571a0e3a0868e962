//! Writing DER, the encoding of keys and envelopes (ITU-T X.690).

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::encoding::PublicKeyX509Der;
use zeroize::Zeroizing;

/// One value: its tag, its length, and its bytes, which are `parts` one after the other. It is wiped
/// when it is dropped, because it may be a private key.
pub(crate) fn value(tag: u8, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let bytes: usize = parts.iter().map(|part| part.len()).sum();
    let length = bytes.to_be_bytes();
    let zeros = length.iter().take_while(|byte| **byte == 0).count();
    let digits = length.get(zeros..).unwrap_or_default();
    // No reallocation leaves a copy behind.
    let mut out = Zeroizing::new(Vec::with_capacity(2 + length.len() + bytes));
    out.push(tag);
    match digits {
        [] => out.push(0),
        [short @ 0..=127] => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).expect("a length has at most 8 digits"));
            out.extend_from_slice(long);
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// A SEQUENCE of values.
pub(crate) fn sequence(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    value(0x30, parts)
}

/// A public key as X.509's SubjectPublicKeyInfo.
pub(crate) fn subject_public_key_info<'a>(
    key: &impl AsDer<PublicKeyX509Der<'a>>,
) -> Option<Vec<u8>> {
    Some(key.as_der().ok()?.as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_has_as_few_bytes_as_it_needs() {
        assert_eq!(*value(0x04, &[]), [0x04, 0x00]);
        assert_eq!(*value(0x04, &[&[1], &[2, 3]]), [0x04, 0x03, 1, 2, 3]);
        for (bytes, head) in [
            (127, &[0x30, 0x7f][..]),
            (128, &[0x30, 0x81, 0x80]),
            (256, &[0x30, 0x82, 0x01, 0x00]),
            (65_536, &[0x30, 0x83, 0x01, 0x00, 0x00]),
        ] {
            let written = sequence(&[&vec![7; bytes]]);
            assert_eq!(&written[..head.len()], head);
            assert_eq!(written.len(), head.len() + bytes);
        }
    }
}
