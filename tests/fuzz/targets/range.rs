//! The headers `Range` and `Content-Range`.
//!
//! Input: the size of an object in 8 bytes, then the header. A range that resolves lies within the
//! object, is what a second reader makes of it, and survives being written as `Content-Range`.

#![no_main]

use gateway::fuzzing::ByteRange;
use gateway::fuzzing::ContentRange;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((size, header)) = input.split_first_chunk::<8>() else {
        return;
    };
    let size = u64::from_be_bytes(*size);
    let Ok(header) = std::str::from_utf8(header) else {
        return;
    };
    if let Some(answer) = ContentRange::parse(header) {
        assert!(answer.first <= answer.last && answer.last < answer.total);
    }
    let Some(range) = ByteRange::parse(header) else {
        return;
    };
    let resolved = range.resolve(size);
    assert_eq!(
        resolved.map(|span| (span.first, span.last)),
        naive(header, size)
    );
    let Some(span) = resolved else {
        return;
    };
    assert!(span.first <= span.last && span.last < size);
    assert_eq!(span.bytes(), span.last - span.first + 1);
    let answer = ContentRange::parse(&span.content_range(size)).expect("it was written here");
    assert_eq!(
        (answer.first, answer.last, answer.total),
        (span.first, span.last, size)
    );
});

/// RFC 9110, section 14.1.2, read with numbers that cannot overflow.
fn naive(header: &str, size: u64) -> Option<(u64, u64)> {
    let (_, range) = header.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    let number = |text: &str| {
        let digits = text.trim();
        let number = digits.parse::<u128>();
        Some(number.unwrap_or(u128::MAX)).filter(|_| !digits.is_empty())
    };
    let size = u128::from(size);
    let (first, last) = match (number(first), number(last)) {
        (Some(first), Some(last)) => (first, last.min(size.checked_sub(1)?)),
        (Some(first), None) => (first, size.checked_sub(1)?),
        (None, Some(count)) if count > 0 => (size.saturating_sub(count), size.checked_sub(1)?),
        _ => return None,
    };
    let span = (u64::try_from(first).ok()?, u64::try_from(last).ok()?);
    (first < size).then_some(span)
}
