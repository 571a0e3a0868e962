//! The bytes that a client sends, checked while they pass.

use std::future::poll_fn;
use std::task::Context;
use std::task::Poll;

use bytes::Bytes;
use bytes::BytesMut;
use http::HeaderMap;
use http::HeaderName;

use crate::error::S3Code;
use crate::error::S3Error;

/// The verified body of a request: the object's own bytes, without `aws-chunked`.
///
/// The end (`None` from [`Payload::next`]) is reached only when everything that the client signed
/// or announced about the body was checked: its length, its SHA-256, the signature of every chunk
/// and of the trailers. Bytes may be handed out before that; so **nothing may be committed before
/// the end was seen**. After an error, the payload stays at that error.
#[derive(Debug)]
pub struct Payload {
    length: Option<u64>,
    announced_trailers: Vec<HeaderName>,
    trailers: HeaderMap,
    source: Source,
}

/// Where the bytes of a [`Payload`] come from.
pub trait PayloadStream: Send + Sync {
    /// The next bytes, never empty; `None` when all of them came and were found good.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, S3Error>>>;

    /// The trailers that came after the last byte. Asked once, after the end.
    fn take_trailers(&mut self) -> HeaderMap {
        HeaderMap::new()
    }
}

/// The kinds of sources.
enum Source {
    /// No more bytes.
    Ended,
    /// These bytes.
    Whole(Bytes),
    /// A stream and the number of bytes it still owes, where that was announced.
    Stream(Box<dyn PayloadStream>, Option<u64>),
    /// Something was wrong; it stays so.
    Failed(S3Error),
}

impl Payload {
    /// A body without bytes.
    pub fn empty() -> Self {
        Self::from_source(Some(0), Source::Ended)
    }

    /// A body of these bytes.
    pub fn from_bytes(bytes: Bytes) -> Self {
        let length = u64::try_from(bytes.len()).ok();
        Self::from_source(length, Source::Whole(bytes))
    }

    /// A body from a stream. A `length` that the stream does not keep ends in `IncompleteBody`.
    pub fn from_stream(stream: impl PayloadStream + 'static, length: Option<u64>) -> Self {
        Self::from_source(length, Source::Stream(Box::new(stream), length))
    }

    /// A body from a source that was not read yet.
    fn from_source(length: Option<u64>, source: Source) -> Self {
        Self {
            length,
            announced_trailers: Vec::new(),
            trailers: HeaderMap::new(),
            source,
        }
    }

    /// The same body with the names of the trailers that its client announced in `x-amz-trailer`.
    #[must_use]
    pub fn announcing(mut self, trailers: Vec<HeaderName>) -> Self {
        self.announced_trailers = trailers;
        self
    }

    /// The whole number of the object's bytes, where the client said it.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The trailers that will come after the last byte (`x-amz-checksum-*` only).
    pub fn announced_trailers(&self) -> &[HeaderName] {
        &self.announced_trailers
    }

    /// The trailers that came: empty before the end, then exactly the announced ones.
    pub fn trailers(&self) -> &HeaderMap {
        &self.trailers
    }

    /// The next bytes, never empty; `None` at the verified end.
    ///
    /// # Errors
    ///
    /// What was wrong with the body: `IncompleteBody`, `SignatureDoesNotMatch`,
    /// `XAmzContentSHA256Mismatch`, `RequestTimeout`, ...
    pub async fn next(&mut self) -> Option<Result<Bytes, S3Error>> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// [`Payload::next`] for those who poll.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, S3Error>>> {
        let outcome = match &mut self.source {
            Source::Ended => Ok(None),
            Source::Failed(error) => Err(error.clone()),
            Source::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                self.source = Source::Ended;
                Ok(Some(bytes).filter(|bytes| !bytes.is_empty()))
            }
            Source::Stream(stream, owed) => match std::task::ready!(stream.poll_next(context)) {
                Some(Ok(bytes)) => take_from(owed, bytes),
                Some(Err(error)) => Err(error),
                None if owed.is_some_and(|owed| owed > 0) => Err(S3Code::IncompleteBody.into()),
                None => {
                    self.trailers = stream.take_trailers();
                    self.source = Source::Ended;
                    Ok(None)
                }
            },
        };
        if let Err(error) = &outcome {
            self.source = Source::Failed(error.clone());
        }
        Poll::Ready(outcome.transpose())
    }

    /// The whole body in memory.
    ///
    /// # Errors
    ///
    /// `MaxMessageLengthExceeded` when there are more than `limit` bytes, before more than that
    /// was read, and whatever was wrong with the body.
    pub async fn collect(&mut self, limit: usize) -> Result<Bytes, S3Error> {
        let too_long = |length| usize::try_from(length).map_or(true, |length| length > limit);
        if self.length.is_some_and(too_long) {
            return Err(S3Code::MaxMessageLengthExceeded.into());
        }

        let Some(first) = self.next().await.transpose()? else {
            return Ok(Bytes::new());
        };
        if first.len() > limit {
            return Err(S3Code::MaxMessageLengthExceeded.into());
        }
        let Some(second) = self.next().await.transpose()? else {
            return Ok(first);
        };

        let mut whole = BytesMut::from(first);
        let mut next = Some(second);
        while let Some(bytes) = next {
            if whole.len() + bytes.len() > limit {
                return Err(S3Code::MaxMessageLengthExceeded.into());
            }
            whole.extend_from_slice(&bytes);
            next = self.next().await.transpose()?;
        }
        Ok(whole.freeze())
    }
}

/// Counts `bytes` against what is still owed.
fn take_from(owed: &mut Option<u64>, bytes: Bytes) -> Result<Option<Bytes>, S3Error> {
    if let Some(owed) = owed {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        *owed = owed
            .checked_sub(length)
            .ok_or_else(|| S3Error::new(S3Code::IncompleteBody))?;
    }
    Ok(Some(bytes))
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ended => "Ended",
            Self::Whole(_) => "Whole",
            Self::Stream(..) => "Stream",
            Self::Failed(_) => "Failed",
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    /// A stream of ready pieces.
    struct Pieces(Vec<Bytes>);

    impl PayloadStream for Pieces {
        fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, S3Error>>> {
            let next = (!self.0.is_empty()).then(|| self.0.remove(0));
            Poll::Ready(next.map(Ok))
        }
    }

    fn payload(pieces: &[&'static str], length: Option<u64>) -> Payload {
        let pieces = pieces.iter().map(|piece| Bytes::from(*piece)).collect();
        Payload::from_stream(Pieces(pieces), length)
    }

    fn collect(mut payload: Payload, limit: usize) -> Result<Bytes, S3Error> {
        payload.collect(limit).now_or_never().unwrap()
    }

    #[test]
    fn a_stream_of_the_promised_length_ends() {
        let whole = collect(payload(&["ab", "c", "de"], Some(5)), 5).unwrap();
        assert_eq!(whole, "abcde");
    }

    #[test]
    fn a_stream_shorter_or_longer_than_promised_is_an_error_and_stays_one() {
        for length in [2, 4] {
            let mut payload = payload(&["ab", "c"], Some(length));
            let mut outcome = payload.next().now_or_never().unwrap();
            while let Some(Ok(_)) = outcome {
                outcome = payload.next().now_or_never().unwrap();
            }
            assert_eq!(outcome.unwrap().unwrap_err().code(), S3Code::IncompleteBody);
            assert!(payload.next().now_or_never().unwrap().unwrap().is_err());
        }
    }

    #[test]
    fn a_body_above_the_limit_is_not_collected() {
        for length in [None, Some(5)] {
            let error = collect(payload(&["ab", "cde"], length), 4).unwrap_err();
            assert_eq!(error.code(), S3Code::MaxMessageLengthExceeded);
        }
    }
}
