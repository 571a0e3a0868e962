//! Addresses: what bucket, key and query a request is about.
//!
//! Input: the request target and the host, with a zero byte between them. A request has one reading:
//! the target that its parts are encoded to reads the same.

#![no_main]

use gateway::route;
use gateway::route::BaseDomains;
use http::Uri;
use libfuzzer_sys::fuzz_target;
use proto::sigv4;

fuzz_target!(|input: &str| {
    let (target, host) = input.split_once('\0').unwrap_or((input, ""));
    let Ok(uri) = target.parse::<Uri>() else {
        return;
    };
    let bases = BaseDomains::new(["s3.example.com".to_owned()]);
    let host = Some(host).filter(|host| !host.is_empty());
    let Ok(read) = route::target(&uri, host, &bases) else {
        return;
    };
    let (bucket, key) = (read.bucket.as_deref(), read.key.as_deref());
    assert!(bucket.is_none_or(|bucket| !bucket.is_empty() && !bucket.contains('/')));
    assert!(key.is_none_or(|key| (1..=1_024).contains(&key.len())));
    assert!(key.is_none() || bucket.is_some());

    let path = match (bucket, key) {
        (Some(bucket), Some(key)) => format!("/{bucket}/{key}"),
        (Some(bucket), None) => format!("/{bucket}"),
        _ => "/".to_owned(),
    };
    let pairs: Vec<_> = read.query.iter().collect();
    let again = format!(
        "{}?{}",
        sigv4::encode_path(path.as_bytes()),
        sigv4::canonical_query(&pairs)
    );
    let again = again.parse::<Uri>().expect("it is encoded");
    let again = route::target(&again, None, &bases).expect("it is an address");
    assert_eq!(
        (again.bucket.as_deref(), again.key.as_deref()),
        (bucket, key)
    );
    let sorted = |query: &gateway::fuzzing::Query| {
        let mut pairs = query.pairs().to_vec();
        pairs.sort_unstable();
        pairs
    };
    assert_eq!(sorted(&again.query), sorted(&read.query));
});
