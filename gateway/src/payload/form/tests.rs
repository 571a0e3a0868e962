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

/// The error of a form that is not read.
fn refusal(form: Result<Form, S3Error>) -> String {
    form.err().unwrap().code_text().to_owned()
}

#[test]
fn a_boundary_has_1_to_70_characters_and_no_space_at_its_end() {
    for (boundary, is_one) in [
        ("b".repeat(70), true),
        ("b".repeat(71), false),
        ("a b".to_owned(), true),
        ("b ".to_owned(), false),
        (String::new(), false),
    ] {
        let body = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=file\r\n\r\nx\r\n--{boundary}--\r\n"
        );
        let form = read(body.as_bytes(), &format!("\"{boundary}\""), 50);
        assert_eq!(form.is_ok(), is_one, "{boundary:?}");
    }
}

#[test]
fn a_form_that_ends_before_a_file_lacks_the_file() {
    for body in ["--b--", "--b--\r\n"] {
        for piece in [1, 50] {
            let form = read(body.as_bytes(), "b", piece);
            assert_eq!(refusal(form), "InvalidArgument", "{body:?} by {piece}");
        }
    }
    for body in ["--b", "--b-", "--b-\r", "--b\r\n"] {
        let form = read(body.as_bytes(), "b", 50);
        assert_eq!(refusal(form), "MalformedPOSTRequest", "{body:?}");
    }
}

#[test]
fn at_most_20480_bytes_stand_before_the_file() {
    let form = |bytes: usize| {
        let before = "--b\r\nContent-Disposition: form-data; name=key\r\n\r\n";
        let head = "\r\n--b\r\nContent-Disposition: form-data; name=file";
        let value = "v".repeat(bytes - before.len() - head.len());
        let body = format!("{before}{value}{head}\r\n\r\nx\r\n--b--\r\n");
        read(body.as_bytes(), "b", body.len())
    };
    assert_eq!(file(form(20_480).unwrap()).unwrap(), b"x");
    assert_eq!(refusal(form(20_481)), "MaxPostPreDataLengthExceeded");
}

#[test]
fn the_name_of_the_file_is_put_into_every_field_but_the_policy() {
    let field = |name: &str| {
        format!("--b\r\nContent-Disposition: form-data; name={name}\r\n\r\n${{filename}}\r\n")
    };
    let last = "--b\r\nContent-Disposition: form-data; name=file; filename=f\r\n\r\nx\r\n--b--\r\n";
    let body = [&field("key"), &field("Policy"), last].concat();
    let form = read(body.as_bytes(), "b", 50).unwrap();
    assert_eq!(form.fields.get("key"), Some("f"));
    assert_eq!(form.fields.get("policy"), Some("${filename}"));
}

#[test]
fn a_file_that_fits_in_memory_may_be_followed_by_fields() {
    let mut body = body("form-data; name=\"file\"", b"0123456789");
    body.truncate(body.len() - "--\r\n".len());
    body.extend(b"\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--\r\n");
    let start = body.windows(10).position(|it| it == b"0123456789").unwrap();
    let rest = (body.len() - start) as u64;
    let read = |in_memory_max| {
        let form = read(&body, "b", 50).unwrap();
        bytes_of(form.file(in_memory_max).now_or_never().unwrap()?)
    };
    assert_eq!(read(rest).unwrap(), b"0123456789");
    let error = read(rest - 1).unwrap_err();
    assert_eq!(error.code_text(), "MalformedPOSTRequest");
}
