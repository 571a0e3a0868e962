//! What clients see of an object at the backend: its size and its ETag.
//!
//! A listing has neither: the backend lists sealed sizes and ETags of sealed bytes. Sizes follow
//! from the format. ETags of SSE-S3 objects are the MD5 of the plaintext, which only the object
//! itself holds, sealed; so they are looked up, and remembered.

use std::sync::Arc;

use http::StatusCode;
use proto::time::Timestamp;

use crate::error::S3Error;
use crate::keys::data_key::ObjectName;
use crate::protocol::conditions::Conditions;
use crate::protocol::etag::ETag;
use crate::sealed::cache::Facts;
use crate::sealed::cache::Revision;
use crate::sealed::etag;
use crate::sealed::footer;
use crate::sealed::head::ObjectHead;
use crate::sealed::objects::SealedObjects;
use crate::sealed::read::Needs;
use crate::sealed::reader::ReadError;
use crate::sealed::reader::Reader;
use crate::sealed::reader::settled;

/// What clients see of an object that was looked up.
pub(crate) struct DescribedObject {
    /// Its size and its ETag.
    pub(crate) facts: Arc<Facts>,
    /// Its ETag at the backend.
    pub(crate) backend_etag: ETag,
    /// When it was last written, by the backend's clock.
    pub(crate) modified: Option<Timestamp>,
}

/// What clients see of an object; none if there is no such object.
///
/// Costs no call to the KMS.
///
/// # Errors
///
/// The backend's refusal; `InternalError` for an object that is not as it was written.
pub(crate) async fn look_up(
    objects: &SealedObjects,
    name: &ObjectName,
    version: Option<&str>,
) -> Result<Option<DescribedObject>, S3Error> {
    look_up_for(objects, &Reader::internal(name, version)).await
}

/// As [`look_up`], of the object that a reader may look at.
///
/// # Errors
///
/// As [`look_up`]; `AccessDenied` for an object that is not there, from a reader who may not see that;
/// `ServiceUnavailable` for another object than the reader was judged by.
pub(crate) async fn look_up_for(
    objects: &SealedObjects,
    reader: &Reader,
) -> Result<Option<DescribedObject>, S3Error> {
    let looked_up = settled(|| async {
        let head = objects.head(reader).await?;
        of_head(objects, reader, &head).await
    });
    match looked_up.await {
        Ok(object) => Ok(Some(object)),
        // Of a delete marker, 405 where it is named by its version.
        Err(error)
            if [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED]
                .contains(&error.status()) =>
        {
            match reader.hides_absence {
                true => Err(S3Error::access_denied()),
                false => Ok(None),
            }
        }
        Err(error) => Err(error),
    }
}

/// As [`look_up`], for an object whose head a listing of the backend had.
///
/// # Errors
///
/// As [`look_up`].
pub(crate) async fn look_up_listed(
    objects: &SealedObjects,
    name: &ObjectName,
    version: Option<&str>,
    head: &ObjectHead,
) -> Result<Option<DescribedObject>, S3Error> {
    let reader = Reader::internal(name, version);
    match of_head(objects, &reader, head).await {
        Ok(object) => Ok(Some(object)),
        Err(ReadError::Changed) => look_up(objects, name, version).await,
        Err(ReadError::Refused(error)) => Err(error),
    }
}

async fn of_head(
    objects: &SealedObjects,
    reader: &Reader,
    head: &ObjectHead,
) -> Result<DescribedObject, ReadError> {
    let facts = match head.protection() {
        None => Facts {
            etag: head.etag.clone(),
            bytes: head.stored_bytes,
            checksum: None,
        },
        Some(protection) if etag::is_md5(protection) => {
            let needs = Needs::default();
            let object = objects.unlock(reader, head, needs, Conditions::none());
            let object = object.await?;
            Facts {
                bytes: object.plaintext_bytes,
                checksum: object
                    .checksum()
                    .map(|checksum| (checksum.algorithm, checksum.kind)),
                etag: object.etag,
            }
        }
        Some(protection) => {
            let (bytes, parts) = match head.segment() {
                Some(segment) => (segment.plaintext_bytes, None),
                None => {
                    let tail = footer::fetch(objects, reader, head).await?.tail;
                    let parts = usize::try_from(tail.parts()).map_err(|_| S3Error::internal())?;
                    (tail.plaintext_bytes(), Some(parts))
                }
            };
            Facts {
                etag: etag::for_client(protection, None, parts, &head.etag)?,
                bytes,
                checksum: None,
            }
        }
    };
    let revision = Some(Revision::from(head));
    objects.facts.insert(&reader.name, revision, facts.clone());
    Ok(DescribedObject {
        facts: Arc::new(facts),
        backend_etag: head.etag.clone(),
        modified: head.modified(),
    })
}
