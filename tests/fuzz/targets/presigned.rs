//! Queries, and presigned URLs among them.
//!
//! A canonical query decodes to the same pairs; a query that is taken is within its time, and its
//! signature does not cover itself. What Version 2 signs of a query is read back from the signed text: no
//! other query has the same.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use proto::sigv2;
use proto::sigv2::Place;
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

    version_2(query, &pairs);

    let now = Timestamp::parse_basic("20130524T000000Z").expect("it is a time");
    let expected = Expected {
        region: Some("us-east-1"),
        others: &[],
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

/// Reads the query as one that Version 2 signs.
fn version_2(query: &str, pairs: &[(String, String)]) {
    let now = Timestamp::UNIX_EPOCH;
    let presigned = sigv2::Presigned::parse(pairs, now);
    if presigned.is_ok() {
        assert!(sigv2::is_presigned(pairs));
    }
    let expires = presigned.map_or("1".to_owned(), |read| read.expires);
    for place in [Place::Header, Place::Query { expires: &expires }] {
        let request = sigv2::Request {
            method: "GET",
            bucket_in_host: None,
            path: "/b/k",
            query,
            headers: &[],
            place,
        };
        let Ok(text) = request.string_to_sign() else {
            continue;
        };
        let text = String::from_utf8(text).expect("a query is text");
        let (_, resource) = text.split_once("/b/k").expect("the path is signed");
        let mut signed: Vec<_> = pairs
            .iter()
            .filter(|(name, _)| sigv2::is_signed_parameter(name))
            .cloned()
            .collect();
        signed.sort();
        if place == Place::Header {
            assert_eq!(parameters(resource), signed);
        }
    }
}

/// The parameters in a signed text.
fn parameters(resource: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let Some(query) = resource.strip_prefix('?') else {
        return found;
    };
    for part in query.split('&') {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        match found.last_mut() {
            Some((_, last)) if !sigv2::is_signed_parameter(name) => {
                last.push('&');
                last.push_str(part);
            }
            _ => found.push((name.to_owned(), value.to_owned())),
        }
    }
    found
}
