//! Multipart uploads: parts sealed one by one, put together by a sealed table behind them.
//!
//! | operation | where |
//! |---|---|
//! | CreateMultipartUpload | [`create`] |
//! | UploadPart, UploadPartCopy | [`part`], [`copied`] |
//! | CompleteMultipartUpload | [`complete`], [`placed`] |
//! | AbortMultipartUpload, ListParts, ListMultipartUploads | [`listed`] |
//! | reads of what came of it | [`footer`], [`read`], [`body`] |
//! | another key for it | [`rewrap`] |
//!
//! The data key and the envelope are made when an upload is created, because S3 takes metadata then
//! only; so the envelope says "in parts" and no more, and sizes and digests are in the footer.
//! What is known of an upload lies in the state bucket ([`crate::state::uploads`]), so that any
//! gateway goes on where another one stopped.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderMap;
use http::Method;

use crate::backend::BackendError;
use crate::backend::BackendRequest;
use crate::chunks::layout;
use crate::envelope::Protection;
use crate::envelope::SealedEnvelope;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::store::etag_is_md5;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::request::S3Request;
use crate::request::Target;
use crate::sse::answer;
use crate::sse::choice;
use crate::sse::choice::Transport;
use crate::sse::customer_key;
use crate::sse::customer_key::CustomerKey;
use crate::sse::data_key::ObjectKeys;
use crate::sse::data_key::ObjectName;
use crate::sse::kms::Requester;
use crate::state::uploads::Head;
use crate::state::uploads::PartRecord;
use crate::state::uploads::UploadName;

pub mod attributes;
pub mod body;
pub mod complete;
pub mod copied;
pub mod create;
pub mod footer;
pub mod listed;
pub mod part;
pub mod placed;
pub mod read;
pub mod rewrap;

/// An upload that was created here.
pub(crate) struct Upload {
    pub(crate) name: ObjectName,
    pub(crate) id: String,
    pub(crate) head: Arc<Head>,
    pub(crate) sealed: SealedEnvelope,
}

/// What the backend has of an upload.
pub(crate) struct BackendParts {
    /// By number.
    pub(crate) parts: BTreeMap<u32, BackendPart>,
    /// The first page of its answer.
    pub(crate) document: Element,
}

/// A part as the backend lists it.
pub(crate) struct BackendPart {
    /// Without quotes; some backends do not tell it.
    pub(crate) etag: Option<String>,
    pub(crate) stored_bytes: u64,
    pub(crate) modified: String,
}

impl Upload {
    pub(crate) fn protection(&self) -> &Protection {
        &self.sealed.claims().protection
    }

    /// A request to the backend about the upload.
    pub(crate) fn request(&self, method: Method) -> BackendRequest {
        BackendRequest::object(method, &self.name.bucket, &self.name.key)
    }

    /// The ETag that clients see of a part, without quotes.
    pub(crate) fn part_etag(&self, part: &PartRecord) -> String {
        match (etag_is_md5(self.protection()), part.md5) {
            (true, Some(md5)) => hex::encode(md5),
            _ => part.backend_etag.clone(),
        }
    }

    pub(crate) fn state_name(&self) -> UploadName<'_> {
        UploadName {
            bucket: &self.name.bucket,
            key: &self.name.key,
            upload_id: &self.id,
        }
    }
}

impl Objects {
    /// The upload that a request is about.
    ///
    /// # Errors
    ///
    /// `NoSuchUpload`; `ServiceUnavailable` when the state cannot be read.
    pub(crate) async fn upload(&self, target: &Target) -> Result<Upload, S3Error> {
        let name = self.name(target)?;
        let id = target.query.get("uploadId").unwrap_or_default().to_owned();
        let state_name = UploadName {
            bucket: &name.bucket,
            key: &name.key,
            upload_id: &id,
        };
        let head = self.uploads.head(state_name).await?;
        let head = head.ok_or_else(|| no_such_upload(&id))?;
        let sealed = SealedEnvelope::parse(&head.envelope)?;
        Ok(Upload {
            name,
            id,
            head,
            sealed,
        })
    }

    /// The headers that say how the object of an upload will be encrypted, as for who creates it.
    ///
    /// # Errors
    ///
    /// As [`Objects::upload`].
    pub(crate) async fn upload_encryption(&self, target: &Target) -> Result<HeaderMap, S3Error> {
        let upload = self.upload(target).await?;
        let mut headers = HeaderMap::new();
        answer::of_read(&mut headers, upload.protection(), None);
        Ok(headers)
    }

    /// The data key of an upload, after its customer key was found to be the right one.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for a customer key that is missing, too many, or another one; what the KMS
    /// refuses.
    pub(crate) async fn unlock_upload(
        &self,
        upload: &Upload,
        customer_key: Option<&CustomerKey>,
        requester: &Requester,
        transport: Transport,
    ) -> Result<ObjectKeys, S3Error> {
        let is_customers = matches!(upload.protection(), Protection::SseC { .. });
        if is_customers != customer_key.is_some() {
            return Err(S3Error::invalid_request(KEY_MISSING));
        }
        let checked =
            self.data_keys
                .check(&upload.sealed, customer_key, &upload.name, transport)?;
        let opened = self.data_keys.open(checked, requester).await;
        match opened {
            Ok((keys, _)) => Ok(keys),
            Err(error) if is_customers && error.code() == S3Code::AccessDenied => {
                Err(S3Error::invalid_request(KEY_DIFFERS))
            }
            Err(error) => Err(error),
        }
    }

    /// The customer key of a request that writes a part.
    pub(crate) async fn part_customer_key(
        &self,
        request: &S3Request,
        name: &ObjectName,
        transport: Transport,
    ) -> Result<Option<CustomerKey>, S3Error> {
        if !customer_key::named(&request.headers, customer_key::Source::Object) {
            // Refuses headers that only the creation of an upload takes.
            return choice::for_read(&request.headers, transport);
        }
        let default = self.defaults.of(&name.bucket).await?;
        match choice::for_write(&request.headers, &default, transport)? {
            choice::Encryption::SseC(key) => Ok(Some(key)),
            _ => Ok(None),
        }
    }

    /// What the backend has of an upload.
    ///
    /// # Errors
    ///
    /// The backend's refusal; what it answers to a request about an upload that is no more.
    pub(crate) async fn backend_parts(
        &self,
        upload: &Upload,
    ) -> Result<BackendParts, BackendError> {
        let mut found: Option<BackendParts> = None;
        let mut marker = None::<u32>;
        loop {
            let request = upload
                .request(Method::GET)
                .query("uploadId", &upload.id)
                .query_if(
                    "part-number-marker",
                    marker.map(|number| number.to_string()).as_deref(),
                );
            let answer = self.backend.fetch(request).await?;
            let page = Element::parse(answer.body(), Limits::ANSWER)
                .map_err(|_| BackendError::Protocol("a list of parts that is no XML"))?;
            let parts: Vec<_> = page.all("Part").filter_map(listed_part).collect();
            let truncated = page.text_of("IsTruncated") == Some("true");
            let whole = found.get_or_insert_with(|| BackendParts {
                parts: BTreeMap::new(),
                document: page,
            });
            let last = parts.iter().map(|(number, _)| *number).max();
            whole.parts.extend(parts);
            if !truncated {
                break;
            }
            if last <= marker {
                return Err(BackendError::Protocol(
                    "a list of parts that does not go on",
                ));
            }
            marker = last;
        }
        found.ok_or(BackendError::Protocol("no list of parts"))
    }
}

/// The records of the parts that an upload has now, by number: of a part that was sent more than once,
/// the one that the backend holds.
pub(crate) fn current(
    records: Vec<PartRecord>,
    backend: &BTreeMap<u32, BackendPart>,
) -> BTreeMap<u32, PartRecord> {
    let mut current: BTreeMap<u32, (PartRecord, bool)> = BTreeMap::new();
    // Later records come later.
    for record in records {
        let Some(part) = backend.get(&record.number) else {
            continue;
        };
        let stored = layout::segment_bytes(record.segment.plaintext_bytes).ok();
        let held = match &part.etag {
            Some(etag) => *etag == record.backend_etag,
            None => Some(part.stored_bytes) == stored,
        };
        let surpassed = current.get(&record.number).is_some_and(|(_, held)| *held);
        // One that is kept can be sent again, whatever the backend holds: an attempt to complete the
        // upload that came to nothing may have left the part with a footer.
        if held || (is_kept(record.number, stored) && !surpassed) {
            current.insert(record.number, (record, held));
        }
    }
    current
        .into_iter()
        .map(|(number, (record, _))| (number, record))
        .collect()
}

/// Whether the stored bytes of a part are kept beside it.
pub(crate) fn is_kept(number: u32, stored_bytes: Option<u64>) -> bool {
    number == layout::PARTS_MAX || stored_bytes.is_some_and(|bytes| bytes < BACKEND_PART_BYTES_MIN)
}

fn listed_part(part: &Element) -> Option<(u32, BackendPart)> {
    let number = part.text_of("PartNumber")?.trim().parse().ok()?;
    let etag = part.text_of("ETag").map(|etag| bare(etag).to_owned());
    let part = BackendPart {
        etag: etag.filter(|etag| !etag.is_empty()),
        stored_bytes: part.text_of("Size")?.trim().parse().ok()?,
        modified: part.text_of("LastModified").unwrap_or_default().to_owned(),
    };
    Some((number, part))
}

/// An ETag without quotes and blanks.
pub(crate) fn bare(etag: &str) -> &str {
    etag.trim().trim_matches('"')
}

/// A number of a part in a query.
pub(crate) fn part_number(request: &S3Request) -> Result<u32, S3Error> {
    let text = request.target.query.get("partNumber").unwrap_or_default();
    match text.parse() {
        Ok(number @ 1..=layout::PARTS_MAX) => Ok(number),
        _ => Err(S3Error::invalid_argument(BAD_NUMBER, "partNumber", text)),
    }
}

/// 404 for an upload that there is not.
pub(crate) fn no_such_upload(id: &str) -> S3Error {
    S3Error::new(S3Code::NoSuchUpload).detail("UploadId", id)
}

/// The text of a header; none if absent or no text.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Smallest part, but for the last, that backends take, in bytes.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
pub(crate) const BACKEND_PART_BYTES_MIN: u64 = 5 << 20;

const BAD_NUMBER: &str = "Part number must be an integer between 1 and 10000, inclusive";
const KEY_MISSING: &str = "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters.";
const KEY_DIFFERS: &str =
    "The provided encryption parameters did not match the ones used originally.";
