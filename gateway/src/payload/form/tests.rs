//! Forms as clients write them, read piece by piece.

use std::task::Context;
use std::task::Poll;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::HeaderMap;
use http::HeaderValue;

use crate::error::S3Error;
use crate::payload::Form;
use crate::request::Payload;
use crate::request::PayloadStream;

/// A body that comes in pieces of one size.
struct Pieces(Bytes, usize);

impl PayloadStream for Pieces {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, S3Error>>> {
        let piece = self.0.split_to(self.0.len().min(self.1));
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}

fn read(body: &[u8], boundary: &str, piece: usize) -> Result<Form, S3Error> {
    let mut headers = HeaderMap::new();
    let content_type = format!("multipart/form-data; boundary={boundary}");
    let content_type = HeaderValue::from_str(&content_type).unwrap();
    headers.insert(http::header::CONTENT_TYPE, content_type);
    let body = Bytes::copy_from_slice(body);
    let length = body.len() as u64;
    let payload = Payload::from_stream(Pieces(body, piece), Some(length));
    Form::read(payload, &headers).now_or_never().unwrap()
}

fn payload(form: Form) -> Result<Payload, S3Error> {
    form.file(256 << 10).now_or_never().unwrap()
}

fn file(form: Form) -> Result<Vec<u8>, S3Error> {
    bytes_of(payload(form)?)
}

fn bytes_of(mut payload: Payload) -> Result<Vec<u8>, S3Error> {
    let mut file = Vec::new();
    while let Some(bytes) = payload.next().now_or_never().unwrap() {
        file.extend(bytes?);
    }
    Ok(file)
}

fn body(disposition: &str, file: &[u8]) -> Vec<u8> {
    let start = format!(
        "--b\r\nContent-Disposition: form-data; name=key\r\n\r\na/${{filename}}\r\n--b\r\n\
         Content-Disposition: {disposition}\r\nContent-Type: text/x\r\n\r\n"
    );
    [start.as_bytes(), file, b"\r\n--b--\r\n"].concat()
}

#[test]
fn a_form_is_read_alike_in_pieces_of_any_size() {
    for length in [0, 1, 5, 300_000] {
        let sent: Vec<u8> = (0..length).map(|at| b"\r\n--"[at % 4]).collect();
        let body = body("form-data; name=\"file\"; filename=\"f\"", &sent);
        for piece in [1, 2, 3, 7, 4_096, 1_000_000] {
            if piece < 7 && length > 5 {
                continue;
            }
            let form = read(&body, "b", piece).unwrap();
            assert_eq!(form.fields.get("key"), Some("a/f"));
            let payload = payload(form).unwrap();
            assert_eq!(payload.length(), Some(length as u64));
            let read = bytes_of(payload).unwrap();
            assert_eq!(read, sent, "{length} bytes by {piece}");
        }
    }
}

#[test]
fn the_names_of_files_are_read_as_browsers_write_them() {
    for (disposition, name) in [
        ("form-data; name=\"file\"; filename=\"f.txt\"", "f.txt"),
        ("form-data; name=file; filename=f.txt", "f.txt"),
        ("FORM-DATA;NAME=\"File\" ; FileName=\"f.txt\" ;", "f.txt"),
        (
            "form-data; filename=\"a\\\"b.txt\"; name=\"file\"",
            "a\"b.txt",
        ),
        (
            "form-data; name=\"file\"; filename=\"C:\\dir\\f.txt\"",
            "f.txt",
        ),
        (
            "form-data; name=\"file\"; filename=\"a;b=c.txt\"",
            "a;b=c.txt",
        ),
        (
            "form-data; name=\"file\"; filename=\"\u{e9}.txt\"",
            "\u{e9}.txt",
        ),
        (
            "form-data; name=\"file\"; filename*=utf-8''%C3%A9.txt",
            "\u{e9}.txt",
        ),
    ] {
        let form = read(&body(disposition, b"x"), "b", 50).unwrap();
        let key = form.fields.get("key").unwrap().to_owned();
        assert_eq!(key, format!("a/{name}"), "{disposition}");
    }
}

#[test]
fn a_boundary_may_be_quoted_and_the_form_begin_with_a_line_break() {
    let body = body("form-data; name=\"file\"", b"x");
    assert_eq!(file(read(&body, "\"b\"", 9).unwrap()).unwrap(), b"x");
    let broken = [b"\r\n", &body[..]].concat();
    assert_eq!(file(read(&broken, "b", 9).unwrap()).unwrap(), b"x");
    for boundary in ["", "\"\"", "c", "\"b", &"b".repeat(71)] {
        assert!(read(&body, boundary, 9).is_err(), "{boundary}");
    }
}

#[test]
fn a_large_file_ends_at_its_delimiter_and_nothing_follows() {
    let good = body("form-data; name=\"file\"", &[b'x'; 300_000]);
    let mut inside = good.clone();
    inside[200_000..200_005].copy_from_slice(b"\r\n--b");
    let mut longer = good.clone();
    longer.extend(b"more");
    let mut torn = good.clone();
    let end = torn.len();
    torn[end - 3] = b'x';
    for body in [&inside[..], &longer, &torn, &good[..good.len() - 2]] {
        for piece in [1_000, 8_192, 1 << 20] {
            let form = read(body, "b", piece).unwrap();
            let error = file(form).unwrap_err();
            assert_eq!(error.code_text(), "MalformedPOSTRequest");
        }
    }
    assert_eq!(
        file(read(&good, "b", 8_192).unwrap()).unwrap().len(),
        300_000
    );
}
