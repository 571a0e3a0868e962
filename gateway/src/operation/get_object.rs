//! GetObject, and HeadObject: what GetObject would answer, without the body.
//!
//! One request to the backend fetches the chunks that hold the range of a whole object: where they lie does
//! not depend on the object's size, which comes with the answer. A second request is made only for digests
//! that are neither in the envelope nor remembered; it is pinned to the version that the first one
//! answered. For an object in parts the footer is read beside it: it shows where each byte lies.
//!
//! HeadObject calls the KMS only for a checksum, or the place of a part. With SSE-S3 the ETag may take a
//! read of the object's trailer or footer.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>

use std::ops::Range;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Response;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt as _;
use proto::time::Timestamp;

use crate::authorize::Permitted;
use crate::chunks::layout;
use crate::error::S3Error;
use crate::operation::if_range;
use crate::operation::store::ObjectStore;
use crate::protocol::checksum::Checksum;
use crate::protocol::checksum::ChecksumKind;
use crate::protocol::conditions::Conditions;
use crate::protocol::headers;
use crate::protocol::range::ByteRange;
use crate::protocol::range::Span;
use crate::request::AuthType;
use crate::request::Body;
use crate::request::S3Request;
use crate::request::empty_body;
use crate::sealed::body;
use crate::sealed::head::ObjectHead;
use crate::sealed::read::Description;
use crate::sealed::read::Fetched;
use crate::sealed::read::Needs;
use crate::sealed::reader::ReadError;
use crate::sealed::reader::Reader;
use crate::sealed::reader::settled;
use crate::sealed::selection::Selection;
use crate::sealed::unsealed;
use crate::sse::request::for_read;
use crate::sse::response;

/// A read, as the client requested it.
struct GetRequest {
    reader: Reader,
    selection: Selection,
    /// When it was received.
    received: Timestamp,
    /// The conditions, and the range.
    headers: HeaderMap,
    /// Whether the checksum is to be shown.
    checksum: bool,
    /// Headers of the answer that the client sets itself.
    overrides: Vec<(HeaderName, HeaderValue)>,
}

/// Answers with an object, or a range of it.
///
/// # Errors
///
/// S3's answer to whatever is wrong with the request; `InternalError` for an object that is not
/// as it was written.
pub fn get_object(
    store: &ObjectStore,
    permitted: Permitted<S3Request>,
) -> impl Future<Output = Result<Response<Body>, S3Error>> {
    answer(store, permitted, false)
}

/// Answers with the headers of an object.
///
/// # Errors
///
/// As [`get_object`].
pub fn head_object(
    store: &ObjectStore,
    permitted: Permitted<S3Request>,
) -> impl Future<Output = Result<Response<Body>, S3Error>> {
    answer(store, permitted, true)
}

async fn answer(
    store: &ObjectStore,
    permitted: Permitted<S3Request>,
    is_head: bool,
) -> Result<Response<Body>, S3Error> {
    let (request, terms) = permitted.spend();
    let mut request = GetRequest::from_request(store, request)?;
    request.reader.hides_absence = terms.hides_absence();
    request.reader.judged = terms.judged().cloned();
    let mut response = read_settled(store, &mut request, is_head).await?;
    terms.withhold(response.headers_mut());
    Ok(response)
}

/// Reads an object; all of it where a condition on its range does not hold.
async fn read_settled(
    store: &ObjectStore,
    request: &mut GetRequest,
    is_head: bool,
) -> Result<Response<Body>, S3Error> {
    let answer = settled(|| read(store, request, is_head)).await;
    let condition = if_range::condition(&request.selection, &request.headers);
    let Some(condition) = condition.filter(|condition| !if_range::may_stand(condition, &answer))
    else {
        return answer;
    };
    request.selection = Selection::Whole;
    request.headers.remove(header::RANGE);
    request.headers.remove(header::IF_RANGE);
    let whole = Box::pin(settled(|| read(store, request, is_head))).await?;
    if answer.is_err() && if_range::holds(&condition, whole.headers()) {
        return answer;
    }
    Ok(whole)
}

async fn read(
    store: &ObjectStore,
    request: &GetRequest,
    is_head: bool,
) -> Result<Response<Body>, ReadError> {
    match is_head {
        true => head(store, request).await,
        false => get(store, request).await,
    }
}

impl GetRequest {
    fn from_request(store: &ObjectStore, request: Box<S3Request>) -> Result<Self, S3Error> {
        let transport = store.transport(&request);
        let customer_key = for_read(&request.headers, transport)?;
        let name = store.name(&request.target)?;
        let checksum = match request.header(CHECKSUM_MODE) {
            None => false,
            Some(mode) if mode.eq_ignore_ascii_case("ENABLED") => true,
            Some(mode) => {
                let message = "Unknown checksum mode.";
                return Err(S3Error::invalid_argument(
                    message,
                    CHECKSUM_MODE.as_str(),
                    mode,
                ));
            }
        };
        Ok(Self {
            selection: selection(&request)?,
            checksum,
            overrides: overrides(&request)?,
            reader: Reader::from_request(&request, name, customer_key, transport),
            received: request.received,
            headers: request.headers,
        })
    }

    /// The answer with the headers that the client sets itself.
    fn overridden(&self, mut response: Response<Body>) -> Response<Body> {
        for (name, value) in &self.overrides {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response
    }

    fn needs(&self, head: &ObjectHead, key: bool) -> Needs {
        Needs {
            key,
            checksum: self.checksum && self.may_cover_all(head),
            parts: matches!(self.selection, Selection::Part(_)),
        }
    }

    /// Whether the selected bytes may be all of the object: then the answer shows its checksum.
    fn may_cover_all(&self, head: &ObjectHead) -> bool {
        let Selection::Range(range, _) = &self.selection else {
            return true;
        };
        match head.segment() {
            Some(segment) => range.covers(segment.plaintext_bytes),
            None => range.may_begin_an_object(),
        }
    }

    async fn unlock(
        &self,
        store: &ObjectStore,
        head: &ObjectHead,
        key: bool,
    ) -> Result<(Description, Range<u64>), ReadError> {
        let conditions = Conditions::of_read(&self.headers, self.received);
        let unlocked = store
            .sealed
            .unlock(&self.reader, head, self.needs(head, key), conditions);
        let object = unlocked.await?;
        let range = self
            .selection
            .resolve(object.plaintext_bytes, object.table.as_ref())?;
        Ok((object, range))
    }
}

async fn get(store: &ObjectStore, request: &GetRequest) -> Result<Response<Body>, ReadError> {
    let reader = &request.reader;
    let fetched = store.sealed.fetch(reader, &request.selection).await?;
    if fetched.head.envelope.is_none() {
        return Box::pin(unsealed_get(store, request, fetched)).await;
    }
    let head = fetched.head;
    let has_range = fetched.stored.is_some();
    let (object, range) = request.unlock(store, &head, has_range).await?;
    if !has_range {
        // There is such a range: the object has grown since.
        return Err(ReadError::Changed);
    }
    let body = body::open(
        &store.sealed,
        reader,
        &head,
        &object,
        &range,
        fetched.stored,
    )
    .await?;
    let response = Response::new(body.boxed_unsync());
    Ok(describe(response, request, &head, &object, &range))
}

async fn head(store: &ObjectStore, request: &GetRequest) -> Result<Response<Body>, ReadError> {
    let head = store.sealed.head(&request.reader).await?;
    if head.envelope.is_none() {
        return Box::pin(unsealed(store, request, Method::HEAD)).await;
    }
    let (object, range) = request.unlock(store, &head, false).await?;
    let response = Response::new(empty_body());
    Ok(describe(response, request, &head, &object, &range))
}

/// Answers `GET` with an unsealed object, of which all or a range has come.
async fn unsealed_get(
    store: &ObjectStore,
    request: &GetRequest,
    fetched: Fetched,
) -> Result<Response<Body>, ReadError> {
    let answers =
        request.selection == Selection::Whole && unsealed::is_answered_by_first(&request.headers);
    let Some(stored) = fetched.stored.filter(|_| answers) else {
        return unsealed(store, request, Method::GET).await;
    };
    let answer = unsealed::hand_out(&request.reader, &fetched.head, stored.body).await?;
    Ok(request.overridden(answer.map(|body| body.boxed_unsync())))
}

/// Answers `GET` or `HEAD` with an unsealed object.
async fn unsealed(
    store: &ObjectStore,
    request: &GetRequest,
    method: Method,
) -> Result<Response<Body>, ReadError> {
    if let Selection::Part(2..) = request.selection {
        request.selection.resolve(0, None)?;
    }
    let (reader, headers) = (&request.reader, &request.headers);
    let answer = unsealed::read(&store.sealed, reader, method, headers).await?;
    Ok(request.overridden(answer.map(|body| body.boxed_unsync())))
}

/// Adds status and headers to the answer to a read.
fn describe(
    mut response: Response<Body>,
    request: &GetRequest,
    head: &ObjectHead,
    object: &Description,
    range: &Range<u64>,
) -> Response<Body> {
    let mut headers = headers::of_answer(&head.headers);
    headers.insert(header::ETAG, object.etag.to_header());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, (range.end - range.start).into());
    let is_whole = request.selection == Selection::Whole;
    if !is_whole && !range.is_empty() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let span = Span {
            first: range.start,
            last: range.end - 1,
        };
        let range = HeaderValue::from_str(&span.content_range(object.plaintext_bytes));
        if let Ok(range) = range {
            headers.insert(header::CONTENT_RANGE, range);
        }
    }
    if let (Selection::Part(_), Some(parts)) = (&request.selection, object.parts()) {
        headers.insert("x-amz-mp-parts-count", parts.into());
    }
    if request.checksum {
        let covers_all = (range.start, range.end) == (0, object.plaintext_bytes);
        write_checksum(&mut headers, &request.selection, object, covers_all);
    }
    if let Some(protection) = head.protection() {
        let md5 = request.reader.customer_key.as_ref().map(|key| key.md5());
        response::of_read(&mut headers, protection, md5);
    }
    *response.headers_mut() = headers;
    request.overridden(response)
}

/// Adds the checksum of the bytes that a request selects, if there is one: of part of an object only a
/// part's, and that only where the object's is composed of those.
fn write_checksum(
    headers: &mut HeaderMap,
    selection: &Selection,
    object: &Description,
    covers_all: bool,
) {
    let Some(checksum) = object.checksum() else {
        return;
    };
    let count = object.parts();
    match selection {
        Selection::Whole => checksum.write_headers(headers, count),
        Selection::Range(..) if covers_all => checksum.write_headers(headers, count),
        Selection::Range(..) => {}
        Selection::Part(place) if checksum.kind == ChecksumKind::Composite => {
            if let Some(value) = object.part_checksum(*place) {
                let part = Checksum {
                    value: value.to_vec(),
                    ..checksum.clone()
                };
                part.write_headers(headers, None);
            }
        }
        // The checksum of all bytes is that of the part where there is no other.
        Selection::Part(_) if count.is_none_or(|count| count == 1) => {
            checksum.write_headers(headers, None);
        }
        Selection::Part(_) => {}
    }
}

/// Which bytes of the object a request selects.
fn selection(request: &S3Request) -> Result<Selection, S3Error> {
    let range = headers::text(&request.headers, header::RANGE).and_then(|header| {
        Some(Selection::Range(
            ByteRange::parse(header)?,
            header.to_owned(),
        ))
    });
    let Some(number) = request.target.query.get("partNumber") else {
        return Ok(range.unwrap_or(Selection::Whole));
    };
    if range.is_some() {
        return Err(S3Error::invalid_request(RANGE_AND_PART));
    }
    match number.parse() {
        Ok(number @ 1..=layout::PARTS_MAX) => Ok(Selection::Part(number)),
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
        let latin_1: Option<Vec<u8>> = value.chars().map(|it| u8::try_from(it).ok()).collect();
        let Some(latin_1) = latin_1 else {
            return Err(S3Error::invalid_argument(NOT_LATIN_1, query, value));
        };
        let value = HeaderValue::from_bytes(&latin_1)
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

const NOT_LATIN_1: &str = "Header value cannot be represented using ISO-8859-1.";
const CHECKSUM_MODE: HeaderName = HeaderName::from_static("x-amz-checksum-mode");
const RANGE_AND_PART: &str = "Cannot specify both Range header and partNumber query parameter";
const BAD_PART: &str = "Part number must be an integer between 1 and 10000, inclusive";
const ANONYMOUS_OVERRIDE: &str =
    "Request specific response headers cannot be used for anonymous GET requests.";
