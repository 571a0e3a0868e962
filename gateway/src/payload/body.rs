//! The body of a verified request, as its signature covers it.

use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use proto::sigv4;
use proto::sigv4::PayloadHash;
use proto::sigv4::PayloadHasher;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::payload::chunked::Chunked;
use crate::payload::coverage::Coverage;
use crate::payload::wire::Wire;
use crate::payload::wire::WireBody;
use crate::protocol::single_header::single_text;
use crate::request::Payload;
use crate::request::PayloadStream;

/// The body behind a verified head.
///
/// Reads nothing yet: a client that waits for `100 Continue` goes on waiting until the operation
/// reads the first byte.
///
/// # Errors
///
/// `XAmzContentSHA256Mismatch` for a body that is empty though its hash is not, and
/// `MissingContentLength` or `InvalidArgument` for an `aws-chunked` body that does not say how long
/// its content is or which trailers come.
pub fn covered<B: WireBody>(
    wire: Wire<B>,
    headers: &HeaderMap,
    coverage: Coverage,
) -> Result<Payload, S3Error> {
    let length = wire.length();
    match coverage.hash {
        ref hash if wire.is_empty() && hash.is_of_nothing() => Ok(Payload::empty()),
        PayloadHash::Sha256(expected) if wire.is_empty() => {
            Err(hash_mismatch(expected, sigv4::EMPTY_SHA256))
        }
        PayloadHash::Sha256(expected) => {
            let hashed = Hashed {
                wire,
                hasher: PayloadHasher::new(),
                expected,
            };
            Ok(Payload::from_stream(hashed, length))
        }
        PayloadHash::Unsigned if wire.is_empty() => Ok(Payload::empty()),
        PayloadHash::Unsigned => Ok(Payload::from_stream(Plain(wire), length)),
        PayloadHash::UnsignedTrailer
        | PayloadHash::SignedChunks
        | PayloadHash::SignedChunksTrailer
        | PayloadHash::Asymmetric => {
            let content_bytes = content_length(headers)?;
            let with_trailers = coverage.hash != PayloadHash::SignedChunks;
            let announced = announced_trailers(headers, with_trailers)?;
            let chunked = Chunked::new(wire, content_bytes, coverage.chunks, announced.clone());
            Ok(Payload::from_stream(chunked, Some(content_bytes)).announcing(announced))
        }
    }
}

/// The length of the content of an `aws-chunked` body.
fn content_length(headers: &HeaderMap) -> Result<u64, S3Error> {
    let Some(text) = single_text(headers, &DECODED_LENGTH)? else {
        return Err(S3Code::MissingContentLength.into());
    };
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = text.parse::<u64>().ok();
    value
        .filter(|length| digits && i64::try_from(*length).is_ok())
        .ok_or_else(|| {
            let message = "The decoded content length must be a number of bytes.";
            S3Error::invalid_argument(message, DECODED_LENGTH.as_str(), text)
        })
}

/// The trailers that `x-amz-trailer` announces.
fn announced_trailers(
    headers: &HeaderMap,
    with_trailers: bool,
) -> Result<Vec<HeaderName>, S3Error> {
    let Some(text) = single_text(headers, &TRAILER)? else {
        return Ok(Vec::new());
    };
    let refuse = || {
        let message = "The value specified in the x-amz-trailer header is not supported";
        S3Error::invalid_request(message)
    };
    let mut announced: Vec<HeaderName> = Vec::new();
    for name in text.split(',').map(str::trim) {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refuse())?;
        let is_checksum = name.as_str().starts_with("x-amz-checksum-");
        if !with_trailers || !is_checksum || announced.contains(&name) {
            return Err(refuse());
        }
        announced.push(name);
    }
    Ok(announced)
}

/// The error for a body whose hash is another than the one signed.
fn hash_mismatch(expected: [u8; 32], computed: &str) -> S3Error {
    S3Error::new(S3Code::XAmzContentSha256Mismatch)
        .detail("ClientComputedContentSHA256", hex::encode(expected))
        .detail("S3ComputedContentSHA256", computed)
}

/// A body that no signature covers.
struct Plain<B: WireBody>(Wire<B>);

impl<B: WireBody> PayloadStream for Plain<B> {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, S3Error>>> {
        self.0.poll_data(context)
    }
}

/// A body whose hash was signed.
struct Hashed<B: WireBody> {
    wire: Wire<B>,
    hasher: PayloadHasher,
    expected: [u8; 32],
}

impl<B: WireBody> PayloadStream for Hashed<B> {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, S3Error>>> {
        Poll::Ready(match ready!(self.wire.poll_data(context)) {
            Some(Ok(bytes)) => {
                self.hasher.update(&bytes);
                Some(Ok(bytes))
            }
            Some(Err(error)) => Some(Err(error)),
            None => {
                let computed = self.hasher.finish();
                (computed != self.expected)
                    .then(|| Err(hash_mismatch(self.expected, &hex::encode(computed))))
            }
        })
    }
}

/// The header with the length of the content of an `aws-chunked` body.
const DECODED_LENGTH: HeaderName = HeaderName::from_static("x-amz-decoded-content-length");

const TRAILER: HeaderName = HeaderName::from_static("x-amz-trailer");

#[cfg(test)]
mod tests;
