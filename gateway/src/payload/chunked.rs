//! Bodies in S3's own chunks (`Content-Encoding: aws-chunked`), signed or not, with or without
//! trailers.
//!
//! ```text
//! <hex size>[;chunk-signature=<64 hex>] CRLF <bytes> CRLF ... 0[;chunk-signature=...] CRLF
//! [<trailer name>:<value> CRLF]... [x-amz-trailer-signature:<64 hex> CRLF] CRLF
//! ```
//!
//! minio-go ends a trailer with LF and an empty line, in front of the signature or of the end, as AWS's
//! documentation of signed trailers shows it, and AWS accepts that.
//!
//! The bytes of a chunk are handed on as they come, and its signature is checked at its end; no
//! chunk is ever held. What a chunk may claim is bounded by the length that the client announced.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>

use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Buf as _;
use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use proto::sigv4;
use proto::sigv4::PayloadHasher;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::payload::coverage::ChunkSigning;
use crate::payload::wire::Wire;
use crate::payload::wire::WireBody;
use crate::request::PayloadStream;

/// An `aws-chunked` body on the wire.
pub(super) struct Chunked<B: WireBody> {
    wire: Wire<B>,
    /// What came from the wire and was not decoded yet.
    pending: Bytes,
    decoder: Decoder,
}

impl<B: WireBody> Chunked<B> {
    /// A body of `content_bytes` once decoded, with exactly the `announced` trailers.
    pub(super) fn new(
        wire: Wire<B>,
        content_bytes: u64,
        signing: Option<ChunkSigning>,
        announced: Vec<HeaderName>,
    ) -> Self {
        let decoder = Decoder::new(content_bytes, signing, announced);
        Self {
            wire,
            pending: Bytes::new(),
            decoder,
        }
    }
}

impl<B: WireBody> PayloadStream for Chunked<B> {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, S3Error>>> {
        loop {
            match self.decoder.decode(&mut self.pending) {
                Ok(Some(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            match ready!(self.wire.poll_data(context)) {
                Some(Ok(bytes)) => self.pending = bytes,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(self.decoder.finish().err().map(Err)),
            }
        }
    }

    fn take_trailers(&mut self) -> HeaderMap {
        std::mem::take(&mut self.decoder.trailers)
    }
}

/// Takes the chunks apart, whatever pieces they come in.
struct Decoder {
    place: Place,
    /// The line that is being read, without its end.
    line: Vec<u8>,
    /// Bytes of content that are still to come.
    content_left: u64,
    signing: Option<ChunkSigning>,
    /// Hash of the present chunk, when chunks are signed.
    hasher: PayloadHasher,
    /// Signature that the present chunk claims.
    claimed: String,
    /// Size of the chunk before, and how many there were.
    previous_bytes: Option<u64>,
    chunk_count: u64,
    announced: Vec<HeaderName>,
    trailers: HeaderMap,
    /// What the signature of the trailers covers, until that signature was seen.
    trailer_text: String,
    trailers_signed: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The line with a chunk's size.
    Size,
    /// That many bytes of the chunk.
    Data(u64),
    /// The empty line after the chunk's bytes.
    DataEnd,
    /// A trailer, or the empty line at the end.
    Trailer,
    /// The same after a trailer that LF alone ended: an empty line may belong to it.
    TrailerAfterLf,
    /// The signature or an empty line, unless that empty line was the one at the end.
    TrailerAfterGap,
    /// Nothing.
    End,
}

impl Decoder {
    fn new(content_bytes: u64, signing: Option<ChunkSigning>, announced: Vec<HeaderName>) -> Self {
        Self {
            place: Place::Size,
            line: Vec::new(),
            content_left: content_bytes,
            signing,
            hasher: PayloadHasher::new(),
            claimed: String::new(),
            previous_bytes: None,
            chunk_count: 0,
            announced,
            trailers: HeaderMap::new(),
            trailer_text: String::new(),
            trailers_signed: false,
        }
    }

    /// The next bytes of content in `input`; `None` when all of it was used up.
    fn decode(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, S3Error> {
        while !input.is_empty() {
            match self.place {
                Place::Data(left) => {
                    let available = u64::try_from(input.len()).unwrap_or(u64::MAX);
                    let length = usize::try_from(left.min(available)).unwrap_or(input.len());
                    let bytes = input.split_to(length);
                    self.take_data(left, &bytes)?;
                    return Ok(Some(bytes));
                }
                Place::Size => {
                    if self.take_line(input, LineEnd::Crlf)?.is_some() {
                        self.begin_chunk()?;
                    }
                }
                Place::DataEnd => {
                    if self.take_line(input, LineEnd::Crlf)?.is_some() {
                        if !self.line.is_empty() {
                            return Err(malformed());
                        }
                        self.place = Place::Size;
                    }
                }
                Place::Trailer | Place::TrailerAfterLf | Place::TrailerAfterGap => {
                    if let Some(end) = self.take_line(input, LineEnd::Lf)? {
                        self.take_trailer(end)?;
                    }
                }
                Place::End => return Err(malformed()),
            }
        }
        Ok(None)
    }

    /// Checks that the wire ended where the body ends.
    fn finish(&self) -> Result<(), S3Error> {
        if self.place == Place::TrailerAfterGap && self.line.is_empty() {
            return self.check_end();
        }
        // The empty line after the last chunk may be missing when no trailers follow.
        let bare = self.place == Place::Trailer && self.line.is_empty() && self.trailers.is_empty();
        if self.place == Place::End || (bare && self.announced.is_empty()) {
            return Ok(());
        }
        Err(malformed())
    }

    /// Moves a line into `self.line`, which may end in `loosest` at most; how it ended, once its end came.
    fn take_line(
        &mut self,
        input: &mut Bytes,
        loosest: LineEnd,
    ) -> Result<Option<LineEnd>, S3Error> {
        let length = input.iter().position(|&byte| byte == b'\n');
        let taken = length.map_or(input.len(), |at| at + 1);
        if self.line.len() + taken > LINE_BYTES_MAX {
            return Err(malformed());
        }
        self.line
            .extend_from_slice(input.get(..taken).unwrap_or_default());
        input.advance(taken);
        if length.is_none() {
            return Ok(None);
        }

        self.line.pop();
        match (self.line.last(), loosest) {
            (Some(b'\r'), _) => {
                self.line.pop();
                Ok(Some(LineEnd::Crlf))
            }
            (_, LineEnd::Crlf) => Err(malformed()),
            (_, LineEnd::Lf) => Ok(Some(LineEnd::Lf)),
        }
    }

    /// Takes the line with a chunk's size.
    fn begin_chunk(&mut self) -> Result<(), S3Error> {
        let line = std::mem::take(&mut self.line);
        let text = std::str::from_utf8(&line).map_err(|_| malformed())?;
        let size = match &self.signing {
            None => text,
            Some(_) => {
                let (size, signature) = text.split_once(CHUNK_SIGNATURE).ok_or_else(malformed)?;
                signature.clone_into(&mut self.claimed);
                size
            }
        };
        let size = parse_size(size)?;
        if size > self.content_left {
            return Err(malformed());
        }

        self.chunk_count += 1;
        if size == 0 {
            if self.content_left > 0 {
                return Err(malformed());
            }
            self.check_chunk()?;
            self.place = Place::Trailer;
            return Ok(());
        }
        if let Some(previous) = self.previous_bytes
            && previous < CHUNK_BYTES_MIN
        {
            return Err(S3Error::new(S3Code::InvalidChunkSize)
                .detail("Chunk", (self.chunk_count - 1).to_string())
                .detail("BadChunkSize", previous.to_string()));
        }
        self.previous_bytes = Some(size);
        self.content_left -= size;
        self.place = Place::Data(size);
        Ok(())
    }

    /// Counts and hashes bytes of the present chunk, of which `left` were to come.
    fn take_data(&mut self, left: u64, bytes: &[u8]) -> Result<(), S3Error> {
        if self.signing.is_some() {
            self.hasher.update(bytes);
        }
        let left = left - u64::try_from(bytes.len()).unwrap_or(left);
        self.place = Place::Data(left);
        if left == 0 {
            self.check_chunk()?;
            self.place = Place::DataEnd;
        }
        Ok(())
    }

    /// Checks the signature of the chunk that just ended.
    fn check_chunk(&mut self) -> Result<(), S3Error> {
        let Some(signing) = &mut self.signing else {
            return Ok(());
        };
        let hash = hex::encode(self.hasher.finish());
        let (timestamp, scope) = (signing.timestamp, &signing.scope);
        let text = sigv4::chunk_string_to_sign(timestamp, scope, &signing.previous, &hash);
        if !signing.key.verify(&text, &self.claimed) {
            return Err(S3Code::SignatureDoesNotMatch.into());
        }
        signing.previous.clone_from(&self.claimed);
        Ok(())
    }

    /// Takes a line of the trailer, the last of which is empty.
    fn take_trailer(&mut self, end: LineEnd) -> Result<(), S3Error> {
        let line = std::mem::take(&mut self.line);
        let next = match end {
            LineEnd::Crlf => Place::Trailer,
            LineEnd::Lf => Place::TrailerAfterLf,
        };
        let place = std::mem::replace(&mut self.place, next);
        if line.is_empty() {
            if place == Place::TrailerAfterLf {
                self.place = Place::TrailerAfterGap;
                return Ok(());
            }
            self.check_end()?;
            self.place = Place::End;
            return Ok(());
        }
        let text = std::str::from_utf8(&line).map_err(|_| bad_trailer())?;
        let (name, value) = text.split_once(':').ok_or_else(bad_trailer)?;
        // Nothing may follow the signature.
        if self.trailers_signed {
            return Err(bad_trailer());
        }
        if name.eq_ignore_ascii_case(TRAILER_SIGNATURE) {
            return self.check_trailers(value.trim());
        }
        if place == Place::TrailerAfterGap {
            return Err(bad_trailer());
        }

        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad_trailer())?;
        if !self.announced.contains(&header) || self.trailers.contains_key(&header) {
            return Err(bad_trailer());
        }
        let text = sigv4::canonical_trailers(&[(name, value)]);
        self.trailer_text.push_str(&text);
        let value = HeaderValue::from_str(value.trim()).map_err(|_| bad_trailer())?;
        self.trailers.insert(header, value);
        Ok(())
    }

    /// Checks the signature of the trailers.
    fn check_trailers(&mut self, claimed: &str) -> Result<(), S3Error> {
        let signing = self.signing.as_ref().ok_or_else(bad_trailer)?;
        let hash = sigv4::sha256_hex(self.trailer_text.as_bytes());
        let (timestamp, scope) = (signing.timestamp, &signing.scope);
        let text = sigv4::trailer_string_to_sign(timestamp, scope, &signing.previous, &hash);
        if !signing.key.verify(&text, claimed) {
            return Err(S3Code::SignatureDoesNotMatch.into());
        }
        self.trailers_signed = true;
        Ok(())
    }

    /// Checks at the end that everything announced has come, and signed if chunks are.
    fn check_end(&self) -> Result<(), S3Error> {
        if self.trailers.len() != self.announced.len() {
            return Err(bad_trailer());
        }
        if self.signing.is_some() && !self.trailers.is_empty() && !self.trailers_signed {
            return Err(bad_trailer());
        }
        Ok(())
    }
}

/// How a line ends.
#[derive(Clone, Copy)]
enum LineEnd {
    Crlf,
    Lf,
}

/// Reads a chunk's size: 1 to 16 hex digits and nothing else.
fn parse_size(text: &str) -> Result<u64, S3Error> {
    let digits = (1..=16).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    if !digits {
        return Err(malformed());
    }
    u64::from_str_radix(text, 16).map_err(|_| malformed())
}

/// The error for a body that does not keep to its form or its length.
fn malformed() -> S3Error {
    S3Error::with_message(
        S3Code::IncompleteBody,
        "The request body terminated unexpectedly",
    )
}

/// The error for a trailer that does not keep to its form or to what was announced.
fn bad_trailer() -> S3Error {
    S3Code::MalformedTrailer.into()
}

/// What separates a chunk's size from its signature.
const CHUNK_SIGNATURE: &str = ";chunk-signature=";

/// The name under which the signature of the trailers comes.
const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";

/// The smallest chunk that another one may follow.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>
const CHUNK_BYTES_MIN: u64 = 8 * 1024;

/// The longest line: a size with its signature has 99 bytes, a trailer with SHA-512 some 120.
const LINE_BYTES_MAX: usize = 512;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
#[cfg(test)]
mod tests;
