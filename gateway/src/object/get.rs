//! GetObject.
//!
//! One request to the backend fetches the chunks that hold the range asked for: where they lie does not
//! depend on the object's size, which comes with the answer. The suffix of an object is asked for with
//! one chunk to spare. A second request is made only for digests that are neither in the envelope
//! nor remembered; it is pinned to the version that the first one answered.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Response;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt as _;

use crate::backend::Backend;
use crate::chunks::Keys;
use crate::chunks::layout;
use crate::chunks::open::Opener;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::if_range;
use crate::object::opened::OpenedBody;
use crate::object::stored::ATTEMPTS;
use crate::object::stored::Found;
use crate::object::stored::Needs;
use crate::object::stored::ReadError;
use crate::object::stored::Reader;
use crate::object::stored::Stored;
use crate::object::stored::Unlocked;
use crate::protocol::conditions::Names;
use crate::protocol::headers;
use crate::protocol::range::ByteRange;
use crate::protocol::range::ContentRange;
use crate::protocol::range::Span;
use crate::request::AuthType;
use crate::request::Body;
use crate::request::S3Request;
use crate::sse::answer;
use crate::sse::choice;
use crate::sse::choice::Transport;
use crate::sse::data_key::refuse_tampered;

/// A read, as the client asked for it.
pub(crate) struct Read {
    pub(crate) reader: Reader,
    pub(crate) wanted: Wanted,
    /// The conditions.
    pub(crate) headers: HeaderMap,
    /// Whether the checksum was asked for.
    pub(crate) checksum: bool,
    /// Headers of the answer that the client sets itself.
    pub(crate) overrides: Vec<(HeaderName, HeaderValue)>,
}

/// Which part of an object was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of it.
    Whole,
    /// A range; the header as it was, for the error.
    Range(ByteRange, String),
    /// One part of a multipart upload; an object that was written at once is its own part 1.
    Part(u32),
}

impl Objects {
    /// Answers with an object, or a range of it.
    ///
    /// # Errors
    ///
    /// S3's answer to whatever is wrong with the request; `InternalError` for an object that is not
    /// as it was written.
    pub async fn get(&self, request: S3Request) -> Result<Response<Body>, S3Error> {
        let mut read = self.read(request)?;
        let answer = self.get_settled(&read).await;
        let Some(condition) = read.if_range() else {
            return answer;
        };
        if if_range::may_stand(&condition, &answer) {
            return answer;
        }
        read.widen();
        let whole = Box::pin(self.get_settled(&read)).await?;
        if answer.is_err() && if_range::holds(&condition, whole.headers()) {
            return answer;
        }
        Ok(whole)
    }

    /// The answer, after the object held still.
    async fn get_settled(&self, read: &Read) -> Result<Response<Body>, S3Error> {
        for _ in 0..ATTEMPTS {
            match self.get_once(read).await {
                Ok(answer) => return Ok(answer),
                Err(ReadError::Changed) => {}
                Err(ReadError::Refused(error)) => return Err(error),
            }
        }
        Err(S3Error::new(S3Code::ConditionalRequestConflict))
    }

    /// What a request asks to read.
    pub(crate) fn read(&self, request: S3Request) -> Result<Read, S3Error> {
        let transport = Transport::of(&request, self.config.allow_insecure_sse);
        let customer_key = choice::for_read(&request.headers, transport)?;
        let name = self.name(&request.target)?;
        let checksum = match request.header("x-amz-checksum-mode") {
            None => false,
            Some(mode) if mode.eq_ignore_ascii_case("ENABLED") => true,
            Some(mode) => {
                let name = "x-amz-checksum-mode";
                return Err(S3Error::invalid_argument(
                    "Unknown checksum mode.",
                    name,
                    mode,
                ));
            }
        };
        Ok(Read {
            wanted: wanted(&request)?,
            checksum,
            overrides: overrides(&request)?,
            reader: Reader::of(&request, name, customer_key, transport),
            headers: request.headers,
        })
    }

    // What happens seldom is boxed, here and below: every request carries the room of what is not.
    pub(crate) async fn get_once(&self, read: &Read) -> Result<Response<Body>, ReadError> {
        let reader = &read.reader;
        let mut request = reader.request(Method::GET);
        if let Some(range) = backend_range(&read.wanted) {
            let range = HeaderValue::from_str(&range).map_err(|_| S3Error::internal())?;
            request = request.header(header::RANGE, range);
        }
        let answer = self.backend.send(request).await?;
        match answer.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {}
            StatusCode::RANGE_NOT_SATISFIABLE => return Box::pin(self.not_satisfiable(read)).await,
            _ => {
                let refusal = Box::pin(Backend::refusal(&Method::GET, answer));
                return Err(refusal.await.into());
            }
        }
        let (parts, body) = answer.into_parts();
        let stored = match self.recognise(&reader.name.bucket, parts.status, parts.headers)? {
            Found::Sealed(stored) => stored,
            Found::Parts(stored) => {
                let whole = parts.status == StatusCode::OK && read.wanted == Wanted::Whole;
                let body = whole.then_some(body);
                return Box::pin(self.get_parts(read, &stored, body)).await;
            }
            Found::Plain(_) => {
                drop(body);
                return Box::pin(self.plain(read, Method::GET)).await;
            }
        };

        let ranged = matches!(read.wanted, Wanted::Range(..));
        let needs = Needs {
            key: true,
            checksum: read.checksum && !ranged,
        };
        let names = Names::of_reads();
        let unlocked = self
            .unlock(reader, &stored, needs, (&read.headers, &names))
            .await?;
        let span = read.wanted.resolve(stored.segment.plaintext_bytes)?;
        let keys = unlocked.keys.as_ref().ok_or_else(S3Error::internal)?;
        let body = open(&stored, keys.keys(), span, parts.status, body)?
            .open_first()
            .await?;
        let mut response = Response::new(body.boxed_unsync());
        describe(&mut response, read, &stored, &unlocked, span);
        Ok(response)
    }

    /// The backend has no such range: the object is shorter, it is unsealed, or it is gone.
    async fn not_satisfiable(&self, read: &Read) -> Result<Response<Body>, ReadError> {
        let headers = self.head_backend(&read.reader).await?;
        let bucket = &read.reader.name.bucket;
        let stored = match self.recognise(bucket, StatusCode::OK, headers)? {
            Found::Sealed(stored) => stored,
            Found::Parts(stored) => return Err(self.parts_not_satisfiable(read, &stored).await),
            Found::Plain(_) => return self.plain(read, Method::GET).await,
        };
        let needs = Needs {
            key: false,
            checksum: false,
        };
        let conditions = (&read.headers, &Names::of_reads());
        self.unlock(&read.reader, &stored, needs, conditions)
            .await?;
        read.wanted.resolve(stored.segment.plaintext_bytes)?;
        // There is such a range: the object has grown since.
        Err(ReadError::Changed)
    }
}

impl Wanted {
    /// The bytes asked for, of an object of this size; `None` for all of them.
    ///
    /// # Errors
    ///
    /// `InvalidRange` for a range behind the end; `InvalidPartNumber` for a part there is not.
    pub(crate) fn resolve(&self, plaintext_bytes: u64) -> Result<Option<Span>, S3Error> {
        match self {
            Self::Whole => Ok(None),
            Self::Range(range, header) => match range.resolve(plaintext_bytes) {
                Some(span) => Ok(Some(span)),
                None => Err(S3Error::new(S3Code::InvalidRange)
                    .detail("RangeRequested", header)
                    .detail("ActualObjectSize", plaintext_bytes.to_string())),
            },
            Self::Part(1) => {
                let last = plaintext_bytes.checked_sub(1);
                Ok(last.map(|last| Span { first: 0, last }))
            }
            Self::Part(number) => Err(S3Error::new(S3Code::InvalidPartNumber)
                .detail("PartNumberRequested", number.to_string())
                .detail("ActualPartCount", "1")),
        }
    }
}

/// Status and headers of the answer to a read.
pub(crate) fn describe<B>(
    response: &mut Response<B>,
    read: &Read,
    stored: &Stored,
    unlocked: &Unlocked,
    span: Option<Span>,
) {
    let plaintext_bytes = stored.segment.plaintext_bytes;
    let mut headers = headers::of_answer(&stored.headers);
    headers.insert(header::ETAG, unlocked.etag.clone());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(
        header::CONTENT_LENGTH,
        span.map_or(plaintext_bytes, Span::bytes).into(),
    );
    if let Some(span) = span {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        if let Ok(range) = HeaderValue::from_str(&span.content_range(plaintext_bytes)) {
            headers.insert(header::CONTENT_RANGE, range);
        }
    }
    let told = read.checksum && !matches!(read.wanted, Wanted::Range(..));
    if let Some(record) = unlocked.record.as_ref().filter(|_| told)
        && let Some(checksum) = &record.checksum
    {
        checksum.write_headers(&mut headers, 1);
    }
    let md5 = read.reader.customer_key.as_ref().map(|key| key.md5());
    answer::of_read(&mut headers, &stored.sealed.claims().protection, md5);
    for (name, value) in &read.overrides {
        headers.insert(name.clone(), value.clone());
    }
    *response.headers_mut() = headers;
}

/// The body of the answer: the chunks that hold `span`, opened.
fn open(
    stored: &Stored,
    keys: Keys<'_>,
    span: Option<Span>,
    status: StatusCode,
    body: crate::backend::ReplyBody,
) -> Result<OpenedBody, S3Error> {
    // Where the answer begins in the stored object, and where it ends.
    let (first, end) = if status == StatusCode::PARTIAL_CONTENT {
        let range = stored.headers.get(header::CONTENT_RANGE);
        let range = range
            .and_then(|range| range.to_str().ok())
            .and_then(ContentRange::parse);
        let range = range.ok_or_else(|| refuse_tampered(&"an answer without a range"))?;
        (range.first, range.last + 1)
    } else {
        (0, stored.stored_bytes)
    };
    let whole = first == 0 && end == stored.stored_bytes;
    let plaintext_bytes = stored.segment.plaintext_bytes;
    let all = Span {
        first: 0,
        last: plaintext_bytes.saturating_sub(1),
    };
    let (opener, wanted) = match span {
        Some(span) if !whole || span != all => {
            let span = layout::span(plaintext_bytes, span.first..span.last + 1)
                .ok_or_else(S3Error::internal)?;
            (Opener::span(keys, &stored.segment, &span)?, span.stored)
        }
        _ => {
            // The envelope was authenticated: its data key is here.
            let opener = match stored.sealed.claims().record {
                Some(record) => Opener::object_with_record(keys, &stored.segment, record)?,
                None => Opener::object(keys, &stored.segment)?,
            };
            (opener, 0..stored.stored_bytes)
        }
    };
    if wanted.start < first || end < wanted.end {
        return Err(refuse_tampered(
            &"an answer of another range than was asked for",
        ));
    }
    Ok(OpenedBody::new(
        body,
        opener,
        wanted.start - first,
        wanted.end - wanted.start,
    ))
}

/// The stored range to ask for, before the object's size is known.
fn backend_range(wanted: &Wanted) -> Option<String> {
    const HEAD: u64 = layout::HEAD_BYTES as u64;
    const CHUNK: u64 = layout::CHUNK_BYTES as u64;
    const SEALED: u64 = layout::SEALED_CHUNK_BYTES as u64;
    let start_of = |position: u64| HEAD.saturating_add((position / CHUNK).saturating_mul(SEALED));
    match wanted {
        Wanted::Whole | Wanted::Part(1) => None,
        Wanted::Part(_) => Some("bytes=0-0".to_owned()),
        Wanted::Range(ByteRange::From { first }, _) => Some(format!("bytes={}-", start_of(*first))),
        Wanted::Range(ByteRange::Between { first, last }, _) => {
            let last = start_of(*last).saturating_add(SEALED - 1);
            Some(format!("bytes={}-{last}", start_of(*first)))
        }
        Wanted::Range(ByteRange::Suffix { count }, _) => {
            // Any `count` bytes lie in at most this many chunks.
            let chunks = (count / CHUNK).saturating_add(2);
            let suffix = chunks
                .saturating_mul(SEALED)
                .saturating_add(layout::TRAILER_BYTES as u64);
            Some(format!("bytes=-{suffix}"))
        }
    }
}

/// Which part of the object a request asks for.
fn wanted(request: &S3Request) -> Result<Wanted, S3Error> {
    let range = request
        .headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok())
        .and_then(|header| {
            let range = ByteRange::parse(header)?;
            Some(Wanted::Range(range, header.to_owned()))
        });
    let Some(number) = request.target.query.get("partNumber") else {
        return Ok(range.unwrap_or(Wanted::Whole));
    };
    if range.is_some() {
        return Err(S3Error::invalid_request(RANGE_AND_PART));
    }
    match number.parse() {
        Ok(number @ 1..=layout::PARTS_MAX) => Ok(Wanted::Part(number)),
        _ => Err(S3Error::invalid_argument(BAD_PART, "partNumber", number)),
    }
}

/// The headers of the answer that a request sets by `response-...` in its query.
fn overrides(request: &S3Request) -> Result<Vec<(HeaderName, HeaderValue)>, S3Error> {
    let mut overrides = Vec::new();
    for (query, name) in OVERRIDES {
        let Some(value) = request.target.query.get(query) else {
            continue;
        };
        if request.auth == AuthType::Anonymous {
            return Err(S3Error::invalid_request(ANONYMOUS_OVERRIDE));
        }
        let value = HeaderValue::from_str(value)
            .map_err(|_| S3Error::invalid_argument("Invalid header value.", query, "null"))?;
        overrides.push((name, value));
    }
    Ok(overrides)
}

/// Query parameters, and the headers that they set.
const OVERRIDES: [(&str, HeaderName); 6] = [
    ("response-cache-control", header::CACHE_CONTROL),
    ("response-content-disposition", header::CONTENT_DISPOSITION),
    ("response-content-encoding", header::CONTENT_ENCODING),
    ("response-content-language", header::CONTENT_LANGUAGE),
    ("response-content-type", header::CONTENT_TYPE),
    ("response-expires", header::EXPIRES),
];

const RANGE_AND_PART: &str = "Cannot specify both Range header and partNumber query parameter";
const BAD_PART: &str = "Part number must be an integer between 1 and 10000, inclusive";
const ANONYMOUS_OVERRIDE: &str =
    "Request specific response headers cannot be used for anonymous GET requests.";
