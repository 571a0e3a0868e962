//! The header `x-amz-copy-source`.
//!
//! What was read, encoded again, names the same object; a key has at most 1,024 bytes.

#![no_main]

use gateway::fuzzing::CopySource;
use http::HeaderMap;
use http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use proto::sigv4;

fuzz_target!(|header: &[u8]| {
    let Some(read) = parse(header) else {
        return;
    };
    assert!((1..=1_024).contains(&read.key.len()));
    assert!(!read.bucket.contains('/') && !read.bucket.contains(".."));
    let mut again = format!(
        "/{}{}",
        read.bucket,
        sigv4::encode_path(format!("/{}", read.key).as_bytes())
    );
    if let Some(version) = &read.version {
        again.push_str("?versionId=");
        again.push_str(&sigv4::encode_component(version));
    }
    assert_eq!(parse(again.as_bytes()), Some(read));
});

fn parse(header: &[u8]) -> Option<CopySource> {
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-copy-source", HeaderValue::from_bytes(header).ok()?);
    CopySource::read(&headers).ok()
}
