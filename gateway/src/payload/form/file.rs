//! The file of a form, as it comes: up to the delimiter, and not a byte further.

use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Bytes;
use bytes::BytesMut;
use memchr::memmem;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::request::Payload;
use crate::request::PayloadStream;

/// A file whose length was reckoned from the form's.
pub(super) struct File {
    body: Payload,
    /// Read and not handed on yet.
    buffer: BytesMut,
    delimiter: memmem::Finder<'static>,
    /// What must stand behind the file, to the body's end.
    last: Vec<u8>,
    /// Bytes of the file that were not handed on yet.
    owed: u64,
}

impl File {
    /// A file of `length` bytes: those in `buffer` and those that follow in `body`, then `last`.
    pub(super) fn new(
        body: Payload,
        buffer: BytesMut,
        delimiter: &[u8],
        last: Vec<u8>,
        length: u64,
    ) -> Self {
        Self {
            body,
            buffer,
            delimiter: memmem::Finder::new(delimiter).into_owned(),
            last,
            owed: length,
        }
    }

    /// Bytes of the file, as far as no delimiter can begin in them.
    fn ready(&mut self) -> Result<Option<Bytes>, S3Error> {
        let found = self.delimiter.find(&self.buffer);
        if found.is_some_and(|at| (at as u64) < self.owed) {
            return Err(ends_early());
        }
        let begun = self.delimiter.needle().len() - 1;
        let safe = self.buffer.len().saturating_sub(begun) as u64;
        let bytes = usize::try_from(safe.min(self.owed)).map_err(|_| S3Error::internal())?;
        if bytes == 0 {
            return Ok(None);
        }
        self.owed -= bytes as u64;
        Ok(Some(self.buffer.split_to(bytes).freeze()))
    }
}

impl PayloadStream for File {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, S3Error>>> {
        loop {
            if self.owed > 0 {
                match self.ready() {
                    Ok(None) => {}
                    outcome => return Poll::Ready(outcome.transpose()),
                }
            } else if self.buffer.len() > self.last.len() {
                return Poll::Ready(Some(Err(ends_early())));
            }
            match ready!(self.body.poll_next(context)) {
                Some(Ok(bytes)) => self.buffer.extend_from_slice(&bytes),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None if self.owed == 0 && self.buffer == self.last => return Poll::Ready(None),
                None => return Poll::Ready(Some(Err(ends_early()))),
            }
        }
    }
}

/// 400: something else than the form's end stands behind the file.
fn ends_early() -> S3Error {
    S3Error::with_message(S3Code::MalformedPostRequest, NOT_LAST)
}

const NOT_LAST: &str = "The body of your POST request is not well-formed multipart/form-data: a file above 256 KiB must be the last field.";
