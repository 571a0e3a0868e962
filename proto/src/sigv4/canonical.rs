//! The canonical request: the one text of a request that both sides hash.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::fmt;

use crate::sigv4::SignedHeaders;
use crate::sigv4::canonical_query;
use crate::sigv4::encoding::encode_once;
use crate::sigv4::encoding::encode_twice;
use crate::sigv4::sha256_hex;

/// A request, as far as its signature covers it.
#[derive(Clone, Copy, Debug)]
pub struct CanonicalRequest<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The raw path as it goes over the wire, up to the `?`.
    pub path: &'a str,
    /// How the service encodes the path.
    pub path_encoding: PathEncoding,
    /// The decoded pairs of the query, in any order; without `X-Amz-Signature`.
    pub query: &'a [(&'a str, &'a str)],
    /// The headers, in any order and case; those that are not signed are left out. The values of
    /// one that is repeated are joined by commas in the order given here.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// Names of the signed headers, in lower case; the canonical request sorts them. One the request
    /// does not have counts as empty.
    pub signed_headers: &'a SignedHeaders,
    /// The value of `x-amz-content-sha256`, or the hash of the body.
    pub payload_hash: &'a str,
}

/// How the path of a request becomes the canonical one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathEncoding {
    /// S3: decoded and encoded once, nothing normalised.
    Once,
    /// Every other service: dot segments removed, then what was sent encoded once more.
    Twice,
}

impl CanonicalRequest<'_> {
    /// The canonical request. Bytes, because the values of headers need not be UTF-8.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(self.method.as_bytes());
        out.push(b'\n');
        let path = match self.path_encoding {
            PathEncoding::Once => encode_once(self.path),
            PathEncoding::Twice => encode_twice(self.path).into(),
        };
        out.extend_from_slice(path.as_bytes());
        out.push(b'\n');
        if !self.query.is_empty() {
            out.extend_from_slice(canonical_query(self.query).as_bytes());
        }
        out.push(b'\n');
        for name in self.signed_headers.names() {
            self.write_header(&mut out, name);
        }
        out.push(b'\n');
        out.extend_from_slice(self.signed_headers.as_str().as_bytes());
        out.push(b'\n');
        out.extend_from_slice(self.payload_hash.as_bytes());
        out
    }

    /// SHA-256 of the canonical request, in hex.
    #[must_use]
    pub fn sha256_hex(&self) -> String {
        sha256_hex(&self.to_bytes())
    }

    fn write_header(&self, out: &mut Vec<u8>, name: &str) {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        let values = self
            .headers
            .iter()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name));
        for (position, (_, value)) in values.enumerate() {
            if position > 0 {
                out.push(b',');
            }
            fold_into(out, value);
        }
        out.push(b'\n');
    }
}

/// The text of the canonical request, for an error that shows it; bytes that are not UTF-8 are
/// replaced.
impl fmt::Display for CanonicalRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}

/// The value of a header without spaces at its ends and with one space for each run of them within,
/// between quotes too. Spaces only: S3 leaves tabs as they are.
fn fold_into(out: &mut Vec<u8>, value: &[u8]) {
    let words = value
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty());
    for (position, word) in words.enumerate() {
        if position > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_lines(headers: &[(&str, &[u8])], signed: &[&str]) -> String {
        let signed_headers = SignedHeaders::from_names(signed.iter().copied());
        let request = CanonicalRequest {
            method: "GET",
            path: "/",
            path_encoding: PathEncoding::Once,
            query: &[],
            headers,
            signed_headers: &signed_headers,
            payload_hash: "HASH",
        };
        let text = request.to_string();
        let start = text.strip_prefix("GET\n/\n\n").unwrap();
        start.split_once("\n\n").unwrap().0.to_owned()
    }

    #[test]
    fn headers_are_sorted_whatever_their_order_and_case() {
        let headers: [(&str, &[u8]); 3] = [("X-B", b"2"), ("host", b"h"), ("x-a", b"1")];
        assert_eq!(
            header_lines(&headers, &["x-b", "host", "x-a"]),
            "host:h\nx-a:1\nx-b:2"
        );
    }

    #[test]
    fn headers_that_are_not_signed_are_left_out() {
        let headers: [(&str, &[u8]); 2] = [("host", b"h"), ("range", b"bytes=0-9")];
        assert_eq!(header_lines(&headers, &["host"]), "host:h");
    }

    #[test]
    fn values_of_a_repeated_header_are_joined_in_their_order() {
        let headers: [(&str, &[u8]); 4] =
            [("x-a", b" 2 "), ("host", b"h"), ("X-A", b"1"), ("x-a", b"")];
        assert_eq!(header_lines(&headers, &["x-a"]), "x-a:2,1,");
    }

    #[test]
    fn runs_of_spaces_become_one_and_tabs_stay() {
        let headers: [(&str, &[u8]); 1] = [("x-a", b"  a   b  \"c   d\"\te ")];
        assert_eq!(header_lines(&headers, &["x-a"]), "x-a:a b \"c d\"\te");
    }

    #[test]
    fn a_signed_header_the_request_lacks_is_empty() {
        assert_eq!(
            header_lines(&[("host", b"h")], &["host", "x-gone"]),
            "host:h\nx-gone:"
        );
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_hashed_as_they_are() {
        let canonical = |value: &'static [u8]| {
            let headers = [("x-a", value)];
            let signed_headers = SignedHeaders::from_names(["x-a"]);
            CanonicalRequest {
                method: "GET",
                path: "/",
                path_encoding: PathEncoding::Once,
                query: &[],
                headers: &headers,
                signed_headers: &signed_headers,
                payload_hash: "HASH",
            }
            .sha256_hex()
        };
        assert_ne!(canonical(b"\xff"), canonical(b"\xfe"));
    }

    #[test]
    fn another_service_encodes_what_was_sent_once_more() {
        let request = CanonicalRequest {
            method: "GET",
            path: "/a%20b/../c d/",
            path_encoding: PathEncoding::Twice,
            query: &[],
            headers: &[],
            signed_headers: &SignedHeaders::default(),
            payload_hash: "HASH",
        };
        assert_eq!(request.to_string(), "GET\n/c%20d/\n\n\n\nHASH");
        let request = CanonicalRequest {
            path: "/a%20b",
            ..request
        };
        assert_eq!(request.to_string(), "GET\n/a%2520b\n\n\n\nHASH");
    }
}
