//! An upload as the gateway and the backend have it.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use tokio::sync::RwLock;

use crate::backend::BackendError;
use crate::backend::BackendRequest;
use crate::chunks::layout;
use crate::envelope::Protection;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::keys::data_key::ObjectKeys;
use crate::keys::data_key::ObjectName;
use crate::keys::kms::Requester;
use crate::operation::store::ObjectStore;
use crate::protocol::etag::ETag;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::records::uploads::Head;
use crate::records::uploads::PartRecord;
use crate::records::uploads::UploadName;
use crate::request::S3Request;
use crate::request::Target;
use crate::sealed::etag;
use crate::sse::customer_key;
use crate::sse::customer_key::CustomerKey;
use crate::sse::request as sse_request;
use crate::sse::request::Encryption;
use crate::sse::request::Transport;

/// An upload that was created here.
pub(crate) struct Upload {
    pub(crate) name: ObjectName,
    pub(crate) id: String,
    pub(crate) head: Arc<Head>,
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
    /// Some backends list none.
    pub(crate) etag: Option<ETag>,
    pub(crate) stored_bytes: u64,
    pub(crate) modified: String,
}

impl Upload {
    /// The upload that a request is about.
    ///
    /// # Errors
    ///
    /// `NoSuchUpload`; `ServiceUnavailable` when the state cannot be read.
    pub(crate) async fn find(store: &ObjectStore, target: &Target) -> Result<Self, S3Error> {
        let name = store.name(target)?;
        let id = target.query.get("uploadId").unwrap_or_default().to_owned();
        let state_name = UploadName {
            bucket: &name.bucket,
            key: &name.key,
            upload_id: &id,
        };
        let head = store.uploads.find(state_name).await?;
        Ok(Self { name, id, head })
    }

    pub(crate) fn protection(&self) -> &Protection {
        self.head.protection()
    }

    /// A request to the backend about the upload.
    pub(crate) fn request(&self, method: Method) -> BackendRequest {
        BackendRequest::object(method, &self.name.bucket, &self.name.key)
    }

    /// Whose turn it is on the upload in this process: many parts', or one Complete's.
    pub(crate) fn turn(&self, store: &ObjectStore) -> Arc<RwLock<()>> {
        let upload = self.head.envelope_header().to_owned();
        store.turns.get_with(upload, Arc::default)
    }

    /// The ETag that clients see of a part.
    pub(crate) fn part_etag(&self, part: &PartRecord) -> ETag {
        match &part.md5 {
            Some(md5) if etag::is_md5(self.protection()) => ETag::from_md5(md5),
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

    /// The data key of the upload, after its customer key was found to be the right one.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for a customer key that is missing, not applicable, or another one; what the KMS
    /// refuses.
    pub(crate) async fn unlock(
        &self,
        store: &ObjectStore,
        customer_key: Option<&CustomerKey>,
        requester: &Requester,
        transport: Transport,
    ) -> Result<ObjectKeys, S3Error> {
        let is_customers = matches!(self.protection(), Protection::SseC { .. });
        if is_customers != customer_key.is_some() {
            return Err(S3Error::invalid_request(KEY_MISSING));
        }
        let data_keys = &store.sealed.data_keys;
        let envelope = self.head.envelope();
        let checked = data_keys.check(envelope, customer_key, &self.name, transport)?;
        match data_keys.open(checked, requester).await {
            Ok((keys, _)) => Ok(keys),
            Err(error) if is_customers && error.code() == S3Code::AccessDenied => {
                Err(S3Error::invalid_request(KEY_DIFFERS))
            }
            Err(error) => Err(error),
        }
    }

    /// What the backend has of the upload.
    ///
    /// # Errors
    ///
    /// `NoSuchUpload` where the backend has no such upload any more; `ServiceUnavailable`.
    pub(crate) async fn backend_parts(&self, store: &ObjectStore) -> Result<BackendParts, S3Error> {
        match self.list(store).await {
            Err(error) if error.refusal().is_some() => {
                tracing::debug!(%error, "backend does not list an upload's parts");
                Err(no_such_upload(&self.id))
            }
            parts => Ok(parts?),
        }
    }

    async fn list(&self, store: &ObjectStore) -> Result<BackendParts, BackendError> {
        let mut whole: Option<BackendParts> = None;
        let mut marker = None::<u32>;
        loop {
            let text = marker.map(|number| number.to_string());
            let request = self
                .request(Method::GET)
                .query("uploadId", &self.id)
                .query_if("part-number-marker", text.as_deref());
            let answer = store.backend.fetch(request).await?;
            let page = Element::parse(answer.body(), Limits::ANSWER)
                .map_err(|_| BackendError::Protocol("a list of parts that is no XML"))?;
            let parts: Vec<_> = page.all("Part").filter_map(backend_part).collect();
            let truncated = page.text_of("IsTruncated") == Some("true");
            let whole = whole.get_or_insert_with(|| BackendParts {
                parts: BTreeMap::new(),
                document: page,
            });
            let last = parts.iter().map(|(number, _)| *number).max();
            whole.parts.extend(parts);
            if !truncated {
                break;
            }
            if last <= marker {
                let endless = "a list of parts that does not go on";
                return Err(BackendError::Protocol(endless));
            }
            marker = last;
        }
        whole.ok_or(BackendError::Protocol("no list of parts"))
    }
}

/// The customer key of a request that writes a part.
///
/// # Errors
///
/// What S3 answers to flawed customer keys, and to headers that only the creation of an upload takes.
pub(crate) async fn part_customer_key(
    store: &ObjectStore,
    request: &S3Request,
    bucket: &str,
    transport: Transport,
) -> Result<Option<CustomerKey>, S3Error> {
    if !customer_key::named(&request.headers, customer_key::Source::Object) {
        return sse_request::for_read(&request.headers, transport);
    }
    let default = store.defaults.default_of(bucket).await?;
    match sse_request::for_write(&request.headers, &default, transport)? {
        Encryption::SseC(key) => Ok(Some(key)),
        _ => Ok(None),
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
        // One that is stashed can be sent again, whatever the backend holds: an attempt to complete the
        // upload that came to nothing may have left the part with a footer.
        if held || (is_stashed(record.number, stored) && !surpassed) {
            current.insert(record.number, (record, held));
        }
    }
    current
        .into_iter()
        .map(|(number, (record, _))| (number, record))
        .collect()
}

/// Whether the stored bytes of a part are stashed beside it.
pub(crate) fn is_stashed(number: u32, stored_bytes: Option<u64>) -> bool {
    number == layout::PARTS_MAX || stored_bytes.is_some_and(|bytes| bytes < BACKEND_PART_BYTES_MIN)
}

fn backend_part(part: &Element) -> Option<(u32, BackendPart)> {
    let number = part.text_of("PartNumber")?.trim().parse().ok()?;
    let part = BackendPart {
        etag: part.text_of("ETag").and_then(ETag::parse),
        stored_bytes: part.text_of("Size")?.trim().parse().ok()?,
        modified: part.text_of("LastModified").unwrap_or_default().to_owned(),
    };
    Some((number, part))
}

/// A number of a part in a query.
///
/// # Errors
///
/// `InvalidArgument`.
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

/// Smallest part that backends take before the last one, in bytes.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
pub(crate) const BACKEND_PART_BYTES_MIN: u64 = 5 << 20;

const BAD_NUMBER: &str = "Part number must be an integer between 1 and 10000, inclusive";
const KEY_MISSING: &str = "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters.";
const KEY_DIFFERS: &str =
    "The provided encryption parameters did not match the ones used originally.";
