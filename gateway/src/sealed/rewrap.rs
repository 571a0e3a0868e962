//! A new envelope for bytes that stay as they are: the data key wrapped once more.
//!
//! The backend copies the sealed bytes by itself, under metadata of ours. What the envelope claims, the
//! segment's head and the record are checked before; the chunks are not read, so whatever somebody
//! changed of them is changed in the copy too, and opens as little there.
//!
//! | from | to | re-wrapped |
//! |---|---|---|
//! | SSE-S3 | SSE-S3, SSE-KMS, Bucket Key, SSE-C | yes |
//! | SSE-KMS, Bucket Key, SSE-C | SSE-KMS, Bucket Key, SSE-C | yes |
//! | SSE-KMS, Bucket Key, SSE-C | SSE-S3 | no: its ETag is the MD5, which nobody computed |
//! | DSSE-KMS, or any | any, or DSSE-KMS | no: the outer layer is in the bytes |
//! | an object in parts | in its own place | yes, part by part |
//! | an object in parts | another one | no: a copy is an object of one part |
//!
//! An object in parts is put together once more from its own bytes: each part is copied from where it
//! lies, so the backend lists as many parts as before, and the sizes in listings stay right. The backend
//! must have shown that it keeps to the condition on a part's source, or the ETags of the parts must add up to the
//! object's, as MD5s do: either shows the bytes to be the same ones.
//!
//! Source: `gateway/FORMAT.md`, section "Where the data key comes from".

use std::ops::Range;

use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;
use http::HeaderMap;
use http::Method;
use http::header;

use crate::backend::BackendCopy;
use crate::backend::BackendError;
use crate::backend::BackendRequest;
use crate::chunks::OpenError;
use crate::chunks::footer::Table;
use crate::chunks::footer::Tail;
use crate::chunks::layout;
use crate::envelope::Envelope;
use crate::envelope::Mode;
use crate::error::S3Error;
use crate::keys::data_key::ObjectName;
use crate::keys::kms::Requester;
use crate::protocol::conditions::Conditions;
use crate::protocol::etag::ETag;
use crate::protocol::headers::ENVELOPE;
use crate::records::object_acls::NewObjectAcl;
use crate::sealed::assembly;
use crate::sealed::cache::Facts;
use crate::sealed::cache::Revision;
use crate::sealed::etag;
use crate::sealed::head::ObjectHead;
use crate::sealed::objects::SealedObjects;
use crate::sealed::read::Description;
use crate::sealed::read::Needs;
use crate::sealed::reader::OTHER;
use crate::sealed::reader::OTHER_OR_NONE;
use crate::sealed::reader::ReadError;
use crate::sealed::reader::Reader;
use crate::sealed::writer::WrittenObject;
use crate::sealed::writer::sealed_header;
use crate::sse::request::Encryption;

/// An object whose bytes need not be read to be copied.
pub(crate) struct RewrapSource {
    pub(crate) head: Box<ObjectHead>,
    pub(crate) object: Description,
}

/// What a re-wrapped object is to be.
pub(crate) struct RewrapTarget<'a> {
    pub(crate) name: &'a ObjectName,
    /// Headers for the backend: what describes the object, its tags, and conditions.
    pub(crate) headers: HeaderMap,
    pub(crate) encryption: &'a Encryption,
    pub(crate) requester: &'a Requester,
    /// Its access control list, if it has one.
    pub(crate) acl: Option<NewObjectAcl>,
}

/// Whether a whole object can come from a mode to another one as it is.
pub(crate) fn keeps_bytes(from: Mode, to: &Encryption) -> bool {
    match (from, to) {
        (Mode::Dsse, _) | (_, Encryption::Dsse(_)) => false,
        (Mode::SseS3, _) => true,
        (_, Encryption::SseS3) => false,
        (_, Encryption::SseKms(_) | Encryption::SseC(_)) => true,
    }
}

/// What is at the backend, by its headers and its first bytes; none of an object without bytes.
///
/// # Errors
///
/// The backend's refusal; `InternalError` for an object that is not as it was written.
pub(crate) async fn head(
    objects: &SealedObjects,
    reader: &Reader,
) -> Result<Option<Box<ObjectHead>>, S3Error> {
    // A read, because errors of HEAD have no document; and of the segment's head, because it is compared.
    let range = format!("bytes=0-{}", layout::HEAD_BYTES - 1);
    let fetched = objects.fetch_range(reader, Some(&range)).await?;
    let (head, Some(stored)) = (fetched.head, fetched.stored) else {
        return Ok(None);
    };
    if let Some(segment) = head.segment()
        && stored.range == (0..layout::HEAD_BYTES as u64)
    {
        let bytes = stored.body.collect(layout::HEAD_BYTES).await?;
        if bytes != segment.head()[..] {
            return Err(OpenError::OtherSegment.into());
        }
    }
    Ok(Some(head))
}

/// The data key and the digests of an object, after the conditions of its copy held.
///
/// # Errors
///
/// As [`SealedObjects::unlock`].
pub(crate) async fn unlock(
    objects: &SealedObjects,
    reader: &Reader,
    head: Box<ObjectHead>,
    conditions: Conditions<'_>,
) -> Result<RewrapSource, ReadError> {
    let object = objects
        .unlock(reader, &head, Needs::ALL, conditions)
        .await?;
    if let Some(segment) = head.segment() {
        // The commitment binds the data key to these very bytes.
        segment.check(&object.opened()?.0.data)?;
    }
    Ok(RewrapSource { head, object })
}

/// Has the backend copy an object under a new envelope; one in parts onto itself only.
///
/// # Errors
///
/// [`ReadError::Changed`] where the source is another one by now.
pub(crate) async fn rewrap(
    objects: &SealedObjects,
    reader: &Reader,
    source: &RewrapSource,
    target: RewrapTarget<'_>,
) -> Result<WrittenObject, ReadError> {
    let RewrapSource { head, object } = source;
    let (keys, table) = object.opened()?;
    let claims = head.sealed()?.claims();
    objects
        .unmark_listing(&target.name.bucket, target.encryption)
        .await?;
    let RewrapTarget {
        name,
        mut headers,
        encryption,
        requester,
        acl,
    } = target;
    let protection = objects
        .data_keys
        .wrap(&keys.data, encryption, name, requester)
        .await?;
    let envelope = Envelope {
        layout: claims.layout.clone(),
        protection,
        record: claims.record,
    };
    let header = sealed_header(&envelope, &keys.data, name)?;
    objects.store_acl(name, &header, acl).await?;
    headers.insert(ENVELOPE, header);
    let headers = match &object.footer {
        None => copy_whole(objects, reader, head, name, headers).await?,
        Some(footer) => {
            let ranges = part_ranges(table, &footer.tail, head.stored_bytes);
            copy_in_parts(objects, reader, head, headers, ranges).await?
        }
    };
    let backend_etag = ETag::from_headers(&headers).ok_or_else(S3Error::internal)?;
    let protection = envelope.protection;
    let etag = etag::for_client(&protection, Some(table), object.parts(), &backend_etag)?;
    let facts = Facts {
        etag: etag.clone(),
        bytes: object.plaintext_bytes,
        checksum: object
            .checksum()
            .map(|checksum| (checksum.algorithm, checksum.kind)),
    };
    objects
        .facts
        .insert(name, Revision::from_write(&headers), facts);
    Ok(WrittenObject {
        headers,
        etag,
        checksum: object.checksum().cloned(),
        protection,
    })
}

/// Has the backend copy all bytes at once; the headers of the answer, with the `ETag`.
async fn copy_whole(
    objects: &SealedObjects,
    reader: &Reader,
    head: &ObjectHead,
    to: &ObjectName,
    headers: HeaderMap,
) -> Result<HeaderMap, ReadError> {
    let copy = BackendCopy {
        from: (&reader.name.bucket, &reader.name.key),
        version: reader.version.as_deref(),
        etag: &head.etag,
        to: (&to.bucket, &to.key),
        headers,
    };
    // Of the source or the target: reading both again shows which.
    let headers = objects.backend.copy(copy).await;
    headers.map_err(ReadError::changed_if(OTHER))
}

/// Has the backend put an object together again in its own place; the headers of the answer, with the
/// `ETag`.
async fn copy_in_parts(
    objects: &SealedObjects,
    reader: &Reader,
    head: &ObjectHead,
    headers: HeaderMap,
    ranges: Vec<Range<u64>>,
) -> Result<HeaderMap, ReadError> {
    let name = &reader.name;
    let mut create = BackendRequest::object(Method::POST, &name.bucket, &name.key);
    create.headers = headers;
    let answer = objects.backend.fetch(create.query("uploads", "")).await?;
    let upload_id = assembly::upload_id(answer.body())?;
    let copied = copy_parts(objects, reader, head, &upload_id, ranges).await;
    if copied.is_err() {
        assembly::abort(&objects.backend, name, &upload_id).await;
    }
    copied
}

async fn copy_parts(
    objects: &SealedObjects,
    reader: &Reader,
    head: &ObjectHead,
    upload_id: &str,
    ranges: Vec<Range<u64>>,
) -> Result<HeaderMap, ReadError> {
    let name = &reader.name;
    let copies = (1_u32..).zip(ranges).map(|(number, range)| {
        let copy = BackendCopy {
            from: (&name.bucket, &name.key),
            version: reader.version.as_deref(),
            etag: &head.etag,
            to: (&name.bucket, &name.key),
            headers: HeaderMap::new(),
        };
        async move {
            let etag = objects.backend.copy_part(copy, (upload_id, number), range);
            Ok::<_, BackendError>((number, etag.await?))
        }
    });
    let copies = stream::iter(copies).buffered(COPIES_AT_A_TIME);
    let parts: Result<Vec<(u32, ETag)>, _> = copies.try_collect().await;
    let parts = parts.map_err(ReadError::changed_if(OTHER_OR_NONE))?;
    let digest = |etag: &ETag| <[u8; 16]>::try_from(hex::decode(etag.bare()).ok()?).ok();
    let md5s: Option<Vec<[u8; 16]>> = parts.iter().map(|(_, etag)| digest(etag)).collect();
    let adds_up = md5s.is_some_and(|md5s| ETag::from_part_md5s(&md5s) == head.etag);
    if !adds_up && !objects.copies.of_parts_are_conditional().await {
        tracing::warn!("the backend's parts do not add up to the object they were copied from");
        return Err(S3Error::not_implemented(NOT_THE_SAME).into());
    }
    let complete =
        assembly::request(name, upload_id, &parts).header(header::IF_MATCH, head.etag.to_header());
    let answer = objects.backend.fetch(complete).await;
    let answer = answer.map_err(ReadError::changed_if(OTHER))?;
    Ok(assembly::headers(answer)?)
}

/// Where the parts lie that the backend lists: each but the last is one segment, and the footer
/// stands behind the last one or is a part of its own.
fn part_ranges(table: &Table, tail: &Tail, stored_bytes: u64) -> Vec<Range<u64>> {
    let mut ranges: Vec<_> = table.segments().map(|(_, range)| range).collect();
    let end = ranges.last().map_or(0, |range| range.end);
    if tail.backend_parts() > tail.parts() {
        ranges.push(end..stored_bytes);
    } else if let Some(last) = ranges.last_mut() {
        last.end = stored_bytes;
    }
    ranges
}

/// Parts that are copied at a time.
const COPIES_AT_A_TIME: usize = 4;

const NOT_THE_SAME: &str = "UpdateObjectEncryption is not implemented for objects in parts on this backend; copy the object onto itself instead.";
