//! UploadPartCopy, and objects in parts as the sources of copies.
//!
//! A part is never copied at the backend: it is opened and sealed anew, because the part of an upload is
//! sealed under the upload's own key.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>

use std::pin::Pin;
use std::sync::Mutex;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Response;
use http::StatusCode;
use http::header;
use http_body::Body as _;

use crate::backend::ReplyBody;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::copy::Source;
use crate::object::copy::modified;
use crate::object::get::Read;
use crate::object::get::Wanted;
use crate::object::multipart::footer::StoredParts;
use crate::object::multipart::part::NewPart;
use crate::object::multipart::part::PART_BYTES_MAX;
use crate::object::multipart::part_number;
use crate::object::multipart::text;
use crate::object::stored::ATTEMPTS;
use crate::object::stored::Needs;
use crate::object::stored::ReadError;
use crate::object::stored::Reader;
use crate::protocol::checksum::digests::Expected;
use crate::protocol::checksum::parts;
use crate::protocol::conditions::Names;
use crate::protocol::copy_source::CopySource;
use crate::protocol::range::ByteRange;
use crate::protocol::range::ContentRange;
use crate::protocol::xml::Element;
use crate::request::Body;
use crate::request::Payload;
use crate::request::PayloadStream;
use crate::request::S3Request;
use crate::request::full_body;
use crate::sse::answer;
use crate::sse::choice;
use crate::sse::choice::Transport;
use crate::sse::kms::Requester;

impl Objects {
    /// Takes an object, or a range of one, as a part of an upload.
    ///
    /// # Errors
    ///
    /// S3's answer to whatever is wrong with the request or its source; the part was not taken then.
    pub async fn upload_part_copy(&self, request: S3Request) -> Result<Response<Body>, S3Error> {
        let number = part_number(&request)?;
        let transport = Transport::of(&request, self.config.allow_insecure_sse);
        let name = self.name(&request.target)?;
        let source_name = CopySource::read(&request.headers)?;
        let range = range(&request.headers)?;
        let source_key = choice::for_copy_source(&request.headers, transport)?;
        let customer_key = self.part_customer_key(&request, &name, transport).await?;
        let upload = self.upload(&request.target).await?;
        let requester = Requester::of(&request);
        let read = Read {
            headers: conditions(&request.headers, range.as_ref()),
            wanted: range.map_or(Wanted::Whole, |(range, header)| {
                Wanted::Range(range, header)
            }),
            checksum: false,
            overrides: Vec::new(),
            reader: Reader {
                name: self.named(&source_name.bucket, &source_name.key)?,
                version: source_name.version,
                customer_key: source_key,
                requester: requester.clone(),
                transport,
            },
        };
        let source = self.part_source(&read).await?;
        let (source, body) = source.into_parts();
        let plaintext_bytes = text(&source.headers, "content-length");
        let plaintext_bytes = plaintext_bytes
            .and_then(|bytes| bytes.parse().ok())
            .ok_or_else(S3Error::internal)?;
        if plaintext_bytes > PART_BYTES_MAX {
            return Err(S3Error::invalid_request(TOO_LARGE));
        }

        let keys = self
            .unlock_upload(&upload, customer_key.as_ref(), &requester, transport)
            .await?;
        let part = NewPart {
            number,
            plaintext_bytes,
            expected: Expected::nothing(None),
        };
        let body = Payload::from_stream(Opened(Mutex::new(body)), Some(plaintext_bytes));
        let written = self.write_part(&upload, keys.keys(), part, body).await?;
        let etag = format!("\"{}\"", upload.part_etag(&written.record));
        let mut result = Element::root("CopyPartResult")
            .with(Element::with_text(
                "LastModified",
                modified(&written.headers),
            ))
            .with(Element::with_text("ETag", etag));
        if let Some(checksum) = &written.checksum {
            result = result.with(parts::part_element(checksum.algorithm, &checksum.value));
        }

        let mut response = Response::new(full_body(result.to_document()));
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/xml"),
        );
        if let Some(version) = source.headers.get("x-amz-version-id") {
            let name = HeaderName::from_static("x-amz-copy-source-version-id");
            headers.insert(name, version.clone());
        }
        let md5 = customer_key.as_ref().map(|key| key.md5());
        answer::of_read(headers, upload.protection(), md5);
        Ok(response)
    }

    /// What a GET of the source answers.
    async fn part_source(&self, read: &Read) -> Result<Response<Body>, S3Error> {
        for _ in 0..ATTEMPTS {
            match self.get_once(read).await {
                Ok(answer) => return whole_range(read, answer),
                Err(ReadError::Changed) => {}
                // Of a copy, every condition that does not hold is one failed.
                Err(ReadError::Refused(error)) if error.code() == S3Code::NotModified => {
                    return Err(S3Error::new(S3Code::PreconditionFailed));
                }
                Err(ReadError::Refused(error)) if error.code() == S3Code::InvalidRange => {
                    return Err(S3Error::invalid_argument(OUTSIDE, RANGE, "null"));
                }
                Err(ReadError::Refused(error)) => return Err(error),
            }
        }
        Err(S3Error::new(S3Code::ConditionalRequestConflict))
    }

    /// An object in parts as the source of a copy.
    pub(crate) async fn parts_source(
        &self,
        reader: &Reader,
        conditions: &HeaderMap,
        stored: StoredParts,
        body: ReplyBody,
        bytes_max: u64,
    ) -> Result<Source, ReadError> {
        let needs = Needs {
            key: true,
            checksum: true,
        };
        let names = Names::of_copy_sources();
        let unlocked = self
            .unlock_parts(reader, &stored, needs, (conditions, &names))
            .await?;
        let table = unlocked.table.as_ref().ok_or_else(S3Error::internal)?;
        let plaintext_bytes = table.plaintext_bytes();
        if plaintext_bytes > bytes_max {
            return Err(S3Error::invalid_request(TOO_LARGE).into());
        }
        let algorithm = table.checksum.as_ref().map(|checksum| checksum.algorithm);
        let range = 0..plaintext_bytes;
        let body = self
            .open_parts(reader, &stored, &unlocked, range, Some(body))
            .await?;
        Ok(Source {
            algorithm,
            body: Payload::from_stream(body, Some(plaintext_bytes)),
            headers: stored.headers,
            plaintext_bytes,
        })
    }
}

/// The range to be copied, with its header; unlike others it must be whole and within the object.
fn range(headers: &HeaderMap) -> Result<Option<(ByteRange, String)>, S3Error> {
    let Some(header) = headers.get(RANGE) else {
        return Ok(None);
    };
    let header = header.to_str().unwrap_or_default();
    match ByteRange::parse(header) {
        Some(range @ ByteRange::Between { .. }) => Ok(Some((range, header.to_owned()))),
        _ => Err(S3Error::invalid_argument(MALFORMED, RANGE, header)),
    }
}

/// Refuses a range that reaches past the source's end.
fn whole_range(read: &Read, answer: Response<Body>) -> Result<Response<Body>, S3Error> {
    let Wanted::Range(ByteRange::Between { last, .. }, header) = &read.wanted else {
        return Ok(answer);
    };
    let range = text(answer.headers(), "content-range").and_then(ContentRange::parse);
    let is_whole = range.is_some_and(|range| range.last == *last);
    if answer.status() == StatusCode::PARTIAL_CONTENT && is_whole {
        return Ok(answer);
    }
    Err(S3Error::invalid_argument(OUTSIDE, RANGE, header))
}

/// The conditions on the source, and the range, under the names that reads have.
fn conditions(headers: &HeaderMap, range: Option<&(ByteRange, String)>) -> HeaderMap {
    let mut conditions = HeaderMap::new();
    for (name, of_reads) in CONDITIONS {
        if let Some(value) = headers.get(name) {
            conditions.insert(of_reads, value.clone());
        }
    }
    if let Some((_, text)) = range
        && let Ok(value) = HeaderValue::from_str(text)
    {
        conditions.insert(header::RANGE, value);
    }
    conditions
}

/// The body of a source. Nobody else holds it: the lock is never waited for.
struct Opened(Mutex<Body>);

impl PayloadStream for Opened {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, S3Error>>> {
        let body = match self.0.get_mut() {
            Ok(body) => body,
            Err(poisoned) => poisoned.into_inner(),
        };
        loop {
            match ready!(Pin::new(&mut *body).poll_frame(context)) {
                None => return Poll::Ready(None),
                Some(Err(cause)) => {
                    let error = match cause.downcast::<S3Error>() {
                        Ok(error) => *error,
                        Err(_) => S3Error::new(S3Code::ServiceUnavailable),
                    };
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data()
                        && !data.is_empty()
                    {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }
}

const RANGE: &str = "x-amz-copy-source-range";

/// Conditions on a copy's source, and on a read.
const CONDITIONS: [(&str, HeaderName); 4] = [
    ("x-amz-copy-source-if-match", header::IF_MATCH),
    ("x-amz-copy-source-if-none-match", header::IF_NONE_MATCH),
    (
        "x-amz-copy-source-if-modified-since",
        header::IF_MODIFIED_SINCE,
    ),
    (
        "x-amz-copy-source-if-unmodified-since",
        header::IF_UNMODIFIED_SINCE,
    ),
];

const MALFORMED: &str = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy";
const OUTSIDE: &str = "Range specified is not valid for source object";
const TOO_LARGE: &str = "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120";
