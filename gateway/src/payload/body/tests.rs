//! Bodies from the connection to the operation, as their signature covers them.

use std::io;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::StreamExt as _;
use futures_util::stream;
use http::HeaderValue;
use http_body::Frame;
use http_body_util::Full;
use http_body_util::StreamBody;

use super::*;
use crate::payload::WireLimits;

const CRC: &str = "x-amz-checksum-crc32c";

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        let name = HeaderName::from_static(name);
        (name, HeaderValue::from_static(value))
    };
    pairs.iter().map(pair).collect()
}

fn sha256(body: &[u8]) -> PayloadHash {
    PayloadHash::parse(&sigv4::sha256_hex(body)).unwrap()
}

/// All bytes of a body, or the error that they end in.
fn read(mut payload: Payload) -> Result<Vec<u8>, S3Code> {
    let mut content = Vec::new();
    while let Some(bytes) = payload.next().now_or_never().unwrap() {
        content.extend(bytes.map_err(|error| error.code())?);
    }
    Ok(content)
}

/// The body of an anonymous request, as `hash` covers it.
fn payload(
    hash: PayloadHash,
    body: &'static str,
    pairs: &[(&'static str, &'static str)],
) -> Result<Payload, S3Code> {
    let wire = Wire::new(Full::new(Bytes::from(body)), WireLimits::default());
    let coverage = Coverage::unsigned(hash).unwrap();
    covered(wire, &headers(pairs), coverage).map_err(|error| error.code())
}

/// A body in these frames, without a signature.
fn framed(frames: Vec<io::Result<Frame<Bytes>>>) -> Result<Vec<u8>, S3Code> {
    let body = StreamBody::new(stream::iter(frames));
    let wire = Wire::new(body, WireLimits::default());
    let coverage = Coverage::unsigned(PayloadHash::Unsigned).unwrap();
    read(covered(wire, &HeaderMap::new(), coverage).unwrap())
}

#[test]
fn a_body_of_another_hash_than_the_signed_one_does_not_end() {
    let good = payload(sha256(b"hello"), "hello", &[]).unwrap();
    assert_eq!(good.length(), Some(5));
    assert_eq!(read(good), Ok(b"hello".to_vec()));
    let mismatch = S3Code::XAmzContentSha256Mismatch;
    for signed in [&b"hallo"[..], b""] {
        let other = payload(sha256(signed), "hello", &[]).unwrap();
        assert_eq!(read(other), Err(mismatch));
    }
    let empty = payload(sha256(b"hello"), "", &[]);
    assert_eq!(empty.err(), Some(mismatch));
}

#[test]
fn a_body_without_bytes_is_empty_however_it_is_covered() {
    for hash in [sha256(b""), PayloadHash::Unsigned] {
        let empty = payload(hash, "", &[]).unwrap();
        assert_eq!(empty.length(), Some(0));
        assert_eq!(read(empty), Ok(Vec::new()));
    }
}

#[test]
fn a_body_that_no_signature_covers_is_given_out_as_it_comes() {
    let plain = payload(PayloadHash::Unsigned, "hello", &[]).unwrap();
    assert_eq!(plain.length(), Some(5));
    assert_eq!(read(plain), Ok(b"hello".to_vec()));
}

#[test]
fn a_chunked_body_has_its_decoded_length_and_its_trailers() {
    let pairs = [
        ("x-amz-decoded-content-length", "5"),
        ("x-amz-trailer", CRC),
    ];
    let body = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32c:mnG7TA==\r\n\r\n";
    let mut chunked = payload(PayloadHash::UnsignedTrailer, body, &pairs).unwrap();
    assert_eq!(chunked.length(), Some(5));
    assert_eq!(chunked.announced_trailers(), [CRC]);
    let whole = chunked.collect(5).now_or_never().unwrap();
    assert_eq!(whole.unwrap(), "hello");
    assert_eq!(chunked.trailers()[CRC], "mnG7TA==");
}

#[test]
fn a_chunked_body_needs_its_decoded_length_as_digits() {
    let decoded = |length| {
        let pairs = [("x-amz-decoded-content-length", length)];
        content_length(&headers(&pairs)).map_err(|error| error.code())
    };
    assert_eq!(decoded("0"), Ok(0));
    assert_eq!(decoded("9223372036854775807"), Ok(i64::MAX as u64));
    for length in ["", "+5", "-5", " 5", "5.0", "0x5", "9223372036854775808"] {
        assert_eq!(decoded(length), Err(S3Code::InvalidArgument), "{length:?}");
    }
    let missing = payload(PayloadHash::UnsignedTrailer, "0\r\n\r\n", &[]);
    assert_eq!(missing.err(), Some(S3Code::MissingContentLength));
}

#[test]
fn only_checksums_may_be_announced_as_trailers_and_each_once() {
    let announced = |names, with_trailers| {
        let headers = headers(&[("x-amz-trailer", names)]);
        announced_trailers(&headers, with_trailers).map_err(|error| error.code())
    };
    let both = announced("x-amz-checksum-crc32c, X-Amz-Checksum-SHA256", true).unwrap();
    assert_eq!(both, [CRC, "x-amz-checksum-sha256"]);
    assert_eq!(
        announced_trailers(&HeaderMap::new(), true).unwrap(),
        [""; 0]
    );
    for (names, with_trailers) in [
        ("x-amz-checksum-crc32c", false),
        ("x-amz-meta-a", true),
        ("content-type", true),
        ("x-amz-checksum-crc32c,x-amz-checksum-crc32c", true),
        ("x-amz-checksum-crc32c,", true),
        ("x amz", true),
    ] {
        let error = announced(names, with_trailers).unwrap_err();
        assert_eq!(error, S3Code::InvalidRequest, "{names:?}");
    }
}

#[test]
fn empty_frames_and_trailers_of_the_framing_are_left_out() {
    let data = |bytes: &'static str| Ok(Frame::data(Bytes::from(bytes)));
    let trailers = headers(&[("x-amz-checksum-crc32c", "AAAAAA==")]);
    let frames = vec![
        data("he"),
        data(""),
        data("llo"),
        Ok(Frame::trailers(trailers)),
    ];
    assert_eq!(framed(frames), Ok(b"hello".to_vec()));
}

#[test]
fn a_body_that_breaks_off_is_incomplete() {
    let reset = io::Error::from(io::ErrorKind::ConnectionReset);
    let frames = vec![Ok(Frame::data(Bytes::from("he"))), Err(reset)];
    assert_eq!(framed(frames), Err(S3Code::IncompleteBody));
}

/// The body of a client that sends two bytes and then nothing, where three must come in each window.
fn stalled(window: Duration) -> Payload {
    let sent = stream::iter([Ok::<_, io::Error>(Frame::data(Bytes::from("he")))]);
    let body = StreamBody::new(sent.chain(stream::pending()));
    let limits = WireLimits {
        window,
        window_bytes_min: 3,
    };
    let coverage = Coverage::unsigned(PayloadHash::Unsigned).unwrap();
    covered(Wire::new(body, limits), &HeaderMap::new(), coverage).unwrap()
}

#[tokio::test]
async fn a_client_that_stops_sending_is_cut_off_when_its_window_is_over() {
    let mut cut_off = stalled(Duration::ZERO);
    assert_eq!(cut_off.next().await.unwrap().unwrap(), "he");
    for _ in 0..2 {
        let error = cut_off.next().await.unwrap().unwrap_err();
        assert_eq!(error.code(), S3Code::RequestTimeout);
    }
    let mut in_time = stalled(Duration::from_secs(3_600));
    assert_eq!(in_time.next().await.unwrap().unwrap(), "he");
    assert!(in_time.next().now_or_never().is_none());
}
