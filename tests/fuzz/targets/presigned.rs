//! Queries, and presigned URLs among them.
//!
//! A canonical query decodes to the same pairs; a query that is taken is within its time, and its
//! signature does not cover itself.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use proto::sigv4;
use proto::sigv4::Expected;
use proto::sigv4::Presigned;
use proto::time::Timestamp;

fuzz_target!(|query: &str| {
    let Ok(pairs) = sigv4::decode_query(query) else {
        return;
    };
    let borrowed: Vec<_> = pairs
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    let canonical = sigv4::canonical_query(&borrowed);
    let mut again = sigv4::decode_query(&canonical).expect("a canonical query decodes");
    let mut sorted = pairs.clone();
    again.sort_unstable();
    sorted.sort_unstable();
    if !pairs.is_empty() && !canonical.is_empty() {
        assert_eq!(again, sorted);
    }

    let now = Timestamp::parse_basic("20130524T000000Z").expect("it is a time");
    let expected = Expected {
        region: Some("us-east-1"),
        service: "s3",
    };
    let Ok(read) = Presigned::parse(&pairs, &expected, now) else {
        return;
    };
    assert!(sigv4::is_presigned(&pairs));
    assert!(read.expires <= Duration::from_secs(604_800));
    assert!(read.expires_at() >= now);
    assert!(read.date.since(now) <= Duration::from_secs(900));
    let signed = Presigned::signed_query(&pairs);
    assert_eq!(signed.len() + 1, pairs.len());
    assert!(signed.iter().all(|(name, _)| *name != "X-Amz-Signature"));
});
