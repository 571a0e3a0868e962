//! One part on its way to the backend, sealed on its own.
//!
//! Every attempt has a salt of its own, so that a part sent twice with other bytes shares no key with
//! the first. A part that backends take as the last one only is stashed beside, because
//! the footer may have to be put behind it.

use std::sync::Arc;
use std::sync::OnceLock;

use http::HeaderMap;
use http::Method;

use crate::backend::BackendBody;
use crate::backend::Digest;
use crate::chunks::Keys;
use crate::chunks::layout;
use crate::chunks::segment::Kind;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::operation::store::ObjectStore;
use crate::operation::upload::journal::BACKEND_PART_BYTES_MIN;
use crate::operation::upload::journal::Upload;
use crate::operation::upload::journal::is_stashed;
use crate::protocol::checksum::Checksum;
use crate::protocol::checksum::digests::Expected;
use crate::protocol::etag::ETag;
use crate::records::uploads::PartRecord;
use crate::request::Payload;
use crate::sealed::etag;
use crate::sealed::writer::Sealing;
use crate::sealed::writer::SegmentDigester;

/// A part that is about to be written.
pub(crate) struct NewPart {
    pub(crate) number: u32,
    pub(crate) plaintext_bytes: u64,
    /// What the client claims about the bytes.
    pub(crate) expected: Expected,
}

/// A part that was written.
pub(crate) struct WrittenPart {
    pub(crate) record: PartRecord,
    /// The checksum to be shown: the one that was claimed, or the upload's.
    pub(crate) checksum: Option<Checksum>,
    /// Headers of the backend's answer.
    pub(crate) headers: HeaderMap,
}

/// Seals a part, has the backend take it, and records it.
///
/// # Errors
///
/// What was wrong with the body; what the backend refused. The part was not taken then.
pub(crate) async fn write(
    store: &ObjectStore,
    upload: &Upload,
    keys: Keys<'_>,
    part: NewPart,
    body: Payload,
) -> Result<WrittenPart, S3Error> {
    let NewPart {
        number,
        plaintext_bytes,
        expected,
    } = part;
    let claimed = expected.claimed();
    let upload_checksum = upload.head.checksum;
    let algorithm = upload_checksum.map(|checksum| checksum.algorithm);
    let expected = match claimed {
        Some(_) => expected,
        None => expected.computed_by(algorithm),
    };
    let other = claimed.and(algorithm).filter(|it| claimed != Some(*it));
    let digester = SegmentDigester::new(expected, other, etag::is_md5(upload.protection()));
    let place = (Kind::Part(number), plaintext_bytes);
    let sealing = Sealing::new(keys, place, digester, body, &*store.sealed.random)?;
    let segment = sealing.segment().clone();
    let stored_bytes = layout::segment_bytes(plaintext_bytes)?;
    let sealed = Arc::new(OnceLock::new());
    let (head, salt) = (&upload.head, &segment.salt);
    // From before the backend has all of the part until it is recorded: not while a Complete compares
    // parts and has them put together. A body may take long to come, and keeps no Complete waiting.
    let turn = upload.turn(store);
    let taken = Arc::new(OnceLock::new());
    let take_turn = {
        let taken = Arc::clone(&taken);
        async move { drop(taken.set(turn.read_owned().await)) }
    };
    let headers = if stored_bytes < BACKEND_PART_BYTES_MIN {
        let (bytes, content) = sealing.in_memory().await?;
        drop(sealed.set(content));
        take_turn.await;
        let stashed = store
            .uploads
            .stash(head, salt, BackendBody::Bytes(bytes.clone()));
        let sent = send(store, upload, number, BackendBody::Bytes(bytes));
        futures_util::future::try_join(stashed, sent).await?.1
    } else {
        let body = match is_stashed(number, Some(stored_bytes)) {
            false => BackendBody::stream(sealing.stream(&sealed, take_turn), stored_bytes),
            true => {
                let body = sealing.stream(&sealed, std::future::ready(()));
                let body = BackendBody::stream(body, stored_bytes);
                store.uploads.stash(head, salt, body).await?;
                let stashed = store.uploads.stashed(head, salt, stored_bytes).await?;
                take_turn.await;
                BackendBody::stream(stashed, stored_bytes)
            }
        };
        send(store, upload, number, body).await?
    };

    let content = sealed.get().ok_or_else(S3Error::internal)?;
    let digests = &content.digests;
    let is_shown = claimed.is_some() || upload_checksum.is_some_and(|checksum| checksum.chosen);
    let record = PartRecord {
        number,
        segment: segment.clone(),
        md5: digests.md5.filter(|_| etag::is_md5(upload.protection())),
        checksum: upload_checksum.map(|_| content.upload_checksum.value.clone()),
        backend_etag: etag_of(&headers)?,
        moment: store.uploads.next_moment(),
    };
    store.uploads.add_part(head, &record).await?;
    drop(taken);
    Ok(WrittenPart {
        record,
        checksum: is_shown.then(|| digests.checksum.clone()),
        headers,
    })
}

/// Sends the stored bytes of a part; the headers of the backend's answer.
///
/// # Errors
///
/// What was wrong with the body; what the backend refused.
pub(crate) async fn send(
    store: &ObjectStore,
    upload: &Upload,
    number: u32,
    body: BackendBody,
) -> Result<HeaderMap, S3Error> {
    let request = upload
        .request(Method::PUT)
        .query("partNumber", number.to_string())
        .query("uploadId", &upload.id)
        .body(body)
        .digest(match upload.head.locked {
            true => Digest::Demanded,
            false => Digest::Useful,
        });
    let answer = store.backend.fetch(request).await?;
    Ok(answer.into_parts().0.headers)
}

/// The backend's ETag in its answer to a part.
///
/// # Errors
///
/// `ServiceUnavailable` for an answer without one.
pub(crate) fn etag_of(headers: &HeaderMap) -> Result<ETag, S3Error> {
    ETag::from_headers(headers).ok_or_else(|| {
        tracing::error!("backend took a part and answered no ETag");
        S3Error::new(S3Code::ServiceUnavailable)
    })
}
