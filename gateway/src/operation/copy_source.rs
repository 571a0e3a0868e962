//! The source of a copy, opened: for CopyObject and UploadPartCopy.

use std::ops::Range;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::StatusCode;

use crate::error::S3Error;
use crate::keys::data_key::refuse_tampered;
use crate::protocol::checksum::Algorithm;
use crate::protocol::conditions::Conditions;
use crate::protocol::document;
use crate::protocol::xml;
use crate::request::Payload;
use crate::sealed::body;
use crate::sealed::head::ObjectHead;
use crate::sealed::objects::SealedObjects;
use crate::sealed::read::Fetched;
use crate::sealed::read::Needs;
use crate::sealed::reader::ReadError;
use crate::sealed::reader::Reader;
use crate::sealed::reader::settled;
use crate::sealed::selection::Selection;
use crate::sealed::unsealed;
use crate::sealed::unsealed::PlainBody;

/// The source of a copy, its first piece opened.
pub(crate) struct OpenSource {
    pub(crate) head: Box<ObjectHead>,
    /// Length of what is copied, in bytes.
    pub(crate) plaintext_bytes: u64,
    /// Length of the whole source, in bytes.
    pub(crate) object_bytes: u64,
    pub(crate) body: Payload,
    /// The algorithm of the source's checksum.
    pub(crate) algorithm: Option<Algorithm>,
}

/// Opens the source of a copy, or a range of it, after its conditions held.
///
/// # Errors
///
/// As a read of it; `InvalidRequest` for a delete marker, and for more than S3 copies at once.
pub(crate) async fn open_source(
    objects: &SealedObjects,
    reader: &Reader,
    conditions: Conditions<'_>,
    selection: &Selection,
) -> Result<OpenSource, S3Error> {
    let opened = settled(|| open(objects, reader, conditions, selection)).await;
    opened.map_err(delete_marker)
}

/// The answer to a copy whose source is a delete marker, which the backend answers by 405.
pub(crate) fn delete_marker(error: S3Error) -> S3Error {
    match error.status() == StatusCode::METHOD_NOT_ALLOWED {
        true => S3Error::invalid_request(DELETE_MARKER),
        false => error,
    }
}

/// Refuses what is too large to be copied at once.
///
/// # Errors
///
/// `InvalidRequest`.
pub(crate) fn check_size(bytes: u64) -> Result<(), S3Error> {
    match bytes > SOURCE_BYTES_MAX {
        true => Err(S3Error::invalid_request(TOO_LARGE)),
        false => Ok(()),
    }
}

async fn open(
    objects: &SealedObjects,
    reader: &Reader,
    conditions: Conditions<'_>,
    selection: &Selection,
) -> Result<OpenSource, ReadError> {
    let fetched = objects.fetch(reader, selection).await?;
    if fetched.head.envelope.is_none() {
        return open_unsealed(objects, reader, conditions, selection, fetched).await;
    }
    let Fetched { head, stored } = fetched;
    let object = objects
        .unlock(reader, &head, Needs::ALL, conditions)
        .await?;
    let range = selection.resolve(object.plaintext_bytes, object.table.as_ref())?;
    let plaintext_bytes = range.end - range.start;
    check_size(plaintext_bytes)?;
    let body = body::open(objects, reader, &head, &object, &range, stored).await?;
    Ok(OpenSource {
        algorithm: object.checksum().map(|checksum| checksum.algorithm),
        body: Payload::from_stream(body, Some(plaintext_bytes)),
        plaintext_bytes,
        object_bytes: object.plaintext_bytes,
        head,
    })
}

/// An unsealed source, in a bucket that was adopted.
async fn open_unsealed(
    objects: &SealedObjects,
    reader: &Reader,
    conditions: Conditions<'_>,
    selection: &Selection,
    fetched: Fetched,
) -> Result<OpenSource, ReadError> {
    let Fetched { head, stored } = fetched;
    if unsealed::check(objects, reader).await? != head.etag {
        return Err(ReadError::Changed);
    }
    conditions.check(&head.etag, || head.modified())?;
    let range = selection.resolve(head.stored_bytes, None)?;
    let plaintext_bytes = range.end - range.start;
    check_size(plaintext_bytes)?;
    // The range was requested as that of a sealed object.
    let body = match stored.filter(|stored| stored.range == range) {
        Some(stored) => Payload::from_stream(PlainBody(stored.body), Some(plaintext_bytes)),
        None if range.is_empty() => Payload::empty(),
        None => plain_range(objects, reader, &head, &range).await?,
    };
    Ok(OpenSource {
        algorithm: None,
        body,
        plaintext_bytes,
        object_bytes: head.stored_bytes,
        head,
    })
}

async fn plain_range(
    objects: &SealedObjects,
    reader: &Reader,
    head: &ObjectHead,
    range: &Range<u64>,
) -> Result<Payload, ReadError> {
    let answer = objects.pinned_range(reader, head, range).await?;
    let (parts, body) = answer.into_parts();
    let (_, stored) = ObjectHead::from_answer(parts.status, parts.headers)?;
    if stored != *range {
        return Err(refuse_tampered(&"an answer of another range than requested").into());
    }
    let bytes = Some(range.end - range.start);
    Ok(Payload::from_stream(PlainBody(body), bytes))
}

/// Takes over the source's tags, where the backend counts some.
///
/// # Errors
///
/// The backend's refusal; `InternalError` for tags that are not as S3 writes them.
pub(crate) async fn copy_tags(
    objects: &SealedObjects,
    reader: &Reader,
    source: &ObjectHead,
    headers: &mut HeaderMap,
) -> Result<(), S3Error> {
    let count = source.headers.get("x-amz-tagging-count");
    if count.is_none_or(|count| count == "0") {
        return Ok(());
    }
    let request = reader.request(Method::GET).query("tagging", "");
    let answer = objects.backend.fetch(request).await?;
    let document = document::parse_answer(answer.body(), &["Tagging"])?;
    let tags = HeaderValue::from_str(&xml::tag_query(&document));
    headers.insert(TAGS, tags.map_err(|_| S3Error::internal())?);
    Ok(())
}

/// The header that gives an object its tags.
pub(crate) const TAGS: HeaderName = HeaderName::from_static("x-amz-tagging");

/// Most bytes that one copy takes: 5 GiB.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const SOURCE_BYTES_MAX: u64 = 5 << 30;

const DELETE_MARKER: &str =
    "The source of a copy request may not specifically refer to a delete marker by version id.";
const TOO_LARGE: &str = "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120";
