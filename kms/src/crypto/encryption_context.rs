//! The encryption context: pairs that are not secret, but without which a blob does not open.
//!
//! Its canonical bytes are the additional authenticated data of every blob. Pairs are in the order
//! of their names' bytes, so the order in which a caller gives them does not matter; every part has
//! its length before it, so no two contexts share their bytes.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html>

use std::collections::BTreeMap;

/// Appends the canonical bytes of `context` to `out`.
///
/// For each pair: the name's length in bytes (4 bytes, big endian), the name, the value's length,
/// the value; before them the number of pairs (4 bytes, big endian).
pub fn write_canonical(context: &BTreeMap<String, String>, out: &mut Vec<u8>) {
    out.extend_from_slice(&length(context.len()));
    for (name, value) in context {
        out.extend_from_slice(&length(name.len()));
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(&length(value.len()));
        out.extend_from_slice(value.as_bytes());
    }
}

/// Size of the context as AWS counts it: all names and values together, in bytes.
#[must_use]
pub fn bytes(context: &BTreeMap<String, String>) -> usize {
    context
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum()
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}

/// Largest encryption context, in bytes.
pub const BYTES_MAX: usize = 8_192;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(pairs: &BTreeMap<String, String>) -> Vec<u8> {
        let mut out = Vec::new();
        write_canonical(pairs, &mut out);
        out
    }

    fn pairs(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn the_order_given_does_not_matter() {
        let one = pairs(&[("a", "1"), ("b", "2")]);
        let other = pairs(&[("b", "2"), ("a", "1")]);
        assert_eq!(canonical(&one), canonical(&other));
    }

    #[test]
    fn moving_a_byte_between_name_and_value_changes_the_bytes() {
        assert_ne!(
            canonical(&pairs(&[("ab", "c")])),
            canonical(&pairs(&[("a", "bc")]))
        );
        assert_ne!(canonical(&pairs(&[])), canonical(&pairs(&[("", "")])));
    }

    #[test]
    fn names_equal_only_in_unicode_normal_form_stay_apart() {
        let composed = pairs(&[("caf\u{e9}", "x")]);
        let decomposed = pairs(&[("cafe\u{301}", "x")]);
        assert_ne!(canonical(&composed), canonical(&decomposed));
    }

    proptest! {
        #[test]
        fn different_contexts_have_different_bytes(
            one in proptest::collection::btree_map("[ab]{0,2}", "[ab]{0,2}", 0..4),
            other in proptest::collection::btree_map("[ab]{0,2}", "[ab]{0,2}", 0..4),
        ) {
            prop_assert_eq!(one == other, canonical(&one) == canonical(&other));
        }
    }
}
