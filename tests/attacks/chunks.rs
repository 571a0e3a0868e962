//! Chunked bodies that lie. The chunk reader's own tests go through the forms one by one; here it
//! is shown that nothing of a body that lies is committed.

use bytes::Bytes;
use http::Method;
use tests::signed::ChunkSigner;
use tests::signed::Cover;
use tests::signed::Draft;
use tests::signed::Signed;

use crate::gate::BUCKET;
use crate::gate::Gate;
use crate::gate::put;

const CRC: &str = "x-amz-checksum-crc32";

/// More than is held in memory, in chunks of 64 KiB.
const LARGE: usize = 1 << 20;
const CHUNK: usize = 1 << 16;

fn trailers() -> Vec<(String, String)> {
    vec![(CRC.to_owned(), "NhCmhg==".to_owned())]
}

fn signed_chunks(gate: &Gate, length: usize) -> Signed {
    gate.sign(put("key", vec![b'x'; length]).cover(Cover::SignedChunks(CHUNK, Vec::new())))
}

/// The start of every chunk's head in a body of signed chunks.
fn heads(body: &[u8]) -> Vec<usize> {
    let mark = b";chunk-signature=";
    let found = body
        .windows(mark.len())
        .enumerate()
        .filter(|(_, window)| window == mark);
    let line_start = |at: usize| {
        body[..at]
            .iter()
            .rposition(|&b| b == b'\n')
            .map_or(0, |n| n + 1)
    };
    found.map(|(at, _)| line_start(at)).collect()
}

/// The chunks of a body, each with its head and its line end; the last with the end of the body.
fn pieces(body: &[u8]) -> Vec<Vec<u8>> {
    let starts = heads(body);
    let ends = starts.iter().skip(1).copied().chain([body.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| body[start..end].to_vec())
        .collect()
}

#[tokio::test]
async fn a_wrong_chunk_signature_is_never_committed() {
    let gate = Gate::open().await;
    for length in [5, LARGE] {
        let whole = signed_chunks(&gate, length);
        let starts = heads(&whole.body);
        for place in [0, starts.len() / 2, starts.len() - 1] {
            let mut body = whole.body.to_vec();
            let at = body[starts[place]..]
                .iter()
                .position(|&byte| byte == b'=')
                .unwrap();
            let digit = &mut body[starts[place] + at + 1];
            *digit = if *digit == b'0' { b'1' } else { b'0' };
            let request = Signed {
                body: body.into(),
                ..whole.clone()
            };
            gate.refuses_body(&request, "SignatureDoesNotMatch", 403)
                .await;
        }
    }
    gate.accepts(&signed_chunks(&gate, LARGE)).await;
}

#[tokio::test]
async fn chunks_in_another_order_or_number_are_never_committed() {
    let gate = Gate::open().await;
    let whole = signed_chunks(&gate, LARGE);
    let pieces = pieces(&whole.body);
    let mut swapped = pieces.clone();
    swapped.swap(1, 2);
    let mut duplicated = pieces.clone();
    duplicated[2] = pieces[1].clone();
    let mut dropped = pieces.clone();
    dropped.remove(1);
    let other =
        gate.sign(put("other", vec![b'y'; LARGE]).cover(Cover::SignedChunks(CHUNK, Vec::new())));
    let mut foreign = pieces.clone();
    foreign[1] = crate::chunks::pieces(&other.body)[1].clone();
    let without_end = pieces[..pieces.len() - 1].to_vec();

    for (damaged, code, status) in [
        (swapped, "SignatureDoesNotMatch", 403),
        (duplicated, "SignatureDoesNotMatch", 403),
        (dropped, "SignatureDoesNotMatch", 403),
        (foreign, "SignatureDoesNotMatch", 403),
        (without_end, "IncompleteBody", 400),
    ] {
        let request = Signed {
            body: damaged.concat().into(),
            ..whole.clone()
        };
        gate.refuses_body(&request, code, status).await;
    }
}

#[tokio::test]
async fn trailers_that_are_wrong_are_never_committed() {
    let gate = Gate::open().await;
    for length in [5, LARGE] {
        let draft = put("key", vec![b'x'; length]);
        let whole = gate.sign(draft.cover(Cover::SignedChunks(CHUNK, trailers())));
        let text = |find: &str, with: &str| {
            let at = whole.body.len() - 250;
            let tail = String::from_utf8(whole.body[at..].to_vec());
            let (start, tail) = match tail {
                Ok(tail) => (whole.body[..at].to_vec(), tail),
                Err(_) => panic!("the tail is text"),
            };
            assert!(tail.contains(find), "{tail}");
            let body = [start, tail.replace(find, with).into_bytes()].concat();
            Signed {
                body: body.into(),
                ..whole.clone()
            }
        };
        let unsigned = text("x-amz-trailer-signature:", "x-amz-checksum-crc32c:");
        gate.refuses_body(&unsigned, "MalformedTrailerError", 400)
            .await;
        let changed = text("NhCmhg==", "NhCmhh==");
        gate.refuses_body(&changed, "SignatureDoesNotMatch", 403)
            .await;
        let renamed = text(CRC, "x-amz-checksum-sha1");
        gate.refuses_body(&renamed, "MalformedTrailerError", 400)
            .await;
        let metadata = text(CRC, "x-amz-meta-sealgate");
        gate.refuses_body(&metadata, "MalformedTrailerError", 400)
            .await;
    }
}

#[tokio::test]
async fn trailers_must_be_checksums_that_were_announced() {
    let gate = Gate::open().await;
    for announced in [
        "x-amz-meta-a",
        "x-amz-meta-sealgate",
        "authorization",
        "",
        "a b",
        "x-amz-acl",
    ] {
        let draft = put("key", "hello").header("x-amz-trailer", announced);
        let request = gate.sign(draft.cover(Cover::UnsignedChunks(8192, trailers())));
        gate.refuses(&request, "InvalidRequest", 400).await;
    }
    let draft = put("key", "hello").header("x-amz-trailer", "x-amz-checksum-sha256");
    let request = gate.sign(draft.cover(Cover::UnsignedChunks(8192, trailers())));
    gate.refuses_body(&request, "MalformedTrailerError", 400)
        .await;
    let twice = [trailers(), trailers()].concat();
    let draft = put("key", "hello").header("x-amz-trailer", CRC);
    let request = gate.sign(draft.cover(Cover::UnsignedChunks(8192, twice)));
    gate.refuses_body(&request, "MalformedTrailerError", 400)
        .await;
}

#[tokio::test]
async fn a_decoded_length_that_is_no_length_is_refused() {
    let gate = Gate::open().await;
    for length in [
        "-1",
        "+5",
        "5.0",
        "0x5",
        " ",
        "9223372036854775808",
        "18446744073709551616",
    ] {
        let draft = put("key", "hello").header("x-amz-decoded-content-length", length);
        let request = gate.sign(draft.cover(Cover::SignedChunks(8192, Vec::new())));
        gate.refuses(&request, "InvalidArgument", 400).await;
    }
}

#[tokio::test]
async fn a_decoded_length_must_be_said_and_kept() {
    let gate = Gate::open().await;
    for length in ["4", "6", "0", "1000000"] {
        let draft = put("key", "hello").header("x-amz-decoded-content-length", length);
        let request = gate.sign(draft.cover(Cover::SignedChunks(8192, Vec::new())));
        gate.refuses_body(&request, "IncompleteBody", 400).await;
    }
    let draft = put("key", "5\r\nhello\r\n0\r\n\r\n");
    let hash = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
    let request = resigned(&gate, draft, hash);
    gate.refuses(&request, "MissingContentLength", 411).await;
}

/// Signs a draft over a hash that its body does not have.
fn resigned(gate: &Gate, draft: Draft, hash: &str) -> Signed {
    let mut request =
        draft
            .clone()
            .cover(Cover::Unsigned)
            .sign(&gate.access, gate.now(), &gate.host);
    let headers: Vec<(String, Vec<u8>)> = request
        .headers
        .iter()
        .filter(|(name, _)| *name != "authorization" && *name != "x-amz-content-sha256")
        .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
        .collect();
    let pairs: Vec<(&str, &[u8])> = headers
        .iter()
        .filter(|(name, _)| name != "host" && name != "x-amz-date")
        .map(|(name, value)| (name.as_str(), value.as_slice()))
        .collect();
    let outbound = proto::sigv4::OutboundRequest {
        method: request.method.as_str(),
        host: &gate.host,
        path: &request.path,
        query: &[],
        headers: &pairs,
        payload_hash: hash,
    };
    let access = &gate.access;
    let credentials =
        proto::sigv4::Credentials::new(&access.access_key_id, &access.secret_access_key);
    let added = proto::sigv4::sign_request(&outbound, &credentials, "us-east-1", "s3", gate.now());
    for (name, value) in added {
        request.headers.insert(name, value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn small_chunks_before_the_last_are_refused() {
    let gate = Gate::open().await;
    for cover in [
        Cover::SignedChunks(8191, Vec::new()),
        Cover::UnsignedChunks(8191, trailers()),
        Cover::UnsignedChunks(1, trailers()),
    ] {
        let request = gate.sign(put("key", vec![b'x'; 20_000]).cover(cover));
        gate.refuses_body(&request, "InvalidChunkSizeError", 403)
            .await;
    }
}

#[tokio::test]
async fn chunk_heads_in_other_forms_are_refused() {
    let gate = Gate::open().await;
    let long = "e".repeat(1 << 20);
    for head in [
        "+5",
        "-5",
        " 5",
        "0x5",
        "",
        "5;a=b",
        "ffffffffffffffff",
        "10000000000000000005",
        &long,
        "5\n",
    ] {
        let draft = put("key", "hello").cover(Cover::UnsignedChunks(8192, trailers()));
        let mut request = gate.sign(draft);
        let body = format!("{head}\r\nhello\r\n0\r\n{CRC}:NhCmhg==\r\n\r\n");
        request.body = Bytes::from(body);
        gate.refuses_body(&request, "IncompleteBody", 400).await;
    }
}

#[tokio::test]
async fn what_follows_the_end_of_the_body_is_refused() {
    let gate = Gate::open().await;
    let mut request = signed_chunks(&gate, 5);
    request.body = [request.body.as_ref(), b"0\r\n\r\n"].concat().into();
    gate.refuses_body(&request, "IncompleteBody", 400).await;
}

#[tokio::test]
async fn a_body_that_breaks_off_is_never_committed() {
    let gate = Gate::open().await;
    let whole = signed_chunks(&gate, LARGE);
    for length in [0, 1, 50, 86, 87, CHUNK, LARGE / 2, whole.body.len() - 3] {
        let mut cut = whole.clone();
        cut.body = whole.body.slice(..length);
        gate.refuses_body(&cut, "IncompleteBody", 400).await;

        // The connection closes in the middle of what was announced.
        let mut bytes = whole.to_bytes();
        bytes.truncate(bytes.len() - (whole.body.len() - length));
        gate.target.exchange(&bytes, true).await.unwrap();
        gate.expect_nothing_stored();
    }
}

#[tokio::test]
async fn the_chunks_of_one_request_do_not_serve_another() {
    let gate = Gate::open().await;
    let one = signed_chunks(&gate, 5);
    let draft = put("other", "xxxxx").cover(Cover::SignedChunks(CHUNK, Vec::new()));
    let other = Signed {
        body: one.body,
        ..gate.sign(draft)
    };
    gate.refuses_body(&other, "SignatureDoesNotMatch", 403)
        .await;
}

#[tokio::test]
async fn a_chunk_signed_after_the_end_is_refused() {
    let gate = Gate::open().await;
    let request = signed_chunks(&gate, 5);
    let value = request.headers["authorization"].to_str().unwrap();
    let seed = value.rsplit_once("Signature=").unwrap().1.to_owned();
    let mut signer = ChunkSigner::new(&gate.access, gate.now(), seed);
    let body = [
        signer.chunk(b"xxxxx"),
        signer.chunk(b""),
        b"\r\n".to_vec(),
        signer.chunk(b"more"),
    ];
    let request = Signed {
        body: body.concat().into(),
        ..request
    };
    gate.refuses_body(&request, "IncompleteBody", 400).await;
}

#[tokio::test]
async fn chunked_bodies_without_a_content_length_are_let_in() {
    let gate = Gate::open().await;
    let mut request = signed_chunks(&gate, 5);
    request
        .headers
        .insert("transfer-encoding", "chunked".parse().unwrap());
    let framed = [
        format!("{:x}\r\n", request.body.len()).into_bytes(),
        request.body.to_vec(),
        b"\r\n0\r\n\r\n".to_vec(),
    ];
    request.body = framed.concat().into();
    let answer = crate::framing::talk(&gate, &request.to_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(
        gate.backend.requests_on(&Method::PUT, BUCKET, "key").len(),
        1
    );
}
