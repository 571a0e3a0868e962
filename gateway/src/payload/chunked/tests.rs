//! Chunked bodies, whole and damaged. Each case is read in pieces of several sizes.

use std::sync::Arc;

use proto::sigv4::CredentialScope;
use proto::sigv4::SigningKey;
use proto::time::Timestamp;

use super::*;

const SEED: &str = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";

/// The example of AWS's documentation.
fn signing() -> ChunkSigning {
    let scope = CredentialScope {
        date: "20130524".to_owned(),
        region: "us-east-1".to_owned(),
        service: "s3".to_owned(),
    };
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    ChunkSigning {
        key: Arc::new(SigningKey::derive(secret, &scope)),
        timestamp: Timestamp::parse_basic("20130524T000000Z").unwrap(),
        scope,
        previous: SEED.to_owned(),
    }
}

/// Writes signed chunks as a client would.
fn signed(chunks: &[&[u8]], trailers: &[(&str, &str)]) -> Vec<Vec<u8>> {
    let mut signing = signing();
    let mut out = Vec::new();
    for chunk in chunks.iter().chain([&b"".as_slice()]) {
        let hash = sigv4::sha256_hex(chunk);
        let (time, scope) = (signing.timestamp, &signing.scope);
        let text = sigv4::chunk_string_to_sign(time, scope, &signing.previous, &hash);
        signing.previous = signing.key.sign(&text);
        let head = format!("{:x};chunk-signature={}\r\n", chunk.len(), signing.previous);
        let mut piece = head.into_bytes();
        if !chunk.is_empty() {
            piece.extend_from_slice(chunk);
            piece.extend_from_slice(b"\r\n");
        }
        out.push(piece);
    }
    let mut end = String::new();
    for (name, value) in trailers {
        end.push_str(&format!("{name}:{value}\r\n"));
    }
    if !trailers.is_empty() {
        let hash = sigv4::sha256_hex(sigv4::canonical_trailers(trailers).as_bytes());
        let (time, scope) = (signing.timestamp, &signing.scope);
        let text = sigv4::trailer_string_to_sign(time, scope, &signing.previous, &hash);
        end.push_str(&format!(
            "{TRAILER_SIGNATURE}:{}\r\n",
            signing.key.sign(&text)
        ));
    }
    end.push_str("\r\n");
    out.push(end.into_bytes());
    out
}

fn names(announced: &[&'static str]) -> Vec<HeaderName> {
    announced
        .iter()
        .map(|name| HeaderName::from_static(name))
        .collect()
}

/// Decodes `body` in pieces of `step` bytes.
fn run(decoder: &mut Decoder, body: &[u8], step: usize) -> Result<Vec<u8>, S3Error> {
    let mut content = Vec::new();
    for piece in body.chunks(step) {
        let mut input = Bytes::copy_from_slice(piece);
        while let Some(bytes) = decoder.decode(&mut input)? {
            assert!(!bytes.is_empty());
            content.extend_from_slice(&bytes);
        }
    }
    decoder.finish()?;
    Ok(content)
}

/// Decodes `body` in pieces of several sizes, which must all agree.
fn decode(
    body: &[u8],
    length: u64,
    is_signed: bool,
    announced: &[&'static str],
) -> Result<(Vec<u8>, HeaderMap), S3Code> {
    let outcomes = [1, 7, 97, body.len().max(1)].map(|step| {
        let signing = is_signed.then(signing);
        let mut decoder = Decoder::new(length, signing, names(announced));
        let content = run(&mut decoder, body, step).map_err(|error| error.code())?;
        Ok((content, std::mem::take(&mut decoder.trailers)))
    });
    let [first, rest @ ..] = outcomes;
    for other in rest {
        assert_eq!(first, other, "the size of the pieces must not matter");
    }
    first
}

fn unsigned(body: &str, length: u64) -> Result<Vec<u8>, S3Code> {
    decode(body.as_bytes(), length, false, &[]).map(|(content, _)| content)
}

const CRC: &str = "x-amz-checksum-crc32c";

#[test]
fn the_example_of_the_documentation_is_decoded() {
    let chunks: [&[u8]; 2] = [&[b'a'; 65_536], &[b'a'; 1_024]];
    let body = signed(&chunks, &[]);
    let head = String::from_utf8_lossy(&body[0][..90]).into_owned();
    assert!(head.starts_with(
        "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"
    ));
    let (content, _) = decode(&body.concat(), 66_560, true, &[]).unwrap();
    assert_eq!(content, vec![b'a'; 66_560]);
}

#[test]
fn signed_trailers_are_given_out_at_the_end() {
    let body = signed(&[b"hello"], &[(CRC, "mnG7TA==")]).concat();
    let (content, trailers) = decode(&body, 5, true, &[CRC]).unwrap();
    assert_eq!(content, b"hello");
    assert_eq!(trailers[CRC], "mnG7TA==");
}

#[test]
fn unsigned_trailers_are_given_out_at_the_end() {
    let body = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32c: mnG7TA== \r\n\r\n";
    let (content, trailers) = decode(body, 5, false, &[CRC]).unwrap();
    assert_eq!(content, b"hello");
    assert_eq!(trailers[CRC], "mnG7TA==");
}

#[test]
fn a_signed_trailer_may_end_in_a_line_feed_alone_or_with_an_empty_line_before_its_signature() {
    let mut body = signed(&[b"hello"], &[(CRC, "mnG7TA==")]);
    let end = String::from_utf8(body.pop().unwrap()).unwrap();
    for line_end in ["==\n", "==\n\r\n"] {
        let end = end.replacen("==\r\n", line_end, 1);
        let whole = [body.concat().as_slice(), end.as_bytes()].concat();
        assert!(decode(&whole, 5, true, &[CRC]).is_ok(), "{line_end:?}");
        // The signature is needed as before.
        let (unsigned, _) = end.split_once(TRAILER_SIGNATURE).unwrap();
        let whole = [body.concat().as_slice(), unsigned.as_bytes()].concat();
        assert!(decode(&whole, 5, true, &[CRC]).is_err(), "{line_end:?}");
    }
}

#[test]
fn an_unsigned_trailer_may_end_in_a_line_feed_and_up_to_two_empty_lines() {
    for end in ["\n\r\n\r\n", "\n\r\n"] {
        let body = format!("5\r\nhello\r\n0\r\n{CRC}:mnG7TA=={end}");
        let (content, trailers) = decode(body.as_bytes(), 5, false, &[CRC]).unwrap();
        assert_eq!(content, b"hello");
        assert_eq!(trailers[CRC], "mnG7TA==");
    }
    for end in [
        "\n",
        "\n\r\n\r\n\r\n",
        "\r\n\r\n\r\n",
        "\n\r\nx-amz-checksum-sha1:a\r\n\r\n",
        "\n\r\nmore",
    ] {
        let body = format!("5\r\nhello\r\n0\r\n{CRC}:mnG7TA=={end}");
        let names = [CRC, "x-amz-checksum-sha1"];
        let announced = if end.contains("sha1") {
            &names[..]
        } else {
            &names[..1]
        };
        assert!(
            decode(body.as_bytes(), 5, false, announced).is_err(),
            "{end:?}"
        );
    }
}

#[test]
fn an_empty_body_is_one_empty_chunk() {
    assert_eq!(unsigned("0\r\n\r\n", 0), Ok(Vec::new()));
    assert!(decode(&signed(&[], &[]).concat(), 0, true, &[]).is_ok());
    assert_eq!(unsigned("", 0), Err(S3Code::IncompleteBody));
}

#[test]
fn a_changed_chunk_signature_is_refused_in_every_place() {
    let long = [b'x'; 8192];
    let pieces = signed(&[&long, &long, b"end"], &[]);
    for place in 0..4 {
        let mut damaged = pieces.clone();
        let at = damaged[place]
            .iter()
            .position(|&byte| byte == b'=')
            .unwrap()
            + 1;
        damaged[place][at] = if damaged[place][at] == b'0' {
            b'1'
        } else {
            b'0'
        };
        let outcome = decode(&damaged.concat(), 16_387, true, &[]);
        assert_eq!(outcome, Err(S3Code::SignatureDoesNotMatch), "chunk {place}");
    }
}

#[test]
fn a_changed_byte_of_a_chunk_is_refused() {
    let long = [b'x'; 8192];
    let pieces = signed(&[&long, b"end"], &[]);
    for place in 0..2 {
        let mut damaged = pieces.clone();
        let last = damaged[place].len() - 3;
        damaged[place][last] ^= 1;
        let outcome = decode(&damaged.concat(), 8_195, true, &[]);
        assert_eq!(outcome, Err(S3Code::SignatureDoesNotMatch), "chunk {place}");
    }
}

#[test]
fn chunks_swapped_duplicated_dropped_or_foreign_are_refused() {
    let (a, b) = ([b'a'; 8192], [b'b'; 8192]);
    let pieces = signed(&[&a, &b], &[]);
    let [first, second, last, end] = pieces.as_slice() else {
        panic!("four pieces")
    };
    let foreign = signed(&[&b, &a], &[]);
    for (case, order) in [
        ("swapped", vec![second, first, last, end]),
        ("duplicated", vec![first, first, last, end]),
        ("foreign", vec![first, &foreign[1], last, end]),
        ("end of another", vec![first, second, &foreign[2], end]),
    ] {
        let body: Vec<u8> = order.into_iter().flatten().copied().collect();
        let outcome = decode(&body, 16_384, true, &[]);
        assert_eq!(outcome, Err(S3Code::SignatureDoesNotMatch), "{case}");
    }
    let dropped = [first.as_slice(), last, end].concat();
    assert_eq!(
        decode(&dropped, 16_384, true, &[]),
        Err(S3Code::IncompleteBody)
    );
    assert_eq!(
        decode(&dropped, 8_192, true, &[]),
        Err(S3Code::SignatureDoesNotMatch)
    );
}

#[test]
fn the_final_chunk_must_come_and_be_signed() {
    let pieces = signed(&[b"hello"], &[]);
    assert_eq!(
        decode(&pieces[0], 5, true, &[]),
        Err(S3Code::IncompleteBody)
    );
    let unsigned_end = [pieces[0].as_slice(), b"0\r\n\r\n"].concat();
    assert_eq!(
        decode(&unsigned_end, 5, true, &[]),
        Err(S3Code::IncompleteBody)
    );
    let without_line = pieces[..2].concat();
    assert!(decode(&without_line, 5, true, &[]).is_ok());
}

#[test]
fn trailers_that_are_unsigned_or_signed_wrongly_are_refused() {
    let mut body = signed(&[b"hello"], &[(CRC, "mnG7TA==")]);
    let end = String::from_utf8(body.pop().unwrap()).unwrap();
    let damaged = |end: String| {
        let body = [body.concat(), end.into_bytes()].concat();
        decode(&body, 5, true, &[CRC]).unwrap_err()
    };

    assert_eq!(
        damaged(end.replace("mnG7", "mnG8")),
        S3Code::SignatureDoesNotMatch
    );
    let zeros = format!(
        "{CRC}:mnG7TA==\r\n{TRAILER_SIGNATURE}:{}\r\n\r\n",
        "0".repeat(64)
    );
    assert_eq!(damaged(zeros), S3Code::SignatureDoesNotMatch);
    assert_eq!(
        damaged(format!("{CRC}:mnG7TA==\r\n\r\n")),
        S3Code::MalformedTrailer
    );
    let after = end.replace("\r\n\r\n", &format!("\r\n{CRC}:mnG7TA==\r\n\r\n"));
    assert_eq!(damaged(after), S3Code::MalformedTrailer);
    assert_eq!(damaged("\r\n".to_owned()), S3Code::MalformedTrailer);
}

#[test]
fn trailers_must_be_those_announced() {
    let body = |end: &str| format!("5\r\nhello\r\n0\r\n{end}\r\n").into_bytes();
    let refuse = |end: &str, announced: &[&'static str]| {
        let outcome = decode(&body(end), 5, false, announced);
        assert_eq!(outcome.unwrap_err(), S3Code::MalformedTrailer, "{end:?}");
    };
    refuse("x-amz-checksum-crc32c:mnG7TA==\r\n", &[]);
    refuse("", &[CRC]);
    refuse("x-amz-checksum-crc32:mnG7TA==\r\n", &[CRC]);
    refuse(
        "x-amz-checksum-crc32c:a\r\nx-amz-checksum-crc32c:a\r\n",
        &[CRC],
    );
    refuse("x-amz-meta-sealgate:a\r\n", &[CRC]);
    refuse("x-amz-checksum-crc32c\r\n", &[CRC]);
    refuse("x-amz-trailer-signature:00\r\n", &[]);
    let upper = body("X-Amz-Checksum-CRC32C:mnG7TA==\r\n");
    assert!(decode(&upper, 5, false, &[CRC]).is_ok());
}

#[test]
fn a_decoded_length_that_is_not_kept_is_refused() {
    for length in [4, 6, u64::MAX] {
        let outcome = unsigned("5\r\nhello\r\n0\r\n\r\n", length);
        assert_eq!(outcome, Err(S3Code::IncompleteBody), "{length}");
    }
}

#[test]
fn only_the_last_chunk_may_be_small() {
    let small = "x".repeat(8191);
    let body = format!("1fff\r\n{small}\r\n1\r\ny\r\n0\r\n\r\n");
    assert_eq!(unsigned(&body, 8192), Err(S3Code::InvalidChunkSize));
    let enough = format!("2000\r\n{small}x\r\n1\r\ny\r\n0\r\n\r\n");
    assert_eq!(unsigned(&enough, 8193).unwrap().len(), 8193);
}

#[test]
fn a_chunk_that_is_too_small_is_named_by_its_number_and_size() {
    let (whole, small) = ("x".repeat(8192), "y".repeat(100));
    let body = format!("2000\r\n{whole}\r\n64\r\n{small}\r\n1\r\nz\r\n0\r\n\r\n");
    let mut decoder = Decoder::new(8293, None, Vec::new());
    let error = run(&mut decoder, body.as_bytes(), body.len()).unwrap_err();
    let details = [("Chunk", "2"), ("BadChunkSize", "100")];
    assert_eq!(
        error.details(),
        details.map(|(name, value)| (name, value.to_owned()))
    );
}

#[test]
fn sizes_in_other_forms_are_refused() {
    for size in [
        "+5",
        "-5",
        " 5",
        "5 ",
        "0x5",
        "",
        "5;a=b",
        "5;chunk-signature=",
        "g",
        "00000000000000005",
        "10000000000000005",
        "ffffffffffffffff",
        "8000000000000000",
        "5\t",
        "٥",
    ] {
        let body = format!("{size}\r\nhello\r\n0\r\n\r\n");
        assert_eq!(unsigned(&body, 5), Err(S3Code::IncompleteBody), "{size:?}");
    }
    assert_eq!(
        unsigned("0000000000000005\r\nhello\r\n0\r\n\r\n", 5).unwrap(),
        b"hello"
    );
    let upper = format!("A\r\n{}\r\n0\r\n\r\n", "x".repeat(10));
    assert_eq!(unsigned(&upper, 10).unwrap().len(), 10);
}

#[test]
fn lines_that_end_otherwise_are_refused() {
    for body in [
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello!\r\n0\r\n\r\n",
        "5\r\nhell\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\nmore",
        "5\r\nhello\r\n0\r\n\r\n0\r\n\r\n",
        "5\r\nhel",
        "5\r\nhello\r\n",
    ] {
        assert_eq!(unsigned(body, 5), Err(S3Code::IncompleteBody), "{body:?}");
    }
}

#[test]
fn a_line_takes_bounded_memory() {
    let mut decoder = Decoder::new(5, None, Vec::new());
    let mut input = Bytes::from(vec![b'0'; 1 << 20]);
    assert!(decoder.decode(&mut input).is_err());
    assert!(decoder.line.capacity() <= 2 * LINE_BYTES_MAX);

    let extension = format!("5;{}\r\nhello\r\n0\r\n\r\n", "e".repeat(1 << 20));
    assert_eq!(unsigned(&extension, 5), Err(S3Code::IncompleteBody));
}

#[test]
fn a_line_has_at_most_512_bytes_with_its_end() {
    let trailer = |bytes: usize| {
        let value = "v".repeat(bytes - CRC.len() - ":\r\n".len());
        let body = format!("5\r\nhello\r\n0\r\n{CRC}:{value}\r\n\r\n");
        decode(body.as_bytes(), 5, false, &[CRC]).map(|_| ())
    };
    assert_eq!(trailer(512), Ok(()));
    assert_eq!(trailer(513), Err(S3Code::IncompleteBody));
}

#[test]
fn the_last_bytes_of_a_chunk_with_a_wrong_signature_are_not_given_out() {
    let body = signed(&[b"hello"], &[]).concat();
    let body = String::from_utf8(body).unwrap().replace("hello", "hallo");
    let mut decoder = Decoder::new(5, Some(signing()), Vec::new());
    let mut input = Bytes::from(body);
    assert!(decoder.decode(&mut input).is_err());
}

/// Decodes at once, and gives content and trailers.
fn outcome(body: &[u8], length: u64) -> Result<(Vec<u8>, HeaderMap), S3Error> {
    let mut decoder = Decoder::new(length, Some(signing()), names(&[CRC]));
    let content = run(&mut decoder, body, body.len().max(1))?;
    Ok((content, std::mem::take(&mut decoder.trailers)))
}

#[test]
fn no_change_of_a_byte_makes_other_content_or_trailers_pass() {
    let long = [b'x'; 8192];
    let body = signed(&[&long, b"end"], &[(CRC, "mnG7TA==")]).concat();
    let whole = outcome(&body, 8_195).unwrap();
    let edges = (0..200).chain(8_200..body.len());
    for at in edges.filter(|at| *at < body.len()) {
        for change in [0x01, 0x20, 0x80, 0x0d ^ 0x0a] {
            let mut damaged = body.clone();
            damaged[at] ^= change;
            if let Ok(other) = outcome(&damaged, 8_195) {
                assert_eq!(other, whole, "byte {at} changed by {change:#x}");
            }
        }
    }
}

#[test]
fn a_body_cut_anywhere_does_not_end() {
    let body = signed(&[b"hello"], &[(CRC, "mnG7TA==")]).concat();
    for length in 0..body.len() {
        assert!(
            outcome(&body[..length], 5).is_err(),
            "cut after {length} bytes"
        );
    }
}
