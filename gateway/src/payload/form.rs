//! `multipart/form-data`, read up to the file, which streams from there on.
//!
//! A sealed object's length is fixed before its first byte is sealed, and a form does not state the length
//! of its file. So a file that fits in memory is read first. Of a larger one the length follows from
//! where it begins and from the request's own length, if nothing but the closing delimiter stands
//! behind it: clients send the file last, as S3 demands, because it ignores what follows. That is
//! why this is not left to a library: none shows where in the body a part begins.
//!
//! Source: RFC 7578; RFC 2046, section 5.1.

use bytes::Bytes;
use bytes::BytesMut;
use http::HeaderMap;
use http::header;
use memchr::memmem;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::payload::form::fields::Fields;
use crate::payload::form::file::File;
use crate::request::Payload;

pub(crate) mod fields;
mod file;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;

/// A form.
pub(crate) struct Form {
    /// The fields before the file.
    pub(crate) fields: Fields,
    /// Where the file begins.
    body: Body,
    delimiter: String,
    /// The request's length, in bytes.
    total: u64,
}

/// A form's body, as far as it was read.
struct Body {
    payload: Payload,
    /// Read and not taken yet.
    buffer: BytesMut,
    /// Bytes that were taken.
    taken: u64,
}

/// A part's head.
struct PartHead {
    name: String,
    file_name: Option<String>,
}

impl Form {
    /// Reads the fields and finds the file, of which nothing is read yet.
    ///
    /// # Errors
    ///
    /// `MalformedPOSTRequest`; `MaxPostPreDataLengthExceededError`; `MissingContentLength`;
    /// `InvalidArgument` for a form without a file; whatever was wrong with the body.
    pub(crate) async fn read(payload: Payload, headers: &HeaderMap) -> Result<Self, S3Error> {
        let boundary = boundary(headers).ok_or_else(malformed)?;
        let total = payload.length();
        let total = total.ok_or_else(|| S3Error::new(S3Code::MissingContentLength))?;
        let delimiter = format!("\r\n--{boundary}");
        let mut body = Body {
            payload,
            buffer: BytesMut::new(),
            taken: 0,
        };
        body.take_first(delimiter.as_bytes()).await?;
        let mut fields = Fields::default();
        loop {
            if !body.begins_part().await? {
                return Err(S3Error::invalid_argument(NO_FILE, "file", "0"));
            }
            let head = body.take_until(b"\r\n\r\n").await?;
            let head = PartHead::parse(&head).ok_or_else(malformed)?;
            if head.name.eq_ignore_ascii_case("file") {
                if let Some(file_name) = &head.file_name {
                    fields.name_file(last_segment(file_name));
                }
                return Ok(Self {
                    fields,
                    body,
                    delimiter,
                    total,
                });
            }
            let value = body.take_until(delimiter.as_bytes()).await?;
            let value = String::from_utf8(value.to_vec()).map_err(|_| malformed())?;
            fields.add(head.name, value)?;
        }
    }

    /// The file, with its length. One with at most `in_memory_max` bytes, or what is left of the
    /// form then, is read first.
    ///
    /// # Errors
    ///
    /// `MalformedPOSTRequest`; whatever was wrong with the body.
    pub(crate) async fn file(self, in_memory_max: u64) -> Result<Payload, S3Error> {
        let Self {
            body,
            delimiter,
            total,
            ..
        } = self;
        body.file(delimiter.as_bytes(), total, in_memory_max).await
    }
}

impl Body {
    /// Reads more into the buffer; whether there was more.
    async fn more(&mut self) -> Result<bool, S3Error> {
        match self.payload.next().await.transpose()? {
            Some(bytes) => {
                self.buffer.extend_from_slice(&bytes);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Takes the first delimiter, which needs no line break before it.
    async fn take_first(&mut self, delimiter: &[u8]) -> Result<(), S3Error> {
        while self.buffer.len() < delimiter.len() {
            if !self.more().await? {
                return Err(malformed());
            }
        }
        let without_break = delimiter.get(2..).unwrap_or_default();
        for start in [delimiter, without_break] {
            if self.buffer.starts_with(start) {
                self.take(start.len());
                return Ok(());
            }
        }
        Err(malformed())
    }

    /// Whether a part follows the delimiter, and not the form's end; takes the line break.
    async fn begins_part(&mut self) -> Result<bool, S3Error> {
        while self.buffer.len() < 2 {
            if !self.more().await? {
                return Err(malformed());
            }
        }
        match self.take(2).as_ref() {
            b"\r\n" => Ok(true),
            b"--" => Ok(false),
            _ => Err(malformed()),
        }
    }

    /// What stands before `end`, which is taken too.
    async fn take_until(&mut self, end: &[u8]) -> Result<Bytes, S3Error> {
        let finder = memmem::Finder::new(end);
        let mut searched = 0_usize;
        loop {
            let from = searched.saturating_sub(end.len());
            let found = finder.find(self.buffer.get(from..).unwrap_or_default());
            searched = self.buffer.len();
            let before = found.map_or(searched, |at| from + at);
            let so_far = self.taken + before as u64;
            if so_far > FIELD_BYTES_MAX {
                return Err(S3Error::new(S3Code::MaxPostPreDataLengthExceeded)
                    .detail("MaxPostPreDataLengthBytes", FIELD_BYTES_MAX.to_string()));
            }
            if found.is_some() {
                let taken = self.take(before);
                self.take(end.len());
                return Ok(taken);
            }
            if !self.more().await? {
                return Err(malformed());
            }
        }
    }

    fn take(&mut self, bytes: usize) -> Bytes {
        self.taken += bytes as u64;
        self.buffer.split_to(bytes).freeze()
    }

    /// The file, which begins here.
    async fn file(
        mut self,
        delimiter: &[u8],
        total: u64,
        in_memory_max: u64,
    ) -> Result<Payload, S3Error> {
        let rest = total.checked_sub(self.taken).ok_or_else(malformed)?;
        if rest > in_memory_max {
            let last = [delimiter, b"--\r\n"].concat();
            let length = rest.checked_sub(last.len() as u64).ok_or_else(malformed)?;
            let file = File::new(self.payload, self.buffer, delimiter, last, length);
            return Ok(Payload::from_stream(file, Some(length)));
        }
        while self.more().await? {}
        let length = memmem::find(&self.buffer, delimiter).ok_or_else(malformed)?;
        let file = self.take(length);
        // What follows is ignored, as S3 does; but what ends the file is a delimiter.
        let end = self.buffer.get(delimiter.len()..delimiter.len() + 2);
        if !matches!(end, Some(b"--" | b"\r\n")) {
            return Err(malformed());
        }
        Ok(Payload::from_bytes(file))
    }
}

impl PartHead {
    /// Reads the lines of a part's head; all but `Content-Disposition` mean nothing.
    fn parse(head: &[u8]) -> Option<Self> {
        let head = std::str::from_utf8(head).ok()?;
        let mut found = None;
        for line in head.split("\r\n") {
            let (name, value) = line.split_once(':')?;
            if name.eq_ignore_ascii_case("content-disposition") && found.replace(value).is_some() {
                return None;
            }
        }
        let mut parameters = Parameters(found?.trim());
        if !parameters.token()?.eq_ignore_ascii_case("form-data") {
            return None;
        }
        let (mut name, mut file_name, mut extended) = (None, None, None);
        while let Some((parameter, value)) = parameters.next_pair()? {
            let place = match parameter.to_ascii_lowercase().as_str() {
                "name" => &mut name,
                "filename" => &mut file_name,
                "filename*" => &mut extended,
                _ => continue,
            };
            if place.replace(value).is_some() {
                return None;
            }
        }
        let extended = extended.map(|value| extended_value(&value));
        Some(Self {
            name: name.filter(|name| !name.is_empty())?,
            file_name: match extended {
                Some(value) => Some(value?),
                None => file_name,
            },
        })
    }
}

/// The parameters of a header, not read yet.
struct Parameters<'a>(&'a str);

impl<'a> Parameters<'a> {
    /// What stands before the next semicolon or the end.
    fn token(&mut self) -> Option<&'a str> {
        let end = self.0.find(';').unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        Some(token.trim())
    }

    /// The next `; name=value`; none of them at the end, and nothing for what is neither.
    #[allow(
        clippy::option_option,
        reason = "the outer one is the parser's failure"
    )]
    fn next_pair(&mut self) -> Option<Option<(&'a str, String)>> {
        let Some(rest) = self.0.strip_prefix(';') else {
            return self.0.trim().is_empty().then_some(None);
        };
        let rest = rest.trim_start();
        if rest.is_empty() {
            self.0 = rest;
            return Some(None);
        }
        let (name, rest) = rest.split_once('=')?;
        let Some(quoted) = rest.strip_prefix('"') else {
            self.0 = rest;
            return Some(Some((name, self.token()?.to_owned())));
        };
        let mut value = String::new();
        let mut characters = quoted.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.0 = quoted.get(at + 1..)?.trim_start();
                    return Some(Some((name, value)));
                }
                // A backslash escapes these two only: paths of Windows come unescaped.
                '\\' if quoted.get(at + 1..)?.starts_with(['"', '\\']) => {
                    value.push(characters.next()?.1);
                }
                other => value.push(other),
            }
        }
        None
    }
}

/// `UTF-8''percent%20encoded`, as RFC 8187 has it.
fn extended_value(value: &str) -> Option<String> {
    let mut pieces = value.splitn(3, '\'');
    let (charset, _, text) = (pieces.next()?, pieces.next()?, pieces.next()?);
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let decoded = percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .ok()?;
    Some(decoded.into_owned())
}

/// The name of a file without the folders that some browsers send along.
fn last_segment(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// The boundary that the request's content type names.
fn boundary(headers: &HeaderMap) -> Option<String> {
    let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let mut parameters = Parameters(content_type);
    if !parameters
        .token()?
        .eq_ignore_ascii_case("multipart/form-data")
    {
        return None;
    }
    let mut boundary = None;
    while let Some((name, value)) = parameters.next_pair()? {
        if name.eq_ignore_ascii_case("boundary") && boundary.replace(value).is_some() {
            return None;
        }
    }
    boundary.filter(|text| (1..=70).contains(&text.len()) && !text.ends_with(' '))
}

/// 400: this is no form.
pub(crate) fn malformed() -> S3Error {
    S3Code::MalformedPostRequest.into()
}

/// Most bytes before the file.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-UsingHTTPPOST.html>
const FIELD_BYTES_MAX: u64 = 20_480;

const NO_FILE: &str = "POST requires exactly one file upload per request.";

#[cfg(test)]
mod tests;
