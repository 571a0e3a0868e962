//! S3's XML documents.
//!
//! A document that is read, written and read again is the same; it has no more elements and no more
//! bytes than it may have.

#![no_main]

use gateway::fuzzing::xml::Element;
use gateway::fuzzing::xml::Limits;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|document: &[u8]| {
    let Ok(read) = Element::parse(document, Limits::REQUEST) else {
        return;
    };
    assert!(document.len() <= Limits::REQUEST.bytes);
    assert!(count(&read) <= Limits::REQUEST.elements);
    let written = read.to_document();
    let limits = Limits {
        bytes: usize::MAX,
        ..Limits::REQUEST
    };
    let again = Element::parse(&written, limits).expect("what is written is read");
    assert_eq!(again, read);
});

fn count(element: &Element) -> usize {
    1 + element.children().iter().map(count).sum::<usize>()
}
