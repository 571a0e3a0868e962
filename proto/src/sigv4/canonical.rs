//! The canonical request: the one text of a request that both sides hash.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::fmt;

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
    pub signed_headers: &'a [String],
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
        let mut signed: Vec<&str> = self.signed_headers.iter().map(String::as_str).collect();
        signed.sort_unstable();
        signed.dedup();

        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(self.method.as_bytes());
        out.push(b'\n');
        let path = match self.path_encoding {
            PathEncoding::Once => encode_once(self.path),
            PathEncoding::Twice => encode_twice(self.path),
        };
        out.extend_from_slice(path.as_bytes());
        out.push(b'\n');
        out.extend_from_slice(canonical_query(self.query).as_bytes());
        out.push(b'\n');
        for name in &signed {
            self.write_header(&mut out, name);
        }
        out.push(b'\n');
        out.extend_from_slice(signed.join(";").as_bytes());
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

/// The value of a header without white space at its ends and with one space for each run of it
/// within, between quotes too.
fn fold_into(out: &mut Vec<u8>, value: &[u8]) {
    let words = value.split(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
    let mut first = true;
    for word in words.filter(|word| !word.is_empty()) {
        if !first {
            out.push(b' ');
        }
        first = false;
        out.extend_from_slice(word);
    }
}
