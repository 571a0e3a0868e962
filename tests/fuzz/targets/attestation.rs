//! Attestation documents of enclaves: COSE in CBOR.
//!
//! What is read of a document is no longer than the document, what follows it changes nothing, and
//! a recipient that was found can be answered.

#![no_main]

use kms::crypto::recipient::Recipient;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|document: &[u8]| {
    let Some(recipient) = Recipient::of_attestation(document) else {
        return;
    };
    let measured: usize = recipient
        .measurements
        .iter()
        .map(|(_, value)| value.len())
        .sum();
    assert!(measured <= document.len());

    let longer = [document, b"behind it"].concat();
    let again = Recipient::of_attestation(&longer).expect("what follows is ignored");
    assert_eq!(again.measurements, recipient.measurements);

    let sealed = recipient
        .seal(b"plaintext")
        .expect("the key was read as an RSA key");
    assert!(sealed.len() > 256 && sealed.len() < 4_096);
});
