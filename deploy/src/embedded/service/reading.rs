//! GetObject and HeadObject.

use std::io;
use std::ops::Range;

use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use http_body::Frame;
use http_body_util::StreamBody;
use s3s::Body;
use s3s::S3Error;
use s3s::S3ErrorCode;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto;
use s3s::dto::ChecksumMode;
use s3s::dto::ETagCondition;
use s3s::dto::GetObjectInput;
use s3s::dto::GetObjectOutput;
use s3s::dto::HeadObjectInput;
use s3s::dto::HeadObjectOutput;
use s3s::dto::StreamingBlob;
use s3s::dto::Timestamp;

use crate::embedded::content::Reader;
use crate::embedded::fault::DELETE_MARKER;
use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::record::Bucket;
use crate::embedded::index::record::LockMode;
use crate::embedded::index::record::Object;
use crate::embedded::index::record::Version;
use crate::embedded::index::record::Versioning;
use crate::embedded::service::Service;
use crate::embedded::service::intake;
use crate::embedded::service::lifecycle_headers;
use crate::embedded::service::names;
use crate::embedded::store::Place;
use crate::embedded::versions;

/// What GetObject and HeadObject ask alike.
struct Request {
    place: Place,
    conditions: ReadConditions,
    range: Option<dto::Range>,
    part: Option<i32>,
    with_checksum: bool,
}

/// What must hold of an object to be read.
pub(super) struct ReadConditions {
    pub(super) matches: Option<ETagCondition>,
    pub(super) none_match: Option<ETagCondition>,
    pub(super) modified_since: Option<Timestamp>,
    pub(super) unmodified_since: Option<Timestamp>,
}

/// The request in an input of either operation.
macro_rules! request {
    ($input:expr) => {
        Request {
            place: names::place($input.bucket, $input.key, $input.version_id.as_deref())?,
            conditions: ReadConditions {
                matches: $input.if_match,
                none_match: $input.if_none_match,
                modified_since: $input.if_modified_since,
                unmodified_since: $input.if_unmodified_since,
            },
            range: $input.range,
            part: $input.part_number,
            with_checksum: $input
                .checksum_mode
                .is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED),
        }
    };
}

pub(super) async fn get_object(
    service: &Service,
    request: S3Request<GetObjectInput>,
) -> S3Result<S3Response<GetObjectOutput>> {
    let request = request!(request.input);
    let (bucket, found, reader) = service.store.open_object(&request.place)?;
    let expiration = expiration(service, &bucket, &request.place, &found.version)?;
    let answer = Answer::of(&bucket, found.version, &request)?;
    let body = body(reader, &answer.range).await?;
    let head = answer.head;
    let mut response = S3Response::new(GetObjectOutput {
        accept_ranges: head.accept_ranges,
        body: Some(body),
        checksum_crc32: head.checksum_crc32,
        checksum_crc32c: head.checksum_crc32c,
        checksum_crc64nvme: head.checksum_crc64nvme,
        checksum_sha1: head.checksum_sha1,
        checksum_sha256: head.checksum_sha256,
        checksum_type: head.checksum_type,
        content_length: head.content_length,
        content_range: head.content_range,
        e_tag: head.e_tag,
        expiration,
        last_modified: head.last_modified,
        object_lock_legal_hold_status: head.object_lock_legal_hold_status,
        object_lock_mode: head.object_lock_mode,
        object_lock_retain_until_date: head.object_lock_retain_until_date,
        parts_count: head.parts_count,
        storage_class: head.storage_class,
        tag_count: answer.tags,
        version_id: head.version_id,
        ..GetObjectOutput::default()
    });
    response.headers = answer.headers;
    Ok(response)
}

pub(super) async fn head_object(
    service: &Service,
    request: S3Request<HeadObjectInput>,
) -> S3Result<S3Response<HeadObjectOutput>> {
    let request = request!(request.input);
    let (bucket, found) = service.store.find(&request.place)?;
    let expiration = expiration(service, &bucket, &request.place, &found.version)?;
    let answer = Answer::of(&bucket, found.version, &request)?;
    let mut response = S3Response::new(HeadObjectOutput {
        expiration,
        ..answer.head
    });
    response.headers = answer.headers;
    if let Some(tags) = answer.tags {
        response.headers.insert(TAG_COUNT, tags.into());
    }
    Ok(response)
}

/// When the object expires. As at AWS, that is of the current version and where none is named.
fn expiration(
    service: &Service,
    bucket: &Bucket,
    place: &Place,
    version: &Version,
) -> Outcome<Option<String>> {
    match (&version.object, place.version) {
        (Some(object), None) => {
            lifecycle_headers::expiration(service, bucket, &place.key, object, version.modified_ms)
        }
        _ => Ok(None),
    }
}

/// An answer, but for its body.
struct Answer {
    head: HeadObjectOutput,
    headers: HeaderMap,
    tags: Option<i32>,
    range: Range<u64>,
}

impl Answer {
    fn of(bucket: &Bucket, version: Version, request: &Request) -> Outcome<Self> {
        let is_versioned = bucket.versioning != Versioning::Unversioned;
        let id = is_versioned.then(|| versions::show(version.id));
        let Some(object) = version.object else {
            return Err(marker(&request.place, id, version.modified_ms).into());
        };
        request.conditions.check(&object, version.modified_ms)?;
        let (range, is_partial) = range(&object, request)?;
        let is_whole = range == (0..object.length);
        let checksum = object
            .checksum
            .as_ref()
            .filter(|_| request.with_checksum && is_whole);
        let checksum = intake::shown(checksum);
        let retention = object.retention;
        let mode = retention.map(|retention| match retention.mode {
            LockMode::Governance => dto::ObjectLockMode::GOVERNANCE,
            LockMode::Compliance => dto::ObjectLockMode::COMPLIANCE,
        });
        let hold = object
            .legal_hold
            .map(|is_on| if is_on { "ON" } else { "OFF" });
        let parts = (request.part.is_some() && !object.parts.is_empty()).then_some(&object.parts);
        let content_range = is_partial.then(|| {
            let last = range.end.saturating_sub(1);
            format!("bytes {}-{last}/{}", range.start, object.length)
        });
        let head = HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            checksum_crc32: checksum.checksum_crc32,
            checksum_crc32c: checksum.checksum_crc32c,
            checksum_crc64nvme: checksum.checksum_crc64nvme,
            checksum_sha1: checksum.checksum_sha1,
            checksum_sha256: checksum.checksum_sha256,
            checksum_type: checksum.checksum_type,
            content_length: Some(names::length(range.end - range.start)),
            content_range,
            e_tag: Some(names::etag(&object.etag)),
            last_modified: Some(names::timestamp(version.modified_ms)),
            object_lock_legal_hold_status: hold.map(dto::ObjectLockLegalHoldStatus::from_static),
            object_lock_mode: mode.map(dto::ObjectLockMode::from_static),
            object_lock_retain_until_date: retention.map(|it| names::timestamp(it.until_ms)),
            parts_count: parts.map(|parts| names::count(parts.len())),
            storage_class: object.storage_class.clone().map(dto::StorageClass::from),
            version_id: id,
            ..HeadObjectOutput::default()
        };
        let tags = (!object.tags.is_empty()).then(|| names::count(object.tags.len()));
        Ok(Self {
            head,
            headers: headers(&object)?,
            tags,
            range,
        })
    }
}

impl ReadConditions {
    /// RFC 9110, section 13.2.2, in its order.
    pub(super) fn check(&self, object: &Object, modified_ms: i64) -> Outcome<()> {
        let is = |condition: &ETagCondition| {
            let named = names::condition(condition);
            named == "*" || named == object.etag
        };
        let seconds = |time: &Timestamp| names::milliseconds(time.clone()).div_euclid(1_000);
        let modified = modified_ms.div_euclid(1_000);
        let holds = match (&self.matches, &self.unmodified_since) {
            (Some(wanted), _) => is(wanted),
            (None, Some(since)) => modified <= seconds(since),
            (None, None) => true,
        };
        if !holds {
            return Err(S3ErrorCode::PreconditionFailed.into());
        }
        let is_news = match (&self.none_match, &self.modified_since) {
            (Some(unwanted), _) => !is(unwanted),
            (None, Some(since)) => modified > seconds(since),
            (None, None) => true,
        };
        if is_news {
            return Ok(());
        }
        let mut error = S3Error::new(S3ErrorCode::NotModified);
        let mut headers = HeaderMap::new();
        let etag = names::etag(&object.etag).to_http_header();
        headers.insert(header::ETAG, etag.map_err(Fault::damaged)?);
        let time = proto::time::Timestamp::from_unix_seconds(modified).http_date();
        let time = HeaderValue::try_from(time).map_err(Fault::damaged)?;
        headers.insert(header::LAST_MODIFIED, time);
        error.set_headers(headers);
        Err(error.into())
    }
}

/// The bytes that a request asks for, and whether that is said in the answer.
fn range(object: &Object, request: &Request) -> Outcome<(Range<u64>, bool)> {
    match (&request.range, request.part) {
        (Some(_), Some(_)) => Err(Fault::message(
            S3ErrorCode::InvalidRequest,
            "Cannot specify both Range header and partNumber query parameter",
        )),
        (Some(range), None) => match range.check(object.length) {
            Ok(range) => Ok((range, true)),
            Err(_) => Err(S3ErrorCode::InvalidRange.into()),
        },
        (None, Some(part)) => part_range(object, part),
        (None, None) => Ok((0..object.length, false)),
    }
}

fn part_range(object: &Object, part: i32) -> Outcome<(Range<u64>, bool)> {
    let missing = || {
        let message = "The requested partnumber is not satisfiable";
        Fault::custom(
            "InvalidPartNumber",
            StatusCode::RANGE_NOT_SATISFIABLE,
            message,
        )
    };
    if object.parts.is_empty() {
        // An object that was not uploaded in parts is its own first part.
        return match part {
            1 => Ok((0..object.length, true)),
            _ => Err(missing()),
        };
    }
    let mut start: u64 = 0;
    for own in &object.parts {
        let end = start.saturating_add(own.length);
        if i32::from(own.number) == part {
            return Ok((start..end, true));
        }
        start = end;
    }
    Err(missing())
}

/// The headers that were recorded with an object.
pub(super) fn headers(object: &Object) -> Outcome<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in &object.headers {
        let name = HeaderName::try_from(name.as_str()).map_err(Fault::damaged)?;
        let value = HeaderValue::from_bytes(value).map_err(Fault::damaged)?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// The bytes of an answer. The first are read before it begins, so that a file that is gone or cut off is an error of
/// its object, and not a connection that breaks.
async fn body(reader: Reader, range: &Range<u64>) -> Outcome<StreamingBlob> {
    if range.is_empty() {
        return Ok(StreamingBlob::from(Body::empty()));
    }
    if let Some(bytes) = reader.in_memory(range.start, range.end) {
        return Ok(StreamingBlob::from(Body::from(bytes)));
    }
    let mut bytes = Box::pin(reader.stream(range.start, range.end));
    let first = bytes.next().await.transpose().map_err(unreadable)?;
    let rest =
        bytes.inspect_err(|error| tracing::error!(%error, "the bytes of an object end early"));
    let bytes = stream::iter(first.map(Ok)).chain(rest);
    let frames = bytes.map(|bytes| bytes.map(Frame::data));
    Ok(StreamingBlob::from(Body::http_body_unsync(
        StreamBody::new(frames),
    )))
}

/// Why bytes cannot be read: their file is not as it was written, or the disk fails.
fn unreadable(error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof | io::ErrorKind::IsADirectory => {
            Fault::damaged(error)
        }
        _ => Fault::Storage(error.into()),
    }
}

/// The refusal to read a delete marker: as if there was nothing, or, if it was named, as what it is.
pub(super) fn marker(place: &Place, id: Option<String>, modified_ms: i64) -> S3Error {
    let mut headers = HeaderMap::new();
    headers.insert(DELETE_MARKER, HeaderValue::from_static("true"));
    let id = id.and_then(|id| HeaderValue::try_from(id).ok());
    if let Some(id) = id {
        headers.insert(VERSION_ID, id);
    }
    let code = match place.version {
        None => S3ErrorCode::NoSuchKey,
        Some(_) => {
            headers.insert(header::ALLOW, HeaderValue::from_static("DELETE"));
            let time = proto::time::Timestamp::from_unix_millis(modified_ms).http_date();
            if let Ok(time) = HeaderValue::try_from(time) {
                headers.insert(header::LAST_MODIFIED, time);
            }
            S3ErrorCode::MethodNotAllowed
        }
    };
    let mut error = S3Error::new(code);
    error.set_headers(headers);
    error
}

const TAG_COUNT: HeaderName = HeaderName::from_static("x-amz-tagging-count");
const VERSION_ID: HeaderName = HeaderName::from_static("x-amz-version-id");
