//! Telling the backend a digest of what it is sent.
//!
//! S3 demands one of every object under a lock. A body in memory comes with its MD5. Of a streamed one
//! the digest is known when it has passed, so it comes behind it: `aws-chunked`, in one chunk, with
//! a CRC-32 as its trailer, as AWS's own SDKs send it. Either is of the sealed bytes, and says nothing
//! of what was sealed.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>

use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header;
use http_body::Body;
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use md5::Digest as _;
use md5::Md5;

use crate::backend::failure::BackendError;
use crate::backend::request::BackendBody;
use crate::request::BoxError;

/// The body with its digest, if one is wanted, and the headers that say so.
pub(crate) fn add(
    body: BackendBody,
    wanted: bool,
    headers: &mut HeaderMap,
) -> Result<BackendBody, BackendError> {
    let value = |text: String| {
        HeaderValue::try_from(text).map_err(|_| BackendError::Request("A header has no value."))
    };
    match body {
        body if !wanted => Ok(body),
        BackendBody::Stream { body, length } if length > 0 => {
            let coding = match headers.get(header::CONTENT_ENCODING) {
                Some(own) => [b"aws-chunked,", own.as_bytes()].concat(),
                None => b"aws-chunked".to_vec(),
            };
            let coding = HeaderValue::from_bytes(&coding)
                .map_err(|_| BackendError::Request("A content coding is no header value."))?;
            headers.insert(header::CONTENT_ENCODING, coding);
            headers.insert(DECODED_LENGTH, length.into());
            headers.insert(TRAILER, HeaderValue::from_static(CHECKSUM));
            headers.insert(SDK_ALGORITHM, HeaderValue::from_static("CRC32"));
            Ok(Trailed::wrap(body, length))
        }
        BackendBody::Bytes(bytes) => {
            let md5 = STANDARD.encode(Md5::digest(&bytes));
            headers.insert(CONTENT_MD5, value(md5)?);
            Ok(BackendBody::Bytes(bytes))
        }
        body => Ok(body),
    }
}

/// A body as one chunk, and its checksum behind it.
struct Trailed {
    body: UnsyncBoxBody<Bytes, BoxError>,
    /// The chunk's head, until it is sent.
    head: Option<Bytes>,
    crc: crc_fast::Digest,
    /// Of the body, that did not come yet.
    left: u64,
    ended: bool,
}

impl Trailed {
    fn wrap(body: UnsyncBoxBody<Bytes, BoxError>, length: u64) -> BackendBody {
        let head = format!("{length:x}\r\n");
        let framed = head.len() as u64 + length + tail("========").len() as u64;
        let trailed = Self {
            body,
            head: Some(head.into()),
            crc: crc_fast::Digest::new(CrcAlgorithm::Crc32IsoHdlc),
            left: length,
            ended: false,
        };
        BackendBody::stream(trailed, framed)
    }

    fn tail(&self) -> Result<Bytes, BoxError> {
        if self.left > 0 {
            return Err(format!("body ended {} bytes short", self.left).into());
        }
        let crc = u32::try_from(self.crc.finalize())?;
        Ok(tail(&STANDARD.encode(crc.to_be_bytes())).into())
    }
}

impl Body for Trailed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(head) = self.head.take() {
            return Poll::Ready(Some(Ok(Frame::data(head))));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    let left = self.left.checked_sub(data.len() as u64);
                    let Some(left) = left else {
                        self.ended = true;
                        return Poll::Ready(Some(Err("body is longer than it was to be".into())));
                    };
                    self.left = left;
                    self.crc.update(data);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(failure)) => {
                self.ended = true;
                Poll::Ready(Some(Err(failure)))
            }
            None => {
                self.ended = true;
                Poll::Ready(Some(self.tail().map(Frame::data)))
            }
        }
    }
}

/// What comes behind the chunk's data.
fn tail(checksum: &str) -> String {
    format!("\r\n0\r\n{CHECKSUM}:{checksum}\r\n\r\n")
}

/// The header by which a request is known to have a trailer.
pub(crate) const TRAILER: HeaderName = HeaderName::from_static("x-amz-trailer");

const CHECKSUM: &str = "x-amz-checksum-crc32";
const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
const DECODED_LENGTH: HeaderName = HeaderName::from_static("x-amz-decoded-content-length");
const SDK_ALGORITHM: HeaderName = HeaderName::from_static("x-amz-sdk-checksum-algorithm");
