//! Bodies in S3's own chunks.
//!
//! Input: the announced length in one byte, whether a trailer is announced, then the body. Read in
//! pieces of any size, the body gives the same bytes or the same refusal, and never more bytes than
//! were announced.

#![no_main]

use gateway::fuzzing::aws_chunked;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [length, trailer, body @ ..] = input else {
        return;
    };
    let (length, trailer) = (u64::from(*length), trailer % 2 == 1);
    let whole = aws_chunked(body, length, trailer, body.len().max(1));
    for piece in [1, 2, 3, 7] {
        let pieces = aws_chunked(body, length, trailer, piece);
        assert_eq!(pieces, whole);
    }
    if let Some(content) = whole {
        assert_eq!(content.len() as u64, length);
        assert!(content.len() <= body.len());
    }
});
