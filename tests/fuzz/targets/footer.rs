//! The tail and the footer of a multipart object.
//!
//! The first 8 bytes are the size of the stored object, the next ones its tail. A tail that is taken
//! has the size that the format gives an object of its length and parts, and its footer lies within
//! the object. What is left of the input changes a footer that was sealed: unless nothing was
//! changed, it does not open.

#![no_main]

use std::sync::LazyLock;

use gateway::fuzzing::DataKey;
use gateway::fuzzing::Footer;
use gateway::fuzzing::layout;
use libfuzzer_sys::fuzz_target;

static SEALED: LazyLock<(DataKey, Footer)> = LazyLock::new(|| {
    let key = DataKey::from_slice(&[7; 32]).expect("it has 32 bytes");
    let footer = Footer::seal(&key, &[5 << 20, 1]).expect("two parts are an object");
    (key, footer)
});

fuzz_target!(|input: &[u8]| {
    let Some((size, rest)) = input.split_first_chunk::<8>() else {
        return;
    };
    let stored_bytes = u64::from_be_bytes(*size);
    if let Some((tail, _)) = rest.split_first_chunk()
        && let Ok(tail) = layout::Tail::parse(tail, stored_bytes)
    {
        let (length, parts) = (tail.plaintext_bytes(), tail.backend_parts());
        assert_eq!(
            layout::stored_bytes_in_parts(length, parts),
            Ok(stored_bytes)
        );
        assert_eq!(
            layout::plaintext_bytes_in_parts(stored_bytes, parts),
            Some(length)
        );
        assert!(tail.footer_bytes() <= stored_bytes);
        assert!((1..=10_000).contains(&tail.parts()));
    }

    let (key, footer) = &*SEALED;
    let mut changed = footer.bytes.clone();
    for change in rest.chunks_exact(3).take(8) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % changed.len();
        changed[at] ^= change[2];
    }
    let opens = footer.opens_alike(key, &changed);
    assert_eq!(opens, changed == footer.bytes, "a changed footer opens");
});
