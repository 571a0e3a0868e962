//! An object in parts under another key, its parts as they are.
//!
//! The backend puts the object together once more from its own bytes: each part is copied from where it
//! lies, so it lists as many parts as before, and the sizes in listings stay right. The backend must be
//! known to keep to the condition on a part's source, or the ETags of the parts must add up to the
//! object's, as MD5s do: either shows the bytes to be the same ones.

use std::ops::Range;

use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::header;

use crate::backend::BackendBody;
use crate::backend::BackendCopy;
use crate::backend::BackendRequest;
use crate::chunks::footer::Table;
use crate::chunks::footer::Tail;
use crate::envelope::Envelope;
use crate::envelope::Layout;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::document;
use crate::object::facts::Facts;
use crate::object::multipart::bare;
use crate::object::multipart::complete;
use crate::object::multipart::create;
use crate::object::multipart::footer;
use crate::object::multipart::footer::StoredParts;
use crate::object::rewrap::Rewrapped;
use crate::object::stored::Needs;
use crate::object::stored::ReadError;
use crate::object::stored::Reader;
use crate::protocol::headers::ENVELOPE;

impl Objects {
    /// Puts an object in parts under another key.
    pub(crate) async fn rewrap_parts(
        &self,
        reader: &Reader,
        stored: &StoredParts,
        target: Rewrapped<'_>,
    ) -> Result<(), ReadError> {
        let needs = Needs {
            key: true,
            checksum: true,
        };
        let nothing = HeaderMap::new();
        let names = crate::protocol::conditions::Names::of_reads();
        let unlocked = self
            .unlock_parts(reader, stored, needs, (&nothing, &names))
            .await?;
        let (Some(keys), Some(table)) = (unlocked.keys, unlocked.table) else {
            return Err(S3Error::internal().into());
        };
        let ranges = ranges(&table, &unlocked.footer.tail, stored.stored_bytes);
        let protection = self
            .data_keys
            .wrap(&keys.data, target.encryption, target.name, target.requester)
            .await?;
        let envelope = Envelope {
            layout: Layout::Parts,
            protection,
            record: None,
        };
        let value = envelope.seal(&keys.data, &target.name.arn);
        let value = HeaderValue::from_str(&value).map_err(|_| S3Error::internal())?;
        let name = target.name;
        let mut create = BackendRequest::object(Method::POST, &name.bucket, &name.key);
        create.headers = target.headers;
        let create = create.header(ENVELOPE, value);
        let answer = self.backend.fetch(create.query("uploads", "")).await?;
        let upload_id = create::upload_id(answer.body())?;

        let headers = match self.copy_parts(reader, stored, &upload_id, ranges).await {
            Ok(headers) => headers,
            Err(error) => {
                let abort = reader.request(Method::DELETE).query("uploadId", &upload_id);
                drop(self.backend.fetch(abort).await);
                return Err(error);
            }
        };
        let backend_etag = headers.get(header::ETAG).ok_or_else(S3Error::internal)?;
        let count = table.parts.len();
        let facts = Facts {
            etag: footer::etag(&envelope.protection, Some(&table), count, backend_etag)?,
            bytes: table.plaintext_bytes(),
            algorithm: None,
        };
        self.known.learn(name, &headers, facts);
        Ok(())
    }

    /// Copies the parts and has them put together; the headers of the answer, with the `ETag`.
    async fn copy_parts(
        &self,
        reader: &Reader,
        stored: &StoredParts,
        upload_id: &str,
        ranges: Vec<Range<u64>>,
    ) -> Result<HeaderMap, ReadError> {
        let name = &reader.name;
        let etag = stored.etag().ok_or_else(S3Error::internal)?;
        let copies = (1_u32..).zip(ranges).map(|(number, range)| {
            let copy = BackendCopy {
                from: (&name.bucket, &name.key),
                version: reader.version.as_deref(),
                etag,
                to: (&name.bucket, &name.key),
                headers: HeaderMap::new(),
            };
            async move {
                let part = (upload_id, number);
                let etag = self.backend.copy_part(copy, part, range).await?;
                let etag = bare(etag.to_str().unwrap_or_default()).to_owned();
                Ok::<_, crate::backend::BackendError>((number, etag))
            }
        });
        let parts: Result<Vec<_>, _> = stream::iter(copies)
            .buffered(COPIES_AT_A_TIME)
            .try_collect()
            .await;
        let parts = match parts {
            Err(error)
                if error.is_refused_as(StatusCode::PRECONDITION_FAILED)
                    || error.is_refused_as(StatusCode::NOT_FOUND) =>
            {
                return Err(ReadError::Changed);
            }
            parts => parts?,
        };
        let expected = bare(etag.to_str().unwrap_or_default());
        if etag_of(&parts)? != expected && !self.copies.of_parts_are_conditional().await {
            tracing::warn!(
                "the backend's parts do not add up to the object that they were copied from"
            );
            return Err(S3Error::not_implemented(NOT_THE_SAME).into());
        }
        let complete = reader
            .request(Method::POST)
            .query("uploadId", upload_id)
            .header(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/xml"),
            )
            .header(header::IF_MATCH, etag.clone())
            .body(BackendBody::Bytes(complete::document_of(&parts)));
        match self.backend.fetch(complete).await {
            Err(error) if error.is_refused_as(StatusCode::PRECONDITION_FAILED) => {
                Err(ReadError::Changed)
            }
            Err(error) => Err(error.into()),
            Ok(answer) => {
                let (head, body) = answer.into_parts();
                let result = complete::result(&body)?;
                let etag = bare(result.text_of("ETag").unwrap_or_default());
                let etag = HeaderValue::from_str(&format!("\"{etag}\""));
                let mut headers = head.headers;
                headers.insert(header::ETAG, etag.map_err(|_| S3Error::internal())?);
                Ok(headers)
            }
        }
    }
}

/// Where the parts lie that the backend lists: each but for the last is one segment, and the footer
/// stands behind the last one or is a part of its own.
fn ranges(table: &Table, tail: &Tail, stored_bytes: u64) -> Vec<Range<u64>> {
    let mut ranges: Vec<_> = table.segments().map(|(_, range)| range).collect();
    let end = ranges.last().map_or(0, |range| range.end);
    if tail.backend_parts() > tail.parts() {
        ranges.push(end..stored_bytes);
    } else if let Some(last) = ranges.last_mut() {
        last.end = stored_bytes;
    }
    ranges
}

/// The ETag of an object of these parts, where ETags are MD5s.
fn etag_of(parts: &[(u32, String)]) -> Result<String, S3Error> {
    let mut digests = Vec::with_capacity(16 * parts.len());
    for (_, etag) in parts {
        // What is no digest adds up to nothing.
        digests.extend(hex::decode(etag).unwrap_or_default());
    }
    let digest = hex::encode(document::md5(&digests)?);
    Ok(format!("{digest}-{}", parts.len()))
}

/// Parts that are copied at a time.
const COPIES_AT_A_TIME: usize = 4;

const NOT_THE_SAME: &str = "UpdateObjectEncryption is not implemented for objects in parts on this backend; copy the object onto itself instead.";
