//! One check per claim, each with a message that shows what happened instead.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Response;
use md5::Digest;
use md5::Md5;
use sha2::Sha256;

use crate::backend::Backend;
use crate::backend::Recorded;

/// The answer is the S3 error `code` with `status`, has a request id and shows nothing of the
/// backend.
///
/// # Panics
///
/// When it is not.
#[track_caller]
pub fn expect_s3_error(response: &Response<Bytes>, code: &str, status: u16) {
    let body = String::from_utf8_lossy(response.body());
    assert_eq!(
        response.status().as_u16(),
        status,
        "expected {code}; the body is {body}"
    );
    assert!(
        body.contains(&format!("<Code>{code}</Code>")),
        "expected {code} in {body}"
    );
    assert!(
        body.contains("<RequestId>"),
        "an error without a request id: {body}"
    );
    let id = response.headers().get("x-amz-request-id");
    let id = id.unwrap_or_else(|| panic!("an error without x-amz-request-id: {body}"));
    let id = id.to_str().unwrap_or_default();
    assert!(
        body.contains(id),
        "the header's request id {id} is not the body's: {body}"
    );
    expect_no_backend(response);
}

/// The answer shows nothing of the backend: no host, no ids, no credentials.
///
/// # Panics
///
/// When it does.
#[track_caller]
pub fn expect_no_backend(response: &Response<Bytes>) {
    let text = format!(
        "{:?} {}",
        response.headers(),
        String::from_utf8_lossy(response.body())
    );
    let text = text.to_lowercase();
    for secret in [
        "backend-host-canary",
        "backendrequestid",
        "backendaccesskey",
        "backend-secret",
    ] {
        assert!(
            !text.contains(secret),
            "the answer contains {secret}: {text}"
        );
    }
}

/// The backend received no request since its record was last cleared.
///
/// # Panics
///
/// When it received one.
#[track_caller]
pub fn expect_backend_untouched(backend: &Backend) {
    let seen: Vec<String> = backend.requests().iter().map(line).collect();
    assert!(seen.is_empty(), "the backend received: {seen:?}");
}

/// Neither `secret` nor its digests (MD5, SHA-256) ever reached the backend: in no body, header,
/// path or query, as raw bytes, hex (both cases) or base64 (standard, URL-safe, all three
/// alignments), nor in anything it stores.
///
/// # Panics
///
/// When it did; the message shows where.
#[track_caller]
pub fn expect_no_canary(backend: &Backend, secret: &[u8]) {
    assert!(
        secret.len() >= 8,
        "a canary under 8 bytes would be found by chance"
    );
    let mut needles = forms(secret);
    needles.extend(forms(&Md5::digest(secret)));
    needles.extend(forms(&Sha256::digest(secret)));
    expect_none_of(backend, &needles);
}

/// As [`expect_no_canary`] for a value that is itself a digest, key or checksum of any length.
///
/// # Panics
///
/// When it reached the backend.
#[track_caller]
pub fn expect_no_value(backend: &Backend, value: &[u8]) {
    expect_none_of(backend, &forms(value));
}

#[track_caller]
fn expect_none_of(backend: &Backend, needles: &[Vec<u8>]) {
    for request in backend.requests() {
        let place = line(&request);
        let text = format!("{} {} {:?}", place, request.query, request.trailers);
        expect_absent(text.as_bytes(), needles, &place);
        for (name, value) in &request.headers {
            expect_absent(
                value.as_bytes(),
                needles,
                &format!("{place}, header {name}"),
            );
        }
        expect_absent(&request.body, needles, &format!("{place}, body"));
    }
    for bucket in backend.buckets() {
        for key in backend.keys(&bucket) {
            for object in backend.versions(&bucket, &key) {
                let headers = format!("{:?} {}", object.headers, object.etag);
                expect_absent(
                    headers.as_bytes(),
                    needles,
                    &format!("{bucket}/{key}, headers"),
                );
                expect_absent(&object.body, needles, &format!("{bucket}/{key}, stored"));
            }
        }
    }
}

#[track_caller]
fn expect_absent(hay: &[u8], needles: &[Vec<u8>], place: &str) {
    for needle in needles {
        let found = contains(hay, needle);
        assert!(
            !found,
            "{:?} reached the backend: {place}",
            String::from_utf8_lossy(needle)
        );
    }
}

/// The spellings under which bytes could travel.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![
        secret.to_vec(),
        hex::encode(secret).into(),
        hex::encode_upper(secret).into(),
    ];
    // Inside a longer base64 text the bytes may start at any of three alignments; the characters
    // that depend on the neighbours are cut off.
    for shift in 0..3_usize {
        let padded = [vec![0; shift], secret.to_vec()].concat();
        for text in [STANDARD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            let start = (shift * 8).div_ceil(6);
            let end = padded.len() * 8 / 6;
            if let Some(part) = text.get(start..end).filter(|part| part.len() >= 8) {
                forms.push(part.as_bytes().to_vec());
            }
        }
    }
    forms.dedup();
    forms
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    let Some((first, rest)) = needle.split_first() else {
        return false;
    };
    let mut from = 0;
    while let Some(at) = hay[from..].iter().position(|byte| byte == first) {
        let start = from + at + 1;
        if hay[start..].starts_with(rest) {
            return true;
        }
        from = start;
    }
    false
}

fn line(request: &Recorded) -> String {
    format!("{} {}?{}", request.method, request.path, request.query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_is_found_at_every_base64_alignment() {
        let secret = b"canary-canary-canary";
        for shift in 0..3 {
            let hay =
                STANDARD.encode([vec![b'x'; shift], secret.to_vec(), b"yz".to_vec()].concat());
            assert!(
                forms(secret)
                    .iter()
                    .any(|form| contains(hay.as_bytes(), form)),
                "{shift}"
            );
        }
    }

    #[test]
    fn other_bytes_are_not_found() {
        let hay = STANDARD.encode(b"something else altogether");
        assert!(
            !forms(b"canary-canary")
                .iter()
                .any(|form| contains(hay.as_bytes(), form))
        );
    }
}
