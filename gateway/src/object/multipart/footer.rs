//! The footer of a multipart object, fetched and remembered.
//!
//! It takes one read of the object's end, pinned to the version that was answered before. Its tail tells
//! the size without a key; the table is opened by whoever has the key.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::header;

use crate::chunks::Keys;
use crate::chunks::OpenError;
use crate::chunks::footer::Table;
use crate::chunks::footer::Tail;
use crate::chunks::layout;
use crate::chunks::layout::FOOTER_TAIL_BYTES;
use crate::envelope::Protection;
use crate::envelope::SealedEnvelope;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::document;
use crate::object::facts::Facts;
use crate::object::multipart::bare;
use crate::object::multipart::text;
use crate::object::store::etag_is_md5;
use crate::object::stored::Needs;
use crate::object::stored::ReadError;
use crate::object::stored::Reader;
use crate::object::stored::judge;
use crate::protocol::conditions::Names;
use crate::protocol::headers::ENVELOPE;
use crate::sse::data_key::ObjectKeys;

/// A sealed object in parts, as the headers of the backend's answer describe it.
pub(crate) struct StoredParts {
    /// Headers of the backend's answer.
    pub(crate) headers: HeaderMap,
    /// Size at the backend, in bytes.
    pub(crate) stored_bytes: u64,
    /// The envelope, not authenticated yet.
    pub(crate) sealed: SealedEnvelope,
}

/// The end of an object in parts, not opened yet.
pub(crate) struct Footer {
    pub(crate) tail: Tail,
    /// Padding, sealed table and tail.
    pub(crate) bytes: Bytes,
}

/// What a read learned about an object in parts.
pub(crate) struct UnlockedParts {
    /// The keys, where they were asked for or cost nothing.
    pub(crate) keys: Option<ObjectKeys>,
    /// The part table, where the key is known.
    pub(crate) table: Option<Table>,
    pub(crate) footer: Arc<Footer>,
    /// The ETag that clients see, quoted.
    pub(crate) etag: HeaderValue,
}

impl Footer {
    /// What it costs to remember it, in bytes.
    pub(crate) fn weight(&self) -> u32 {
        u32::try_from(self.bytes.len()).map_or(u32::MAX, |bytes| bytes.saturating_add(1_024))
    }
}

impl StoredParts {
    /// The backend's ETag.
    pub(crate) fn etag(&self) -> Option<&HeaderValue> {
        self.headers.get(header::ETAG)
    }

    /// What no other object's bytes share with it.
    fn identity(&self) -> String {
        let envelope = text(&self.headers, ENVELOPE.as_str()).unwrap_or_default();
        let etag = text(&self.headers, "etag").unwrap_or_default();
        format!("{envelope} {etag}")
    }
}

impl Objects {
    /// The footer of an object in parts.
    pub(crate) async fn footer(
        &self,
        reader: &Reader,
        stored: &StoredParts,
    ) -> Result<Arc<Footer>, ReadError> {
        let identity = stored.identity();
        if let Some(footer) = self.footers.get(&identity) {
            return Ok(footer);
        }
        // The number behind the ETag's hyphen is a hint: what it is good for shows.
        let hint = stored.etag().and_then(|etag| etag.to_str().ok());
        let hint = hint.and_then(|etag| bare(etag).rsplit_once('-')?.1.parse().ok());
        let guess = hint.and_then(layout::footer_with_padding_bytes);
        let guess = guess.unwrap_or(FOOTER_GUESS_BYTES);
        let mut bytes = self.end_of(reader, stored, guess).await?;
        let tail = bytes.last_chunk::<FOOTER_TAIL_BYTES>();
        let tail = Tail::parse(tail.ok_or(OpenError::Truncated)?, stored.stored_bytes)?;
        let needed = tail.footer_bytes() + tail.padding_bytes();
        if needed > bytes.len() as u64 {
            bytes = self.end_of(reader, stored, needed).await?;
        }
        let needed = usize::try_from(needed).map_err(|_| OpenError::Footer)?;
        let before = bytes
            .len()
            .checked_sub(needed)
            .ok_or(OpenError::Truncated)?;
        let footer = Arc::new(Footer {
            tail,
            bytes: bytes.slice(before..),
        });
        self.footers.insert(identity, Arc::clone(&footer));
        Ok(footer)
    }

    /// The last bytes of a stored object.
    async fn end_of(
        &self,
        reader: &Reader,
        stored: &StoredParts,
        bytes: u64,
    ) -> Result<Bytes, ReadError> {
        let last = stored.stored_bytes.checked_sub(1).ok_or(OpenError::Size)?;
        let first = stored.stored_bytes.saturating_sub(bytes);
        let request = reader.range(stored.etag(), first, last)?;
        let answer = match self.backend.fetch(request).await {
            Err(error)
                if error.is_refused_as(StatusCode::PRECONDITION_FAILED)
                    || error.is_refused_as(StatusCode::NOT_FOUND) =>
            {
                return Err(ReadError::Changed);
            }
            answer => answer?,
        };
        // A backend that ignores If-Match answers with another object's end.
        if answer.headers().get(header::ETAG) != stored.etag() {
            return Err(ReadError::Changed);
        }
        let (parts, end) = answer.into_parts();
        // One that ignores the range answers with all of it.
        let whole = parts.status == StatusCode::OK && first > 0;
        let expected = stored.stored_bytes - if whole { 0 } else { first };
        if end.len() as u64 != expected {
            return Err(OpenError::Truncated.into());
        }
        Ok(end)
    }

    /// Whatever of the key, the table and the ETag is needed, after the conditions of the read were
    /// judged.
    pub(crate) async fn unlock_parts(
        &self,
        reader: &Reader,
        stored: &StoredParts,
        needs: Needs,
        conditions: (&HeaderMap, &Names),
    ) -> Result<UnlockedParts, ReadError> {
        let customer_key = reader.customer_key.as_ref();
        let (name, transport) = (&reader.name, reader.transport);
        let checked = self
            .data_keys
            .check(&stored.sealed, customer_key, name, transport)?;
        let footer = self.footer(reader, stored).await?;
        let count = usize::try_from(footer.tail.parts()).map_err(|_| OpenError::Footer)?;
        let protection = &stored.sealed.claims().protection;
        let backend_etag = stored.etag().cloned().ok_or_else(S3Error::internal)?;
        let costs_a_call = protection.key_arn().is_some();
        if costs_a_call {
            // What the conditions rule out costs the KMS nothing.
            let etag = etag(protection, None, count, &backend_etag)?;
            judge(conditions, &etag, &stored.headers)?;
            if !needs.key && !needs.checksum {
                return Ok(UnlockedParts {
                    keys: None,
                    table: None,
                    footer,
                    etag,
                });
            }
        }

        let (keys, envelope) = self.data_keys.open(checked, &reader.requester).await?;
        let footer_keys = Keys {
            data: &keys.data.for_footer(),
            ..keys.keys()
        };
        let table = footer.tail.open(footer_keys, &footer.bytes)?;
        let etag = etag(&envelope.protection, Some(&table), count, &backend_etag)?;
        if !costs_a_call {
            judge(conditions, &etag, &stored.headers)?;
        }
        Ok(UnlockedParts {
            keys: Some(keys),
            table: Some(table),
            footer,
            etag,
        })
    }

    /// What clients see of an object in parts; asks no KMS.
    pub(crate) async fn facts_of_parts(
        &self,
        reader: &Reader,
        stored: &StoredParts,
    ) -> Result<Facts, ReadError> {
        let protection = &stored.sealed.claims().protection;
        if etag_is_md5(protection) {
            let needs = Needs {
                key: false,
                checksum: false,
            };
            let conditions = (&HeaderMap::new(), &Names::of_reads());
            let unlocked = self.unlock_parts(reader, stored, needs, conditions).await?;
            let checksum = unlocked
                .table
                .as_ref()
                .and_then(|table| table.checksum.as_ref());
            return Ok(Facts {
                etag: unlocked.etag,
                bytes: unlocked.footer.tail.plaintext_bytes(),
                algorithm: checksum.map(|checksum| checksum.algorithm),
            });
        }
        let footer = self.footer(reader, stored).await?;
        let count = usize::try_from(footer.tail.parts()).map_err(|_| OpenError::Footer)?;
        let backend_etag = stored.etag().ok_or_else(S3Error::internal)?;
        Ok(Facts {
            etag: etag(protection, None, count, backend_etag)?,
            bytes: footer.tail.plaintext_bytes(),
            algorithm: None,
        })
    }
}

impl Reader {
    /// A request for a range of the stored bytes of the version that has this ETag.
    pub(crate) fn range(
        &self,
        etag: Option<&HeaderValue>,
        first: u64,
        last: u64,
    ) -> Result<crate::backend::BackendRequest, S3Error> {
        let range = HeaderValue::from_str(&format!("bytes={first}-{last}"));
        let range = range.map_err(|_| S3Error::internal())?;
        let request = self.request(Method::GET).header(header::RANGE, range);
        Ok(match etag {
            Some(etag) => request.header(header::IF_MATCH, etag.clone()),
            None => request,
        })
    }
}

/// The ETag that clients see of an object of so many parts, quoted.
///
/// With SSE-S3 the MD5 of the parts' MD5s. Else the backend's, with the number of the client's
/// parts: the backend may count the footer.
pub(crate) fn etag(
    protection: &Protection,
    table: Option<&Table>,
    parts: usize,
    backend: &HeaderValue,
) -> Result<HeaderValue, S3Error> {
    let digest = if etag_is_md5(protection) {
        let table = table.ok_or_else(S3Error::internal)?;
        let mut digests = Vec::with_capacity(16 * table.parts.len());
        for part in &table.parts {
            digests.extend(part.md5.ok_or_else(S3Error::internal)?);
        }
        hex::encode(document::md5(&digests)?)
    } else {
        let etag = bare(backend.to_str().map_err(|_| S3Error::internal())?);
        let digest = etag.rsplit_once('-').map_or(etag, |(digest, _)| digest);
        digest.to_owned()
    };
    HeaderValue::from_str(&format!("\"{digest}-{parts}\"")).map_err(|_| S3Error::internal())
}

/// How much of an object's end is read where nothing tells how long its footer is, in bytes.
const FOOTER_GUESS_BYTES: u64 = 64 << 10;
